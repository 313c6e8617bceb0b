"""crmmining: extractors say what happened, KPIs say what we ask, the engine only counts.

import crmmining as cm

crm = cm.connect("data/sample")
crm.event_log("opportunity").variants()
crm.scorecard(by=["region"], period="month")
"""

from importlib import import_module
from typing import TYPE_CHECKING

from crmmining.errors import (
    CrmMiningError,
    DefinitionError,
    OutputError,
    SourceError,
    UnknownNameError,
)

if TYPE_CHECKING:
    from crmmining import analyses
    from crmmining.crm import Crm, connect
    from crmmining.eventlog import EventLog, open_log
    from crmmining.scale import engine
    from crmmining.simulator import simulate

__all__ = [
    "Crm",
    "CrmMiningError",
    "DefinitionError",
    "EventLog",
    "OutputError",
    "SourceError",
    "UnknownNameError",
    "analyses",
    "connect",
    "engine",
    "open_log",
    "simulate",
]

# Loaded when they are first asked for: polars, duckdb and pydantic together take half a second.
_PLACES = {
    "Crm": "crm",
    "connect": "crm",
    "EventLog": "eventlog",
    "open_log": "eventlog",
    "engine": "scale",
    "simulate": "simulator",
}
_ROOMS = ("analyses",)


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        return import_module(f"crmmining.{name}")
    if name not in _PLACES:
        raise AttributeError(f"module 'crmmining' has no attribute '{name}'")
    value: object = getattr(import_module(f"crmmining.{_PLACES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

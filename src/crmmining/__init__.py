"""crmmining: extractors say what happened, KPIs say what we ask, the engine only counts.

import crmmining as cm

crm = cm.connect("data/sample")
crm.event_log("opportunity").variants()
crm.scorecard(by=["region"], period="month")
"""

from crmmining.crm import Crm, connect
from crmmining.errors import (
    CrmMiningError,
    DefinitionError,
    OutputError,
    SourceError,
    UnknownNameError,
)
from crmmining.eventlog import EventLog
from crmmining.simulate import simulate

__all__ = [
    "Crm",
    "CrmMiningError",
    "DefinitionError",
    "EventLog",
    "OutputError",
    "SourceError",
    "UnknownNameError",
    "connect",
    "simulate",
]

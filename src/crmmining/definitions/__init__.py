"""Definitions as data: processes (TOML + SQL) and KPIs (TOML), read together and checked together."""

from crmmining.definitions.catalogue import Catalogue, Layers, read_catalogue, shipped
from crmmining.definitions.kpi import Kpi
from crmmining.definitions.process import Activity, Process, Stages

__all__ = [
    "Activity",
    "Catalogue",
    "Kpi",
    "Layers",
    "Process",
    "Stages",
    "read_catalogue",
    "shipped",
]

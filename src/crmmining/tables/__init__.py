"""Tables: names, Ids, types, UTC; quarantine; views as of a moment. The canonical form of a CRM's data."""

from crmmining.tables.database import KEPT, MEMORY, attach, clear_spilled, database, held_to
from crmmining.tables.identities import key_mark
from crmmining.tables.keeping import keep, reopen
from crmmining.tables.loading import Supply, judge, load
from crmmining.tables.model import Tables
from crmmining.tables.raw import Evidence, InputFile, RawTable
from crmmining.tables.spec import ColumnType, OrgSpec, ParentSpec, SourceSpec, SqlFiles, TableSpec

__all__ = [
    "KEPT",
    "MEMORY",
    "ColumnType",
    "Evidence",
    "InputFile",
    "OrgSpec",
    "ParentSpec",
    "RawTable",
    "SourceSpec",
    "SqlFiles",
    "Supply",
    "TableSpec",
    "Tables",
    "attach",
    "clear_spilled",
    "database",
    "held_to",
    "judge",
    "keep",
    "key_mark",
    "load",
    "reopen",
]

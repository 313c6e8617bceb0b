"""A second, naive implementation of the four event logs, from the words of the definitions."""

from datetime import datetime

from . import account, case, lead, opportunity
from .beginnings import cases
from .rows import Event, Tables, load

LOGS = {
    "account": account.events,
    "case": case.events,
    "lead": lead.events,
    "opportunity": opportunity.events,
}


def events(process: str, tables: Tables, as_of: datetime) -> list[Event]:
    """The log of one process at a moment, in log order."""
    found = LOGS[process](tables, as_of)
    return sorted(found, key=lambda e: (e.case_id, e.occurred_at, e.rank, e.seq, e.source_id, e.activity))


__all__ = ["Event", "Tables", "cases", "events", "load"]

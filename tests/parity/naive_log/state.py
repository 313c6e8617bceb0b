"""Records as they were at a moment: changes after it undone."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from .histories import GRACE, Change
from .rows import Row, Tables, at, by_id, created, flag, gone, modified

MERGED = {"Account": "accountMerged", "Lead": "leadMerged", "Case": "caseMerged"}


def value_at(changes: Iterable[Change], field: str, as_of: datetime, now: str | None) -> str | None:
    """The value of a field at a moment: the old value of the first change after it, else that of now."""
    later = [change for change in changes if change.field == field and change.moment > as_of]
    return later[0].old if later else now


class Merge(NamedTuple):
    loser: str
    into: str
    moment: datetime
    mark: Change | None


def merges(tables: Tables, table: str, changes: Iterable[Change]) -> list[Merge]:
    """Records that went into others: when the other is marked, else at the last change of the one that went.

    The mark is the last within five seconds of that change, else the only one before it.
    """
    found = []
    marks = [change for change in changes if change.field == MERGED[table]]
    for row in tables.get(table, []):
        master, last = row.get("MasterRecordId"), modified(row)
        if master is None or last is None:
            continue
        before = [mark for mark in marks if mark.record == master and mark.moment <= last + GRACE]
        near = [mark for mark in before if mark.moment >= last - GRACE]
        mark = near[-1] if near else before[0] if len(before) == 1 else None
        found.append(Merge(row["Id"], master, mark.moment if mark else last, mark))
    return found


class Lives:
    """Which records live at a moment, and in which of them the merged ones live on."""

    def __init__(self, tables: Tables, table: str, found: Iterable[Merge], as_of: datetime) -> None:
        self.merges = [merge for merge in found if merge.moment <= as_of]
        self.into = {merge.loser: merge.into for merge in self.merges}
        later = {merge.loser for merge in found if merge.moment > as_of}
        self.rows = by_id(tables.get(table, []))
        self.alive = {
            key
            for key, row in self.rows.items()
            if created(row) <= as_of and key not in self.into and (not gone(row, as_of) or key in later)
        }

    def last(self, key: str) -> str:
        """The record in which one lives on in the end."""
        seen = {key}
        while key in self.into and self.into[key] not in seen:
            key = self.into[key]
            seen.add(key)
        return key

    def case(self, key: str | None) -> str | None:
        """The case of a record, if it lives."""
        if key is None:
            return None
        end = self.last(key)
        return end if end in self.alive else None


def converted(lead: Row) -> bool:
    said = flag(lead.get("IsConverted"))
    if said is not None:
        return said
    links = ("ConvertedAccountId", "ConvertedContactId", "ConvertedOpportunityId")
    return bool(at(lead, "ConvertedDate") or any(lead.get(link) for link in links))

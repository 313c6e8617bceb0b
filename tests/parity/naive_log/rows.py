"""Tables as lists of plain dicts, read from CSV; what values mean; what is known at a moment."""

import csv
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

Row = dict[str, Any]
Tables = dict[str, list[Row]]

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)
LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)

PARENTS = {
    "AccountHistory": ("AccountId", "Account"),
    "LeadHistory": ("LeadId", "Lead"),
    "CaseHistory": ("CaseId", "Case"),
    "OpportunityFieldHistory": ("OpportunityId", "Opportunity"),
    "OpportunityHistory": ("OpportunityId", "Opportunity"),
    "CaseMilestone": ("CaseId", "Case"),
    "CaseSolution": ("CaseId", "Case"),
    "CaseComment": ("ParentId", "Case"),
    "Quote": ("OpportunityId", "Opportunity"),
    "QuoteHistory": ("QuoteId", "Quote"),
    "OpportunityLineItem": ("OpportunityId", "Opportunity"),
}
ALWAYS = {
    "User", "UserRole", "Group", "Profile", "RecordType", "OpportunityStage", "LeadStatus", "CaseStatus",
    "MilestoneType", "BusinessHours", "Holiday", "CurrencyType", "DatedConversionRate",
}  # fmt: skip
REFERENCE = {"CurrencyIsoCode", "TimeZoneSidKey", "CaseNumber"}


class Event(NamedTuple):
    """One event as the definitions tell it; rank and seq order events of one moment."""

    case_id: str
    activity: str
    occurred_at: datetime
    recorded_at: datetime
    source_table: str
    source_id: str
    direction: int | None = None
    delta: float | None = None
    date_only: bool = False
    rank: int = 0
    seq: int = 0


def long_id(text: str | None) -> str | None:
    """An Id of 15 characters with its checksum; anything else as it is."""
    if text is None or not re.fullmatch("[a-zA-Z0-9]{15}", text):
        return text
    blocks = (text[0:5], text[5:10], text[10:15])
    return text + "".join(
        ALPHABET[sum(1 << place for place, letter in enumerate(block) if "A" <= letter <= "Z")]
        for block in blocks
    )


def is_id(text: str | None) -> bool:
    """Whether a text reads as an Id: 18 characters with the right checksum, or 15 that begin like one."""
    if text is None:
        return False
    if re.fullmatch("[a-zA-Z0-9]{18}", text):
        return long_id(text[:15]) == text
    return re.fullmatch("[a-zA-Z0-9]{15}", text) is not None and any(letter.isdigit() for letter in text)


def moment(text: str | None) -> datetime | None:
    if not text:
        return None
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def day(text: str | None) -> date | None:
    return date.fromisoformat(text[:10]) if text and re.match(r"\d{4}-\d\d-\d\d", text) else None


def flag(text: str | None) -> bool | None:
    return None if text is None else text.lower() in {"true", "1", "yes", "t"}


def number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def start_of(one: date) -> datetime:
    """The beginning of a day in the zone of the org, which is UTC."""
    return datetime(one.year, one.month, one.day, tzinfo=UTC)


def end_of(one: date) -> datetime:
    """The last instant of a day."""
    return start_of(one) + DAY - SECOND


def created(row: Row) -> datetime:
    instant = moment(row.get("CreatedDate"))
    return LONG_AGO if instant is None else instant


def at(row: Row, column: str) -> datetime | None:
    return moment(row.get(column))


def modified(row: Row) -> datetime | None:
    return moment(row.get("SystemModstamp")) or moment(row.get("LastModifiedDate"))


def deleted(row: Row) -> bool:
    return flag(row.get("IsDeleted")) is True


def earliest(*moments: datetime | None) -> datetime:
    return min(one for one in moments if one is not None)


def latest(*moments: datetime | None) -> datetime:
    return max(one for one in moments if one is not None)


def by_id(rows: Iterable[Row]) -> dict[str, Row]:
    return {row["Id"]: row for row in rows}


def load(folder: Path) -> Tables:
    """All tables of a folder: empty is None, Ids have 18 characters, rows of unknown parents are out."""
    tables: Tables = {}
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as lines:
            tables[path.stem] = [
                {
                    name: long_id(text or None)
                    if name.endswith("Id") and name not in REFERENCE
                    else (text or None)
                    for name, text in row.items()
                }
                for row in csv.DictReader(lines)
            ]
    for child, (column, parent) in PARENTS.items():
        if child in tables and tables.get(parent):
            known = {row["Id"] for row in tables[parent]}
            tables[child] = [row for row in tables[child] if row[column] in known]
    return tables


def gone(row: Row, as_of: datetime) -> bool:
    """Whether a row was deleted by a moment: its last change was the deletion."""
    last = modified(row)
    return deleted(row) and (last is None or last <= as_of)


def as_it_was(row: Row, as_of: datetime) -> Row:
    """A row whose later deletion is undone and whose later SystemModstamp is unknown."""
    stamp = moment(row.get("SystemModstamp"))
    if stamp is None or stamp <= as_of:
        return row
    later = {"SystemModstamp": None, "in the end": row["SystemModstamp"]}
    return row | later | ({} if gone(row, as_of) or "IsDeleted" not in row else {"IsDeleted": "false"})


def known_at(tables: Tables, as_of: datetime) -> Tables:
    """Rows created by a moment; lists of values and people are known only as they are now."""
    return {
        name: rows if name in ALWAYS else [as_it_was(row, as_of) for row in rows if created(row) <= as_of]
        for name, rows in tables.items()
    }

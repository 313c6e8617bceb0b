"""The cases of a log, and which of them are truncated: created before their history was kept."""

from collections.abc import Mapping
from datetime import date, datetime

from .histories import kept_rows, snapshots, told
from .rows import MINUTE, Row, Tables, created, deleted, known_at, start_of
from .state import Lives, merges

Tracking = Mapping[str, Mapping[str, date]]  # by table: days stated for its fields, and `since` for all of it

ROOTS = {"account": "Account", "case": "Case", "lead": "Lead", "opportunity": "Opportunity"}
CREATION = {
    "AccountHistory": {"created", "accountCreatedFromLead"},
    "CaseHistory": {"created"},
    "LeadHistory": {"created"},
    "OpportunityFieldHistory": {"created", "opportunityCreatedFromLead"},
}


def first_row(tables: Tables, table: str, as_of: datetime) -> datetime | None:
    """The first row of a history by a moment, of whatever record."""
    rows = kept_rows(tables, table) if table == "OpportunityHistory" else tables.get(table, [])
    return min((created(row) for row in rows if created(row) <= as_of), default=None)


def tracked_since(tables: Tables, table: str, as_of: datetime, stated: Tracking) -> datetime | None:
    """Since when a table is stated to be tracked, else its first row."""
    whole = stated.get(table, {}).get("since")
    return start_of(whole) if whole else first_row(tables, table, as_of)


def any_since(tables: Tables, table: str, as_of: datetime, stated: Tracking) -> datetime | None:
    """Since when a table or any of its fields is tracked."""
    fields = [start_of(one) for word, one in stated.get(table, {}).items() if word != "since"]
    whole = tracked_since(tables, table, as_of, stated)
    return min([*fields, *([whole] if whole else [])], default=None)


def seen_from_creation(tables: Tables, history: str, as_of: datetime) -> set[str]:
    """Records whose history shows by a moment that they were created."""
    return {
        change.record
        for change in told(tables, history)
        if change.field in CREATION[history] and change.moment <= as_of
    }


def records(process: str, tables: Tables, as_of: datetime) -> list[Row]:
    """The records that are cases at a moment."""
    root = ROOTS[process]
    if process == "opportunity":
        return [row for row in known_at(tables, as_of).get(root, []) if not deleted(row)]
    lives = Lives(tables, root, merges(tables, root, told(tables, f"{root}History")), as_of)
    return [lives.rows[key] for key in sorted(lives.alive)]


def truncated_opportunities(rows: list[Row], tables: Tables, as_of: datetime, stated: Tracking) -> set[str]:
    """Opportunities older than field history (where there is none, than snapshots) that nothing shows new."""
    since = tracked_since(tables, "OpportunityFieldHistory", as_of, stated)
    since = since or tracked_since(tables, "OpportunityHistory", as_of, stated)
    marked = seen_from_creation(tables, "OpportunityFieldHistory", as_of)
    shots = snapshots(tables)
    found = set()
    for row in rows:
        first = [created(shot) for shot in shots.get(row["Id"], [])[:1] if created(shot) <= as_of]
        shown = row["Id"] in marked or any(moment <= created(row) + MINUTE for moment in first)
        if since and created(row) < since and not shown:
            found.add(row["Id"])
    return found


def truncated_cases(rows: list[Row], tables: Tables, as_of: datetime, stated: Tracking) -> set[str]:
    """Cases older than what is stated, whatever their history holds; else as of any other record."""
    said = stated.get("CaseHistory", {})
    status = said.get("Status") or said.get("since")
    if status:
        return {row["Id"] for row in rows if created(row) < start_of(status)}
    return truncated_others(rows, "CaseHistory", tables, as_of, stated)


def truncated_others(
    rows: list[Row], history: str, tables: Tables, as_of: datetime, stated: Tracking
) -> set[str]:
    """Records older than their history that do not begin with its mark."""
    since = any_since(tables, history, as_of, stated)
    marked = seen_from_creation(tables, history, as_of)
    return {row["Id"] for row in rows if since and created(row) < since and row["Id"] not in marked}


def cases(
    process: str, tables: Tables, as_of: datetime, stated: Tracking | None = None
) -> dict[str, tuple[datetime, bool]]:
    """When each case of a log was created, and whether it is truncated."""
    rows, stated = records(process, tables, as_of), stated or {}
    if process == "opportunity":
        cut = truncated_opportunities(rows, tables, as_of, stated)
    elif process == "case":
        cut = truncated_cases(rows, tables, as_of, stated)
    else:
        cut = truncated_others(rows, f"{ROOTS[process]}History", tables, as_of, stated)
    return {row["Id"]: (created(row), row["Id"] in cut) for row in rows}

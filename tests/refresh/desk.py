"""The help desk of tests/eventlog: its tables in a database, its log, and what a batch makes of them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

import crmmining as cm

from .conftest import rebuilt

Desk = Mapping[str, Sequence[Sequence[Any]]]
HERE = Path(__file__).parents[1] / "eventlog"
COLUMNS = {
    "Ticket": "Id CreatedDate CustomerId MergedInto Team",
    "Change": "Id TicketId CreatedDate ById Field OldValue NewValue",
    "Note": "Id TicketId CustomerId CreatedDate Written ById Draft",
}
DATED = {"CreatedDate", "Written"}


def minute(number: int) -> datetime:
    """A minute of 2024-01-01."""
    return datetime.fromtimestamp(1_704_067_200 + number * 60, UTC)


def loaded(tables: Desk) -> duckdb.DuckDBPyConnection:
    """A database with these tables and no others."""
    database = duckdb.connect()
    for name, lines in tables.items():
        columns = COLUMNS[name].split()
        typed = ", ".join(
            f'"{column}" {"TIMESTAMPTZ" if column in DATED else "VARCHAR"}' for column in columns
        )
        database.execute(f"CREATE TABLE {name} ({typed})")
        for line in lines:
            cells = [
                minute(cell) if column in DATED and cell is not None else cell
                for column, cell in zip(columns, line, strict=True)
            ]
            places = ", ".join("?" for _ in columns)
            database.execute(f"INSERT INTO {name} VALUES ({places})", cells)  # noqa: S608  own names
    return database


def connected(tables: Desk, *, log: bool = True) -> cm.Crm:
    """The desk with all three tables, and its log built."""
    with loaded({name: tables.get(name, ()) for name in COLUMNS}) as database:
        crm = cm.connect(database, crm="desk", extractors=[HERE], max_quarantine=1)
    if log:
        crm.event_log("ticket")
    return crm


def refreshed(
    crm: cm.Crm, batch: Desk, deleted: Mapping[str, Sequence[str]] | None = None
) -> tuple[int, str]:
    """Refresh, and say how many tickets were told again, and how."""
    with loaded(batch) as database:
        return rebuilt(crm.refresh(database if batch else None, deleted=deleted))["ticket"]


def together(before: Desk, batch: Desk, deleted: Mapping[str, Sequence[str]] | None = None) -> Desk:
    """The tables after a batch."""
    found = {}
    for name in COLUMNS:
        gone = {line[0] for line in batch.get(name, ())} | set((deleted or {}).get(name, ()))
        stay = [line for line in before.get(name, ()) if line[0] not in gone]
        found[name] = [*stay, *batch.get(name, ())]
    return found

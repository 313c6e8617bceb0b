"""A help desk whose tables are written by hand, and its logs."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

import crmmining as cm
from crmmining import extract
from crmmining.eventlog import EventLog

Rows = Sequence[Sequence[Any]]
COLUMNS = {
    "Ticket": "Id CreatedDate CustomerId MergedInto Team",
    "Change": "Id TicketId CreatedDate ById Field OldValue NewValue",
    "Note": "Id TicketId CustomerId CreatedDate Written ById Draft",
}
DATED = {"CreatedDate", "Written"}
HERE = Path(__file__).parent


class Desk:
    """A loaded help desk: `t` and a number are minutes of 2024-01-01 in what it is told and tells."""

    def __init__(self, tables: Mapping[str, Rows], extractors: Sequence[Path] = ()) -> None:
        with duckdb.connect() as database:
            for name, header in COLUMNS.items():
                columns = header.split()
                typed = ", ".join(f'"{c}" {"TIMESTAMPTZ" if c in DATED else "VARCHAR"}' for c in columns)
                database.execute(f"CREATE TABLE {name} ({typed})")
                for row in tables.get(name, ()):
                    cells = [
                        minute(cell) if column in DATED and cell is not None else cell
                        for column, cell in zip(columns, row, strict=True)
                    ]
                    places = ", ".join("?" for _ in columns)
                    database.execute(f"INSERT INTO {name} VALUES ({places})", cells)  # noqa: S608  own names
            self.crm = cm.connect(database, crm="desk", extractors=[HERE, *extractors])
        self.process = self.crm.definitions.process("ticket")

    def log(self, only: Sequence[str] | None = None, as_of: int = 1000) -> EventLog:
        cases = None if only is None else pl.Series(only, dtype=pl.String)
        stages = self.crm.definitions.stages
        return extract.build(self.crm.tables, self.process, minute(as_of), stages, cases)

    def evidence(self, row: str, as_of: int = 1000) -> list[tuple[Any, ...]]:
        """Table, disposition, reason, case, activity and minute of what became of a row."""
        stages = self.crm.definitions.stages
        found = extract.evidence(self.crm.tables, self.process, row, minute(as_of), stages)
        assert set(found["id"]) == {row}
        return [(*line[:5], minutes(line[5])) for line in found.drop("id").rows()]


def minute(number: int) -> datetime:
    return datetime.fromtimestamp(1_704_067_200 + number * 60, UTC)


def minutes(moment: datetime | None) -> int | None:
    return None if moment is None else round((moment.timestamp() - 1_704_067_200) / 60)


def told(log: EventLog, *columns: str) -> list[tuple[Any, ...]]:
    """Case, minute, activity and further columns of every event, in log order."""
    events = log.events.with_columns(
        pl.col("activity", "source_table").cast(pl.String),
        (pl.col("occurred_at").dt.epoch("s") - 1_704_067_200) // 60,
    )
    return events.select("case_id", "occurred_at", "activity", *columns).rows()


def account(log: EventLog, table: str) -> dict[str | None, int]:
    """Rows of a table of the source by reason; None: used."""
    rows = log.quality.filter(pl.col("table") == f"ticket: {table}")
    return dict(rows.select("reason", "rows").rows())


SMALL: Mapping[str, Rows] = {
    "Ticket": [
        ("t1", 0, "c1", None, "blue"),
        ("t2", 10, "c1", None, "blue"),
        ("t3", 20, "c2", "t1", "red"),
    ],
    "Change": [
        ("h1", "t1", 60, "ann", "Team", "red", "blue"),
        ("h2", "t1", 60, "ann", "Status", "new", "open"),
        ("h3", "t1", 60, "bob", "Status", "open", "done"),
        ("h4", "t3", 70, "ann", "Status", "new", "new"),
        ("h5", "t3", 80, "ann", "Status", "new", "open"),
        ("h6", "t9", 90, "ann", "Status", "new", "open"),
    ],
    "Note": [
        ("n1", "t2", None, 15, 12, "ann", None),
        ("n2", None, "c1", 16, 16, "bob", None),
        ("n3", "t2", None, 17, 17, "ann", "true"),
        ("n4", None, None, 18, 18, "ann", None),
        ("n5", "t2", None, 2000, 19, "ann", None),
        ("n6", "t2", None, 30, 1500, "ann", None),
    ],
}


@pytest.fixture
def desk() -> Callable[..., Desk]:
    return Desk


@pytest.fixture(scope="session")
def small() -> Desk:
    return Desk(SMALL)

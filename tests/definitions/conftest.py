"""Tables by hand, in the types of the source definition: the SQL of a process runs on them as it stands."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import duckdb
import polars as pl
import pytest

from crmmining import Crm, connect
from crmmining.definitions import Catalogue, read_catalogue, shipped

Table = Sequence[Any]  # the column names in one text, then one tuple per row
SQL_TYPES = {
    "id": "VARCHAR",
    "text": "VARCHAR",
    "time": "VARCHAR",
    "number": "DOUBLE",
    "integer": "BIGINT",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "datetime": "TIMESTAMPTZ",
}


class Extracted(NamedTuple):
    """What the two views of a process return."""

    cases: pl.DataFrame
    events: pl.DataFrame

    def attributes(self, header: str) -> list[tuple[Any, ...]]:
        """The named columns of every case, by case."""
        return self.cases.sort("case_id").select(header.split()).rows()

    def trace(self, case: str) -> list[tuple[str, str]]:
        """Moment (day and minute) and activity of one case, in log order."""
        return [(moment, activity) for moment, activity, *_ in self.rows(case)]

    def rows(self, case: str, *columns: str) -> list[tuple[Any, ...]]:
        """Moment, activity and further columns of one case, in log order."""
        return (
            self.events.filter(case_id=case)
            .sort("occurred_at", "rank", "seq", "source_id", "activity")
            .with_columns(pl.col("occurred_at").dt.strftime("%Y-%m-%d %H:%M"))
            .select("occurred_at", "activity", *columns)
            .rows()
        )


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return read_catalogue()


@pytest.fixture
def connection(catalogue: Catalogue) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.execute("CREATE SCHEMA as_of")
        database.execute("USE memory.as_of")
        for name, spec in catalogue.source.tables.items():
            columns = ", ".join(f'"{column}" {SQL_TYPES[kind]}' for column, kind in spec.columns.items())
            database.execute(f'CREATE TABLE "{name}" ({columns})')
        database.execute(
            "CREATE TABLE stages "
            "(root VARCHAR, record_type VARCHAR, since DATE, until DATE, value VARCHAR, position BIGINT, "
            "is_closed BOOLEAN, is_won BOOLEAN)"
        )
        database.execute("CREATE TABLE stated_automated (value VARCHAR)")
        yield database


@pytest.fixture
def extract(catalogue: Catalogue, connection: duckdb.DuckDBPyConnection) -> Callable[..., Extracted]:
    def run(process: str, tables: Mapping[str, Table], zone: str | None = None) -> Extracted:
        if zone is not None:
            connection.execute("SET VARIABLE time_zone = ?", [zone])
        for name, (header, *rows) in tables.items():
            columns = ", ".join(f'"{column}"' for column in header.split())
            places = ", ".join("?" for _ in header.split())
            for row in rows:
                connection.execute(f'INSERT INTO "{name}" ({columns}) VALUES ({places})', row)  # noqa: S608
        definition = catalogue.process(process)
        connection.execute(definition.census)
        connection.execute(definition.history)
        connection.execute(definition.shared)
        for ranked in definition.ranked:
            connection.execute("INSERT INTO levels VALUES (?, ?, ?)", ranked)
        connection.execute(definition.sql)
        return Extracted(connection.sql("FROM cases").pl(), connection.sql("FROM events").pl())

    return run


@pytest.fixture(scope="session")
def sample() -> Crm:
    return connect(shipped("data/sample"))

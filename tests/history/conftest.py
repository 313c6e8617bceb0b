"""Tables by hand in one database: the SQL that all processes share tells what became of their rows."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import duckdb
import pytest

from crmmining.definitions import Catalogue, read_catalogue, shipped
from crmmining.tables.casts import SQL_TYPES

FOLDER = shipped("extractors") / "salesforce"
Table = Sequence[Any]  # the column names in one text, then one tuple per row


class Told:
    """What the histories and the records of the tables tell as of a moment."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query; moments as text, day to second."""
        return self.connection.sql(query).fetchall()

    def changes(self, columns: str = "source_id old_value new_value") -> list[tuple[Any, ...]]:
        """The named columns of every change, by time and in the order within it."""
        return self.rows(
            f"SELECT {', '.join(columns.split())} FROM told ORDER BY moment, column_name, seq, source_id"  # noqa: S608
        )

    def aside(self) -> list[tuple[Any, ...]]:
        """Rows that tell no change, and why."""
        return self.rows("SELECT source_id, reason FROM set_aside ORDER BY ALL")


Tell = Callable[..., Told]


TOLD = """
CREATE OR REPLACE TEMP VIEW told AS
SELECT c.*, NOT EXISTS (FROM broken_links AS b WHERE b.source_table = c.source_table AND b.source_id = c.source_id
  AND b.field = c.column_name) AS chained
FROM changes AS c
"""


def shared_files(catalogue: Catalogue) -> list[str]:
    """The SQL files up to the one that makes records what they were, and the one that looks for breaks."""
    files = catalogue.source.sql
    shared = files.shared[: files.shared.index("state.sql") + 1]
    return [*files.census, *files.history, *shared, "breaks.sql"]


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return read_catalogue()


@pytest.fixture
def tell(catalogue: Catalogue) -> Iterator[Tell]:
    """Fill tables, state what is stated of histories, and see them as of a moment (default: all is known)."""
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute("CREATE SCHEMA as_of")
        con.execute("USE memory.as_of")
        for name, spec in catalogue.source.tables.items():
            columns = ", ".join(f'"{column}" {SQL_TYPES[kind]}' for column, kind in spec.columns.items())
            con.execute(f'CREATE TABLE "{name}" ({columns})')
        con.execute(
            "CREATE TABLE stages (root VARCHAR, record_type VARCHAR, since DATE, until DATE, value VARCHAR, "
            "position BIGINT, is_closed BOOLEAN, is_won BOOLEAN)"
        )
        con.execute("CREATE TABLE stated_automated (value VARCHAR)")
        texts = [(FOLDER / name).read_text(encoding="utf-8") for name in shared_files(catalogue)]
        texts.append(TOLD)

        def run(at: str | None = None, tracking: Table = (), **tables: Table) -> Told:
            con.execute("SET VARIABLE as_of = ?::TIMESTAMPTZ", [at])
            con.execute(
                "CREATE OR REPLACE TEMP TABLE tracking "
                "(source_table VARCHAR, field VARCHAR, since TIMESTAMPTZ, kept_since TIMESTAMPTZ)"
            )
            for row in tracking:
                con.execute("INSERT INTO tracking VALUES (?, ?, ?, ?)", row)
            for name, (header, *rows) in tables.items():
                columns = ", ".join(f'"{column}"' for column in header.split())
                places = ", ".join("?" for _ in header.split())
                for row in rows:
                    con.execute(f'INSERT INTO "{name}" ({columns}) VALUES ({places})', row)  # noqa: S608
            for text in texts:
                con.execute(text)
            return Told(con)

        yield run

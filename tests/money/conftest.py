"""Money by hand: the SQL that converts amounts, on small tables in the types of the source definition."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import duckdb
import pytest

from crmmining.definitions import read_catalogue, shipped
from crmmining.tables.casts import SQL_TYPES

FILES = ("words.sql", "money.sql")
TABLES = ("Opportunity", "CurrencyType", "DatedConversionRate", "_CEL_CURRENCIES")
Table = Sequence[Any]  # the column names in one text, then one tuple per row
Money = Callable[..., duckdb.DuckDBPyConnection]


@pytest.fixture
def money() -> Iterator[Money]:
    """Runs the SQL on given tables and words of [org]; what is not given is empty or unset."""
    spec = read_catalogue().source
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        for name in TABLES:
            columns = ", ".join(f'"{c}" {SQL_TYPES[kind]}' for c, kind in spec.tables[name].columns.items())
            database.execute(f'CREATE TABLE "{name}" ({columns})')
        database.execute(
            "CREATE TABLE changes (root VARCHAR, record_id VARCHAR, column_name VARCHAR, moment TIMESTAMPTZ)"
        )

        def run(org: dict[str, str] | None = None, **tables: Table) -> duckdb.DuckDBPyConnection:
            for name, value in (org or {}).items():
                database.execute(f"SET VARIABLE {name} = ?", [value])
            for name, (header, *rows) in tables.items():
                columns = ", ".join(f'"{column}"' for column in header.split())
                places = ", ".join("?" for _ in header.split())
                for row in rows:
                    database.execute(f'INSERT INTO "{name}" ({columns}) VALUES ({places})', row)  # noqa: S608
            for file in FILES:
                database.execute((shipped("extractors") / "salesforce" / file).read_text(encoding="utf-8"))
            return database

        yield run

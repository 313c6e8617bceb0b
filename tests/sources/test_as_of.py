from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import duckdb
import polars as pl
import pytest

from crmmining.tables import SourceSpec, Tables
from crmmining.tables.casts import SQL_TYPES

Write = Callable[..., Path]
Load = Callable[..., Tables]
A, B = "006q000000HddohAAB", "0015500000Xyy06AAB"
STAGES = pl.DataFrame(
    [("Opportunity", None, None, None, "New", 0, False, None)],
    schema={
        "root": pl.String,
        "record_type": pl.String,
        "since": pl.Date,
        "until": pl.Date,
        "value": pl.String,
        "position": pl.Int64,
        "is_closed": pl.Boolean,
        "is_won": pl.Boolean,
    },
    orient="row",
)


@pytest.fixture
def tables(write: Write, load: Load) -> Tables:
    return load(
        write(
            Opportunity=["Id,CreatedDate,StageName", f"{A},2024-01-01,New", f"{B},2024-02-01,Won"],
            Contact=["Id,Name,CreatedDate", f"{A},Ada,", f"{B},Bob,2024-02-01"],
            User=["Id,Name", f"{B},Eve"],
        )
    )


def names(tables: Tables, query: str) -> list[object]:
    found: list[object] = tables.connection.sql(query).pl().to_series().to_list()
    return found


def test_only_what_was_known_shows(tables: Tables) -> None:
    tables.view_as_of(datetime(2024, 1, 31, tzinfo=UTC), STAGES)
    assert names(tables, "SELECT StageName FROM Opportunity") == ["New"]
    tables.view_as_of(datetime(2024, 2, 1, tzinfo=UTC), STAGES)
    assert names(tables, "SELECT StageName FROM Opportunity ORDER BY ALL") == ["New", "Won"]
    tables.view_as_of(datetime(2023, 1, 1, tzinfo=UTC), STAGES)
    assert names(tables, "SELECT StageName FROM Opportunity") == []
    assert names(tables, "SELECT Name FROM Contact") == ["Ada"]
    assert names(tables, 'SELECT Name FROM "User"') == ["Eve"]


def test_a_moment_is_a_moment_in_any_zone(tables: Tables) -> None:
    tokyo = timezone(timedelta(hours=9))
    tables.view_as_of(datetime(2024, 2, 1, 8, 59, tzinfo=tokyo), STAGES)
    assert names(tables, "SELECT count(*) FROM Opportunity") == [1]
    tables.view_as_of(datetime(2024, 2, 1, 9, 0, tzinfo=tokyo), STAGES)
    assert names(tables, "SELECT count(*) FROM Opportunity") == [2]
    tables.view_as_of(datetime(2024, 1, 31, 23, 59), STAGES)  # noqa: DTZ001 - no zone means UTC
    assert names(tables, "SELECT count(*) FROM Opportunity") == [1]


def test_every_declared_table_and_column_is_there(tables: Tables, spec: SourceSpec) -> None:
    tables.view_as_of(datetime(2024, 3, 1, tzinfo=UTC), STAGES)
    for name, table in spec.tables.items():
        relation = tables.connection.sql(f'SELECT * FROM "{name}"')  # noqa: S608 - declared names
        kinds = [
            SQL_TYPES[kind].replace("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE")
            for kind in table.columns.values()
        ]
        assert (relation.columns, [str(kind) for kind in relation.types]) == (list(table.columns), kinds)
    assert names(tables, 'SELECT count(*) FROM "Case"') == [0]
    assert names(tables, "SELECT count(Amount) FROM Opportunity") == [0]


def test_stages_are_those_given_last(tables: Tables) -> None:
    tables.view_as_of(datetime(2024, 3, 1, tzinfo=UTC), STAGES)
    assert tables.connection.sql("SELECT * FROM stages").pl().rows() == [
        ("Opportunity", None, None, None, "New", 0, False, None)
    ]
    tables.view_as_of(datetime(2024, 3, 1, tzinfo=UTC), STAGES.clear())
    assert tables.connection.sql("SELECT * FROM stages").pl().schema == STAGES.schema
    assert names(tables, "SELECT count(*) FROM stages") == [0]


def test_tables_without_rows_have_views_and_no_clock(write: Write, load: Load) -> None:
    empty = load(
        write(Opportunity=["Id,CreatedDate,StageName,CloseDate"], User=["Id,Name"], Lead=["Id,Company"])
    )
    assert empty.clock is None
    empty.view_as_of(datetime(2024, 3, 1, tzinfo=UTC), STAGES)
    assert names(empty, "SELECT count(*) FROM Opportunity") == [0]
    assert names(empty, 'SELECT count(Name) FROM "User"') == [0]
    assert names(empty, "SELECT count(CreatedDate) FROM Lead") == [0]
    assert empty.findings["table"].to_list() == ["Lead"]


def test_a_faulty_call_leaves_the_earlier_views(tables: Tables) -> None:
    tables.view_as_of(datetime(2024, 1, 31, tzinfo=UTC), STAGES)
    with pytest.raises(duckdb.Error, match="position"):
        tables.view_as_of(datetime(2024, 3, 1, tzinfo=UTC), STAGES.drop("position"))
    assert names(tables, "SELECT StageName FROM Opportunity") == ["New"]
    assert names(tables, "SELECT value FROM stages") == ["New"]

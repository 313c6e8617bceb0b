from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest

from crmmining import sources
from crmmining.errors import SourceError
from crmmining.tables import Tables

Load = Callable[..., Tables]
A, B = "006q000000HddohAAB", "0015500000Xyy06AAB"
MOMENT = datetime(2024, 3, 10, 12, 30, 15, tzinfo=UTC)
DEALS = pl.DataFrame(
    {
        "Id": [A, B],
        "CreatedDate": [MOMENT, datetime(2024, 1, 1, tzinfo=UTC)],
        "StageName": ["New", ""],
        "Amount": [1.5, None],
        "IsWon": [True, None],
        "FiscalYear": [2024, None],
        "CloseDate": [datetime(2024, 4, 1, tzinfo=UTC).date(), None],
        "Description": ["ignored", "x"],
    }
)
NAIVE = DEALS.with_columns(
    pl.col("CreatedDate").dt.replace_time_zone(None), pl.col("CloseDate").cast(pl.Datetime)
)


@pytest.fixture
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        connection.register("deals", DEALS)
        connection.execute("CREATE SCHEMA salesforce")
        connection.execute("CREATE TABLE salesforce.opportunity AS SELECT * FROM deals")
        connection.unregister("deals")
        yield connection


def content(tables: Tables) -> list[tuple[object, ...]]:
    columns = '"Id", "CreatedDate", "StageName", "Amount", "IsWon", "FiscalYear", "CloseDate"'
    query = f'SELECT {columns} FROM crm."Opportunity" ORDER BY "Id" DESC'  # noqa: S608 - our own names
    found: list[tuple[object, ...]] = tables.connection.sql(query).pl().rows()
    return found


EXPECTED = [
    (A, MOMENT, "New", 1.5, True, 2024, datetime(2024, 4, 1, tzinfo=UTC).date()),
    (B, datetime(2024, 1, 1, tzinfo=UTC), None, None, None, None, None),
]


@pytest.mark.parametrize("frame", [DEALS, NAIVE, NAIVE.cast(pl.String)], ids=["zoned", "naive", "text"])
def test_parquet(frame: pl.DataFrame, tmp_path: Path, load: Load) -> None:
    frame.write_parquet(tmp_path / "opportunity.parquet")
    tables = load(tmp_path)
    assert content(tables) == EXPECTED
    (file,) = tables.inputs
    assert (file.origin, file.rows, file.ignored) == ("opportunity.parquet", 2, ("Description",))
    assert len(str(file.sha256)) == 64


def test_csv_and_parquet_of_the_same_rows_are_one_table(tmp_path: Path, load: Load) -> None:
    for name in ("csv", "parquet"):
        (tmp_path / name).mkdir()
    DEALS.write_csv(tmp_path / "csv" / "Opportunity.csv")
    DEALS.write_parquet(tmp_path / "parquet" / "Opportunity.parquet")
    from_csv, from_parquet = (load(tmp_path / name) for name in ("csv", "parquet"))
    assert content(from_csv) == content(from_parquet) == EXPECTED
    assert from_csv.quality.equals(from_parquet.quality)
    assert from_csv.clock == from_parquet.clock == MOMENT


def test_files_of_both_kinds_stand_side_by_side(tmp_path: Path, load: Load) -> None:
    DEALS.write_parquet(tmp_path / "Opportunity.parquet")
    (tmp_path / "User.csv").write_text("Id,Name\n005RO0000035WQg,Ada\n")
    assert set(load(tmp_path).columns) == {"Opportunity", "User"}


def test_a_duckdb_file(database: duckdb.DuckDBPyConnection, tmp_path: Path, load: Load) -> None:
    path = tmp_path / "crm.duckdb"
    database.execute(f"ATTACH '{path}' AS filed")
    database.execute("CREATE TABLE filed.Opportunity AS SELECT * FROM salesforce.opportunity")
    database.execute("DETACH filed")
    before = path.read_bytes()
    tables = load(path)
    assert content(tables) == EXPECTED
    assert [file.origin for file in tables.inputs] == ["crm.duckdb/main.Opportunity"]
    assert path.read_bytes() == before
    with duckdb.connect(path) as still_free:
        still_free.execute("CREATE TABLE later (n INTEGER)")


def test_an_open_connection_is_read_and_left_as_it_was(
    database: duckdb.DuckDBPyConnection, load: Load
) -> None:
    database.execute("SET TimeZone = 'America/New_York'")
    database.execute("CREATE VIEW salesforce.unrelated AS SELECT 1 AS n")
    everything = "SELECT table_schema, table_name, table_type FROM information_schema.tables ORDER BY ALL"
    before = database.sql(everything).pl()
    tables = load(database)
    assert content(tables) == EXPECTED
    assert [(file.name, file.origin) for file in tables.inputs] == [
        ("Opportunity", "salesforce.opportunity"),
        (None, "salesforce.unrelated"),
    ]
    assert database.sql(everything).pl().equals(before)
    assert database.sql("SELECT current_setting('TimeZone')").pl().item() == "America/New_York"
    assert database.sql("SELECT count(*) FROM salesforce.opportunity").pl().item() == 2


def test_views_count_as_tables(database: duckdb.DuckDBPyConnection, load: Load) -> None:
    database.execute("CREATE VIEW main.opportunity AS SELECT * FROM salesforce.opportunity WHERE Amount > 0")
    assert content(load(database, table_names="main.{}")) == EXPECTED[:1]


def test_one_schema_of_several(database: duckdb.DuckDBPyConnection, load: Load) -> None:
    database.execute("CREATE SCHEMA salesforce_history")
    database.execute("CREATE TABLE salesforce_history.opportunity AS SELECT * FROM salesforce.opportunity")
    with pytest.raises(
        SourceError,
        match=r"supplied more than once \(salesforce.opportunity, salesforce_history.opportunity\)",
    ):
        load(database)
    assert content(load(database, table_names="salesforce.{}")) == EXPECTED


def test_the_hash_of_a_relation_knows_content_and_not_order(
    database: duckdb.DuckDBPyConnection, load: Load
) -> None:
    def digest() -> str | None:
        return load(database, table_names="salesforce.{}").inputs[0].sha256

    first = digest()
    database.execute(
        "CREATE OR REPLACE TABLE salesforce.opportunity AS FROM salesforce.opportunity ORDER BY Id DESC"
    )
    assert digest() == first
    database.execute("SET TimeZone = 'Asia/Tokyo'")
    assert digest() == first
    database.execute("UPDATE salesforce.opportunity SET Description = 'not read'")
    assert digest() == first
    database.execute("UPDATE salesforce.opportunity SET Amount = 2 WHERE Amount = 1.5")
    assert digest() != first


def test_a_relation_that_breaks_while_it_is_read(database: duckdb.DuckDBPyConnection, load: Load) -> None:
    database.execute("DROP TABLE salesforce.opportunity")
    database.execute(
        "CREATE VIEW salesforce.opportunity AS SELECT 'x' AS Id, CASE WHEN i > 5000 THEN error('boom') END "
        "AS CreatedDate, 'New' AS StageName FROM range(10000) AS r(i)"
    )
    private = duckdb.connect(":memory:")
    with pytest.raises(SourceError, match=r"salesforce\.opportunity cannot be read: .*boom"):
        load(database, connection=private)
    assert private.sql("SELECT * FROM information_schema.tables").pl().is_empty()
    assert private.sql("SELECT 1").pl().item() == 1


def test_an_open_connection_stays_usable_while_a_transaction_is_open(
    database: duckdb.DuckDBPyConnection, load: Load
) -> None:
    database.execute("BEGIN")
    database.execute("UPDATE salesforce.opportunity SET StageName = 'Won'")
    assert {row[2] for row in content(load(database))} == {"Won"}
    database.execute("ROLLBACK")
    assert {row[2] for row in content(load(database))} == {"New", None}


def test_tables_of_other_databases_are_not_offered(tmp_path: Path) -> None:
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"ATTACH '{tmp_path / 'other.duckdb'}' AS other")
        connection.execute("CREATE TABLE other.Opportunity (Id VARCHAR)")
        connection.execute("CREATE TEMP TABLE Lead (Id VARCHAR)")
        assert [raw.origin for raw in sources.read(connection)] == ["main.Lead"]

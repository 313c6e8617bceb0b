"""Names of files, tables and columns come from outside and enter SQL: none may act as SQL."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import duckdb
import polars as pl
import pytest

from crmmining import sources, tables
from crmmining.errors import SourceError
from crmmining.sources.csv_files import CsvFile
from crmmining.sources.parquet_files import ParquetFile
from crmmining.tables import SourceSpec, Tables
from crmmining.tables.sql import identifier, literal

Load = Callable[..., Tables]
A = "006q000000HddohAAB"
HOSTILE = [
    't"; drop table x; --',
    "t'; drop table x; --",
    "x) FROM y; DELETE FROM crm; --",
    "'' OR 1=1",
    '"',
    "'",
    '""',
    "\\",
    "a\nb",
    "/* x */",
    "-- x",
    "$1",
    "?",
    "{}",
    "%s",
    "c0",
    "row",
    "rowid",
    "key",
    "row fault",
    "select",
    "\u202e",
    "\u00e9\U0001f600",
    " ",
    "=cmd|'/c calc'!A0",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_quoting_is_undone_by_the_database_alone(name: str) -> None:
    connection = duckdb.connect(":memory:")
    frame = connection.sql(f"SELECT {literal(name)} AS {identifier(name)}").pl()
    assert frame.columns == [name]
    assert frame.item() == name


def columns_of(name: str) -> dict[str, list[str]]:
    return {"Id": [A, "bad"], "CreatedDate": ["2024-01-01"] * 2, "StageName": ["New"] * 2, name: ["v", "w"]}


@pytest.mark.parametrize("kind", ["csv", "parquet", "relation"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_column_of_any_name_is_only_a_name(name: str, kind: str, tmp_path: Path, load: Load) -> None:
    frame = pl.DataFrame(columns_of(name))
    source: Path | duckdb.DuckDBPyConnection = tmp_path
    if kind == "csv":
        frame.write_csv(tmp_path / "Opportunity.csv")
    elif kind == "parquet":
        frame.write_parquet(tmp_path / "Opportunity.parquet")
    else:
        source = duckdb.connect(":memory:")
        source.register("frame", frame)
        source.execute('CREATE TABLE "Opportunity" AS SELECT * FROM frame')
        source.execute("CREATE TABLE x AS SELECT 1 AS n")
        source.unregister("frame")
    tables = load(source, max_quarantine=0.5)
    assert tables.inputs[0].ignored == (name,)
    assert tables.quarantine["id"].to_list() == ["bad"]
    value = tables.quarantine.select(pl.col("row").str.json_decode(pl.Struct({name: pl.String}))).item()
    assert value == {name: "w"}
    if isinstance(source, duckdb.DuckDBPyConnection):
        assert source.sql("SELECT n FROM x").pl().item() == 1


@pytest.mark.parametrize("name", [name for name in HOSTILE if "/" not in name])
def test_a_table_of_any_name_is_only_a_name(name: str, tmp_path: Path, load: Load) -> None:
    good = pl.DataFrame({"Id": [A], "CreatedDate": ["2024-01-01"], "StageName": ["New"]})
    good.write_csv(tmp_path / "Opportunity.csv")
    good.write_csv(tmp_path / f"x{name}.csv")
    tables = load(tmp_path)
    assert {file.origin for file in tables.inputs} == {"Opportunity.csv", f"x{name}.csv"}

    with duckdb.connect(":memory:") as source:
        source.execute(f"CREATE SCHEMA {identifier(f'x{name}')}")
        source.execute(f"CREATE TABLE {identifier(f'x{name}')}.opportunity AS SELECT '{A}' AS Id")
        source.execute(f"ALTER TABLE {identifier(f'x{name}')}.opportunity ADD COLUMN CreatedDate DATE")
        source.execute(f"ALTER TABLE {identifier(f'x{name}')}.opportunity ADD COLUMN StageName VARCHAR")
        assert load(source, max_quarantine=1).inputs[0].origin == f"x{name}.opportunity"


@pytest.mark.parametrize("kind", [CsvFile, ParquetFile])
def test_a_name_that_is_no_utf8_is_shown_escaped(
    kind: type[CsvFile] | type[ParquetFile], tmp_path: Path, spec: SourceSpec
) -> None:
    good = pl.DataFrame({"Id": [A], "CreatedDate": ["2024-01-01"], "StageName": ["New"]})
    good.write_csv(tmp_path / "Opportunity.csv")
    odd = Path(os.fsdecode(b"caf\xe9\xff.csv"))
    raw = [*sources.read(tmp_path), kind(path=tmp_path / odd, name=odd.stem)]
    loaded = tables.load(raw, spec, duckdb.connect(":memory:"))
    assert [file.origin for file in loaded.inputs] == ["Opportunity.csv", r"caf\xe9\xff.csv"]
    assert loaded.findings["table"].to_list() == [r"caf\xe9\xff.csv"]
    assert r"caf\\xe9\\xff.csv" in json.dumps(asdict(loaded.inputs[1]), ensure_ascii=False).encode().decode()


@pytest.mark.parametrize("kind", [CsvFile, ParquetFile])
def test_a_table_under_a_name_that_is_no_utf8_is_refused(
    kind: type[CsvFile] | type[ParquetFile], tmp_path: Path, spec: SourceSpec
) -> None:
    raw = [
        kind(path=tmp_path / os.fsdecode(b"Lead\xff.csv"), name=os.fsdecode(b"Lead\xff")),
        kind(path=tmp_path / os.fsdecode(b"\xff") / "Case.csv", name="Case"),
    ]
    with pytest.raises(SourceError) as caught:
        tables.load(raw, spec, duckdb.connect(":memory:"))
    assert str(caught.value).splitlines()[1:] == [
        r"  Lead\xff.csv cannot be read: the name Lead\xff.csv is not UTF-8; rename it",
        r"  Case.csv cannot be read: the name \xff is not UTF-8; rename it",
    ]


def test_a_folder_of_any_name_is_only_a_name(tmp_path: Path, load: Load) -> None:
    for at, name in enumerate(name for name in HOSTILE if "/" not in name):
        folder = tmp_path / f"{at}{name}"
        folder.mkdir()
        (folder / "Opportunity.csv").write_text(f"Id,CreatedDate,StageName\n{A},2024-01-01,{at}\n")
        tables = load(folder)
        assert tables.connection.sql('SELECT "StageName" FROM crm."Opportunity"').pl().item() == str(at)

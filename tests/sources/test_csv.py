import csv
import io
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmmining.sources.csv_files import CsvFile
from crmmining.tables import Tables

HEAD = "Id,CreatedDate,StageName,Name"
ROW = "006q000000HddohAAB,2024-01-01T00:00:00Z,New,Deal"
Write = Callable[..., Path]
Load = Callable[..., Tables]


def scanned(data: bytes, folder: Path) -> list[tuple[str | None, ...]]:
    path = folder / "Lead.csv"
    path.write_bytes(data)
    file = CsvFile(path=path, name="Lead")
    connection = duckdb.connect(":memory:")
    with file.scan(connection, range(len(file.columns()))) as relation:
        rows: list[tuple[str | None, ...]] = connection.sql(f"SELECT * FROM {relation}").pl().rows()  # noqa: S608
    return rows


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b"a,b\n1,2\n", [("1", "2")]),
        (b"a,b\n1,2", [("1", "2")]),
        (b"a,b\r\n1,2\r\n", [("1", "2")]),
        (b"a,b\r1,2\r3,4", [("1", "2"), ("3", "4")]),
        (b"\xef\xbb\xbfa,b\n1,2\n", [("1", "2")]),
        (b'a,b\n"",\n,""\n', [(None, None), (None, None)]),
        (b'a,b\n"x\ny","say ""hi"", twice"\n', [("x\ny", 'say "hi", twice')]),
        (b'a,b\r\n"x\r\ny",2\r\n', [("x\r\ny", "2")]),
        (b"a,b\n 1 ,00012\n", [(" 1 ", "00012")]),
        (b"a,b\n1,5003E0000012\n", [("1", "5003E0000012")]),
        (b"a,b\n#1,NULL\n", [("#1", "NULL")]),
        (b"a,b\n'1',\\N\n", [("'1'", "\\N")]),
        (b"a,b\n\n1,2\n\n", [("1", "2")]),
        (b"a,b\n1,2\x00\n", [("1", "2")]),
        (b'"a\nx",b\n1,2\n', [("1", "2")]),
        (b"a,b\n", []),
        (b"a,a\n1,2\n", [("1", "2")]),
        ("a,b\n\u00e9,\U0001f600\n".encode(), [("\u00e9", "\U0001f600")]),
    ],
)
def test_the_dialect(data: bytes, rows: list[tuple[str | None, ...]], tmp_path: Path) -> None:
    assert scanned(data, tmp_path) == rows


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@given(rows=st.lists(st.tuples(st.from_regex(r"[a-z]{1,3}", fullmatch=True), CELL, CELL), max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_back_as_it_was(tmp_path: Path, rows: list[tuple[str, str, str]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerows([("key", "b", "c"), *rows])
    expected = [tuple(cell or None for cell in row) for row in rows]
    assert scanned(text.getvalue().encode(), tmp_path) == expected


def test_a_value_of_many_megabytes_is_read(write: Write, load: Load) -> None:
    name = "x" * (15 * 1024 * 1024)
    tables = load(write(Opportunity=[HEAD, ROW.replace("Deal", f'"{name}"')]))
    assert tables.connection.sql('SELECT length("Name") FROM crm."Opportunity"').pl().item() == len(name)


def test_a_path_is_no_pattern(tmp_path: Path, load: Load) -> None:
    for folder, stage in (("d [ab]", "right"), ("d a", "wrong"), ("d [ab]*?{x}", "odd")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "Opportunity.csv").write_text(f"{HEAD}\n{ROW.replace('New', stage)}\n")
    for folder, stage in (("d [ab]", "right"), ("d [ab]*?{x}", "odd")):
        tables = load(tmp_path / folder)
        assert tables.connection.sql('SELECT "StageName" FROM crm."Opportunity"').pl().item() == stage


def test_only_csv_and_parquet_files_of_the_folder_itself_count(
    write: Write, load: Load, tmp_path: Path
) -> None:
    folder = write(Opportunity=[HEAD, ROW])
    (folder / "truth.json").write_text("{}")
    (folder / ".Lead.csv").write_bytes(b"\xff")
    (folder / "Account.csv").mkdir()
    (folder / "LEADS.CSV").write_text("a,b\n")
    tables = load(folder)
    assert [(file.name, file.origin) for file in tables.inputs] == [
        ("Opportunity", "Opportunity.csv"),
        (None, "LEADS.CSV"),
    ]
    assert load(str(folder)).clock == tables.clock
    assert tmp_path.name not in str(tables.inputs)


def test_nothing_is_read_but_what_is_declared(write: Write, load: Load) -> None:
    wide = write(Opportunity=[f"{HEAD},Secret,Id_c,_fivetran_synced", f"{ROW},x,y,z"])
    tables = load(wide)
    assert tables.columns == {"Opportunity": ("Id", "CreatedDate", "Name", "StageName")}
    (file,) = tables.inputs
    assert (file.rows, file.ignored) == (1, ("Secret", "Id_c"))
    assert "Amount" in file.missing
    assert "Name" not in file.missing
    assert tables.findings.rows() == [
        ("Opportunity", "2 undeclared column(s) ignored", None, ["Secret", "Id_c"]),
    ]
    assert tables.connection.sql('SELECT * FROM crm."Opportunity"').columns == [
        *("Id", "CreatedDate", "Name", "StageName")
    ]


def test_the_hash_is_that_of_the_bytes(write: Write, load: Load) -> None:
    (file,) = load(write(Opportunity=f"{HEAD}\n{ROW}\n")).inputs
    assert file.sha256 == "17b9408547ef50e7eb8891dfe2158dbebd6221fb258d0184efab7f7d4330ad0d"

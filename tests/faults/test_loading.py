"""Input that cannot be trusted as a whole: one clear message, and nothing is left behind."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pytest

from crmmining import sources
from crmmining.errors import SourceError
from crmmining.tables import Tables

Write = Callable[..., Path]
Load = Callable[..., Tables]
A, B = "006q000000HddohAAB", "0015500000Xyy06AAB"
HEAD = "Id,CreatedDate,StageName"
LATIN = "the file looks like ISO-8859-1 or Windows-1252"
DEAL = f"{A},2024-01-01T00:00:00Z,New"
GOOD = f"{HEAD}\n{DEAL}\n"


def refused(load: Load, source: sources.Source, **options: object) -> str:
    """The message, once it is sure that the private connection is as it was."""
    connection = duckdb.connect(":memory:")
    with pytest.raises(SourceError) as caught:
        load(source, connection=connection, **options)
    assert connection.sql("SELECT * FROM duckdb_schemas() WHERE NOT internal").pl().is_empty()
    assert connection.sql("SELECT * FROM duckdb_tables()").pl().is_empty()
    assert connection.sql("SELECT * FROM duckdb_views() WHERE NOT internal").pl().is_empty()
    message = str(caught.value)
    assert "Invalid Input Error" not in message
    assert str(Path(__file__).anchor) + "tmp" not in message
    return message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            GOOD + f"{B},2024",
            "Opportunity.csv, line 3: 2 values where the header has 3 columns. The file may have",
        ),
        (GOOD + f"{B},2024,New,x\n", "Opportunity.csv, line 3: 4 values where the header has 3 columns."),
        (GOOD + f'{B},2024,"Ne', "Opportunity.csv, line 3: a quoted value does not end where it should."),
        (GOOD + f'{B},2024,"N"ew\n', "Opportunity.csv, line 3: a quoted value does not end where it should."),
        (GOOD + f'{B},2024-01-01,N"ew\n', "Opportunity.csv: it holds an odd number of quotes."),
        (GOOD + f'{B},2024-01-01,N"ew\n{A[:15]},2024-01-01,5"\n', "3 rows were read where its line ends and"),
        (GOOD.replace("\n", "\r\n") + f"{DEAL}\n", "line 3: the line ends differently from the first one."),
        (GOOD + f"{DEAL}\r\n", "Opportunity.csv, line 3: the line ends differently from the first one."),
        ("", "Opportunity.csv is empty: it has not even a header line"),
        ("\n", "Opportunity.csv is empty: it has not even a header line"),
        (f'"{HEAD}\n{DEAL}\n', "Opportunity.csv, line 1: the header cannot be read"),
        (
            GOOD.replace(",", ";"),
            "the header is separated by ';' instead of commas ('Id;CreatedDate;StageName')",
        ),
        (GOOD.replace(",", "\t"), "the header is separated by '\\t' instead of commas"),
    ],
)
def test_a_damaged_file(content: str, message: str, write: Write, load: Load) -> None:
    assert message in refused(load, write(Opportunity=content))


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        (
            "latin-1",
            "Opportunity.csv, line 2: byte 0xFC is not UTF-8 (the file looks like ISO-8859-1 or Windows-",
        ),
        ("cp932", "Opportunity.csv, line 2: byte 0x83 is not UTF-8"),
        ("utf-16", "Opportunity.csv is not UTF-8 (its first bytes say UTF-16): export it again as UTF-8"),
        ("utf-16-be", "Opportunity.csv is not UTF-8"),
    ],
)
def test_another_encoding_is_named(encoding: str, message: str, write: Write, load: Load) -> None:
    stage = {"latin-1": "f\u00fcr", "cp932": "\u30c6\u30b9\u30c8"}.get(encoding, "New")
    content = GOOD.replace("New", stage).encode(encoding)
    assert message in refused(load, write(Opportunity=content))


def test_ascii_in_utf16_without_a_mark_is_no_utf8(write: Write, load: Load) -> None:
    message = refused(load, write(Opportunity=GOOD.encode("utf-16-le")))
    assert "Opportunity.csv is not UTF-8 (it looks like UTF-16): export it again as UTF-8" in message


def test_a_file_that_ends_inside_a_character(write: Write, load: Load) -> None:
    content = GOOD.replace("New", "f\u00fc").encode()[:-2]
    message = refused(load, write(Opportunity=content))
    assert "Opportunity.csv, line 2: the file ends inside a character; export it again" in message


def test_a_byte_order_mark_is_fine(write: Write, load: Load) -> None:
    assert load(write(Opportunity=GOOD.encode("utf-8-sig"))).has("Opportunity.Id")


@pytest.mark.parametrize("megabytes", [17, 40])
@pytest.mark.parametrize("end", ["\n", ""])
def test_a_row_longer_than_the_cap_is_never_dropped(
    megabytes: int, end: str, write: Write, load: Load
) -> None:
    long = "x" * (megabytes * 1024 * 1024)
    message = refused(load, write(Opportunity=f'{GOOD}{B},2024-01-01,"{long}"{end}'))
    assert "Opportunity.csv, line 3: a row is longer than 16 MiB, the most that is read" in message


def test_all_unreadable_files_are_named_together(write: Write, load: Load) -> None:
    bad = GOOD.replace("New", "\u00fc").encode("latin-1")
    folder = write(Opportunity=bad, Lead=b"", User=b"\xff\xfe")
    told = "export it again as UTF-8"
    assert refused(load, folder).splitlines() == [
        "the input cannot be used:",
        "  Lead.csv is empty: it has not even a header line",
        f"  Opportunity.csv, line 2: byte 0xFC is not UTF-8 ({LATIN}): {told}",
        "  User.csv is not UTF-8 (its first bytes say UTF-16): export it again as UTF-8",
    ]
    folder = write("other", Opportunity=GOOD, Lead=b"Id,CreatedDate,Status\n\xff", User=b"Id\n\xfe")
    message = refused(load, folder)
    assert "Lead.csv, line 2: byte 0xFF" in message
    assert "User.csv, line 2: byte 0xFE" in message


def test_places_that_hold_nothing(tmp_path: Path, load: Load) -> None:
    offered = "Give a folder of .csv or .parquet files, one DuckDB file, or an open DuckDB connection."
    with pytest.raises(SourceError, match="there is no ") as caught:
        load(tmp_path / "nowhere")
    assert offered in str(caught.value)
    (tmp_path / "empty").mkdir()
    assert refused(load, tmp_path / "empty") == f"empty holds no .csv or .parquet file. {offered}"
    (tmp_path / "empty" / "notes.txt").write_text("x")
    assert refused(load, tmp_path / "empty") == f"empty holds no .csv or .parquet file. {offered}"
    assert refused(load, duckdb.connect(":memory:")) == f"the connection holds no table. {offered}"


@pytest.mark.parametrize("source", ["", " "])
def test_nothing_is_not_the_working_directory(
    source: str, load: Load, monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    monkeypatch.chdir(write(Opportunity=GOOD))
    assert load(".").has("Opportunity")
    assert refused(load, source).startswith(f"source {source!r} names no place. Give a folder of ")


@pytest.mark.parametrize(
    ("source", "kind"), [(None, "NoneType"), (7, "int"), (b"crm", "bytes"), (["crm"], "list")]
)
def test_what_is_no_source(source: object, kind: str, load: Load) -> None:
    offered = "Give a folder of .csv or .parquet files, one DuckDB file, or an open DuckDB connection."
    assert refused(load, source) == f"the source is of type {kind}. {offered}"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "reason"),
    [("x" * 5000, "File name too long"), ("~nobody-at-all/crm", "Could not determine home directory")],
)
def test_a_path_that_the_system_refuses(source: str, reason: str, load: Load) -> None:
    assert refused(load, source).startswith(f"{source!r} cannot be read: {reason}")


def test_a_pattern_that_fits_nothing_is_named(write: Write, load: Load) -> None:
    folder = write(Opportunity=GOOD)
    message = refused(load, folder, table_names="sf_{}")
    assert "holds no .csv or .parquet file whose name fits table_names='sf_{}'" in message
    for pattern in ("sf_", "{}_{}", ""):
        message = refused(load, folder, table_names=pattern)
        assert f"table_names is {pattern!r}, but must hold {{}} once" in message


def test_one_file_is_not_its_folder(write: Write, load: Load) -> None:
    message = refused(load, write(Opportunity=GOOD) / "Opportunity.csv")
    assert (
        message
        == "Opportunity.csv is one file. Give the folder that holds it; its name says which table it is."
    )


@pytest.mark.parametrize("content", [b"", b"not a database at all", b"DUCK" * 4000])
def test_what_is_no_database(content: bytes, tmp_path: Path, load: Load) -> None:
    (tmp_path / "crm.duckdb").write_bytes(content)
    message = refused(load, tmp_path / "crm.duckdb")
    assert message.startswith("crm.duckdb ")


def test_a_damaged_parquet_file(tmp_path: Path, load: Load) -> None:
    frame = pl.DataFrame(
        {"Id": [A] * 5000, "CreatedDate": ["2024-01-01"] * 5000, "StageName": ["New"] * 5000}
    )
    path = tmp_path / "Opportunity.parquet"
    frame.write_parquet(path)
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], whole[:4] + bytes(200) + whole[204:]):
        path.write_bytes(damaged)
        assert "Opportunity.parquet cannot be read as Parquet" in refused(load, tmp_path)


def test_too_many_spoilt_rows_of_a_root(write: Write, load: Load) -> None:
    deals = [f"006q00000000{at:03},2024-01-01,New" for at in range(98)]
    spoilt = [f"{A},01/02/2024,New", f"{B},,New"]
    leads = ["Id,CreatedDate,Status", ",2024-01-01,Open"]
    untrusted = "cannot be trusted, more than max_quarantine=0.01 allows"
    folder = write(
        Opportunity=[HEAD, *deals, *spoilt], Lead=leads, LeadHistory=["Id,LeadId,CreatedDate,Field", ",,,"]
    )
    assert refused(load, folder).splitlines() == [
        "too many rows would be set aside:",
        f"  Lead (Lead.csv): 1 of 1 rows {untrusted}",
        "    1 x Id is empty: row 1",
        f"  Opportunity (Opportunity.csv): 2 of 100 rows {untrusted}",
        f"    1 x CreatedDate is empty: {B}",
        f"    1 x CreatedDate is not a datetime: {A} (01/02/2024)",
        "Repair the export, or allow more with max_quarantine (0 to 1).",
        "Only ISO dates are read unasked: state others, as datetime_format='%m/%d/%Y %I:%M %p'.",
        "Years go from 1900 to 2199.",
    ]
    assert load(folder, max_quarantine=1.0).quarantine.height == 4
    only_deals = write("deals", Opportunity=[HEAD, *deals, *spoilt])
    assert load(only_deals, max_quarantine=0.02).quarantine.height == 2
    assert load(only_deals, datetime_format="%d/%m/%Y").quarantine.height == 1


@pytest.mark.parametrize("share", [-0.01, 1.01, float("nan"), float("inf"), 5])
def test_a_share_is_one(share: float, write: Write, load: Load) -> None:
    message = refused(load, write(Opportunity=GOOD), max_quarantine=share)
    assert message == f"max_quarantine is {share}, but must be a share from 0 to 1, such as 0.01"


def test_numbers_beyond_all_bounds_are_explained(write: Write, load: Load) -> None:
    message = refused(load, write(Opportunity=[f"{HEAD},Amount", f"{DEAL},1e300"]))
    assert message.splitlines()[2:] == [
        f"    1 x Amount is not a number: {A} (1e300)",
        "Repair the export, or allow more with max_quarantine (0 to 1).",
        "Numbers are plain decimals of less than 1e15 in size.",
    ]


def test_the_share_counts_roots_only(write: Write, load: Load) -> None:
    history = ["Id,OpportunityId,CreatedDate,Field", "x,y,z,a", f"{A},{B},2024-01-01,b"]
    assert load(write(Opportunity=GOOD, OpportunityFieldHistory=history)).quarantine.height == 2


def test_a_format_that_is_none(write: Write, load: Load) -> None:
    assert "datetime_format '%Q' is no strptime format" in refused(
        load, write(Opportunity=GOOD), datetime_format="%Q"
    )


def test_a_later_table_that_fails_takes_the_earlier_with_it(write: Write, load: Load) -> None:
    message = refused(load, write(Opportunity=GOOD, User=["Id,Name", f"{A},Ada", f"{B}"]))
    assert message.startswith("User.csv, line 3: 1 values where the header has 2 columns.")


def test_causes_are_kept_for_whoever_debugs(write: Write, load: Load) -> None:
    with pytest.raises(SourceError) as caught:
        load(write(Opportunity=GOOD + "x\n"))
    assert isinstance(caught.value.__cause__, duckdb.Error)

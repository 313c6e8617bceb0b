"""Clocks of tables, the moment of extraction, and moments after all that is known."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import crmmining as cm
from crmmining.cli import main
from crmmining.errors import CrmMiningError, SourceError

Write = Callable[..., Path]

ROWS = {
    "Account": [
        "Id,CreatedDate,SystemModstamp",
        "001000000000001,2024-01-01,2024-01-20T12:00:00Z",
        "001000000000002,2024-01-02,2024-01-02",
    ],
    # every day until the 16th, then nothing
    "Contact": [
        "Id,AccountId,CreatedDate",
        *(f"0030000000000{day:02},001000000000001,2024-01-{day:02}T12:00:00Z" for day in range(1, 17)),
    ],
    # a pause of 14 days has been seen before
    "Campaign": ["Id,CreatedDate", "701000000000001,2024-01-01", "701000000000002,2024-01-15"],
    "Group": ["Id,CreatedDate", "00G000000000001,2020-01-01"],
    "CurrencyType": ["IsoCode,ConversionRate", "USD,1"],
}
LAGGING = (
    "the newest row is of 2024-01-16 12:00 UTC, 4.0 days before the newest of all tables, a longer pause "
    "than ever"
)
AHEAD = (
    "as_of is 5.5 days after the newest row (2024-01-20 12:00 UTC): nothing is known between, and what is "
    "open has only grown older"
)


def findings(crm: cm.Crm, table: str) -> list[tuple[str, int | None, list[str]]]:
    found = crm.tables.findings.filter(table=table)
    return list(found.select("finding", "rows", "examples").iter_rows())


def overlay(folder: Path, org: str) -> Path:
    (folder / "salesforce").mkdir(parents=True)
    (folder / "salesforce" / "source.toml").write_text(f"[org]\n{org}\n")
    return folder


def test_every_table_with_timestamps_has_a_clock(write: Write) -> None:
    crm = cm.connect(write(**ROWS))
    assert crm.clocks.rows() == [
        ("Account", datetime(2024, 1, 20, 12, tzinfo=UTC), timedelta(0)),
        ("Contact", datetime(2024, 1, 16, 12, tzinfo=UTC), timedelta(days=4)),
        ("Campaign", datetime(2024, 1, 15, tzinfo=UTC), timedelta(days=5, hours=12)),
        ("Group", datetime(2020, 1, 1, tzinfo=UTC), timedelta(days=1480, hours=12)),
    ]
    assert crm.clock == datetime(2024, 1, 20, 12, tzinfo=UTC)


def test_a_table_without_rows_has_no_clock(write: Write) -> None:
    crm = cm.connect(write(Account=ROWS["Account"], Contact=["Id,CreatedDate"]))
    assert crm.clocks.row(1) == ("Contact", None, None)


def test_a_table_that_lags_longer_than_it_ever_paused_is_a_finding(write: Write) -> None:
    crm = cm.connect(write(**ROWS))
    assert findings(crm, "Contact") == [
        (
            LAGGING,
            None,
            [],
        )
    ]
    assert findings(crm, "Campaign") == []
    assert findings(crm, "Group") == []


@pytest.mark.parametrize(("tolerance", "lags"), [("3.9", 1), ("4", 0), ("30", 0)])
def test_the_tolerance_is_stated(write: Write, tmp_path: Path, tolerance: str, lags: int) -> None:
    own = overlay(tmp_path / "own", f"clock_tolerance = {tolerance}")
    assert len(findings(cm.connect(write(**ROWS), extractors=[own]), "Contact")) == lags


def test_no_clock_is_later_than_the_extraction(write: Write) -> None:
    crm = cm.connect(write(**ROWS), extracted_at="2024-01-10T00:00:00Z")
    assert crm.clock == datetime(2024, 1, 9, 12, tzinfo=UTC)
    assert crm.clocks["clock"].to_list()[:3] == [
        datetime(2024, 1, 2, tzinfo=UTC),
        datetime(2024, 1, 9, 12, tzinfo=UTC),
        datetime(2024, 1, 1, tzinfo=UTC),
    ]
    future = "stamped after extracted_at (2024-01-10 00:00 UTC): not known at any as_of, or changed since"
    assert (future, 1, ["001000000000001AAA"]) in findings(crm, "Account")
    assert (
        future,
        7,
        ["003000000000010AAA", "003000000000011AAA", "003000000000012AAA"],
    ) in findings(crm, "Contact")
    assert findings(crm, "Group") == []


def test_as_of_beyond_the_extraction_is_refused(write: Write) -> None:
    crm = cm.connect(write(**ROWS), extracted_at="2024-01-25")
    assert crm.event_log("account", as_of="2024-01-25").as_of == datetime(2024, 1, 25, tzinfo=UTC)
    for ask in (crm.event_log, crm.scorecard, crm.quality):
        with pytest.raises(
            SourceError, match="as_of is 2024-01-25T00:00:01Z, but the data was taken at 2024-01-25"
        ):
            ask("account", as_of="2024-01-25T00:00:01+00:00")


def test_the_extraction_may_be_stated_in_the_definitions_and_overruled(write: Write, tmp_path: Path) -> None:
    folder = write(**ROWS)
    own = overlay(tmp_path / "own", 'extracted_at = 2024-01-22\ntime_zone = "Asia/Tokyo"')
    assert cm.connect(folder, extractors=[own]).tables.extracted_at == datetime(2024, 1, 21, 15, tzinfo=UTC)
    stated = cm.connect(folder, extractors=[own], extracted_at=date(2024, 2, 1))
    assert stated.tables.extracted_at == datetime(2024, 1, 31, 15, tzinfo=UTC)
    zoned = overlay(tmp_path / "zoned", "extracted_at = 2024-01-22T00:00:00+02:00")
    assert cm.connect(folder, extractors=[zoned]).tables.extracted_at == datetime(2024, 1, 21, 22, tzinfo=UTC)
    assert cm.connect(folder).tables.extracted_at is None


def test_an_extraction_before_everything_is_refused(write: Write) -> None:
    with pytest.raises(
        SourceError, match=r"extracted_at is 2019-01-01 .* every row of the source is stamped later"
    ):
        cm.connect(write(**ROWS), extracted_at="2019-01-01")


def test_an_extraction_that_is_no_moment_is_refused(write: Write) -> None:
    with pytest.raises(CrmMiningError, match="'yesterday' is no moment"):
        cm.connect(write(**ROWS), extracted_at="yesterday")


def test_an_as_of_after_the_clock_is_said_to_be_one(write: Write) -> None:
    crm = cm.connect(write(**ROWS))
    said = pl.col("reason").str.starts_with("as_of is")
    assert crm.quality("account", as_of="2024-01-26").filter(said).select(
        "scope", "table", "disposition", "reason"
    ).rows() == [
        (
            "log",
            "account",
            "finding",
            AHEAD,
        )
    ]
    assert crm.quality("account").filter(said).is_empty()
    assert crm.quality("account", as_of="2024-01-10").filter(said).is_empty()


def test_the_command_line_takes_the_moment_of_extraction(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = write(**ROWS), tmp_path / "out"
    given = [
        "run",
        str(folder),
        "--out",
        str(out),
        "--extracted-at",
        "2024-01-25",
        "--no-report",
        "--process",
        "account",
    ]
    with pytest.raises(SystemExit) as left:
        main(given)
    assert left.value.code in (0, None)
    assert '"extracted_at": "2024-01-25 00:00:00+00:00"' in (out / "run.json").read_text()
    with pytest.raises(SystemExit) as refused:
        main([*given, "--as-of", "2024-02-01"])
    assert refused.value.code == 2
    assert "the data was taken at 2024-01-25T00:00:00Z" in capsys.readouterr().err

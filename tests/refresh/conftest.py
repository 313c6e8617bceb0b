"""Tables written by hand, batches of changed rows, and a rebuild of what they make together."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import crmmining as cm

Row = Mapping[str, str | None]
Tables = Mapping[str, Sequence[Row]]
Write = Callable[..., Path]


def merged(before: Tables, batch: Tables, deleted: Mapping[str, Sequence[str]] | None = None) -> Tables:
    """Raw tables after a batch: the rows of every Id that it names, or deletes, are replaced by its own."""
    together: dict[str, list[Row]] = {}
    for name in {**before, **batch}:
        gone = {(row.get("Id") or "")[:15] for row in batch.get(name, ())} - {""}
        gone |= {key[:15] for key in (deleted or {}).get(name, ())}
        stay = [row for row in before.get(name, ()) if (row.get("Id") or "")[:15] not in gone]
        together[name] = [*stay, *batch.get(name, ())]
    return together


@pytest.fixture
def write_tables(tmp_path: Path) -> Write:
    """Write tables as CSV files into a folder and return it."""

    def written(folder: str, tables: Tables) -> Path:
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        for name, rows in tables.items():
            with (place / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
                columns = list(dict.fromkeys(column for row in rows for column in row))
                writer = csv.DictWriter(file, columns, lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
        return place

    return written


def rows(columns: str, *lines: str) -> list[Row]:
    """Rows from texts of cells with commas between; an empty cell is nothing."""
    return [
        dict(zip(columns.split(), (cell.strip() for cell in line.split(",")), strict=True)) for line in lines
    ]


def content(crm: cm.Crm) -> dict[str, pl.DataFrame]:
    """Every table as it was loaded, rows in order, and the quarantine without places and texts of rows."""
    con, home = crm.tables.connection, crm.tables.home
    found = {
        name: con.sql(f'SELECT * FROM {home}.crm."{name}" ORDER BY ALL').pl()  # noqa: S608  own names
        for name in crm.tables.columns
    }
    aside = crm.tables.quarantine.select("table", "id", "reason").sort(pl.all())
    return {**found, "quarantine": aside}


def same_tables(one: cm.Crm, other: cm.Crm) -> None:
    """Both hold the same rows, set the same aside and know the same clocks."""
    found, wanted = content(one), content(other)
    assert list(found) == list(wanted)
    for name, frame in wanted.items():
        assert_frame_equal(found[name], frame)
    assert_frame_equal(one.clocks, other.clocks)
    moved = pl.col("disposition") != "filtered"
    both = [crm.tables.quality.filter(moved).sort("table", "disposition", "reason") for crm in (one, other)]
    assert_frame_equal(*both)


def same_logs(one: cm.Crm, other: cm.Crm, *processes: str) -> None:
    """The logs as of the clock are equal: events, cases, values over time and the account of rows."""
    for name in processes or other.processes:
        found, wanted = one.event_log(name), other.event_log(name)
        assert found.as_of == wanted.as_of
        text = pl.col("activity").cast(pl.String)
        assert_frame_equal(found.events.with_columns(text), wanted.events.with_columns(text))
        assert_frame_equal(found.cases, wanted.cases)
        values = [
            log.partitions[0].values.with_columns(pl.col("attribute").cast(pl.String))
            for log in (found, wanted)
        ]
        assert_frame_equal(*values)
        assert (found.tracked, found.off) == (wanted.tracked, wanted.off)
        assert_frame_equal(found.quality, wanted.quality)


def same_figures(one: cm.Crm, other: cm.Crm) -> None:
    """Scorecard and account are equal, but for what is said of the tables."""
    assert_frame_equal(one.scorecard(), other.scorecard())
    beyond = pl.col("scope") != "table"
    assert_frame_equal(one.quality().filter(beyond), other.quality().filter(beyond))


def adds_up(crm: cm.Crm, supplied: Mapping[str, int]) -> None:
    """Every row that ever came in is used, in quarantine or filtered."""
    counts = crm.tables.quality.group_by("table").agg(pl.col("rows").sum())
    assert dict(counts.rows()) == dict(supplied)


def rebuilt(account: pl.DataFrame) -> dict[str, tuple[int, str]]:
    """Per process how many cases were told again, and how."""
    lines = account.filter(pl.col("scope") == "process").select("name", "cases", "rebuilt")
    return {name: (cases, how) for name, cases, how in lines.rows()}

"""A log told bucket by bucket is the log told at once: events, cases, values and the account of every row."""

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TypeVar

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import crmmining as cm
from crmmining import tables
from crmmining.eventlog import Engine, EventLog
from crmmining.extract import adding, buckets, building, rows
from crmmining.simulator import QUIRKS

from .conftest import SMALL, Desk, Rows, minute
from .test_building import desks

A = TypeVar("A")
B = TypeVar("B")


class Pickled:
    """An engine that sends everything away and back, the last item first."""

    elsewhere = True

    def map(self, ask: Callable[[A], B], items: Sequence[A]) -> Iterator[B]:
        asked = [pickle.dumps((ask, item)) for item in reversed(items)]
        answers: list[bytes] = []
        for one in asked:
            function, item = pickle.loads(one)  # noqa: S301 - our own
            answers.append(pickle.dumps(function(item)))
        return (pickle.loads(one) for one in reversed(answers))  # noqa: S301 - our own


class Threads:
    """An engine that works on several items at once in one process."""

    elsewhere = True

    def map(self, ask: Callable[[A], B], items: Sequence[A]) -> Iterator[B]:
        with ThreadPoolExecutor(3) as pool:
            yield from pool.map(ask, items)


def keep(crm: cm.Crm, file: Path) -> None:
    """Copy the tables of a CRM of which no log was built yet into a file."""
    con = crm.tables.connection
    tables.keep(crm.tables)
    con.execute(f"ATTACH '{file}' AS copy")
    con.execute("COPY FROM DATABASE memory TO copy")
    con.execute("DETACH copy")


def same(  # noqa: PLR0917  what to hold against what
    crm: cm.Crm, file: Path, process: str, as_of: datetime, size: int, engine: Engine | None = None
) -> int:
    """Hold a log told by buckets of about `size` rows against the log told at once; how many there were."""
    catalogue = crm.definitions
    definition = catalogue.process(process)
    whole, fates = building.told_log(crm.tables, definition, as_of, catalogue.stages)
    with TemporaryDirectory(prefix="it's [old] ") as folder, duckdb.connect() as reading:
        tables.attach(reading, file)
        kept = tables.reopen(reading, tables.KEPT, catalogue.source)
        order = buckets.Order(
            file, catalogue.source, definition, as_of, catalogue.stages, Path(folder), "500MB"
        )
        asked = buckets.buckets(kept, definition, as_of, size)
        told = adding.tell(kept, order, asked, engine or Pickled())
        log = EventLog(definition, as_of, told.activities, tuple(told.partitions), told.quality)
        same_fates(told.fates, fates)
    assert log.activities == whole.activities
    assert log.tracked == told.tracked == whole.tracked
    for name in ("events", "cases", "quality"):
        assert_frame_equal(getattr(log, name), getattr(whole, name))
    assert_frame_equal(values(log), values(whole))
    return len(asked)


def same_fates(one: rows.Fates, other: rows.Fates) -> None:
    assert one.traced == other.traced
    assert_frame_equal(one.reasons, other.reasons)
    assert_frame_equal(one.counts.sort("name"), other.counts.sort("name"))
    text = pl.col("reason").cast(pl.String)
    both = [fates.silent.rows().with_columns(text) for fates in (one, other)]
    assert_frame_equal(*both, check_row_order=False)
    assert_frame_equal(one.lost, other.lost, check_row_order=False)


def values(log: EventLog) -> pl.DataFrame:
    return pl.concat(
        [
            p.values.with_columns(case_ix=p.cases["case_id"].gather(p.values["case_ix"]))
            for p in log.partitions
        ]
    )


@cache
def sample_in_a_file() -> tuple[cm.Crm, Path]:
    return in_a_file(cm.connect("data/sample"))


@cache
def dirty_in_a_file() -> tuple[cm.Crm, Path]:
    folder = Path(mkdtemp()) / "crm"
    return in_a_file(
        cm.connect(cm.simulate(folder, accounts=60, seed=3, quirks=list(QUIRKS), format="parquet"))
    )


def in_a_file(crm: cm.Crm) -> tuple[cm.Crm, Path]:
    file = Path(mkdtemp()) / "tables.duckdb"
    keep(crm, file)
    return crm, file


@pytest.mark.parametrize(
    ("process", "size", "count"),
    [("account", 6000, 4), ("case", 3500, 4), ("lead", 4000, 5), ("opportunity", 4000, 5)],
)
def test_buckets_of_the_sample_make_its_logs(process: str, size: int, count: int) -> None:
    crm, file = sample_in_a_file()
    assert same(crm, file, process, crm.clock, size) == count


@pytest.mark.parametrize(
    ("process", "size"), [("account", 1500), ("case", 1000), ("lead", 1500), ("opportunity", 1500)]
)
def test_buckets_of_a_crm_with_all_quirks_make_its_logs(process: str, size: int) -> None:
    crm, file = dirty_in_a_file()
    assert same(crm, file, process, crm.clock, size) > 3


def test_as_of_an_earlier_moment_all_cases_are_one_bucket() -> None:
    crm, file = dirty_in_a_file()
    assert same(crm, file, "opportunity", crm.moment("2024-08-01"), 500) == 1


def test_what_fits_into_one_bucket_is_one() -> None:
    crm, file = sample_in_a_file()
    assert same(crm, file, "lead", crm.clock, 1_000_000) == 1


def same_desk(desk: Desk, as_of: int, engine: Engine | None = None) -> int:
    """Hold the tickets of a desk, each a bucket of its own, against all at once."""
    with TemporaryDirectory() as folder:
        keep(desk.crm, Path(folder) / "tables.duckdb")
        return same(desk.crm, Path(folder) / "tables.duckdb", "ticket", minute(as_of), 1, engine)


def test_tickets_one_by_one_are_all_tickets() -> None:
    assert same_desk(Desk(SMALL), 2000) == len(SMALL["Ticket"]) + 1  # and what leads to none


def test_tickets_several_at_once_are_all_tickets() -> None:
    assert same_desk(Desk(SMALL), 2000, Threads()) == len(SMALL["Ticket"]) + 1


def test_of_no_tickets_there_is_a_log_too() -> None:
    assert same_desk(Desk({"Note": SMALL["Note"], "Change": SMALL["Change"]}), 1000) == 1


@settings(max_examples=5)
@given(tables=desks(), as_of=st.sampled_from([25, 100]))
def test_law_tickets_one_by_one_are_all_tickets(tables: Mapping[str, Rows], as_of: int) -> None:
    desk = Desk(tables)
    same_desk(desk, max(as_of, round((desk.crm.clock - minute(0)).total_seconds() / 60)))

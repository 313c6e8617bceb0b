"""Partitions: however a log is cut, filtered and stored, every question is answered alike, part by part."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import crmmining as cm
from crmmining import analyses, measure
from crmmining.definitions import read_catalogue, shipped
from crmmining.definitions.kpi import KPI
from crmmining.eventlog import Here, Partition
from crmmining.eventlog.partition import Kept, split
from crmmining.imperfections import imperfections

A = TypeVar("A")
B = TypeVar("B")
CATALOGUE = read_catalogue()
CUT = measure.Cut(CATALOGUE.source.org, by=("region", "owner"), period="quarter")
ANSWERS: dict[str, Callable[[cm.EventLog], pl.DataFrame]] = {
    "variants": lambda log: log.variants(),
    "top variants": lambda log: log.variants(most=5),
    "transitions": lambda log: log.transitions(),
    "edges": lambda log: log.transitions(times=False),
    "rework": lambda log: log.rework(),
    "endpoints": lambda log: log.endpoints(),
    "throughput": lambda log: log.throughput("created", log.process.ends[0], by=["region"]),
    "conversion": lambda log: log.conversion("created", log.process.ends[0], by=["region", "owner@now"]),
    "scorecard": lambda log: measure.scorecard(
        {log.process.name: log}, CATALOGUE, CATALOGUE.kpis_of(log.process.name), CUT
    ),
    "waits": lambda log: analyses.waits(log) if log.process.waiting else pl.DataFrame(),
    "waiting": lambda log: (
        analyses.waiting(log, by=["region"], per="owner") if log.process.waiting else pl.DataFrame()
    ),
    "imperfections": imperfections,
    "backlog": lambda log: analyses.backlog(log, period="month", by=["region"]),
    "ageing": lambda log: analyses.ageing(log, by=["region"]),
    "stage visits": analyses.stage_visits,
    "visits": lambda log: analyses.visits(log, by=["region", "owner@now"]),
    "documentation": lambda log: (
        analyses.documentation(log, by=["region"]) if log.process.signs else pl.DataFrame()
    ),
    "classes": lambda log: analyses.classes(log, by=["region"]) if log.process.classes else pl.DataFrame(),
    "alerts": lambda log: analyses.alerts(log) if log.process.classes else pl.DataFrame(),
    "gaps": lambda log: analyses.gaps(log, "touched", by=["region"]),
    "facts": lambda log: log.facts,
    "cases": lambda log: log.cases,
    "events": lambda log: log.events,
}


class Cluster:
    """An engine as far away as one can be without a network: what goes there and comes back is pickled."""

    elsewhere = True

    def __init__(self) -> None:
        self.asked = 0

    def map(self, ask: Callable[[A], B], items: Sequence[A]) -> Iterator[B]:
        for item in items:
            self.asked += 1
            there = pickle.loads(pickle.dumps(item))  # noqa: S301  our own
            yield pickle.loads(pickle.dumps(ask(there)))  # noqa: S301


@pytest.fixture(scope="module")
def crm() -> cm.Crm:
    return cm.connect(shipped("data/sample"))


def same(one: pl.DataFrame, other: pl.DataFrame, what: str) -> None:
    try:
        assert_frame_equal(one, other, check_exact=True)
    except AssertionError as error:
        error.add_note(what)
        raise


def logs_of(log: cm.EventLog, folder: Path) -> dict[str, cm.EventLog]:
    log.save(folder / "many", events=700)
    log.save(folder / "one")
    many = cm.open_log(folder / "many")
    (whole,) = log.partitions
    return {
        "cut in memory": replace(log, partitions=tuple(split(whole, 300))),
        "stored in many files": many,
        "stored in one": cm.open_log(folder / "one"),
        "asked elsewhere": replace(many, engine=Cluster()),
    }


@pytest.mark.parametrize("process", ["opportunity", "lead"])
def test_every_question_is_answered_alike(crm: cm.Crm, tmp_path: Path, process: str) -> None:
    log = crm.event_log(process)
    expected = {name: ask(log) for name, ask in ANSWERS.items()}
    for kind, other in logs_of(log, tmp_path).items():
        assert len(other.partitions) > 3 or kind == "stored in one"
        for name, ask in ANSWERS.items():
            same(ask(other), expected[name], f"{name}, {kind}")


@pytest.mark.parametrize("process", ["opportunity", "case"])
def test_filters_pick_from_files_what_they_pick_in_memory(crm: cm.Crm, tmp_path: Path, process: str) -> None:
    def filtered(log: cm.EventLog) -> cm.EventLog:
        few = log.filter(having=[log.process.ends[0]], variants=7).filter(where="region = 'EMEA'")
        return few.filter(lacking=["reopened"], starting=["created"])

    log = filtered(crm.event_log(process))
    assert 5 < log.cases.height < crm.event_log(process).cases.height / 2
    for kind, other in logs_of(crm.event_log(process), tmp_path).items():
        few = filtered(other)
        assert repr(few) == repr(log), kind
        assert_frame_equal(few.quality, log.quality)
        for name, ask in ANSWERS.items():
            same(ask(few), ask(log), f"{name}, {kind}")


CUTS = st.lists(st.integers(0, 200), max_size=6, unique=True)


@settings(max_examples=7)
@given(CUTS)
def test_no_cut_changes_a_bit(accounts: Callable[[], cm.EventLog], cuts: list[int]) -> None:
    log = accounts()
    whole = log.only
    marks = [0, *sorted(cuts), whole.cases.height]
    parts = []
    for low, high in pairwise(marks):
        keep = pl.int_range(whole.cases.height, eager=True).is_between(low, high, closed="left")
        parts.append(Kept(whole, keep))
    other = replace(log, partitions=tuple(parts))
    for name in ("variants", "transitions", "rework", "scorecard", "imperfections", "events"):
        same(ANSWERS[name](other), ANSWERS[name](log), name)


@pytest.fixture(scope="module")
def accounts(crm: cm.Crm) -> Callable[[], cm.EventLog]:
    return lambda: crm.event_log("account")


def test_a_stored_partition_reads_only_what_is_asked(
    crm: cm.Crm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crm.event_log("lead").save(tmp_path)
    read: list[tuple[str, Any]] = []
    original = pl.read_parquet

    def noted(path: Path, *, columns: list[str] | None, n_rows: int | None, glob: bool) -> pl.DataFrame:
        read.append((path.name, columns))
        return original(path, columns=columns, n_rows=n_rows, glob=glob)

    log = cm.open_log(tmp_path)
    monkeypatch.setattr(pl, "read_parquet", noted)
    log.variants()
    assert read == [("events-00000.parquet", ["activity", "case_ix"])]
    read.clear()
    log.transitions()
    assert read == [("events-00000.parquet", ["activity", "case_ix", "occurred_at", "change_set"])]
    read.clear()
    part = log.partitions[0]
    part.columns("activity")
    part.columns("activity", "case_ix")
    assert read == [("events-00000.parquet", ["activity"]), ("events-00000.parquet", ["case_ix"])]


def test_a_stored_partition_travels_as_the_place_of_its_files(crm: cm.Crm, tmp_path: Path) -> None:
    crm.event_log("lead").save(tmp_path)
    part = cm.open_log(tmp_path).partitions[0]
    assert part.columns("activity").height == part.sizes[1]
    travelled = pickle.dumps(part)
    assert len(travelled) < 1000
    assert pickle.loads(travelled).cases.equals(part.cases)  # noqa: S301


def test_what_memory_does_not_hold_names_the_way(crm: cm.Crm, tmp_path: Path) -> None:
    crm.event_log("lead").save(tmp_path, events=500)
    log = cm.open_log(tmp_path, memory="100kB")
    said = r"events of [\d,]+ events take about 0\.0 GiB, more than memory allows \(0\.0 GiB\): ask scan\(\)"
    with pytest.raises(cm.CrmMiningError, match=said):
        _ = log.events
    assert log.scan().filter(pl.col("activity") == "Create Lead").collect().height == 352
    assert log.scan().select("activity").collect().height == log.sizes[1]
    assert log.scan().head(7).collect().height == 7
    every = crm.event_log("lead").events.with_row_index()
    assert log.scan().with_row_index().select("index").collect().equals(every.select("index"))
    assert log.scan().with_row_index().collect().equals(every)
    log.scan("owner", "owner").sink_parquet(tmp_path / "out.parquet")
    again = pl.read_parquet(tmp_path / "out.parquet")
    assert_frame_equal(again, crm.event_log("lead").scan("owner").collect(), categorical_as_str=True)
    with pytest.raises(cm.CrmMiningError, match="memory is 'plenty', but must be an amount such as 4GiB"):
        cm.open_log(tmp_path, memory="plenty")


def test_memory_is_judged_by_a_partition_that_holds_something(crm: cm.Crm, tmp_path: Path) -> None:
    crm.event_log("lead").save(tmp_path, events=500)
    log = cm.open_log(tmp_path, memory="1kB")
    last = log.partitions[0].cases["case_id"][-1]
    later = log.filter(where=f"case_id > '{last}'")
    assert later.partitions[0].sizes == (0, 0)
    for ask in ("events", "cases", "facts"):
        with pytest.raises(cm.CrmMiningError, match=f"{ask} of .* events take about"):
            getattr(later, ask)


def test_moments_without_a_zone_are_utc(crm: cm.Crm) -> None:
    log, moment = crm.event_log("lead"), datetime(2024, 6, 1)  # noqa: DTZ001  on purpose
    aware = log.filter(since=moment.replace(tzinfo=UTC))
    assert log.filter(since=moment).cases.equals(aware.cases)
    assert 0 < aware.cases.height < log.cases.height


def test_what_is_divided_by_zero_has_no_value(crm: cm.Crm) -> None:
    log, org = crm.event_log("opportunity"), CATALOGUE.source.org
    stated = {"name": "odd", "process": "opportunity", "question": "", "formula": "", "kind": "value"}
    more = {"unit": "number", "better": "neutral", "agg": "sum", "period": "created"}
    kpi = KPI.validate_python({**stated, **more, "column": "repeats / reopens"})
    found = measure.measure(log, kpi, measure.Cut(org)).row(0, named=True)
    told = log.facts.filter(pl.col("reopens") > 0)
    assert (found["n"], found["sum"]) == (told.height, (told["repeats"] / told["reopens"]).sum())
    assert told.height > 0


def test_a_log_as_of_another_moment_is_refused(crm: cm.Crm, tmp_path: Path) -> None:
    log = crm.event_log("lead")
    log.save(tmp_path)
    assert cm.open_log(tmp_path, as_of=log.as_of).as_of == log.as_of
    with pytest.raises(cm.CrmMiningError, match=r"is as of 2025-12-31T23:14:29\+00:00, not 2025-06-30T"):
        cm.open_log(tmp_path, as_of=log.as_of.replace(month=6, day=30))


def test_an_engine_is_asked_once_per_partition_and_question(crm: cm.Crm, tmp_path: Path) -> None:
    crm.event_log("lead").save(tmp_path, events=700)
    cluster = Cluster()
    log = cm.open_log(tmp_path, engine=cluster)
    measure.scorecard({"lead": log}, CATALOGUE, CATALOGUE.kpis_of("lead"), CUT)
    assert cluster.asked == len(log.partitions)
    log.variants()
    assert cluster.asked == 2 * len(log.partitions)


def test_partitions_here_come_in_their_order() -> None:
    assert list(Here().map(lambda number: number + 1, range(9))) == list(range(1, 10))
    assert isinstance(Partition(pl.DataFrame(), pl.DataFrame(), pl.DataFrame()).blank, Partition)

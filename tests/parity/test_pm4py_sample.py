"""pm4py answers alike about the sample: variants, directly-follows, durations and rework of every process."""

from collections.abc import Iterator
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import polars as pl
import pytest

import crmmining as cm
from crmmining.eventlog import EventLog

from .oracle import stands_for

PROCESSES = ["account", "case", "lead", "opportunity"]


@pytest.fixture
def pm4py(capsys: pytest.CaptureFixture[str]) -> Iterator[ModuleType]:
    import pm4py  # noqa: PLC0415  AGPL and slow: only where it is asked for

    yield pm4py
    capsys.readouterr()  # its banner


def core(log: EventLog) -> pl.DataFrame:
    """Core events in log order; `order` has no ties."""
    names = log.process.sets["core"]
    mine = [name for name in log.activities if stands_for(names, name)]
    events = log.events.with_columns(pl.col("activity").cast(pl.String)).filter(
        pl.col("activity").is_in(mine)
    )
    # pm4py sorts by case and time; of two events in one second it must not choose the order itself
    tick = pl.int_range(pl.len()).cast(pl.Duration("us")) * 1_000_000
    return events.select(
        "case_id", "activity", "occurred_at", order=pl.lit(datetime(2000, 1, 1, tzinfo=UTC)) + tick
    )


def formatted(pm4py: ModuleType, events: pl.DataFrame, timestamp: str) -> Any:  # noqa: ANN401  (a pandas frame)
    return pm4py.format_dataframe(
        events.to_pandas(), case_id="case_id", activity_key="activity", timestamp_key=timestamp
    )


@pytest.mark.parametrize("process", PROCESSES)
def test_variants_directly_follows_and_rework(sample: cm.Crm, pm4py: ModuleType, process: str) -> None:
    log = sample.event_log(process)
    theirs = formatted(pm4py, core(log), "order")

    ours = {tuple(row["activities"]): row["cases"] for row in log.variants().rows(named=True)}
    assert ours == {variant: int(count) for variant, count in pm4py.get_variants(theirs).items()}
    assert sum(ours.values()) == log.cases.height

    edges, starts, ends = pm4py.discover_dfg(theirs)
    transitions = log.transitions(same_save=True).select(pl.col("source", "target").cast(pl.String), "n")
    assert {(source, target): n for source, target, n in transitions.rows()} == edges
    endpoints = log.endpoints().select(pl.col("activity").cast(pl.String), "starts", "ends").rows()
    assert {activity: n for activity, n, _ in endpoints if n} == starts
    assert {activity: n for activity, _, n in endpoints if n} == ends

    again = (
        log.rework()
        .filter(pl.col("rework_cases") > 0)
        .select(pl.col("activity").cast(pl.String), "rework_cases")
    )
    assert dict(again.rows()) == pm4py.get_rework_cases_per_activity(theirs)


@pytest.mark.parametrize("process", PROCESSES)
def test_durations(sample: cm.Crm, pm4py: ModuleType, process: str) -> None:
    log = sample.event_log(process)
    events = core(log)
    theirs = formatted(pm4py, events, "occurred_at")
    edges, times = pm4py.discover_dfg(theirs)[0], pm4py.discover_performance_dfg(theirs)[0]
    by_order = pm4py.discover_dfg(formatted(pm4py, events, "order"))[0]
    assert edges == by_order  # true times, ties included, tell pm4py the same order

    transitions = log.transitions(same_save=True)
    assert len(times) == transitions.height > 5
    for row in transitions.rows(named=True):
        time = times[row["source"], row["target"]]
        apart = abs(row["median"].total_seconds() - time["median"])
        assert (
            apart <= 1 + time["median"] / 128
        )  # ours are whole seconds, and those of a bucket are taken for one
        assert row["mean"].total_seconds() == pytest.approx(time["mean"], abs=1)
        assert row["total"].total_seconds() == pytest.approx(time["sum"])

    everything = log.events.select("case_id", pl.col("activity").cast(pl.String), "occurred_at")
    spans = log.facts.select((pl.col("last_at") - pl.col("first_at")).dt.total_seconds()).to_series()
    assert sorted(spans) == pm4py.get_all_case_durations(formatted(pm4py, everything, "occurred_at"))

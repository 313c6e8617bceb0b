"""Waiting against a loop over cases, on the sample and on generated logs; however a log is cut."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import crmmining as cm
from crmmining import analyses
from crmmining.eventlog import Partition
from crmmining.eventlog.partition import split

from ..conftest import day, log_of  # noqa: TID252 - of the folder above
from .conftest import HOURS, SERVICE, desk
from .naive import Naive, Row


def told(log: cm.EventLog) -> list[Row]:
    return sorted(analyses.waits(log).drop("off_hours").rows(), key=str)


def adds_up(log: cm.EventLog) -> None:
    """In hours and off hours are the elapsed time, and that of a case is its life, to the microsecond."""
    rows = analyses.waits(log)
    assert rows.filter(pl.col("in_hours") + pl.col("off_hours") != pl.col("elapsed")).is_empty()
    assert rows.filter(pl.min_horizontal("in_hours", "off_hours") < timedelta()).is_empty()
    lived: dict[str, timedelta] = defaultdict(timedelta)
    for case, elapsed in rows.select("case_id", "elapsed").drop_nulls().rows():
        lived[case] += elapsed
    lives = {
        case: (end or log.as_of) - start
        for case, start, end in log.cases.select("case_id", "created_at", "outcome_at").rows()
    }
    assert {case: lived[case] for case in lives} == {
        case: max(life, timedelta()) for case, life in lives.items()
    }


@pytest.mark.parametrize("process", ["case", "lead", "opportunity"])
def test_a_loop_over_the_sample_finds_the_same(sample: cm.Crm, process: str) -> None:
    log = sample.event_log(process).filter(until=datetime(2024, 7, 1, tzinfo=UTC))
    assert len({turn for _, turn, _, _ in told(log)}) >= 3
    assert told(log) == sorted(Naive(log).rows(), key=str)
    adds_up(log)


def test_a_loop_over_the_cases_by_hand_finds_the_same() -> None:
    assert told(desk()) == sorted(Naive(desk()).rows(), key=str)


CASE, HALF_HOURS = st.sampled_from(["a", "b", "c"]), st.integers(0, 300)
EVENTS = st.lists(
    st.tuples(CASE, st.sampled_from(["Create", "Assign", "Call", "Call", "Close", "Reopen"]), HALF_HOURS),
    min_size=1,
    max_size=25,
)
VALUES = {
    "status": ["New", "On Hold", " waiting on CUSTOMER", "Resolved", None],
    "owner": ["Ken", "Eva", None],
    "queue": ["Berlin queue", "Other queue", None, None],
}
CHANGES = st.lists(
    st.sampled_from(sorted(VALUES)).flatmap(
        lambda name: st.tuples(CASE, st.just(name), HALF_HOURS, st.sampled_from(VALUES[name]))
    ),
    max_size=20,
)
COVERED = st.lists(st.none() | HALF_HOURS, min_size=3, max_size=3)


def built(
    events: list[tuple[str, str, int]],
    changes: list[tuple[str, str, int, str | None]],
    covered: list[int | None],
    partitions: int = 1,
) -> cm.EventLog:
    """A log as of 300 half hours after 3 January 2024; a case that is covered from some moment is cut off."""
    cases = {
        case: {
            **{name: values[place] for name, values in VALUES.items()},
            "region": "EMEA" if place else None,
            "business_hours": "Tokyo desk" if place == 2 else None,
            "covered_from": None if since is None else day(3 + since / 48),
            "truncated": since is not None,
        }
        for place, (case, since) in enumerate(zip("abc", covered, strict=True))
    }
    log = log_of(
        [(case, activity, 3 + at / 48) for case, activity, at in events],
        cases,
        process=SERVICE,
        changes=sorted(
            ((case, name, 3 + at / 48, value) for case, name, at, value in changes), key=lambda c: c[2]
        ),
        as_of=3 + 300 / 48,
        partitions=min(partitions, len({case for case, *_ in events})),
    )
    instant, text = pl.col("covered_from").cast(pl.Datetime("us", "UTC")), pl.col(*VALUES, "business_hours")
    parts = [
        Partition(p.events, p.cases.with_columns(instant, text.cast(pl.String)), p.values)
        for p in log.partitions
    ]
    return replace(log, partitions=tuple(parts), calendars=HOURS)


@settings(max_examples=12)
@given(EVENTS, CHANGES, COVERED)
def test_a_loop_over_generated_logs_finds_the_same(
    events: list[tuple[str, str, int]],
    changes: list[tuple[str, str, int, str | None]],
    covered: list[int | None],
) -> None:
    log = built(events, changes, covered)
    assert told(log) == sorted(Naive(log).rows(), key=str)
    adds_up(log)
    parts = built(events, changes, covered, partitions=2)
    assert told(parts) == told(log)
    for per in ("owner", None):
        one, many = (analyses.waiting(one, by=["region"], per=per) for one in (log, parts))
        assert_frame_equal(one, many, check_exact=True)
        shares = (
            one.group_by("region")
            .agg(pl.sum("share"))
            .drop_nulls("share")
            .filter(pl.col("share").is_finite())
        )
        assert shares["share"].to_list() == pytest.approx([1.0] * shares.height)


def test_no_cut_changes_the_table(sample: cm.Crm) -> None:
    log = sample.event_log("case")
    cut = replace(log, partitions=tuple(split(log.only, 700)))
    assert len(cut.partitions) > 5
    for by, per in (
        ((), None),
        (["region", "owner@created"], None),
        (["product"], "owner"),
        ((), "priority"),
    ):
        whole, parts = (analyses.waiting(one, by=by, per=per) for one in (log, cut))
        assert_frame_equal(whole, parts, check_exact=True)
    assert_frame_equal(analyses.waits(log), analyses.waits(cut))


def test_per_stage_adds_up_to_the_whole(sample: cm.Crm) -> None:
    log = sample.event_log("opportunity")
    whole, stages = analyses.waiting(log), analyses.waiting(log, per="stage")
    open_stages = {
        "Prospecting",
        "Qualification",
        "Needs Analysis",
        "Value Proposition",
        "Negotiation/Review",
    }
    assert open_stages <= set(stages.filter(responsibility="untouched")["stage"])
    for turn, elapsed, share in whole.select("responsibility", "elapsed", "share").rows():
        own = stages.filter(responsibility=turn)
        seconds = own["elapsed"].dt.total_seconds().sum()
        assert 0 <= elapsed.total_seconds() - seconds < own.height  # each total is cut to whole seconds
        assert own["share"].sum() == pytest.approx(share)

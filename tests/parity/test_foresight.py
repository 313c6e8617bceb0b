"""No segment leaks the future: what a case was at a milestone it has passed, it was whatever came later."""

from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import crmmining as cm
from crmmining.eventlog import EventLog
from crmmining.measure import Cut, measure

from .conftest import Log
from .deals import KPIS, ORGS, Deals, deals

MOMENTS = ("created", "staged", "won", "lost", "touched")


def known_at(deals: Deals, day: float) -> Deals:
    """The deals as far as they were known on a day: their region is the last one told by then."""
    told = [change for change in deals.changes if change[2] <= day]
    born = {case: when for case, activity, when, _ in deals.rows if activity == "Create"}
    cases: dict[str, dict[str, Any]] = {}
    for case, attributes in deals.cases.items():
        own = [value for name, what, _, value in told if name == case and what == "region"]
        if born[case] <= day:
            cases[case] = attributes | ({"region": own[-1]} if own else {})
    rows = [row for row in deals.rows if row[0] in cases and row[2] <= day]
    return Deals(rows, cases, day, [change for change in told if change[0] in cases])


def standing(log: EventLog, moment: str) -> pl.DataFrame:
    """The region of every case that passed a milestone, as segments of that basis tell it."""
    cells = log.cases.select("case_id").hstack(log.facts.select(f"{moment}_at"))
    return cells.hstack(log.segments([f"region@{moment}"], "now")).drop_nulls(f"{moment}_at")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(generated=deals(), share=st.floats(0, 1))
def test_later_changes_move_no_case_to_another_segment(log_of: Log, generated: Deals, share: float) -> None:
    first = min(when for _, activity, when, _ in generated.rows if activity == "Create")
    day = first + round(share * (generated.as_of - first) * 4) / 4
    then, now = log_of(known_at(generated, day)), log_of(generated)
    for moment in MOMENTS:
        before = standing(then, moment)
        after = standing(now, moment).join(before, on=["case_id", f"{moment}_at"], how="semi")
        assert_frame_equal(before, after, check_row_order=False)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(generated=deals(), share=st.floats(0, 1))
def test_cohorts_by_segment_stay_what_they_were(log_of: Log, generated: Deals, share: float) -> None:
    first = min(when for _, activity, when, _ in generated.rows if activity == "Create")
    day = first + round(share * (generated.as_of - first) * 4) / 4
    then, now = log_of(known_at(generated, day)), log_of(generated)
    window = Cut(ORGS[0], by=("region",), until=then.as_of)
    then_n, now_n = (
        measure(log, KPIS["win_conversion"], window).filter(pl.col("n") > 0).select("region", "n")
        for log in (then, now)
    )
    before_n = measure(then, KPIS["win_conversion"], window).select(pl.sum("n")).item()
    assert before_n == sum(case["created_at"] < then.as_of for case in generated.cases.values())
    assert_frame_equal(then_n, now_n)


@pytest.mark.parametrize("process", ["account", "case", "lead", "opportunity"])
@pytest.mark.parametrize("as_of", ["2024-03-31", "2025-08-15"])
def test_on_the_sample_attributes_at_milestones_are_the_same_later(
    sample: cm.Crm, process: str, as_of: str
) -> None:
    then, now = sample.event_log(process, as_of=as_of), sample.event_log(process)
    names = sorted(now.tracked)
    assert {"owner", "region"} <= set(names)
    for moment in now.process.milestones:
        before, after = (
            log.facts.select("case_id", f"{moment}_at")
            .hstack(log.at(moment, *names))
            .drop_nulls(f"{moment}_at")
            for log in (then, now)
        )
        same = ["case_id", f"{moment}_at"]  # what was recorded late may have happened first
        before, after = before.join(after, on=same, how="semi"), after.join(before, on=same, how="semi")
        assert_frame_equal(before, after, check_row_order=False)
        if moment == "created":
            assert before.height == then.cases.height
    current = then.cases.select("case_id", *names).join(now.cases, on="case_id", suffix="_now")
    moved = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_now")) for name in names)
    assert current.filter(moved).height > 0  # so the law is put to the test

"""Outcomes and funnels of generated deals against ones that go through the events of each deal in turn."""

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmmining import analyses
from crmmining.eventlog import EventLog, Partition

from .competing import Case, band, deviation, estimate
from .conftest import Log
from .deals import Deals, deals, moment, raw_events

ENDS = {"Win": "won", "Lose": "lost"}
STARTS = {"created": ("Create",), "touched": ("Call",), "staged": ("Stage: A", "Stage: B")}
DAYS = (0, 5, 30, 70)
STEPS = ("Create", "Stage: A", "Call", "Win")  # created, Stage: A, touched, won
FEW = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Told(NamedTuple):
    """A deal, its events in log order."""

    name: str
    facts: dict[str, object]
    events: list[tuple[str, datetime]]


def each(made: Deals) -> Iterator[Told]:
    rows = raw_events(made.rows).select("case_id", "activity", "occurred_at").rows()
    for name, facts in made.cases.items():
        yield Told(name, facts, [(what, when) for case, what, when in rows if case == name])


def with_days(log: EventLog) -> EventLog:
    parts = (
        Partition(one.events.with_columns(date_only=False), one.cases, one.values) for one in log.partitions
    )
    return replace(log, partitions=tuple(parts))


def closing(events: list[tuple[str, datetime]]) -> tuple[str, datetime] | None:
    """The closing in force."""
    told = [event for event in events if event[0] in {*ENDS, "Reopen"}]
    return told[-1] if told and told[-1][0] in ENDS else None


def case(deal: Told, start: str, as_of: datetime, *, first: bool, cluster: str | None) -> Case | str:
    """What the deal is in a curve, or why it is in none."""
    if deal.facts["truncated"] and start != "created":
        return "truncated"
    begins = [when for what, when in deal.events if what in STARTS[start]]
    if not begins:
        return "excluded"
    began, last = min(begins), closing(deal.events)
    later = [event for event in deal.events if event[0] in ENDS and event[1] >= began]
    end = (later[0] if later else None) if first else (last if last and last[1] >= began else None)
    if end is None and last is not None and last[1] < began:
        return "excluded"
    followed = math.floor((as_of - began) / timedelta(days=1))
    of = None if cluster is None else deal.facts[cluster]
    day = math.inf if end is None else math.ceil((end[1] - began) / timedelta(days=1))
    seen = end is not None and day <= followed
    return Case(
        str(of) if of is not None else None,
        int(day) if seen else followed,
        ENDS[end[0]] if end and seen else None,
    )


@FEW
@given(
    deals(), st.sampled_from(sorted(STARTS)), st.booleans(), st.sampled_from([None, "currency", "country"])
)
def test_outcomes_are_the_naive_ones(
    log_of: Log,
    made: Deals,
    start: str,
    first: bool,  # noqa: FBT001
    cluster: str | None,
) -> None:
    as_of = moment(made.as_of)
    told = [case(deal, start, as_of, first=first, cluster=cluster) for deal in each(made)]
    cases = [one for one in told if isinstance(one, Case)]
    log = with_days(log_of(made, 2 if len(made.cases) > 1 else 1))
    found = analyses.outcomes(log, start, at=DAYS, first=first, cluster=cluster)
    for row in found.iter_rows(named=True):
        assert (row["n"], row["excluded"], row["truncated"]) == (
            len(cases),
            told.count("excluded"),
            told.count("truncated"),
        )
        day = row["day"]
        assert row["at_risk"] == sum(one.day >= day for one in cases)
        gone = all(one.outcome is not None for one in cases if one.day == max(case.day for case in cases))
        if not cases or (not row["at_risk"] and not gone):
            assert row["incidence"] is None
            continue
        outcome = None if row["outcome"] == "open" else row["outcome"]
        share = estimate(cases, [1.0] * len(cases), outcome, day)
        expected = band(share, deviation(cases, outcome, day, clustered=cluster is not None))
        if outcome is None:
            share, expected = 1 - share, None if expected is None else (1 - expected[1], 1 - expected[0])
        assert row["incidence"] == pytest.approx(share, abs=1e-12)
        assert (row["low"], row["high"]) == (
            (None, None) if expected is None else pytest.approx(expected, abs=2e-5)
        )


def reached(deal: Told, within: int | None) -> list[bool]:
    """Which of the steps the deal passed itself, after its creation."""
    began = next(when for what, when in deal.events if what == "Create")
    until = datetime.max.replace(tzinfo=began.tzinfo) if within is None else began + timedelta(days=within)
    last = closing(deal.events)
    won = last is not None and last[0] == "Win" and last[1] <= until
    between = [
        any(what == step and began <= when <= until for what, when in deal.events) for step in STEPS[1:-1]
    ]
    return [True, *between, won]


@FEW
@given(deals(), st.sampled_from([None, 9, 40]))
def test_funnels_are_the_naive_ones(log_of: Log, made: Deals, within: int | None) -> None:
    as_of = moment(made.as_of)
    told, whole = list(each(made)), [deal for deal in each(made) if not deal.facts["truncated"]]
    ripe = [
        deal
        for deal in whole
        if within is None
        or next(when for what, when in deal.events if what == "Create") + timedelta(days=within) <= as_of
    ]
    log = log_of(made, 2 if len(told) > 1 else 1)
    found = (
        analyses.funnel(log, ["created", "Stage: A", "touched", "won"], within_days=within, value="amount")
        if "Stage: A" in log.activities
        else None
    )
    if found is None:
        return
    own = [reached(deal, within) for deal in ripe]
    worth = [float(str(deal.facts["amount"])) if deal.facts["amount"] is not None else 0.0 for deal in ripe]
    for row in found.iter_rows(named=True):
        at = row["step"]
        there = [any(steps[at:]) for steps in own]
        assert row["entered"] == len(ripe)
        assert row["truncated"] == len(told) - len(whole)
        assert row["reached"] == sum(there)
        assert row["skipped"] == sum(got and not steps[at] for got, steps in zip(there, own, strict=True))
        assert row["value"] == pytest.approx(sum(w for w, got in zip(worth, there, strict=True) if got))
        waits = [closing(deal.events) is None and not got for deal, got in zip(ripe, there, strict=True)]
        assert row["open"] == (len(whole) - len(ripe) if within else sum(waits))

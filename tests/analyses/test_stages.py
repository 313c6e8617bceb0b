"""Stage visits: answered by hand, told a second time, and what the simulator planted."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crmmining as cm
from crmmining import analyses
from crmmining.calendars import Calendar, Calendars, Week
from crmmining.eventlog import EventLog

from ..conftest import DEAL, day, log_of  # noqa: TID252 - what all tests share
from .stagy import STAGED, STATED, Row, staged

DEALS: list[Row] = [
    ("d1", "Create", 1), ("d1", "Stage: Offer", 3, 1), ("d1", "Stage: New", 4, -1),
    ("d1", "Stage: Deal", 8, 2), ("d1", "Win", 10),
    ("d1", "Stage: Won again", 11), ("d1", "Reopen", 12), ("d1", "Lose", 13),
    ("d2", "Create", 1), ("d2", "Stage: Offer", 2, 1),
    ("d3", "Create", 1), ("d3", "Stage: Offer", 5, 1), ("d3", "Stage: Deal", 6),
    ("d4", "Create", 1), ("d4", "Win", 1),
    ("d5", "Create", 1), ("d5", "Win", 9),
    ("d6", "Create", 1), ("d6", "Reopen", 90),
]  # fmt: skip
CASES: dict[str, dict[str, Any]] = {
    **{f"d{number}": {"stage": "New", "region": "EMEA"} for number in (1, 2, 3)},
    "d3": {"stage": "New", "truncated": True},
    **{f"d{number}": {"stage": "Won"} for number in (4, 5, 6)},
}


def days(number: float) -> timedelta:
    return timedelta(days=number)


def test_visits_by_hand() -> None:
    found = analyses.stage_visits(staged(DEALS, CASES))
    assert found.drop("in_hours").rows() == [
        ("d1", "New", 1, day(1), day(3), days(2), "Offer", "advanced"),
        ("d1", "Offer", 2, day(3), day(4), days(1), "New", "regressed"),
        ("d1", "New", 3, day(4), day(8), days(4), "Deal", "skipped"),
        ("d1", "Deal", 4, day(8), day(10), days(2), None, "won"),
        ("d1", "Offer", 5, day(12), day(13), days(1), None, "lost"),
        ("d2", "New", 1, day(1), day(2), days(1), "Offer", "advanced"),
        ("d2", "Offer", 2, day(2), None, days(98), None, "still there"),
        ("d3", "New", 1, None, day(5), None, "Offer", "advanced"),  # its history is cut
        ("d3", "Offer", 2, day(5), day(6), days(1), "Deal", "moved"),
        ("d3", "Deal", 3, day(6), None, days(94), None, "still there"),
        ("d5", None, 1, None, day(9), None, None, "won"),  # it was Won all along, as far as we know
        ("d6", "Offer", 1, day(90), None, days(10), None, "still there"),
    ]  # d4 was created won
    assert found["in_hours"].is_null().all()


@pytest.mark.parametrize("partitions", [1, 4])
def test_stages_by_hand(partitions: int) -> None:
    found = analyses.visits(staged(DEALS, CASES, partitions=partitions))
    told = ("stage", "visits", "cases", "open", "excluded", "median", "p90", "norm", "stalled")
    assert found.select(told).rows() == [
        ("Deal", 2, 2, 1, 0, days(2), days(2), days(2), 1),
        ("New", 3, 2, 0, 1, days(2), days(3.6), days(3.6), 0),
        ("Offer", 5, 4, 2, 0, days(1), days(1), days(1), 2),
        (None, 0, 0, 0, 1, None, None, None, 0),
    ]
    ways = ("stage", "advanced", "skipped", "regressed", "moved", "won", "lost", "on", "conversion")
    assert found.select(ways).rows() == [
        ("Deal", 0, 0, 0, 0, 1, 0, 1, 1 / 2),
        ("New", 2, 1, 0, 0, 0, 0, 3, 1.0),
        ("Offer", 0, 0, 1, 1, 0, 1, 0, 0.0),
        (None, 0, 0, 0, 0, 0, 0, 0, None),
    ]
    parts = analyses.visits(staged(DEALS, CASES, partitions=partitions), "region", norm=0.5)
    assert parts.select("stage", "region", "visits", "norm", "stalled").rows() == [
        ("Deal", "EMEA", 1, days(2), 0),
        ("Deal", None, 1, days(2), 1),
        ("New", "EMEA", 3, days(2), 0),
        ("New", None, 0, days(2), 0),
        ("Offer", "EMEA", 3, days(1), 1),
        ("Offer", None, 2, days(1), 1),
        (None, None, 0, None, 0),
    ]


def test_segments_count_as_they_were_when_the_visit_began() -> None:
    changes = [("d2", "region", 1.0, "APAC"), ("d2", "region", 2.0, "EMEA")]
    log = staged(DEALS[8:10], {"d2": CASES["d2"]}, changes=changes)
    assert analyses.visits(log, by=["region"]).select("stage", "region").rows() == [
        ("New", "APAC"),
        ("Offer", "EMEA"),
    ]


def test_visits_in_opening_hours() -> None:
    shifts = tuple((weekday, 9 * 60, 17 * 60) for weekday in range(5))
    office = Calendars((Calendar("Office", "UTC", (Week(None, shifts),), ()),), (), default=0)
    log = replace(staged(DEALS, CASES), calendars=office)
    found = analyses.stage_visits(log).filter(case_id="d1")  # day 1 is a Monday
    assert found["in_hours"].to_list() == [timedelta(hours=hours) for hours in (16, 8, 16, 16, 8)]
    rows = analyses.visits(log).select("stage", "in_hours_median").rows()
    assert dict(rows)["New"] == timedelta(hours=16)


def test_people_behind_few_cases_are_withheld() -> None:
    cases = {case: {**given, "owner": "Ann"} for case, given in CASES.items()}
    log = replace(staged(DEALS, cases), minimum_group=3)
    found = analyses.visits(log, by="owner").filter(pl.col("visits").is_not_null())
    assert found.select("stage", "owner", "cases").rows() == [("Offer", "Ann", 4)]


def test_what_is_not_stated_is_refused() -> None:
    with pytest.raises(cm.CrmMiningError, match="does not say how its cases move from stage to stage"):
        analyses.stage_visits(log_of(DEALS, process=DEAL))
    with pytest.raises(cm.CrmMiningError, match=r"norm is 0\.95, but must be one of the quantiles"):
        analyses.visits(staged(DEALS, CASES), norm=0.95)
    with pytest.raises(cm.UnknownNameError, match="segment"):
        analyses.visits(staged(DEALS, CASES), by="product")
    wrong = STATED["waiting"] | {"moves": ["stages"]}
    faults = STAGED.model_validate(STATED | {"waiting": wrong}).faults()
    assert faults == ["waiting.moves: milestone 'stages' is not declared under [milestones]"]


# A second telling -------------------------------------------------------------------------------------------


def naive(log: EventLog) -> Iterator[tuple[Any, ...]]:  # noqa: C901, PLR0912 - event by event
    """The visits of every case, told event by event: case, stage, entered, left, way."""
    process = log.process
    assert process.waiting is not None
    column = process.segments[process.waiting.attribute]
    word_of: dict[str, str] = {}
    for word in (*process.waiting.moves, *process.reopens, *process.ends):
        word_of |= {log.activities[code]: word for code in log.codes(word)}
    cases, began = log.cases, log.at("created", column)[column].cast(pl.String)
    trace: dict[str, list[dict[str, Any]]] = {case: [] for case in cases["case_id"]}
    for event in log.events.rows(named=True):
        if event["activity"] in word_of:
            trace[event["case_id"]].append(event)
    for case, stage, row in zip(cases["case_id"], began, cases.rows(named=True), strict=True):
        own = trace[case]
        here: str | None = (own[0]["old_value"] if own else None) or stage
        since: datetime | None = row["created_at"]
        if row["truncated"] or column not in log.tracked:
            since = None
        first, first_at, closed = True, row["created_at"], False
        for event in own:
            word, at, to = word_of[event["activity"]], event["occurred_at"], event["new_value"]
            if word in process.ends:
                if closed:
                    continue
                if not (first and to == here):
                    yield case, here, since if since is None or since <= at else None, at, word
                elif at != first_at:
                    yield case, None, None, at, word
                closed = True
            elif word in process.reopens or not closed:
                if not closed and not (first and word in process.reopens):
                    way = {1: "advanced", 2: "skipped", -1: "regressed", None: "moved"}[event["direction"]]
                    yield case, here, since if since is None or since <= at else None, at, way
                here, since, closed = to, at, False
                if row["truncated"] and row.get("covered_from") and at < row["covered_from"]:
                    since = None
            first = False
        if not closed:
            yield case, here, since, None, "still there"


def told(log: EventLog) -> list[tuple[Any, ...]]:
    found = analyses.stage_visits(log)
    return found.select("case_id", "stage", "entered_at", "left_at", "way").rows()


@pytest.mark.parametrize("process", ["opportunity", "lead", "case"])
def test_the_sample_told_a_second_time(sample: cm.Crm, process: str) -> None:
    log = sample.event_log(process)
    assert told(log) == list(naive(log))


def test_a_crm_with_lost_history_told_a_second_time(tmp_path: Path) -> None:
    folder = cm.simulate(tmp_path / "crm", accounts=60, seed=5, retention_months=18, format="parquet")
    log = cm.connect(folder).event_log("lead")
    rows = told(log)
    assert rows == list(naive(log))
    assert 10 < sum(entered is None for _, _, entered, _, _ in rows) < len(rows) / 2


ACTIVITIES = ["Stage: New", "Stage: Offer", "Stage: Deal", "Win", "Lose", "Reopen", "Call"]
EVENTS = st.tuples(
    st.sampled_from(["d1", "d2", "d3"]),
    st.sampled_from(ACTIVITIES),
    st.integers(0, 12),
    st.sampled_from([-1, 1, 2, None]),
)


@settings(max_examples=20)
@given(st.lists(EVENTS, max_size=25), st.sampled_from(["New", "Won"]), st.booleans(), st.integers(1, 3))
def test_any_log_told_a_second_time(
    events: list[tuple[str, str, int, int]],
    stage: str,
    truncated: bool,  # noqa: FBT001 - a generated one
    partitions: int,
) -> None:
    born: list[Row] = [(case, "Create", 1.0) for case in ("d1", "d2", "d3")]
    cases: dict[str, dict[str, Any]] = {"d1": {"stage": stage, "truncated": truncated}}
    cases |= {"d2": {"stage": "New"}, "d3": {"stage": "Lost"}}
    rows: list[Row] = [row if row[1].startswith("Stage") else row[:3] for row in events]
    log = staged([*born, *rows], cases, partitions=partitions)
    assert told(log) == list(naive(log))
    whole = staged([*born, *rows], cases)
    assert analyses.visits(log).equals(analyses.visits(whole))


# What was planted -------------------------------------------------------------------------------------------


def test_the_slow_region_is_slow_in_its_stages(sample: cm.Crm) -> None:
    """Whatever owners of one region handle takes twice as long (truth.json): over all stages, 1.5 to 2.7."""
    found = analyses.visits(sample.event_log("opportunity"), by="region")
    median = pl.col("median").dt.total_seconds()
    slow = pl.col("region") == "APAC"
    rows = (
        found.select("stage", seconds=median, slow=slow.fill_null(value=False))
        .group_by("stage")
        .agg(ratio=pl.col("seconds").filter("slow").mean() / pl.col("seconds").filter(~pl.col("slow")).mean())
    )
    assert 1.5 < rows["ratio"].mean() < 2.7  # type: ignore[operator]

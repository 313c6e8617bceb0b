"""How milestones stand: what the rows of a CRM cannot tell, and every row by itself."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from crmmining.kernels.sla import INSTANT, STATES, states

START = datetime(2024, 5, 1, tzinfo=UTC)
NOW = pl.lit(START + timedelta(days=10), INSTANT)


def day(number: float | None) -> datetime | None:
    return None if number is None else START + timedelta(days=number)


def milestone(
    case: int, started: float | None, target: float | None, done: float | None, *, closed_before: bool = False
) -> tuple[Any, ...]:
    return case, day(started), day(target), day(done), False, closed_before


def frames(rows: list[tuple[Any, ...]], cases: list[tuple[Any, ...]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    times = dict.fromkeys(("started_at", "target_at", "completed_at"), INSTANT)
    own = dict.fromkeys(("reopened_at", "stopped_since"), INSTANT)
    flags = dict.fromkeys(("completed_unknown", "closed_before"), pl.Boolean)
    return (
        pl.DataFrame(rows, {"case_ix": pl.UInt32, **times, **flags}, orient="row"),
        pl.DataFrame(cases, {"open": pl.Boolean, **own}, orient="row"),
    )


OPEN, CLOSED = (True, None, None), (False, day(2), None)
STOPPED, CLOSED_STOPPED = (True, None, day(3)), (False, None, day(3))
ROWS = [
    (milestone(0, None, 3, 2), "faulty", "no start on record"),
    (milestone(0, 1, 3, 11), "faulty", "completed after the log's moment"),
    (milestone(0, 1, 3, 10), "violated", "completed late"),
    (milestone(1, 1, 5, None), "violated", "closed late without it"),  # open when it was due
    (milestone(1, 2, 6, None, closed_before=True), "void", "closed before its target"),
    (milestone(1, 1, 4, 4), "met", None),
    (milestone(0, 1, 3, None, closed_before=True), "void", "closed before its target"),  # reopened since
    (milestone(0, 1, 3, None), "running_late", None),
    (milestone(1, 1, 3, 4, closed_before=True), "violated", "completed late"),
    (milestone(2, 1, 4, None), "stopped", None),
    (milestone(2, 1, 3, None), "running_late", None),  # it stopped when it was due
    (milestone(3, 1, 4, None), "void", "closed while its clock stood still"),
    (milestone(3, 1, 3, None), "violated", "closed late without it"),
]
CASES = [OPEN, CLOSED, STOPPED, CLOSED_STOPPED]


def test_rows_by_hand() -> None:
    milestones, cases = frames([row for row, *_ in ROWS], CASES)
    found = states(milestones, cases, NOW)
    assert found.select("state", "reason").rows() == [tuple(told) for _, *told in ROWS]
    assert found["after_reopening"].to_list() == [row == 4 for row in range(len(ROWS))]
    assert found.drop("state", "reason", "after_reopening").equals(milestones)
    assert set(found["state"]) <= set(STATES)


def test_each_row_stands_by_itself() -> None:
    milestones, cases = frames([row for row, *_ in ROWS], CASES)
    apart = [states(milestones[at : at + 1], cases, NOW) for at in range(milestones.height)]
    assert pl.concat(apart).equals(states(milestones, cases, NOW))
    assert states(milestones.clear(), cases, NOW).height == 0

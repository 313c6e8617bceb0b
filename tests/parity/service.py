"""Milestones of service levels, told naively: one by one, from the words of their definition."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import polars as pl


class Milestone(NamedTuple):
    """One milestone of a case."""

    case: str
    name: str | None
    started: datetime | None
    target: datetime | None
    completed: datetime | None
    somewhen: bool


def milestones_of(
    events: pl.DataFrame, starts: Collection[str], ends: Collection[str]
) -> Iterator[Milestone]:
    """Every milestone that an event starts or completes."""
    begun: dict[tuple[str, str], dict[str, Any]] = {}
    done: dict[tuple[str, str], dict[str, Any]] = {}
    for row in events.with_columns(pl.col("activity").cast(pl.String)).rows(named=True):
        for activities, found in ((starts, begun), (ends, done)):
            if row["activity"] in activities:
                found.setdefault((row["case_id"], row["source_id"]), row)
    for key in {**begun, **done}:
        start, end = begun.get(key), done.get(key)
        target = None
        if start and start["delta"] is not None:
            target = start["occurred_at"] + timedelta(microseconds=round(start["delta"] * 1e6))
        yield Milestone(
            key[0],
            (start or end or {})["new_value"],
            start["occurred_at"] if start else None,
            target,
            end["occurred_at"] if end else None,
            bool(start and start["old_value"]),
        )


def standing(
    one: Milestone, case: dict[str, Any], as_of: datetime, turns: Sequence[tuple[datetime, bool]]
) -> tuple[str, bool]:
    """Its state, and whether it started after the case was reopened.

    `turns` are the closings (true) and reopenings of its case in log order.
    """
    reopened = case.get("reopened_at")
    again = bool(one.started and reopened and one.started >= reopened)
    before = [closes for moment, closes in turns if one.target and moment < one.target]
    return _state(one, case, as_of, closed_before=before[-1:] == [True]), again


def _state(  # noqa: PLR0911 - one per state
    one: Milestone, case: dict[str, Any], as_of: datetime, *, closed_before: bool
) -> str:
    started, target, completed = one.started, one.target, one.completed
    if started is None or (completed and not started <= completed <= as_of) or (target and target < started):
        return "faulty"
    if target is None:
        return "void"
    if completed:
        return "met" if completed <= target else "violated"
    if one.somewhen:
        return "void"
    if closed_before:
        return "void"
    stopped = case.get("stopped_since")
    if stopped and stopped < target:
        return "stopped" if case["open"] else "void"
    if not case["open"]:
        return "violated"
    return "running_late" if as_of >= target else "running"

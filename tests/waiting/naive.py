"""Whose turn it was, a second time: case by case, from one moment at which something happened to the next."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

import crmmining as cm
from crmmining.calendars import Calendar

Case = dict[str, Any]
Row = tuple[str, str | None, timedelta | None, timedelta | None]  # case, whose turn, in hours, elapsed


class Change(NamedTuple):
    since: datetime
    value: str | None


class Naive:
    """One log, read once; nothing here is shared with the engine but the definition of the process."""

    def __init__(self, log: cm.EventLog) -> None:
        self.log, self.process = log, log.process
        waiting = log.process.waiting
        assert waiting is not None
        self.waiting = waiting
        self.changes: dict[tuple[str, str], list[Change]] = defaultdict(list)
        self.changed: dict[str, set[datetime]] = defaultdict(set)
        for part in log.partitions:
            ids = part.cases["case_id"].to_list()
            told = part.values.with_columns(pl.col("attribute").cast(pl.String))
            for case, attribute, since, _, value in told.rows():
                self.changes[ids[case], attribute].append(Change(since, value))
                self.changed[ids[case]].add(since)
        self.events: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
        for case, activity, at in log.events.select("case_id", "activity", "occurred_at").rows():
            self.events[case].append((at, activity))
        self.ends, self.reopens = self.meant(self.process.ends), self.meant(self.process.reopens)
        self.touches, self.assigned = self.meant(waiting.touches), self.meant(waiting.assigned)

    def meant(self, words: tuple[str, ...]) -> set[str]:
        """The activities of this log that milestones stand for."""
        names = {name for word in words for name in self.process.milestones[word]}
        families = tuple(name.removesuffix("*") for name in names if name.endswith(": *"))
        found = self.log.activities
        return {
            activity for activity in found if activity in names or activity.startswith(families or ("\0",))
        }

    def was(self, case: Case, attribute: str, at: datetime) -> str | None:
        """What an attribute was: the last value since then, before the first one what it began with."""
        told = self.changes.get((case["case_id"], attribute))
        if not told:
            now: str | None = case[attribute]
            return now
        earlier = [change for change in told if change.since <= at]
        return (earlier[-1] if earlier else told[0]).value

    def last(self, case: Case, at: datetime, first: set[str], second: set[str]) -> bool:
        """Whether the last event of two kinds so far was of the first kind."""
        kinds = [name in first - second for when, name in self.events[case["case_id"]]
                 if when <= at and name in first | second]  # fmt: skip
        return bool(kinds) and kinds[-1]

    def turn(self, case: Case, at: datetime) -> str:  # noqa: PLR0911 - one per rule
        """Whose turn it is at a moment, and until something happens."""
        if case["truncated"] and not (case.get("covered_from") and case["covered_from"] <= at):
            return "unknown"
        if self.last(case, at, self.ends, self.reopens):
            return "closed_before_reopening"
        column = self.process.segments[self.waiting.attribute]
        status = self.was(case, column, at) if column in self.log.tracked else None
        if status is None:
            return "unknown"
        for kind in ("resolved", "on_hold", "with_customer"):
            if status.strip().casefold() in [
                value.strip().casefold() for value in getattr(self.waiting, kind)
            ]:
                return kind
        if self.waiting.queue:
            queue = self.process.segments[self.waiting.queue]
            if queue not in self.log.tracked:
                return "unknown"
            if self.was(case, queue, at) is not None:
                return "in_queue"
        if self.waiting.owner and self.was(case, self.process.segments[self.waiting.owner], at) is None:
            return "unknown"
        return "touched" if self.last(case, at, self.touches, self.assigned) else "untouched"

    def calendar(self, case: Case, at: datetime) -> Calendar | None:
        """The calendar that counts at a moment."""
        hours = self.log.calendars
        assert hours is not None
        for rule in hours.rules:
            if all(self.was(case, word, at) in values for word, values in rule.when):
                return hours.calendars[rule.calendar]
        named = [one for one in hours.calendars if one.name == case.get("business_hours")]
        return named[0] if named else None if hours.default is None else hours.calendars[hours.default]

    def rows(self) -> Iterator[Row]:
        """What `analyses.waits` says, by case."""
        for case in self.log.cases.rows(named=True):
            start, end = case["created_at"], case["outcome_at"] or self.log.as_of
            if end < start:
                yield case["case_id"], None, None, None
                continue
            moments = {start, end, *(at for at, _ in self.events[case["case_id"]])}
            moments |= {case["covered_from"]} if case.get("covered_from") else set()
            moments |= self.changed[case["case_id"]]
            cuts = sorted(at for at in moments if start <= at <= end)
            spent: dict[str, list[timedelta]] = defaultdict(lambda: [timedelta(), timedelta()])
            for begin, until in pairwise(cuts):
                cell = spent[self.turn(case, begin)]
                desk = self.calendar(case, begin)
                assert desk is not None
                cell[0] += open_time(desk, begin, until)
                cell[1] += until - begin
            for turn, (in_hours, elapsed) in spent.items():
                yield case["case_id"], turn, in_hours, elapsed


def open_time(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """The working time of a calendar with one week of shifts and no holidays, local day by local day."""
    zone, total = ZoneInfo(calendar.time_zone), timedelta()
    day = start.astimezone(zone).date() - timedelta(days=1)
    while day <= end.astimezone(zone).date():
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001  local
        for weekday, begin, until in calendar.weeks[0].shifts:
            if weekday == day.weekday():
                opens, closes = (
                    (midnight + timedelta(minutes=at)).replace(tzinfo=zone) for at in (begin, until)
                )
                inside = min(end.timestamp(), closes.timestamp()) - max(start.timestamp(), opens.timestamp())
                total += timedelta(seconds=max(inside, 0))
        day += timedelta(days=1)
    return total

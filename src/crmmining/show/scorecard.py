"""From tidy scorecard rows to the lines a person reads: one per KPI part and segment, with its trend."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import NamedTuple

import polars as pl

from crmmining.show.sparkline import Sparkline, sparkline
from crmmining.show.units import NOTHING, change, count, value

_KEYS = {"kpi", "process", "grain", "part", "clock", "basis", "as_of", "definition"}
_FACTS = (
    *("period_start", "period_end", "unit", "value", "n", "open", "excluded"),
    *("truncated", "low", "high"),
)
_MOST_SEGMENTS = 12


class Period(NamedTuple):
    """The period a scorecard is about: its first day, the day after its last, whether it is over."""

    start: date
    end: date
    over: bool

    def __str__(self) -> str:
        last = self.end - timedelta(days=1)
        return f"{self.start}" if last == self.start else f"{self.start} to {last}"


@dataclass(frozen=True)
class Line:
    """One line of the scorecard, as text; `clock` and `verdict` (`better`, `worse`) may be empty."""

    part: str
    clock: str
    segment: str
    value: str
    n: str
    open: str
    excluded: str
    interval: str
    change: str
    verdict: str
    trend: Sparkline | None
    lowest: str
    highest: str


class KpiLines(NamedTuple):
    """The lines of one KPI, how many smaller segments were left out, and its truncated cases."""

    lines: list[Line]
    left_out: int
    truncated: int


class _Row(NamedTuple):
    start: date | None
    end: date | None
    unit: str
    value: float | None
    n: int | None
    open: int | None
    excluded: int | None
    truncated: int | None
    low: float | None
    high: float | None


def current_period(rows: pl.DataFrame, today: date) -> Period | None:
    """Find the latest period that is over on the day `today`, else the latest; null without periods.

    >>> starts, ends = [date(2026, 1, 1), date(2026, 2, 1)], [date(2026, 2, 1), date(2026, 3, 1)]
    >>> str(current_period(pl.DataFrame({"period_start": starts, "period_end": ends}), date(2026, 2, 20)))
    '2026-01-01 to 2026-01-31'
    """
    if rows.is_empty():
        return None
    periods = (
        rows.select("period_start", "period_end").drop_nulls().unique().sort("period_start", "period_end")
    )
    known = [Period(start, end, end <= today) for start, end in periods.iter_rows()]
    return next((period for period in reversed(known) if period.over), known[-1] if known else None)


def lines_of(rows: pl.DataFrame, better: str, period: Period | None) -> KpiLines:
    """Turn the tidy rows of one KPI into lines: parts as they come, largest segment first, ties by name.

    Times around the clock stand before those in opening hours.
    A line shows its row of `period` (null: the row without a period), else dashes. Of more than 12 segments
    the smallest are left out and counted.
    """
    part = pl.col("part")  # one that says nothing anywhere is left out, the first stays
    told = pl.col("value").is_not_null().any().over("part", "clock") | (part == part.first())
    rows = rows.filter(told)
    if rows.is_empty():
        return KpiLines([], 0, 0)
    segments = [column for column in rows.columns if column not in {*_KEYS, *_FACTS}]
    groups: dict[tuple[str, str, str, str], list[_Row]] = {}
    ordered = rows.sort("period_start", maintain_order=True).select("part", "clock", *_FACTS, *segments)
    for part, clock, *rest in ordered.iter_rows():
        facts, words = rest[: len(_FACTS)], rest[len(_FACTS) :]
        segment = " · ".join("(none)" if word is None else str(word) for word in words)
        row = _Row(*facts)
        groups.setdefault((part, clock or "", segment, row.unit), []).append(row)
    largest: dict[str, int] = {}
    for (_, _, segment, _), own in groups.items():
        shown = _at(own, period)
        largest[segment] = max(largest.get(segment, 0), (shown.n if shown else None) or 0)
    kept = sorted(largest, key=lambda segment: (-largest[segment], segment))[:_MOST_SEGMENTS]
    parts = rows["part"].unique(maintain_order=True).to_list()
    clocks = sorted({clock for _, clock, _, _ in groups}, reverse=True)
    shown_keys = sorted(
        (key for key in groups if key[2] in kept),
        key=lambda key: (parts.index(key[0]), clocks.index(key[1]), kept.index(key[2]), key[3]),
    )
    lines = [_line(key, groups[key], better, period) for key in shown_keys]
    of_first = [_at(own, period) for key, own in groups.items() if key[:2] == (parts[0], clocks[0])]
    truncated = sum(row.truncated or 0 for row in of_first if row)
    return KpiLines(lines, len(largest) - len(kept), truncated)


def _at(rows: Sequence[_Row], period: Period | None) -> _Row | None:
    start = period.start if period else None
    return next((row for row in rows if row.start == start), None)


def _points(rows: Sequence[_Row]) -> list[tuple[date, float | None]]:
    """Give the values by period, and a null where a period between two others has no row."""
    points: list[tuple[date, float | None]] = []
    end = None
    for row in rows:
        if row.start is None:
            continue
        if end is not None and end < row.start:
            points.append((end, None))
        points.append((row.start, row.value))
        end = row.end
    return points


def _line(key: tuple[str, str, str, str], rows: Sequence[_Row], better: str, period: Period | None) -> Line:
    part, clock, segment, unit = key
    row = _at(rows, period) or _Row(None, None, unit, *[None] * 7)
    before = next((other for other in rows if other.end is not None and other.end == row.start), None)
    trend = sparkline(_points(rows), period.start) if period else None
    told = partial(value, unit=unit, working=clock == "business")
    no_interval = row.low is None or row.high is None
    return Line(
        part=part,
        clock=clock,
        segment=segment,
        value=told(row.value),
        n=count(row.n),
        open=count(row.open),
        excluded=count(row.excluded),
        interval=NOTHING if no_interval else f"{told(row.low)} to {told(row.high)}",
        change=_change(row, before),
        verdict=_verdict(row, before, better),
        trend=trend,
        lowest=told(trend.lowest) if trend else "",
        highest=told(trend.highest) if trend else "",
    )


def _change(row: _Row, before: _Row | None) -> str:
    if before is None or row.value is None or before.value is None:
        return ""
    return change(row.value, before.value, row.unit)


def _verdict(row: _Row, before: _Row | None, better: str) -> str:
    """Say better or worse only where the two intervals do not overlap: the rest may be noise."""
    if before is None or better == "neutral":
        return ""
    low, high, old_low, old_high = row.low, row.high, before.low, before.high
    if low is None or high is None or old_low is None or old_high is None:
        return ""
    if low > old_high:
        return "better" if better == "higher" else "worse"
    if high < old_low:
        return "better" if better == "lower" else "worse"
    return ""

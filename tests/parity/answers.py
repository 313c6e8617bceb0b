"""What the oracle answers with: the calendar, textbook formulas, figures of a cell, rows to compare."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from crmmining.definitions import Kpi
from crmmining.definitions.kpi import Conversion, Duration, Rework, Share, Value, Waiting
from crmmining.tables import OrgSpec

from .incidence import crossing

Z = 1.959963984540054  # 97.5 % point of the normal distribution
ROUNDING = 12  # digits that two ways of adding floats agree on

Fact = dict[str, Any]
CaseKpi = Share | Value | Duration | Conversion | Rework | Waiting
Segments = tuple[str | None, ...]


class Key(NamedTuple):
    """What names a row of the scorecard."""

    kpi: str
    part: str
    clock: str | None
    unit: str
    period_start: date | None
    segments: Segments


class Figure(NamedTuple):
    """What a row of the scorecard says."""

    value: float | None
    n: int
    open: int
    excluded: int
    truncated: int
    low: float | None = None
    high: float | None = None
    basis: str | None = None


def basis_of(kpi: Kpi) -> str:
    """When a bare segment word counts: as stated, else at the start, else now; events at their own time."""
    if kpi.basis is not None:
        return kpi.basis
    if isinstance(kpi, Duration | Conversion):
        return kpi.start
    if kpi.kind == "volume":
        return kpi.count if kpi.of == "cases" else "event"
    return "now"


def leaves_out(kpi: Kpi) -> bool:
    """Whether truncated cases are left out."""
    if kpi.truncated is not None:
        return kpi.truncated == "exclude"
    if isinstance(kpi, Duration | Conversion):
        return kpi.start != "created"
    return kpi.kind in ("rework", "waiting")


def first_day(instant: datetime, period: str, org: OrgSpec) -> date:
    """First day of the org's period that holds an instant."""
    day = instant.astimezone(ZoneInfo(org.time_zone)).date()
    if period == "day":
        return day
    if period == "week":
        return day - timedelta(days=day.weekday())
    months = day.year * 12 + day.month - 1  # since the year 0
    length = {"month": 1, "quarter": 3, "year": 12}[period]
    months -= (months - (org.fiscal_year_start - 1)) % length
    return date(months // 12, months % 12 + 1, 1)


def next_first_day(start: date, period: str) -> date:
    if period in ("day", "week"):
        return start + timedelta(days=1 if period == "day" else 7)
    months = start.year * 12 + start.month - 1 + {"month": 1, "quarter": 3, "year": 12}[period]
    return date(months // 12, months % 12 + 1, 1)


def midnight(day: date, org: OrgSpec) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(org.time_zone)).astimezone(UTC)


def quantile(values: Sequence[float], share: float) -> float | None:
    """Linear interpolation between the two nearest ranks."""
    if not values:
        return None
    ranked = sorted(values)
    place = (len(ranked) - 1) * share
    below = math.floor(place)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (ranked[above] - ranked[below]) * (place - below)


def mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def wilson(hits: int, n: int) -> tuple[float | None, float | None, float | None]:
    """Share with its 95 % score interval (Wilson 1927)."""
    if n == 0:
        return None, None, None
    share = hits / n
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return share, max(middle - half, 0.0), min(middle + half, 1.0)


def times(kpi: Duration, facts: list[Fact], clock: str, *, curve: bool) -> Iterator[tuple[str, Figure]]:
    """Parts of one cell of durations in one clock; cases without a calendar have no time in it."""
    timed = {place for place, fact in enumerate(facts) if fact["in"] and fact[clock] is not None}
    done = {place for place in timed if facts[place]["end"]}
    begun = {place for place in timed - done if facts[place]["open"]}
    counted, rest = split(kpi, facts, done, begun)
    seconds = [fact[clock] for fact in counted]
    yield "median", Figure(quantile(seconds, 0.5), *rest)
    yield "p90", Figure(quantile(seconds, 0.9), *rest)
    yield "mean", Figure(mean(seconds), *rest)
    seen = [facts[place] for place in sorted(timed)]
    if leaves_out(kpi):
        seen = [fact for fact in seen if not fact["truncated"]]
    half, low, high = crossing([(fact[clock], fact["way"]) for fact in seen]) if curve else (None, None, None)
    yield "median_with_open", Figure(half, *rest, low, high)


def waits(kpi: Waiting, facts: list[Fact], clock: str) -> Iterator[tuple[str, Figure]]:
    """Parts of one cell of waiting in one clock; `lived` and `waited` are null for a case without a life."""
    timed = {place for place, fact in enumerate(facts) if fact["in"] and fact["lived"][clock] is not None}
    ended = {place for place in timed if not facts[place]["open"]}
    if leaves_out(kpi):
        ended = {place for place in ended if facts[place]["truncated"] or not facts[place]["in_doubt"]}
    counted, rest = split(kpi, facts, ended, {place for place in timed if facts[place]["open"]})
    seconds = [fact["waited"][clock] // timedelta(seconds=1) for fact in counted]
    yield "median", Figure(quantile(seconds, 0.5), *rest)
    yield "p90", Figure(quantile(seconds, 0.9), *rest)
    yield "mean", Figure(mean(seconds), *rest)
    spent, life = (sum((fact[of][clock] for fact in counted), timedelta()) for of in ("waited", "lived"))
    yield "share", Figure(spent / life if life else None, *rest)


def figures(kpi: CaseKpi, facts: list[Fact], *, converted: bool) -> Iterator[tuple[str, Figure]]:
    """Parts of one cell of what is no time."""
    asked = [place for place, fact in enumerate(facts) if fact["in"]]
    others = {place for place, fact in enumerate(facts) if fact["open"]}
    match kpi.kind:
        case "conversion":
            entered = {place for place in asked if facts[place]["start"]}
            begun = {place for place in entered if not facts[place]["end"]}
            counted, rest = split(kpi, facts, entered, begun & others)
            reached = sum(fact["end"] is not None for fact in counted)
            share, low, high = wilson(reached, len(counted))
            yield "rate", Figure(share, *rest, low, high)
        case "share":
            counted, rest = split(kpi, facts, set(asked), others - set(asked))
            share, low, high = wilson(sum(fact["hit"] for fact in counted), len(counted))
            yield "share", Figure(share, *rest, low, high)
        case "rework":
            counted, rest = split(kpi, facts, set(asked), others - set(asked))
            share, low, high = wilson(sum(fact[kpi.what] > 0 for fact in counted), len(counted))
            yield "share", Figure(share, *rest, low, high)
            yield "per_case", Figure(mean([fact[kpi.what] for fact in counted]), *rest)
        case "value":
            column = f"{kpi.column}_reporting" if converted else kpi.column
            valued = {place for place in asked if facts[place][column] is not None}
            unconverted = {place for place in asked if facts[place][kpi.column] is not None} - valued
            counted, rest = split(kpi, facts, valued, others - valued - unconverted)
            numbers = [fact[column] for fact in counted]
            rounded = [round(number, 4) for number in numbers]
            total = math.fsum(rounded) if numbers else None
            value = {"sum": total, "mean": mean(rounded), "median": quantile(numbers, 0.5)}[kpi.agg]
            yield kpi.agg, Figure(value, *rest)


def split(
    kpi: Kpi, facts: list[Fact], counted: set[int], waiting: set[int]
) -> tuple[list[Fact], tuple[int, int, int, int]]:
    """Facts that count, by their places, and n, open, excluded, truncated.

    Truncated facts that the KPI leaves out neither count nor wait; else those that count are told.
    """
    cut_off = {place for place, fact in enumerate(facts) if fact["truncated"]}
    truncated = len((counted | waiting if leaves_out(kpi) else counted) & cut_off)
    if leaves_out(kpi):
        counted, waiting = counted - cut_off, waiting - cut_off
    excluded = len(facts) - len(counted | waiting)
    return [facts[place] for place in sorted(counted)], (len(counted), len(waiting), excluded, truncated)


def of_scorecard(scorecard: pl.DataFrame, by: Sequence[str]) -> dict[Key, Figure]:
    """The engine's rows in the oracle's form; no key may come twice."""
    answer: dict[Key, Figure] = {}
    for row in scorecard.rows(named=True):
        words = tuple(row[word] for word in by)
        key = Key(row["kpi"], row["part"], row["clock"], row["unit"], row["period_start"], words)
        assert key not in answer, f"two rows for {key}"
        answer[key] = Figure(*(row[name] for name in Figure._fields))
    return answer


def differences(expected: Mapping[Key, Figure], got: Mapping[Key, Figure]) -> list[str]:
    """One line per row that is missing, surplus or different; figures agree to twelve digits."""

    def same(one: float | str | None, other: float | str | None) -> bool:
        if not isinstance(one, float | int) or not isinstance(other, float | int):
            return one == other
        return math.isclose(one, other, rel_tol=10**-ROUNDING, abs_tol=10**-ROUNDING)

    lines = [f"missing {key}: {expected[key]}" for key in expected if key not in got]
    lines += [f"surplus {key}: {got[key]}" for key in got if key not in expected]
    lines += [
        f"{key}: expected {expected[key]}, got {got[key]}"
        for key in expected
        if key in got and not all(map(same, expected[key], got[key]))
    ]
    return lines

"""A second, naive implementation of every KPI kind: loops over raw events, textbook formulas, no engine.

It starts from event rows (case, activity, time, direction) in log order, the attributes of the cases and the
TOML of the process. Only the texts of `of` and `where` are not read by hand: DuckDB evaluates them, where the
engine uses Polars.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import duckdb
import polars as pl

from crmmining.definitions import Kpi, Process
from crmmining.definitions.kpi import Conversion, Duration, Rework, Share, Value
from crmmining.measure import Cut
from crmmining.tables import OrgSpec

INSTANT = pl.Datetime("us", "UTC")
DERIVED = {"open", "outcome", "outcome_at"}
Z = 1.959963984540054  # 97.5 % point of the normal distribution
ROUNDING = 12  # digits that two ways of adding floats agree on

TICK = timedelta(microseconds=1)

Fact = dict[str, Any]
CaseKpi = Share | Value | Duration | Conversion | Rework
Segments = tuple[str | None, ...]


class Key(NamedTuple):
    """What names a row of the scorecard."""

    kpi: str
    part: str
    unit: str
    period_start: date | None
    segments: Segments


class Figure(NamedTuple):
    """What a row of the scorecard says."""

    value: float | None
    n: int
    open: int
    excluded: int
    low: float | None = None
    high: float | None = None


class Event(NamedTuple):
    activity: str
    at: datetime
    direction: int | None


def stands_for(names: Iterable[str], activity: str) -> bool:
    return any(
        activity == name or (name.endswith(": *") and activity.startswith(name[:-1])) for name in names
    )


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


def inside(instant: datetime | None, cut: Cut) -> bool:
    """Whether something dated `instant` is asked for."""
    if instant is None:
        return not (cut.since or cut.until)
    return not (cut.since and instant < cut.since) and not (cut.until and instant >= cut.until)


class Oracle:
    """The naive answers for one log."""

    def __init__(self, process: Process, events: pl.DataFrame, cases: pl.DataFrame, as_of: datetime) -> None:
        self.process, self.as_of = process, as_of
        attributes = cases.drop(DERIVED & set(cases.columns)).rows(named=True)
        self.traces: dict[str, list[Event]] = {case["case_id"]: [] for case in attributes}
        for case, activity, at, direction in events.select(
            "case_id", pl.col("activity").cast(pl.String), "occurred_at", "direction"
        ).rows():
            self.traces[case].append(Event(activity, at, direction))
        met = {event.activity for trace in self.traces.values() for event in trace}
        named = process.milestones | {"core": process.sets["core"]}
        self.activities = {word: {a for a in met if stands_for(names, a)} for word, names in named.items()}
        self.facts = [self.fact(case, self.traces[case["case_id"]]) for case in attributes]
        schema: dict[str, Any] = {name: dtype for name, dtype in cases.schema.items() if name not in DERIVED}
        for word in process.milestones:
            schema |= {f"{word}_at": INSTANT, f"{word}_last": INSTANT, f"{word}_n": pl.Int64()}
        schema |= {"open": pl.Boolean(), "outcome": pl.String(), "outcome_at": INSTANT}
        for count in ("repeats", "self_loops", "regressions", "skips", "reopens"):
            schema[count] = pl.Int64()
        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.register("facts", pl.DataFrame(self.facts, schema=schema).to_arrow())

    def milestone(self, word: str, trace: list[Event]) -> list[Event]:
        return [event for event in trace if event.activity in self.activities[word]]

    def fact(self, case: Fact, trace: list[Event]) -> Fact:
        fact = dict(case)
        for word in self.process.milestones:
            passed = [event.at for event in self.milestone(word, trace)]
            fact[f"{word}_at"] = min(passed, default=None)
            fact[f"{word}_last"] = max(passed, default=None)
            fact[f"{word}_n"] = len(passed)
        fact["open"], fact["outcome"], fact["outcome_at"] = True, None, None
        fact["reopens"] = 0
        for event in trace:
            for word in self.process.ends:
                if event.activity in self.activities[word]:
                    fact["open"], fact["outcome"], fact["outcome_at"] = False, word, event.at
            for word in self.process.reopens:
                if event.activity in self.activities[word]:
                    fact["open"], fact["outcome"], fact["outcome_at"] = True, None, None
                    fact["reopens"] += 1
        core = [event for event in trace if event.activity in self.activities["core"]]
        fact["repeats"] = len(core) - len({event.activity for event in core})
        fact["self_loops"] = sum(a.activity == b.activity for a, b in pairwise(core))
        fact["regressions"] = sum(event.direction == -1 for event in core)
        fact["skips"] = sum(event.direction == 2 for event in core)
        return fact

    def pair(self, start: str, end: str, trace: list[Event]) -> tuple[datetime | None, datetime | None]:
        """First start and the first end at a later place."""
        places = [place for place, event in enumerate(trace) if event.activity in self.activities[start]]
        if not places:
            return None, None
        later = self.milestone(end, trace[places[0] + 1 :])
        return trace[places[0]].at, later[0].at if later else None

    def true_of(self, condition: str | None) -> set[str]:
        """Cases of which a condition is true; null is not true."""
        if condition is None:
            return set(self.traces)
        query = f"SELECT case_id FROM facts WHERE {condition}"  # noqa: S608  (our own definitions)
        return {row[0] for row in self.connection.sql(query).fetchall()}

    def answer(self, kpi: Kpi, cut: Cut) -> dict[Key, Figure]:
        """Every row of one KPI."""
        match kpi.kind:
            case "stock":
                return self.stock(kpi, cut)
            case "volume":
                return self.volume(kpi, cut)
            case _:
                return self.of_cases(kpi, cut)

    def segments(self, fact: Fact, cut: Cut) -> Segments:
        columns = (self.process.segments.get(word) for word in cut.by)
        return tuple(fact[column] if column else None for column in columns)

    def period(self, instant: datetime | None, cut: Cut) -> date | None:
        return first_day(instant, cut.period, cut.org) if cut.period and instant else None

    def cells(
        self, dated: Iterable[tuple[Fact, datetime | None]], cut: Cut
    ) -> dict[tuple[date | None, Segments], list[Fact]]:
        """Facts per period and segments, those dated outside the window left out."""
        cells: dict[tuple[date | None, Segments], list[Fact]] = defaultdict(list)
        if not cut.period and not cut.by:
            cells[None, ()] = []
        for fact, instant in dated:
            if inside(instant, cut):
                cells[self.period(instant, cut), self.segments(fact, cut)].append(fact)
        return cells

    def periods(self, first: date, cut: Cut) -> Iterator[date]:
        """Periods from one on to that of as_of or of the end of the window."""
        assert cut.period
        last = min(self.as_of, cut.until - TICK) if cut.until else self.as_of
        while first <= first_day(last, cut.period, cut.org):
            yield first
            first = next_first_day(first, cut.period)

    def states(self, trace: list[Event]) -> list[tuple[datetime, bool]]:
        """Since when a case is open or closed: open from its creation, then as ends and reopenings say.

        A case whose creation is not in the log is open from its first event on.
        """
        opening = {"created", *self.process.reopens}
        created = bool(self.milestone("created", trace))
        states = []
        for place, event in enumerate(trace):
            if any(event.activity in self.activities[word] for word in self.process.ends):
                states.append((event.at, False))
            elif any(event.activity in self.activities[word] for word in opening) or (
                place == 0 and not created
            ):
                states.append((event.at, True))
        return states

    def stock(self, kpi: Kpi, cut: Cut) -> dict[Key, Figure]:
        groups: dict[Segments, list[list[tuple[datetime, bool]]]] = defaultdict(list)
        if not cut.by:
            groups[()] = []
        for fact in self.facts:
            groups[self.segments(fact, cut)].append(self.states(self.traces[fact["case_id"]]))
        after = self.as_of + TICK
        moments: dict[date | None, datetime] = {None: after}
        if cut.period:
            opened = [[at for at, is_open in self.states(t) if is_open] for t in self.traces.values()]
            born = [times[0] for times in opened if times]
            starts = self.periods(first_day(min(born), cut.period, cut.org), cut) if born else ()
            moments = {
                start: min(midnight(next_first_day(start, cut.period), cut.org), after)
                for start in starts
                if inside(midnight(start, cut.org), cut)
            }
        answer: dict[Key, Figure] = {}
        for segments, cases in groups.items():
            for start, moment in moments.items():
                known = [[is_open for since, is_open in states if since < moment] for states in cases]
                count = sum(states[-1] for states in known if states)
                answer[Key(kpi.name, "open_cases", kpi.unit, start, segments)] = Figure(count, count, 0, 0)
        return answer

    def volume(self, kpi: Kpi, cut: Cut) -> dict[Key, Figure]:
        assert kpi.kind == "volume"
        answer: dict[Key, Figure] = {}
        counted = (
            [(fact, fact[f"{kpi.count}_at"]) for fact in self.facts]
            if kpi.of == "cases"
            else [
                (fact, event.at)
                for fact in self.facts
                for event in self.milestone(kpi.count, self.traces[fact["case_id"]])
            ]
        )
        for (start, segments), facts in self.cells(counted, cut).items():
            reached = sum(fact[f"{kpi.count}_n"] > 0 for fact in facts)
            waiting = sum(fact[f"{kpi.count}_n"] == 0 and fact["open"] for fact in facts)
            figure = Figure(reached, reached, waiting, len(facts) - reached - waiting)
            answer[Key(kpi.name, "count", kpi.unit, start, segments)] = figure
        starts = [key.period_start for key in answer if key.period_start]
        if cut.period and cut.since:
            starts = [first_day(cut.since, cut.period, cut.org)]
        met = {key.segments for key in answer if key.period_start} if cut.by else {()}
        for start in self.periods(min(starts), cut) if starts else ():
            for segments in met:
                answer.setdefault(Key(kpi.name, "count", kpi.unit, start, segments), Figure(0, 0, 0, 0))
        return answer

    def of_cases(self, kpi: CaseKpi, cut: Cut) -> dict[Key, Figure]:
        """Kinds with one row per case behind them."""
        population = self.true_of(kpi.of)
        hits = self.true_of(kpi.where) if kpi.kind == "share" else set()
        rows: list[tuple[Fact, datetime | None]] = []
        for fact in self.facts:
            mine = fact | {"in": fact["case_id"] in population, "hit": fact["case_id"] in hits}
            if kpi.kind in ("duration", "conversion"):
                mine["start"], mine["end"] = self.pair(kpi.start, kpi.end, self.traces[fact["case_id"]])
            if isinstance(kpi, Conversion):
                dated = mine["start"]
            elif isinstance(kpi, Duration):
                dated = mine[kpi.period]
            else:
                dated = mine["outcome_at" if kpi.period == "outcome" else f"{kpi.period}_at"]
            rows.append((mine, dated))
        answer: dict[Key, Figure] = {}
        for (start, segments), facts in self.cells(rows, cut).items():
            money = kpi.unit == "money"
            units = sorted({fact["currency"] for fact in facts}) if money else [kpi.unit]
            for unit in units:
                members = [fact for fact in facts if not money or fact["currency"] == unit]
                for part, figure in figures(kpi, members):
                    of_part = "number" if part == "per_case" else unit
                    answer[Key(kpi.name, part, of_part, start, segments)] = figure
        return answer


def figures(kpi: CaseKpi, facts: list[Fact]) -> Iterator[tuple[str, Figure]]:
    """Parts of one cell."""
    match kpi.kind:
        case "duration":
            done = [fact for fact in facts if fact["in"] and fact["start"] and fact["end"]]
            waiting = [
                fact for fact in facts if fact["in"] and fact["start"] and not fact["end"] and fact["open"]
            ]
            seconds = [(fact["end"] - fact["start"]).total_seconds() for fact in done]
            rest = (len(done), len(waiting), len(facts) - len(done) - len(waiting))
            yield "median", Figure(quantile(seconds, 0.5), *rest)
            yield "p90", Figure(quantile(seconds, 0.9), *rest)
            yield "mean", Figure(mean(seconds), *rest)
        case "conversion":
            entered = [fact for fact in facts if fact["in"] and fact["start"]]
            reached = sum(fact["end"] is not None for fact in entered)
            waiting = [fact for fact in entered if not fact["end"] and fact["open"]]
            share, low, high = wilson(reached, len(entered))
            yield (
                "rate",
                Figure(share, len(entered), len(waiting), len(facts) - len(entered), low, high),
            )
        case "share":
            counted, rest = split(facts, {id(fact) for fact in facts if fact["in"]})
            share, low, high = wilson(sum(fact["hit"] for fact in counted), len(counted))
            yield "share", Figure(share, *rest, low, high)
        case "rework":
            counted, rest = split(facts, {id(fact) for fact in facts if fact["in"]})
            share, low, high = wilson(sum(fact[kpi.what] > 0 for fact in counted), len(counted))
            yield "share", Figure(share, *rest, low, high)
            yield "per_case", Figure(mean([fact[kpi.what] for fact in counted]), *rest)
        case "value":
            valued = {id(fact) for fact in facts if fact["in"] and fact[kpi.column] is not None}
            counted, rest = split(facts, valued)
            numbers = [fact[kpi.column] for fact in counted]
            total = math.fsum(numbers) if numbers else None
            value = {"sum": total, "mean": mean(numbers), "median": quantile(numbers, 0.5)}[kpi.agg]
            yield kpi.agg, Figure(value, *rest)


def split(facts: list[Fact], chosen: set[int]) -> tuple[list[Fact], tuple[int, int, int]]:
    """Counted facts, and n, open, excluded: who is not counted waits while open, else is excluded."""
    counted = [fact for fact in facts if id(fact) in chosen]
    waiting = sum(fact["open"] for fact in facts if id(fact) not in chosen)
    return counted, (len(counted), waiting, len(facts) - len(counted) - waiting)


def of_scorecard(scorecard: pl.DataFrame, by: Sequence[str]) -> dict[Key, Figure]:
    """The engine's rows in the oracle's form; no key may come twice."""
    answer: dict[Key, Figure] = {}
    for row in scorecard.rows(named=True):
        key = Key(row["kpi"], row["part"], row["unit"], row["period_start"], tuple(row[word] for word in by))
        assert key not in answer, f"two rows for {key}"
        answer[key] = Figure(*(row[name] for name in Figure._fields))
    return answer


def differences(expected: Mapping[Key, Figure], got: Mapping[Key, Figure]) -> list[str]:
    """One line per row that is missing, surplus or different; figures agree to twelve digits."""

    def same(one: float | None, other: float | None) -> bool:
        if one is None or other is None:
            return one is other
        return math.isclose(one, other, rel_tol=10**-ROUNDING, abs_tol=10**-ROUNDING)

    lines = [f"missing {key}: {expected[key]}" for key in expected if key not in got]
    lines += [f"surplus {key}: {got[key]}" for key in got if key not in expected]
    lines += [
        f"{key}: expected {expected[key]}, got {got[key]}"
        for key in expected
        if key in got and not all(map(same, expected[key], got[key]))
    ]
    return lines

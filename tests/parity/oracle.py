"""A second, naive implementation of every KPI kind: loops over raw events, textbook formulas, no engine.

It starts from event rows (case, activity, time, direction) in log order, the attributes of the cases, the
changes of these (case, attribute, time, value) and the TOML of the process. Only the texts of `of` and
`where` are not read by hand: DuckDB evaluates them, where the engine uses Polars.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

import duckdb
import polars as pl

from crmmining.definitions import Kpi, Process
from crmmining.definitions.kpi import Conversion, Duration, Share, Sla, Value, Waiting
from crmmining.eventlog import EventLog
from crmmining.measure import Cut

from ..waiting.naive import Naive, Row  # noqa: TID252 - of the folder beside
from .answers import (
    CaseKpi,
    Fact,
    Figure,
    Key,
    Segments,
    basis_of,
    figures,
    first_day,
    leaves_out,
    midnight,
    next_first_day,
    split,
    times,
    waits,
    wilson,
)
from .hours import Hours, worked
from .owners import handovers_of
from .service import milestones_of, standing

INSTANT = pl.Datetime("us", "UTC")
DERIVED = {"open", "outcome", "outcome_at"}
TICK = timedelta(microseconds=1)


class Event(NamedTuple):
    activity: str
    at: datetime
    direction: int | None
    delta: float | None = None


class Change(NamedTuple):
    case: str
    attribute: str
    since: datetime
    value: str | None


def stands_for(names: Iterable[str], activity: str) -> bool:
    return any(
        activity == name or (name.endswith(": *") and activity.startswith(name[:-1])) for name in names
    )


def inside(instant: datetime | None, cut: Cut) -> bool:
    """Whether something dated `instant` is asked for."""
    if instant is None:
        return not (cut.since or cut.until)
    return not (cut.since and instant < cut.since) and not (cut.until and instant >= cut.until)


class Oracle:
    """The naive answers for one log."""

    def __init__(
        self,
        process: Process,
        events: pl.DataFrame,
        cases: pl.DataFrame,
        as_of: datetime,
        changes: Iterable[Change],
        *,
        hours: Hours | None = None,
        waits: Iterable[Row] = (),
    ) -> None:
        self.process, self.events, self.as_of, self.hours = process, events, as_of, hours
        self.changes: dict[tuple[str, str], list[Change]] = defaultdict(list)
        for change in changes:
            self.changes[change.case, change.attribute].append(change)
        self.tracked = {attribute for _, attribute in self.changes}
        self.waits: dict[str, list[Row]] = defaultdict(list)
        for row in waits:
            self.waits[row[0]].append(row)
        attributes = cases.drop(DERIVED & set(cases.columns)).rows(named=True)
        self.traces: dict[str, list[Event]] = {case["case_id"]: [] for case in attributes}
        told = ["occurred_at", "direction", *(["delta"] if process.sums else [])]
        for case, *event in events.select("case_id", pl.col("activity").cast(pl.String), *told).rows():
            self.traces[case].append(Event(*event))
        met = {event.activity for trace in self.traces.values() for event in trace}
        named = process.milestones | {"core": process.sets["core"]}
        self.activities = {word: {a for a in met if stands_for(names, a)} for word, names in named.items()}
        self.facts = [self.fact(case, self.traces[case["case_id"]]) for case in attributes]
        schema: dict[str, Any] = {name: dtype for name, dtype in cases.schema.items() if name not in DERIVED}
        for word in process.milestones:
            schema |= {f"{word}_at": INSTANT, f"{word}_last": INSTANT, f"{word}_n": pl.Int64()}
        schema |= dict.fromkeys(process.sums, pl.Float64())
        schema |= {"open": pl.Boolean(), "outcome": pl.String(), "outcome_at": INSTANT}
        for count in ("repeats", "self_loops", "regressions", "skips", "reopens", *handovers_of([], [])):
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
        for word, milestone in self.process.sums.items():
            fact[word] = math.fsum(event.delta or 0 for event in self.milestone(milestone, trace))
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
        fact |= handovers_of(*(self.changes.get((fact["case_id"], word), []) for word in ("owner", "queue")))
        return fact

    def pair(self, start: str, end: str, trace: list[Event]) -> tuple[datetime | None, datetime | None]:
        """First start and the first end at a later place; `outcome`: the closing in force, if not before."""
        places = [place for place, event in enumerate(trace) if event.activity in self.activities[start]]
        if not places:
            return None, None
        if end == "outcome":
            ends = [event for event in trace if self.turns(event) is not None]
            at = ends[-1].at if ends and self.turns(ends[-1]) else None
            begun, closing = trace[places[0]].at, self.turns(trace[places[0]])
            return begun, at if at and (at > begun or (at == begun and not closing)) else None
        later = self.milestone(end, trace[places[0] + 1 :])
        return trace[places[0]].at, later[0].at if later else None

    def numbers(self, column: str) -> dict[str, float | None]:
        """What an expression gives for every case; nothing for a fact as it is."""
        if column in self.facts[0]:
            return {}
        query = f"SELECT case_id, CAST({column} AS DOUBLE) FROM facts"  # noqa: S608  (our own definitions)
        return dict(self.connection.sql(query).fetchall())

    def turns(self, event: Event) -> bool | None:
        """Whether an event ends its case; null when it neither ends nor reopens it."""
        if any(event.activity in self.activities[word] for word in self.process.reopens):
            return False
        return any(event.activity in self.activities[word] for word in self.process.ends) or None

    def service_levels(self, kpi: Sla, cut: Cut) -> dict[Key, Figure]:
        """Milestones one by one, each in the cell of its target."""
        facts = {fact["case_id"]: fact for fact in self.facts}
        population, rows = self.true_of(kpi.of), []
        turns: dict[str, list[tuple[datetime, bool]]] = defaultdict(list)
        for case, told_of in self.traces.items():
            said = [(event.at, self.turns(event)) for event in told_of]
            turns[case] = [(moment, closes) for moment, closes in said if closes is not None]
        for one in milestones_of(self.events, self.activities[kpi.start], self.activities[kpi.end]):
            fact = facts[one.case]
            state, again = standing(one, fact, self.as_of, turns[one.case])
            named = kpi.milestone is None or (one.name or "").strip().lower() == kpi.milestone.strip().lower()
            if again != kpi.after_reopening or not named:
                continue
            own_time = min(at for at in (one.completed, one.target, self.as_of) if at is not None)
            rows.append((fact | {"in": one.case in population, "state": state, "own": own_time}, one.target))
        cells: dict[tuple[date | None, Segments], list[Fact]] = defaultdict(list)
        if not cut.period and not cut.by:
            cells[None, ()] = []
        for fact, target in rows:
            if inside(target, cut):
                where = self.segments(fact, kpi, cut, fact["own"])
                cells[self.period(target, cut), where].append(fact)
        answer = {}
        for (start, segments), told in cells.items():
            states = [fact["state"] if fact["in"] else "none" for fact in told]
            decided = {at for at, state in enumerate(states) if state in ("met", "violated", "running_late")}
            waiting = {at for at, state in enumerate(states) if state in ("running", "stopped")}
            counted, rest = split(kpi, told, decided, waiting)
            share, low, high = wilson(sum(fact["state"] == "met" for fact in counted), len(counted))
            answer[Key(kpi.name, "share", None, kpi.unit, start, segments)] = Figure(share, *rest, low, high)
        return answer

    def lasted(self, fact: Fact, started: str) -> Fact:
        """How a case's wait for the end came out, and whole seconds until then in each clock."""
        start, end = fact["start"], fact["end"]
        if start is None:
            return {"way": None, "calendar": None, "business": None}
        closed_at = fact["outcome_at"]
        by_closing = any(self.activities[started] & self.activities[word] for word in self.process.ends)
        if end:
            way, until = "reached", end
        elif not fact["open"] and (closed_at > start or (closed_at == start and not by_closing)):
            way, until = "competing", closed_at
        else:
            way, until = "censored", self.as_of
        known: Fact = {"way": way, "calendar": (until - start) // timedelta(seconds=1), "business": None}
        if self.hours:
            office = self.hours.of(lambda word: self.segment(fact, word, self.standing(word), start))
            known["business"] = worked(office, start, until)
        return known

    def waited(self, fact: Fact, kpi: Waiting) -> Fact:
        """How long a case lived and waited as the KPI asks, in each clock, and whether all of it is known."""
        rows = self.waits[fact["case_id"]]
        if any(turn is None for _, turn, _, _ in rows):
            nothing = {"calendar": None, "business": None}
            return {"lived": nothing, "waited": nothing, "in_doubt": False}
        mine = [row for row in rows if row[1] in kpi.classes]
        added = [
            {
                "business": sum((inside or timedelta() for _, _, inside, _ in some), timedelta()),
                "calendar": sum((elapsed or timedelta() for _, _, _, elapsed in some), timedelta()),
            }
            for some in (rows, mine)
        ]
        doubt = any(turn == "unknown" for _, turn, _, _ in rows)
        return {"lived": added[0], "waited": added[1], "in_doubt": doubt}

    def standing(self, word: str) -> str | None:
        """How a word that assigns calendars stands: as it was at the start, where it has a history."""
        if word not in self.process.segments:
            return None
        return "event" if self.process.segments[word] in self.tracked else "now"

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
                found = self.stock(kpi, cut)
            case "volume":
                found = self.volume(kpi, cut)
            case "sla":
                found = self.service_levels(kpi, cut)
            case _:
                found = self.of_cases(kpi, cut)
        return {key: figure._replace(basis=self.told(kpi, cut)) for key, figure in found.items()}

    def basis(self, asked: str, kpi: Kpi) -> str | None:
        """When one segment counts; null where the process has no such word or milestone."""
        word, _, moment = asked.partition("@")
        if word not in self.process.segments:
            return None
        if moment and moment not in {*self.process.milestones, "outcome", "now"}:
            return None
        return (moment or basis_of(kpi)) if self.process.segments[word] in self.tracked else "now"

    def told(self, kpi: Kpi, cut: Cut) -> str | None:
        """What a row says of the basis of its segments."""
        bases = {asked: self.basis(asked, kpi) for asked in cut.by}
        known = [(asked.split("@")[0], basis) for asked, basis in bases.items() if basis]
        if len({basis for _, basis in known}) > 1:
            return ", ".join(f"{word}@{basis}" for word, basis in known)
        return known[0][1] if known else None

    def segments(self, fact: Fact, kpi: Kpi, cut: Cut, event_at: datetime | None = None) -> Segments:
        return tuple(self.segment(fact, asked, self.basis(asked, kpi), event_at) for asked in cut.by)

    def segment(self, fact: Fact, asked: str, basis: str | None, event_at: datetime | None) -> str | None:
        if basis is None:
            return None
        attribute = self.process.segments[asked.partition("@")[0]]
        now: str | None = fact[attribute]
        if basis == "now":
            return now
        moment: datetime | None = event_at if basis == "event" else fact[f"{basis}_at"]
        own = self.changes.get((fact["case_id"], attribute), [])
        if moment is None:
            return None
        earlier = [change for change in own if change.since <= moment]
        return (earlier[-1] if earlier else own[0]).value if own else now

    def period(self, instant: datetime | None, cut: Cut) -> date | None:
        return first_day(instant, cut.period, cut.org) if cut.period and instant else None

    def cells(
        self, dated: Iterable[tuple[Fact, datetime | None]], kpi: Kpi, cut: Cut
    ) -> dict[tuple[date | None, Segments], list[Fact]]:
        """Facts per period and segments, those dated outside the window left out."""
        cells: dict[tuple[date | None, Segments], list[Fact]] = defaultdict(list)
        if not cut.period and not cut.by:
            cells[None, ()] = []
        for fact, instant in dated:
            if inside(instant, cut):
                cells[self.period(instant, cut), self.segments(fact, kpi, cut, instant)].append(fact)
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
        groups: dict[Segments, list[tuple[bool, list[tuple[datetime, bool]]]]] = defaultdict(list)
        if not cut.by:
            groups[()] = []
        for fact in self.facts:
            states = self.states(self.traces[fact["case_id"]])
            groups[self.segments(fact, kpi, cut)].append((fact["truncated"], states))
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
                known = [
                    (truncated, [is_open for since, is_open in states if since < moment])
                    for truncated, states in cases
                ]
                held = [truncated for truncated, states in known if states and states[-1]]
                left_out = sum(held) if leaves_out(kpi) else 0
                count = len(held) - left_out
                answer[Key(kpi.name, "open_cases", None, kpi.unit, start, segments)] = Figure(
                    count, count, 0, left_out, sum(held)
                )
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
        for (start, segments), facts in self.cells(counted, kpi, cut).items():
            reached = [place for place, fact in enumerate(facts) if fact[f"{kpi.count}_n"] > 0]
            waiting = [
                place for place, fact in enumerate(facts) if fact[f"{kpi.count}_n"] == 0 and fact["open"]
            ]
            members, rest = split(kpi, facts, set(reached), set(waiting))
            answer[Key(kpi.name, "count", None, kpi.unit, start, segments)] = Figure(len(members), *rest)
        starts = [key.period_start for key in answer if key.period_start]
        if cut.period and cut.since:
            starts = [first_day(cut.since, cut.period, cut.org)]
        met = {key.segments for key in answer if key.period_start} if cut.by else {()}
        for start in self.periods(min(starts), cut) if starts else ():
            for segments in met:
                answer.setdefault(
                    Key(kpi.name, "count", None, kpi.unit, start, segments), Figure(0, 0, 0, 0, 0)
                )
        return answer

    def dated(self, kpi: CaseKpi, mine: Fact) -> datetime | None:
        """When a case counts; with `start` and `end`, and whether it was followed for long enough."""
        if isinstance(kpi, Duration | Conversion):
            mine["start"], mine["end"] = self.pair(kpi.start, kpi.end, self.traces[mine["case_id"]])
            mine |= self.lasted(mine, kpi.start)
            name = str(kpi.period) if isinstance(kpi, Duration) else "start"
        else:
            name = f"{kpi.period}_at"
        if isinstance(kpi, Conversion) and mine["start"] is not None and kpi.within_days is not None:
            until = mine["start"] + timedelta(days=kpi.within_days)
            mine["followed"] = until <= self.as_of
            mine["end"] = mine["end"] if mine["end"] and mine["end"] <= until else None
        dated: datetime | None = mine[name]
        return dated

    def of_cases(self, kpi: CaseKpi, cut: Cut) -> dict[Key, Figure]:
        """Kinds with one row per case behind them."""
        population = self.true_of(kpi.of)
        hits = set()
        if isinstance(kpi, Share):
            hits = self.true_of(kpi.where).difference(*map(self.true_of, kpi.unless.values()))
        numbers = self.numbers(kpi.column) if isinstance(kpi, Value) else {}
        rows: list[tuple[Fact, datetime | None]] = []
        for fact in self.facts:
            mine = fact | {"in": fact["case_id"] in population, "hit": fact["case_id"] in hits}
            if isinstance(kpi, Value):
                mine[kpi.column] = numbers.get(fact["case_id"], mine.get(kpi.column))
            if isinstance(kpi, Waiting):
                mine |= self.waited(fact, kpi)
            dated = self.dated(kpi, mine)
            rows.append((mine, dated))
        answer: dict[Key, Figure] = {}
        asked = isinstance(kpi, Value) and kpi.unit == "money" and kpi.currency == "reporting"
        converted = isinstance(kpi, Value) and asked and f"{kpi.column}_reporting" in self.facts[0]
        for (start, segments), facts in self.cells(rows, kpi, cut).items():
            apart = kpi.unit == "money" and not converted
            units = [self.facts[0]["reporting_currency"] if converted else kpi.unit]
            units = sorted({fact["currency"] for fact in facts}) if apart else units
            for unit in units:
                members = [fact for fact in facts if not apart or fact["currency"] == unit]
                for part, clock, figure in self.parts(kpi, members, cut, converted=converted):
                    of_part = {"per_case": "number", "share": "share"}.get(part, unit)
                    answer[Key(kpi.name, part, clock, of_part, start, segments)] = figure
        return answer

    def parts(
        self, kpi: CaseKpi, facts: list[Fact], cut: Cut, *, converted: bool
    ) -> Iterator[tuple[str, str | None, Figure]]:
        """Parts of one cell, times once in each clock."""
        if not isinstance(kpi, Duration | Waiting):
            yield from ((part, None, figure) for part, figure in figures(kpi, facts, converted=converted))
            return
        curve = kpi.period == "start" or not (cut.period or cut.since or cut.until)
        early = {None, "now", "created", getattr(kpi, "start", None)}  # open cases have no later segment
        curve = curve and all(self.basis(asked, kpi) in early for asked in cut.by)
        for clock in ("calendar", *(["business"] if self.hours else [])):
            if isinstance(kpi, Waiting):
                yield from ((part, clock, figure) for part, figure in waits(kpi, facts, clock))
            else:
                yield from ((part, clock, figure) for part, figure in times(kpi, facts, clock, curve=curve))


def changes_of(log: EventLog) -> Iterator[Change]:
    """How attributes changed, as the log keeps it."""
    for partition in log.partitions:
        ids = partition.cases["case_id"].to_list()
        rows = partition.values.with_columns(pl.col("attribute").cast(pl.String))
        for case, attribute, since, value in rows.select("case_ix", "attribute", "since", "value").rows():
            yield Change(ids[case], attribute, since, value)


def oracle_of(log: EventLog, hours: Hours | None = None) -> Oracle:
    """The oracle of a log that was read from a source."""
    waits = Naive(log).rows() if log.process.waiting else ()
    return Oracle(log.process, log.events, log.cases, log.as_of, changes_of(log), hours=hours, waits=waits)

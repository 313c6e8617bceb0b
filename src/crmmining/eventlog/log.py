"""EventLog: what a person asks about one process."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Literal, TypeVar

import polars as pl

from crmmining import disclosure, summaries
from crmmining.calendars import Calendars
from crmmining.definitions import Process
from crmmining.definitions.kpi import Clock
from crmmining.definitions.segments import OUTCOME, Segment, segment
from crmmining.errors import CrmMiningError, UnknownNameError
from crmmining.eventlog import expressions, filtering, naming, scanning, spans, standing, stored
from crmmining.eventlog.engine import Engine, Here
from crmmining.eventlog.facts import facts
from crmmining.eventlog.partition import Partition, split
from crmmining.kernels import merge, rework, transitions, variants

T = TypeVar("T")
_NOT_SAID = frozenset({"not said"})  # by identity


@dataclass(frozen=True, repr=False)
class EventLog:
    """What happened in one process, as of one moment.

    `cases`: case_id, created_at, open, outcome (milestone of the closing in force, null while open),
    outcome_at (when that was), truncated and the attributes. `events`: case_id, activity, occurred_at,
    recorded_at, actor, source_table and source_id (the row that tells it), change_set (inside a case, the
    events of one save share it), old_value, new_value, direction, delta, date_only, sorted by case, time,
    rank, place in the save and source Id. `quality`: table, disposition, reason, rows, examples; per table
    the rows add up to rows in. `tracked`: attributes with a history, here or in the log this is a part of.

    >>> import crmmining as cm
    >>> log = cm.connect("data/sample").event_log("case")
    >>> log
    EventLog(case: 416 cases, 5289 events, as_of=2025-12-31T23:14:29Z)
    >>> log.events.columns[:3], log.cases.columns[:2]
    (['case_id', 'activity', 'occurred_at'], ['case_id', 'created_at'])
    """

    process: Process
    as_of: datetime
    activities: tuple[str, ...]
    partitions: Sequence[Partition]
    quality: pl.DataFrame
    off: tuple[str, ...] = ()
    minimum_group: int | None = None  # cases that a figure about people must stand for
    tracked: frozenset[str] = _NOT_SAID  # attributes with a history, in this log or the one it is a part of
    engine: Engine = field(default_factory=Here)
    memory: int | None = None  # bytes that one frame of all events or cases may take; null: no bound
    calendars: Calendars | None = None  # null where the source has none: then there is no business time

    def __post_init__(self) -> None:
        if self.tracked is _NOT_SAID:
            object.__setattr__(self, "tracked", standing.tracked(self.partitions))

    def __repr__(self) -> str:
        cases, events = self.sizes
        moment = f"{self.as_of:%Y-%m-%dT%H:%M:%SZ}"
        return f"EventLog({self.process.name}: {cases} cases, {events} events, as_of={moment})"

    @cached_property
    def sizes(self) -> tuple[int, int]:
        """How many cases and events there are."""
        cases, events = zip(*(p.sizes for p in self.partitions), strict=True)
        return sum(cases), sum(events)

    def each(self, ask: Callable[["EventLog"], T]) -> Iterator[T]:
        """What `ask` answers for the log of each partition, in their order; the engine does the asking.

        >>> import crmmining as cm
        >>> list(cm.connect("data/sample").event_log("case").each(lambda log: log.cases.height))
        [416]
        """
        if len(self.partitions) == 1 and not self.engine.elsewhere:
            return iter([ask(self)])
        head = replace(self, partitions=(), engine=Here())
        return self.engine.map(partial(_asked, head, ask), self.partitions)

    @property
    def only(self) -> Partition:
        """The partition of a log that has one, as those have that `each` asks."""
        (found,) = self.partitions
        return found

    @cached_property
    def blank(self) -> "EventLog":
        """A log of the same columns without a case."""
        return replace(self, partitions=(self.partitions[0].blank,), engine=Here())

    @cached_property
    def events(self) -> pl.DataFrame:
        """All events, activity as Enum, case by its Id; `CrmMiningError` where memory does not hold them."""
        shown = partial(scanning.shown, activities=self.activities)
        scanning.refuse(self.partitions, self.memory, "events", shown)
        return self.scan().collect()

    @cached_property
    def cases(self) -> pl.DataFrame:
        """One row per case; `CrmMiningError` where memory does not hold them."""
        scanning.refuse(self.partitions, self.memory, "cases", lambda one: one.cases)
        return pl.concat(self.each(lambda log: log.only.cases.drop("case_ix")))

    def scan(self, *attributes: str) -> pl.LazyFrame:
        """All events, lazily, partition by partition; with `attributes` as they were at each event's time.

        A change told by the save that tells the event has happened. Types are those of `cases`. Events of a
        stored log are read when they are asked for, one partition at a time: `sink_parquet` writes them out.
        """
        return scanning.scan(self.partitions, self.activities, attributes)

    def at(self, milestone: str, *attributes: str) -> pl.DataFrame:
        """Attributes as they were when a case first passed a milestone or activity, in the order of `cases`.

        `outcome` stands for the closing in force. A change told by the very save counts; a case that never
        came there has nulls; an attribute without a history is what it is now. Types are those of `cases`;
        a text in a history that does not read as one is null. Without `attributes` all there are.

        >>> import crmmining as cm
        >>> log = cm.connect("data/sample").event_log("opportunity")
        >>> log.at("Stage: Negotiation/Review", "amount", "owner").columns
        ['amount', 'owner']
        """
        names = attributes or standing.names(self.blank.only, self.process)
        return pl.concat(self.each(lambda log: standing.attributes(log.only, log.instants(milestone), names)))

    def instants(self, milestone: str) -> pl.DataFrame:
        """When the cases of this log's one partition first passed a milestone: case_ix, at."""
        codes = [] if milestone == OUTCOME else self.codes(milestone)
        return standing.instants(self.only, milestone, codes)

    @cached_property
    def facts(self) -> pl.DataFrame:
        """What KPIs ask about, one row per case.

        The columns of `cases`; of every milestone m `m_at` (first), `m_last`, `m_n`; of the core activities
        repeats, self_loops, regressions, skips; `reopens`; `n_events`; what `kernels.handovers` counts; what
        the process states under [sums].
        """
        if len(self.partitions) > 1:
            known = self.process, self.activities
            scanning.refuse(self.partitions, self.memory, "facts", lambda one: facts(one, *known))
            return pl.concat(self.each(lambda log: facts(log.only, *known)))
        return facts(self.only, self.process, self.activities)

    def variants(self, activity_set: str = "core", *, most: int = 1_000_000) -> pl.DataFrame:
        """Distinct activity sequences over a set: variant, activities, cases, n_variants, share, cumulative.

        Most frequent first, ties by the sequence of activity names; share and cumulative are 0..1 of the
        cases that have an activity of the set. n_variants is 1; where there are more than `most` variants, a
        last row without variant and activities stands for the rest, n_variants of them: all that occur in as
        few cases as the first that is too many.

        >>> import crmmining as cm
        >>> cm.connect("data/sample").event_log("case").variants()["variant"][0]
        'Create Case > Status: Working > Close Case'
        """
        codes = self._set_codes(activity_set)
        tallies = self.each(lambda log: variants.variants(log.only.among(codes, "case_ix", "activity")))
        return naming.named_variants(variants.rank(tallies, most), self.activities)

    def transitions(
        self, activity_set: str = "core", *, same_save: bool = False, times: bool = True
    ) -> pl.DataFrame:
        """Directly-follows: source, target, n, and total, median, p90 and mean time between (Duration).

        Sorted by source and target. Quantiles interpolate linearly; each time below 256 seconds counts as it
        is, a longer one as the mean of those that differ from it by less than 0.8 %, so that a quantile is
        off by no more. Two events of one save follow each other in no order that anybody chose: their edge is
        left out, unless `same_save`. Without `times` only n is counted.

        >>> import crmmining as cm
        >>> edges = cm.connect("data/sample").event_log("case").transitions()
        >>> edges.filter(pl.col("source") == "Close Case")["target"].to_list()
        ['Reopen Case']
        """
        codes = self._set_codes(activity_set)
        more = {"occurred_at": times, "change_set": not same_save}
        columns = ["case_ix", "activity", *(name for name, asked in more.items() if asked)]
        kernel = transitions.transitions if times else transitions.counts

        def tallied(log: "EventLog") -> pl.DataFrame:
            return kernel(log.only.among(codes, *columns), same_save=same_save)

        edge = [naming.named("source", self.activities), naming.named("target", self.activities)]
        if not times:
            counted = merge.add(self.each(tallied), ["source", "target"])
            return counted.with_columns(edge).sort("source", "target")
        summary = transitions.summarise(merge.add(self.each(tallied), ["source", "target", "bucket"]))
        named = summary.with_columns(edge).sort("source", "target")
        return summaries.with_durations(named.rename(lambda name: name.removesuffix("_seconds")))

    def rework(self, activity_set: str = "core") -> pl.DataFrame:
        """Repeated work per activity: activity, cases, events, rework_cases, repeats, self_loops, share.

        rework_cases have the activity more than once, share is of the cases that have it at all; repeats are
        events beyond a case's first, self_loops those that directly follow the same activity.

        >>> import crmmining as cm
        >>> log = cm.connect("data/sample").event_log("case")
        >>> log.rework().filter(pl.col("activity") == "Create Case")["rework_cases"].item()
        0
        """
        codes = self._set_codes(activity_set)
        tallies = self.each(
            lambda log: rework.rework_by_activity(log.only.among(codes, "case_ix", "activity"))
        )
        return (
            merge.add(tallies, ["activity"])
            .with_columns(naming.named("activity", self.activities))
            .with_columns(share=pl.col("rework_cases") / pl.col("cases"))
            .sort("activity")
        )

    def throughput(
        self, start: str, end: str, *, by: Sequence[str] = (), clock: Clock = "calendar"
    ) -> pl.DataFrame:
        """Time from the first `start` to the first later `end` (milestones or activities), per segment.

        Columns: `by`, n, open (started, not there yet, still open), excluded, median, p90, mean (of n),
        median_with_open and its 95 % interval median_with_open_low, _high (Duration; see `scorecard`, also
        for when they are null). `clock`: all time or opening hours (business, where there are calendars).
        Segments are as they were at `start`, `word@milestone` as at another moment (`word@now`).

        >>> import crmmining as cm
        >>> log = cm.connect("data/sample").event_log("case")
        >>> log.throughput("created", "closed", by=["region"])["region"].to_list()
        ['APAC', 'EMEA', 'LATAM', 'North America', None]
        """
        if clock not in self.clocks:
            missing = "" if self.calendars else " (business: needs BusinessHours or stated calendars)"
            raise UnknownNameError(f"clock{missing}", clock, self.clocks)
        keys = self._checked(by, start)
        curve = spans.all_have([self.segment(word, start) for word in keys], start)
        ask = partial(summaries.durations, by=keys, clock=clock, finished=not curve)
        tallies = self.each(lambda log: ask(log.between(start, end, keys, (clock,))))
        times = summaries.with_times(summaries.add(tallies, keys), keys, curve=curve)
        found = summaries.with_durations(times).drop("truncated")
        return disclosure.withhold_cells(found, self.minimum_group, by=keys, people=self.process.people)

    def conversion(self, start: str, end: str, *, by: Sequence[str] = ()) -> pl.DataFrame:
        """Share of the cases with `start` that later reach `end`, per segment.

        Columns: `by`, n (entered), open (part of n), excluded, reached, rate, rate_low, rate_high.
        Segments are as they were at `start`, `word@milestone` as at another moment (`word@now`).

        >>> import crmmining as cm
        >>> log = cm.connect("data/sample").event_log("lead")
        >>> row = log.conversion("created", "converted").row(0, named=True)
        >>> row["n"] == row["reached"] + row["open"] + 223, row["rate"] == row["reached"] / row["n"]
        (True, True)
        """
        keys = self._checked(by, start)
        tallies = self.each(lambda log: summaries.conversion(log.between(start, end, keys), keys))
        rate = summaries.with_share(summaries.add(tallies, keys), "rate")
        found = rate.drop("truncated").rename({"hits": "reached"})
        return disclosure.withhold_cells(found, self.minimum_group, by=keys, people=self.process.people)

    def pairs(self, start: str, end: str) -> pl.DataFrame:
        """`start` and `end` instants of every case, in the order of `cases`; null where not reached."""
        starts, ends = self.codes(start), self.codes(end)
        return pl.concat(self.each(lambda log: spans.pairs(log.only, starts, ends)))

    def spans(self, start: str, end: str, clocks: Sequence[Clock]) -> pl.DataFrame:
        """`pairs`, and how long they last or have lasted in each clock, as `summaries.durations` asks it."""
        hours = self.calendars if "business" in clocks else None
        asked = spans.Asked(
            starts=frozenset(self.codes(start)),
            ends=None if end == OUTCOME else frozenset(self.codes(end)),
            closings=frozenset(code for word in self.process.ends for code in self.codes(word)),
            as_of=self.as_of,
            hours=hours,
            words=() if hours is None else tuple(self.segment(word, start) for word in hours.words),
        )
        return pl.concat(self.each(lambda log: spans.spans(log.only, asked)))

    @property
    def clocks(self) -> tuple[Clock, ...]:
        """The clocks in which times are measured here: business where there are `calendars`."""
        return ("calendar",) if self.calendars is None else ("calendar", "business")

    def between(self, start: str, end: str, by: Sequence[str], clocks: Sequence[Clock] = ()) -> pl.DataFrame:
        """What durations (with `clocks`) and conversions ask of every case: open, truncated, `by`, pairs."""
        cases = pl.concat(self.each(lambda log: log.only.of_cases("open", "truncated")))
        found = self.spans(start, end, clocks) if clocks else self.pairs(start, end)
        return cases.hstack(self.segments(by, start)).hstack(found)

    def endpoints(self, activity_set: str = "core") -> pl.DataFrame:
        """How many cases begin and end with each activity of the set: activity, starts, ends."""
        codes = self._set_codes(activity_set)
        tallies = self.each(lambda log: transitions.ends(log.only.among(codes, "case_ix", "activity")))
        found = merge.add(tallies, ["activity"])
        return found.with_columns(naming.named("activity", self.activities)).sort("activity")

    def codes(self, word: str) -> list[int]:
        """Activity codes of a milestone or an activity name; raises `UnknownNameError`."""
        return self.process.codes(self.process.meaning(word, self.activities), self.activities)

    def segment(self, asked: str, default: str) -> Segment:
        """What `word` or `word@milestone` stands for here; `default` is the basis of a bare word."""
        return segment(asked, self.process, self.tracked, default)

    def segments(self, asked: Sequence[str], default: str) -> pl.DataFrame:
        """The segment cells of every case, in the order of `cases`; null text for words not known here."""
        return pl.concat(self.each(lambda log: log.cells(asked, default)))

    def cells(self, asked: Sequence[str], default: str, events: pl.DataFrame | None = None) -> pl.DataFrame:
        """The segment cells of a partition's cases, or of `events` of it, whose own time may be the basis."""
        found = [self.segment(word, default) for word in asked]
        return standing.cells(self.only, found, self.instants, self.as_of, events)

    def _checked(self, by: Sequence[str], start: str) -> list[str]:
        """The segment words asked for, all of them known."""
        keys = [by] if isinstance(by, str) else list(by)
        for word in keys:
            if self.segment(word, start).column is None:
                raise UnknownNameError("segment", word, self.process.segments)
        return keys

    def _set_codes(self, name: str) -> list[int]:
        return self.process.codes(self.process.activity_set(name), self.activities)

    def filter(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        where: str | None = None,
        having: Sequence[str] = (),
        lacking: Sequence[str] = (),
        starting: Sequence[str] = (),
        ending: Sequence[str] = (),
        variants: Sequence[str] | int | None = None,
    ) -> "EventLog":
        """A log of the cases that meet every stated condition; what falls out is counted in `quality`.

        since/until: created in [since, until). where: boolean Polars SQL over the columns of `facts` (null is
        not true). having/lacking: milestones or activities a case has / has not. starting/ending: what its
        first / last core activity is. variants: core variant texts, or how many of the most frequent to keep.

        >>> import crmmining as cm
        >>> log = cm.connect("data/sample").event_log("case")
        >>> log.filter(where="region = 'APAC'", having=["reopened"]).cases["region"].unique().to_list()
        ['APAC']
        """
        asked = filtering.Conditions(
            where=() if where is None else (self.expression(where),),
            since=since,
            until=until,
            having=tuple(map(self.codes, having)),
            lacking=tuple(map(self.codes, lacking)),
            starting=tuple(code for word in starting for code in self.codes(word)) if starting else None,
            ending=tuple(code for word in ending for code in self.codes(word)) if ending else None,
            variants=None
            if variants is None
            else naming.sequences(self.variants(), variants, self.activities),
            core=tuple(self._set_codes("core")),
        )
        kept = list(self.each(lambda log: filtering.keep(log.only, log.facts, asked)))
        partitions = filtering.kept(self.partitions, kept)
        lost = self.sizes[1] - sum(events for _, events in (p.sizes for p in partitions))
        quality = filtering.accounted(self.quality, self.process.name, lost)
        return replace(self, partitions=partitions, quality=quality)

    def save(self, folder: str | Path, *, events: int = 2_000_000) -> None:
        """Store the log as Parquet files, about so many `events` each; `open_log` gives it back.

        Raises `OutputError` when the folder holds something else or cannot be written; then it is as it was.
        """
        if events < 1:
            raise CrmMiningError(f"events is {events}, but must be a number of events per file, 1 or more")
        parts = (part for partition in self.partitions for part in split(partition, events))
        stored.save(Path(folder), lambda: self.described, parts, self.quality)

    @property
    def described(self) -> dict[str, object]:
        """What a stored log says of itself."""
        process = {"process": self.process.name, "definition": self.process.fingerprint}
        facts = {name: getattr(self, name) for name in ("activities", "off", "minimum_group")}
        hours = None if self.calendars is None else self.calendars.described
        now = {"as_of": self.as_of.isoformat(), "tracked": sorted(self.tracked), "calendars": hours}
        return {**process, **facts, **now}

    def expression(self, text: str, kind: Literal["condition", "number"] = "condition") -> pl.Expr:
        """A Polars SQL expression over `facts` with one value per case.

        Raises `UnknownNameError` for columns `facts` lacks and `CrmMiningError` for what cannot be read, is
        no `kind` or takes several cases together.
        """
        return expressions.expression(text, self.blank.facts, kind)


def _asked(head: EventLog, ask: Callable[[EventLog], T], partition: Partition) -> T:
    return ask(replace(head, partitions=(partition,)))

"""EventLog: what a person asks about one process."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, reduce
from operator import and_
from pathlib import Path
from typing import Literal

import polars as pl
import polars.selectors as cs

from crmmining import disclosure, summaries
from crmmining.definitions import Process
from crmmining.definitions.segments import EVENT, NOW, OUTCOME, Segment, segment
from crmmining.errors import UnknownNameError
from crmmining.eventlog import expressions, standing, stored
from crmmining.eventlog.partition import Partition, has, has_variant, kept
from crmmining.kernels import merge, milestones, rework, throughput, transitions, variants

SEPARATOR = " > "


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
    tracked: frozenset[str] = frozenset()  # attributes with a history, in this log or the one it is a part of

    def __post_init__(self) -> None:
        if not self.tracked:
            object.__setattr__(self, "tracked", standing.tracked(self.partitions))

    def __repr__(self) -> str:
        cases = sum(p.cases.height for p in self.partitions)
        events = sum(p.events.height for p in self.partitions)
        moment = f"{self.as_of:%Y-%m-%dT%H:%M:%SZ}"
        return f"EventLog({self.process.name}: {cases} cases, {events} events, as_of={moment})"

    @cached_property
    def events(self) -> pl.DataFrame:
        """All events, activity as Enum, case by its Id."""
        return self.scan().collect()

    @cached_property
    def cases(self) -> pl.DataFrame:
        """One row per case."""
        return pl.concat([p.cases for p in self.partitions]).drop("case_ix")

    def scan(self, *attributes: str) -> pl.LazyFrame:
        """All events, lazily, partition by partition; with `attributes` as they were at each event's time.

        A change told by the save that tells the event has happened. Types are those of `cases`.
        """
        names = pl.Enum(list(self.activities))
        return pl.concat(
            [
                p.events.lazy()
                .with_columns(
                    p.cases["case_id"].gather(p.events["case_ix"]).alias("case_id"),
                    pl.col("activity").cat.to(names),
                    cs.categorical().cast(pl.String),
                )
                .select("case_id", pl.exclude("case_id", "case_ix", "rank"))
                .with_columns(*standing.attributes(p, standing.own_times(p.events), attributes))
                for p in self.partitions
            ]
        )

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
        names = attributes or standing.names(self.partitions[0], self.process)
        return pl.concat(
            [standing.attributes(p, self._instants(p, milestone), names) for p in self.partitions]
        )

    def _instants(self, partition: Partition, milestone: str) -> pl.DataFrame:
        codes = [] if milestone == OUTCOME else self.codes(milestone)
        return standing.instants(partition, milestone, codes)

    @cached_property
    def facts(self) -> pl.DataFrame:
        """What KPIs ask about, one row per case.

        The columns of `cases`, and for every milestone m: `m_at` (first), `m_last`, `m_n`; over the core
        activities: repeats, self_loops, regressions, skips; `reopens`; `n_events`.
        """
        return pl.concat([self._facts(partition) for partition in self.partitions])

    def _facts(self, partition: Partition) -> pl.DataFrame:
        codes = {word: self.codes(word) for word in self.process.milestones}
        core = partition.events.filter(pl.col("activity").is_in(self._set_codes("core")))
        recorded = partition.cases.rename({"created_at": "recorded"})
        facts = (
            recorded.join(milestones.instants(partition.events, codes), on="case_ix", how="left")
            .join(throughput.spans(partition.events), on="case_ix", how="left")
            .join(rework.rework(core).drop("n_events"), on="case_ix", how="left")
        )
        counts = [f"{word}_n" for word in codes]
        reopens = [pl.col(f"{word}_n") for word in self.process.reopens]
        zeroed = ["n_events", "repeats", "self_loops", "regressions", "skips", *counts]
        return (
            facts.with_columns(
                pl.col(zeroed).fill_null(0), pl.coalesce("created_at", "recorded").alias("created_at")
            )
            .drop("recorded")
            .with_columns(reopens=pl.sum_horizontal(pl.lit(0, pl.UInt32), *reopens))
            .sort("case_ix")
            .drop("case_ix")
        )

    def variants(self, activity_set: str = "core") -> pl.DataFrame:
        """Distinct activity sequences over a set: variant, activities, cases, share, cumulative.

        Most frequent first, ties by the sequence of activity names; share and cumulative are 0..1 of the
        cases that have an activity of the set.

        >>> import crmmining as cm
        >>> cm.connect("data/sample").event_log("case").variants()["variant"][0]
        'Create Case > Status: Working > Close Case'
        """
        tally = merge.add([variants.variants(events) for events in self._of(activity_set)], ["sequence"])
        names = pl.Series(self.activities, dtype=pl.String)
        named = pl.element().replace_strict(range(len(names)), names, return_dtype=pl.String)
        names_of = pl.col("sequence").list.eval(named).alias("activities")
        ranked = (
            tally.select(names_of, "cases")
            .with_columns(variant=pl.col("activities").list.join(SEPARATOR))
            .sort("cases", "variant", descending=[True, False])
            .select("variant", "activities", "cases")
        )
        cases = ranked["cases"].to_numpy()  # polars would multiply by a rounded reciprocal
        return ranked.with_columns(
            share=pl.Series(cases / cases.sum()), cumulative=pl.Series(cases.cumsum() / cases.sum())
        )

    def transitions(self, activity_set: str = "core", *, same_save: bool = False) -> pl.DataFrame:
        """Directly-follows: source, target, n, and total, median, p90 and mean time between (Duration).

        Sorted by source and target. Quantiles interpolate linearly. Two events of one save follow each other
        in no order that anybody chose: their edge is left out, unless `same_save`.

        >>> import crmmining as cm
        >>> edges = cm.connect("data/sample").event_log("case").transitions()
        >>> edges.filter(pl.col("source") == "Close Case")["target"].to_list()
        ['Reopen Case']
        """
        tallies = [transitions.transitions(events, same_save=same_save) for events in self._of(activity_set)]
        summary = transitions.summarise(merge.add(tallies, ["source", "target", "seconds"]))
        named = summary.with_columns(self._named("source"), self._named("target")).sort("source", "target")
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
        tally = merge.add([rework.rework_by_activity(e) for e in self._of(activity_set)], ["activity"])
        return (
            tally.with_columns(self._named("activity"))
            .with_columns(share=pl.col("rework_cases") / pl.col("cases"))
            .sort("activity")
        )

    def throughput(self, start: str, end: str, *, by: Sequence[str] = ()) -> pl.DataFrame:
        """Time from the first `start` to the first later `end` (milestones or activities), per segment.

        Columns: `by`, n, open (started, not there yet, still open), excluded, median, p90, mean (Duration).
        Segments are as they were at `start`, `word@milestone` as at another moment (`word@now`).

        >>> import crmmining as cm
        >>> log = cm.connect("data/sample").event_log("case")
        >>> log.throughput("created", "closed", by=["region"])["region"].to_list()
        ['APAC', 'EMEA', 'LATAM', 'North America', None]
        """
        table, keys = self._between(start, end, by)
        found = summaries.with_durations(summaries.durations(table, keys)).drop("truncated")
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
        table, keys = self._between(start, end, by)
        found = summaries.conversion(table, keys).drop("truncated")
        return disclosure.withhold_cells(found, self.minimum_group, by=keys, people=self.process.people)

    def pairs(self, start: str, end: str) -> pl.DataFrame:
        """`start` and `end` instants of every case, in the order of `cases`; null where not reached."""
        starts, ends = self.codes(start), self.codes(end)
        return pl.concat(
            [
                p.cases.select("case_ix")
                .join(throughput.between(p.events, starts, ends), on="case_ix", how="left")
                .sort("case_ix")
                .select("start", "end")
                for p in self.partitions
            ]
        )

    def endpoints(self, activity_set: str = "core") -> pl.DataFrame:
        """How many cases begin and end with each activity of the set: activity, starts, ends."""
        ends = pl.concat([transitions.endpoints(events) for events in self._of(activity_set)])
        first, last = (
            ends.group_by(pl.col(side).alias("activity")).agg(pl.len().cast(pl.Int64).alias(name))
            for side, name in (("first", "starts"), ("last", "ends"))
        )
        both = first.join(last, on="activity", how="full", coalesce=True)
        return both.with_columns(self._named("activity"), pl.col("starts", "ends").fill_null(0)).sort(
            "activity"
        )

    def codes(self, word: str) -> list[int]:
        """Activity codes of a milestone or an activity name; raises `UnknownNameError`."""
        return self.process.codes(self.process.meaning(word, self.activities), self.activities)

    def segment(self, asked: str, default: str) -> Segment:
        """What `word` or `word@milestone` stands for here; `default` is the basis of a bare word."""
        return segment(asked, self.process, self.tracked, default)

    def segments(self, asked: Sequence[str], default: str) -> pl.DataFrame:
        """The segment cells of every case, in the order of `cases`; null text for words not known here."""
        return pl.concat([self.cells(p, asked, default) for p in self.partitions])

    def cells(
        self, partition: Partition, asked: Sequence[str], default: str, events: pl.DataFrame | None = None
    ) -> pl.DataFrame:
        """The segment cells of a partition's cases, or of `events` of it, whose own time may be the basis."""
        columns = []
        for found in (self.segment(word, default) for word in asked):
            if found.basis == EVENT and events is not None:
                columns.append(standing.cell(partition, found, standing.own_times(events)))
                continue
            of_cases = standing.cell(partition, found, self._basis(partition, found))
            columns.append(of_cases if events is None else of_cases.gather(events["case_ix"]))
        return pl.DataFrame(columns)

    def _basis(self, partition: Partition, found: Segment) -> pl.DataFrame:
        if found.basis in {None, NOW}:
            return partition.cases.select("case_ix", at=pl.lit(self.as_of, pl.Datetime("us", "UTC")))
        return self._instants(partition, str(found.basis))

    def _between(self, start: str, end: str, by: Sequence[str]) -> tuple[pl.DataFrame, list[str]]:
        keys = [by] if isinstance(by, str) else list(by)
        for word in keys:
            if self.segment(word, start).column is None:
                raise UnknownNameError("segment", word, self.process.segments)
        table = self.cases.select("open", "truncated").hstack(self.segments(keys, start))
        return table.hstack(self.pairs(start, end)), keys

    def _set_codes(self, name: str) -> list[int]:
        return self.process.codes(self.process.activity_set(name), self.activities)

    def _of(self, activity_set: str) -> list[pl.DataFrame]:
        codes = self._set_codes(activity_set)
        return [p.events.filter(pl.col("activity").is_in(codes)) for p in self.partitions]

    def _named(self, column: str) -> pl.Expr:
        names = pl.Series(self.activities, dtype=pl.String)
        return pl.col(column).replace_strict(range(len(names)), names, return_dtype=pl.String)

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
        tests: list[pl.Expr] = []
        if since is not None:
            tests.append(pl.col("created_at") >= since)
        if until is not None:
            tests.append(pl.col("created_at") < until)
        if where is not None:
            tests.append(self.expression(where))
        if isinstance(variants, int):
            variants = self.variants().head(variants)["variant"].to_list()
        partitions = []
        for p in self.partitions:
            facts = self._facts(p)
            core = p.events.filter(pl.col("activity").is_in(self._set_codes("core")))
            masks = [pl.repeat(value=True, n=len(p.cases), eager=True)]
            masks += [facts.select(test.fill_null(value=False)).to_series() for test in tests]
            masks += [has(p, p.events, self.codes(word)) for word in having]
            masks += [~has(p, p.events, self.codes(word)) for word in lacking]
            ends = transitions.endpoints(core)
            for side, words in (("first", starting), ("last", ending)):
                if words:
                    codes = [code for word in words for code in self.codes(word)]
                    masks.append(has(p, ends.rename({side: "activity"}, strict=True), codes))
            if variants is not None:
                masks.append(has_variant(p, core, self._sequences(variants)))
            partitions.append(kept(p, reduce(and_, masks)))
        return replace(self, partitions=tuple(partitions), quality=self._filtered(partitions))

    def save(self, folder: str | Path, *, events: int = 2_000_000) -> None:
        """Store the log as Parquet files, about so many `events` each; `open_log` gives it back.

        Raises `OutputError` when the folder holds something else or cannot be written; then it is as it was.
        """
        facts = {name: getattr(self, name) for name in ("activities", "off", "minimum_group")}
        facts |= {"as_of": self.as_of.isoformat(), "tracked": sorted(self.tracked)}
        stored.save(Path(folder), self.process, facts, self.partitions, self.quality, events)

    def expression(self, text: str, kind: Literal["condition", "number"] = "condition") -> pl.Expr:
        """A Polars SQL expression over `facts` with one value per case.

        Raises `UnknownNameError` for columns `facts` lacks and `CrmMiningError` for what cannot be read, is
        no `kind` or takes several cases together.
        """
        return expressions.expression(text, self.facts, kind)

    def _sequences(self, variants: Sequence[str]) -> list[list[int]]:
        known = self.variants().select("variant", "activities")
        for variant in variants:
            if variant not in known["variant"]:
                raise UnknownNameError("variant", variant, known["variant"].head(10))
        code = {name: i for i, name in enumerate(self.activities)}
        wanted = known.filter(pl.col("variant").is_in(list(variants)))["activities"]
        return [[code[name] for name in activities] for activities in wanted.to_list()]

    def _filtered(self, partitions: Sequence[Partition]) -> pl.DataFrame:
        name = f"{self.process.name} events"
        lost = sum(len(p.events) for p in self.partitions) - sum(len(p.events) for p in partitions)
        used = (pl.col("table") == name) & (pl.col("disposition") == "used")
        left = self.quality.with_columns(rows=pl.when(used).then(pl.col("rows") - lost).otherwise("rows"))
        row = {
            "table": name,
            "disposition": "filtered",
            "reason": "not in the filter",
            "rows": lost,
            "examples": [],
        }
        return pl.concat([left, pl.DataFrame([row], schema=self.quality.schema)])

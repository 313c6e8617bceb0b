"""The event log: coded, sorted, reconciled; filters return new logs, verbs return plain frames."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, reduce
from operator import and_
from typing import Literal, NamedTuple

import polars as pl

from crmmining import summaries
from crmmining.definitions import Process
from crmmining.errors import CrmMiningError, UnknownNameError
from crmmining.kernels import coding, merge, milestones, rework, throughput, transitions, variants

SEPARATOR = " > "


class Partition(NamedTuple):
    """Whole cases: `events` in log order and `cases`, row i of which is `case_ix` i."""

    events: pl.DataFrame
    cases: pl.DataFrame


@dataclass(frozen=True, repr=False)
class EventLog:
    """What happened in one process, as of one moment.

    `cases`: case_id, created_at, open, outcome (milestone of the closing in force, null while open),
    outcome_at (when that was), truncated and the attributes. `events`: case_id, activity, occurred_at,
    recorded_at, actor, source_id, old_value, new_value, direction, date_only, sorted by case, time, rank and
    source Id. `quality`: table, disposition, reason, rows, examples; per table the rows add up to rows in.

    >>> import crmmining as cm
    >>> log = cm.connect("data/sample").event_log("case")
    >>> log
    EventLog(case: 416 cases, 5282 events, as_of=2025-12-31T23:14:29Z)
    >>> log.events.columns[:3], log.cases.columns[:2]
    (['case_id', 'activity', 'occurred_at'], ['case_id', 'created_at'])
    """

    process: Process
    as_of: datetime
    activities: tuple[str, ...]
    partitions: tuple[Partition, ...]
    quality: pl.DataFrame
    off: tuple[str, ...] = ()

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

    def scan(self) -> pl.LazyFrame:
        """All events, lazily, partition by partition."""
        names = pl.Enum(list(self.activities))
        return pl.concat(
            [
                p.events.lazy()
                .with_columns(
                    p.cases["case_id"].gather(p.events["case_ix"]).alias("case_id"),
                    pl.col("activity").cat.to(names),
                )
                .select("case_id", pl.exclude("case_id", "case_ix", "rank"))
                for p in self.partitions
            ]
        )

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

    def transitions(self, activity_set: str = "core") -> pl.DataFrame:
        """Directly-follows: source, target, n, and total, median, p90 and mean time between (Duration).

        Sorted by source and target. Quantiles interpolate linearly.

        >>> import crmmining as cm
        >>> edges = cm.connect("data/sample").event_log("case").transitions()
        >>> edges.filter(pl.col("source") == "Close Case")["target"].to_list()
        ['Reopen Case']
        """
        tallies = [transitions.transitions(events) for events in self._of(activity_set)]
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

        >>> import crmmining as cm
        >>> log = cm.connect("data/sample").event_log("case")
        >>> log.throughput("created", "closed", by=["region"])["region"].to_list()
        ['APAC', 'EMEA', 'LATAM', 'North America', None]
        """
        table, keys = self._between(start, end, by)
        return summaries.with_durations(summaries.durations(table, keys))

    def conversion(self, start: str, end: str, *, by: Sequence[str] = ()) -> pl.DataFrame:
        """Share of the cases with `start` that later reach `end`, per segment.

        Columns: `by`, n (entered), open (part of n), excluded, reached, rate, rate_low, rate_high.

        >>> import crmmining as cm
        >>> log = cm.connect("data/sample").event_log("lead")
        >>> row = log.conversion("created", "converted").row(0, named=True)
        >>> row["n"] == row["reached"] + row["open"] + 223, row["rate"] == row["reached"] / row["n"]
        (True, True)
        """
        table, keys = self._between(start, end, by)
        return summaries.conversion(table, keys)

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

    def segment(self, word: str) -> pl.Expr:
        """The case column behind a segment word; null text where this process has no such segment."""
        column = self.process.segments.get(word)
        if column is None:
            return pl.lit(None, pl.String).alias(word)
        if column not in self.partitions[0].cases.columns:
            raise UnknownNameError("case column", column, self.partitions[0].cases.columns)
        return pl.col(column).alias(word)

    def _between(self, start: str, end: str, by: Sequence[str]) -> tuple[pl.DataFrame, list[str]]:
        keys = [by] if isinstance(by, str) else list(by)
        for word in keys:
            if word not in self.process.segments:
                raise UnknownNameError("segment", word, self.process.segments)
        table = self.cases.select("open", *(self.segment(word) for word in keys))
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
            masks += [_has(p, p.events, self.codes(word)) for word in having]
            masks += [~_has(p, p.events, self.codes(word)) for word in lacking]
            ends = transitions.endpoints(core)
            for side, words in (("first", starting), ("last", ending)):
                if words:
                    codes = [code for word in words for code in self.codes(word)]
                    masks.append(_has(p, ends.rename({side: "activity"}, strict=True), codes))
            if variants is not None:
                masks.append(_has_variant(p, core, self._sequences(variants)))
            partitions.append(_kept(p, reduce(and_, masks)))
        return replace(self, partitions=tuple(partitions), quality=self._filtered(partitions))

    def expression(self, text: str, kind: Literal["condition", "number"] = "condition") -> pl.Expr:
        """A Polars SQL expression over `facts` with one value per case.

        Raises `UnknownNameError` for columns `facts` lacks and `CrmMiningError` for what cannot be read, is
        no `kind` or takes several cases together.
        """
        try:
            expression = pl.sql_expr(text)
            for column in expression.meta.root_names():
                if column not in self.facts.columns:
                    raise UnknownNameError("fact", column, self.facts.columns)
            tried = self.facts.clear().select(expression.alias("tried"))["tried"]
        except pl.exceptions.PolarsError as error:
            raise CrmMiningError(f"'{text}' cannot be read as an SQL {kind}: {error}") from error
        fits = tried.dtype == pl.Boolean or (kind == "number" and tried.dtype.is_numeric())
        if not fits:
            raise CrmMiningError(f"'{text}' is no {kind}: it gives {tried.dtype}")
        together = ('"Agg"', '"Len"', '"Over"')  # how polars writes what takes cases together
        if len(tried) or any(mark in expression.meta.serialize(format="json") for mark in together):
            raise CrmMiningError(f"'{text}' gives one value for many cases; state one per case")
        return expression

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


def partition(process: Process, coded: coding.Coded, cases: pl.DataFrame) -> Partition:
    """A partition from coded events and the attributes of their cases, sorted by `case_id`.

    The last of a case's ends and reopenings in log order decides `open`, `outcome` and `outcome_at`.
    """
    ends = {word: process.codes(process.milestones[word], coded.activities) for word in process.ends}
    reopens = [c for w in process.reopens for c in process.codes(process.milestones[w], coded.activities)]
    outcome = {code: word for word, codes in ends.items() for code in codes}
    names = pl.DataFrame(
        {"activity": list(outcome), "outcome": list(outcome.values())},
        schema={"activity": pl.UInt16, "outcome": pl.String},
    )
    state = (
        milestones.last_of(coded.events, [*outcome, *reopens])
        .join(names, on="activity", how="inner")
        .select("case_ix", "outcome", pl.col("occurred_at").alias("outcome_at"))
    )
    known = cases.with_row_index("case_ix").join(state, on="case_ix", how="left", maintain_order="left")
    return Partition(coded.events, known.with_columns(open=pl.col("outcome").is_null()))


def _has(partition: Partition, events: pl.DataFrame, codes: Sequence[int]) -> pl.Series:
    present = events.filter(pl.col("activity").is_in(codes))["case_ix"]
    return partition.cases["case_ix"].is_in(present.unique().implode())


def _has_variant(partition: Partition, core: pl.DataFrame, sequences: Sequence[Sequence[int]]) -> pl.Series:
    wanted = pl.DataFrame({"activity": sequences}, schema={"activity": pl.List(pl.UInt16)})
    traces = core.group_by("case_ix", maintain_order=True).agg("activity")
    return partition.cases["case_ix"].is_in(
        traces.join(wanted, on="activity", how="semi")["case_ix"].implode()
    )


def _kept(partition: Partition, keep: pl.Series) -> Partition:
    place = (keep.cast(pl.UInt32).cum_sum() - 1).cast(pl.UInt32)
    events = partition.events.filter(keep.gather(partition.events["case_ix"]))
    cases = partition.cases.filter(keep)
    return Partition(
        events.with_columns(place.gather(events["case_ix"]).alias("case_ix")),
        cases.with_columns(place.filter(keep).alias("case_ix")),
    )

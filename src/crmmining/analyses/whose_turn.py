"""Whose turn it was: the life of cases by who held them up, inside and outside opening hours."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from crmmining import disclosure, summaries
from crmmining.analyses.cutting import words_of
from crmmining.definitions.segments import NOW
from crmmining.definitions.waiting import RESPONSIBILITIES
from crmmining.errors import CrmMiningError, UnknownNameError
from crmmining.eventlog import EventLog
from crmmining.eventlog import waiting as turns
from crmmining.measure import Cut
from crmmining.tables import OrgSpec

_TURN = pl.Enum(RESPONSIBILITIES)
_SECOND = 1_000_000  # microseconds


def waits(log: EventLog) -> pl.DataFrame:
    """How long it was whose turn in each case: case_id, responsibility, in_hours, off_hours, elapsed.

    `responsibility` (Enum, see `waiting`) of those in which the case spent time; the times are Durations, to
    the microsecond. in_hours is what lies in the opening hours of the calendar in force, off_hours the rest;
    both are null without calendars. What elapsed adds up to the life of the case. By case (in the order of
    `cases`) and responsibility. A case that ended before it was created has no life: one row of nulls; one
    that ended in the moment of its creation has no row.

    Raises `CrmMiningError` for a process without a table [waiting].

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> found = analyses.waits(cm.connect("data/sample").event_log("case"))
    >>> found.columns, found["case_id"].n_unique()
    (['case_id', 'responsibility', 'in_hours', 'off_hours', 'elapsed'], 407)
    """
    turns.stated(log.process)
    return pl.concat(log.each(_per_case))


def waiting(log: EventLog, by: Sequence[str] = (), *, per: str | None = None) -> pl.DataFrame:
    """Who the cases waited for, inside and outside opening hours, from creation to final close or `as_of`.

    Columns: `by`, `per`, responsibility, cases (Int64, that spent time there), in_hours, off_hours, elapsed
    (Duration in milliseconds: totals of whole seconds), share (Float64: of all elapsed time of the cell of
    `by`) and median (Duration of elapsed, of these cases). By `by`, `per` and responsibility. The words of
    `by` count as they are now (`word@milestone`: as then), `per` as it was at every moment: with
    `per="owner"` a case gives each owner the time that was theirs.

    `responsibility` (Enum) is the first that fits: closed_before_reopening (an end in force before the final
    one), resolved, on_hold, with_customer (by what the process says of the status), in_queue, untouched and
    touched (a person has it and did nothing, or something, on record since it was assigned), unknown (before
    the history of a truncated case is covered; status or owner without any history). A row without one
    counts the cases that ended before they were created: they have no life.

    in_hours and off_hours are null without calendars; the calendar is that of the owner, queue, ... in force,
    else the case's own. Raises `CrmMiningError` for a process without a table [waiting] and for a word in
    `by` and `per`, `UnknownNameError` for one that is no segment.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> found = analyses.waiting(cm.connect("data/sample").event_log("case"))
    >>> found.select("responsibility", "cases", pl.col("share").round(3)).rows()[:3]
    [('closed_before_reopening', 37, 0.015), ('with_customer', 227, 0.069), ('in_queue', 354, 0.386)]
    """
    turns.stated(log.process)
    asked = _Asked.of(log, words_of(by), per)
    total = summaries.add(log.each(asked.tallied), asked.keys)
    counts = total.counts.select(*asked.keys, hits="cases")
    known = summaries.with_values(summaries.Tally(counts, total.values), asked.keys, "median")
    life = pl.sum("elapsed").over(asked.cells.keys) if asked.cells.keys else pl.sum("elapsed")
    off_hours = pl.col("elapsed") - pl.col("in_hours")
    clocked = pl.col("without_hours") == 0
    found = (
        total.counts.with_columns(known["median"])
        .with_columns(share=pl.col("elapsed").cast(pl.Float64) / life.cast(pl.Float64))
        .select(
            *asked.keys,
            "cases",
            pl.when(clocked).then(_duration(pl.col("in_hours") // _SECOND)).alias("in_hours"),
            pl.when(clocked).then(_duration(off_hours // _SECOND)).alias("off_hours"),
            _duration(pl.col("elapsed") // _SECOND).alias("elapsed"),
            "share",
            _duration(pl.col("median").round()).alias("median"),
        )
    )
    return asked.shown(found, log)


@dataclass(frozen=True)
class _Asked:
    """The cells of cases (`by`), and the word and the column of what is asked as it was at every moment."""

    cells: Cut
    per: str | None
    column: str | None

    @classmethod
    def of(cls, log: EventLog, by: tuple[str, ...], per: str | None) -> "_Asked":
        for word in (*by, *(() if per is None else (per,))):
            if log.segment(word, NOW).column is None:
                raise UnknownNameError("segment", word, log.process.segments)
        if per is not None and (per in by or "@" in per):
            raise CrmMiningError(
                f"per is '{per}', but must be a bare segment word that does not stand in by: it counts as it "
                "was at every moment"
            )
        column = None if per is None else log.process.segments[per]
        return cls(Cut(OrgSpec(), by), per, column)

    @property
    def keys(self) -> list[str]:
        """What names a row while it is counted."""
        words = (*self.cells.by, *(() if self.per is None else (self.per,)))
        return [*Cut(OrgSpec(), words).keys, "responsibility"]

    def tallied(self, log: EventLog) -> summaries.Tally:
        """What the cases of a partition add up to: counts (in microseconds), and values (whole seconds)."""
        spent = turns.waits(log, [] if self.column is None else [self.column])
        rows = pl.concat([spent, turns.lifeless(log)], how="diagonal")
        cells = self.cells.segments(log)
        of_cases = [cells[name].gather(rows["case_ix"]) for name in cells.columns]
        if self.column is not None:
            of_cases.append(rows[self.column].cast(pl.String).alias(self.keys[-2]))
        rows = rows.select("responsibility", "in_hours", "elapsed").with_columns(*of_cases)
        wide = pl.col("in_hours", "elapsed").cast(pl.Int128).sum()
        counts = rows.group_by(self.keys).agg(
            pl.len().cast(pl.Int64).alias("cases"),
            wide,
            pl.col("in_hours").is_null().sum().cast(pl.Int64).alias("without_hours"),
        )
        values = (
            rows.drop_nulls("elapsed")
            .group_by(*self.keys, value=pl.col("elapsed") // _SECOND)
            .agg(cases=pl.len().cast(pl.Int64))
        )
        return summaries.Tally(counts, values)

    def shown(self, found: pl.DataFrame, log: EventLog) -> pl.DataFrame:
        """The table under the names people use, without figures of people that stand for too few cases.

        The shares of a cell of `by` are 1 together, so that one withheld alone follows from the others: of a
        cell that names people all go then; where only `per` names them, what a cell of `by` withholds stands
        for cases enough as well.
        """
        table = self.cells.named(found).with_columns(_named("responsibility"))
        cells = table.columns[: len(self.keys)]
        people, minimum = log.process.people, log.minimum_group
        if minimum is None or not disclosure.naming(cells, people):
            return table
        whole, parts = cells[: len(self.cells.by)], cells[len(self.cells.by) :]
        counted = table.with_columns(n=pl.col("cases"))
        gone = disclosure.withhold_cells(counted, minimum, by=cells, people=people)["n"].is_null()
        if disclosure.naming(whole, people):
            gone = table.select(*whole, gone=gone).select(pl.col("gone").any().over(whole)).to_series()
        else:
            also = disclosure.withhold(counted, minimum, people=parts, within=whole, figures=["n"])
            gone |= also["n"].is_null()
        figures = [name for name in table.columns if name not in cells]
        return table.with_columns(pl.when(~gone).then(pl.col(name)).alias(name) for name in figures)


def _per_case(log: EventLog) -> pl.DataFrame:
    """`waits` of a partition."""
    spent = turns.waits(log)
    rows = pl.concat([spent, turns.lifeless(log)], how="diagonal")
    rows = rows.sort("case_ix", "responsibility", maintain_order=True)
    in_hours, elapsed = (pl.col(name).cast(pl.Duration("us")) for name in ("in_hours", "elapsed"))
    return rows.select(
        log.only.cases["case_id"].gather(rows["case_ix"]).alias("case_id"),
        _named("responsibility"),
        in_hours,
        (elapsed - in_hours).alias("off_hours"),
        elapsed,
    )


def _named(code: str) -> pl.Expr:
    """The responsibility that a code stands for."""
    return pl.col(code).cat.to(_TURN)


def _duration(seconds: pl.Expr) -> pl.Expr:
    """Seconds as a Duration; in milliseconds, for the totals of many cases do not fit into finer ones."""
    return (seconds.cast(pl.Int64) * 1000).cast(pl.Duration("ms"))

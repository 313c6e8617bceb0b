"""KPIs of kind waiting: how long cases spent with those they waited for, in every clock."""

import polars as pl

from crmmining import summaries
from crmmining.definitions.kpi import Waiting
from crmmining.definitions.waiting import RESPONSIBILITIES
from crmmining.eventlog import EventLog
from crmmining.eventlog import waiting as turns
from crmmining.measure.cut import Cut

_IN_CLOCK = {"calendar": "elapsed", "business": "in_hours"}  # the column of waits that counts
_SECOND = 1_000_000  # microseconds
_UNKNOWN = "wait: unknown"  # no fact is called so, nor like what follows


def tallies(log: EventLog, kpi: Waiting, cut: Cut, of: pl.Expr | None) -> tuple[summaries.Tally, ...]:
    """Tally the seconds that ended cases of a partition spent waiting, once in each clock.

    An ended case counts, an open one is censored. Excluded are those outside `of`, those without a life or
    without a calendar in a clock, and of a KPI that leaves out truncated cases those of which it is not known
    throughout whose turn it was. Beside the counts: `spent` there and `life`, in microseconds (Int128).
    """
    cases = cut.cases(log, pl.col(f"{kpi.period}_at"), _of_cases(log, kpi, log.clocks))
    return tuple(_tally(cases, kpi, cut.keys, summaries.population(of), clock) for clock in log.clocks)


def _tally(cases: pl.DataFrame, kpi: Waiting, keys: list[str], scope: pl.Expr, clock: str) -> summaries.Tally:
    whole_only, open_ = kpi.truncation == "exclude", pl.col("open")
    doubt = pl.col(_UNKNOWN) & ~pl.col("truncated").fill_null(value=False)
    known = ~doubt if whole_only else pl.lit(value=True)
    spent, life = pl.col(_spent(clock)), pl.col(_life(clock))
    timed = scope & life.is_not_null()
    who = summaries.members(timed & ~open_ & known, timed & open_, whole_only=whole_only)
    counts, values = summaries.tally(cases, keys, who, value=spent // _SECOND)
    sums = [
        pl.when(who.counted).then(total).cast(pl.Int128).sum().alias(name)
        for name, total in (("spent", spent), ("life", life))
    ]
    more = cases.group_by(keys).agg(sums) if keys else cases.select(sums)
    both = counts.join(more, on=keys, nulls_equal=True) if keys else counts.hstack(more)
    return summaries.Tally(both, values)


def wide(found: summaries.Tally, keys: list[str]) -> pl.DataFrame:
    """Counts; median, p90 and mean of the seconds; and the share of the lives, null where there is none."""
    times = summaries.with_values(found, keys, "median", "p90", "mean")
    life = pl.col("life").cast(pl.Float64)
    share = pl.when(pl.col("life") > 0).then(pl.col("spent").cast(pl.Float64) / life)
    return times.with_columns(share=share).drop("spent", "life")


def _of_cases(log: EventLog, kpi: Waiting, clocks: tuple[str, ...]) -> pl.DataFrame:
    """What the KPI asks of every case, in the order of `cases`: time spent and life per clock, and _UNKNOWN.

    Microseconds; null for a case without a life, or without a calendar in a span.
    """
    places = [RESPONSIBILITIES.index(kind) for kind in kpi.classes]
    there = pl.col("responsibility").is_in(places)
    unknown = pl.col("responsibility") == RESPONSIBILITIES.index("unknown")
    sums = [
        pl.when(time.is_not_null().all()).then(pl.when(which).then(time).otherwise(0).sum()).alias(name)
        for clock in clocks
        for time in (pl.col(_IN_CLOCK[clock]),)
        for name, which in ((_spent(clock), there), (_life(clock), True))
    ]
    spent = turns.waits(log).group_by("case_ix").agg(*sums, unknown.any().alias(_UNKNOWN))
    cases = turns.lives(log).join(spent, on="case_ix", how="left", maintain_order="left")
    at_once = pl.col("start") == pl.col("end")  # a life without a length
    times = [name for name in spent.columns if name not in {"case_ix", _UNKNOWN}]
    told = [pl.when(at_once).then(0).otherwise(pl.col(name)).alias(name) for name in times]
    return cases.select(*told, pl.col(_UNKNOWN).fill_null(value=False))


def _spent(clock: str) -> str:
    return f"wait: {clock}"


def _life(clock: str) -> str:
    return f"life: {clock}"

"""One KPI on one log: what each partition counts, and what the sums say; open and excluded alike for all."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import NamedTuple, assert_never

import polars as pl

from crmmining import summaries
from crmmining.definitions.kpi import (
    Conversion,
    Duration,
    Kpi,
    Rework,
    Share,
    Sla,
    Stock,
    Value,
    Volume,
    Waiting,
)
from crmmining.errors import CrmMiningError
from crmmining.eventlog import EventLog
from crmmining.eventlog.spans import all_have
from crmmining.measure import tallies, waits
from crmmining.measure.cut import Cut

_CURRENCY = "currency"


class Counted(NamedTuple):
    """What one partition counts for a KPI, times once in each clock.

    `currency` is the reporting one, where its cases name one.
    """

    tallies: tuple[summaries.Tally, ...]
    currency: str | None = None


class Summed:
    """What all partitions count for one KPI, added as it comes in."""

    def __init__(self, log: EventLog, kpi: Kpi, cut: Cut) -> None:
        self._log, self._kpi = log, kpi
        self._cut = replace(cut, basis=kpi.standing)
        self._keys = _keys(log, kpi, self._cut)
        self._totals = [summaries.Total(self._keys) for _ in (log.clocks if kpi.clocks else [None])]
        self._currency: str | None = None

    def put(self, counted: Counted) -> None:
        """Add what one partition counts."""
        for total, tally in zip(self._totals, counted.tallies, strict=True):
            total.put(tally)
        self._currency = self._currency or counted.currency

    def rows(self) -> pl.DataFrame:
        """Wide rows: see `measure`."""
        found = [total.tally for total in self._totals]
        return self._cut.named(_wide(self._log, self._kpi, self._cut, found, self._currency))


def measure(log: EventLog, kpi: Kpi, cut: Cut) -> pl.DataFrame:
    """Wide rows of one KPI: period_start (with a period), segments, n, open, excluded, truncated, its parts.

    Every part is a column; shares and medians with open cases come with `<part>_low` and `<part>_high`, money
    with its currency as `unit`, times with their `clock` and a row for each. Bare segment words count as the
    KPI states. Raises `CrmMiningError` for an expression that uses unknown facts or gives no value per case.
    """
    (rows,) = measure_all(log, [kpi], cut)
    return rows


def measure_all(log: EventLog, kpis: Iterable[Kpi], cut: Cut) -> Iterable[pl.DataFrame]:
    """The wide rows of several KPIs, for which each partition is read once."""
    asked = list(kpis)
    sums = [Summed(log, kpi, cut) for kpi in asked]
    for counted in log.each(lambda part: [_counted(part, kpi, cut) for kpi in asked]):
        for total, one in zip(sums, counted, strict=True):
            total.put(one)
    return (total.rows() for total in sums)


def _counted(log: EventLog, kpi: Kpi, cut: Cut) -> Counted:
    """What the one partition of a log counts."""
    try:
        return _count(log, kpi, replace(cut, basis=kpi.standing))
    except CrmMiningError as error:
        error.add_note(f"in KPI '{kpi.name}'")
        raise


def _count(log: EventLog, kpi: Kpi, cut: Cut) -> Counted:  # noqa: C901, PLR0911 - one per kind
    whole, keys = _whole_only(kpi), _keys(log, kpi, cut)
    match kpi:
        case Volume(of="events"):
            return Counted((tallies.event_volume(log, kpi, cut),))
        case Volume():
            instant = pl.col(f"{kpi.count}_at")
            reached = instant.is_not_null()
            who = summaries.members(reached, ~reached & pl.col("open"), whole_only=whole)
            return Counted((summaries.tally(cut.cases(log, instant), keys, who),))
        case Share():
            who = _decided(summaries.population(_scope(log, kpi.of)), kpi)
            hit = log.expression(kpi.condition).fill_null(value=False)
            cases = cut.cases(log, pl.col(f"{kpi.period}_at"))
            return Counted((summaries.tally(cases, keys, who, hit=hit),))
        case Value():
            return _value(log, kpi, cut)
        case Duration():
            cases = cut.cases(log, pl.col(kpi.period), log.spans(kpi.start, kpi.end, log.clocks))
            ask = partial(summaries.durations, cases, keys, of=_scope(log, kpi.of), whole_only=whole)
            finished = _only_finished(log, kpi, cut)
            return Counted(tuple(ask(clock=clock, finished=finished) for clock in log.clocks))
        case Conversion():
            cases = cut.cases(log, pl.col("start"), log.pairs(kpi.start, kpi.end))
            ask = partial(summaries.conversion, cases, keys, of=_scope(log, kpi.of), whole_only=whole)
            within = None if kpi.within_days is None else timedelta(days=kpi.within_days)
            return Counted((ask(within=within, as_of=log.as_of),))
        case Rework():
            who = _decided(summaries.population(_scope(log, kpi.of)), kpi)
            times = pl.col(kpi.what).cast(pl.Int64)
            cases = cut.cases(log, pl.col(f"{kpi.period}_at"))
            return Counted((summaries.tally(cases, keys, who, hit=times > 0, value=times),))
        case Stock():
            return Counted((tallies.open_stock(log, kpi, cut),))
        case Sla():
            return Counted((tallies.service_levels(log, kpi, cut),))
        case Waiting():
            return Counted(waits.tallies(log, kpi, cut, _scope(log, kpi.of)))
    assert_never(kpi)


def _wide(  # noqa: C901, PLR0911 - one per kind
    log: EventLog, kpi: Kpi, cut: Cut, sums: Sequence[summaries.Tally], currency: str | None
) -> pl.DataFrame:
    """What the sums say; of times there is one per clock."""
    found = sums[0]
    match kpi:
        case Volume(of="events"):
            return tallies.shown(tallies.every_period(found.counts, cut, log.as_of), cut, "count")
        case Volume():
            every = tallies.every_period(found.counts, cut, log.as_of)
            return every.drop("hits").with_columns(count=pl.col("n").cast(pl.Float64))
        case Share() | Sla():
            return summaries.with_share(found, "share").drop("hits")
        case Value():
            wide = summaries.with_values(found, _keys(log, kpi, cut), kpi.agg)
            if _CURRENCY in wide.columns:
                return wide.rename({_CURRENCY: "unit"})
            stated = currency or cut.org.reporting_currency or cut.org.currency
            return wide.with_columns(unit=pl.lit(stated if kpi.unit == "money" else kpi.unit))
        case Duration():
            curve = not _only_finished(log, kpi, cut)
            return pl.concat(
                summaries.with_times(one, cut.keys, curve=curve).with_columns(clock=pl.lit(clock))
                for clock, one in zip(log.clocks, sums, strict=True)
            )
        case Conversion():
            return summaries.with_share(found, "rate").drop("hits")
        case Rework():
            mean = summaries.with_values(found, cut.keys, "mean").get_column("mean").alias("per_case")
            return summaries.with_share(found, "share").drop("hits").with_columns(mean)
        case Stock():
            return tallies.stock_rows(log, found.counts, cut)
        case Waiting():
            timed = zip(log.clocks, sums, strict=True)
            return pl.concat(
                waits.wide(one, cut.keys).with_columns(clock=pl.lit(clock)) for clock, one in timed
            )
    assert_never(kpi)


def _keys(log: EventLog, kpi: Kpi, cut: Cut) -> list[str]:
    """What names a cell: money that is not converted is kept apart by currency."""
    apart = isinstance(kpi, Value) and kpi.unit == "money" and not _converted(log, kpi)
    return [*cut.keys, _CURRENCY] if apart else cut.keys


def _converted(log: EventLog, kpi: Value) -> bool:
    """Whether the process gives a value in the reporting currency."""
    there = {f"{kpi.column}_reporting", "reporting_currency"} <= set(log.blank.facts.columns)
    return kpi.currency == "reporting" and there


def _value(log: EventLog, kpi: Value, cut: Cut) -> Counted:
    stated = log.expression(kpi.column, "number").cast(pl.Float64)
    number: pl.Expr = pl.when(stated.is_finite()).then(stated)  # what is divided by zero has no value
    cases = cut.cases(log, pl.col(f"{kpi.period}_at"))
    scope, waiting, currency = summaries.population(_scope(log, kpi.of)), pl.col("open"), None
    if kpi.unit == "money" and _converted(log, kpi):
        converted = pl.col(f"{kpi.column}_reporting")
        waiting &= ~(scope & number.is_not_null() & converted.is_null())  # a rate lacks
        number = converted.cast(pl.Float64)
        currency = next(iter(log.facts["reporting_currency"].drop_nulls().head(1)), None)
    counted = scope & number.is_not_null()
    who = summaries.members(counted, ~counted & waiting, whole_only=_whole_only(kpi))
    return Counted((summaries.tally(cases, _keys(log, kpi, cut), who, value=number),), currency)


def _decided(counted: pl.Expr, kpi: Kpi) -> summaries.Members:
    """Who is not counted waits while open."""
    return summaries.members(counted, ~counted & pl.col("open"), whole_only=_whole_only(kpi))


def _only_finished(log: EventLog, kpi: Duration, cut: Cut) -> bool:
    """Whether cells hold only cases that came so far: dated by the end, or cut by what they were then."""
    if not all_have((log.segment(word, kpi.standing) for word in cut.by), kpi.start):
        return True
    return kpi.period == "end" and (cut.period, cut.since, cut.until) != (None, None, None)


def _whole_only(kpi: Kpi) -> bool:
    return kpi.truncation == "exclude"


def _scope(log: EventLog, of: str | None) -> pl.Expr | None:
    return None if of is None else log.expression(of)

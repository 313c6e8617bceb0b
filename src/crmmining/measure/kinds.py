"""One KPI on one log: a `match` arm per kind; n, open and excluded are counted the same way for all."""

from typing import assert_never

import polars as pl

from crmmining import summaries
from crmmining.definitions.kpi import Conversion, Duration, Kpi, Rework, Share, Stock, Value, Volume
from crmmining.errors import CrmMiningError
from crmmining.eventlog import EventLog
from crmmining.measure import tallies
from crmmining.measure.cut import Cut

_AGGREGATES = {"sum": summaries.exact_sum, "mean": summaries.mean, "median": pl.Expr.median}


def measure(log: EventLog, kpi: Kpi, cut: Cut) -> pl.DataFrame:
    """Wide rows of one KPI: period_start (with a period), segments, n, open, excluded, a column per part.

    Shares come with `<part>_low` and `<part>_high`; money with its currency as `unit`. Raises
    `CrmMiningError` for an expression that uses unknown facts or gives no value per case.
    """
    try:
        return cut.named(_counted(log, kpi, cut))
    except CrmMiningError as error:
        error.add_note(f"in KPI '{kpi.name}'")
        raise


def _counted(log: EventLog, kpi: Kpi, cut: Cut) -> pl.DataFrame:  # noqa: PLR0911 - one per kind
    match kpi:
        case Volume(of="events"):
            return tallies.event_volume(log, kpi.count, cut)
        case Volume():
            return _volume(log, kpi, cut)
        case Share():
            return _share(log, kpi, cut)
        case Value():
            return _value(log, kpi, cut)
        case Duration():
            cases = cut.cases(log, pl.col(kpi.period), log.pairs(kpi.start, kpi.end))
            return summaries.durations(cases, cut.keys, of=_scope(log, kpi.of))
        case Conversion():
            cases = cut.cases(log, pl.col("start"), log.pairs(kpi.start, kpi.end))
            return summaries.conversion(cases, cut.keys, of=_scope(log, kpi.of)).drop("reached")
        case Rework():
            return _rework(log, kpi, cut)
        case Stock():
            return tallies.open_stock(log, cut)
    assert_never(kpi)


def _volume(log: EventLog, kpi: Volume, cut: Cut) -> pl.DataFrame:
    instant = pl.col(f"{kpi.count}_at")
    reached = instant.is_not_null()
    tally = summaries.summarise(
        cut.cases(log, instant),
        cut.keys,
        counted=reached,
        waiting=~reached & pl.col("open"),
        values={"count": reached.sum().cast(pl.Float64)},
    )
    return tallies.every_period(tally, cut, log.as_of)


def _share(log: EventLog, kpi: Share, cut: Cut) -> pl.DataFrame:
    counted = summaries.population(_scope(log, kpi.of))
    hit = counted & log.expression(kpi.where).fill_null(value=False)
    return summaries.summarise(
        cut.cases(log, pl.col(f"{kpi.period}_at")),
        cut.keys,
        counted=counted,
        waiting=~counted & pl.col("open"),
        values=summaries.share("share", hit, counted),
    )


def _value(log: EventLog, kpi: Value, cut: Cut) -> pl.DataFrame:
    number = log.expression(kpi.column, "number").cast(pl.Float64)
    counted = summaries.population(_scope(log, kpi.of)) & number.is_not_null()
    wide = summaries.summarise(
        cut.cases(log, pl.col(f"{kpi.period}_at")),
        [*cut.keys, "currency"] if kpi.unit == "money" else cut.keys,
        counted=counted,
        waiting=~counted & pl.col("open"),
        values={kpi.agg: _AGGREGATES[kpi.agg](number.filter(counted))},
    )
    return wide.rename({"currency": "unit"}) if kpi.unit == "money" else wide


def _rework(log: EventLog, kpi: Rework, cut: Cut) -> pl.DataFrame:
    counted = summaries.population(_scope(log, kpi.of))
    times = pl.col(kpi.what).cast(pl.Float64)
    return summaries.summarise(
        cut.cases(log, pl.col(f"{kpi.period}_at")),
        cut.keys,
        counted=counted,
        waiting=~counted & pl.col("open"),
        values={
            **summaries.share("share", counted & (times > 0), counted),
            "per_case": summaries.mean(times.filter(counted)),
        },
    )


def _scope(log: EventLog, of: str | None) -> pl.Expr | None:
    return None if of is None else log.expression(of)

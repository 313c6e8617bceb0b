"""One KPI on one log: a `match` arm per kind; n, open and excluded are counted the same way for all."""

from dataclasses import replace
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
    """Wide rows of one KPI: period_start (with a period), segments, n, open, excluded, truncated, its parts.

    Every part is a column; shares come with `<part>_low` and `<part>_high`, money with its currency as
    `unit`. Bare segment words count as the KPI states. Raises `CrmMiningError` for an expression that uses
    unknown facts or gives no value per case.
    """
    try:
        return cut.named(_counted(log, kpi, replace(cut, basis=kpi.standing)))
    except CrmMiningError as error:
        error.add_note(f"in KPI '{kpi.name}'")
        raise


def _counted(log: EventLog, kpi: Kpi, cut: Cut) -> pl.DataFrame:  # noqa: PLR0911 - one per kind
    match kpi:
        case Volume(of="events"):
            return tallies.event_volume(log, kpi, cut)
        case Volume():
            return _volume(log, kpi, cut)
        case Share():
            return _share(log, kpi, cut)
        case Value():
            return _value(log, kpi, cut)
        case Duration():
            cases = cut.cases(log, pl.col(kpi.period), log.pairs(kpi.start, kpi.end))
            scope, whole = _scope(log, kpi.of), _whole_only(kpi)
            return summaries.durations(cases, cut.keys, of=scope, whole_only=whole)
        case Conversion():
            cases = cut.cases(log, pl.col("start"), log.pairs(kpi.start, kpi.end))
            scope, whole = _scope(log, kpi.of), _whole_only(kpi)
            return summaries.conversion(cases, cut.keys, of=scope, whole_only=whole).drop("reached")
        case Rework():
            return _rework(log, kpi, cut)
        case Stock():
            return tallies.open_stock(log, kpi, cut)
    assert_never(kpi)


def _volume(log: EventLog, kpi: Volume, cut: Cut) -> pl.DataFrame:
    instant = pl.col(f"{kpi.count}_at")
    reached = instant.is_not_null()
    who = summaries.members(reached, ~reached & pl.col("open"), whole_only=_whole_only(kpi))
    values = {"count": who.counted.sum().cast(pl.Float64)}
    tally = summaries.summarise(cut.cases(log, instant), cut.keys, who, values)
    return tallies.every_period(tally, cut, log.as_of)


def _share(log: EventLog, kpi: Share, cut: Cut) -> pl.DataFrame:
    who = _decided(summaries.population(_scope(log, kpi.of)), kpi)
    hit = who.counted & log.expression(kpi.where).fill_null(value=False)
    cases = cut.cases(log, pl.col(f"{kpi.period}_at"))
    return summaries.summarise(cases, cut.keys, who, summaries.share("share", hit, who.counted))


def _value(log: EventLog, kpi: Value, cut: Cut) -> pl.DataFrame:
    number = log.expression(kpi.column, "number").cast(pl.Float64)
    cases = cut.cases(log, pl.col(f"{kpi.period}_at"))
    keys = cut.keys
    unit: str = kpi.unit
    scope = summaries.population(_scope(log, kpi.of))
    waiting = pl.col("open")
    twin = f"{kpi.column}_reporting"
    converted = {twin, "reporting_currency"} <= set(cases.columns)
    if kpi.unit == "money" and kpi.currency == "reporting" and converted:
        unit = _reporting_currency(log, cut)
        waiting &= ~(scope & number.is_not_null() & pl.col(twin).is_null())  # a rate lacks
        number = pl.col(twin)
    elif kpi.unit == "money":
        keys = [*keys, "currency"]
    counted = scope & number.is_not_null()
    who = summaries.members(counted, ~counted & waiting, whole_only=_whole_only(kpi))
    values = {str(kpi.agg): _AGGREGATES[kpi.agg](number.filter(who.counted))}
    wide = summaries.summarise(cases, keys, who, values)
    return wide.rename({"currency": "unit"}) if "currency" in keys else wide.with_columns(unit=pl.lit(unit))


def _reporting_currency(log: EventLog, cut: Cut) -> str:
    """One for the whole log, as its SQL states it; without cases what the org states."""
    stated = log.facts["reporting_currency"].drop_nulls().head(1).to_list()
    return stated[0] if stated else cut.org.reporting_currency or cut.org.currency


def _rework(log: EventLog, kpi: Rework, cut: Cut) -> pl.DataFrame:
    who = _decided(summaries.population(_scope(log, kpi.of)), kpi)
    times = pl.col(kpi.what).cast(pl.Float64)
    values = {
        **summaries.share("share", who.counted & (times > 0), who.counted),
        "per_case": summaries.mean(times.filter(who.counted)),
    }
    return summaries.summarise(cut.cases(log, pl.col(f"{kpi.period}_at")), cut.keys, who, values)


def _decided(counted: pl.Expr, kpi: Kpi) -> summaries.Members:
    """Who is not counted waits while open."""
    return summaries.members(counted, ~counted & pl.col("open"), whole_only=_whole_only(kpi))


def _whole_only(kpi: Kpi) -> bool:
    return kpi.truncation == "exclude"


def _scope(log: EventLog, of: str | None) -> pl.Expr | None:
    return None if of is None else log.expression(of)

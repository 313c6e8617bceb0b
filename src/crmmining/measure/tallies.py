"""KPIs that count events or moments instead of cases: volume of events, stock of open cases."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from crmmining.eventlog import EventLog
from crmmining.kernels import merge, stock, volume
from crmmining.measure.cut import Cut
from crmmining.periods import period_end

_ANY_DAY = date(1970, 1, 1)


def event_volume(log: EventLog, milestone: str, cut: Cut) -> pl.DataFrame:
    """How often a milestone was passed: keys, n, open, excluded, count."""
    codes = log.codes(milestone)
    passed = [
        cut.window(p.events.filter(pl.col("activity").is_in(codes)), pl.col("occurred_at"))
        for p in log.partitions
    ]
    tally = _tally(log, passed, cut)
    if tally.is_empty() and not cut.keys:
        tally = pl.DataFrame({"n": [0]})
    return every_period(tally, cut, log.as_of).with_columns(**_none_left(), count=_number("n"))


def open_stock(log: EventLog, cut: Cut) -> pl.DataFrame:
    """Open cases at the end of each period: keys, n, open, excluded, open_cases.

    Without a period and in the running one: at as_of. A window keeps the periods that begin in it.
    """
    if cut.period is None:
        counted = pl.col("open").sum().cast(pl.Int64).alias("n")
        cells = log.facts.select("open", *map(log.segment, cut.by))
        held = cells.group_by(cut.by).agg(counted) if cut.by else cells.select(counted)
        return held.with_columns(**_none_left(), open_cases=_number("n"))
    ends = [code for word in log.process.ends for code in log.codes(word)]
    reopens = [code for word in log.process.reopens for code in log.codes(word)]
    flips = [stock.changes(p.events, ends, reopens) for p in log.partitions]
    moved = [
        _tally(log, [f.filter(pl.col("change") == sign) for f in flips], cut).with_columns(pl.col("n") * sign)
        for sign in (1, -1)
    ]
    net = pl.concat(moved).group_by(cut.keys).agg(pl.sum("n"))
    held = every_period(net, cut, log.as_of)
    running = pl.col("n").cum_sum()
    held = held.with_columns(running.over(cut.by) if cut.by else running)
    zone = ZoneInfo(cut.org.time_zone)
    if cut.since is not None:
        held = held.filter(pl.col("period_start") >= cut.since.astimezone(zone).date())
    if cut.until is not None:
        held = held.filter(pl.col("period_start") < cut.until.astimezone(zone).date())
    return held.with_columns(**_none_left(), open_cases=_number("n"))


def every_period(tally: pl.DataFrame, cut: Cut, as_of: datetime) -> pl.DataFrame:
    """The tally with a row of zeros for every cell and period that has none, up to the period of `as_of`.

    Rows without a period stay as they are; without `cut.period` nothing is added.
    """
    dated = tally if cut.period is None else tally.filter(pl.col("period_start").is_not_null())
    if cut.period is None or dated.is_empty():
        return tally
    end = as_of if cut.until is None else min(as_of, cut.until - timedelta(microseconds=1))
    last = pl.select(cut.start(pl.lit(end).dt.convert_time_zone("UTC"), cut.period)).item()
    days, day = [], dated["period_start"].min()
    while isinstance(day, date) and day <= last:
        days.append(day)
        day = pl.select(period_end(pl.lit(day), cut.period)).item()
    grid = pl.DataFrame({"period_start": days}, schema={"period_start": pl.Date})
    if cut.by:
        grid = dated.select(cut.by).unique().join(grid, how="cross")
    known = grid.join(dated, on=cut.keys, how="left", nulls_equal=True)
    filled = known.with_columns(pl.exclude(cut.keys).fill_null(0)).select(tally.columns)
    undated = tally.filter(pl.col("period_start").is_null())
    return pl.concat([filled, undated]).sort(cut.keys, nulls_last=True)


def _tally(log: EventLog, events: Sequence[pl.DataFrame], cut: Cut) -> pl.DataFrame:
    """Events of each partition counted by keys: keys, n."""
    cells = cut.groups(log)
    tallies, offset = [], 0
    for partition, own in zip(log.partitions, events, strict=True):
        if cut.period is None:
            starts = pl.repeat(_ANY_DAY, own.height, dtype=pl.Date, eager=True)
        else:
            starts = own.select(cut.start(pl.col("occurred_at"), cut.period)).to_series()
        tallies.append(volume.volume(own, cells["group"].slice(offset, partition.cases.height), starts))
        offset += partition.cases.height
    tally = merge.add(tallies, ["group", "period"]).join(cells.unique(), on="group")
    return tally.rename({"period": "period_start"}).select(*cut.keys, "n")


def _number(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Float64)


def _none_left() -> dict[str, pl.Expr]:
    return {"open": pl.lit(0, pl.Int64), "excluded": pl.lit(0, pl.Int64)}

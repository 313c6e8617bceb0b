"""KPIs that count events or moments instead of cases: volume of events, stock of open cases."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from crmmining.eventlog import EventLog
from crmmining.kernels import merge, stock, volume
from crmmining.measure.cut import Cut
from crmmining.periods import every_start

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
        cells = log.facts.select("open", *cut.segments(log))
        held = cells.group_by(cut.keys).agg(counted) if cut.keys else cells.select(counted)
        return held.with_columns(**_none_left(), open_cases=_number("n"))
    begins = log.codes("created")
    ends = [code for word in log.process.ends for code in log.codes(word)]
    reopens = [code for word in log.process.reopens for code in log.codes(word)]
    flips = [stock.changes(p.events, begins, ends, reopens) for p in log.partitions]
    moved = [
        _tally(log, [f.filter(pl.col("change") == sign) for f in flips], cut).with_columns(pl.col("n") * sign)
        for sign in (1, -1)
    ]
    net = pl.concat(moved).group_by(cut.keys).agg(pl.sum("n"))
    held = every_period(net, Cut(cut.org, cut.by, cut.period, until=cut.until), log.as_of)
    start, *segments = cut.keys
    running = pl.col("n").cum_sum()
    held = held.with_columns(running.over(segments) if segments else running)
    zone = ZoneInfo(cut.org.time_zone)
    if cut.since is not None:
        held = held.filter(pl.col(start) >= cut.since.astimezone(zone).date())
    if cut.until is not None:
        held = held.filter(pl.col(start) < cut.until.astimezone(zone).date())
    return held.with_columns(**_none_left(), open_cases=_number("n"))


def every_period(tally: pl.DataFrame, cut: Cut, as_of: datetime) -> pl.DataFrame:
    """The tally with a row of zeros for every cell and period that has none.

    From the period of `since`, or the first one there is, to that of `as_of` or the last before `until`. Rows
    without a period stay as they are; without `cut.period` nothing is added.
    """
    if cut.period is None:
        return tally
    start, *segments = cut.keys
    dated = tally.filter(pl.col(start).is_not_null())
    end = as_of if cut.until is None else min(as_of, cut.until - timedelta(microseconds=1))
    first = dated[start].min() if cut.since is None else _start_of(cut.since, cut)
    if not isinstance(first, date):
        return tally
    days = every_start(first, _start_of(end, cut), cut.period)
    grid = days.alias(start).to_frame()
    if segments:
        grid = dated.select(segments).unique().join(grid, how="cross")
    known = grid.join(dated, on=cut.keys, how="left", nulls_equal=True)
    filled = known.with_columns(pl.exclude(cut.keys).fill_null(0)).select(tally.columns)
    undated = tally.filter(pl.col(start).is_null())
    return pl.concat([filled, undated]).sort(cut.keys, nulls_last=True)


def _start_of(moment: datetime, cut: Cut) -> date:
    instant = pl.lit(moment).dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    start: date = pl.select(*cut.start(instant)).item()
    return start


def _tally(log: EventLog, events: Sequence[pl.DataFrame], cut: Cut) -> pl.DataFrame:
    """Events of each partition counted by keys: keys, n."""
    cells = cut.groups(log)
    tallies, offset = [], 0
    for partition, own in zip(log.partitions, events, strict=True):
        starts = pl.repeat(_ANY_DAY, own.height, dtype=pl.Date, eager=True)
        if cut.period is not None:
            starts = own.select(*cut.start(pl.col("occurred_at"))).to_series()
        tallies.append(volume.volume(own, cells["group"].slice(offset, partition.cases.height), starts))
        offset += partition.cases.height
    tally = merge.add(tallies, ["group", "period"]).join(cells.unique(), on="group")
    return tally.rename({"period": cut.keys[0]} if cut.period else {}).select(*cut.keys, "n")


def _number(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Float64)


def _none_left() -> dict[str, pl.Expr]:
    return {"open": pl.lit(0, pl.Int64), "excluded": pl.lit(0, pl.Int64)}

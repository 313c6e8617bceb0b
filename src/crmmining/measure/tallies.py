"""KPIs that count events or moments instead of cases: volume of events, stock of open cases."""

from datetime import UTC, date, datetime

import polars as pl

from crmmining.eventlog import EventLog
from crmmining.kernels import merge, stock, volume
from crmmining.measure.cut import Cut
from crmmining.periods import Period, period_end

_ANY_DAY = date(1970, 1, 1)


def event_volume(log: EventLog, milestone: str, cut: Cut) -> pl.DataFrame:
    """How often a milestone was passed: keys, n, open, excluded, count."""
    codes = log.codes(milestone)
    groups = cut.groups(log)
    tallies, offset = [], 0
    for p in log.partitions:
        events = cut.window(p.events.filter(pl.col("activity").is_in(codes)), pl.col("occurred_at"))
        tallies.append(_tally(events, groups["group"].slice(offset, p.cases.height), cut))
        offset += p.cases.height
    tally = merge.add(tallies, ["group", "period"]).join(groups.unique(), on="group")
    wide = tally.rename({"period": "period_start"}).select(*cut.keys, "n")
    if wide.is_empty() and not cut.keys:
        wide = pl.DataFrame({"n": [0]})
    return wide.with_columns(**_none_left(), count=pl.col("n").cast(pl.Float64))


def open_stock(log: EventLog, cut: Cut) -> pl.DataFrame:
    """Open cases at the end of each period (the last one: at as_of): keys, n, open, excluded, open_cases.

    Without a period: at as_of. A group keeps a row for every period from its first case on.
    """
    groups = cut.groups(log)
    if cut.period is None:
        counted = pl.col("open").sum().cast(pl.Int64).alias("n")
        cells = groups.with_columns(log.facts["open"])
        held = cells.group_by(cut.keys).agg(counted) if cut.keys else cells.select(counted)
        return held.with_columns(**_none_left(), open_cases=pl.col("n").cast(pl.Float64))
    ends = [code for word in log.process.ends for code in log.codes(word)]
    reopens = [code for word in log.process.reopens for code in log.codes(word)]
    tallies, offset = [], 0
    for p in log.partitions:
        flips = stock.changes(p.events, ends, reopens)
        cells = groups["group"].slice(offset, p.cases.height)
        for sign in (1, -1):
            tally = _tally(flips.filter(pl.col("change") == sign), cells, cut)
            tallies.append(tally.with_columns(change=pl.col("n") * sign).drop("n"))
        offset += p.cases.height
    moved = merge.add(tallies, ["group", "period"])
    held = (
        moved.group_by("group")
        .agg(pl.min("period"))
        .join(_grid(moved, log.as_of, cut, cut.period), on="group", how="inner", suffix="_at")
        .filter(pl.col("period_at") >= pl.col("period"))
        .join(moved, left_on=["group", "period_at"], right_on=["group", "period"], how="left")
        .sort("group", "period_at")
        .with_columns(n=pl.col("change").fill_null(0).cum_sum().over("group"))
        .join(groups.unique(), on="group")
        .select(pl.col("period_at").alias("period_start"), *cut.by, "n")
    )
    held = cut.window(held, pl.col("period_start").cast(pl.Datetime("us", "UTC")))
    return held.with_columns(**_none_left(), open_cases=pl.col("n").cast(pl.Float64))


def _tally(events: pl.DataFrame, groups: pl.Series, cut: Cut) -> pl.DataFrame:
    if cut.period is None:
        starts = pl.repeat(_ANY_DAY, events.height, dtype=pl.Date, eager=True)
    else:
        starts = events.select(cut.start(pl.col("occurred_at"), cut.period)).to_series()
    return volume.volume(events, groups, starts)


def _grid(moved: pl.DataFrame, as_of: datetime, cut: Cut, period: Period) -> pl.DataFrame:
    last = pl.select(cut.start(pl.lit(as_of.astimezone(UTC), pl.Datetime("us", "UTC")), period)).item()
    days, day = [], moved["period"].min()
    while isinstance(day, date) and day <= last:
        days.append(day)
        day = pl.select(period_end(pl.lit(day), period)).item()
    periods = pl.DataFrame({"period": days}, schema={"period": pl.Date})
    return moved.select("group").unique().join(periods, how="cross")


def _none_left() -> dict[str, pl.Expr]:
    return {"open": pl.lit(0, pl.Int64), "excluded": pl.lit(0, pl.Int64)}

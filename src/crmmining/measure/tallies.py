"""KPIs that count events or moments instead of cases: volume of events, stock of open cases."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from crmmining.definitions.kpi import Stock, Volume
from crmmining.eventlog import EventLog
from crmmining.kernels import merge, stock
from crmmining.measure.cut import Cut
from crmmining.periods import every_start

_COUNTS = ("n", "excluded", "truncated")


def event_volume(log: EventLog, kpi: Volume, cut: Cut) -> pl.DataFrame:
    """How often a milestone was passed: keys, n, open, excluded, truncated (events of such cases), count."""
    codes = log.codes(kpi.count)
    counted = []
    for p in log.partitions:
        passed = cut.window(p.events.filter(pl.col("activity").is_in(codes)), pl.col("occurred_at"))
        cells = cut.segments_of(log, p, passed)
        truncated = p.cases["truncated"].gather(passed["case_ix"])
        starts = cut.start(pl.col("occurred_at"))
        counted.append(passed.with_columns(*starts, *cells, truncated, change=1))
    tally = _tally(counted, cut, whole_only=kpi.truncation == "exclude")
    return _counted(every_period(tally, cut, log.as_of), cut, "count")


def open_stock(log: EventLog, kpi: Stock, cut: Cut) -> pl.DataFrame:
    """Open cases at the end of each period: keys, n, open, excluded, truncated, open_cases.

    Without a period and in the running one: at as_of. A window keeps the periods that begin in it.
    """
    whole_only = kpi.truncation == "exclude"
    cells = log.facts.select("truncated", change="open").with_columns(*cut.segments(log))
    if cut.period is None:
        return _counted(_tally([cells], cut, whole_only=whole_only), cut, "open_cases")
    begins = log.codes("created")
    ends = [code for word in log.process.ends for code in log.codes(word)]
    reopens = [code for word in log.process.reopens for code in log.codes(word)]
    moved, offset = [], 0
    for p in log.partitions:
        flips = stock.changes(p.events, begins, ends, reopens)
        own = cells.drop("change").slice(offset, p.cases.height)[flips["case_ix"]]
        moved.append(flips.with_columns(*cut.start(pl.col("occurred_at")), *own))
        offset += p.cases.height
    net = _tally(moved, cut, whole_only=whole_only)
    held = every_period(net, Cut(cut.org, cut.by, cut.period, until=cut.until), log.as_of)
    start, *segments = cut.keys
    running = pl.col(*_COUNTS).cum_sum()
    held = held.with_columns(running.over(segments) if segments else running)
    zone = ZoneInfo(cut.org.time_zone)
    if cut.since is not None:
        held = held.filter(pl.col(start) >= cut.since.astimezone(zone).date())
    if cut.until is not None:
        held = held.filter(pl.col(start) < cut.until.astimezone(zone).date())
    return _counted(held, cut, "open_cases")


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


def _tally(rows: Sequence[pl.DataFrame], cut: Cut, *, whole_only: bool) -> pl.DataFrame:
    """Add up the rows (keys, `truncated`, `change`) of each partition: keys, n, excluded, truncated.

    Without keys always exactly one row. With `whole_only` what is truncated is left out of n and excluded.
    """
    change, cut_off = (
        pl.col("change").cast(pl.Int64),
        pl.col("truncated").fill_null(value=False).cast(pl.Int64),
    )
    left_out = change * cut_off if whole_only else change * 0
    counts = {"n": change - left_out, "excluded": left_out, "truncated": change * cut_off}
    parts = [part.select(*cut.keys, **counts) for part in rows]
    if not cut.keys:
        return pl.concat(parts).sum()
    return merge.add([merge.add([part], cut.keys) for part in parts], cut.keys)


def _counted(tally: pl.DataFrame, cut: Cut, part: str) -> pl.DataFrame:
    count = pl.col("n").cast(pl.Float64).alias(part)
    return tally.select(*cut.keys, "n", pl.lit(0, pl.Int64).alias("open"), "excluded", "truncated", count)

"""KPIs that count other things than cases: volume of events, stock of open cases, milestones in time."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from crmmining import summaries
from crmmining.definitions.kpi import Sla, Stock, Volume
from crmmining.eventlog import EventLog, sla
from crmmining.kernels import stock
from crmmining.measure.cut import Cut
from crmmining.periods import every_start
from crmmining.summaries import Tally

_COUNTS = ("n", "excluded", "truncated")
_DECIDED, _WAITING = ("met", "violated", "running_late"), ("running", "stopped")


def event_volume(log: EventLog, kpi: Volume, cut: Cut) -> Tally:
    """How often a milestone was passed in a partition: keys, n, excluded, truncated (of such cases)."""
    events = log.only.columns("case_ix", "activity", "occurred_at")
    passed = cut.window(events.filter(pl.col("activity").is_in(log.codes(kpi.count))), pl.col("occurred_at"))
    cells = cut.segments_of(log, passed)
    truncated = log.only.cases["truncated"].gather(passed["case_ix"])
    rows = passed.with_columns(*cut.start(pl.col("occurred_at")), *cells, truncated, change=1)
    return _tally(rows, cut, whole_only=kpi.truncation == "exclude")


def service_levels(log: EventLog, kpi: Sla, cut: Cut) -> Tally:
    """How many milestones of a partition are in time: decided ones count, void and faulty ones do not."""
    rows = sla.of_partition(log, kpi.start, kpi.end).filter(after_reopening=kpi.after_reopening)
    if kpi.milestone is not None:
        name = pl.col("milestone").cast(pl.String).str.strip_chars().str.to_lowercase()
        rows = rows.filter(name == kpi.milestone.strip().lower())
    rows = cut.window(rows, pl.col("target_at"))
    whole = log.only.cases.select("truncated", within=pl.lit(value=True))
    if kpi.of is not None:
        asked = log.expression(kpi.of).fill_null(value=False)
        whole = log.facts.select("truncated", within=asked)
    cells = cut.segments_of(log, rows)
    rows = rows.hstack(whole[rows["case_ix"]]).with_columns(*cells, *cut.start(pl.col("target_at")))
    counted, waiting = (pl.col("within") & pl.col("state").is_in(names) for names in (_DECIDED, _WAITING))
    who = summaries.members(counted, waiting, whole_only=kpi.truncation == "exclude")
    return summaries.tally(rows, cut.keys, who, hit=pl.col("state") == "met")


def open_stock(log: EventLog, kpi: Stock, cut: Cut) -> Tally:
    """How many cases of a partition are open; with a period, how many more at the end of it: keys, n, ..."""
    whole_only = kpi.truncation == "exclude"
    if cut.period is None:
        cells = log.only.cases.select("truncated", change="open").with_columns(*cut.segments(log))
        return _tally(cells, cut, whole_only=whole_only)
    return _tally(moves(log, cut), cut, whole_only=whole_only)


def moves(log: EventLog, cut: Cut) -> pl.DataFrame:
    """When cases of a partition open and close, by case and time: keys, case_ix, truncated, change."""
    begins = log.codes("created")
    ends = [code for word in log.process.ends for code in log.codes(word)]
    reopens = [code for word in log.process.reopens for code in log.codes(word)]
    flips = stock.changes(log.only.columns("case_ix", "activity", "occurred_at"), begins, ends, reopens)
    cells = log.only.of_cases("truncated").with_columns(*cut.segments(log))
    return flips.with_columns(*cut.start(pl.col("occurred_at")), *cells[flips["case_ix"]])


def stock_rows(log: EventLog, counts: pl.DataFrame, cut: Cut) -> pl.DataFrame:
    """Open cases at the end of each period: keys, n, open, excluded, truncated, open_cases.

    Without a period and in the running one: at as_of. A window keeps the periods that begin in it.
    """
    if cut.period is None:
        return shown(counts, cut, "open_cases")
    held = every_period(counts, Cut(cut.org, cut.by, cut.period, until=cut.until), log.as_of)
    start, *segments = cut.keys
    running = pl.col(*_COUNTS).cum_sum()
    held = held.with_columns(running.over(segments) if segments else running)
    zone = ZoneInfo(cut.org.time_zone)
    if cut.since is not None:
        held = held.filter(pl.col(start) >= cut.since.astimezone(zone).date())
    if cut.until is not None:
        held = held.filter(pl.col(start) < cut.until.astimezone(zone).date())
    return shown(held, cut, "open_cases")


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


def shown(counts: pl.DataFrame, cut: Cut, part: str) -> pl.DataFrame:
    """Counts as rows of a KPI: nothing waits, and n is the figure."""
    figure = pl.col("n").cast(pl.Float64).alias(part)
    return counts.select(*cut.keys, "n", pl.lit(0, pl.Int64).alias("open"), "excluded", "truncated", figure)


def _tally(rows: pl.DataFrame, cut: Cut, *, whole_only: bool) -> Tally:
    """Add up the rows (keys, `truncated`, `change`) of a partition: keys, n, excluded, truncated.

    Without keys always exactly one row. With `whole_only` what is truncated is left out of n and excluded.
    """
    change = pl.col("change").cast(pl.Int64)
    cut_off = pl.col("truncated").fill_null(value=False).cast(pl.Int64)
    left_out = change * cut_off if whole_only else change * 0
    counts = {"n": change - left_out, "excluded": left_out, "truncated": change * cut_off}
    found = rows.select(*cut.keys, **counts)
    total = found.group_by(cut.keys).agg(pl.all().sum()) if cut.keys else found.sum()
    none = pl.DataFrame(schema={**rows.select(cut.keys).schema, "value": pl.Int64, "cases": pl.Int64})
    return Tally(total, none)

"""Weeks: how many cases came in and were done in each, as it was known at any later week."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt
import polars as pl

from crmmining.errors import CrmMiningError
from crmmining.eventlog import EventLog
from crmmining.kernels import merge, stock
from crmmining.kernels.traces import first_of_run
from crmmining.periods import period_start

Floats = npt.NDArray[np.float64]
WEEK = timedelta(weeks=1)


class Series(NamedTuple):
    """Full weeks in a row: first day of each, cases created, cases done, and open at its end.

    done is closings less reopenings, so that open = open before + arrivals - done.
    """

    weeks: Sequence[date]
    arrivals: Floats
    done: Floats
    open: Floats


def tally(log: EventLog, time_zone: str) -> pl.DataFrame:
    """Count openings and closings by the week of the event and the week in which it was known.

    Columns: week, known (Date, Mondays in `time_zone`), arrivals, change (of how many are open; Int64).
    """
    found = merge.add(log.each(partial(_tally, time_zone=zone(time_zone).key)), ["week", "known"])
    if found.is_empty():
        raise CrmMiningError(
            f"the log of process '{log.process.name}' holds no case: there is no week to count"
        )
    return found


def zone(name: str) -> ZoneInfo:
    """The time zone of that name; raises `CrmMiningError` when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise CrmMiningError(
            f"time_zone is '{name}', but must be an IANA time zone such as 'Europe/Berlin'"
        ) from error


def series(counts: pl.DataFrame, until: date) -> Series:
    """The weeks before that of `until`, by what was known before it; none: empty."""
    known = counts.filter(pl.max_horizontal("week", "known") < until)
    if known.is_empty():
        return Series([], *(np.empty(0) for _ in range(3)))
    by_week = known.group_by("week").agg(pl.col("arrivals", "change").sum()).sort("week")
    first = by_week["week"].item(0)
    grid = pl.date_range(first, until, "1w", closed="left", eager=True).alias("week").to_frame()
    filled = grid.join(by_week, on="week", how="left", maintain_order="left").fill_null(0)
    arrivals, change = (filled[name].to_numpy().astype(np.float64) for name in ("arrivals", "change"))
    return Series(filled["week"].to_list(), arrivals, arrivals - change, change.cumsum())


def week_of(moment: datetime, time_zone: str) -> date:
    """The Monday of the week that holds `moment`."""
    day = moment.astimezone(zone(time_zone)).date()
    return day - timedelta(days=day.weekday())


def _tally(log: EventLog, time_zone: str) -> pl.DataFrame:
    ends = [code for word in log.process.ends for code in log.codes(word)]
    reopens = [code for word in log.process.reopens for code in log.codes(word)]
    events = log.only.columns("case_ix", "activity", "occurred_at", "recorded_at")
    flips = stock.changes(events, log.codes("created"), ends, reopens)
    first = pl.Series(first_of_run(flips["case_ix"].to_numpy()))
    known = pl.max_horizontal("occurred_at", "recorded_at")
    weeks = {
        "week": period_start(pl.col("occurred_at"), "week", time_zone=time_zone),
        "known": period_start(known, "week", time_zone=time_zone),
    }
    rows = flips.with_columns(arrivals=first.cast(pl.Int64), **weeks)
    return rows.group_by("week", "known").agg(pl.col("arrivals", "change").sum())

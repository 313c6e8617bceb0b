"""Cutting instants into periods: in the org's time zone and fiscal year, never in UTC by accident."""

from datetime import date
from typing import Literal, get_args

import polars as pl

Period = Literal["day", "week", "month", "quarter", "year"]

PERIODS: tuple[Period, ...] = get_args(Period)
_LENGTH: dict[Period, str] = {"day": "1d", "week": "1w", "month": "1mo", "quarter": "1q", "year": "1y"}


def period_start(instant: pl.Expr, period: Period, *, time_zone: str, fiscal_year_start: int = 1) -> pl.Expr:
    """First local day of the period that holds `instant` (Datetime UTC): Date, null stays null.

    Weeks begin on Monday; quarters and years follow the fiscal year, which begins in month
    `fiscal_year_start`.

    >>> from datetime import UTC, datetime
    >>> late = pl.Series([datetime(2024, 1, 31, 23, 30, tzinfo=UTC)])
    >>> berlin = period_start(pl.lit(late), "month", time_zone="Europe/Berlin")
    >>> pl.select(berlin).item()
    datetime.date(2024, 2, 1)
    """
    day = instant.dt.convert_time_zone(time_zone).dt.date()
    if period in ("quarter", "year"):
        shift = fiscal_year_start - 1
        month = day.dt.truncate("1mo")
        return month.dt.offset_by(f"-{shift}mo").dt.truncate(_LENGTH[period]).dt.offset_by(f"{shift}mo")
    return day.dt.truncate(_LENGTH[period])


def every_start(first: date, last: date, period: Period) -> pl.Series:
    """First days of all periods from the one that begins on `first` to the one that begins on `last`.

    >>> every_start(date(2024, 1, 1), date(2024, 7, 1), "quarter").dt.month().to_list()
    [1, 4, 7]
    """
    return pl.date_range(first, last, _LENGTH[period], eager=True)


def period_end(start: pl.Expr, period: Period) -> pl.Expr:
    """First local day after the period that begins on `start` (Date).

    >>> from datetime import date
    >>> pl.select(period_end(pl.lit(date(2024, 1, 1)), "quarter")).item()
    datetime.date(2024, 4, 1)
    """
    return start.dt.offset_by(_LENGTH[period])

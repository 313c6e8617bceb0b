"""Periods against the calendar of the standard library."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmmining.periods import PERIODS, Period, period_end, period_start

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "America/Sao_Paulo"]
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2035, 1, 1))  # noqa: DTZ001 - made aware below


def naive_start(moment: datetime, period: Period, zone: str, fiscal: int) -> date:
    day = moment.astimezone(ZoneInfo(zone)).date()
    if period == "day":
        return day
    if period == "week":
        return day - timedelta(days=day.weekday())
    length = {"month": 1, "quarter": 3, "year": 12}[period]
    months = day.year * 12 + day.month - 1
    shift = 0 if period == "month" else fiscal - 1
    first = (months - shift) // length * length + shift
    return date(first // 12, first % 12 + 1, 1)


@given(MOMENTS, st.sampled_from(PERIODS), st.sampled_from(ZONES), st.integers(1, 12))
def test_the_period_of_any_moment(moment: datetime, period: Period, zone: str, fiscal: int) -> None:
    aware = moment.replace(tzinfo=UTC)
    instant = pl.lit(aware, pl.Datetime("us", "UTC"))
    start = pl.select(period_start(instant, period, time_zone=zone, fiscal_year_start=fiscal)).item()
    assert start == naive_start(aware, period, zone, fiscal)
    end = pl.select(period_end(pl.lit(start), period)).item()
    assert start <= aware.astimezone(ZoneInfo(zone)).date() < end


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        ("week", date(2024, 2, 26), date(2024, 3, 4)),
        ("month", date(2024, 2, 1), date(2024, 3, 1)),
        ("quarter", date(2024, 1, 1), date(2024, 4, 1)),
        ("year", date(2024, 1, 1), date(2025, 1, 1)),
    ],
)
def test_leap_day_by_hand(period: Period, start: date, end: date) -> None:
    leap = pl.lit(datetime(2024, 2, 29, 12, tzinfo=UTC), pl.Datetime("us", "UTC"))
    assert pl.select(period_start(leap, period, time_zone="UTC")).item() == start
    assert pl.select(period_end(pl.lit(start), period)).item() == end

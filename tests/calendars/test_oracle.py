"""Every minute around the switches of a dozen clocks, asked of the clock itself."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from crmmining.calendars import Calendar, Calendars, Holiday

from .made import Days, calendar, since_1970, week

DAYS, MINUTE = 4, 60_000_000
SWITCHES = [
    *(("Europe/Berlin", "2024-03-31"), ("Europe/Berlin", "2024-10-27")),
    *(("America/New_York", "2024-03-10"), ("America/New_York", "2024-11-03")),
    *(("Australia/Lord_Howe", "2024-04-07"), ("Australia/Lord_Howe", "2024-10-06")),  # by half an hour
    ("Asia/Kathmandu", "1986-01-01"),  # by a quarter of an hour
    *(("America/St_Johns", "2010-03-14"), ("America/St_Johns", "2010-11-07")),  # a minute after midnight
    *(("America/Sao_Paulo", "2018-11-04"), ("America/Sao_Paulo", "2019-02-17")),  # at midnight
    *(("Pacific/Apia", "2011-12-30"), ("Pacific/Apia", "2012-04-01")),  # a day that never was
    *(("Africa/Casablanca", "2024-03-10"), ("Africa/Casablanca", "2024-04-14")),  # winter time in Ramadan
    *(("Europe/Dublin", "2024-03-31"), ("Europe/Dublin", "2024-10-27")),
    *(("Asia/Tehran", "2022-03-22"), ("Asia/Tehran", "2022-09-22")),
    *(("Antarctica/Troll", "2024-03-31"), ("Antarctica/Troll", "2024-10-27")),  # by two hours
    ("Asia/Pyongyang", "2018-05-05"),
    ("America/Caracas", "2016-05-01"),
    ("Asia/Kolkata", "2024-03-31"),  # none
]
SHIFTS: Days = {
    "mon": ["09:00-12:30", "13:30-18:00"],
    "tue": ["22:00-06:00"],
    "wed": ["08:00-08:00"],
    "fri": ["00:00-00:00"],
    "sat": ["00:20-01:40", "22:00-00:10"],
    "sun": ["00:30-02:30", "02:45-03:15", "23:30-00:30"],
}


def asked(zone: str, day: str) -> Calendar:
    """Shifts across the switch, the morning after it off, and the day before it from 23:15 on."""
    after = Holiday("once", since_1970(day) + 1, begin=5 * 60, end=10 * 60)
    before = Holiday("once", since_1970(day) - 1, begin=23 * 60 + 15)
    return calendar(zone, week(SHIFTS), holidays=[after, before])


def answered(zone: str, day: str) -> npt.NDArray[np.bool_]:
    """Whether each minute is worked, by what the clock on the wall shows in it."""
    middle = datetime.fromisoformat(day).replace(tzinfo=UTC)
    clock, one = ZoneInfo(zone), timedelta(minutes=1)
    shown = [(middle + n * one).astimezone(clock) for n in range(-DAYS * 1440, DAYS * 1440)]
    weekday = np.array([at.weekday() for at in shown])
    minute = np.array([at.hour * 60 + at.minute for at in shown])
    date = np.array([at.toordinal() for at in shown]) - middle.toordinal()
    found = np.zeros(len(shown), dtype=bool)
    for number, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun")):
        for text in SHIFTS.get(name, []):
            begin, end = (int(part[:2]) * 60 + int(part[3:]) for part in text.split("-"))
            today, tomorrow = weekday == number, weekday == (number + 1) % 7
            if begin < end:
                found |= today & (minute >= begin) & (minute < end)
            else:
                found |= (today & (minute >= begin)) | (tomorrow & (minute < end))
    found &= ~((date == 1) & (minute >= 300) & (minute < 600))
    found &= ~((date == -1) & (minute >= 1395))
    return found


@pytest.mark.parametrize("name", sorted({zone for zone, _ in SWITCHES}))
def test_every_minute_is_worked_as_the_clock_shows(name: str) -> None:
    for zone, day in SWITCHES:
        if zone != name:
            continue
        worked = answered(zone, day)
        begin = since_1970(day) * 1440 - DAYS * 1440
        at = pl.Series((begin + np.arange(len(worked) + 1)) * MINUTE).cast(pl.Datetime("us", "UTC"))
        which = pl.zeros(len(worked), pl.UInt16, eager=True)
        made = Calendars((asked(zone, day),))
        each = made.worked(which, at[:-1], at[1:])
        assert (each.to_numpy() == worked * MINUTE).all()
        from_begin = made.worked(which, pl.Series([at[0]] * len(worked)), at[1:])
        assert (from_begin.to_numpy() == np.cumsum(worked) * MINUTE).all()

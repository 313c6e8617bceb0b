"""Calendars made by hand, and instants as people write them."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from crmmining.calendars import Calendar, Calendars, Holiday, Week
from crmmining.tables.hours import WEEKDAYS, shift

HOUR = 3_600_000_000
Days = dict[str, Sequence[str]]


def since_1970(text: str) -> int:
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


def week(days: Days, since: str | None = None) -> Week:
    """Shifts such as `{"mon": ["09:00-17:00"]}`; `mon-fri` stands for five days."""
    names = [name[:3] for name in WEEKDAYS]
    shifts = []
    for key, texts in days.items():
        first, _, last = key.partition("-")
        for day in range(names.index(first), names.index(last or first) + 1):
            shifts += [(day, *shift(text)) for text in texts]
    return Week(None if since is None else since_1970(since), tuple(shifts))


def calendar(
    zone: str, *weeks: Week, off: Sequence[str] = (), holidays: Sequence[Holiday] = (), name: str = "made"
) -> Calendar:
    return Calendar(name, zone, weeks, tuple(map(since_1970, off)), tuple(holidays))


def instants(*texts: str) -> pl.Series:
    return pl.Series(texts).str.to_datetime(time_zone="UTC", time_unit="us")


def which(calendars: Sequence[int]) -> pl.Series:
    return pl.Series(calendars, dtype=pl.UInt16)


def hours(one: Calendar, start: str, end: str) -> float:
    """Working hours between two instants."""
    found = Calendars((one,)).worked(which([0]), instants(start), instants(end))
    return float(found.item()) / HOUR

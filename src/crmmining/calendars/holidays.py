"""Holidays: a day, part of a day, or one that comes again in any of the ways a Salesforce Holiday can."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from crmmining.calendars.zones import DAY, SECOND
from crmmining.kernels.worktime import Int64Array, Spans, covered

Mask = npt.NDArray[np.bool_]
MINUTE: Final = 60 * SECOND
WHOLE_DAY: Final = 24 * 60
LAST: Final = -1
EVERY_WEEKDAY: Final = 62  # the mask of Monday to Friday
ONCE, DAILY, WEEKLY, MONTHLY, MONTHLY_NTH, YEARLY, YEARLY_NTH = (
    *("once", "daily", "weekly", "monthly", "monthly_nth", "yearly", "yearly_nth"),
)


class Holiday(NamedTuple):
    """When it is: days are counted since 1970, `until` is the last one it may be on, null: for ever.

    `begin` and `end` are minutes after local midnight. Every `interval` days, weeks (from Sunday), months or
    years from `start` on. Weekdays are a `mask` of Sunday = 1 to Saturday = 64. `day` is one of the month, 1
    to 31 (a month without it has none), `month` 1 to 12. `instance` is which of the days of the month that
    the mask has, 1 for the first, -1 for the last.
    """

    form: str
    start: int
    until: int | None = None
    begin: int = 0
    end: int = WHOLE_DAY
    interval: int = 1
    mask: int = 0
    day: int = 0
    instance: int = 0
    month: int = 0


def closed(days_off: Sequence[int], holidays: Sequence[Holiday], first_day: int, end_day: int) -> Spans:
    """The local time that is closed, in microseconds since 1970, on days from `first_day` to `end_day`."""
    first, end = _first_day(_month(np.array([first_day, end_day + 31])))  # whole months
    days = np.arange(first, end)
    off = np.array(days_off, dtype=np.int64)
    found = [(off * DAY, (off + 1) * DAY)]
    for holiday in holidays:
        on = days[falls(holiday, days)]
        found.append((on * DAY + holiday.begin * MINUTE, on * DAY + holiday.end * MINUTE))
    return covered(found)


def falls(holiday: Holiday, days: Int64Array) -> Mask:
    """On which of the days, all of some whole months in order, a holiday is.

    >>> day = lambda text: int(np.datetime64(text, "D").astype(int))
    >>> thanksgiving = Holiday(YEARLY_NTH, start=day("2020-01-01"), mask=16, instance=4, month=11)
    >>> november = np.arange(day("2024-11-01"), day("2024-12-01"))
    >>> november[falls(thanksgiving, november)].astype("datetime64[D]").tolist()
    [datetime.date(2024, 11, 28)]
    """
    until = days[-1] if holiday.until is None else holiday.until
    found: Mask = (days >= holiday.start) & (days <= until) & _comes(holiday, days)
    return found


def _comes(holiday: Holiday, days: Int64Array) -> Mask:
    """On which days it would be if it had neither begin nor end."""
    weekday = (days + 4) % 7  # 1970 began on a Thursday; Sunday = 0
    masked: Mask = (1 << weekday) & holiday.mask > 0
    right: Mask = days == holiday.start
    if holiday.form == ONCE:
        return right
    if holiday.form == DAILY:
        right = (days - holiday.start) % holiday.interval == 0
        return right & masked if holiday.mask else right
    if holiday.form == WEEKLY:
        right = ((days + 4) // 7 - (holiday.start + 4) // 7) % holiday.interval == 0
        return right & masked
    month, first = _month(days), int(_month(np.array([holiday.start]))[0])
    if holiday.form in {MONTHLY, MONTHLY_NTH}:
        right = (month - first) % holiday.interval == 0
    else:
        years = month // 12 - first // 12
        right = (month % 12 == holiday.month - 1) & (years % holiday.interval == 0)
    if holiday.form in {MONTHLY, YEARLY}:
        on: Mask = days - _first_day(month) + 1 == holiday.day
    else:
        on = masked & (_rank(month, masked, holiday.instance) == abs(holiday.instance))
    return right & on


def _rank(month: Int64Array, masked: Mask, instance: int) -> Int64Array:
    """Which of the masked days of its month each one is, from 1; from the end where `instance` is below 0."""
    starts = np.flatnonzero(np.concatenate([[True], month[1:] != month[:-1]]))
    lengths = np.diff(np.append(starts, len(month)))
    so_far: Int64Array = np.cumsum(masked.astype(np.int64))
    rank: Int64Array = so_far - np.repeat(so_far[starts] - masked[starts], lengths)
    if instance < 0:
        rank = np.repeat(np.add.reduceat(masked.astype(np.int64), starts), lengths) - rank + 1
    return rank


def _month(days: Int64Array) -> Int64Array:
    """Months since 1970."""
    found: Int64Array = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return found


def _first_day(month: Int64Array) -> Int64Array:
    found: Int64Array = month.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return found

"""Working time: weekdays 9 to 17 on the clock of a time zone, without holidays, daylight saving kept."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from crmmining.simulator.arrays import DAY, HOUR, Floats, Ints, whole

_FROM: Final = datetime(2022, 12, 1)  # noqa: DTZ001  a naive grid, localised by polars
_UNTIL: Final = datetime(2031, 1, 1)  # noqa: DTZ001
_OPENING: Final = 9 * HOUR
_SHIFT: Final = 8 * HOUR
_WORKING_WEEKDAYS: Final = 5


class WorkCalendar:
    """Shifts instants by working time, vectorized over records that live in different zones."""

    def __init__(self, zones: Sequence[str], holidays: Collection[date]) -> None:
        hours = pl.datetime_range(_FROM, _UNTIL, "1h", time_unit="ms", eager=True).dt.replace_time_zone("UTC")
        offsets = [
            (
                hours.dt.convert_time_zone(zone).dt.replace_time_zone(None).dt.epoch("s")
                - hours.dt.epoch("s")
            ).to_numpy()
            for zone in zones
        ]
        self._offsets = np.stack(offsets).astype(np.int64)
        self._first_hour = int(hours.dt.epoch("s")[0]) // HOUR
        self._first_day = self._first_hour // 24
        span = [_FROM.date() + timedelta(days=k) for k in range((_UNTIL - _FROM).days)]
        works = np.array([day.weekday() < _WORKING_WEEKDAYS and day not in holidays for day in span])
        self._works = works.astype(np.int64)
        self._worked_before = np.cumsum(self._works) - self._works
        self._workdays = np.flatnonzero(works).astype(np.int64)

    def _offset(self, zone: Ints, seconds: Ints) -> Ints:
        hour = np.clip(seconds // HOUR - self._first_hour, 0, self._offsets.shape[1] - 1)
        offset: Ints = self._offsets[zone, hour]
        return offset

    def local(self, instant: Ints, zone: Ints) -> Ints:
        """Seconds on the local clock."""
        return instant + self._offset(zone, instant)

    def worked(self, instant: Ints, zone: Ints) -> Ints:
        """Working seconds since the calendar's first day."""
        local = self.local(instant, zone)
        day = np.clip(local // DAY - self._first_day, 0, len(self._works) - 1)
        today = np.clip(local % DAY - _OPENING, 0, _SHIFT) * self._works[day]
        worked: Ints = self._worked_before[day] * _SHIFT + today
        return worked

    def instant(self, worked: Ints, zone: Ints) -> Ints:
        """Turn working seconds into the instant at which they are done."""
        shift, rest = np.divmod(worked, _SHIFT)
        day = self._workdays[np.clip(shift, 0, len(self._workdays) - 1)] + self._first_day
        local = day * DAY + _OPENING + rest
        # Working hours never touch a clock change, so that the second look-up has settled.
        guess = local - self._offset(zone, local)
        instant: Ints = local - self._offset(zone, guess)
        return instant

    def after(self, instant: Ints, seconds: Floats, zone: Ints) -> Ints:
        """Instant after so much working time."""
        return self.instant(self.worked(instant, zone) + whole(seconds), zone)

    def within(self, start: Ints, end: Ints, share: Floats, zone: Ints) -> Ints:
        """Instant at a share of the working time from start to end."""
        first = self.worked(start, zone)
        return self.instant(first + whole(share * (self.worked(end, zone) - first)), zone)

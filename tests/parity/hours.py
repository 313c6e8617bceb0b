"""Business time the naive way: day by day, shift by shift, in local time."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

Shift = tuple[int, int, int]  # weekday from Monday = 0, begin and end in minutes after midnight


class Office(NamedTuple):
    """A calendar without holidays; shifts of null are all the time."""

    zone: str
    shifts: tuple[Shift, ...] | None


class Hours(NamedTuple):
    """Calendars by name, those assigned to a value of a word, and the one of all others."""

    offices: dict[str, Office]
    assigned: Sequence[tuple[str, str, str]]  # word, value, name
    default: str

    def of(self, word: Callable[[str], str | None]) -> Office:
        """The calendar of a case: as assigned, else its own, else the default."""
        for asked, value, name in self.assigned:
            if word(asked) == value:
                return self.offices[name]
        own = word("business_hours")
        return self.offices[own if own in self.offices else self.default]


def instant(day: date, minutes: int, zone: str) -> datetime:
    midnight = datetime.combine(day, time(), ZoneInfo(zone))
    return (midnight + timedelta(minutes=minutes)).astimezone(UTC)  # adds to the clock on the wall


@cache
def opened(office: Office, day: date) -> tuple[tuple[datetime, datetime], ...]:
    """When the shifts that begin on a day are open."""
    return tuple(
        (instant(day, begin, office.zone), instant(day, end, office.zone))
        for weekday, begin, end in office.shifts or ()
        if weekday == day.weekday()
    )


@cache
def worked(office: Office, start: datetime, end: datetime) -> int:
    """Whole seconds of opening between two instants."""
    if office.shifts is None:
        return (end - start) // timedelta(seconds=1)
    whole = timedelta()
    day = start.astimezone(ZoneInfo(office.zone)).date() - timedelta(days=1)
    while instant(day, 0, office.zone) < end:
        for opens, closes in opened(office, day):
            whole += max(min(closes, end) - max(opens, start), timedelta())
        day += timedelta(days=1)
    return whole // timedelta(seconds=1)

"""One calendar: weeks of shifts in local time without holidays, or what several calendars have in common."""

from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np

from crmmining.calendars.holidays import MINUTE, Holiday, closed
from crmmining.calendars.zones import DAY, to_utc
from crmmining.kernels.worktime import Spans, covered, without

How = Literal["week", "union", "intersection"]


class Week(NamedTuple):
    """Shifts from the local day `since` on (days since 1970; null: always): weekday, begin, end.

    Monday is 0; begin and end are minutes after the midnight of that day, the end up to two days later. A
    shift belongs to the week of the day on which it begins.
    """

    since: int | None
    shifts: tuple[tuple[int, int, int], ...]


class Calendar(NamedTuple):
    """Open when the local time lies in a shift and in no holiday; with `parts`, when one or all of them are.

    `weeks` in order, the first without `since`; `days_off` are whole local days, since 1970. `source` says
    where it comes from.
    """

    name: str
    time_zone: str
    weeks: tuple[Week, ...] = ()
    days_off: tuple[int, ...] = ()
    holidays: tuple[Holiday, ...] = ()
    parts: tuple["Calendar", ...] = ()
    how: How = "week"
    source: str = "source.toml"


@lru_cache(maxsize=256)
def spans(calendar: Calendar, first_year: int, end_year: int) -> Spans:
    """When a calendar is open in whole years of UTC: microseconds since 1970, sorted and apart."""
    if calendar.parts:
        found = [spans(part, first_year, end_year) for part in calendar.parts]
        return covered(found, at_least=1 if calendar.how == "union" else len(found))
    first, end = _first_day(first_year), _first_day(end_year)
    days = np.arange(
        first - 5, end + 5
    )  # a shift may be two days long, a local day begin a day before or after
    weekdays = (days + 3) % 7  # 1970 began on a Thursday
    since = [days[0] if week.since is None else week.since for week in calendar.weeks]
    shifts: list[Spans] = []
    for week, begin, until in zip(calendar.weeks, since, [*since[1:], days[-1] + 1], strict=True):
        for weekday, early, late in week.shifts:
            on = days[(weekdays == weekday) & (days >= begin) & (days < until)] * DAY
            shifts.append((on + early * MINUTE, on + late * MINUTE))
    off = closed(calendar.days_off, calendar.holidays, int(days[0]), int(days[-1]) + 1)
    opens, closes = to_utc(without(covered(shifts), off), calendar.time_zone, first_year, end_year)
    opens, closes = np.maximum(opens, first * DAY), np.minimum(closes, end * DAY)
    some = opens < closes
    return opens[some], closes[some]


def _first_day(year: int) -> int:
    return int(np.datetime64(f"{year:04}-01-01", "D").astype(np.int64))

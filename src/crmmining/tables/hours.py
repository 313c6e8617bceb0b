"""What a source definition says about working hours: calendars, holidays, and which calendar counts where."""

import re
from datetime import date
from itertools import pairwise
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY = 24 * 60  # minutes
_SHIFT = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")


def zone(name: str) -> str:
    """The name of a time zone; raises `ValueError` where Python or Polars knows none of that name."""
    try:
        ZoneInfo(name)
        pl.Series([0]).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, pl.exceptions.ComputeError) as error:
        raise ValueError(f"'{name}' is no IANA time zone such as 'Europe/Berlin'") from error
    return name


def shift(text: str) -> tuple[int, int]:
    """Minutes after midnight at which a shift begins and ends; an end that is not after it is the next day's.

    >>> shift("09:00-12:30"), shift("22:00-06:00"), shift("00:00-00:00")
    ((540, 750), (1320, 1800), (0, 1440))
    """
    found = _SHIFT.fullmatch(text.strip())
    wrong = f"'{text}' is no shift; write it as 09:00-17:30, the end of the day as 24:00"
    if found is None:
        raise ValueError(wrong)
    hours, minutes, until_hours, until_minutes = map(int, found.groups())
    begin, end = hours * 60 + minutes, until_hours * 60 + until_minutes
    if max(minutes, until_minutes) > 59 or begin >= DAY or end > DAY:  # noqa: PLR2004  minutes of an hour
        raise ValueError(wrong)
    return begin, end if end > begin else end + DAY


def overlap(shifts: tuple[tuple[int, int, int], ...]) -> str | None:
    """What is wrong with shifts of a week (weekday from Monday = 0, begin, end) that overlap; else null.

    >>> overlap(((0, 1320, 1800), (1, 300, 600)))
    'monday 22:00-06:00 and tuesday 05:00-10:00 overlap'
    """
    week = sorted((day * DAY + begin, day * DAY + end, day, begin, end) for day, begin, end in shifts)
    if not week:
        return None
    again = (week[0][0] + 7 * DAY, week[0][1] + 7 * DAY, *week[0][2:])
    for early, late in pairwise([*week, again]):
        if early[1] > late[0]:
            return f"{_said(*early[2:])} and {_said(*late[2:])} overlap"
    return None


def _said(day: int, begin: int, end: int) -> str:
    def clock(minute: int) -> str:
        return f"{minute // 60 % 24:02}:{minute % 60:02}"

    return f"{WEEKDAYS[day]} {clock(begin)}-{clock(end)}"


def _shifts(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        shift(text)
    return texts


Shifts = Annotated[tuple[str, ...], AfterValidator(_shifts)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WeekSpec(_Frozen):
    """The shifts of every weekday, as `09:00-12:30`; a day that is not stated is closed.

    A shift whose end is not after its begin ends on the next day; it belongs to the day on which it begins.
    """

    monday: Shifts = ()
    tuesday: Shifts = ()
    wednesday: Shifts = ()
    thursday: Shifts = ()
    friday: Shifts = ()
    saturday: Shifts = ()
    sunday: Shifts = ()

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if wrong := overlap(self.shifts):
            raise ValueError(wrong)
        return self

    @property
    def shifts(self) -> tuple[tuple[int, int, int], ...]:
        """Weekday (Monday = 0), begin and end in minutes after its midnight."""
        return tuple((day, *shift(text)) for day, name in enumerate(WEEKDAYS) for text in getattr(self, name))


class VersionSpec(WeekSpec):
    """The week from the local day `since` on, until the day before the next version's.

    Its shifts, or those of the row `business_hours`.
    """

    since: date
    business_hours: str | None = None

    @model_validator(mode="after")
    def _one_week(self) -> Self:
        if self.shifts and self.business_hours is not None:
            raise ValueError("business_hours names the row whose week counts; it also states a week")
        return self


class HoursSpec(WeekSpec):
    """A calendar: a week in a time zone, or the week of a BusinessHours row, without `holidays`.

    The week holds until the first of `versions`; each version states a whole week. Where no weekday is
    stated, the week is that of the row `business_hours`, by default the row of the calendar's own name, and
    so is the zone; with versions and no such row it is closed until the first. `holidays` names sets of
    `[calendars.holidays]`. Or it is open when one of several calendars is (`union`), or when all are
    (`intersection`); then it states nothing else.
    """

    time_zone: Annotated[str, AfterValidator(zone)] | None = None
    business_hours: str | None = None
    holidays: tuple[str, ...] = ()
    versions: tuple[VersionSpec, ...] = ()
    union: tuple[str, ...] = ()
    intersection: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.parts and len(self.model_fields_set) > 1:
            raise ValueError("union and intersection stand alone: the calendars they name state the rest")
        if self.shifts and self.business_hours is not None:
            raise ValueError("business_hours names the row whose week counts; it also states a week")
        days = [version.since for version in self.versions]
        if any(late <= early for early, late in pairwise(days)):
            raise ValueError("versions: since must be a later day in each")
        if not self.parts and not any(self.rows("")):
            if self.time_zone is None:
                raise ValueError("time_zone is missing: a week is stated in local time")
            if not any((self.shifts, *(version.shifts for version in self.versions))):
                raise ValueError("is never open: no day has a shift")
        return self

    def rows(self, name: str) -> tuple[str | None, ...]:
        """The rows of BusinessHours whose week counts at first and in each version; null: what is stated.

        `name` is the calendar's own.
        """
        stated = self.business_hours
        if stated is None and not self.model_fields_set & {*WEEKDAYS}:
            stated = name or "its own"
        return (stated, *(version.business_hours for version in self.versions))

    @property
    def parts(self) -> tuple[str, ...]:
        """The calendars it is made of."""
        return self.union or self.intersection


class HolidaysSpec(_Frozen):
    """A set of holidays: local days, rows of Holiday by Name, and a country's by the library `holidays`.

    `subdivision` is a part of the country, such as a state, by its code.
    """

    dates: tuple[date, ...] = ()
    names: tuple[str, ...] = ()
    country: str | None = None
    subdivision: str | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not (self.dates or self.names or self.country):
            raise ValueError("holds no holiday: state dates, names or country")
        if self.subdivision and not self.country:
            raise ValueError("subdivision is one of a country: state it")
        return self


class AssignedSpec(_Frozen):
    """The calendar of the rows whose words have one of these values; compared as texts, letter by letter."""

    when: dict[str, str | tuple[str, ...]] = Field(min_length=1)
    calendar: str


class CalendarsSpec(_Frozen):
    """Which calendars there are beside the rows of BusinessHours, and which one counts where.

    The first of `assigned` that matches counts, else the row's own business hours, else `default` (not
    stated: the row of BusinessHours that is the default).
    """

    default: str | None = None
    assigned: tuple[AssignedSpec, ...] = ()
    hours: dict[str, HoursSpec] = Field(default_factory=dict)
    holidays: dict[str, HolidaysSpec] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _sets_exist(self) -> Self:
        faults = [
            f"hours.{name}: no set of [calendars.holidays] is called '{one}'"
            for name, hours in self.hours.items()
            for one in hours.holidays
            if one not in self.holidays
        ]
        if faults:
            raise ValueError("; ".join(faults))
        return self

"""Rows of BusinessHours and Holiday, as Salesforce fills them, read as calendars and holidays."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from crmmining.calendars.calendar import Calendar, Week
from crmmining.calendars.holidays import (
    DAILY,
    EVERY_WEEKDAY,
    LAST,
    MONTHLY,
    MONTHLY_NTH,
    ONCE,
    WEEKLY,
    WHOLE_DAY,
    YEARLY,
    YEARLY_NTH,
    Holiday,
)
from crmmining.tables.hours import WEEKDAYS, overlap, zone

Row = Mapping[str, Any]
_TIME: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*(?:Z|\+00(?::?00)?)?")
_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_INSTANCES: Final = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": LAST}
_FORMS: Final = {
    "recursdaily": DAILY,
    "recurseveryweekday": DAILY,
    "recursweekly": WEEKLY,
    "recursmonthly": MONTHLY,
    "recursmonthlynth": MONTHLY_NTH,
    "recursyearly": YEARLY,
    "recursyearlynth": YEARLY_NTH,
}
_MASKS: Final = 127
_LONGEST_MONTH: Final = 31


def days(day: date) -> int:
    """Days since 1970."""
    return (day - date(1970, 1, 1)).days


def business_hours(row: Row) -> Calendar:
    """The calendar of a row of BusinessHours; raises `ValueError` that says what is impossible in it.

    A day from 00:00 to 00:00 is open for 24 hours, one without both times closed.
    """
    shifts = []
    for weekday, day in enumerate(WEEKDAYS):
        begin, end = (_minutes(row, f"{day.capitalize()}{which}Time") for which in ("Start", "End"))
        if begin is None and end is None:
            continue
        if begin is None or end is None:
            half, lacks = ("EndTime", "StartTime") if begin is None else ("StartTime", "EndTime")
            raise ValueError(f"has a {day.capitalize()}{half} and no {day.capitalize()}{lacks}")
        shifts.append((weekday, begin, end if end > begin else end + WHOLE_DAY))
    if not shifts:
        raise ValueError("is never open: no day has times")
    if wrong := overlap(tuple(shifts)):
        raise ValueError(wrong)
    if not (name := row.get("TimeZoneSidKey")):
        raise ValueError("has no TimeZoneSidKey")
    return Calendar(str(row.get("Name")), zone(name), (Week(None, tuple(shifts)),), source="BusinessHours")


def holiday(row: Row) -> Holiday:
    """A row of Holiday; raises `ValueError` that says what is impossible in it."""
    begin, end = _part(row)
    recurs = row.get("IsRecurrence")
    if not (row.get("RecurrenceType") is not None if recurs is None else recurs):
        if row.get("ActivityDate") is None:
            raise ValueError("has no ActivityDate")
        return Holiday(ONCE, days(row["ActivityDate"]), begin=begin, end=end)
    kind = row.get("RecurrenceType")
    form = _FORMS.get(str(kind).lower())
    start = row.get("RecurrenceStartDate") or row.get("ActivityDate")
    if form is None:
        raise ValueError(f"has the RecurrenceType '{kind}'; known: RecursDaily to RecursYearlyNth")
    if start is None:
        raise ValueError("has no RecurrenceStartDate")
    until = row.get("RecurrenceEndDateOnly")
    every_weekday = str(kind).lower() == "recurseveryweekday"
    return Holiday(
        form,
        days(start),
        None if until is None else days(until),
        begin,
        end,
        interval=_within(row, "RecurrenceInterval", 10_000, 1),
        mask=_mask(row, form, every_weekday=every_weekday),
        day=_within(row, "RecurrenceDayOfMonth", _LONGEST_MONTH) if form in {MONTHLY, YEARLY} else 0,
        instance=_word(row, "RecurrenceInstance", _INSTANCES) if form in {MONTHLY_NTH, YEARLY_NTH} else 0,
        month=_word(row, "RecurrenceMonthOfYear", _NUMBERS) if form in {YEARLY, YEARLY_NTH} else 0,
    )


def _part(row: Row) -> tuple[int, int]:
    """The minutes of the day that a holiday takes."""
    begin, end = row.get("StartTimeInMinutes"), row.get("EndTimeInMinutes")
    if row.get("IsAllDay") is True or (row.get("IsAllDay") is None and begin is None):
        return 0, WHOLE_DAY
    if begin is None or end is None or not 0 <= begin < end <= WHOLE_DAY:
        raise ValueError(f"is a part of its day, but from minute {begin} to minute {end}")
    return begin, end


_NUMBERS: Final = {name: number for number, name in enumerate(_MONTHS, 1)}


def _mask(row: Row, form: str, *, every_weekday: bool) -> int:
    if form in {WEEKLY, MONTHLY_NTH, YEARLY_NTH}:
        return _within(row, "RecurrenceDayOfWeekMask", _MASKS)
    return EVERY_WEEKDAY if every_weekday else 0


def _within(row: Row, column: str, most: int, otherwise: int | None = None) -> int:
    value = row.get(column)
    value = otherwise if value is None else value
    if value is None or not 1 <= value <= most:
        raise ValueError(f"has {column} {'null' if value is None else value}")
    return int(value)


def _word(row: Row, column: str, known: Mapping[str, int]) -> int:
    value = str(row.get(column)).lower()
    if value not in known:
        raise ValueError(
            f"has the {column} '{row.get(column)}'; known: {', '.join(map(str.capitalize, known))}"
        )
    return known[value]


def _minutes(row: Row, column: str) -> int | None:
    """Minutes after midnight of a time such as 09:30:00.000Z; seconds do not count."""
    text = row.get(column)
    if text is None:
        return None
    found = _TIME.fullmatch(str(text).strip())
    hours, minutes = (int(found[1]), int(found[2])) if found else (24, 0)
    if hours > 23 or minutes > 59:  # noqa: PLR2004  hours of a day, minutes of an hour
        raise ValueError(f"has the {column} '{text}', which is no time such as 09:30:00.000Z")
    return hours * 60 + minutes

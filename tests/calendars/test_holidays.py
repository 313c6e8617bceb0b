"""Every way in which a Holiday comes again, by the calendar on the wall."""

from datetime import date
from typing import Any

import numpy as np
import pytest

from crmmining.calendars.holidays import closed, falls
from crmmining.calendars.rows import holiday

from .made import HOUR, since_1970

DAYS = np.arange(since_1970("2023-01-01"), since_1970("2026-01-01"))
START = date(2024, 1, 1)


def row(kind: str | None = None, **cells: Any) -> dict[str, Any]:  # noqa: ANN401  cells of every type
    """A row of Holiday; with a kind it comes again from 2024-01-01 on."""
    if kind is None:
        return {"IsRecurrence": False, "ActivityDate": date(2024, 12, 25), "IsAllDay": True, **cells}
    return {"IsRecurrence": True, "RecurrenceType": kind, "RecurrenceStartDate": START, "IsAllDay": True} | {
        f"Recurrence{name}": value for name, value in cells.items()
    }


@pytest.mark.parametrize(
    ("stated", "days"),
    [
        (row(), "2024-12-25"),
        (
            row("RecursDaily", Interval=100, EndDateOnly=date(2024, 12, 1)),
            "2024-01-01 2024-04-10 2024-07-19 2024-10-27",
        ),
        (
            row("RecursEveryWeekday", EndDateOnly=date(2024, 1, 9)),
            "2024-01-01 2024-01-02 2024-01-03 2024-01-04 2024-01-05 2024-01-08 2024-01-09",
        ),
        (  # Monday and Saturday, every second week from that of Sunday 31 December on
            row("RecursWeekly", DayOfWeekMask=2 + 64, Interval=2, EndDateOnly=date(2024, 1, 31)),
            "2024-01-01 2024-01-06 2024-01-15 2024-01-20 2024-01-29",
        ),
        (row("RecursWeekly", DayOfWeekMask=1, EndDateOnly=date(2024, 1, 14)), "2024-01-07 2024-01-14"),
        (
            row("RecursMonthly", DayOfMonth=31, Interval=1, EndDateOnly=date(2024, 6, 30)),
            "2024-01-31 2024-03-31 2024-05-31",
        ),
        (
            row("RecursMonthly", DayOfMonth=15, Interval=5),
            "2024-01-15 2024-06-15 2024-11-15 2025-04-15 2025-09-15",
        ),
        (  # the first Monday of every half year
            row("RecursMonthlyNth", DayOfWeekMask=2, Instance="First", Interval=6),
            "2024-01-01 2024-07-01 2025-01-06 2025-07-07",
        ),
        (  # the third weekday
            row("RecursMonthlyNth", DayOfWeekMask=62, Instance="Third", EndDateOnly=date(2024, 3, 31)),
            "2024-01-03 2024-02-05 2024-03-05",
        ),
        (  # the last day of a weekend
            row("RecursMonthlyNth", DayOfWeekMask=65, Instance="Last", EndDateOnly=date(2024, 3, 31)),
            "2024-01-28 2024-02-25 2024-03-31",
        ),
        (  # the last day
            row("RecursMonthlyNth", DayOfWeekMask=127, Instance="Last", EndDateOnly=date(2024, 3, 31)),
            "2024-01-31 2024-02-29 2024-03-31",
        ),
        (row("RecursYearly", DayOfMonth=1, MonthOfYear="May"), "2024-05-01 2025-05-01"),
        (row("RecursYearly", DayOfMonth=29, MonthOfYear="February"), "2024-02-29"),
        (
            row("RecursYearlyNth", DayOfWeekMask=16, Instance="Fourth", MonthOfYear="November"),
            "2024-11-28 2025-11-27",
        ),
        (
            row("RecursYearlyNth", DayOfWeekMask=4, Instance="Second", MonthOfYear="January"),
            "2024-01-09 2025-01-14",
        ),
        (  # Memorial Day, from the day after that of 2024 on
            row(
                "RecursYearlyNth",
                DayOfWeekMask=2,
                Instance="Last",
                MonthOfYear="May",
                StartDate=date(2024, 5, 28),
            ),
            "2025-05-26",
        ),
    ],
)
def test_days_of(stated: dict[str, Any], days: str) -> None:
    assert DAYS[falls(holiday(stated), DAYS)].astype("datetime64[D]").astype(str).tolist() == days.split()


def test_a_part_of_the_day() -> None:
    part = holiday(row(IsAllDay=False, StartTimeInMinutes=12 * 60, EndTimeInMinutes=18 * 60))
    begins, ends = closed([], [part], since_1970("2024-12-20"), since_1970("2024-12-31"))
    midnight = since_1970("2024-12-25") * 24 * HOUR
    assert (begins - midnight).tolist() == [12 * HOUR]
    assert (ends - midnight).tolist() == [18 * HOUR]


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        (row(ActivityDate=None), "has no ActivityDate"),
        (row(IsAllDay=False), "is a part of its day, but from minute None to minute None"),
        (row(IsAllDay=False, StartTimeInMinutes=600, EndTimeInMinutes=600), "from minute 600 to minute 600"),
        (row("RecursHourly"), "has the RecurrenceType 'RecursHourly'; known: RecursDaily to RecursYearlyNth"),
        (row("RecursDaily", StartDate=None), "has no RecurrenceStartDate"),
        (row("RecursDaily", Interval=0), "has RecurrenceInterval 0"),
        (row("RecursWeekly"), "has RecurrenceDayOfWeekMask null"),
        (row("RecursMonthly", DayOfMonth=32), "has RecurrenceDayOfMonth 32"),
        (row("RecursYearly", DayOfMonth=1, MonthOfYear="Mai"), "MonthOfYear 'Mai'; known: January,"),
        (row("RecursMonthlyNth", DayOfWeekMask=2, Instance="Fifth"), "Instance 'Fifth'; known: First,"),
    ],
)  # fmt: skip
def test_impossible_rows(stated: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        holiday(stated)

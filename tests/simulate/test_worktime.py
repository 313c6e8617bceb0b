from datetime import UTC, date, datetime

import numpy as np
import pytest

from crmmining.simulator.worktime import WorkCalendar

HOUR = 3600.0
ZONES = ["America/New_York", "Europe/Berlin", "Asia/Tokyo"]
CALENDAR = WorkCalendar(ZONES, {date(2024, 5, 1)})


def after(zone: str, start: str, hours: float) -> str:
    instant = np.array([int(datetime.fromisoformat(start).timestamp())], dtype=np.int64)
    where = np.array([ZONES.index(zone)], dtype=np.int64)
    done = CALENDAR.after(instant, np.array([hours * HOUR]), where)
    return datetime.fromtimestamp(int(done[0]), UTC).isoformat()[:16]


@pytest.mark.parametrize(
    ("zone", "start", "hours", "end"),
    [
        # Tuesday 10:00 in New York (winter, UTC-5), two hours of work: noon.
        ("America/New_York", "2024-01-09T15:00Z", 2, "2024-01-09T17:00"),
        # Friday 16:00 and two hours: Monday 10:00.
        ("America/New_York", "2024-01-12T21:00Z", 2, "2024-01-15T15:00"),
        # Friday 8 March 16:00 (UTC-5) and two hours: Monday 10:00 after the clock change (UTC-4).
        ("America/New_York", "2024-03-08T21:00Z", 2, "2024-03-11T14:00"),
        # Friday 25 October 16:00 in Berlin (UTC+2), two hours: Monday 10:00 in winter time (UTC+1).
        ("Europe/Berlin", "2024-10-25T14:00Z", 2, "2024-10-28T09:00"),
        # At night nothing is done: three o'clock, one hour of work ends at ten.
        ("Asia/Tokyo", "2024-01-09T18:00Z", 1, "2024-01-10T01:00"),
        # Labour Day is off: Tuesday 16:00 in Berlin (UTC+2) and two hours end on Thursday at ten.
        ("Europe/Berlin", "2024-04-30T14:00Z", 2, "2024-05-02T08:00"),
        # Five working days are a week.
        ("Asia/Tokyo", "2024-01-09T02:30Z", 40, "2024-01-16T02:30"),
    ],
)
def test_work_goes_on_in_local_office_hours(zone: str, start: str, hours: float, end: str) -> None:
    assert after(zone, start, hours) == end


def test_an_instant_within_a_span_divides_its_working_time() -> None:
    # Friday 9:00 to Monday 17:00 in Tokyo holds two working days: three quarters are Monday 13:00.
    start, end = (
        np.array([int(datetime(2024, 1, day, hour, tzinfo=UTC).timestamp())], dtype=np.int64)
        for day, hour in ((12, 0), (15, 8))
    )
    inside = CALENDAR.within(start, end, np.array([0.75]), np.array([2]))
    assert datetime.fromtimestamp(int(inside[0]), UTC) == datetime(2024, 1, 15, 4, tzinfo=UTC)

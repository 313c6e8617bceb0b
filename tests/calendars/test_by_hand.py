"""Working time that a reader can count on paper."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from crmmining.calendars import Calendar, Calendars, Holiday, Rule, Week

from .made import HOUR, calendar, hours, instants, since_1970, week, which

OFFICE = week({"mon-fri": ["09:00-12:30", "13:30-17:00"]})
NIGHT = week({"mon-fri": ["22:00-06:00"]})
ALWAYS = week({"mon-sun": ["00:00-00:00"]})


def test_several_shifts_a_day_and_a_weekend() -> None:
    berlin = calendar("Europe/Berlin", OFFICE)
    assert (
        hours(berlin, "2024-03-01T11:00:00Z", "2024-03-01T13:00:00Z") == 1.0
    )  # 12:00 to 14:00, lunch between
    assert (
        hours(berlin, "2024-03-01T15:00:00Z", "2024-03-04T09:00:00Z") == 2.0
    )  # Friday 16:00 to Monday 10:00
    assert hours(berlin, "2024-03-02T00:00:00Z", "2024-03-03T23:00:00Z") == 0.0


@pytest.mark.parametrize(
    ("zone", "before", "after", "worked"),
    [  # a night shift from 22:00 to 06:00 is an hour short in spring and an hour long in autumn
        ("Europe/Berlin", "2024-03-30T12:00:00Z", "2024-03-31T12:00:00Z", 7.0),
        ("Europe/Berlin", "2024-10-26T12:00:00Z", "2024-10-27T12:00:00Z", 9.0),
        ("America/New_York", "2024-03-09T17:00:00Z", "2024-03-10T17:00:00Z", 7.0),
        ("America/New_York", "2024-11-02T17:00:00Z", "2024-11-03T17:00:00Z", 9.0),
        ("America/New_York", "2024-03-30T17:00:00Z", "2024-03-31T17:00:00Z", 8.0),
    ],
)
def test_a_night_in_which_the_clocks_change(zone: str, before: str, after: str, worked: float) -> None:
    assert hours(calendar(zone, week({"sat": ["22:00-06:00"]})), before, after) == worked
    assert hours(calendar(zone, ALWAYS), before, after) == 24.0


def test_the_hour_that_is_there_twice_is_worked_twice_and_the_one_that_is_not_never() -> None:
    small = week({"sun": ["02:00-03:00"]})
    assert hours(calendar("Europe/Berlin", small), "2024-10-26T12:00:00Z", "2024-10-27T12:00:00Z") == 2.0
    assert hours(calendar("Europe/Berlin", small), "2024-03-30T12:00:00Z", "2024-03-31T12:00:00Z") == 0.0
    assert (
        hours(calendar("Australia/Lord_Howe", small), "2024-10-05T00:00:00Z", "2024-10-06T12:00:00Z") == 0.5
    )


def test_a_holiday_takes_its_part_of_the_shifts_that_reach_into_it() -> None:
    """1 May 2024 is a Wednesday: Tuesday's night shift ends at its midnight, its own does not begin."""
    nights = calendar("Europe/Berlin", NIGHT, off=["2024-05-01"])
    assert hours(nights, "2024-04-30T12:00:00Z", "2024-05-01T12:00:00Z") == 2.0
    assert (
        hours(nights, "2024-05-01T12:00:00Z", "2024-05-02T12:00:00Z") == 6.0
    )  # after midnight it is Thursday
    assert hours(nights, "2024-05-02T12:00:00Z", "2024-05-03T12:00:00Z") == 8.0
    part = calendar("UTC", OFFICE, holidays=[Holiday("once", since_1970("2024-12-24"), begin=12 * 60)])
    assert hours(part, "2024-12-24T00:00:00Z", "2024-12-25T00:00:00Z") == 3.0


def test_a_week_counts_from_the_day_on_which_its_shifts_begin() -> None:
    """New hours from Monday 1 July: Sunday's last night shift is worked to its end."""
    changed = calendar(
        "Europe/Berlin", week({"mon-sun": ["22:00-06:00"]}), week({"mon-fri": ["10:00-14:00"]}, "2024-07-01")
    )
    assert hours(changed, "2024-06-30T12:00:00Z", "2024-07-01T05:00:00Z") == 8.0
    assert hours(changed, "2024-07-01T05:00:00Z", "2024-07-02T05:00:00Z") == 4.0
    assert hours(changed, "2024-06-30T22:00:00Z", "2024-07-01T04:00:00Z") == 6.0, "from its midnight on"


def test_due_dates_and_openings() -> None:
    made = Calendars((calendar("Europe/Berlin", OFFICE, off=["2024-04-01"]),))
    friday = instants("2024-03-29T15:00:00Z")  # 16:00, an hour before the end
    zero = which([0])

    def due(count: float) -> datetime:
        found: datetime = made.due(zero, friday, pl.Series([int(count * HOUR)])).item()
        return found

    assert due(0) == datetime(2024, 3, 29, 15, tzinfo=UTC)
    assert due(1) == datetime(2024, 3, 29, 16, tzinfo=UTC), "the end of the shift, not the next begin"
    assert due(2) == datetime(2024, 4, 2, 8, tzinfo=UTC), "Tuesday 10:00 of summer, after a holiday"
    assert due(7 * 250) == datetime(2025, 3, 17, 15, tzinfo=UTC)
    assert made.due(zero, friday, pl.Series([-1])).item() is None
    assert made.due(zero, friday, pl.Series([10**17])).item() is None, "not before 2100"
    saturday = instants("2024-03-30T15:00:00Z")
    assert made.next_opening(zero, saturday).item() == datetime(2024, 4, 2, 7, tzinfo=UTC)
    assert made.next_opening(zero, friday).item() == friday.item()
    ends = calendar("UTC", OFFICE, week({}, "2024-01-01"))
    assert Calendars((ends,)).next_opening(zero, saturday).item() is None


def test_working_days_are_days_with_an_opening() -> None:
    made = Calendars((calendar("Asia/Tokyo", OFFICE, off=["2024-05-01"]), calendar("Asia/Tokyo", NIGHT)))
    start, end = (pl.Series([date(2024, *day)] * 2) for day in ((4, 26), (5, 6)))  # Friday to Monday
    assert made.days(which([0, 1]), start, end).to_list() == [5, 8], (
        "Saturday has what is left of Friday's night"
    )
    assert made.days(which([0, 1]), end, start).to_list() == [None, None]
    assert made.days(which([0, 1]), start, start).to_list() == [0, 0]


def test_what_cannot_be_answered_is_null() -> None:
    made = Calendars((calendar("UTC", ALWAYS),))
    start = instants("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z", "1969-12-31T00:00:00Z").append(
        pl.Series([None, start_of(2024)], dtype=pl.Datetime("us", "UTC"))
    )
    end = pl.Series([start_of(2024)] * 5, dtype=pl.Datetime("us", "UTC"))
    places = pl.Series([0, 0, 0, 0, None], dtype=pl.UInt16)
    assert made.worked(places, start, end).to_list() == [0, None, None, None, None]
    assert made.worked(places, end, pl.Series([start_of(2101)] * 5)).to_list() == [None] * 5
    assert made.worked(places.clear(), start.clear(), end.clear()).to_list() == []


def start_of(year: int) -> datetime:
    return datetime(year, 1, 1, tzinfo=UTC)


def test_calendars_of_calendars() -> None:
    made = Calendars(
        (
            calendar("Europe/Berlin", OFFICE, name="Berlin"),
            calendar("Australia/Sydney", OFFICE, name="Sydney"),
        )
    )
    made = made.joined("either", ["Berlin", "Sydney"], "union").joined(
        "both", ["Berlin", "Sydney"], "intersection"
    )
    assert made.names == ("Berlin", "Sydney", "either", "both")
    start, end = (pl.Series([datetime(2024, 3, day, tzinfo=UTC)] * 4) for day in (4, 5))
    # Sydney works from 22:00 to 06:00 UTC, Berlin from 08:00 on
    assert [found / HOUR for found in made.worked(which(range(4)), start, end)] == [7.0, 7.0, 14.0, 0.0]
    assert made.next_opening(which([3]), start.head(1)).item() is None, "a calendar may never open"


def test_the_first_rule_that_matches_counts() -> None:
    names = ("Help desk", "Office", "Berlin")
    made = Calendars(
        tuple(Calendar(name, "UTC", (ALWAYS,)) for name in names),
        (Rule((("queue", ("DE", "AT")), ("priority", ("High",))), 0), Rule((("queue", ("DE",)),), 2)),
        default=1,
    )
    assert made.words == ("priority", "queue", "business_hours")
    cells = pl.DataFrame(
        [
            ("High", "AT", "Office"),
            ("Low", "DE", "Office"),
            (None, None, "Help desk"),
            ("Low", "AT", None),
            ("Low", "AT", "Closed down"),
        ],
        schema=dict.fromkeys(made.words, pl.String),
        orient="row",
    )
    assert made.of(cells).to_list() == [0, 2, 0, 1, 1]
    assert made.defaulted(cells).to_list() == [False, False, False, True, True]
    assert made.of(cells.clear()).dtype == pl.UInt16
    coded = cells.with_columns(pl.col("queue").cast(pl.Categorical()), pl.lit(None).alias("business_hours"))
    assert made.of(coded).to_list() == [0, 2, 1, 1, 1]
    assert Calendars(made.calendars).of(cells).to_list() == [1, 1, 0, None, None], (
        "nobody said which is the default"
    )


def test_a_calendar_says_what_it_is() -> None:
    one = calendar("Europe/Berlin", OFFICE, Week(since_1970("2024-07-01"), ALWAYS.shifts), off=["2024-05-01"])
    made = Calendars((one,), default=0)
    assert repr(made) == "Calendars(made (default))"
    assert made.frame().rows() == [("made", "Europe/Berlin", 168.0, 2, 1, 0, "source.toml", True)]

from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pytest

from crmmining.errors import SourceError
from crmmining.tables.casts import SQL_TYPES, cast, stated_formats, time_of_day
from crmmining.tables.spec import ColumnType

NOON = datetime(2024, 3, 10, 12, 30, 15, tzinfo=UTC)


def read(text: str | None, kind: ColumnType, *formats: str) -> Any:  # noqa: ANN401 - a value of any type
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    query = f"SELECT {cast('raw', kind, formats)} FROM (SELECT ?::VARCHAR AS raw)"  # noqa: S608 - our own
    frame = connection.sql(query, params=[text])
    assert frame.types == [SQL_TYPES[kind].replace("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE")]
    return frame.pl().item()


@pytest.mark.parametrize(
    "text",
    [
        "2024-03-10T12:30:15.000+0000",
        "2024-03-10T12:30:15.000Z",
        "2024-03-10T12:30:15Z",
        "2024-03-10 12:30:15",
        "2024-03-10T12:30:15",
        "2024-03-10 12:30:15+00",
        "2024-03-10 12:30:15 UTC",
        "2024-03-10T12:30:15+00:00",
        "2024-03-10T13:30:15+01:00",
        "2024-03-10T18:00:15+0530",
        "2024-03-10 04:30:15-08",
        "2024-03-10 12:30:15.000000",
    ],
)
def test_one_moment_in_every_iso_spelling(text: str) -> None:
    assert read(text, "datetime") == NOON


def test_iso_without_seconds_or_time_of_day() -> None:
    assert read("2024-03-10 12:30", "datetime") == datetime(2024, 3, 10, 12, 30, tzinfo=UTC)
    assert read("2024-03-10", "datetime") == datetime(2024, 3, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "02/03/26",
        "02/03/2026",
        "02-03-2026",
        "2024-3-1",
        "2024-02-30T00:00:00Z",
        "20240310",
        "10 Mar 2024",
        "now",
        "today",
        "epoch",
        "infinity",
        "1710073815",
        "2024-03-10T25:00:00Z",
        "2024-03-10T12:30:15 tomorrow",
        " 2024-03-10",
        "-024-03-10",
        "2024-03-10 (BC)",
    ],
)
def test_what_is_no_datetime_unasked(text: str) -> None:
    assert read(text, "datetime") is None
    assert read(text, "date") is None


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("1900-01-01T00:00:00Z", "2199-12-31T23:59:59.999999Z"),
        ("1899-12-31T19:00:00-05:00", "2200-01-01T00:59:59+01:00"),
    ],
)
def test_datetimes_of_three_centuries(first: str, last: str) -> None:
    for text in (first, last):
        moment = datetime.fromisoformat(text)
        assert read(text, "datetime") == moment


@pytest.mark.parametrize(
    "text",
    [
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "1899-12-31T23:59:59Z",
        "1900-01-01T00:59:59+01:00",
        "2199-12-31T23:59:59-00:01",
        "2200-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
    ],
)
def test_other_centuries_are_no_datetime(text: str) -> None:
    assert read(text, "datetime") is None
    assert read(text.replace("-", "/", 2), "datetime", "%Y/%m/%dT%H:%M:%S%z") is None


def test_dates_of_three_centuries() -> None:
    assert read("1900-01-01", "date") == date(1900, 1, 1)
    assert read("2199-12-31", "date") == date(2199, 12, 31)
    assert read("31.12.2199", "date", "%d.%m.%Y") == date(2199, 12, 31)
    for text in ("0000-01-01", "0001-01-01", "1899-12-31", "2200-01-01", "9999-12-31 00:00:00"):
        assert read(text, "date") is None
        assert read(text, "date", "%Y/%m/%d") is None
        assert read(text[:10].replace("-", "/"), "date", "%Y/%m/%d") is None


def test_stated_formats_read_what_they_say() -> None:
    formats = ("%m/%d/%y %I:%M %p", "%m/%d/%y")
    assert read("02/23/26 08:55 PM", "datetime", *formats) == datetime(2026, 2, 23, 20, 55, tzinfo=UTC)
    assert read("02/23/26", "datetime", *formats) == datetime(2026, 2, 23, tzinfo=UTC)
    assert read("02/23/26", "date", *formats) == date(2026, 2, 23)
    assert read("02/23/26 08:55 PM", "date", *formats) == date(2026, 2, 23)
    assert read("23/02/26", "datetime", *formats) is None
    assert read("2024-03-10T12:30:15Z", "datetime", *formats) == NOON
    assert read("10.03.2024 13:30:15 +0100", "datetime", "%d.%m.%Y %H:%M:%S %z") == NOON


def test_formats_that_disagree_about_a_text_leave_it_unread() -> None:
    both = ("%m/%d/%Y", "%d/%m/%Y")
    assert read("01/02/2024", "datetime", *both) is None
    assert read("02/02/2024", "datetime", *both) == datetime(2024, 2, 2, tzinfo=UTC)
    assert read("01/31/2024", "datetime", *both) == datetime(2024, 1, 31, tzinfo=UTC)


def test_a_format_in_iso_clothes_is_taken_at_its_word() -> None:
    assert read("2024-02-01", "datetime", "%Y-%d-%m") == datetime(2024, 1, 2, tzinfo=UTC)
    assert read("2024-02-13", "datetime", "%Y-%d-%m") is None


@pytest.mark.parametrize("stated", ["%Q", ["%m/%d/%y", "%Q"], "%", "it's %Q"])
def test_what_is_no_format_is_named(stated: str | list[str]) -> None:
    with pytest.raises(
        SourceError, match=r"datetime_format .* is no strptime format\. Write for example '%m/%d/%Y"
    ):
        stated_formats(duckdb.connect(":memory:"), stated)


def test_formats_come_as_one_several_or_none() -> None:
    connection = duckdb.connect(":memory:")
    assert stated_formats(connection, None) == ()
    assert stated_formats(connection, "%m/%d/%y") == ("%m/%d/%y",)
    assert stated_formats(connection, ["%m/%d/%y", "%d. %B '%y"]) == ("%m/%d/%y", "%d. %B '%y")


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2018-12-18", date(2018, 12, 18)),
        ("2018-12-18 00:00:00", date(2018, 12, 18)),
        ("2018-12-18T00:00:00.000Z", date(2018, 12, 18)),
        ("2018-12-18 00:00:00+00", date(2018, 12, 18)),
        ("2018-12-18 00:00:00+05", date(2018, 12, 18)),
        ("2018-02-29", None),
        ("2018-02-29 00:00:00", None),
    ],
)
def test_a_date_may_carry_midnight(text: str, day: date | None) -> None:
    assert read(text, "date") == day
    assert not timed(text)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2019-11-11 17:23:34", date(2019, 11, 11)),
        ("2018-12-18 00:00:01", date(2018, 12, 18)),
        ("2018-12-18T23:00:00Z", date(2018, 12, 18)),
        ("2018-12-18T23:00:00-02:00", date(2018, 12, 19)),
        ("2019-01-01T00:30:00.000+0100", date(2018, 12, 31)),
    ],
)
def test_of_a_date_with_a_time_of_day_the_day_in_utc_is_read(text: str, day: date) -> None:
    assert read(text, "date") == day
    assert read(text, "date", "%d.%m.%Y") == day
    assert timed(text)
    assert timed(text, "%d.%m.%Y")


def test_a_stated_format_may_hold_a_time_of_day_too() -> None:
    formats = ("%d.%m.%y", "%d.%m.%y %H:%M %z")
    assert read("1.2.24 23:30 -0100", "date", *formats) == date(2024, 2, 2)
    assert timed("1.2.24 23:30 -0100", *formats)
    assert not timed("1.2.24 00:00 +0000", *formats)
    assert not timed("1.2.24", *formats)
    assert timed("2/1 5PM 24", "%m/%d %I%p %y")


@pytest.mark.parametrize("text", ["2018-12-18 25:00:00", "2018-12-18 noon", "18.12.2018 12:00"])
def test_a_time_that_is_none_makes_no_date(text: str) -> None:
    assert read(text, "date") is None


def timed(text: str, *formats: str) -> bool:
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    query = f"SELECT {time_of_day('raw', formats)} FROM (SELECT ?::VARCHAR AS raw)"  # noqa: S608 - our own
    return bool(connection.sql(query, params=[text]).pl().item())


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("15000", 15000.0),
        ("-1.5", -1.5),
        ("+3.", 3.0),
        (".5", 0.5),
        ("1.39E8", 139000000.0),
        ("1e-3", 0.001),
        ("0", 0.0),
        ("nan", None),
        ("inf", None),
        ("1,5", None),
        ("1_000", None),
        ("$5", None),
        ("0x1F", None),
        ("", None),
        (" 5", None),
        ("tqs6UXPA", None),
        ("999999999999999.9", 999999999999999.9),
        ("-999999999999999", -999999999999999.0),
        ("1e15", None),
        ("-1000000000000000", None),
        ("1e300", None),
        ("1e400", None),
        ("-1e400", None),
        ("infinity", None),
        ("1e-400", 0.0),
    ],
)
def test_numbers_are_plain_decimals(text: str, number: float | None) -> None:
    assert read(text, "number") == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7", 7),
        ("-7", -7),
        ("7.0", 7),
        ("2E3", 2000),
        ("999999999999999", 999999999999999),
        ("-999999999999999", -999999999999999),
        ("1000000000000000", None),
        ("9007199254740993", None),
        ("1e300", None),
        ("7.5", None),
        ("99999999999999999999", None),
        ("seven", None),
    ],
)
def test_integers_are_whole(text: str, number: int | None) -> None:
    assert read(text, "integer") == number


@pytest.mark.parametrize("text", ["true", "TRUE", "True", "1", "yes", "Y", "t"])
def test_true(text: str) -> None:
    assert read(text, "boolean") is True


@pytest.mark.parametrize("text", ["false", "FALSE", "0", "no", "N", "f"])
def test_false(text: str) -> None:
    assert read(text, "boolean") is False


@pytest.mark.parametrize("text", ["2", "on", "", "truee", "wahr"])
def test_neither(text: str) -> None:
    assert read(text, "boolean") is None


@pytest.mark.parametrize("kind", ["text", "time", "id"])
def test_text_stays_as_it_is(kind: ColumnType) -> None:
    assert read(' 00012\n"x" \U0001f600', kind) == ' 00012\n"x" \U0001f600'


@pytest.mark.parametrize("kind", list(SQL_TYPES))
def test_null_stays_null(kind: ColumnType) -> None:
    assert read(None, kind) is None
    assert read(None, kind, "%m/%d/%y") is None

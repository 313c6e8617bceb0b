from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pytest

from crmmining.errors import SourceError
from crmmining.tables.casts import SQL_TYPES, cast, stated_formats
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


def test_stated_formats_read_what_they_say() -> None:
    formats = ("%m/%d/%y %I:%M %p", "%m/%d/%y")
    assert read("02/23/26 08:55 PM", "datetime", *formats) == datetime(2026, 2, 23, 20, 55, tzinfo=UTC)
    assert read("02/23/26", "datetime", *formats) == datetime(2026, 2, 23, tzinfo=UTC)
    assert read("02/23/26", "date", *formats) == date(2026, 2, 23)
    assert read("02/23/26 08:55 PM", "date", *formats) is None
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
        ("2018-12-18 00:00:01", None),
        ("2018-12-18T23:00:00Z", None),
        ("2018-02-29", None),
    ],
)
def test_a_date_may_carry_midnight(text: str, day: date | None) -> None:
    assert read(text, "date") == day


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
        ("9007199254740993", 9007199254740993),
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

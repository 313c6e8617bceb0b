"""Calendars that cannot be: refused all together, with the row named; dirt that nobody needs is counted."""

import sys
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from crmmining.calendars import Calendar, Week
from crmmining.calendars.reading import Read, make
from crmmining.errors import SourceError
from crmmining.tables.hours import CalendarsSpec

from .made import since_1970

Cells = dict[str, Any]
OFFICE = {"time_zone": "Europe/Berlin", "monday": ["09:00-17:00"]}


def hours(number: int, name: str, *, start: str | None = "09:00:00.000Z", **cells: Any) -> Cells:  # noqa: ANN401
    """A row of BusinessHours that is open on Mondays until 17:00."""
    row: Cells = {
        "Id": f"01m00000000000{number}AAA",
        "Name": name,
        "IsActive": True,
        "IsDefault": number == 1,
    }
    row |= {"TimeZoneSidKey": "Europe/Berlin", "MondayStartTime": start, "MondayEndTime": "17:00:00.000Z"}
    return row | cells


def day_off(number: int, name: str, day: date | None = date(2024, 5, 1)) -> Cells:
    return {"Id": f"0C000000000000{number}AAA", "Name": name, "ActivityDate": day, "IsRecurrence": False}


def made(spec: Cells, rows: Sequence[Cells] = (), days: Sequence[Cells] = ()) -> Read:
    return make(CalendarsSpec.model_validate(spec), rows, days)


def calendar(read: Read, name: str) -> Calendar:
    assert read.calendars is not None
    return read.calendars.calendars[read.calendars.names.index(name)]


def test_rows_as_salesforce_fills_them() -> None:
    night = {"MondayStartTime": "22:00:00.000Z", "MondayEndTime": "06:00:00.000Z"}
    always = {"MondayStartTime": "00:00:00.000Z", "MondayEndTime": "00:00:00.000Z"}
    read = made({}, [hours(1, "Office"), hours(2, "Night", **night), hours(3, "Always", **always)])
    assert read.calendars is not None
    assert [one.weeks[0].shifts for one in read.calendars.calendars] == [
        ((0, 540, 1020),),
        ((0, 1320, 1800),),
        ((0, 0, 1440),),
    ]
    assert read.calendars.default == 0
    assert read.findings.is_empty()
    assert made({}).calendars is None


def test_a_calendar_takes_the_week_of_a_row_and_holidays_of_several_sets() -> None:
    spec = {
        "default": "Bavaria",
        "assigned": [{"when": {"team": "A", "queue": ["B", "C"]}, "calendar": "Office"}],
        "hours": {
            "Bavaria": {"business_hours": "Office", "holidays": ["own", "rows"]},
            "Office": {"time_zone": "Asia/Tokyo"},
        },
        "holidays": {"own": {"dates": [date(2024, 6, 14)]}, "rows": {"names": ["May"]}},
    }
    read = made(spec, [hours(1, "Office")], [day_off(1, "May"), day_off(2, "May", date(2025, 5, 1))])
    bavaria = calendar(read, "Bavaria")
    assert (bavaria.time_zone, bavaria.days_off) == ("Europe/Berlin", (since_1970("2024-06-14"),))
    assert [one.start for one in bavaria.holidays] == [since_1970("2024-05-01"), since_1970("2025-05-01")]
    assert calendar(read, "Office") == Calendar("Office", "Asia/Tokyo", (Week(None, ((0, 540, 1020),)),))
    assert read.calendars is not None
    assert read.calendars.names[read.calendars.default or 0] == "Bavaria"
    assert read.calendars.rules[0].when == (("team", ("A",)), ("queue", ("B", "C")))
    assert read.findings.is_empty(), "every holiday has a calendar"


def test_versions_and_calendars_of_calendars_are_stated() -> None:
    spec = {
        "hours": {
            "All": {"union": ["Both", "B"]},
            "Both": {"intersection": ["A", "B"]},
            "A": {**OFFICE, "versions": [{"since": date(2024, 7, 1), "friday": ["22:00-06:00"]}]},
            "B": {**OFFICE, "monday": [], "tuesday": ["00:00-24:00"]},
        }
    }
    read = made(spec)
    assert calendar(read, "A").weeks[1] == Week(since_1970("2024-07-01"), ((4, 1320, 1800),))
    both = calendar(read, "Both")
    assert (both.how, [part.name for part in both.parts]) == ("intersection", ["A", "B"])
    assert calendar(read, "All").parts == (both, calendar(read, "B"))
    with pytest.raises(SourceError, match="C, D are made of each other"):
        made({"hours": {"C": {"union": ["D"]}, "D": {"union": ["C"]}}})


def test_the_week_of_a_row_may_hold_from_a_day_on() -> None:
    """BusinessHours has no history: the row is today's week, what was before is stated."""
    spec = {
        "hours": {
            "Office": {
                "tuesday": ["10:00-12:00"],
                "versions": [{"since": date(2024, 7, 1), "business_hours": "Office"}],
            },
            "New": {
                **OFFICE,
                "monday": [],
                "versions": [{"since": date(2024, 7, 1), "friday": ["08:00-09:00"]}],
            },
        }
    }
    read = made(spec, [hours(1, "Office")])
    office = calendar(read, "Office")
    assert office.time_zone == "Europe/Berlin"
    assert office.weeks == (Week(None, ((1, 600, 720),)), Week(since_1970("2024-07-01"), ((0, 540, 1020),)))
    assert calendar(read, "New").weeks[0] == Week(None, ()), "closed before"


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({"monday": ["09:00-17:00"]}, "time_zone is missing"),
        ({"time_zone": "Mars/Olympus", "monday": ["09:00-17:00"]}, "'Mars/Olympus' is no IANA time zone"),
        ({**OFFICE, "monday": ["9 to 5"]}, "'9 to 5' is no shift; write it as 09:00-17:30"),
        ({**OFFICE, "monday": ["09:00-25:00"]}, "'09:00-25:00' is no shift"),
        ({**OFFICE, "monday": ["09:00-12:00", "11:00-15:00"]}, "09:00-12:00 and monday 11:00-15:00 overlap"),
        ({**OFFICE, "sunday": ["22:00-09:30"]}, "sunday 22:00-09:30 and monday 09:00-17:00 overlap"),
        ({"time_zone": "UTC", "monday": []}, "is never open: no day has a shift"),
        ({"union": ["A"], "time_zone": "UTC"}, "union and intersection stand alone"),
        ({**OFFICE, "business_hours": "Office"}, "business_hours names the row whose week counts"),
        ({**OFFICE, "holidays": ["Mars"]}, "hours.Tried: no set of .calendars.holidays. is called 'Mars'"),
        ({**OFFICE, "versions": [{"since": date(2024, 7, 1)}] * 2}, "since must be a later day in each"),
    ],
)  # fmt: skip
def test_what_is_stated_must_be_possible(stated: Cells, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        CalendarsSpec.model_validate({"hours": {"Tried": stated}})


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({}, "holds no holiday: state dates, names or country"),
        ({"dates": [date(2024, 1, 1)], "subdivision": "BY"}, "subdivision is one of a country"),
    ],
)
def test_a_set_of_holidays_must_hold_some(stated: Cells, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        CalendarsSpec.model_validate({"holidays": {"Tried": stated}})


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"MondayEndTime": None}, "has a MondayStartTime and no MondayEndTime"),
        ({"MondayStartTime": None}, "has a MondayEndTime and no MondayStartTime"),
        ({"MondayStartTime": None, "MondayEndTime": None}, "is never open: no day has times"),
        ({"MondayStartTime": "9 o'clock"}, "has the MondayStartTime '9 o'clock', which is no time"),
        ({"MondayStartTime": "24:30:00.000Z"}, "has the MondayStartTime '24:30:00.000Z', which is no time"),
        ({"TimeZoneSidKey": "Mars/Olympus"}, "'Mars/Olympus' is no IANA time zone"),
        ({"TimeZoneSidKey": None}, "has no TimeZoneSidKey"),
        ({"SundayStartTime": "20:00:00Z", "SundayEndTime": "10:00:00Z"}, "20:00-10:00 and monday 09:00"),
    ],
)  # fmt: skip
def test_an_impossible_row_is_named_where_it_is_needed_and_counted_elsewhere(cells: Cells, said: str) -> None:
    wrong = hours(2, "Wrong", **cells)
    read = made({}, [hours(1, "Office"), wrong])
    assert read.calendars is not None
    assert read.calendars.names == ("Office",)
    ((_, table, finding, rows, examples, *_),) = read.findings.rows()
    assert (table, rows, examples) == ("BusinessHours", 1, [wrong["Id"]])
    assert finding.startswith(f"impossible hours, as in BusinessHours {wrong['Id']} 'Wrong': ")
    assert said in finding
    for needed in ({"default": "Wrong"}, {"hours": {"Mine": {"business_hours": "Wrong"}}}):
        with pytest.raises(SourceError, match=f"BusinessHours {wrong['Id']} 'Wrong': ") as caught:
            made(needed, [hours(1, "Office"), wrong])
        assert said in str(caught.value)
    with pytest.raises(SourceError, match="the org's default hours: BusinessHours"):
        made({}, [{**wrong, "IsDefault": True}])
    mended = made({"default": "Wrong", "hours": {"Wrong": OFFICE}}, [wrong])
    assert mended.calendars is not None
    assert mended.calendars.default == 0


def test_all_faults_come_together() -> None:
    spec = {
        "default": "Nobody",
        "assigned": [{"when": {"team": "A"}, "calendar": "Nowhere"}],
        "hours": {
            "Mine": {"holidays": ["Rows"]},
            "Ours": {**OFFICE, "holidays": ["Rows"]},
            "All": {"union": ["Ours", "Theirs", "Mine"]},
        },
        "holidays": {"Rows": {"names": ["May", "June"]}},
    }
    with pytest.raises(SourceError) as caught:
        made(spec, [hours(1, "Office")], [day_off(1, "May", None)])
    assert str(caught.value).splitlines() == [
        "business calendars cannot be made:",
        "  calendars.hours.Mine: states no week, and no row of BusinessHours is called 'Mine'; known: Office",
        "  calendars.holidays.Rows: Holiday 0C0000000000001AAA 'May': has no ActivityDate",
        "  calendars.holidays.Rows: no row of Holiday is called 'June'; known: May",
        "  calendars.hours.All: no calendar is called 'Theirs'; known: Office, Ours",
        "  calendars.assigned: rule 1: no calendar is called 'Nowhere'; known: Office, Ours",
        "  calendars.default: no calendar is called 'Nobody'; known: Office, Ours",
        "Mend the rows, or state these calendars under [calendars] of source.toml.",
    ]


def test_rows_that_say_the_same_twice() -> None:
    twice = [hours(1, "Office", IsActive=False), hours(2, "Office", TimeZoneSidKey="UTC"), hours(3, "Other")]
    read = made({}, [{**row, "IsDefault": True} for row in twice], [day_off(1, "May")])
    assert calendar(read, "Office").time_zone == "UTC", "the first that is active"
    assert read.calendars is not None
    assert read.calendars.default is None
    assert read.findings.select("table", "finding", "rows").rows() == [
        ("BusinessHours", "rows without a name of their own", 1),
        ("BusinessHours", "several rows are the default", 2),
        ("Holiday", "holidays of no calendar", 1),
    ]


def test_a_country_takes_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    land = {"country": "DE", "subdivision": "BY"}
    spec = {"hours": {"Mine": {**OFFICE, "holidays": ["Land"]}}, "holidays": {"Land": land}}
    monkeypatch.setitem(sys.modules, "holidays", None)
    with pytest.raises(SourceError, match=r"pip install 'crmmining\[holidays\]', or state dates"):
        made(spec)

    class Library:
        @staticmethod
        def country_holidays(country: str, *, subdiv: str | None, years: range) -> dict[date, str]:
            if country != "DE" or subdiv != "BY":
                raise NotImplementedError(f"no holidays of {country} are known")
            return {date(year, 8, 15): "Mariä Himmelfahrt" for year in years}

    monkeypatch.setitem(sys.modules, "holidays", Library)
    off = calendar(made(spec), "Mine").days_off
    assert (off[0], len(off)) == (since_1970("1990-08-15"), 70)
    land["country"] = "XX"
    with pytest.raises(SourceError, match="Land: no holidays of XX are known"):
        made(spec)

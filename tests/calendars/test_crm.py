"""Calendars of a whole CRM: on its logs, in its account, stored, refreshed, by an overlay."""

import tomllib
from pathlib import Path

import polars as pl
import pytest

import crmmining as cm
from crmmining.definitions import shipped
from crmmining.tables.hours import CalendarsSpec

from .made import HOUR

EXAMPLE = shipped("extractors").parent / "examples" / "support_calendars" / "extractors"
WEEK = "Id,Name,IsActive,IsDefault,TimeZoneSidKey,MondayStartTime,MondayEndTime"
CASE = "Id,CreatedDate,Status,BusinessHoursId,EntitlementId"
HISTORY = "Id,CaseId,CreatedDate,CreatedById,Field,OldValue,NewValue"
A, B = "01m5e0000000001AAA", "01m5e0000000002AAA"
ONE, TWO, THREE = (f"5005e000000000{number}AAA" for number in ("1", "2", "3"))
GOLD = "5505e0000000001AAA"


def written(place: Path, **tables: list[str]) -> Path:
    place.mkdir(exist_ok=True)
    for name, lines in tables.items():
        (place / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three cases: with hours of their own, which changed on 3 January; by its entitlement; with none."""
    return written(
        tmp_path_factory.mktemp("hours") / "desk",
        BusinessHours=[
            WEEK,
            f"{A},Desk,true,true,UTC,09:00:00.000Z,17:00:00.000Z",
            f"{B},Night,true,false,UTC,22:00:00.000Z,06:00:00.000Z",
        ],
        Holiday=[
            "Id,Name,ActivityDate,IsAllDay,IsRecurrence",
            "0C05e0000000001CAA,May,2024-05-01,true,false",
        ],
        Entitlement=["Id,BusinessHoursId", f"{GOLD},{B}"],
        Case=[
            CASE,
            f"{ONE},2024-01-01T08:00:00Z,New,{B},",
            f"{TWO},2024-01-01T08:00:00Z,New,,{GOLD}",
            f"{THREE},2024-01-01T08:00:00Z,New,,",
        ],
        CaseHistory=[
            HISTORY,
            f"0175e0000000001AAA,{ONE},2024-01-03T08:00:00Z,,BusinessHours,Desk,Night",
            f"0175e0000000002AAA,{ONE},2024-01-03T08:00:00Z,,BusinessHours,{A},{B}",
        ],
    )


@pytest.fixture(scope="module")
def crm(desk: Path) -> cm.Crm:
    return cm.connect(desk)


def test_a_case_goes_by_its_hours_as_they_were(crm: cm.Crm) -> None:
    log = crm.event_log("case")
    assert log.cases["business_hours"].to_list() == ["Night", "Night", None]
    assert log.cells(["business_hours"], "created")["business_hours"].to_list() == ["Desk", "Night", None]
    assert log.calendars is not None
    hours = log.calendars
    which = hours.of(log.cells(hours.words, "created"))
    assert [hours.names[place] for place in which] == ["Desk", "Night", "Desk"]
    worked = hours.worked(which, log.cases["created_at"], log.cases["created_at"].dt.offset_by("1d"))
    assert [found / HOUR for found in worked] == [8.0, 8.0, 8.0]


def test_the_account_counts_who_has_no_hours_and_which_holidays_have_no_calendar(crm: cm.Crm) -> None:
    quality = crm.quality("case")
    found = quality.filter(pl.col("reason").str.contains("business hours|holidays"))
    assert found.select("scope", "table", "rows", "examples").rows() == [
        ("table", "Holiday", 1, ["0C05e0000000001CAA"]),
        ("log", "case", 1, [THREE]),
    ]
    assert (
        found["reason"].to_list()[1] == "calendars: 33.3 % of the cases have no business hours of their own"
    )


def test_a_stored_log_keeps_its_calendars(desk: Path, tmp_path: Path) -> None:
    kept = cm.connect(desk, store=tmp_path / "store")
    kept.event_log("case").save(tmp_path / "log")
    assert kept.calendars is not None
    assert kept.event_log("case").calendars == kept.calendars
    assert cm.open_log(tmp_path / "log").calendars == kept.calendars


def test_new_hours_count_after_a_refresh_and_tell_no_case_again(desk: Path, tmp_path: Path) -> None:
    crm = cm.connect(desk)
    log = crm.event_log("case")
    later = written(
        tmp_path / "later",
        BusinessHours=[WEEK, f"{A},Desk,true,true,UTC,09:00:00.000Z,12:00:00.000Z"],
        Holiday=[
            "Id,Name,ActivityDate,IsAllDay,IsRecurrence",
            "0C05e0000000002CAA,June,2024-06-01,true,false",
        ],
    )
    done = crm.refresh(later)
    assert done.filter(name="case").select("cases", "rebuilt").row(0) == (0, "none")
    assert crm.calendars is not None
    assert crm.calendars.frame()["hours"].to_list() == [3.0, 8.0]
    assert crm.event_log("case").calendars == crm.calendars
    assert log.calendars != crm.calendars, "logs handed out before stay what they were"


def test_without_hours_there_are_no_calendars(desk: Path, tmp_path: Path) -> None:
    lines = (desk / "Case.csv").read_text(encoding="utf-8").splitlines()
    crm = cm.connect(written(tmp_path / "none", Case=lines))
    assert crm.calendars is None
    assert crm.event_log("case").calendars is None
    findings = crm.quality("case").filter(pl.col("disposition") == "finding")
    assert findings.filter(pl.col("reason").str.contains("calendars")).is_empty()


def test_a_rule_names_segments(desk: Path, tmp_path: Path) -> None:
    text = '[[calendars.assigned]]\nwhen = { moon = "full" }\ncalendar = "Desk"\n'
    (tmp_path / "own" / "salesforce").mkdir(parents=True)
    (tmp_path / "own" / "salesforce" / "source.toml").write_text(text, encoding="utf-8")
    with pytest.raises(cm.CrmMiningError, match="assigned: rule 1: 'moon' is no segment; known: account,"):
        cm.connect(desk, extractors=[tmp_path / "own"])


def test_what_the_example_shows_beside_can_be_stated() -> None:
    text = (EXAMPLE.parent / "README.md").read_text(encoding="utf-8")
    shown = tomllib.loads(text.split("```toml\n")[1].split("```")[0])
    stated = CalendarsSpec.model_validate(shown["calendars"])
    assert stated.hours["Hotline"].shifts == ((0, 360, 840), (0, 1320, 1800))
    assert stated.hours["Hotline"].versions[0].shifts == ((0, 0, 1440),)


def test_the_example_gives_every_team_of_the_sample_its_hours(sample_folder: Path) -> None:
    """Whatever the simulator's people do about cases, but for the first answer, they do while at work."""
    crm = cm.connect(sample_folder, extractors=[EXAMPLE])
    assert crm.calendars is not None
    assert crm.calendars.frame().filter(source="source.toml")["hours"].unique().to_list() == [40.0]
    log = crm.event_log("case")
    assert log.calendars is not None
    hours = log.calendars
    cells = log.cells(hours.words, "created")
    assert not hours.defaulted(cells).any()
    cases = log.cases.select("case_id").with_columns(which=hours.of(cells))
    handled = [
        "Attach Solution",
        "Close Case",
        "Outbound Call",
        "Status: Escalated",
        "Status: Waiting on Customer",
    ]
    done = log.events.filter(pl.col("activity").is_in(handled)).join(
        cases, on="case_id", maintain_order="left"
    )
    at_work = hours.next_opening(done["which"], done["occurred_at"]) == done["occurred_at"]
    assert (done.height, at_work.sum()) == (965, 965)
    assert crm.quality("case").filter(pl.col("reason").str.contains("calendars|holidays")).is_empty()

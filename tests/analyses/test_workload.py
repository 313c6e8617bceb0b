"""Workload by hour of the week: by hand, over a change of clocks, and its laws."""

from dataclasses import replace

import polars as pl
import pytest
from tests.conftest import DEAL, day, log_of

import crmmining as cm
from crmmining import analyses
from crmmining.calendars import Calendar, Calendars, Rule, Week
from crmmining.definitions import Process

WORKDAYS = Week(None, tuple((weekday, 9 * 60, 17 * 60) for weekday in range(5)))
OFFICE = Calendar("Office", "Europe/Berlin", (WORKDAYS,))
ALWAYS = Calendar("Always", "UTC", (Week(None, tuple((weekday, 0, 24 * 60) for weekday in range(7))),))
HOURS = Calendars((OFFICE, ALWAYS), rules=(Rule((("region", ("US",)),), 1),), default=0)
EVENTS = [
    ("1", "Create", 1.375),  # Monday, 9:00 in UTC
    ("1", "Call", 1.38),
    ("1", "Call", 1.39),
    ("1", "Win", 8.375),  # the next Monday
    ("2", "Create", 6.5),  # Saturday, noon
    ("3", "Create", 6.5),
]
REGIONS = {"1": {"region": "EU"}, "2": {"region": "EU"}, "3": {"region": "US"}}


def worked(found: pl.DataFrame) -> list[tuple[object, ...]]:
    some = found.filter(pl.col("cases") > 0)
    counts = ("cases", "arrivals", "touches", "closings", "off_hours")
    return some.select("region", "calendar", "weekday", "hour", *counts).rows()


def test_by_hand() -> None:
    log = replace(log_of(EVENTS, REGIONS, as_of=15), calendars=HOURS)
    found = analyses.workload(log, by="region")
    assert found.height == 2 * 168
    assert worked(found) == [
        ("EU", "Office", 1, 10, 1, 1, 2, 1, 0),  # one hour later in Berlin
        ("EU", "Office", 6, 13, 1, 1, 0, 0, 1),
        ("US", "Always", 6, 12, 1, 1, 0, 0, 0),
    ]
    monday = found.filter(region="EU", weekday=1, hour=10).row(0, named=True)
    assert (monday["hours"], monday["open_hours"]) == (2, 2)
    assert (monday["arrivals_per_hour"], monday["touches_per_hour"], monday["closings_per_hour"]) == (
        0.5,
        1,
        0.5,
    )
    assert (monday["load"], monday["off_share"]) == (2, 0)
    saturday = found.filter(region="EU", weekday=6, hour=13).row(0, named=True)
    assert (saturday["open_hours"], saturday["load"], saturday["off_share"]) == (0, None, 1)


def test_without_calendars_nothing_is_open_or_closed() -> None:
    found = analyses.workload(log_of(EVENTS, REGIONS, as_of=15), by="region", time_zone="America/New_York")
    assert worked(found)[0] == ("EU", None, 1, 4, 1, 1, 2, 1, None)
    for name in ("open_hours", "off_share", "load"):
        assert found[name].null_count() == found.height


def test_the_hours_of_a_window_with_a_change_of_clocks() -> None:
    log = replace(log_of(EVENTS, REGIONS, as_of=200), calendars=HOURS)
    found = analyses.workload(log, by=[], since="2024-01-01", until=day(183))
    per_calendar = found.group_by("calendar").agg(pl.col("hours", "open_hours").sum()).sort("calendar").rows()
    assert per_calendar == [("Always", 182 * 24, 182 * 24), ("Office", 182 * 24, 26 * 40)]
    night = found.filter(calendar="Office", weekday=7).sort("hour")["hours"]
    assert night.to_list()[:4] == [26, 26, 25, 26]  # 2:00 on the last Sunday of March never was


def test_work_counts_as_it_was(deal: Process) -> None:
    changes = [("1", "region", 1, None), ("1", "region", 5, "EU")]
    log = log_of(EVENTS, {"1": {"region": "EU"}}, as_of=15, changes=changes)
    then = analyses.workload(log, by="region").filter(pl.col("cases") > 0)
    assert then.select("region", "arrivals", "closings").rows() == [("EU", 0, 1), (None, 1, 0), (None, 2, 0)]
    now = analyses.workload(log, by="region@now").filter(pl.col("cases") > 0)
    assert now.select("region@now", "arrivals", "closings").rows() == [("EU", 1, 1), (None, 2, 0)]
    assert deal is DEAL


def test_few_cases_of_people_are_withheld() -> None:
    people = DEAL.model_copy(update={"people": ("region",)})
    log = replace(log_of(EVENTS, REGIONS, process=people, as_of=15), minimum_group=2)
    found = analyses.workload(log, by="region")
    assert found["arrivals"].drop_nulls().sum() == 0


def test_unknown_words() -> None:
    with pytest.raises(cm.UnknownNameError, match="unknown segment 'team'"):
        analyses.workload(log_of(EVENTS))
    with pytest.raises(cm.CrmMiningError, match="time_zone is 'Mars'"):
        analyses.workload(log_of(EVENTS), by=[], time_zone="Mars")
    with pytest.raises(cm.CrmMiningError, match="'soon' is no moment"):
        analyses.workload(log_of(EVENTS), by=[], since="soon")


def test_a_window_that_ends_before_it_begins() -> None:
    log = log_of(EVENTS, REGIONS, as_of=15)
    with pytest.raises(
        cm.CrmMiningError, match=r"since is 2024-01-08T.*Z, but must lie before 2024-01-01T.*until"
    ):
        analyses.workload(log, by="region", since="2024-01-08", until="2024-01-01")
    with pytest.raises(
        cm.CrmMiningError, match="since is 2024-01-08T00:00:00Z, but must lie before 2024-01-08T"
    ):
        analyses.workload(log, by="region", since="2024-01-08", until="2024-01-08")
    with pytest.raises(cm.CrmMiningError, match=r"since is 2030.*before 2024-01-15T00:00:00Z \(as_of\)"):
        analyses.workload(log, by="region", since="2030-01-01")
    assert analyses.workload(log, by="region", until="2023-12-31").is_empty()  # before anything came in

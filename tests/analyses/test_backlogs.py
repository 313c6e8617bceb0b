"""The backlog right through reopening, by hand, by its law and by a second count; how old what is open is."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

import crmmining as cm
from crmmining import analyses
from crmmining.calendars import Calendar, Calendars, Week
from crmmining.definitions import Process
from crmmining.eventlog import EventLog

MakeLog = Callable[..., EventLog]
DEALS = [
    ("d1", "Create", 1), ("d1", "Win", 2), ("d1", "Win", 2.5), ("d1", "Reopen", 3), ("d1", "Reopen", 4),
    ("d1", "Lose", 4.5),
    ("d2", "Create", 2), ("d2", "Call", 3),
    ("d3", "Stage: A", 3.5),  # its creation is no event
    ("d4", "Create", 4.25), ("d4", "Lose", 4.25),
]  # fmt: skip
CASES = {"d1": {"region": "EMEA"}, "d2": {"region": "APAC"}, "d3": {"region": "EMEA"}, "d4": {}}
DAYS = [date(2024, 1, number) for number in range(1, 7)]


@pytest.mark.parametrize("partitions", [1, 3])
def test_every_day_by_hand(make_log: MakeLog, partitions: int) -> None:
    log = make_log(DEALS, CASES, as_of=6.5, partitions=partitions)
    assert analyses.backlog(log).rows() == [
        (DAYS[0], 1, 0, 0, 1),
        (DAYS[1], 1, 0, 1, 1),  # d2 came, d1 was won: the second win closed nothing
        (DAYS[2], 1, 1, 0, 3),  # d3 came, d1 came back
        (DAYS[3], 1, 0, 2, 2),  # d4 came and went, d1 is lost
        (DAYS[4], 0, 0, 0, 2),
        (DAYS[5], 0, 0, 0, 2),
    ]
    weeks = analyses.backlog(log, period="week", by="region")
    assert weeks.rows() == [
        (DAYS[0], "APAC", 1, 0, 0, 1),
        (DAYS[0], "EMEA", 2, 1, 2, 1),
        (DAYS[0], None, 1, 0, 1, 0),
    ]


def test_days_are_those_of_the_zone(make_log: MakeLog) -> None:
    log = make_log([("d1", "Create", 1 + 23.5 / 24)], as_of=3)
    assert analyses.backlog(log, time_zone="Europe/Berlin")["period_start"].to_list() == DAYS[1:3]


def test_the_law_of_the_backlog_in_every_cell(sample: cm.Crm) -> None:
    for process in ("case", "opportunity"):
        log = sample.event_log(process)
        found = analyses.backlog(log, period="week", by=["region", "source@created"])
        cell = ["region", "source@created"]
        before = pl.col("backlog").shift(1).over(cell).fill_null(0)
        held = before + pl.col("arrivals") + pl.col("reopened") - pl.col("completed") == pl.col("backlog")
        assert found.select(held.all()).item()
        last = found.filter(pl.col("period_start") == pl.col("period_start").max())
        assert last["backlog"].sum() == log.cases["open"].sum()
        assert found["arrivals"].sum() == log.cases.height


def test_a_second_count_of_the_backlog(sample: cm.Crm) -> None:
    log = sample.event_log("case")
    lives: dict[str, list[tuple[datetime, bool]]] = {}
    names = {"Create Case": True, "Reopen Case": True, "Close Case": False}
    for case, activity, at in log.events.select("case_id", "activity", "occurred_at").rows():
        if activity in names:
            lives.setdefault(case, []).append((at, names[activity]))
    for row in analyses.backlog(log, period="month").rows(named=True):
        end = (row["period_start"] + timedelta(days=32)).replace(day=1)
        states = [[is_open for at, is_open in life if at.date() < end] for life in lives.values()]
        assert row["backlog"] == sum(bool(known) and known[-1] for known in states)


def test_few_cases_of_a_person_are_withheld(make_log: MakeLog, deal: Process) -> None:
    about_people = deal.model_copy(update={"people": ("region",)})
    log = make_log(DEALS, CASES, as_of=6.5, process=about_people)
    found = analyses.backlog(replace(log, minimum_group=2), period="year", by=["region"])
    assert found.select("region", "backlog").rows() == [("APAC", None), ("EMEA", None), (None, None)]


AGES = [
    ("a", "Create", 1), ("a", "Call", 29),  # 30 days old, touched a day ago
    ("b", "Create", 30),  # to the second a day old, untouched
    ("c", "Create", 30.5), ("c", "Call", 30.75),
    ("d", "Create", 2), ("d", "Win", 3),
    ("e", "Create", 3), ("e", "Call", 3), ("e", "Call", 21), ("e", "Win", 4), ("e", "Reopen", 5),
]  # fmt: skip


@pytest.mark.parametrize("partitions", [1, 2])
def test_ages_of_open_cases(make_log: MakeLog, deal: Process, partitions: int) -> None:
    log = make_log(AGES, as_of=31, partitions=partitions, process=deal.model_copy(update=TOUCHES))
    hours = timedelta(hours=1)
    assert analyses.ageing(log, buckets=[1, 7, 28]).rows() == [
        (0, 1, 1, 0, 12 * hours, None, 6 * hours),
        (1, 7, 1, 1, 24 * hours, None, None),
        (7, 28, 0, 0, None, None, None),
        (28, None, 2, 0, 29 * 24 * hours, None, 6 * 24 * hours),  # a: 30 and 2 days, e: 28 and 10 days
    ]


def test_ages_in_opening_hours(make_log: MakeLog, deal: Process) -> None:
    office = Calendar("Office", "UTC", (Week(None, tuple((weekday, 540, 1020) for weekday in range(5))),))
    log = make_log(AGES[2:], as_of=31, process=deal.model_copy(update=TOUCHES))
    found = analyses.ageing(replace(log, calendars=Calendars((office,), default=0)), buckets=[2])
    # b is open since Tuesday's midnight, c since noon: 8 and 5 hours; e since 3 January: 19 days and Tuesday
    assert found["business_age"].to_list() == [timedelta(hours=6.5), timedelta(hours=20 * 8)]


TOUCHES: dict[str, Any] = {"sets": {"core": ("Create",), "touches": ("Call",)}}


def test_buckets_that_do_not_rise_are_refused(make_log: MakeLog, deal: Process) -> None:
    log = make_log(AGES, as_of=31)
    for buckets in ([], [0, 3], [3, 3], [7, 1]):
        with pytest.raises(cm.CrmMiningError, match="rise from 1 on"):
            analyses.ageing(log, buckets=buckets)
    with pytest.raises(cm.CrmMiningError, match=r"buckets is \[1\.5\], but must be whole numbers of days"):
        analyses.ageing(log, buckets=[1.5])  # type: ignore[list-item]
    with pytest.raises(cm.UnknownNameError, match="activity set"):
        analyses.ageing(log)
    with pytest.raises(cm.UnknownNameError, match="period"):
        analyses.backlog(log, period="hour")  # type: ignore[arg-type]
    assert deal.name == "deal"

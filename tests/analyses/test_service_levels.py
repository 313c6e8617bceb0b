"""Milestones in every state, by hand, from the rows of a CRM to the figures; one paused, a case reopened."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import crmmining as cm
from crmmining import analyses, measure
from crmmining.definitions.kpi import KPI
from crmmining.eventlog import EventLog
from crmmining.eventlog.partition import split
from crmmining.measure import Cut
from crmmining.tables import OrgSpec

Ask = Callable[[EventLog], pl.DataFrame]
CASES = """
Id,CreatedDate,Status,IsClosed,ClosedDate,IsStopped,StopStartDate,Priority,SystemModstamp
500000000000001,2024-01-01 09:00,Working,false,,false,,High,2024-02-01 00:00
500000000000002,2024-01-01 09:00,On Hold,false,,true,2024-01-20 09:00,Low,2024-01-20 09:00
500000000000003,2024-01-01 09:00,Closed,true,2024-01-10 09:00,false,,High,2024-01-10 09:00
500000000000004,2024-01-01 09:00,Working,false,,false,,Low,2024-01-10 09:00
500000000000005,2024-01-01 09:00,Closed,true,2024-01-25 09:00,true,2024-01-10 09:00,Low,2024-01-25 09:00
"""
HISTORY = """
Id,CaseId,CreatedDate,Field,OldValue,NewValue
017000000000001,500000000000003,2024-01-10 09:00,Status,Working,Closed
017000000000002,500000000000004,2024-01-05 09:00,Status,Working,Closed
017000000000003,500000000000004,2024-01-10 09:00,Status,Closed,Working
017000000000004,500000000000005,2024-01-25 09:00,Status,Working,Closed
"""
STATUSES = """
Id,ApiName,SortOrder,IsClosed
01J000000000001,Working,1,false
01J000000000002,On Hold,2,false
01J000000000003,Closed,3,true
"""
TYPES = """
Id,Name
557000000000001,Resolution
557000000000002,First Response
"""
HEAD = (
    "Id,CaseId,MilestoneTypeId,CreatedDate,StartDate,TargetDate,CompletionDate,IsCompleted,StoppedTimeInMins"
)
# Id: case, type, start, target, completion, completed, minutes stopped
MILESTONES = {
    "met": (1, 2, "01-01 09:00", "01-03 09:00", "01-03 09:00", True, 0),
    "late": (1, 1, "01-01 09:00", "01-03 09:00", "01-03 10:00", True, 0),
    "running": (1, 1, "01-01 09:00", "02-05 09:00", "", False, 0),
    "overdue": (1, 1, "01-01 09:00", "01-31 09:00", "", False, 0),
    "due now": (1, 1, "01-01 09:00", "02-01 00:00", "", False, 0),
    "aimless": (1, 1, "01-01 09:00", "", "01-03 09:00", True, 0),
    "somewhen": (1, 1, "01-01 09:00", "01-03 09:00", "", True, 0),
    "backwards": (1, 1, "01-02 09:00", "01-03 09:00", "01-01 09:00", True, 0),
    "due before": (1, 1, "01-02 09:00", "01-01 09:00", "", False, 0),
    "stopped": (2, 1, "01-01 09:00", "01-25 09:00", "", False, 0),
    "too late to stop": (2, 1, "01-01 09:00", "01-20 09:00", "", False, 0),
    "paused": (2, 2, "01-01 09:00", "01-05 10:00", "01-05 09:00", True, 2880),
    "left": (3, 1, "01-01 09:00", "01-15 09:00", "", False, 0),
    "closed late": (3, 2, "01-01 09:00", "01-08 09:00", "", False, 0),
    "from before": (4, 1, "01-01 09:00", "01-20 09:00", "", False, 0),
    "while closed": (4, 1, "01-01 09:00", "01-07 09:00", "", False, 0),
    "closed stopped": (5, 1, "01-01 09:00", "01-15 09:00", "", False, 0),
    "stopped late": (5, 1, "01-01 09:00", "01-10 09:00", "", False, 0),
    "after": (4, 1, "01-10 09:00", "01-20 09:00", "01-21 09:00", True, 0),
}
EXPECTED = {
    "met": ("met", None, False),
    "late": ("violated", "completed late", False),
    "running": ("running", None, False),
    "overdue": ("running_late", None, False),
    "due now": ("running_late", None, False),
    "aimless": ("void", "no target", False),
    "somewhen": ("void", "completed at an unknown moment", False),
    "backwards": ("faulty", "completed before its start", False),
    "due before": ("faulty", "target before its start", False),
    "stopped": ("stopped", None, False),
    "too late to stop": ("running_late", None, False),
    "paused": ("met", None, False),
    "left": ("void", "closed before its target", False),
    "closed late": ("violated", "closed late without it", False),
    "from before": ("running_late", None, False),
    "while closed": ("void", "closed before its target", False),  # whatever became of the case later
    "closed stopped": ("void", "closed while its clock stood still", False),
    "stopped late": ("violated", "closed late without it", False),
    "after": ("violated", "completed late", True),
}
NUMBER = {f"555000000000{number:03}AAA": name for number, name in enumerate(MILESTONES, start=100)}


def milestone_rows() -> str:
    lines = [HEAD]
    for key, (case, kind, *moments, done, stopped) in zip(NUMBER, MILESTONES.values(), strict=True):
        start, target, completed = (f"2024-{moment}" if moment else "" for moment in moments)
        own = (f"50000000000000{case}", f"55700000000000{kind}", start, start, target, completed)
        lines.append(",".join([key[:15], *own, str(done).lower(), str(stopped)]))
    return "\n".join(lines)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> EventLog:
    folder = tmp_path_factory.mktemp("crm")
    texts = {"Case": CASES, "CaseHistory": HISTORY, "CaseStatus": STATUSES, "MilestoneType": TYPES}
    for name, text in {**texts, "CaseMilestone": milestone_rows()}.items():
        (folder / f"{name}.csv").write_text(text.strip() + "\n", encoding="utf-8")
    return cm.connect(folder).event_log("case", as_of="2024-02-01")


def test_every_state_and_its_reason(log: EventLog) -> None:
    found = analyses.milestones(log)
    told = {
        NUMBER[key]: (state, reason, again)
        for key, state, reason, again in found.select(
            "source_id", "state", "reason", "after_reopening"
        ).rows()
    }
    assert told == EXPECTED
    assert found.filter(source_id=found["source_id"][0]).height == 1


def test_the_event_tells_the_same_violations(log: EventLog, sample: cm.Crm) -> None:
    for one in (log, sample.event_log("case"), sample.event_log("case", as_of="2024-08-01")):
        states = analyses.milestones(one)
        told = one.events.filter(pl.col("activity") == "Violate Milestone")["source_id"]
        broken = states.filter(pl.col("state").is_in(["violated", "running_late"]))["source_id"]
        faulty = states.filter(state="faulty")["source_id"]
        assert broken.len() > 5
        assert set(told) - set(faulty) == set(broken)


def test_the_figures_of_each_milestone(log: EventLog) -> None:
    found = analyses.sla(log)
    states = ("met", "violated", "running", "running_late", "stopped", "void", "faulty")
    assert found.select("milestone", "after_reopening", *states, "n").rows() == [
        ("First Response", False, 2, 1, 0, 0, 0, 0, 0, 3),
        ("Resolution", False, 0, 2, 1, 4, 1, 5, 2, 6),
        ("Resolution", True, 0, 1, 0, 0, 0, 0, 0, 1),
    ]
    assert found["compliance"].to_list() == [2 / 3, 0.0, 0.0]
    assert found["lateness"].to_list() == [None, timedelta(hours=1), timedelta(days=1)]
    assert [round(low, 4) for low in found["compliance_low"]] == [0.2077, 0.0, 0.0]


def test_figures_by_segment_and_period_of_the_target(log: EventLog) -> None:
    found = analyses.sla(log, by="priority", period="month").filter(pl.col("milestone") == "Resolution")
    assert found.filter(~pl.col("after_reopening")).select(
        "period_start", "priority", "n", "running", "stopped", "void", "faulty"
    ).rows() == [
        (date(2024, 1, 1), "High", 2, 0, 0, 2, 2),
        (date(2024, 1, 1), "Low", 3, 0, 1, 2, 0),
        (date(2024, 2, 1), "High", 1, 1, 0, 0, 0),
        (None, "High", 0, 0, 0, 1, 0),
    ]


def test_the_kpi_counts_what_is_decided(log: EventLog) -> None:
    stated = {"name": "k", "process": "case", "question": "q", "formula": "f", "kind": "sla"}
    asked: list[tuple[dict[str, object], tuple[object, ...]]] = [
        ({}, (9, 2, 7, 2 / 9)),
        ({"milestone": "First Response"}, (3, 0, 0, 2 / 3)),
        ({"milestone": " first RESPONSE"}, (3, 0, 0, 2 / 3)),
        ({"after_reopening": True}, (1, 0, 0, 0.0)),
        ({"of": "priority = 'Low'"}, (4, 1, 13, 1 / 4)),
        ({"milestone": "Nobody's"}, (0, 0, 0, None)),
    ]
    for more, expected in asked:
        kpi = KPI.validate_python(stated | {"unit": "share", "better": "higher"} | more)
        row = measure.measure(log, kpi, Cut(OrgSpec())).row(0, named=True)
        assert (row["n"], row["open"], row["excluded"], row["share"]) == expected, more
        assert kpi.grain == "milestone"


def test_partitions_and_files_answer_alike(log: EventLog, tmp_path: Path) -> None:
    log.save(tmp_path, events=10)
    asked: list[Ask] = [
        analyses.milestones,
        lambda one: analyses.sla(one, by=["priority"], period="week"),
        lambda one: analyses.first_time_right(one, by=["priority"]),
        lambda one: analyses.ageing(one, by=["priority"]),
    ]
    for other in (replace(log, partitions=tuple(split(log.only, 9))), cm.open_log(tmp_path)):
        assert len(other.partitions) > 2
        for ask in asked:
            assert_frame_equal(ask(other), ask(log), check_exact=True)


def test_a_process_without_milestones_says_so(sample: cm.Crm) -> None:
    with pytest.raises(cm.UnknownNameError, match="milestone_started"):
        analyses.sla(sample.event_log("lead"))
    with pytest.raises(cm.UnknownNameError, match="segment"):
        analyses.sla(sample.event_log("case"), by=["colour"])

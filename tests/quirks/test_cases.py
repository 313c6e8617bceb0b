"""Quirks 15-17: cases that close again, close at once, and their milestones."""

import polars as pl

from .conftest import Built, silent, told

STATUSES = """
    Id,ApiName,SortOrder,IsClosed
    01J000000000001,New,1,false
    01J000000000002,Working,2,false
    01J000000000003,Closed,3,true
"""


def test_15_closed_reopened_and_closed(built: Built) -> None:
    crm = built(
        CaseStatus=STATUSES,
        Case="""
            Id,CreatedDate,Status,IsClosed,ClosedDate
            500000000000001,2024-05-01 08:00,Closed,true,2024-05-04 10:00
        """,
        CaseHistory="""
            Id,CaseId,CreatedDate,Field,OldValue,NewValue
            017000000000001,500000000000001,2024-05-01 08:00,created,,
            017000000000002,500000000000001,2024-05-02 10:00,Status,New,Closed
            017000000000003,500000000000001,2024-05-03 10:00,Status,Closed,Working
            017000000000004,500000000000001,2024-05-04 10:00,Status,Working,Closed
            017000000000005,500000000000001,2024-05-04 10:00,closed,,
        """,
    )
    assert told(crm, "case", "source_id") == [
        ("2024-05-01 08:00", "Create Case", "500000000000001AAA"),
        ("2024-05-02 10:00", "Close Case", "017000000000002AAA"),
        ("2024-05-03 10:00", "Reopen Case", "017000000000003AAA"),
        ("2024-05-04 10:00", "Close Case", "017000000000004AAA"),
    ]
    cases = crm.event_log("case").cases
    last = pl.col("outcome_at").dt.strftime("%Y-%m-%d %H:%M")
    assert cases.select("open", "outcome", last).rows() == [(False, "closed", "2024-05-04 10:00")]
    assert crm.event_log("case", as_of="2024-05-04").cases["open"].to_list() == [True]
    then = crm.state("Case", at="2024-05-02T12:00:00")
    closed = pl.col("ClosedDate").dt.strftime("%Y-%m-%d %H:%M")
    assert then.select("Status", "IsClosed", closed).rows() == [("Closed", True, "2024-05-02 10:00")]


def test_16_closed_on_create(built: Built) -> None:
    crm = built(
        CaseStatus=STATUSES,
        Case="""
            Id,CreatedDate,Status,IsClosed,ClosedDate,IsClosedOnCreate
            500000000000001,2024-05-01 08:00,Closed,true,2024-05-01 08:00,true
            500000000000002,2024-05-01 09:00,Working,false,,true
        """,
        CaseHistory="""
            Id,CaseId,CreatedDate,Field,OldValue,NewValue
            017000000000001,500000000000001,2024-05-01 08:00,created,,
            017000000000002,500000000000001,2024-05-01 08:00,IsClosedOnCreate,false,true
            017000000000003,500000000000002,2024-05-01 09:00,created,,
            017000000000004,500000000000002,2024-05-02 09:00,Status,Closed,Working
        """,
    )
    assert told(crm, "case", "source_id") == [
        ("2024-05-01 08:00", "Create Case", "500000000000001AAA"),
        ("2024-05-01 08:00", "Close Case", "500000000000001AAA"),
        ("2024-05-01 09:00", "Create Case", "500000000000002AAA"),
        ("2024-05-01 09:00", "Close Case", "500000000000002AAA"),
        ("2024-05-02 09:00", "Reopen Case", "017000000000004AAA"),
    ]
    assert silent(crm, "case", "CaseHistory") == {
        "told by the record": ["017000000000001AAA", "017000000000002AAA", "017000000000003AAA"]
    }


def test_17_milestones_overdue_late_and_stopped(built: Built) -> None:
    # 1 open, overdue, its flag stale; 2 late; 3 in time, its target holding the stopped hour; 4 not due yet
    crm = built(
        Case="""
            Id,CreatedDate,Status,IsStopped,SystemModstamp
            500000000000001,2024-05-01 08:00,New,false,2024-05-02 08:00
            500000000000002,2024-05-01 08:00,New,false,2024-05-01 08:00
            500000000000003,2024-05-01 08:00,New,false,2024-05-01 08:00
            500000000000004,2024-05-01 08:00,New,false,2024-05-01 08:00
        """,
        MilestoneType="""
            Id,Name
            557000000000001,Resolution
        """,
        CaseMilestone="""
            Id,CaseId,MilestoneTypeId,CreatedDate,StartDate,TargetDate,CompletionDate,IsViolated,StoppedTimeInMins
            555000000000001,500000000000001,557000000000001,2024-05-01 08:00,2024-05-01 08:00,2024-05-01 12:00,,false,
            555000000000002,500000000000002,557000000000001,2024-05-01 08:00,2024-05-01 08:00,2024-05-01 12:00,2024-05-01 13:00,true,
            555000000000003,500000000000003,557000000000001,2024-05-01 08:00,2024-05-01 08:00,2024-05-01 13:00,2024-05-01 12:30,false,60
            555000000000004,500000000000004,557000000000001,2024-05-01 08:00,2024-05-01 08:00,2024-05-09 12:00,,false,
        """,  # noqa: E501 - rows are lines
    )
    milestones = [row for row in told(crm, "case", "new_value", "source_id") if row[1] != "Create Case"]
    assert milestones == [
        ("2024-05-01 08:00", "Start Milestone", "Resolution", "555000000000001AAA"),
        ("2024-05-01 12:00", "Violate Milestone", "Resolution", "555000000000001AAA"),
        ("2024-05-01 08:00", "Start Milestone", "Resolution", "555000000000002AAA"),
        ("2024-05-01 12:00", "Violate Milestone", "Resolution", "555000000000002AAA"),
        ("2024-05-01 13:00", "Complete Milestone", "Resolution", "555000000000002AAA"),
        ("2024-05-01 08:00", "Start Milestone", "Resolution", "555000000000003AAA"),
        ("2024-05-01 12:30", "Complete Milestone", "Resolution", "555000000000003AAA"),
        ("2024-05-01 08:00", "Start Milestone", "Resolution", "555000000000004AAA"),
    ]

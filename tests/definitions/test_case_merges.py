"""Cases merged into others: whose events they are, and what is no longer anybody's state."""

from collections.abc import Callable
from typing import Any

import duckdb

from .case_tables import ANA, BOB, HISTORY, ROBOT, Tables, tell

Extract = Callable[..., Any]
Connection = duckdb.DuckDBPyConnection
CASE = "Id CreatedDate CreatedById Status IsDeleted MasterRecordId SystemModstamp LastModifiedById"
MERGED: Tables = {
    "Case": [
        CASE,
        ("A", "2024-01-01 09:00", ANA, "Closed", True, "B", "2024-01-05 09:00", BOB),
        ("B", "2024-01-02 09:00", ANA, "New", True, "C", "2024-01-06 09:00", ANA),
        ("C", "2024-01-03 09:00", ANA, "Working", False, None, "2024-01-09 09:00", ANA),
    ],
    "CaseHistory": [
        HISTORY,
        ("h1", "A", "2024-01-02 10:00", ANA, "Priority", "Low", "High"),
        ("h2", "A", "2024-01-03 10:00", ANA, "Status", "Working", "Closed"),
        ("h3", "A", "2024-01-03 10:00", ANA, "closed", None, None),
        ("h4", "A", "2024-01-01 09:00", ANA, "created", None, None),
        ("h5", "C", "2024-01-04 10:00", ANA, "Status", "New", "Working"),
    ],
    "EmailMessage": [
        "Id ParentId CreatedDate CreatedById Incoming Status",
        ("m1", "A", "2024-01-01 09:00:30", ROBOT, True, "0"),
        ("m2", "B", "2024-01-02 11:00", ANA, False, "3"),
        ("m3", "C", "2024-01-04 11:00", ANA, False, "3"),
    ],
    "CaseMilestone": [
        "Id CaseId CreatedDate StartDate TargetDate",
        ("s1", "B", "2024-01-02 09:00", "2024-01-02 09:00", "2024-01-04 09:00"),
    ],
}


def test_what_is_written_to_a_merged_case_belongs_to_the_one_that_lives_on(
    extract: Extract, connection: Connection
) -> None:
    told = tell(extract, connection, MERGED, as_of="2024-02-01")
    assert told.cases("case_id, status") == [("C", "Working")]
    assert told.events("source_id, record_id") == [
        ("01-01 09:00", "Receive Email", "m1", "m1"),
        ("01-02 09:00", "Start Milestone", "s1", "B"),
        ("01-02 10:00", "Raise Priority", "h1", "A"),
        ("01-02 11:00", "First Response", "m2", "m2"),
        ("01-03 09:00", "Create Case", "C", "C"),
        ("01-04 09:00", "Violate Milestone", "s1", None),
        ("01-04 10:00", "Status: Working", "h5", "C"),
        ("01-04 11:00", "Reply", "m3", "m3"),
        ("01-05 09:00", "Merge Case", "A", "B"),
        ("01-06 09:00", "Merge Case", "B", "C"),
    ]
    assert told.unused() == {
        ("CaseHistory", "h2"): "state of a record merged into another",
        ("CaseHistory", "h3"): "state of a record merged into another",
        ("CaseHistory", "h4"): "told by the record",
    }
    assert told.attributes("priority") == []


def test_a_merge_names_who_did_it_and_what_it_joined(extract: Extract, connection: Connection) -> None:
    told = tell(extract, connection, MERGED, as_of="2024-02-01")
    merges = [
        row[2:] for row in told.events("source_table, actor, old_value, new_value") if row[1] == "Merge Case"
    ]
    assert merges == [("Case", BOB, "A", "C"), ("Case", ANA, "B", "C")]


def test_a_mark_in_the_history_dates_the_merge(extract: Extract, connection: Connection) -> None:
    rows = [
        CASE,
        ("A", "2024-01-01 09:00", ANA, "Closed", True, "C", "2024-01-09 09:00", ROBOT),
        ("C", "2024-01-03 09:00", ANA, "Working", False, None, "2024-01-09 09:00", ANA),
    ]
    marks = [HISTORY, ("h1", "C", "2024-01-05 09:00", BOB, "caseMerged", None, None)]
    told = tell(extract, connection, {"Case": rows, "CaseHistory": marks}, as_of="2024-02-01")
    assert told.events("source_table, source_id, actor, old_value") == [
        ("01-03 09:00", "Create Case", "Case", "C", ANA, None),
        ("01-05 09:00", "Merge Case", "CaseHistory", "h1", BOB, "A"),
    ]
    assert told.unused() == {("Case", "A"): "merged into another"}


def test_before_the_merge_every_case_is_its_own(extract: Extract, connection: Connection) -> None:
    told = tell(extract, connection, MERGED, as_of="2024-01-04 12:00")
    assert told.cases("case_id") == [("A",), ("B",), ("C",)]
    assert told.events(of="A") == [
        ("01-01 09:00", "Create Case", "A"),
        ("01-01 09:00", "Receive Email", "m1"),
        ("01-02 10:00", "Raise Priority", "h1"),
        ("01-03 10:00", "Close Case", "h2"),
    ]


def test_a_case_merged_into_a_deleted_one_is_gone(extract: Extract, connection: Connection) -> None:
    rows = [
        CASE,
        ("A", "2024-01-01 09:00", ANA, "New", True, "B", "2024-01-05 09:00", BOB),
        ("B", "2024-01-02 09:00", ANA, "New", True, None, "2024-01-06 09:00", ANA),
    ]
    told = tell(extract, connection, {"Case": rows}, as_of="2024-02-01")
    assert told.cases("case_id") == []
    assert told.unused() == {("Case", "A"): "deleted", ("Case", "B"): "deleted"}

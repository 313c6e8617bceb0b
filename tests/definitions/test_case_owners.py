"""Changes of owner, priority, flags and other fields of a case, and Salesforce's marks."""

from collections.abc import Callable
from typing import Any

import duckdb

from .case_tables import ANA, BOB, EXPERTS, HISTORY, ROBOT, SUPPORT, history, tell

Extract = Callable[..., Any]
Connection = duckdb.DuckDBPyConnection


def test_queues_and_people_hand_over_once_per_change(extract: Extract, connection: Connection) -> None:
    told = tell(
        extract,
        connection,
        {
            "CaseHistory": history(
                ("02 09:00", "Owner", "Ana", "Support"),
                ("02 09:00", "Owner", ANA, SUPPORT),
                ("03 09:00", "ownerAccepted", SUPPORT, ANA),
                ("03 09:00", "Owner", SUPPORT, ANA),
                ("04 09:00", "Owner", ANA, BOB),
                ("05 09:00", "ownerAssignment", BOB, EXPERTS),
                ("06 09:00", "Owner", EXPERTS, SUPPORT),
                ("07 09:00", "Owner", SUPPORT, ROBOT),
            )
        },
    )
    assert told.events("source_id, old_value, new_value, rank, direction, delta")[1:] == [
        ("01-02 09:00", "Assign to Queue", "h1", ANA, SUPPORT, 100, None, None),
        ("01-03 09:00", "Accept from Queue", "h2", SUPPORT, ANA, 100, None, None),
        ("01-04 09:00", "Change Owner", "h4", ANA, BOB, 100, None, None),
        ("01-05 09:00", "Assign to Queue", "h5", BOB, EXPERTS, 100, None, None),
        ("01-06 09:00", "Assign to Queue", "h6", EXPERTS, SUPPORT, 100, None, None),
        ("01-07 09:00", "Accept from Queue", "h7", SUPPORT, ROBOT, 100, None, None),
    ]
    assert set(told.unused()) == {("CaseHistory", "h0"), ("CaseHistory", "h3")}
    assert told.unused()["CaseHistory", "h0"] == "name row beside an Id row"


def test_names_alone_tell_owners_too(extract: Extract, connection: Connection) -> None:
    told = tell(
        extract,
        connection,
        {
            "CaseHistory": history(
                ("02 09:00", "Owner", "Ana", "Support"),
                ("03 09:00", "Owner", "Support", "Bob"),
                ("04 09:00", "Owner", "Bob", "Somebody Gone"),
                ("05 09:00", "ownerAccepted", "A Queue Gone", "Ana"),
            )
        },
    )
    assert told.events("old_value, new_value")[1:] == [
        ("01-02 09:00", "Assign to Queue", "Ana", "Support"),
        ("01-03 09:00", "Accept from Queue", "Support", "Bob"),
        ("01-04 09:00", "Change Owner", "Bob", "Somebody Gone"),
        ("01-05 09:00", "Accept from Queue", "A Queue Gone", "Ana"),
    ]


def test_an_escalation_of_the_owner_is_one_event_whoever_tells_it(
    extract: Extract, connection: Connection
) -> None:
    told = tell(
        extract,
        connection,
        {
            "CaseHistory": history(
                ("02 09:00", "ownerEscalated", ANA, EXPERTS),
                ("03 09:00", "Owner", EXPERTS, BOB),
                ("03 09:00", "ownerEscalated", EXPERTS, BOB),
                ("04 09:00", "Owner", BOB, EXPERTS),
                ("04 09:00", "ownerEscalated", "Bob", "Experts"),
                ("05 09:00", "Owner", EXPERTS, ANA),
                ("05 09:00", "ownerEscalated", None, None),
            )
        },
    )
    assert told.events("old_value, new_value")[1:] == [
        ("01-02 09:00", "Escalate Owner", ANA, EXPERTS),
        ("01-03 09:00", "Escalate Owner", EXPERTS, BOB),
        ("01-04 09:00", "Escalate Owner", BOB, EXPERTS),
        ("01-05 09:00", "Escalate Owner", EXPERTS, ANA),
    ]


def test_the_owner_at_creation_is_no_event(extract: Extract, connection: Connection) -> None:
    told = tell(extract, connection, {"CaseHistory": history(("01 09:00", "created", None, None))})
    assert told.events() == [("01-01 09:00", "Create Case", "C")]
    assert told.attributes("owner") == []


def test_priorities_rise_and_fall_by_levels(extract: Extract, connection: Connection) -> None:
    told = tell(
        extract,
        connection,
        {
            "CaseHistory": history(
                ("02 09:00", "Priority", "Low", "urgent"),
                ("03 09:00", "Priority", "urgent", "P3"),
                ("04 09:00", "Priority", "P3", "Normal"),
                ("05 09:00", "Priority", "Normal", "Dringend"),
                ("06 09:00", "Priority", "Dringend", None),
                ("07 09:00", "Priority", None, "High"),
            )
        },
    )
    assert told.events("direction, delta")[1:] == [
        ("01-02 09:00", "Raise Priority", 1, 3.0),
        ("01-03 09:00", "Lower Priority", -1, -2.0),
        ("01-04 09:00", "Change Priority", None, None),
        ("01-05 09:00", "Change Priority", None, None),
        ("01-06 09:00", "Change Priority", None, None),
        ("01-07 09:00", "Change Priority", None, None),
    ]


def test_fields_flags_and_marks(extract: Extract, connection: Connection) -> None:
    basic, pro = "01t000000000001AAA", "01t000000000002AAA"
    told = tell(
        extract,
        connection,
        {
            "CaseHistory": history(
                ("02 09:00", "Reason", "Billing", "Bug"),
                ("03 09:00", "Product", "Basic", "Pro"),
                ("03 09:00", "Product", basic, pro),
                ("04 09:00", "Description", None, None),  # a long text: changed, values not kept
                ("05 09:00", "Parent", None, "500000000000009AAA"),
                ("06 09:00", "Severity__c", "2", "1"),
                ("07 09:00", "IsEscalated", "false", "true"),
                ("08 09:00", "IsEscalated", "true", "false"),
                ("09 09:00", "external", None, None),
                ("10 09:00", "locked", None, None),
                ("11 09:00", "feedEvent", None, None),
                ("12 09:00", "IsClosedOnCreate", "false", "true"),
            )
        },
    )
    assert told.events("source_id, old_value, new_value, rank")[1:] == [
        ("01-02 09:00", "Change: Reason", "h0", "Billing", "Bug", 150),
        ("01-03 09:00", "Change: Product", "h2", basic, pro, 150),
        ("01-04 09:00", "Change: Description", "h3", None, None, 150),
        ("01-05 09:00", "Change: Parent", "h4", None, "500000000000009AAA", 150),
        ("01-06 09:00", "Change: Severity__c", "h5", "2", "1", 150),
        ("01-07 09:00", "Escalate Case", "h6", "false", "true", 150),
        ("01-08 09:00", "De-escalate Case", "h7", "true", "false", 150),
        ("01-09 09:00", "Mark: external", "h8", None, None, 150),
        ("01-10 09:00", "Mark: locked", "h9", None, None, 150),
        ("01-11 09:00", "Mark: feedEvent", "h10", None, None, 150),
    ]
    assert told.unused() == {
        ("CaseHistory", "h1"): "name row beside an Id row",
        ("CaseHistory", "h11"): "told by the record",
    }


def test_changes_of_one_save_share_its_record_moment_and_author(
    extract: Extract, connection: Connection
) -> None:
    told = tell(
        extract,
        connection,
        {
            "CaseHistory": history(
                ("02 09:00", "Priority", "Low", "High"), ("02 09:00", "Status", "New", "Working"), by=BOB
            )
        },
    )
    assert told.events("record_id, actor, recorded_at = occurred_at")[1:] == [
        ("01-02 09:00", "Raise Priority", "C", BOB, True),
        ("01-02 09:00", "Status: Working", "C", BOB, True),
    ]


def test_attributes_follow_the_history(extract: Extract, connection: Connection) -> None:
    told = tell(
        extract,
        connection,
        {
            "Product2": ["Id Name", ("01t000000000002AAA", "Pro")],
            "RecordType": [
                "Id Name DeveloperName SobjectType",
                ("012000000000001AAA", "Incident", "Incident_Type", "Case"),
                ("012000000000002AAA", "Question", "Question_Type", "Case"),
            ],
            "CaseHistory": history(
                ("02 09:00", "Status", "New", "Working"),
                ("02 09:00", "Status", "Working", "On Hold"),
                ("03 09:00", "Priority", None, "High"),
                ("04 09:00", "Product", "01t000000000001AAA", "01t000000000002AAA"),
                ("05 09:00", "Owner", SUPPORT, ANA),
                ("06 09:00", "RecordType", "Incident", "Question"),
            ),
        },
    )  # fmt: skip
    assert told.attributes("status") == [
        ("01-01 09:00", 0, "New"), ("01-02 09:00", 1, "Working"), ("01-02 09:00", 2, "On Hold"),
    ]  # fmt: skip
    assert told.attributes("priority") == [("01-01 09:00", 0, None), ("01-03 09:00", 1, "High")]
    assert told.attributes("product") == [("01-01 09:00", 0, "01t000000000001AAA"), ("01-04 09:00", 1, "Pro")]
    assert told.attributes("owner") == [("01-01 09:00", 0, "Support"), ("01-05 09:00", 1, "Ana")]
    assert told.attributes("queue") == [("01-01 09:00", 0, "Support"), ("01-05 09:00", 1, None)]
    assert told.attributes("record_type") == [
        ("01-01 09:00", 0, "Incident_Type"), ("01-06 09:00", 1, "Question_Type"),
    ]  # fmt: skip


def test_history_of_a_deleted_case_tells_nothing(extract: Extract, connection: Connection) -> None:
    told = tell(
        extract,
        connection,
        {
            "Case": ["Id CreatedDate Status IsDeleted", ("D", "2024-01-01 09:00", "Working", True)],
            "CaseHistory": [
                HISTORY,
                ("h0", "D", "2024-01-02 09:00", ANA, "Priority", "Low", "High"),
                ("h1", "D", "2024-01-03 09:00", ANA, "Status", "Working", "Closed"),
            ],
        },
    )
    assert told.events("case_id", of="D") == []
    assert told.unused() == {
        ("Case", "D"): "deleted",
        ("CaseHistory", "h0"): "of a deleted case",
        ("CaseHistory", "h1"): "of a deleted case",
    }

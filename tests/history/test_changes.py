"""Field history in one form: one row per change of one field, and a reason for every row that tells none."""

import pytest

from .conftest import Tell

HISTORY = "Id CaseId CreatedDate CreatedById Field DataType OldValue NewValue"
BARE = "Id CaseId CreatedDate Field OldValue NewValue"
ANNA, BEA, QUEUE = "005000000000001AAA", "005000000000002AAA", "00G000000000001AAA"


def test_every_root_has_its_history(tell: Tell) -> None:
    told = tell(
        AccountHistory=["Id AccountId CreatedDate CreatedById Field OldValue NewValue",
                        ("a", "A", "2024-01-01 09:00", "U", "Rating", "Cold", "Hot")],
        LeadHistory=["Id LeadId CreatedDate CreatedById Field OldValue NewValue",
                     ("l", "L", "2024-01-02 09:00", "U", "Status", "New", "Working")],
        OpportunityFieldHistory=["Id OpportunityId CreatedDate CreatedById Field OldValue NewValue",
                                 ("o", "O", "2024-01-03 09:00", "U", "StageName", "Demo", "Won")],
        CaseHistory=["Id CaseId CreatedDate CreatedById Field OldValue NewValue",
                     ("c", "C", "2024-01-04 09:00", "U", "Priority", "Low", "High")],
    )  # fmt: skip
    assert told.changes(
        "root record_id actor field kind column_name old_value new_value source_table source_id"
    ) == [
        ("Account", "A", "U", "Rating", "field", "Rating", "Cold", "Hot", "AccountHistory", "a"),
        ("Lead", "L", "U", "Status", "field", "Status", "New", "Working", "LeadHistory", "l"),
        (
            "Opportunity",
            "O",
            "U",
            "StageName",
            "field",
            "StageName",
            "Demo",
            "Won",
            "OpportunityFieldHistory",
            "o",
        ),
        ("Case", "C", "U", "Priority", "field", "Priority", "Low", "High", "CaseHistory", "c"),
    ]
    assert told.aside() == []


@pytest.mark.parametrize(
    ("field", "kind", "column"),
    [
        ("Owner", "field", "OwnerId"),
        ("ownerAccepted", "mark", "OwnerId"),
        ("Account", "field", "AccountId"),
        ("TextName", "field", "Name"),
        ("Status", "field", "Status"),
        ("closed", "mark", None),
        ("feedEvent", "mark", None),
        ("Region__c", "field", "Region__c"),
        ("ours__Region__c", "field", "ours__Region__c"),
        ("region__c", "field", "region__c"),
        ("00N5e00000aBcDe", "field", "00N5e00000aBcDe"),  # a field deleted since: its Id
    ],
)
def test_a_field_is_about_a_column_and_a_mark_is_about_none(
    tell: Tell, field: str, kind: str, column: str | None
) -> None:
    told = tell(CaseHistory=[BARE, ("h", "C", "2024-01-01 09:00", field, "x", "y")])
    assert told.changes("field kind column_name") == [(field, kind, column)]


@pytest.mark.parametrize("data_type", ["EntityId", None])
def test_a_look_up_is_told_by_its_row_of_ids(tell: Tell, data_type: str | None) -> None:
    names = None if data_type is None else "Text"
    told = tell(
        CaseHistory=[
            HISTORY,
            ("h1", "C", "2024-01-01 09:00", "U", "Owner", names, "Anna", "Bea"),
            ("h2", "C", "2024-01-01 09:00", "U", "Owner", data_type, ANNA, BEA),
            ("h3", "C", "2024-01-02 09:00", "U", "Contact", data_type, None, "003000000000001AAA"),
            ("h4", "C", "2024-01-02 09:00", "U", "Contact", names, None, "Carl"),
        ]
    )
    assert told.changes("source_id old_value new_value by_id") == [
        ("h2", ANNA, BEA, True),
        ("h3", None, "003000000000001AAA", True),
    ]
    assert told.aside() == [("h1", "name row beside an Id row"), ("h4", "name row beside an Id row")]


def test_names_stand_where_they_stand_alone(tell: Tell) -> None:
    told = tell(CaseHistory=[BARE, ("h1", "C", "2024-01-01 09:00", "Owner", "Anna", "Bea")])
    assert told.changes("source_id old_value new_value by_id") == [("h1", "Anna", "Bea", False)]


def test_a_text_that_looks_like_an_id_swallows_no_other_change(tell: Tell) -> None:
    told = tell(
        CaseHistory=[
            HISTORY,
            ("h1", "C", "2024-01-01 09:00", "U", "Serial__c", None, "none yet", "SN0000000000001"),
            ("h2", "C", "2024-01-01 09:00", "U", "Serial__c", None, "SN0000000000001", "SN0000000000002"),
            ("h3", "C", "2024-01-01 09:00", "U", "Subject", None, "Printer", "500000000000001"),
            ("h4", "C", "2024-01-01 09:00", "U", "Subject", None, "500000000000001", "500000000000002"),
        ]
    )
    assert told.changes("source_id by_id seq") == [
        ("h1", False, 0),
        ("h2", False, 1),
        ("h3", False, 0),
        ("h4", False, 1),
    ]
    assert told.aside() == []


def test_a_custom_look_up_is_known_by_the_checksum_of_its_ids(tell: Tell) -> None:
    told = tell(
        CaseHistory=[
            BARE,
            ("h1", "C", "2024-01-01 09:00", "Site__c", "Bonn", "Kiel"),
            ("h2", "C", "2024-01-01 09:00", "Site__c", "0015500000Xyy06AAB", "0011i000007K2LEAA0"),
        ]
    )
    assert told.changes("source_id by_id") == [("h2", True)]
    assert told.aside() == [("h1", "name row beside an Id row")]


def test_ids_are_told_in_their_long_form(tell: Tell) -> None:
    told = tell(
        CaseHistory=[
            BARE,
            ("h1", "C", "2024-01-01 09:00", "Contact", "003RO0000035WQg", "0015500000Xyy06"),
            ("h2", "C", "2024-01-02 09:00", "Contact", "0015500000Xyy06AAB", "0015500000xYY06"),
        ]
    )
    assert told.changes("source_id old_value new_value chained") == [
        ("h1", "003RO0000035WQgYAM", "0015500000Xyy06AAB", True),
        ("h2", "0015500000Xyy06AAB", "0015500000xYY06AAG", True),
    ]


def test_the_same_id_in_two_forms_is_no_change(tell: Tell) -> None:
    told = tell(
        CaseHistory=[
            BARE,
            ("h1", "C", "2024-01-01 09:00", "Contact", "0015500000Xyy06", "0015500000Xyy06AAB"),
        ]
    )
    assert told.changes() == []
    assert told.aside() == [("h1", "old and new value are the same")]


def test_old_equal_to_new_is_no_change_but_a_long_text_without_values_is(tell: Tell) -> None:
    told = tell(
        CaseHistory=[
            BARE,
            ("h1", "C", "2024-01-01 09:00", "Status", "New", "New"),
            ("h2", "C", "2024-01-01 09:00", "Description", None, None),
            ("h3", "C", "2024-01-02 09:00", "Priority", "Low", None),
        ]
    )
    assert told.changes() == [("h2", None, None), ("h3", "Low", None)]
    assert told.aside() == [("h1", "old and new value are the same")]


def test_a_row_told_twice_in_one_second_counts_once(tell: Tell) -> None:
    told = tell(
        CaseHistory=[
            BARE,
            ("h2", "C", "2024-01-01 09:00", "Status", "New", "Working"),
            ("h1", "C", "2024-01-01 09:00", "Status", "New", "Working"),
            ("h3", "C", "2024-01-01 09:01", "Status", "New", "Working"),
            ("h4", "D", "2024-01-01 09:00", "Status", "New", "Working"),
        ]
    )
    assert told.changes("source_id record_id") == [("h1", "C"), ("h4", "D"), ("h3", "C")]
    assert told.aside() == [("h2", "repeats another row")]


def test_of_several_words_for_one_change_of_owner_the_most_telling_stays(tell: Tell) -> None:
    told = tell(
        CaseHistory=[
            BARE,
            ("h1", "C", "2024-01-01 09:00", "Owner", QUEUE, ANNA),
            ("h2", "C", "2024-01-01 09:00", "ownerAccepted", QUEUE, ANNA),
            ("h3", "C", "2024-01-01 09:00", "Owner", "Support", "Anna"),
            ("h4", "C", "2024-01-02 09:00", "ownerEscalated", None, None),
            ("h5", "C", "2024-01-02 09:00", "Owner", ANNA, BEA),
            ("h6", "C", "2024-01-03 09:00", "ownerAssignment", None, None),
        ]
    )
    assert told.changes("source_id field") == [
        ("h2", "ownerAccepted"),
        ("h5", "Owner"),
        ("h6", "ownerAssignment"),
    ]
    assert told.aside() == [
        ("h1", "repeats another row"),
        ("h3", "name row beside an Id row"),
        ("h4", "mark beside the row that tells the values"),
    ]


def test_a_deleted_row_tells_nothing_unless_its_record_went_with_it(tell: Tell) -> None:
    told = tell(
        Case=["Id CreatedDate Status IsDeleted",
              ("C", "2024-01-01", "New", False), ("D", "2024-01-01", "New", True)],
        CaseHistory=[
            "Id CaseId CreatedDate Field OldValue NewValue IsDeleted",
            ("h1", "C", "2024-01-01 09:00", "Status", "New", "Working", True),
            ("h2", "D", "2024-01-01 09:00", "Status", "New", "Working", True),
            ("h3", "C", "2024-01-01 09:00", "Status", "New", "Working", False),
        ],
    )  # fmt: skip
    assert told.changes("source_id") == [("h2",), ("h3",)]
    assert told.aside() == [("h1", "deleted row")]


def test_a_row_older_than_its_record_is_told_at_its_own_time(tell: Tell) -> None:
    told = tell(
        Case=["Id CreatedDate Status", ("C", "2024-01-05", "New")],
        CaseHistory=[BARE, ("h1", "C", "2024-01-01 09:00", "Status", "New", "Working")],
    )
    assert told.changes("source_id seq chained") == [("h1", 0, True)]


def test_values_that_were_renamed_since_stay_as_they_were_written(tell: Tell) -> None:
    told = tell(
        CaseStatus=["Id ApiName SortOrder IsClosed", ("1", "Fresh", 1, False)],
        CaseHistory=[BARE, ("h1", "C", "2024-01-01 09:00", "Status", "New", "Bei Kunde")],
    )
    assert told.changes() == [("h1", "New", "Bei Kunde")]


def test_what_is_later_than_the_moment_is_not_told_yet(tell: Tell) -> None:
    told = tell(
        at="2024-01-02 09:00",
        CaseHistory=[
            BARE,
            ("h1", "C", "2024-01-02 09:00", "Status", "New", "Working"),
            ("h2", "C", "2024-01-02 09:00:01", "Status", "Working", "Closed"),
            ("h3", "C", "2024-01-02 09:00:01", "Priority", "Low", "Low"),
        ],
    )
    assert told.changes("source_id") == [("h1",)]
    assert told.aside() == []

"""Accounts by hand: ratings, marks, person accounts, attributes, and the reasons of rows without an event."""

from collections.abc import Callable
from typing import Any

import duckdb

from .silence import silent

Extract = Callable[[str, dict[str, list[Any]]], Any]
ANA, BEN = "005000000000001AAA", "005000000000002AAA"
ACCOUNT = ["Id CreatedDate CreatedById Name", ("A", "2024-01-01 09:00", ANA, "Acme")]
HISTORY = "Id AccountId CreatedDate Field OldValue NewValue"
WHEN = "2024-01-02 09:00"


def test_ratings_names_long_texts_and_marks_each_have_their_word(extract: Extract) -> None:
    rows = [
        HISTORY,
        ("h1", "A", "2024-01-02 09:00", "Rating", "Cold", "Warm"),
        ("h2", "A", "2024-01-03 09:00", "Rating", "Warm", "Cold"),
        ("h3", "A", "2024-01-04 09:00", "Rating", "Cold", "A+"),
        ("h4", "A", "2024-01-05 09:00", "Name", "Ana Sol", "Ana Luna"),
        ("h5", "A", "2024-01-06 09:00", "Description", None, None),
        ("h6", "A", "2024-01-07 09:00", "accountUpdatedByLead", None, None),
        ("h7", "A", "2024-01-08 09:00", "ownerAssignment", ANA, BEN),
        ("h8", "A", "2024-01-08 09:00", "Owner", ANA, BEN),
    ]
    log = extract("account", {"Account": ACCOUNT, "AccountHistory": rows})
    assert log.rows("A", "source_id", "direction", "delta")[1:] == [
        ("2024-01-02 09:00", "Raise Rating", "h1", 1, 1.0),
        ("2024-01-03 09:00", "Lower Rating", "h2", -1, -1.0),
        ("2024-01-04 09:00", "Change Rating", "h3", None, None),
        ("2024-01-05 09:00", "Rename Account", "h4", None, None),
        ("2024-01-06 09:00", "Change: Description", "h5", None, None),
        ("2024-01-07 09:00", "Mark: accountUpdatedByLead", "h6", None, None),
        ("2024-01-08 09:00", "Change Owner", "h7", None, None),
    ]


def test_the_contact_behind_a_person_account_is_not_added(extract: Extract) -> None:
    tables: dict[str, list[Any]] = {
        "Account": [
            "Id CreatedDate IsPersonAccount PersonContactId",
            ("A", "2024-01-01 09:00", True, "K"), ("B", "2024-01-01 09:00", True, "M"),
        ],
        "Contact": [
            "Id AccountId CreatedDate IsPersonAccount",
            ("K", "A", "2024-01-01 09:00", None), ("M", "B", "2024-01-01 09:00", True),
        ],
        "Task": ["Id WhoId CreatedDate IsClosed", ("t1", "K", WHEN, True)],
    }  # fmt: skip
    log = extract("account", tables)
    assert log.trace("A") == [("2024-01-01 09:00", "Create Account"), (WHEN, "Task")]
    assert log.trace("B") == [("2024-01-01 09:00", "Create Account")]


def test_every_row_without_an_event_has_its_reason(
    extract: Extract, connection: duckdb.DuckDBPyConnection
) -> None:
    tables: dict[str, list[Any]] = {
        "Account": ACCOUNT,
        "AccountHistory": [
            HISTORY,
            ("h1", "A", "2024-01-01 09:00", "accountCreatedFromLead", None, None),
            ("h2", "A", WHEN, "Type", "Partner", "Partner"),
        ],
        "Lead": [
            "Id CreatedDate ConvertedAccountId IsConverted IsDeleted",
            ("L", "2024-01-01 09:00", None, False, False), ("M", "2024-01-01 09:00", None, True, False),
            ("N", "2024-01-01 09:00", "A", True, True), ("P", "2024-01-01 09:00", "A", True, False),
        ],
        "LeadHistory": [
            "Id LeadId CreatedDate Field", ("l1", "P", WHEN, "leadConverted"), ("l2", "P", WHEN, "Rating"),
        ],
        "Opportunity": ["Id AccountId CreatedDate StageName", ("O", None, WHEN, "Open")],
        "OpportunityHistory": ["Id OpportunityId CreatedDate StageName", ("s1", "O", WHEN, "Open")],
        "Case": ["Id AccountId CreatedDate Status", ("C", None, WHEN, "New")],
        "CaseHistory": ["Id CaseId CreatedDate Field", ("c1", "C", WHEN, "created")],
        "Task": ["Id AccountId CreatedDate IsClosed", ("t1", None, WHEN, True), ("t2", "A", WHEN, False)],
        "EmailMessage": ["Id ActivityId CreatedDate", ("e1", None, WHEN)],
    }  # fmt: skip
    log = extract("account", tables)
    assert log.rows("A", "source_id") == [
        ("2024-01-01 09:00", "Create Account", "A"),
        (WHEN, "Convert Lead", "l1"),
    ]
    assert silent(connection, *tables) == [
        ("AccountHistory", "h1", "the account itself tells its creation"),
        ("AccountHistory", "h2", "old and new value are the same"),
        ("Case", "C", "case of no account"),
        ("CaseHistory", "c1", "tells no closing or reopening of an account's case"),
        ("EmailMessage", "e1", "logged by no task"),
        ("Lead", "L", "not converted"),
        ("Lead", "M", "converted into no account"),
        ("Lead", "N", "deleted row"),
        ("Lead", "P", "its history tells the conversion"),
        ("LeadHistory", "l2", "tells no conversion into an account"),
        ("Opportunity", "O", "opportunity of no account"),
        ("OpportunityHistory", "s1", "tells no ending or reopening of an account's opportunity"),
        ("Task", "t1", "about no account, or done before it was created"),
        ("Task", "t2", "planned, not done"),
    ]


def test_attributes_are_told_from_their_first_value_on(
    extract: Extract, connection: duckdb.DuckDBPyConnection
) -> None:
    tables: dict[str, list[Any]] = {
        "Account": ACCOUNT,
        "User": ["Id Name ManagerId Division", (ANA, "Ana", BEN, "EMEA"), (BEN, "Ben", None, "APAC")],
        "RecordType": [
            "Id Name DeveloperName SobjectType",
            ("R", "Business", "B2B", "Account"), ("S", "Private", "B2C", "Account"),
        ],
        "AccountHistory": [
            HISTORY,
            ("h1", "A", WHEN, "Owner", ANA, BEN),
            ("h2", "A", WHEN, "Type", None, "Partner"),
            ("h3", "A", "2024-01-03 09:00", "Type", "Partner", "Customer"),
            ("h4", "A", WHEN, "RecordType", "Business", "Private"),
            ("h5", "A", WHEN, "TextName", "Acme", "Acme Ltd"),
        ],
    }  # fmt: skip
    extract("account", tables)
    columns = "attribute, strftime(since, '%d %H'), seq, value"
    rows = connection.sql(f"SELECT {columns} FROM attributes ORDER BY ALL").fetchall()  # noqa: S608 - own words
    assert rows == [
        ("account", "01 09", 0, "Acme"), ("account", "02 09", 0, "Acme Ltd"),
        ("manager", "01 09", 0, "Ben"), ("manager", "02 09", 0, None),
        ("owner", "01 09", 0, "Ana"), ("owner", "02 09", 0, "Ben"),
        ("profile", "01 09", 0, None), ("profile", "02 09", 0, None),
        ("record_type", "01 09", 0, "B2B"), ("record_type", "02 09", 0, "B2C"),
        ("region", "01 09", 0, "EMEA"), ("region", "02 09", 0, "APAC"),
        ("team", "01 09", 0, None), ("team", "02 09", 0, None),
        ("type", "01 09", 0, None), ("type", "02 09", 0, "Partner"), ("type", "03 09", 0, "Customer"),
    ]  # fmt: skip

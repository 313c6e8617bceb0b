"""Accounts by hand: what happens to them and to the records below them."""

from collections.abc import Callable
from typing import Any

import duckdb
import pytest

Extract = Callable[[str, dict[str, list[Any]]], Any]
ANA, BEN = "005000000000001AAA", "005000000000002AAA"
ACCOUNT = ["Id CreatedDate CreatedById Name", ("A", "2024-01-01 09:00", ANA, "Acme")]
PLACE = "001000000000001AAA"


def test_an_account_gathers_contacts_opportunities_and_cases(extract: Extract) -> None:
    log = extract(
        "account",
        {
            "Account": ACCOUNT,
            "Contact": [
                "Id AccountId CreatedDate IsPersonAccount IsDeleted",
                ("c1", "A", "2024-01-02 09:00", False, False),
                ("c2", "A", "2024-01-02 09:00", True, False),
                ("c3", "A", "2024-01-02 09:00", False, True),
            ],
            "OpportunityStage": [
                "Id ApiName IsClosed IsWon",
                ("1", "Open", False, False), ("2", "Won", True, True), ("3", "Lost", True, False),
            ],
            "Opportunity": [
                "Id AccountId CreatedDate StageName",
                ("O", "A", "2024-01-03 09:00", "Won"), ("P", "A", "2024-01-03 10:00", "Lost"),
                ("Q", None, "2024-01-03 11:00", "Won"),
            ],
            "OpportunityFieldHistory": [
                "Id OpportunityId CreatedDate Field OldValue NewValue",
                ("h1", "O", "2024-01-04 09:00", "StageName", "Open", "Won"),
                ("h2", "O", "2024-01-05 09:00", "StageName", "Won", "Open"),
                ("h3", "O", "2024-01-06 09:00", "StageName", "Open", "Won"),
            ],
            "OpportunityHistory": [
                "Id OpportunityId CreatedDate StageName",
                ("s0", "O", "2024-01-06 09:00", "Won"),
                ("s1", "P", "2024-01-03 10:00", "Open"), ("s2", "P", "2024-01-07 09:00", "Lost"),
            ],
            "CaseStatus": ["Id ApiName IsClosed", ("1", "New", False), ("2", "Done", True)],
            "Case": [
                "Id AccountId CreatedDate Status ClosedDate",
                ("C", "A", "2024-01-08 09:00", "Done", "2024-01-10 09:00"),
                ("D", "A", "2024-01-11 09:00", "Done", "2024-01-12 09:00"),
            ],
            "CaseHistory": [
                "Id CaseId CreatedDate Field OldValue NewValue",
                ("k1", "C", "2024-01-09 09:00", "Status", "New", "Done"),
                ("k2", "C", "2024-01-09 10:00", "Status", "Done", "New"),
                ("k3", "C", "2024-01-10 09:00", "Status", "New", "Done"),
            ],
        },
    )  # fmt: skip
    assert log.rows("A", "source_id") == [
        ("2024-01-01 09:00", "Create Account", "A"),
        ("2024-01-02 09:00", "Add Contact", "c1"),
        ("2024-01-03 09:00", "Create Opportunity", "O"),
        ("2024-01-03 10:00", "Create Opportunity", "P"),
        ("2024-01-04 09:00", "Win Opportunity", "h1"),
        ("2024-01-05 09:00", "Reopen Opportunity", "h2"),
        ("2024-01-06 09:00", "Win Opportunity", "h3"),
        ("2024-01-07 09:00", "Lose Opportunity", "s2"),
        ("2024-01-08 09:00", "Open Case", "C"),
        ("2024-01-09 09:00", "Close Case", "k1"),
        ("2024-01-09 10:00", "Reopen Case", "k2"),
        ("2024-01-10 09:00", "Close Case", "k3"),
        ("2024-01-11 09:00", "Open Case", "D"),
        ("2024-01-12 09:00", "Close Case", "D"),
    ]


def test_a_case_closed_at_its_creation_is_opened_before(extract: Extract) -> None:
    moment = "2024-01-08 09:00"
    cases = [
        "Id AccountId CreatedDate Status IsClosed ClosedDate IsClosedOnCreate",
        ("C", "A", moment, "Closed", True, moment, True),
    ]
    log = extract("account", {"Account": ACCOUNT, "Case": cases})
    assert log.rows("A", "source_id")[1:] == [(moment, "Open Case", "C"), (moment, "Close Case", "C")]


@pytest.mark.parametrize(("as_of", "told"), [("2024-01-25 00:00Z", 1), ("2024-02-02 00:00Z", 0)])
def test_a_lead_deleted_later_was_converted_before(
    extract: Extract, connection: duckdb.DuckDBPyConnection, as_of: str, told: int
) -> None:
    connection.execute(f"SET VARIABLE as_of = TIMESTAMPTZ '{as_of}'")
    lead = [
        "Id CreatedDate ConvertedAccountId ConvertedDate SystemModstamp IsDeleted",
        ("L", "2024-01-20 09:00", "A", "2024-01-22", "2024-02-01 09:00", True),
    ]
    log = extract("account", {"Account": ACCOUNT, "Lead": lead})
    assert log.events.filter(activity="Convert Lead").height == told


def test_conversions_land_on_new_and_existing_accounts(extract: Extract) -> None:
    log = extract(
        "account",
        {
            "Account": ACCOUNT,
            "Lead": [
                "Id CreatedDate ConvertedAccountId ConvertedDate SystemModstamp",
                ("L", "2023-12-01 09:00", "A", "2024-01-01", "2024-02-01 09:00"),
                ("M", "2024-01-20 09:00", "A", "2024-01-22", "2024-02-01 09:00"),
            ],
            "LeadHistory": [
                "Id LeadId CreatedDate Field", ("h1", "L", "2024-01-01 09:00", "leadConverted"),
            ],
        },
    )  # fmt: skip
    assert log.rows("A", "source_id", "date_only", "rank") == [
        ("2024-01-01 09:00", "Create Account", "A", False, 0),
        ("2024-01-01 09:00", "Convert Lead", "h1", False, 40),
        ("2024-01-22 23:59", "Convert Lead", "M", True, 40),
    ]


def test_tracked_fields_change_once_and_marks_are_no_changes(extract: Extract) -> None:
    log = extract(
        "account",
        {
            "Account": ACCOUNT,
            "AccountHistory": [
                "Id AccountId CreatedDate Field OldValue NewValue",
                ("h0", "A", "2024-01-01 09:00", "accountCreatedFromLead", None, None),
                ("h1", "A", "2024-01-02 09:00", "Owner", "Ana", "Ben"),
                ("h2", "A", "2024-01-02 09:00", "Owner", ANA, BEN),
                ("h3", "A", "2024-01-03 09:00", "Parent", None, "Big"),
                ("h4", "A", "2024-01-03 09:00", "Parent", None, PLACE),
                ("h5", "A", "2024-01-04 09:00", "Type", "Prospect", "Customer"),
                ("h6", "A", "2024-01-04 09:00", "Rating", "Hot", "Hot"),
                ("h7", "A", "2024-01-05 09:00", "TextName", "Acme", "Acme Ltd"),
            ],
        },
    )
    assert log.rows("A", "source_id", "rank") == [
        ("2024-01-01 09:00", "Create Account", "A", 0),
        ("2024-01-02 09:00", "Change Owner", "h2", 100),
        ("2024-01-03 09:00", "Change: Parent", "h4", 150),
        ("2024-01-04 09:00", "Change: Type", "h5", 150),
        ("2024-01-05 09:00", "Rename Account", "h7", 150),
    ]


def test_touches_reach_the_account_through_what_they_are_about(extract: Extract) -> None:
    when = "2024-01-02 09:00"
    log = extract(
        "account",
        {
            "Account": ["Id CreatedDate", (PLACE, "2024-01-01 09:00")],
            "Contact": ["Id AccountId CreatedDate", ("K", PLACE, when)],
            "Opportunity": ["Id AccountId CreatedDate", ("O", PLACE, when)],
            "Task": [
                "Id AccountId WhatId WhoId CreatedDate IsClosed TaskSubtype",
                ("t1", PLACE, None, None, when, True, "Call"),
                ("t2", None, "O", None, when, True, "Call"),
                ("t3", None, PLACE, None, when, True, "Email"),
                ("t4", None, None, "K", when, True, "Task"),
                ("t5", PLACE, None, None, "2023-12-01 09:00", True, "Call"),
                ("t6", None, None, "X", when, True, "Call"),
            ],
        },
    )
    touches = log.events.filter(activity="Call")["source_id"].sort().to_list()
    assert touches == ["t1", "t2"]
    assert sorted(log.events["source_id"]) == sorted([PLACE, "K", "O", "t1", "t2", "t3", "t4"])


def test_cases_carry_the_words_of_the_segments(extract: Extract) -> None:
    log = extract(
        "account",
        {
            "Account": [
                "Id CreatedDate OwnerId AccountSource Industry BillingCountry Type Rating",
                ("A", "2024-01-01 09:00", ANA, "Web", "Energy", "Spain", "Customer", "Hot"),
                ("B", "2023-01-01 09:00", None, None, None, None, None, None),
            ],
            "User": ["Id Name ManagerId Division", (ANA, "Ana", BEN, "EMEA"), (BEN, "Ben", None, "EMEA")],
            "AccountHistory": [
                "Id AccountId CreatedDate Field", ("h", "A", "2024-01-01 09:00", "created"),
            ],
        },
    )  # fmt: skip
    header = "case_id truncated owner manager region source industry country type rating"
    assert log.attributes(header) == [
        ("A", False, "Ana", "Ben", "EMEA", "Web", "Energy", "Spain", "Customer", "Hot"),
        ("B", True, *[None] * 8),
    ]

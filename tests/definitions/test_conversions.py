"""Conversions of leads by hand: when they happened, what they made, what became of it."""

from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from .silence import silent

Extract = Callable[[str, dict[str, list[Any]]], Any]
LEAD = (
    "Id CreatedDate Status IsConverted ConvertedDate ConvertedAccountId ConvertedContactId "
    "ConvertedOpportunityId LastModifiedDate SystemModstamp"
)
HISTORY = "Id LeadId CreatedDate Field OldValue NewValue"
AT = "2024-01-05 10:30"
MARK = [HISTORY, ("h1", "L", AT, "leadConverted", None, None)]
LATE = "2024-02-01 00:00"


def lead(day: str | None = "2024-01-05", changed: str | None = LATE) -> list[Any]:
    return [LEAD, ("L", "2024-01-01 09:00", "Qualified", True, day, "A", "K", "O", changed, changed)]


def made(account: str, contact: str, opportunity: str) -> dict[str, list[Any]]:
    return {
        "Account": ["Id CreatedDate", ("A", account)],
        "Contact": ["Id AccountId CreatedDate", ("K", "A", contact)],
        "Opportunity": ["Id AccountId CreatedDate", ("O", "A", opportunity)],
    }


def test_a_conversion_makes_account_contact_and_opportunity_in_one_second(extract: Extract) -> None:
    log = extract("lead", {"Lead": lead(), "LeadHistory": MARK, **made(AT, AT, AT)})
    assert log.rows("L", "source_table", "source_id", "record_id") == [
        ("2024-01-01 09:00", "Create Lead", "Lead", "L", "L"),
        (AT, "Create Account", "Account", "A", "A"),
        (AT, "Create Contact", "Contact", "K", "K"),
        (AT, "Create Opportunity", "Opportunity", "O", "O"),
        (AT, "Convert Lead", "LeadHistory", "h1", "L"),
    ]


def test_a_conversion_of_the_last_day_told_has_happened(
    extract: Extract, connection: duckdb.DuckDBPyConnection
) -> None:
    connection.execute("SET VARIABLE clock = TIMESTAMPTZ '2024-01-05 12:00Z'")
    log = extract("lead", {"Lead": lead(changed=None)})
    assert log.rows("L", "date_only")[1:] == [("2024-01-05 12:00", "Convert Lead", True)]


def test_what_was_there_before_the_conversion_was_not_made_by_it(
    extract: Extract, connection: duckdb.DuckDBPyConnection
) -> None:
    tables = {"Lead": lead(), "LeadHistory": MARK, **made("2023-01-01 09:00", "2023-01-01 09:00", AT)}
    log = extract("lead", tables)
    assert log.trace("L") == [
        ("2024-01-01 09:00", "Create Lead"),
        (AT, "Create Opportunity"),
        (AT, "Convert Lead"),
    ]
    assert silent(connection, "Account", "Contact") == [
        ("Account", "A", "not made by the conversion"),
        ("Contact", "K", "not made by the conversion"),
    ]


def test_a_record_made_by_hand_in_the_same_minute_was_not_made_by_the_conversion(extract: Extract) -> None:
    hands = {
        "AccountHistory": ["Id AccountId CreatedDate Field", ("a1", "A", AT, "accountCreatedFromLead")],
        "OpportunityFieldHistory": ["Id OpportunityId CreatedDate Field", ("o1", "O", AT, "created")],
    }
    log = extract("lead", {"Lead": lead(), "LeadHistory": MARK, **made(AT, AT, AT), **hands})
    assert [activity for _, activity in log.trace("L")] == [
        "Create Lead",
        "Create Account",
        "Create Contact",
        "Convert Lead",
    ]


@pytest.mark.parametrize(
    ("account", "contact", "opportunity", "moment"),
    [
        (AT, AT, AT, AT),
        (AT, "2023-01-01 09:00", "2024-01-20 09:00", AT),  # the opportunity came a fortnight later
        ("2024-01-05 08:00", AT, "2023-01-01 09:00", AT),  # the contact goes before the account
    ],
)
def test_without_a_mark_the_records_made_tell_when(
    extract: Extract, account: str, contact: str, opportunity: str, moment: str
) -> None:
    log = extract("lead", {"Lead": lead(), **made(account, contact, opportunity)})
    converted = [row for row in log.rows("L", "source_id", "date_only") if row[1] == "Convert Lead"]
    assert converted == [(moment, "Convert Lead", "L", False)]


def test_without_a_mark_the_change_to_the_converted_status_tells_when(extract: Extract) -> None:
    rows = [
        HISTORY,
        ("h1", "L", "2024-01-03 09:00", "Status", "New", "Working"),
        ("h2", "L", AT, "Status", "Working", "Qualified"),
    ]
    log = extract("lead", {"Lead": lead(), "LeadHistory": rows})
    assert log.rows("L", "source_id")[1:] == [
        ("2024-01-03 09:00", "Status: Working", "h1"),
        (AT, "Convert Lead", "h2"),
    ]


def test_nothing_but_the_flag_bounds_the_conversion_by_the_last_change(extract: Extract) -> None:
    log = extract("lead", {"Lead": lead(day=None, changed="2024-03-04 05:06")})
    assert log.rows("L", "date_only") == [
        ("2024-01-01 09:00", "Create Lead", False),
        ("2024-03-04 05:06", "Convert Lead", True),
    ]


def test_not_even_a_last_change_leaves_the_last_row_of_history_as_bound(extract: Extract) -> None:
    rows = [HISTORY, ("h1", "L", "2024-01-07 09:00", "Company", "Acme", "Acme Ltd")]
    log = extract("lead", {"Lead": lead(day=None, changed=None), "LeadHistory": rows})
    assert log.rows("L", "date_only")[1:] == [
        ("2024-01-07 09:00", "Change: Company", False),
        ("2024-01-07 09:00", "Convert Lead", True),
    ]


def test_without_a_day_two_records_of_one_second_tell_when(extract: Extract) -> None:
    log = extract("lead", {"Lead": lead(day=None), **made("2023-01-01 09:00", AT, AT)})
    assert log.trace("L")[-1] == (AT, "Convert Lead")


def test_a_person_account_is_made_without_a_contact_of_its_own(
    extract: Extract, connection: duckdb.DuckDBPyConnection
) -> None:
    tables: dict[str, list[Any]] = {
        "Lead": lead(),
        "LeadHistory": MARK,
        "Account": ["Id CreatedDate IsPersonAccount PersonContactId", ("A", AT, True, "K")],
        "Contact": ["Id AccountId CreatedDate IsPersonAccount", ("K", "A", AT, None)],
    }
    log = extract("lead", tables)
    assert log.trace("L") == [
        ("2024-01-01 09:00", "Create Lead"),
        (AT, "Create Account"),
        (AT, "Convert Lead"),
    ]
    assert silent(connection, "Contact") == [("Contact", "K", "the person account itself")]
    account = extract("account", {})
    assert account.trace("A") == [(AT, "Create Account"), (AT, "Convert Lead")]


def test_only_endings_since_the_conversion_are_the_leads(extract: Extract) -> None:
    tables: dict[str, list[Any]] = {
        "Lead": lead(),
        "LeadHistory": MARK,
        "OpportunityStage": [
            "Id ApiName IsClosed IsWon",
            ("1", "Open", False, False), ("2", "Won", True, True), ("3", "Lost", True, False),
        ],
        "Opportunity": ["Id CreatedDate StageName", ("O", "2023-01-01 09:00", "Won")],
        "OpportunityFieldHistory": [
            "Id OpportunityId CreatedDate Field OldValue NewValue",
            ("o1", "O", "2023-02-01 09:00", "StageName", "Open", "Lost"),
            ("o2", "O", "2023-03-01 09:00", "StageName", "Lost", "Open"),
            ("o3", "O", "2024-02-01 09:00", "StageName", "Open", "Won"),
        ],
    }  # fmt: skip
    assert extract("lead", tables).rows("L", "source_table", "source_id")[1:] == [
        (AT, "Convert Lead", "LeadHistory", "h1"),
        ("2024-02-01 09:00", "Win Opportunity", "OpportunityFieldHistory", "o3"),
    ]


def test_before_its_conversion_a_lead_is_not_converted(
    extract: Extract, connection: duckdb.DuckDBPyConnection
) -> None:
    connection.execute("SET VARIABLE as_of = TIMESTAMPTZ '2024-01-04 00:00Z'")
    log = extract("lead", {"Lead": lead(), "LeadHistory": MARK, **made(AT, AT, AT)})
    assert log.trace("L") == [("2024-01-01 09:00", "Create Lead")]


def test_accounts_and_leads_tell_one_moment(extract: Extract) -> None:
    tables = {"Lead": lead(), **made("2023-01-01 09:00", AT, AT)}
    assert (AT, "Convert Lead") in extract("lead", tables).trace("L")
    account = extract("account", {})
    assert (AT, "Convert Lead") in account.trace("A")

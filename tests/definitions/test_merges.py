"""Merged leads and accounts: what happened to those that were given up belongs to the one that lives on."""

from collections.abc import Callable
from typing import Any

import duckdb

from .silence import silent

Extract = Callable[[str, dict[str, list[Any]]], Any]
A, B, C = "001000000000001AAA", "001000000000002AAA", "001000000000003AAA"
RECORD = "Id CreatedDate IsDeleted MasterRecordId SystemModstamp"


def test_a_chain_of_merged_accounts_is_one_case_with_all_their_events(
    extract: Extract, connection: duckdb.DuckDBPyConnection
) -> None:
    tables: dict[str, list[Any]] = {
        "Account": [
            RECORD,
            (A, "2024-01-01 09:00", True, B, "2024-02-01 09:00"),
            (B, "2024-01-02 09:00", True, C, "2024-03-01 09:00"),
            (C, "2024-01-03 09:00", False, None, "2024-03-01 09:00"),
        ],
        "AccountHistory": [
            "Id AccountId CreatedDate Field OldValue NewValue",
            ("h1", A, "2024-01-04 09:00", "Type", "Prospect", "Customer"),
            ("h2", B, "2024-02-01 09:00", "accountMerged", None, None),
            ("h3", C, "2024-03-01 09:00", "accountMerged", None, None),
        ],
        "Contact": ["Id AccountId CreatedDate", ("k1", A, "2024-01-05 09:00"), ("k2", C, "2024-01-06 09:00")],
        "Opportunity": ["Id AccountId CreatedDate", ("o1", B, "2024-01-07 09:00")],
        "Task": [
            "Id AccountId CreatedDate CompletedDateTime",
            (
                "t1",
                C,
                "2024-01-01 10:00",
                "2024-01-01 10:00",
            ),  # about the oldest of them, moved by the merges
            ("t2", A, "2024-01-08 09:00", "2024-01-08 09:00"),
            ("t3", C, "2023-12-01 09:00", "2023-12-01 09:00"),
        ],
    }
    log = extract("account", tables)
    assert log.cases["case_id"].to_list() == [C]
    assert log.rows(C, "source_id", "record_id") == [
        ("2024-01-01 10:00", "Task", "t1", "t1"),
        ("2024-01-03 09:00", "Create Account", C, C),
        ("2024-01-04 09:00", "Change: Type", "h1", A),
        ("2024-01-05 09:00", "Add Contact", "k1", "k1"),
        ("2024-01-06 09:00", "Add Contact", "k2", "k2"),
        ("2024-01-07 09:00", "Create Opportunity", "o1", "o1"),
        ("2024-01-08 09:00", "Task", "t2", "t2"),
        ("2024-02-01 09:00", "Merge Account", A, B),
        ("2024-03-01 09:00", "Merge Account", B, C),
    ]
    assert set(log.events["case_id"]) == {C}
    silent = "SELECT source_id, reason FROM unused WHERE source_table = 'AccountHistory' ORDER BY ALL"
    assert connection.sql(silent).fetchall() == [
        ("h2", "the account that went into this one tells the merge"),
        ("h3", "the account that went into this one tells the merge"),
    ]


def test_merged_leads_without_a_mark_are_dated_by_the_end_of_the_loser(extract: Extract) -> None:
    tables: dict[str, list[Any]] = {
        "Lead": [
            f"{RECORD} Status",
            ("L", "2024-01-01 09:00", False, None, "2024-03-01 09:00", "Working"),
            ("M", "2024-01-02 09:00", True, "L", "2024-02-01 09:00", "Working"),
        ],
        "LeadHistory": [
            "Id LeadId CreatedDate Field OldValue NewValue",
            ("h1", "M", "2024-01-03 09:00", "Status", "New", "Working"),
        ],
        "Task": [
            "Id WhoId CreatedDate CompletedDateTime",
            ("t1", "M", "2024-01-04 09:00", "2024-01-04 09:00"),
        ],
    }
    log = extract("lead", tables)
    assert log.rows("L", "source_table", "source_id", "old_value", "new_value", "date_only") == [
        ("2024-01-01 09:00", "Create Lead", "Lead", "L", None, None, False),
        ("2024-01-03 09:00", "Status: Working", "LeadHistory", "h1", "New", "Working", False),
        ("2024-01-04 09:00", "Task", "Task", "t1", None, None, False),
        ("2024-02-01 09:00", "Merge Lead", "Lead", "M", "M", "L", True),
    ]


def test_a_mark_whose_loser_is_gone_stands_for_itself(extract: Extract) -> None:
    when = "2024-02-01 09:00"
    tables: dict[str, list[Any]] = {
        "Lead": ["Id CreatedDate", ("L", "2024-01-01 09:00")],
        "LeadHistory": ["Id LeadId CreatedDate Field", ("h1", "L", when, "leadMerged")],
        "Account": ["Id CreatedDate", (A, "2024-01-01 09:00")],
        "AccountHistory": ["Id AccountId CreatedDate Field", ("h2", A, when, "accountMerged")],
    }
    lead = extract("lead", tables).rows("L", "source_table", "source_id")
    assert lead[1:] == [(when, "Merge Lead", "LeadHistory", "h1")]
    account = extract("account", {}).rows(A, "source_table", "source_id")
    assert account[1:] == [(when, "Merge Account", "AccountHistory", "h2")]


def test_attributes_of_the_one_that_lives_on_are_its_own(
    extract: Extract, connection: duckdb.DuckDBPyConnection
) -> None:
    tables: dict[str, list[Any]] = {
        "Lead": [
            f"{RECORD} Rating",
            ("L", "2024-01-01 09:00", False, None, "2024-03-01 09:00", "Hot"),
            ("M", "2024-01-02 09:00", True, "L", "2024-02-01 09:00", "Warm"),
        ],
        "LeadHistory": [
            "Id LeadId CreatedDate Field OldValue NewValue",
            ("h1", "L", "2024-01-03 09:00", "Rating", "Cold", "Hot"),
            ("h2", "M", "2024-01-04 09:00", "Rating", "Cold", "Warm"),
        ],
    }
    extract("lead", tables)
    rows = connection.sql("SELECT case_id, strftime(since, '%d %H'), value FROM attributes ORDER BY ALL")
    assert rows.fetchall() == [("L", "01 09", "Cold"), ("L", "03 09", "Hot")]


def test_deleted_records_tell_nothing_and_every_row_below_them_says_why(
    extract: Extract, connection: duckdb.DuckDBPyConnection
) -> None:
    tables: dict[str, list[Any]] = {
        "Account": [
            "Id CreatedDate IsDeleted",
            (A, "2024-01-01 09:00", True),
            (B, "2024-01-01 09:00", False),
        ],
        "AccountHistory": [
            "Id AccountId CreatedDate Field OldValue NewValue",
            ("h1", A, "2024-01-04 09:00", "Type", "Prospect", "Customer"),
        ],
        "Opportunity": ["Id AccountId CreatedDate IsDeleted", ("o1", B, "2024-01-07 09:00", True)],
        "Contact": [
            "Id AccountId CreatedDate",
            ("k1", A, "2024-01-05 09:00"),
            ("k2", None, "2024-01-05 09:00"),
        ],
    }
    log = extract("account", tables)
    assert log.events.filter(case_id=B)["activity"].to_list() == ["Create Account"]
    assert silent(connection, *tables) == [
        ("Account", A, "deleted row"),
        ("AccountHistory", "h1", "the account is deleted"),
        ("Contact", "k1", "the account is deleted or unknown"),
        ("Contact", "k2", "contact of no account"),
        ("Opportunity", "o1", "deleted row"),
    ]

"""Every other activity of opportunities by hand: forecast, owner, marks, quotes, approvals, leads."""

from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from .conftest import Extracted
from .silence import silent

Extract = Callable[..., Extracted]
ANA, BEN = "005000000000001AAA", "005000000000002AAA"
DEAL = ["Id CreatedDate CreatedById StageName", ("O", "2024-01-01 09:00", ANA, "New")]
HISTORY = "Id OpportunityId CreatedDate CreatedById Field OldValue NewValue"


def history(*changes: tuple[str, str | None, str | None]) -> dict[str, list[Any]]:
    """Field history of O, one change a minute from 2024-01-02 09:00: field, old, new."""
    rows = [
        (f"h{i}", "O", f"2024-01-02 09:{i:02}", BEN, field, old, new)
        for i, (field, old, new) in enumerate(changes)
    ]
    return {"Opportunity": DEAL, "OpportunityFieldHistory": [HISTORY, *rows]}


def told(log: Extracted, *columns: str) -> list[tuple[Any, ...]]:
    """Activity and columns of the events of O after its creation."""
    return [row[1:] for row in log.rows("O", *columns) if row[1] != "Create Opportunity"]


def test_forecast_categories_rise_and_fall_in_either_vocabulary(
    extract: Extract, connection: duckdb.DuckDBPyConnection
) -> None:
    log = extract(
        "opportunity",
        history(
            ("ForecastCategoryName", "Pipeline", "Commit"),
            ("ForecastCategoryName", "Commit", "Best Case"),
            ("ForecastCategoryName", "BestCase", "MostLikely"),
            ("ForecastCategoryName", "Commit", "Forecast"),
            ("ForecastCategoryName", "Commit", "Wunschdenken"),
            ("ForecastCategoryName", "Most Likely", "Omitted"),
            ("ForecastCategoryName", "Omitted", "Closed"),
        ),
    )
    assert told(log, "source_id", "direction", "delta") == [
        ("Raise Forecast", "h0", 1, 3.0),
        ("Lower Forecast", "h1", -1, -2.0),
        ("Raise Forecast", "h2", 1, 1.0),
        ("Change: ForecastCategoryName", "h4", None, None),
        ("Lower Forecast", "h5", -1, -3.0),
        ("Raise Forecast", "h6", 1, 5.0),
    ]
    assert silent(connection, "OpportunityFieldHistory") == [
        ("OpportunityFieldHistory", "h3", "the same value, written otherwise")
    ]


def test_snapshots_tell_forecast_and_probability(
    extract: Extract, connection: duckdb.DuckDBPyConnection
) -> None:
    saves = [
        "Id OpportunityId CreatedDate StageName ForecastCategory Probability",
        ("s0", "O", "2024-01-01 09:00", "New", "Pipeline", 10.0),
        ("s1", "O", "2024-01-03 09:00", "New", "Forecast", 60.0),
        ("s2", "O", "2024-01-04 09:00", "New", "Forecast", 50.0),
    ]
    log = extract("opportunity", {"Opportunity": DEAL, "OpportunityHistory": saves})
    assert told(log, "source_id", "direction", "delta", "new_value") == [
        ("Change Probability", "s1", 1, 50.0, "60.0"),
        ("Raise Forecast", "s1", 1, 3.0, "Forecast"),
        ("Change Probability", "s2", -1, -10.0, "50.0"),
    ]
    assert silent(connection, "OpportunityHistory") == [
        ("OpportunityHistory", "s0", "shows the opportunity as it was created")
    ]


def test_other_fields_owners_and_marks(extract: Extract, connection: duckdb.DuckDBPyConnection) -> None:
    log = extract(
        "opportunity",
        history(
            ("created", None, None),
            ("Owner", ANA, BEN),
            ("NextStep", "Call", "Meet"),
            ("Type", "New", "Renewal"),
            ("LeadSource", None, "Web"),
            ("Account", "001000000000001AAA", "001000000000002AAA"),
            ("Campaign", None, "701000000000001AAA"),
            ("RecordType", "012000000000001AAA", "012000000000002AAA"),
            ("Reason__c", "a", "b"),
            ("Description", None, None),
            ("locked", None, None),
            ("feedEvent", None, None),
            ("CloseDate", "2024-03-31T00:00:00Z", "2024-04-02"),
            ("CloseDate", "2024-04-02", None),
            ("Type", "Renewal", "Renewal"),
        ),
    )
    assert told(log, "source_id", "direction", "delta", "old_value", "new_value") == [
        ("Change Owner", "h1", None, None, ANA, BEN),
        ("Change Next Step", "h2", None, None, "Call", "Meet"),
        ("Change: Type", "h3", None, None, "New", "Renewal"),
        ("Change: LeadSource", "h4", None, None, None, "Web"),
        ("Change: Account", "h5", None, None, "001000000000001AAA", "001000000000002AAA"),
        ("Change: Campaign", "h6", None, None, None, "701000000000001AAA"),
        ("Change: RecordType", "h7", None, None, "012000000000001AAA", "012000000000002AAA"),
        ("Change: Reason__c", "h8", None, None, "a", "b"),
        ("Change: Description", "h9", None, None, None, None),
        ("Mark: locked", "h10", None, None, None, None),
        ("Mark: feedEvent", "h11", None, None, None, None),
        ("Push Close Date", "h12", 1, 2.0, "2024-03-31", "2024-04-02"),
        ("Change: CloseDate", "h13", None, None, "2024-04-02", None),
    ]
    assert silent(connection, "OpportunityFieldHistory") == [
        ("OpportunityFieldHistory", "h0", "tells the creation, as the record does"),
        ("OpportunityFieldHistory", "h14", "old and new value are the same"),
    ]


@pytest.mark.parametrize(("mark", "said"), [("created", None), ("opportunityCreatedFromLead", "from lead")])
def test_a_creation_says_that_a_conversion_made_it(extract: Extract, mark: str, said: str | None) -> None:
    log = extract("opportunity", history((mark, None, None)))
    assert log.rows("O", "new_value", "source_table", "source_id", "rank", "record_id") == [
        ("2024-01-01 09:00", "Create Opportunity", said, "Opportunity", "O", 0, "O")
    ]


def test_quotes_are_presented_accepted_and_denied_by_their_history_only(
    extract: Extract, connection: duckdb.DuckDBPyConnection
) -> None:
    changed = "Id QuoteId CreatedDate CreatedById Field OldValue NewValue"
    log = extract(
        "opportunity",
        {
            "Opportunity": [f"{DEAL[0]} SyncedQuoteId", (*DEAL[1], "q1")],
            "Quote": [
                "Id OpportunityId CreatedDate CreatedById Name Status IsDeleted LastModifiedDate",
                ("q1", "O", "2024-01-02 09:00", ANA, "First", "Denied", False, "2024-01-09 09:00"),
                ("q2", "O", "2024-01-03 09:00", ANA, "Second", "Accepted", False, "2024-01-08 09:00"),
                ("q3", "O", "2024-01-04 09:00", ANA, "Third", "Draft", True, "2024-01-04 09:00"),
            ],
            "QuoteHistory": [
                changed,
                ("z1", "q1", "2024-01-05 09:00", BEN, "Status", "Draft", "Presented"),
                ("z2", "q1", "2024-01-06 09:00", BEN, "Status", "Presented", "Denied"),
                ("z3", "q1", "2024-01-06 10:00", BEN, "Status", "Draft", "In Review"),
                ("z4", "q1", "2024-01-06 11:00", BEN, "Name", "a", "b"),
                ("z5", "q1", "2024-01-06 12:00", BEN, "Status", "Accepted", "Accepted"),
                ("z6", "q3", "2024-01-07 09:00", BEN, "Status", "Draft", "Accepted"),
            ],
        },
    )
    assert told(log, "source_table", "source_id", "actor", "rank") == [
        ("Create Quote", "Quote", "q1", ANA, 160),
        ("Create Quote", "Quote", "q2", ANA, 160),
        ("Present Quote", "QuoteHistory", "z1", BEN, 160),
        ("Deny Quote", "QuoteHistory", "z2", BEN, 160),
    ]
    assert log.attributes("case_id quote_status") == [("O", "Denied")]  # of the synced quote, as it is now
    assert silent(connection, "Quote", "QuoteHistory") == [
        ("Quote", "q3", "deleted row"),
        ("QuoteHistory", "z3", "neither presents, accepts nor denies the quote"),
        ("QuoteHistory", "z4", "neither presents, accepts nor denies the quote"),
        ("QuoteHistory", "z5", "old and new value are the same"),
        ("QuoteHistory", "z6", "its quote is deleted"),
    ]


def test_approvals_are_asked_for_and_decided(extract: Extract, connection: duckdb.DuckDBPyConnection) -> None:
    header = (
        "Id TargetObjectId CreatedDate SubmittedById LastActorId Status CompletedDate ElapsedTimeInMinutes "
        "ElapsedTimeInDays IsDeleted"
    )
    log = extract(
        "opportunity",
        {
            "Opportunity": DEAL,
            "ProcessInstance": [
                header,
                ("p1", "O", "2024-01-02 09:00", ANA, BEN, "Approved", "2024-01-02 10:30", 1, None, False),
                ("p2", "O", "2024-01-03 09:00", ANA, BEN, "Rejected", None, 90, None, False),
                ("p3", "O", "2024-01-04 09:00", ANA, ANA, "Removed", None, None, 0.25, None),
                ("p4", "O", "2024-01-05 09:00", ANA, BEN, "Pending", None, 60, None, False),
                ("p5", "O", "2024-01-06 09:00", ANA, BEN, "Approved", None, None, None, False),
                ("p6", "O", "2024-01-07 09:00", ANA, BEN, "Approved", "2024-01-07 10:00", 1, None, True),
                ("p7", "X", "2024-01-08 09:00", ANA, BEN, "Approved", "2024-01-08 10:00", 1, None, False),
            ],
        },
    )
    moments = [(*row[:2], *row[2:]) for row in log.rows("O", "source_id", "actor")[1:]]
    assert moments == [
        ("2024-01-02 09:00", "Submit for Approval", "p1", ANA),
        ("2024-01-02 10:30", "Approve", "p1", BEN),
        ("2024-01-03 09:00", "Submit for Approval", "p2", ANA),
        ("2024-01-03 10:30", "Reject", "p2", BEN),
        ("2024-01-04 09:00", "Submit for Approval", "p3", ANA),
        ("2024-01-04 15:00", "Recall", "p3", ANA),
        ("2024-01-05 09:00", "Submit for Approval", "p4", ANA),
        ("2024-01-06 09:00", "Submit for Approval", "p5", ANA),
    ]
    assert silent(connection, "ProcessInstance") == [
        ("ProcessInstance", "p6", "deleted row"),
        ("ProcessInstance", "p7", "not about an opportunity"),
    ]


def test_the_lead_before_the_opportunity(extract: Extract, connection: duckdb.DuckDBPyConnection) -> None:
    log = extract(
        "opportunity",
        {
            "Opportunity": DEAL,
            "Lead": [
                "Id CreatedDate CreatedById IsConverted ConvertedDate ConvertedOpportunityId IsDeleted",
                ("L", "2023-12-01 09:00", BEN, True, "2024-01-01", "O", False),
                ("M", "2023-12-02 09:00", BEN, False, None, None, False),
                ("N", "2023-12-03 09:00", BEN, True, "2024-01-01", "O", True),
            ],
            "LeadHistory": [
                "Id LeadId CreatedDate CreatedById Field OldValue NewValue",
                ("l1", "L", "2023-12-05 09:00", ANA, "Rating", "Cold", "Hot"),
                ("l2", "L", "2024-01-01 09:00", ANA, "leadConverted", None, None),
            ],
        },
    )
    assert log.rows("O", "source_table", "source_id", "actor", "rank") == [
        ("2023-12-01 09:00", "Create Lead", "Lead", "L", BEN, 0),
        ("2024-01-01 09:00", "Create Opportunity", "Opportunity", "O", ANA, 0),
        ("2024-01-01 09:00", "Convert Lead", "LeadHistory", "l2", ANA, 250),
    ]
    recorded = log.events.filter(activity="Create Lead")["recorded_at"].dt.strftime("%Y-%m-%d %H:%M")
    assert recorded.to_list() == ["2024-01-01 09:00"]  # then it was known what the lead became
    assert silent(connection, "Lead", "LeadHistory") == [
        ("Lead", "M", "became no opportunity"),
        ("Lead", "N", "deleted row"),
        ("LeadHistory", "l1", "changes the lead, not the opportunity"),
    ]


def test_rows_that_give_attributes_or_touch_something_else_say_so(
    extract: Extract, connection: duckdb.DuckDBPyConnection
) -> None:
    extract(
        "opportunity",
        {
            "Opportunity": [
                f"{DEAL[0]} IsDeleted",
                (*DEAL[1], False),
                ("P", "2024-01-01 09:00", ANA, "New", True),
            ],
            "Account": ["Id CreatedDate", ("A", "2023-01-01 09:00")],
            "OpportunityLineItem": ["Id OpportunityId", ("i1", "O")],
            "Task": [
                "Id WhatId CreatedDate IsClosed",
                ("t1", "O", "2023-12-20 09:00", True), ("t2", "X", "2024-01-02 09:00", True),
                ("t3", "O", "2024-01-02 09:00", False), ("t4", None, "2024-01-02 09:00", True),
                ("t5", "O", "2024-01-02 09:00", True),
            ],
        },
    )  # fmt: skip
    assert silent(connection, "Account", "OpportunityLineItem", "Task") == [
        ("Account", "A", "gives attributes only"),
        ("OpportunityLineItem", "i1", "gives attributes only"),
        ("Task", "t1", "done before the opportunity was created"),
        ("Task", "t2", "not about an opportunity"),
        ("Task", "t3", "planned, not done"),
        ("Task", "t4", "not about an opportunity"),
    ]
    deleted = "SELECT reason FROM unused WHERE source_table = 'Opportunity' AND source_id = 'P'"
    assert connection.sql(deleted).fetchall() == [("deleted row",)]

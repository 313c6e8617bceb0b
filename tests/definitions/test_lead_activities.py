"""Leads by hand: ratings, campaigns, ties, attributes, and the reasons of rows without an event."""

from collections.abc import Callable
from typing import Any

import duckdb

from .silence import silent

Extract = Callable[[str, dict[str, list[Any]]], Any]
LEAD = "Id CreatedDate CreatedById Status IsConverted OwnerId"
HISTORY = "Id LeadId CreatedDate Field OldValue NewValue"
ANA, BEN, QUEUE = "005000000000001AAA", "005000000000002AAA", "00G000000000001EAA"
STATUS = [
    "Id ApiName SortOrder IsConverted",
    ("s1", "New", 1, False), ("s2", "Working", 3, False), ("s3", "Nurturing", 5, False),
]  # fmt: skip


def lead(name: str = "L", status: str = "New", *, converted: bool = False) -> tuple[Any, ...]:
    return name, "2024-01-01 09:00", ANA, status, converted, ANA


def test_ratings_go_up_and_down_or_change_without_a_direction(extract: Extract) -> None:
    rows = [
        HISTORY,
        ("h1", "L", "2024-01-02 09:00", "Rating", "Cold", "Hot"),
        ("h2", "L", "2024-01-03 09:00", "Rating", "Hot", "warm"),
        ("h3", "L", "2024-01-04 09:00", "Rating", "warm", None),
        ("h4", "L", "2024-01-05 09:00", "Rating", None, "A+"),
    ]
    log = extract("lead", {"Lead": [LEAD, lead()], "LeadHistory": rows})
    assert log.rows("L", "direction", "delta")[1:] == [
        ("2024-01-02 09:00", "Raise Rating", 1, 2.0),
        ("2024-01-03 09:00", "Lower Rating", -1, -1.0),
        ("2024-01-04 09:00", "Change Rating", None, None),
        ("2024-01-05 09:00", "Change Rating", None, None),
    ]


def test_status_moves_of_one_second_follow_their_values_and_carry_the_difference(extract: Extract) -> None:
    when = "2024-01-02 09:00"
    rows = [
        HISTORY,
        ("h1", "L", when, "Status", "Working", "New"),
        ("h2", "L", when, "Status", "New", "Working"),
        ("h3", "L", when, "Status", "New", "Nurturing"),
    ]
    log = extract(
        "lead", {"Lead": [LEAD, lead(status="Nurturing")], "LeadStatus": STATUS, "LeadHistory": rows}
    )
    assert log.rows("L", "source_id", "seq", "direction", "delta")[1:] == [
        (when, "Status: Working", "h2", 0, 1, 1.0),
        (when, "Status: New", "h1", 1, -1, -1.0),
        (when, "Status: Nurturing", "h3", 2, 2, 2.0),
    ]


def test_campaigns_are_joined_and_answered_also_by_a_lead_that_became_a_contact(extract: Extract) -> None:
    tables: dict[str, list[Any]] = {
        "Lead": [
            f"{LEAD} ConvertedContactId",
            (*lead("L"), None), (*lead("M", "Qualified", converted=True), "K"),
        ],
        "LeadHistory": [HISTORY, ("h1", "M", "2024-01-09 09:00", "leadConverted", None, None)],
        "Campaign": ["Id Name", ("c", "Spring")],
        "CampaignMember": [
            "Id LeadId ContactId CampaignId CreatedDate FirstRespondedDate SystemModstamp IsDeleted",
            ("m1", "L", None, "c", "2024-01-02 09:00", "2024-01-03", "2024-02-01 09:00", False),
            ("m2", "L", None, "x", "2024-01-02 10:00", "2024-01-02", "2024-01-02 10:00", False),
            ("m3", "L", None, "c", "2024-01-02 11:00", None, None, True),
            ("m4", None, "K", "c", "2024-01-04 09:00", None, None, False),
            ("m5", None, "K", "c", "2024-01-10 09:00", None, None, False),
        ],
    }  # fmt: skip
    log = extract("lead", tables)
    assert log.rows("L", "source_id", "new_value", "date_only")[1:] == [
        ("2024-01-02 09:00", "Join Campaign", "m1", "Spring", False),
        ("2024-01-02 10:00", "Join Campaign", "m2", "x", False),
        ("2024-01-02 10:00", "Respond to Campaign", "m2", "x", True),
        ("2024-01-03 23:59", "Respond to Campaign", "m1", "Spring", True),
    ]
    assert log.rows("M", "source_id")[1:] == [
        ("2024-01-04 09:00", "Join Campaign", "m4"),
        ("2024-01-09 09:00", "Convert Lead", "h1"),
    ]
    assert log.attributes("case_id campaign") == [("L", "Spring"), ("M", "Spring")]


def test_every_row_without_an_event_has_its_reason(
    extract: Extract, connection: duckdb.DuckDBPyConnection
) -> None:
    when = "2024-01-05 10:30"
    tables: dict[str, list[Any]] = {
        "Lead": [f"{LEAD} IsDeleted", (*lead(status="Qualified", converted=True), False), (*lead("M"), True)],
        "LeadHistory": [
            HISTORY,
            ("h1", "L", "2024-01-01 09:00", "created", None, None),
            ("h2", "L", "2024-01-02 09:00", "Status", "New", "New"),
            ("h3", "L", "2024-01-03 09:00", "Owner", "Ana", "Ben"),
            ("h4", "L", "2024-01-03 09:00", "Owner", ANA, BEN),
            ("h5", "L", when, "leadConverted", None, None),
            ("h6", "L", when, "Status", "New", "Qualified"),
            ("h7", "M", "2024-01-03 09:00", "Status", "New", "Working"),
            ("h8", "L", "2024-01-04 09:00", "Status", "New", None),
        ],
        "Contact": ["Id CreatedDate", ("K", when)],
        "Opportunity": ["Id CreatedDate", ("O", when)],
        "OpportunityHistory": ["Id OpportunityId CreatedDate StageName", ("s1", "O", when, "Open")],
        "CampaignMember": ["Id ContactId CampaignId CreatedDate", ("m1", "K", "c", when)],
        "Task": [
            "Id WhoId CreatedDate IsClosed", ("t1", "K", when, True), ("t2", "L", when, False),
        ],
        "EmailMessage": ["Id ActivityId CreatedDate", ("e1", None, when), ("e2", "t1", when)],
    }  # fmt: skip
    log = extract("lead", tables)
    assert silent(connection, *tables) == [
        ("CampaignMember", "m1", "membership of a contact"),
        ("Contact", "K", "no lead was converted into it"),
        ("EmailMessage", "e1", "logged by no task"),
        ("EmailMessage", "e2", "tells the direction of the task that logs it"),
        ("Lead", "M", "deleted row"),
        ("LeadHistory", "h1", "the lead itself tells its creation"),
        ("LeadHistory", "h2", "old and new value are the same"),
        ("LeadHistory", "h3", "name row beside an Id row"),
        ("LeadHistory", "h6", "the conversion itself"),
        ("LeadHistory", "h7", "the lead is deleted"),
        ("LeadHistory", "h8", "names no new status"),
        ("Opportunity", "O", "no lead was converted into it"),
        ("OpportunityHistory", "s1", "no lead was converted into the opportunity"),
        ("Task", "t1", "about no lead"),
        ("Task", "t2", "planned, not done"),
    ]
    assert log.rows("L", "source_id") == [
        ("2024-01-01 09:00", "Create Lead", "L"),
        ("2024-01-03 09:00", "Change Owner", "h4"),
        (when, "Convert Lead", "h5"),
    ]


def test_attributes_are_told_from_their_first_value_on(
    extract: Extract, connection: duckdb.DuckDBPyConnection
) -> None:
    tables: dict[str, list[Any]] = {
        "Lead": [LEAD, (*lead()[:5], BEN)],
        "User": ["Id Name ManagerId Division", (ANA, "Ana", BEN, "EMEA"), (BEN, "Ben", None, "APAC")],
        "Group": ["Id Name Type", (QUEUE, "Inbound", "Queue")],
        "LeadHistory": [
            HISTORY,
            (
                "h1",
                "L",
                "2024-01-01 09:00",
                "Owner",
                ANA,
                QUEUE,
            ),  # by assignment rule, in the second of the creation
            ("h2", "L", "2024-01-02 09:00", "Owner", "Inbound", "Ben"),
            ("h3", "L", "2024-01-03 09:00", "LeadSource", "Web", "Fair"),
        ],
    }
    extract("lead", tables)
    columns = "attribute, strftime(since, '%d %H'), seq, value"
    rows = connection.sql(f"SELECT {columns} FROM attributes ORDER BY ALL").fetchall()  # noqa: S608 - own words
    assert rows == [
        ("manager", "01 09", 0, None), ("manager", "02 09", 0, None),
        ("owner", "01 09", 0, "Inbound"), ("owner", "02 09", 0, "Ben"),
        ("profile", "01 09", 0, None), ("profile", "02 09", 0, None),
        ("queue", "01 09", 0, "Inbound"), ("queue", "02 09", 0, None),
        ("region", "01 09", 0, None), ("region", "02 09", 0, "APAC"),
        ("source", "01 09", 0, "Web"), ("source", "03 09", 0, "Fair"),
        ("team", "01 09", 0, None), ("team", "02 09", 0, None),
    ]  # fmt: skip

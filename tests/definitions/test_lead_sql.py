"""Leads by hand: rows as Salesforce keeps them, and the events they tell."""

from collections.abc import Callable
from typing import Any

import pytest

Extract = Callable[[str, dict[str, list[Any]]], Any]
LEAD = "Id CreatedDate CreatedById Status IsConverted OwnerId"
HISTORY = "Id LeadId CreatedDate Field OldValue NewValue"
ANA, BEN, QUEUE = "005000000000001AAA", "005000000000002AAA", "00G000000000001EAA"
STATUS = [
    "Id ApiName SortOrder IsConverted",
    ("s1", "New", 1, False), ("s2", "Working", 3, False), ("s3", "Nurturing", 5, False),
    ("s4", "Closed - Not Converted", 7, False), ("s5", "Qualified", 9, True),
]  # fmt: skip


def lead(name: str = "L", status: str = "New", *, converted: bool = False) -> tuple[Any, ...]:
    return name, "2024-01-01 09:00", ANA, status, converted, ANA


def test_status_moves_have_direction_and_old_equal_to_new_is_no_event(extract: Extract) -> None:
    log = extract(
        "lead",
        {
            "Lead": [LEAD, lead(status="Working")],
            "LeadStatus": STATUS,
            "LeadHistory": [
                HISTORY,
                ("h0", "L", "2024-01-01 09:00", "created", None, None),
                ("h1", "L", "2024-01-02 09:00", "Status", "New", "Nurturing"),
                ("h2", "L", "2024-01-03 09:00", "Status", "Nurturing", "Nurturing"),
                ("h3", "L", "2024-01-04 09:00", "Status", "Nurturing", "New"),
                ("h4", "L", "2024-01-05 09:00", "Status", "New", "Working"),
                ("h5", "L", "2024-01-06 09:00", "Status", "Working", "Renamed"),
            ],
        },
    )
    assert log.rows("L", "direction", "rank", "source_id") == [
        ("2024-01-01 09:00", "Create Lead", None, 0, "L"),
        ("2024-01-02 09:00", "Status: Nurturing", 2, 200, "h1"),
        ("2024-01-04 09:00", "Status: New", -1, 200, "h3"),
        ("2024-01-05 09:00", "Status: Working", 1, 200, "h4"),
        ("2024-01-06 09:00", "Status: Renamed", None, 200, "h5"),
    ]


def test_disqualified_and_recycled_by_the_words_of_the_status(extract: Extract) -> None:
    rows = [
        HISTORY,
        ("h0", "L", "2024-01-01 09:00", "created", None, None),
        ("h1", "L", "2024-01-02 09:00", "Status", "New", "Closed - Not Converted"),
        ("h2", "L", "2024-01-09 09:00", "Status", "Closed - Not Converted", "Working"),
    ]
    log = extract("lead", {"Lead": [LEAD, lead(status="Working")], "LeadStatus": STATUS, "LeadHistory": rows})
    assert log.rows("L", "rank", "direction") == [
        ("2024-01-01 09:00", "Create Lead", 0, None),
        ("2024-01-02 09:00", "Disqualify Lead", 200, None),
        ("2024-01-09 09:00", "Recycle Lead", 200, None),
    ]


def test_a_stated_list_decides_what_is_lost_and_in_which_order(extract: Extract) -> None:
    log = extract(
        "lead",
        {
            "Lead": [LEAD, lead(status="Parked")],
            "LeadStatus": STATUS,
            "stages": [
                "root value position is_closed is_won",
                ("Lead", "Fresh", 0, False, False), ("Lead", "Warm", 1, False, False),
                ("Lead", "Ja", 2, True, True), ("Lead", "Parked", 3, True, False),
                ("Case", "Warm", 0, True, False),
            ],
            "LeadHistory": [
                HISTORY,
                ("h1", "L", "2024-01-02 09:00", "Status", "Fresh", "Warm"),
                ("h2", "L", "2024-01-03 09:00", "Status", "Warm", "Closed - Not Converted"),
                ("h3", "L", "2024-01-04 09:00", "Status", "Closed - Not Converted", "Parked"),
            ],
        },
    )  # fmt: skip
    assert log.rows("L", "direction") == [
        ("2024-01-01 09:00", "Create Lead", None),
        ("2024-01-02 09:00", "Status: Warm", 1),
        ("2024-01-03 09:00", "Status: Closed - Not Converted", None),
        ("2024-01-04 09:00", "Disqualify Lead", None),
    ]


MADE = "ConvertedAccountId ConvertedContactId ConvertedOpportunityId"
CONVERTED = f"{LEAD} ConvertedDate {MADE} SystemModstamp"


def test_conversion_is_one_event_that_replaces_the_converted_status(extract: Extract) -> None:
    log = extract(
        "lead",
        {
            "Lead": [
                CONVERTED,
                (*lead(status="Qualified", converted=True), "2024-01-05", "A", "C", "O", "2024-02-01 00:00"),
            ],
            "LeadStatus": STATUS,
            "LeadHistory": [
                HISTORY,
                ("h1", "L", "2024-01-05 10:30", "leadConverted", None, None),
                ("h2", "L", "2024-01-05 10:30", "Status", "New", "Qualified"),
            ],
            "Opportunity": [
                "Id CreatedDate StageName IsClosed IsWon",
                ("O", "2024-01-05 10:30", "Won", True, True),
            ],
            "OpportunityFieldHistory": [
                "Id OpportunityId CreatedDate Field OldValue NewValue",
                ("f1", "O", "2024-01-05 10:30", "opportunityCreatedFromLead", None, None),
                ("f2", "O", "2024-03-01 08:00", "StageName", "Open", "Won"),
            ],
        },
    )
    assert log.rows("L", "source_id", "date_only") == [
        ("2024-01-01 09:00", "Create Lead", "L", False),
        ("2024-01-05 10:30", "Create Opportunity", "O", False),
        ("2024-01-05 10:30", "Convert Lead", "h1", False),
        ("2024-03-01 08:00", "Win Opportunity", "f2", False),
    ]


def test_conversion_into_an_existing_account_is_dated_by_the_contact_it_made(extract: Extract) -> None:
    log = extract(
        "lead",
        {
            "Lead": [
                CONVERTED,
                (*lead(status="Qualified", converted=True), "2024-01-05", "A", "C", None, "2024-02-01 00:00"),
            ],
            "Account": ["Id CreatedDate", ("A", "2023-05-05 10:30")],
            "Contact": ["Id CreatedDate", ("C", "2024-01-05 11:00")],
        },
    )
    assert log.rows("L", "date_only") == [
        ("2024-01-01 09:00", "Create Lead", False),
        ("2024-01-05 11:00", "Create Contact", False),
        ("2024-01-05 11:00", "Convert Lead", False),
    ]


@pytest.mark.parametrize(
    ("modified", "moment"),
    [("2024-02-01 00:00", "2024-01-05 23:59"), ("2024-01-05 14:00", "2024-01-05 14:00")],
)
def test_conversion_known_by_its_day_lies_at_the_end_of_it_but_not_after_the_last_change(
    extract: Extract, modified: str, moment: str
) -> None:
    converted = (*lead(status="Qualified", converted=True), "2024-01-05", "A", "C", None, modified)
    log = extract("lead", {"Lead": [CONVERTED, converted], "LeadStatus": STATUS})
    assert log.rows("L", "date_only", "source_id") == [
        ("2024-01-01 09:00", "Create Lead", False, "L"),
        (moment, "Convert Lead", True, "L"),
    ]


def test_touches_that_conversion_moved_to_the_contact_come_back(extract: Extract) -> None:
    log = extract(
        "lead",
        {
            "Lead": [
                CONVERTED,
                (*lead(status="Qualified", converted=True), "2024-01-05", "A", "C", None, "2024-02-01 00:00"),
            ],
            "LeadHistory": [HISTORY, ("h1", "L", "2024-01-05 10:30", "leadConverted", None, None)],
            "Task": [
                "Id WhoId CreatedDate IsClosed TaskSubtype CompletedDateTime IsRecurrence",
                ("t1", "C", "2023-12-30 09:00", True, "Call", "2023-12-30 09:00", False),
                ("t2", "C", "2024-01-02 09:00", True, "Call", "2024-01-02 10:00", False),
                ("t3", "C", "2024-01-03 09:00", True, "Email", None, False),
                ("t4", "C", "2024-01-04 09:00", False, "Call", None, False),
                ("t5", "C", "2024-01-06 09:00", True, "Call", "2024-01-06 09:00", False),
                ("t6", "C", "2024-01-02 09:00", True, "Task", "2024-01-02 11:00", True),
            ],
            "Event": [
                "Id WhoId CreatedDate StartDateTime IsChild",
                ("e1", "C", "2024-01-03 12:00", "2024-01-04 12:00", False),
                ("e3", "C", "2024-01-03 12:00", "2024-01-08 12:00", False),
                ("e2", "C", "2024-01-03 12:00", "2024-01-04 12:00", True),
            ],
        },
    )
    assert log.rows("L", "source_id") == [
        ("2024-01-01 09:00", "Create Lead", "L"),
        ("2024-01-02 10:00", "Call", "t2"),
        ("2024-01-03 09:00", "Email", "t3"),
        ("2024-01-04 12:00", "Meeting", "e1"),
        ("2024-01-05 10:30", "Convert Lead", "h1"),
    ]


def test_owner_pairs_count_once_and_queues_are_told_from_people(extract: Extract) -> None:
    when = ("2024-01-02 09:00", "2024-01-03 09:00", "2024-01-04 09:00", "2024-01-05 09:00")
    log = extract(
        "lead",
        {
            "Lead": [LEAD, lead()],
            "Group": ["Id Name Type", (QUEUE, "Inbound", "Queue")],
            "LeadHistory": [
                HISTORY,
                ("h1", "L", when[0], "Owner", "Ana", "Inbound"),
                ("h2", "L", when[0], "Owner", ANA, QUEUE),
                ("h3", "L", when[1], "ownerAccepted", "Inbound", "Ben"),
                ("h4", "L", when[1], "ownerAccepted", QUEUE, BEN),
                ("h5", "L", when[2], "Owner", BEN, ANA),
                ("h6", "L", when[2], "Owner", "Ben", "Ana"),
                ("h7", "L", when[3], "ownerAssignment", "Ana", "Inbound"),  # names alone, as in reports
            ],
        },
    )
    assert log.rows("L", "source_id", "rank")[1:] == [
        ("2024-01-02 09:00", "Assign to Queue", "h2", 100),
        ("2024-01-03 09:00", "Accept from Queue", "h4", 100),
        ("2024-01-04 09:00", "Change Owner", "h5", 100),
        ("2024-01-05 09:00", "Assign to Queue", "h7", 100),
    ]


def test_other_fields_change_once_long_text_included_and_marks_are_told_as_such(extract: Extract) -> None:
    when = "2024-01-02 09:00"
    log = extract(
        "lead",
        {
            "Lead": [LEAD, lead()],
            "LeadHistory": [
                HISTORY,
                ("h1", "L", when, "Rating", "Cold", "Hot"),
                ("h2", "L", when, "Description", None, None),
                ("h3", "L", when, "locked", None, None),
                ("h4", "L", when, "Campaign__c", "Spring", "Autumn"),
                ("h5", "L", when, "Campaign__c", "701000000000001AAA", "701000000000002AAA"),
            ],
        },
    )
    assert log.rows("L", "source_id")[1:] == [
        ("2024-01-02 09:00", "Raise Rating", "h1"),
        ("2024-01-02 09:00", "Change: Description", "h2"),
        ("2024-01-02 09:00", "Mark: locked", "h3"),
        ("2024-01-02 09:00", "Change: Campaign__c", "h5"),
    ]


def test_without_any_history_a_lost_lead_is_bounded_by_its_last_modification(extract: Extract) -> None:
    row = (*lead(status="Unqualified"), "2024-03-04 05:06")
    log = extract("lead", {"Lead": [f"{LEAD} LastModifiedDate", row]})
    assert log.rows("L", "date_only") == [
        ("2024-01-01 09:00", "Create Lead", False),
        ("2024-03-04 05:06", "Disqualify Lead", True),
    ]


def test_a_lead_created_lost_is_disqualified_in_the_second_of_its_creation(extract: Extract) -> None:
    log = extract(
        "lead",
        {
            "Lead": [LEAD, lead(status="Unqualified"), lead("M", "Working")],
            "LeadHistory": [
                HISTORY,
                ("h1", "L", "2024-01-01 09:00", "created", None, None),
                ("h2", "M", "2024-01-02 09:00", "Status", "New", "Working"),
            ],
        },
    )
    assert log.rows("L", "date_only", "rank") == [
        ("2024-01-01 09:00", "Create Lead", False, 0),
        ("2024-01-01 09:00", "Disqualify Lead", False, 250),
    ]


def test_cases_carry_the_words_of_the_segments(extract: Extract) -> None:
    log = extract(
        "lead",
        {
            "Lead": [
                "Id CreatedDate OwnerId LeadSource Industry Country RecordTypeId",
                ("L", "2024-01-01 09:00", ANA, "Web", "Energy", "Spain", "R"),
                ("M", "2024-01-01 09:00", QUEUE, None, None, None, None),
                ("N", "2023-01-01 09:00", None, None, None, None, None),
            ],
            "User": [
                "Id Name ManagerId Division UserRoleId ProfileId",
                (ANA, "Ana", BEN, "EMEA", "U", "P"),
                (BEN, "Ben", None, "EMEA", None, None),
            ],
            "UserRole": ["Id Name", ("U", "Hunters")],
            "Profile": ["Id Name", ("P", "Sales")],
            "Group": ["Id Name Type", (QUEUE, "Inbound", "Queue")],
            "RecordType": ["Id DeveloperName", ("R", "B2B")],
            "Campaign": ["Id Name", ("c1", "Spring"), ("c2", "Autumn")],
            "CampaignMember": [
                "Id LeadId CampaignId CreatedDate",
                ("m1", "L", "c1", "2024-01-03 09:00"),
                ("m2", "L", "c2", "2024-01-02 09:00"),
            ],
            "LeadHistory": [HISTORY, ("h1", "M", "2024-01-01 09:00", "created", None, None)],
        },
    )
    header = "case_id truncated owner manager region team profile queue record_type source campaign country"
    assert log.attributes(header) == [
        ("L", False, "Ana", "Ben", "EMEA", "Hunters", "Sales", None, "B2B", "Web", "Autumn", "Spain"),
        ("M", False, "Inbound", None, None, None, None, "Inbound", None, None, None, None),
        ("N", True, None, None, None, None, None, None, None, None, None, None),
    ]
    covered = log.cases.filter("truncated")["covered_from"].dt.strftime("%Y-%m-%d %H:%M")
    assert covered.to_list() == ["2024-01-01 09:00"]


def test_deleted_leads_are_no_cases(extract: Extract) -> None:
    log = extract("lead", {"Lead": [f"{LEAD} IsDeleted", (*lead(), True), (*lead("M"), False)]})
    assert log.cases["case_id"].to_list() == ["M"]

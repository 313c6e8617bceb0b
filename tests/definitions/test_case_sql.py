"""Cases by hand: status, owners, answers, milestones, and the events they tell."""

from collections.abc import Callable
from typing import Any

import pytest

Extract = Callable[[str, dict[str, list[Any]]], Any]
ANA, ROBOT, GUEST = "005000000000001AAA", "005000000000008AAA", "005000000000009AAA"
QUEUE = "00G000000000001EAA"
CASE = "Id CreatedDate CreatedById Status IsClosed ClosedDate LastModifiedDate"
HISTORY = "Id CaseId CreatedDate Field OldValue NewValue"
STATUS = [
    "Id ApiName SortOrder IsClosed",
    ("1", "New", 1, False), ("2", "Working", 2, False), ("3", "On Hold", 3, False), ("4", "Solved", 4, True),
    ("5", "Closed", 5, True),
]  # fmt: skip


def case(status: str, *, closed: str | None = None, flag: bool | None = None) -> tuple[Any, ...]:
    return "C", "2024-01-01 09:00", ANA, status, flag, closed, "2024-02-10 08:00"


def changes(*steps: tuple[str, str, str | None, str | None]) -> list[Any]:
    rows = [(f"h{i}", "C", f"2024-01-{moment}", *rest) for i, (moment, *rest) in enumerate(steps)]
    return [HISTORY, *rows]


def test_closed_reopened_closed(extract: Extract) -> None:
    log = extract(
        "case",
        {
            "Case": [CASE, case("Closed", closed="2024-01-07 09:00", flag=True)],
            "CaseStatus": STATUS,
            "CaseHistory": changes(
                ("01 09:00", "created", None, None),
                ("02 09:00", "Status", "New", "On Hold"),
                ("03 09:00", "Status", "On Hold", "Working"),
                ("04 09:00", "Status", "Working", "Solved"),
                ("04 09:00", "closed", None, None),
                ("05 09:00", "Status", "Solved", "Closed"),
                ("06 09:00", "Status", "Closed", "Working"),
                ("07 09:00", "Status", "Working", "Closed"),
            ),
        },
    )
    assert log.rows("C", "direction", "rank", "source_id") == [
        ("2024-01-01 09:00", "Create Case", None, 0, "C"),
        ("2024-01-02 09:00", "Status: On Hold", 2, 200, "h1"),
        ("2024-01-03 09:00", "Status: Working", -1, 200, "h2"),
        ("2024-01-04 09:00", "Close Case", None, 250, "h3"),
        ("2024-01-05 09:00", "Status: Closed", None, 200, "h5"),
        ("2024-01-06 09:00", "Reopen Case", None, 200, "h6"),
        ("2024-01-07 09:00", "Close Case", None, 250, "h7"),
    ]


def test_without_status_history_the_closing_date_of_the_record_counts(extract: Extract) -> None:
    log = extract("case", {"Case": [CASE, case("Erledigt", closed="2024-01-07 09:00", flag=True)]})
    assert log.rows("C", "date_only", "source_id") == [
        ("2024-01-01 09:00", "Create Case", False, "C"),
        ("2024-01-07 09:00", "Close Case", False, "C"),
    ]


def test_without_status_history_the_mark_of_closing_counts_before_the_record(extract: Extract) -> None:
    log = extract(
        "case",
        {
            "Case": [CASE, case("Closed", closed="2024-01-07 09:00", flag=True)],
            "CaseStatus": STATUS,
            "CaseHistory": changes(("05 09:00", "closed", None, None)),
        },
    )
    assert log.rows("C", "source_id")[1:] == [("2024-01-05 09:00", "Close Case", "h0")]


def test_a_closed_case_without_any_date_is_bounded_by_its_last_modification(extract: Extract) -> None:
    log = extract("case", {"Case": [CASE, case("Closed")], "CaseStatus": STATUS})
    assert log.rows("C", "date_only") == [
        ("2024-01-01 09:00", "Create Case", False),
        ("2024-02-10 08:00", "Close Case", True),
    ]


def test_created_closed_then_reopened(extract: Extract) -> None:
    log = extract(
        "case",
        {
            "Case": [f"{CASE} IsClosedOnCreate", (*case("Working"), True)],
            "CaseStatus": STATUS,
            "CaseHistory": changes(("03 09:00", "Status", "Closed", "Working")),
        },
    )
    assert log.trace("C") == [
        ("2024-01-01 09:00", "Create Case"),
        ("2024-01-01 09:00", "Close Case"),
        ("2024-01-03 09:00", "Reopen Case"),
    ]


def test_a_reopening_whose_closing_is_older_than_the_history_invents_no_closing(extract: Extract) -> None:
    log = extract(
        "case",
        {
            "Case": [CASE, case("Working")],
            "CaseStatus": STATUS,
            "CaseHistory": changes(("03 09:00", "Status", "Closed", "Working")),
        },
    )
    assert log.trace("C") == [("2024-01-01 09:00", "Create Case"), ("2024-01-03 09:00", "Reopen Case")]


def test_owners_escalation_and_priority(extract: Extract) -> None:
    log = extract(
        "case",
        {
            "Case": [CASE, case("Working")],
            "CaseHistory": changes(
                ("02 09:00", "Owner", "Ana", "Support"),
                ("02 09:00", "Owner", ANA, QUEUE),
                ("03 09:00", "ownerAccepted", QUEUE, ANA),
                ("04 09:00", "ownerEscalated", ANA, ROBOT),
                ("04 09:00", "IsEscalated", "false", "true"),
                ("05 09:00", "IsEscalated", "true", "false"),
                ("06 09:00", "Priority", "Low", "High"),
                ("07 09:00", "Priority", "High", "Medium"),
                ("08 09:00", "Priority", "Medium", "Dringend"),
                ("09 09:00", "Product", "Basic", "Pro"),
                ("09 09:00", "Product", "01t000000000001AAA", "01t000000000002AAA"),
            ),
        },
    )
    assert log.rows("C", "direction", "source_id")[1:] == [
        ("2024-01-02 09:00", "Assign to Queue", None, "h1"),
        ("2024-01-03 09:00", "Accept from Queue", None, "h2"),
        ("2024-01-04 09:00", "Escalate Owner", None, "h3"),
        ("2024-01-04 09:00", "Escalate Case", None, "h4"),
        ("2024-01-05 09:00", "De-escalate Case", None, "h5"),
        ("2024-01-06 09:00", "Raise Priority", 1, "h6"),
        ("2024-01-07 09:00", "Lower Priority", -1, "h7"),
        ("2024-01-08 09:00", "Change Priority", None, "h8"),
        ("2024-01-09 09:00", "Change: Product", None, "h10"),
    ]


def test_the_first_answer_is_by_staff_and_public(extract: Extract) -> None:
    log = extract(
        "case",
        {
            "Case": [CASE, case("Working")],
            "User": [
                "Id Name UserType",
                (ANA, "Ana", "Standard"),
                (ROBOT, "Robot", "AutomatedProcess"),
                (GUEST, "Guest", "CspLitePortal"),
            ],
            "EmailMessage": [
                "Id ParentId CreatedDate CreatedById Incoming Status ActivityId",
                ("m1", "C", "2024-01-01 09:01", ROBOT, False, "3", None),
                ("m2", "C", "2024-01-01 10:00", ROBOT, True, "0", None),
                ("m3", "C", "2024-01-02 09:00", ANA, False, "5", None),
                ("m4", "C", "2024-01-04 09:00", ANA, False, "3", "t1"),
                ("m5", "X", "2024-01-02 09:00", ANA, False, "3", None),
            ],
            "CaseComment": [
                "Id ParentId CreatedDate CreatedById IsPublished",
                ("k1", "C", "2024-01-02 10:00", ANA, False),
                ("k2", "C", "2024-01-02 11:00", GUEST, True),
                ("k3", "C", "2024-01-03 09:00", ANA, True),
            ],
            "Task": [
                "Id WhatId CreatedDate IsClosed TaskSubtype",
                ("t1", "C", "2024-01-04 09:00", True, "Email"),
                ("t2", "C", "2024-01-05 09:00", True, "Call"),
            ],
        },
    )  # fmt: skip
    assert log.rows("C", "source_id")[1:] == [
        ("2024-01-01 10:00", "Receive Email", "m2"),
        ("2024-01-02 11:00", "Receive Comment", "k2"),
        ("2024-01-03 09:00", "First Response", "k3"),
        ("2024-01-04 09:00", "Reply", "m4"),
        ("2024-01-05 09:00", "Call", "t2"),
    ]


@pytest.mark.parametrize(
    ("completed", "done", "expected"),
    [
        ("2024-01-02 09:00", True, [("2024-01-02 09:00", "Complete Milestone")]),
        (
            "2024-01-04 09:00",
            True,
            [("2024-01-03 09:00", "Violate Milestone"), ("2024-01-04 09:00", "Complete Milestone")],
        ),
        (None, False, [("2024-01-03 09:00", "Violate Milestone")]),
    ],
)
def test_milestones_are_violated_at_their_target_whatever_the_flag_says(
    extract: Extract, completed: str | None, expected: list[tuple[str, str]], *, done: bool
) -> None:
    log = extract(
        "case",
        {
            "Case": [CASE, case("Working")],
            "MilestoneType": ["Id Name", ("T", "First Response")],
            "CaseMilestone": [
                "Id CaseId StartDate TargetDate CompletionDate IsCompleted IsViolated MilestoneTypeId",
                ("m", "C", "2024-01-01 09:00", "2024-01-03 09:00", completed, done, False, "T"),
            ],
        },
    )  # fmt: skip
    assert log.trace("C") == [
        ("2024-01-01 09:00", "Create Case"), ("2024-01-01 09:00", "Start Milestone"), *expected,
    ]  # fmt: skip
    assert set(log.events.filter(source_id="m")["new_value"]) == {"First Response"}


def test_solutions_are_attached(extract: Extract) -> None:
    log = extract(
        "case",
        {
            "Case": [CASE, case("Working")],
            "Solution": ["Id SolutionName", ("S", "Restart it")],
            "CaseSolution": ["Id CaseId SolutionId CreatedDate", ("l", "C", "S", "2024-01-02 09:00")],
        },
    )
    assert log.rows("C", "source_id", "new_value")[1:] == [
        ("2024-01-02 09:00", "Attach Solution", "l", "Restart it")
    ]


def test_cases_take_product_and_country_from_the_tables_around(extract: Extract) -> None:
    log = extract(
        "case",
        {
            "Case": [
                "Id CreatedDate Origin Priority Type ProductId AccountId OwnerId",
                ("C", "2024-01-01 09:00", "Web", "High", "Question", "P", "A", QUEUE),
            ],
            "Group": ["Id Name Type", (QUEUE, "Support", "Queue")],
            "Product2": ["Id Name", ("P", "Pro")],
            "Account": ["Id Name Industry BillingCountryCode", ("A", "Acme", "Energy", "ES")],
        },
    )
    header = "owner queue region source priority type product account industry country"
    assert log.attributes(header) == [
        ("Support", "Support", None, "Web", "High", "Question", "Pro", "Acme", "Energy", "ES")
    ]

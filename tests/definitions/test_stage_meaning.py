"""What a stage or status means: stated lists of every process at once, and values nobody explains."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from crmmining import connect

Extract = Callable[..., Any]
STATED = [  # the same words in every process, each time with another meaning
    "root value position is_closed is_won",
    ("Lead", "Neu", 0, False, False), ("Lead", "Gut", 1, True, True), ("Lead", "Alt", 2, True, False),
    ("Opportunity", "Neu", 0, True, False), ("Opportunity", "Gut", 1, False, False),
    ("Opportunity", "Alt", 2, True, True),
    ("Case", "Neu", 0, False, False), ("Case", "Gut", 1, True, True), ("Case", "Alt", 2, False, False),
]  # fmt: skip
RECORDS = {
    "stages": STATED,
    "Account": ["Id CreatedDate", ("A", "2024-01-01 08:00")],
    "Lead": [
        "Id CreatedDate Status IsConverted ConvertedDate ConvertedOpportunityId",
        ("L", "2024-01-01 09:00", "Gut", True, "2024-01-01", "O"),
        ("M", "2024-01-01 09:00", "Alt", False, None, None),
    ],
    "LeadHistory": [
        "Id LeadId CreatedDate Field OldValue NewValue",
        ("l1", "M", "2024-01-02 09:00", "Status", "Neu", "Alt"),
    ],
    "OpportunityStage": [
        "Id ApiName SortOrder IsClosed IsWon", ("1", "Alt", 1, False, False), ("2", "Gut", 2, True, True),
    ],
    "Opportunity": ["Id AccountId CreatedDate StageName", ("O", "A", "2024-01-01 09:30", "Alt")],
    "OpportunityFieldHistory": [
        "Id OpportunityId CreatedDate Field OldValue NewValue",
        ("o1", "O", "2024-01-03 09:00", "StageName", "Gut", "Neu"),
        ("o2", "O", "2024-01-04 09:00", "StageName", "Neu", "Gut"),
        ("o3", "O", "2024-01-05 09:00", "StageName", "Gut", "Alt"),
    ],
    "CaseStatus": ["Id ApiName SortOrder IsClosed", ("1", "Alt", 1, True), ("2", "Gut", 2, False)],
    "Case": ["Id AccountId CreatedDate Status", ("C", "A", "2024-01-01 10:00", "Gut")],
    "CaseHistory": [
        "Id CaseId CreatedDate Field OldValue NewValue",
        ("c1", "C", "2024-01-02 10:00", "Status", "Neu", "Alt"),
        ("c2", "C", "2024-01-03 10:00", "Status", "Alt", "Gut"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("process", "record", "told"),
    [
        (
            "opportunity",
            "O",
            [
                ("2024-01-01 09:00", "Create Lead"),
                ("2024-01-01 09:30", "Create Opportunity"),
                ("2024-01-01 09:30", "Convert Lead"),
                ("2024-01-03 09:00", "Lose Opportunity"),
                ("2024-01-04 09:00", "Reopen Opportunity"),
                ("2024-01-05 09:00", "Win Opportunity"),
            ],
        ),
        (
            "lead",
            "L",
            [
                ("2024-01-01 09:00", "Create Lead"),
                ("2024-01-01 09:30", "Create Opportunity"),
                ("2024-01-01 09:30", "Convert Lead"),  # dated by the opportunity it made
                ("2024-01-03 09:00", "Lose Opportunity"),
                ("2024-01-05 09:00", "Win Opportunity"),
            ],
        ),
        ("lead", "M", [("2024-01-01 09:00", "Create Lead"), ("2024-01-02 09:00", "Disqualify Lead")]),
        (
            "case",
            "C",
            [
                ("2024-01-01 10:00", "Create Case"),
                ("2024-01-02 10:00", "Status: Alt"),
                ("2024-01-03 10:00", "Close Case"),
            ],
        ),
        (
            "account",
            "A",
            [
                ("2024-01-01 08:00", "Create Account"),
                ("2024-01-01 09:30", "Create Opportunity"),
                ("2024-01-01 10:00", "Open Case"),
                ("2024-01-03 09:00", "Lose Opportunity"),
                ("2024-01-03 10:00", "Close Case"),
                ("2024-01-04 09:00", "Reopen Opportunity"),
                ("2024-01-05 09:00", "Win Opportunity"),
            ],
        ),
    ],
)
def test_every_process_goes_by_its_own_stated_list(
    extract: Extract, process: str, record: str, told: list[tuple[str, str]]
) -> None:
    assert extract(process, RECORDS).trace(record) == told


def test_a_list_stated_for_one_process_leaves_the_others_to_the_crm(extract: Extract) -> None:
    ours = [STATED[0], *(row for row in STATED[1:] if row[0] == "Case")]
    log = extract("opportunity", {**RECORDS, "stages": ours})
    assert log.trace("O")[3:] == [
        # by OpportunityStage Gut is won, Alt is open, Neu is not known
        ("2024-01-03 09:00", "Reopen Opportunity"),
        ("2024-01-04 09:00", "Win Opportunity"),
        ("2024-01-05 09:00", "Reopen Opportunity"),
    ]


STATUS = [
    "Id ApiName SortOrder IsClosed",
    ("1", "New", 1, False),
    ("2", "Working", 2, False),
    ("3", "Closed", 3, True),
]
LEGACY = [
    ("2024-01-02 09:00", "Status", "New", "Closed"),
    ("2024-01-03 09:00", "Status", "Closed", "Legacy Open"),
    ("2024-01-04 09:00", "Status", "Legacy Open", "Working"),
]  # fmt: skip


@pytest.mark.parametrize("process", ["case", "account"])
def test_a_case_that_leaves_closed_for_an_unknown_status_is_reopened_once(
    extract: Extract, process: str
) -> None:
    log = extract(
        process,
        {
            "Account": ["Id CreatedDate", ("A", "2023-12-31 09:00")],
            "CaseStatus": STATUS,
            "Case": ["Id AccountId CreatedDate Status", ("C", "A", "2024-01-01 09:00", "Working")],
            "CaseHistory": [
                "Id CaseId CreatedDate Field OldValue NewValue",
                *((f"h{i}", "C", *row) for i, row in enumerate(LEGACY)),
            ],
        },
    )
    moves = [event for event in log.trace("C" if process == "case" else "A") if event[0] >= "2024-01-02"]
    assert moves == [
        ("2024-01-02 09:00", "Close Case"),
        ("2024-01-03 09:00", "Reopen Case"),
        *([("2024-01-04 09:00", "Status: Working")] if process == "case" else []),
    ]


def test_an_opportunity_that_leaves_closed_for_an_unknown_stage_is_reopened_once(extract: Extract) -> None:
    log = extract(
        "opportunity",
        {
            "OpportunityStage": [
                "Id ApiName SortOrder IsClosed IsWon",
                ("1", "New", 1, False, False), ("2", "Working", 2, False, False),
                ("3", "Closed", 3, True, False),
            ],
            "Opportunity": ["Id CreatedDate StageName", ("O", "2024-01-01 09:00", "Closed")],
            "OpportunityFieldHistory": [
                "Id OpportunityId CreatedDate Field OldValue NewValue",
                *((f"h{i}", "O", when, "StageName", *rest) for i, (when, _, *rest) in enumerate(LEGACY)),
                ("h3", "O", "2024-01-05 09:00", "StageName", "Working", "Closed"),
            ],
        },
    )  # fmt: skip
    assert log.trace("O")[1:] == [
        ("2024-01-02 09:00", "Lose Opportunity"),
        ("2024-01-03 09:00", "Reopen Opportunity"),
        ("2024-01-04 09:00", "Stage: Working"),
        ("2024-01-05 09:00", "Lose Opportunity"),
    ]


def test_a_lead_that_leaves_lost_for_an_unknown_status_is_recycled_once(extract: Extract) -> None:
    log = extract(
        "lead",
        {
            "LeadStatus": [
                "Id ApiName SortOrder IsConverted",
                ("1", "New", 1, False), ("2", "Working", 2, False), ("3", "Closed", 3, False),
            ],
            "Lead": ["Id CreatedDate Status", ("L", "2024-01-01 09:00", "Working")],
            "LeadHistory": [
                "Id LeadId CreatedDate Field OldValue NewValue",
                *((f"h{i}", "L", *row) for i, row in enumerate(LEGACY)),
            ],
        },
    )  # fmt: skip
    assert log.trace("L")[1:] == [
        ("2024-01-02 09:00", "Disqualify Lead"),
        ("2024-01-03 09:00", "Recycle Lead"),
        ("2024-01-04 09:00", "Status: Working"),
    ]


def test_a_case_in_an_unknown_status_after_its_closing_is_backlog() -> None:
    with duckdb.connect() as database:
        database.execute(
            """
            CREATE TABLE "Case" AS SELECT '500000000000001AAA' AS Id,
                TIMESTAMPTZ '2024-01-01 09:00Z' AS CreatedDate, 'Working' AS Status, FALSE AS IsClosed;
            CREATE TABLE CaseStatus AS SELECT * FROM (VALUES ('01J000000000001AAA', 'New', FALSE),
                ('01J000000000002AAA', 'Working', FALSE), ('01J000000000003AAA', 'Closed', TRUE))
                AS row(Id, ApiName, IsClosed);
            CREATE TABLE CaseHistory AS SELECT '500000000000001AAA' AS CaseId, * FROM (VALUES
                ('017000000000001AAA', TIMESTAMPTZ '2024-01-02 09:00Z', 'Status', 'New', 'Closed'),
                ('017000000000002AAA', TIMESTAMPTZ '2024-01-03 09:00Z', 'Status', 'Closed', 'Legacy Open'),
                ('017000000000003AAA', TIMESTAMPTZ '2024-01-04 09:00Z', 'Status', 'Legacy Open', 'Working'))
                AS row(Id, CreatedDate, Field, OldValue, NewValue)
            """
        )
        crm = connect(database)
    rows = crm.scorecard("case", period="day", kpis=["case_backlog"])
    assert rows["value"].to_list() == [1, 0, 1, 1]
    assert crm.clock == datetime(2024, 1, 4, 9, tzinfo=UTC)


def test_stated_lists_of_two_processes_reach_the_account_through_the_engine(tmp_path: Path) -> None:
    folder = tmp_path / "salesforce"
    folder.mkdir()
    (folder / "opportunity.toml").write_text('[stages]\nopen = ["Gut"]\nwon = ["Alt"]\nlost = ["Neu"]\n')
    (folder / "case.toml").write_text('[stages]\nopen = ["Neu", "Alt"]\nwon = ["Gut"]\n')
    with duckdb.connect() as database:
        database.execute(
            """
            CREATE TABLE Account AS SELECT '001000000000001AAA' AS Id,
                TIMESTAMPTZ '2024-01-01 08:00Z' AS CreatedDate;
            CREATE TABLE Opportunity AS SELECT '006000000000001AAA' AS Id, '001000000000001AAA' AS AccountId,
                TIMESTAMPTZ '2024-01-01 09:00Z' AS CreatedDate, 'Alt' AS StageName;
            CREATE TABLE OpportunityFieldHistory AS SELECT '017000000000001AAA' AS Id, 'StageName' AS Field,
                '006000000000001AAA' AS OpportunityId, TIMESTAMPTZ '2024-01-03 09:00Z' AS CreatedDate,
                'Gut' AS OldValue, 'Alt' AS NewValue;
            """
        )
        crm = connect(database, extractors=[tmp_path])
    for process in ("account", "opportunity"):
        events = crm.event_log(process).events.filter(source_id="017000000000001AAA")
        assert events["activity"].to_list() == ["Win Opportunity"]

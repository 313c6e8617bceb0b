"""Snapshots and field history of one opportunity: what was before tracking began, and each change once."""

from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Extracted

Extract = Callable[..., Extracted]
NO_SAVES = "Id OpportunityId CreatedDate StageName"
HISTORY = "Id OpportunityId CreatedDate Field OldValue NewValue"
STAGES = [
    "Id ApiName SortOrder IsClosed IsWon",
    ("1", "Prospecting", 1, False, False), ("2", "Qualification", 2, False, False),
    ("3", "Proposal", 3, False, False), ("4", "Closed Won", 4, True, True),
    ("5", "Closed Lost", 5, True, False),
]  # fmt: skip
FIVE_SAVES = [
    "Id OpportunityId CreatedDate StageName Amount CloseDate",
    ("s1", "O", "2024-01-01 09:00", "Prospecting", 100.0, "2024-03-01"),
    ("s2", "O", "2024-01-02 09:00", "Proposal", 120.0, "2024-03-01"),
    ("s3", "O", "2024-01-03 09:00", "Qualification", 120.0, "2024-04-01"),
    ("s4", "O", "2024-01-04 09:00", "Proposal", 90.0, "2024-05-01"),
    ("s5", "O", "2024-01-05 09:00:00", "Closed Won", 90.0, "2024-01-05"),
]


def tables(*history: tuple[Any, ...], saves: list[Any] = FIVE_SAVES) -> dict[str, list[Any]]:
    return {
        "Account": ["Id CreatedDate", ("A", "2024-01-01 08:00")],
        "Lead": [
            "Id CreatedDate IsConverted ConvertedDate ConvertedOpportunityId",
            ("L", "2023-12-01 09:00", True, "2024-01-01", "O"),
        ],
        "OpportunityStage": STAGES,
        "Opportunity": [
            "Id AccountId CreatedDate StageName CloseDate",
            ("O", "A", "2024-01-01 09:00", "Closed Won", "2024-01-05"),
        ],
        "OpportunityHistory": saves,
        "OpportunityFieldHistory": [HISTORY, *history],
    }


LATE = ("h1", "O", "2024-01-05 09:00:00.400", "StageName", "Proposal", "Closed Won")


def stages_of(log: Extracted) -> list[tuple[Any, ...]]:
    moves = ("Stage", "Win", "Lose", "Reopen")
    return [row for row in log.rows("O", "source_id", "direction") if row[1].startswith(moves)]


def test_snapshots_tell_the_stages_before_the_first_row_of_field_history(extract: Extract) -> None:
    log = extract("opportunity", tables(LATE))
    assert stages_of(log) == [
        ("2024-01-02 09:00", "Stage: Proposal", "s2", 2),
        ("2024-01-03 09:00", "Stage: Qualification", "s3", -1),
        ("2024-01-04 09:00", "Stage: Proposal", "s4", 1),
        ("2024-01-05 09:00", "Win Opportunity", "h1", None),
    ]


def test_snapshots_tell_what_field_history_missed(extract: Extract) -> None:
    log = extract(
        "opportunity", tables(("h0", "O", "2024-01-03 09:00", "StageName", "Proposal", "Qualification"))
    )
    assert stages_of(log) == [
        ("2024-01-02 09:00", "Stage: Proposal", "s2", 2),
        ("2024-01-03 09:00", "Stage: Qualification", "h0", -1),
        ("2024-01-04 09:00", "Stage: Proposal", "s4", 1),
        ("2024-01-05 09:00", "Win Opportunity", "s5", None),
    ]


def test_a_snapshot_within_five_seconds_is_the_same_save(extract: Extract) -> None:
    saves = [*FIVE_SAVES[:2], ("s2", "O", "2024-01-02 09:00:05", "Proposal", 100.0, "2024-03-01")]
    row = ("h0", "O", "2024-01-02 09:00:00", "StageName", "Prospecting", "Proposal")
    log = extract("opportunity", tables(row, saves=saves))
    assert stages_of(log) == [("2024-01-02 09:00", "Stage: Proposal", "h0", 2)]


def test_amount_and_close_date_are_told_field_by_field(extract: Extract) -> None:
    log = extract(
        "opportunity",
        tables(
            ("h1", "O", "2024-01-04 09:00", "Amount", "120", "90"),
            ("h2", "O", "2024-01-05 09:00", "CloseDate", "2024-05-01", "2024-01-05"),
        ),
    )
    told = [row for row in log.rows("O", "source_id") if "Amount" in row[1] or "Close Date" in row[1]]
    assert told == [
        ("2024-01-02 09:00", "Raise Amount", "s2"),
        ("2024-01-03 09:00", "Push Close Date", "s3"),
        ("2024-01-04 09:00", "Lower Amount", "h1"),
        ("2024-01-04 09:00", "Push Close Date", "s4"),
        ("2024-01-05 09:00", "Pull Close Date", "h2"),
    ]


LOST_AND_BACK = [
    FIVE_SAVES[0],
    ("s1", "O", "2024-01-01 09:00", "Closed Lost", 100.0, "2024-03-01"),
    ("s2", "O", "2024-01-02 09:00", "Proposal", 100.0, "2024-03-01"),
    ("s3", "O", "2024-01-03 09:00", "Closed Lost", 100.0, "2024-03-01"),
    ("s4", "O", "2024-01-04 09:00", "Proposal", 100.0, "2024-03-01"),
]
ENDS = [
    ("2024-01-01 09:00", "Lose Opportunity", "s1"),
    ("2024-01-03 09:00", "Lose Opportunity", "s3"),
    ("2024-01-05 09:00", "Win Opportunity", "h1"),
]


@pytest.mark.parametrize(("process", "record"), [("opportunity", "O"), ("account", "A"), ("lead", "L")])
def test_every_process_tells_the_same_endings(extract: Extract, process: str, record: str) -> None:
    log = extract(process, tables(LATE, saves=LOST_AND_BACK))
    rows = log.rows(record, "source_id")
    assert [row for row in rows if row[1] in ("Win Opportunity", "Lose Opportunity")] == ENDS


@pytest.mark.parametrize(
    ("old", "new", "activity"),
    [
        ("1,000.00", "1,200.00", "Change: Amount"),
        ("1,000.00", "900", "Change: Amount"),
        ("900", "EUR 1000", "Change: Amount"),
        (None, "1,000.00", "Change: Amount"),
        ("1,000.00", None, "Change: Amount"),
        (None, "1000", "Raise Amount"),
        ("1000", None, "Lower Amount"),
        ("1000", "1000.00", None),
        (None, "0", None),
        ("1,000.00", "1,000.00", None),
    ],
)
def test_an_amount_that_reads_as_no_number_changes_without_a_direction(
    extract: Extract, old: str | None, new: str | None, activity: str | None
) -> None:
    log = extract(
        "opportunity", tables(("h1", "O", "2024-01-02 09:00", "Amount", old, new), saves=[NO_SAVES])
    )
    told = log.events.filter(source_id="h1").select("activity", "old_value", "new_value").rows()
    assert told == ([] if activity is None else [(activity, old, new)])

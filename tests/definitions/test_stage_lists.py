"""Stated lists of stages per record type and time: what TOML says, and what it does to moves."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from crmmining import DefinitionError
from crmmining.definitions import read_catalogue

from .conftest import Extracted

Extract = Callable[..., Extracted]
RENEWAL, FRESH = "012000000000001AAA", "012000000000002AAA"
TYPES = [
    "Id Name DeveloperName SobjectType",
    (RENEWAL, "Renewals", "Renewal", "Opportunity"), (FRESH, "New business", "Fresh", "Opportunity"),
]  # fmt: skip
OWN = [
    "ApiName SortOrder IsActive IsClosed IsWon",
    ("A", 10, True, False, False), ("B", 20, True, False, False), ("C", 30, True, False, False),
    ("Won", 40, True, True, True), ("Lost", 50, True, True, False),
]  # fmt: skip
LISTS = [
    "root record_type since until value position is_closed is_won",
    *(("Opportunity", "Renewal", "2024-02-01", "2024-03-01", *row) for row in [
        ("C", 0, False, False), ("B", 1, False, False), ("A", 2, False, False), ("Won", 3, True, False),
    ]),
]  # fmt: skip
HISTORY = "Id OpportunityId CreatedDate Field OldValue NewValue"


def deal(record_type: str | None) -> list[Any]:
    return ["Id CreatedDate StageName RecordTypeId", ("O", "2024-01-01 09:00", "A", record_type)]


def moves(log: Extracted) -> list[tuple[Any, ...]]:
    return [
        row[1:] for row in log.rows("O", "source_id", "direction", "delta") if row[1] != "Create Opportunity"
    ]


def test_a_list_holds_for_its_record_type_and_its_days(extract: Extract) -> None:
    changed = [
        HISTORY,
        ("h1", "O", "2024-01-31 23:59", "StageName", "A", "B"),  # not yet
        ("h2", "O", "2024-02-01 00:00", "StageName", "B", "A"),  # forward by the list of February
        ("h3", "O", "2024-02-02 09:00", "StageName", "A", "C"),
        ("h4", "O", "2024-02-03 09:00", "StageName", "C", "Won"),  # which calls this lost
        ("h5", "O", "2024-02-04 09:00", "StageName", "Won", "B"),
        ("h6", "O", "2024-02-05 09:00", "StageName", "B", "Lost"),  # not in the list: by OpportunityStage
        ("h7", "O", "2024-03-01 00:00", "StageName", "Lost", "C"),
        ("h8", "O", "2024-03-01 00:01", "StageName", "C", "B"),  # no longer
        ("h9", "O", "2024-03-02 09:00", "StageName", "B", "Won"),
    ]
    log = extract(
        "opportunity",
        {
            "RecordType": TYPES,
            "OpportunityStage": OWN,
            "stages": LISTS,
            "Opportunity": deal(RENEWAL),
            "OpportunityFieldHistory": changed,
        },
    )
    assert moves(log) == [
        ("Stage: B", "h1", 1, 1.0),
        ("Stage: A", "h2", 1, 1.0),
        ("Stage: C", "h3", -1, -2.0),
        ("Lose Opportunity", "h4", None, None),
        ("Reopen Opportunity", "h5", None, None),
        ("Lose Opportunity", "h6", None, None),
        ("Reopen Opportunity", "h7", None, None),
        ("Stage: B", "h8", -1, -1.0),
        ("Win Opportunity", "h9", None, None),
    ]


@pytest.mark.parametrize(
    ("record_type", "direction"), [(RENEWAL, -1), (FRESH, 2), (None, 2), ("012000000000009AAA", 2)]
)
def test_other_record_types_go_by_the_list_for_all(
    extract: Extract, record_type: str | None, direction: int
) -> None:
    log = extract(
        "opportunity",
        {
            "RecordType": TYPES,
            "OpportunityStage": OWN,
            "stages": LISTS,
            "Opportunity": deal(record_type),
            "OpportunityFieldHistory": [HISTORY, ("h1", "O", "2024-02-02 09:00", "StageName", "A", "C")],
        },
    )
    assert moves(log) == [("Stage: C", "h1", direction, 2.0 * (1 if direction > 0 else -1))]


@pytest.mark.parametrize(("old", "new"), [(FRESH, RENEWAL), ("New business", "Renewals")])
def test_the_record_type_is_the_one_of_the_moment(extract: Extract, old: str, new: str) -> None:
    changed = [
        HISTORY,
        ("h1", "O", "2024-02-02 09:00", "StageName", "A", "B"),
        ("h2", "O", "2024-02-03 09:00", "RecordType", old, new),
        ("h3", "O", "2024-02-03 09:00", "StageName", "B", "C"),  # of one save: two orders, no direction
        ("h4", "O", "2024-02-04 09:00", "StageName", "C", "B"),
    ]
    log = extract(
        "opportunity",
        {
            "RecordType": TYPES,
            "OpportunityStage": OWN,
            "stages": LISTS,
            "Opportunity": deal(RENEWAL),
            "OpportunityFieldHistory": changed,
        },
    )
    assert [row for row in moves(log) if row[0].startswith("Stage")] == [
        ("Stage: B", "h1", 1, 1.0),
        ("Stage: C", "h3", None, None),
        ("Stage: B", "h4", 1, 1.0),
    ]


def test_an_order_says_whether_it_is_stated_or_todays(
    extract: Extract, connection: duckdb.DuckDBPyConnection
) -> None:
    extract("opportunity", {"RecordType": TYPES, "OpportunityStage": OWN, "stages": LISTS})
    rows = connection.sql(
        "SELECT record_type, order_basis, string_agg(value, ' ' ORDER BY position) FROM stage_meaning "
        "WHERE root = 'Opportunity' AND NOT is_closed AND TIMESTAMPTZ '2024-02-15' BETWEEN since AND until "
        "GROUP BY ALL ORDER BY ALL"
    )
    assert rows.fetchall() == [
        ("", "today", "A B C"),
        ("Fresh", "today", "A B C"),
        ("Renewal", "stated", "C B A"),
    ]


def test_days_of_a_list_are_the_orgs(extract: Extract) -> None:
    log = extract(
        "opportunity",
        {
            "RecordType": TYPES,
            "OpportunityStage": OWN,
            "stages": LISTS,
            "Opportunity": deal(RENEWAL),
            "OpportunityFieldHistory": [
                HISTORY,
                ("h1", "O", "2024-01-31 14:59", "StageName", "A", "B"),
                ("h2", "O", "2024-01-31 15:00", "StageName", "B", "C"),  # midnight in Tokyo
            ],
        },
        zone="Asia/Tokyo",
    )
    assert moves(log) == [("Stage: B", "h1", 1, 1.0), ("Stage: C", "h2", -1, -1.0)]


@pytest.mark.parametrize(
    ("stage", "flags", "activity"),
    [
        (None, (True, None), "Close Opportunity"),
        (None, (True, True), "Win Opportunity"),
        (None, (True, False), "Lose Opportunity"),
        (("Ende", 9, True, True, None), (True, None), "Close Opportunity"),
        (("Ende", 9, True, None, None), (True, True), "Win Opportunity"),
    ],
)
def test_a_closing_that_nothing_calls_won_or_lost_is_neither(
    extract: Extract, stage: tuple[Any, ...] | None, flags: tuple[bool | None, ...], activity: str
) -> None:
    log = extract(
        "opportunity",
        {
            "OpportunityStage": [OWN[0], *([stage] if stage else [])],
            "Opportunity": [
                "Id CreatedDate StageName IsClosed IsWon",
                ("O", "2024-01-01 09:00", "Ende", *flags),
            ],
            "OpportunityFieldHistory": [HISTORY, ("h1", "O", "2024-02-02 09:00", "StageName", "A", "Ende")],
        },
    )
    assert moves(log) == [(activity, "h1", None, None)]


def test_every_closing_is_an_event(extract: Extract) -> None:
    changed = [
        HISTORY,
        ("h1", "O", "2024-01-02 09:00", "StageName", "Won", "B"),
        ("h2", "O", "2024-01-03 09:00", "StageName", "B", "Lost"),
        ("h3", "O", "2024-01-04 09:00", "StageName", "Lost", "A"),
        ("h4", "O", "2024-01-05 09:00", "StageName", "A", "Lost"),
        ("h5", "O", "2024-01-06 09:00", "StageName", "Lost", "Won"),
        ("h6", "O", "2024-01-07 09:00", "created", None, None),
    ]
    log = extract(
        "opportunity",
        {"OpportunityStage": OWN, "Opportunity": deal(None), "OpportunityFieldHistory": changed},
    )
    assert log.rows("O", "source_table", "source_id", "rank")[1:] == [
        ("2024-01-01 09:00", "Win Opportunity", "Opportunity", "O", 250),
        ("2024-01-02 09:00", "Reopen Opportunity", "OpportunityFieldHistory", "h1", 200),
        ("2024-01-03 09:00", "Lose Opportunity", "OpportunityFieldHistory", "h2", 200),
        ("2024-01-04 09:00", "Reopen Opportunity", "OpportunityFieldHistory", "h3", 200),
        ("2024-01-05 09:00", "Lose Opportunity", "OpportunityFieldHistory", "h4", 200),
        ("2024-01-06 09:00", "Win Opportunity", "OpportunityFieldHistory", "h5", 200),
    ]


def overlay(folder: Path, text: str) -> Path:
    (folder / "salesforce").mkdir()
    (folder / "salesforce" / "opportunity.toml").write_text(text)
    return folder


def test_lists_are_read_from_toml(tmp_path: Path) -> None:
    text = """
        [stages]
        open = ["A", "B"]
        won = ["Won"]
        [[stages.lists]]
        record_type = "Renewal"
        until = 2024-02-01
        open = ["B"]
        lost = ["Gone"]
        [[stages.lists]]
        record_type = "Renewal"
        since = 2024-02-01
        open = ["C"]
    """
    catalogue = read_catalogue(extractors=[overlay(tmp_path, text)])
    day = date(2024, 2, 1)
    assert catalogue.stages.rows() == [
        ("Opportunity", None, None, None, "A", 0, False, False),
        ("Opportunity", None, None, None, "B", 1, False, False),
        ("Opportunity", None, None, None, "Won", 2, True, True),
        ("Opportunity", "Renewal", None, day, "B", 0, False, False),
        ("Opportunity", "Renewal", None, day, "Gone", 1, True, False),
        ("Opportunity", "Renewal", day, None, "C", 0, False, False),
    ]
    assert set(catalogue.process("account").stated) == {"Opportunity"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            'stages.lists = [{record_type="R", open=["A"]}, {record_type="R", since=2024-02-01, open=["B"]}]',
            "two lists for record type 'R' hold at once, from 2024-02-01",
        ),
        (
            '[stages]\nopen = ["A"]\n[[stages.lists]]\nopen = ["B"]\n',
            "two lists for all record types hold at once, from the beginning",
        ),
        ('[[stages.lists]]\nopen = ["A"]\nlost = ["A"]\n', "stated more than once: A"),
        ('[[stages.lists]]\nrecord_type = "R"\n', "names no value under open, won or lost"),
        (
            '[[stages.lists]]\nsince = 2024-02-01\nuntil = 2024-02-01\nopen = ["A"]\n',
            "since 2024-02-01 does not lie before until 2024-02-01",
        ),
    ],
)
def test_lists_that_contradict_themselves_are_refused(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        read_catalogue(extractors=[overlay(tmp_path, text)])
    assert fault in str(caught.value)

"""Opportunities by hand: two histories, or one, or none, and the events they tell."""

from collections.abc import Callable
from typing import Any

import duckdb
import polars as pl
import pytest

Extract = Callable[[str, dict[str, list[Any]]], Any]
ANA, BEN = "005000000000001AAA", "005000000000002AAA"
OPPORTUNITY = "Id CreatedDate CreatedById StageName IsClosed IsWon CloseDate SystemModstamp"
HISTORY = "Id OpportunityId CreatedDate CreatedById Field OldValue NewValue"
SNAPSHOT = "Id OpportunityId CreatedDate StageName Amount CloseDate"
STAGES = [
    "Id ApiName SortOrder IsActive IsClosed IsWon",
    ("1", "Prospecting", 10, True, False, False), ("2", "Demo", 20, False, False, False),
    ("3", "Proposal", 30, True, False, False), ("4", "Negotiation", 40, True, False, False),
    ("5", "Won", 50, True, True, True), ("6", "Lost", 60, True, True, False),
]  # fmt: skip


def opportunity(stage: str, *, closed: bool = False, won: bool = False, name: str = "O") -> tuple[Any, ...]:
    return name, "2024-01-01 09:00", ANA, stage, closed, won, "2024-03-31", "2024-02-10 08:00"


def changes(*steps: tuple[str, str, str | None, str | None]) -> list[Any]:
    """Field history of O: day and time in January, field, old, new."""
    rows = [
        (f"h{i}", "O", f"2024-01-{moment}", BEN, field, old, new)
        for i, (moment, field, old, new) in enumerate(steps)
    ]
    return [HISTORY, *rows]


def test_stage_moves_win_lose_and_reopen_are_one_event_each(extract: Extract) -> None:
    log = extract(
        "opportunity",
        {
            "Opportunity": [OPPORTUNITY, opportunity("Won", closed=True, won=True)],
            "OpportunityStage": STAGES,
            "OpportunityFieldHistory": changes(
                ("01 09:00", "created", None, None),
                ("02 09:00", "StageName", "Prospecting", "Negotiation"),
                ("03 09:00", "StageName", "Negotiation", "Demo"),
                ("04 09:00", "StageName", "Demo", "Proposal"),
                ("05 09:00", "StageName", "Proposal", "Proposal"),
                ("06 09:00", "StageName", "Proposal", "Lost"),
                ("07 09:00", "StageName", "Lost", "Negotiation"),
                ("08 09:00", "StageName", "Negotiation", "Old name"),
                ("09 09:00", "StageName", "Old name", "Won"),
                ("10 09:00", "StageName", "Won", "Lost"),
            ),
        },
    )
    assert log.rows("O", "direction", "delta", "rank", "actor") == [
        ("2024-01-01 09:00", "Create Opportunity", None, None, 0, ANA),
        ("2024-01-02 09:00", "Stage: Negotiation", 2, 2.0, 200, BEN),
        ("2024-01-03 09:00", "Stage: Demo", -1, -1.5, 200, BEN),  # retired, between Prospecting and Proposal
        ("2024-01-04 09:00", "Stage: Proposal", 1, 0.5, 200, BEN),
        ("2024-01-06 09:00", "Lose Opportunity", None, None, 200, BEN),
        ("2024-01-07 09:00", "Reopen Opportunity", None, None, 200, BEN),
        ("2024-01-08 09:00", "Stage: Old name", None, None, 200, BEN),
        ("2024-01-09 09:00", "Win Opportunity", None, None, 200, BEN),
        ("2024-01-10 09:00", "Lose Opportunity", None, None, 200, BEN),
    ]


def test_passing_a_retired_stage_is_no_skip(extract: Extract) -> None:
    log = extract(
        "opportunity",
        {
            "Opportunity": [OPPORTUNITY, opportunity("Proposal")],
            "OpportunityStage": STAGES,
            "OpportunityFieldHistory": changes(("02 09:00", "StageName", "Prospecting", "Proposal")),
        },
    )
    assert log.rows("O", "direction")[1:] == [("2024-01-02 09:00", "Stage: Proposal", 1)]


def test_a_stated_list_of_stages_replaces_the_orgs_own(extract: Extract) -> None:
    log = extract(
        "opportunity",
        {
            "Opportunity": [OPPORTUNITY, opportunity("Ja")],
            "OpportunityStage": STAGES,
            "stages": [
                "root value position is_closed is_won",
                ("Opportunity", "Neu", 0, False, False), ("Opportunity", "Prospecting", 1, False, False),
                ("Opportunity", "Ja", 2, True, True), ("Lead", "Neu", 7, True, False),
                ("Case", "Ja", 8, True, False),
            ],
            "OpportunityFieldHistory": changes(
                ("02 09:00", "StageName", "Prospecting", "Neu"), ("03 09:00", "StageName", "Neu", "Ja")
            ),
        },
    )  # fmt: skip
    assert log.rows("O", "direction")[1:] == [
        ("2024-01-02 09:00", "Stage: Neu", -1),
        ("2024-01-03 09:00", "Win Opportunity", None),
    ]


def snapshots(*steps: tuple[str, str, float | None, str]) -> list[Any]:
    rows = [
        (f"s{i}", "O", f"2024-01-{moment}", stage, amount, day)
        for i, (moment, stage, amount, day) in enumerate(steps)
    ]
    return [SNAPSHOT, *rows]


FOUR_SAVES = snapshots(
    ("01 09:00", "Prospecting", None, "2024-03-31"),
    ("02 09:00", "Prospecting", 100.0, "2024-03-31"),
    ("03 09:00", "Proposal", 80.0, "2024-04-30"),
    ("04 09:00", "Won", 80.0, "2024-01-04"),
)


def test_snapshots_alone_tell_stage_amount_and_close_date(extract: Extract) -> None:
    log = extract(
        "opportunity",
        {
            "Opportunity": [OPPORTUNITY, opportunity("Won", closed=True, won=True)],
            "OpportunityStage": STAGES,
            "OpportunityHistory": FOUR_SAVES,
        },
    )
    assert log.rows("O", "direction", "delta", "old_value", "new_value") == [
        ("2024-01-01 09:00", "Create Opportunity", None, None, None, None),
        ("2024-01-02 09:00", "Raise Amount", 1, 100.0, None, "100.0"),
        ("2024-01-03 09:00", "Lower Amount", -1, -20.0, "100.0", "80.0"),
        ("2024-01-03 09:00", "Push Close Date", 1, 30.0, "2024-03-31", "2024-04-30"),
        ("2024-01-03 09:00", "Stage: Proposal", 1, 1.0, "Prospecting", "Proposal"),
        ("2024-01-04 09:00", "Pull Close Date", -1, -117.0, "2024-04-30", "2024-01-04"),
        ("2024-01-04 09:00", "Win Opportunity", None, None, "Proposal", "Won"),
    ]


def test_two_histories_tell_each_change_once(extract: Extract) -> None:
    log = extract(
        "opportunity",
        {
            "Opportunity": [OPPORTUNITY, opportunity("Won", closed=True, won=True)],
            "OpportunityStage": STAGES,
            "OpportunityHistory": FOUR_SAVES,
            "OpportunityFieldHistory": changes(
                ("01 09:00", "created", None, None),
                ("03 09:00", "StageName", "Prospecting", "Proposal"),
                ("04 09:00", "StageName", "Proposal", "Won"),
                ("02 09:00", "Amount", None, "100"),
                ("03 09:00", "Amount", "100", "80"),
            ),
        },
    )
    assert log.rows("O", "source_id")[1:] == [
        ("2024-01-02 09:00", "Raise Amount", "h3"),
        ("2024-01-03 09:00", "Lower Amount", "h4"),
        ("2024-01-03 09:00", "Push Close Date", "s2"),  # close dates are not tracked here: snapshots speak
        ("2024-01-03 09:00", "Stage: Proposal", "h1"),
        ("2024-01-04 09:00", "Pull Close Date", "s3"),
        ("2024-01-04 09:00", "Win Opportunity", "h2"),
    ]


def test_created_closed_is_a_creation_and_a_closing_in_one_second(extract: Extract) -> None:
    log = extract(
        "opportunity",
        {
            "Opportunity": [
                OPPORTUNITY,
                opportunity("Won", closed=True, won=True),
                opportunity("Lost", closed=True, name="P"),
            ],
            "OpportunityStage": STAGES,
            "OpportunityHistory": snapshots(("01 09:00", "Won", 5.0, "2024-03-31")),
            "OpportunityFieldHistory": [
                HISTORY,
                ("h1", "P", "2024-01-01 09:00", ANA, "created", None, None),
                ("h2", "Q", "2024-01-01 09:00", ANA, "StageName", "Prospecting", "Proposal"),
            ],
        },
    )  # fmt: skip
    assert log.rows("O", "source_id", "date_only") == [
        ("2024-01-01 09:00", "Create Opportunity", "O", False),
        ("2024-01-01 09:00", "Win Opportunity", "s0", False),
    ]
    assert log.rows("P", "source_id", "date_only") == [
        ("2024-01-01 09:00", "Create Opportunity", "P", False),
        ("2024-01-01 09:00", "Lose Opportunity", "P", False),
    ]


@pytest.mark.parametrize(
    ("first_row", "known"),
    [
        ("2024-01-01 09:00", "2024-01-01"),  # stages were tracked when it was created, and it has no change
        ("2024-01-01 09:01", "2024-02-10"),  # only the record of that day tells
    ],
)
@pytest.mark.parametrize("as_of", ["2024-01-20 00:00Z", "2024-03-01 00:00Z"])
def test_since_when_a_stage_without_changes_is_known(
    extract: Extract, connection: duckdb.DuckDBPyConnection, first_row: str, known: str, as_of: str
) -> None:
    connection.execute(f"SET VARIABLE as_of = TIMESTAMPTZ '{as_of}'")
    log = extract(
        "opportunity",
        {
            "Opportunity": [OPPORTUNITY, opportunity("Lost", closed=True)],
            "OpportunityStage": STAGES,
            "OpportunityFieldHistory": [
                HISTORY,
                ("h1", "O", "2024-01-01 09:00", ANA, "created", None, None),
                ("h2", "Q", first_row, ANA, "StageName", "Prospecting", "Proposal"),
            ],
        },
    )
    lost = log.events.filter(activity="Lose Opportunity").select(
        pl.col("occurred_at", "recorded_at").dt.strftime("%Y-%m-%d")
    )
    assert lost.rows() == [("2024-01-01", known)]


def test_created_closed_and_reopened(extract: Extract) -> None:
    log = extract(
        "opportunity",
        {
            "Opportunity": [OPPORTUNITY, opportunity("Proposal")],
            "OpportunityStage": STAGES,
            "OpportunityFieldHistory": changes(
                ("01 09:00", "opportunityCreatedFromLead", None, None),
                ("02 09:00", "StageName", "Lost", "Proposal"),
            ),
        },
    )
    assert log.trace("O") == [
        ("2024-01-01 09:00", "Create Opportunity"),
        ("2024-01-01 09:00", "Lose Opportunity"),
        ("2024-01-02 09:00", "Reopen Opportunity"),
    ]


@pytest.mark.parametrize(
    ("columns", "values", "moment", "date_only"),
    [
        ("CloseDate", ("2024-02-05",), "2024-02-05 23:59", True),
        ("CloseDate", ("2024-03-31",), "2024-02-10 08:00", True),  # not after the last modification
        ("CloseDate", ("2023-12-31",), "2024-01-01 09:00", True),  # not before the creation
        ("CloseDate LastStageChangeDate", ("2024-03-31", "2024-01-20 10:00"), "2024-01-20 10:00", False),
    ],
)
def test_closed_without_any_history(
    extract: Extract, columns: str, values: tuple[str, ...], moment: str, *, date_only: bool
) -> None:
    header = f"Id CreatedDate StageName IsClosed IsWon SystemModstamp {columns}"
    row = ("O", "2024-01-01 09:00", "Gewonnen", True, True, "2024-02-10 08:00", *values)
    log = extract("opportunity", {"Opportunity": [header, row]})
    assert log.rows("O", "date_only") == [
        ("2024-01-01 09:00", "Create Opportunity", False),
        (moment, "Win Opportunity", date_only),
    ]


def test_owner_pairs_quotes_and_other_fields(extract: Extract) -> None:
    log = extract(
        "opportunity",
        {
            "Opportunity": [OPPORTUNITY, opportunity("Prospecting")],
            "Quote": [
                "Id OpportunityId CreatedDate Name IsDeleted",
                ("q1", "O", "2024-01-03 09:00", "Offer", False),
                ("q2", "O", "2024-01-03 09:00", "Offer", True),
            ],
            "OpportunityFieldHistory": changes(
                ("02 09:00", "Owner", "Ana", "Ben"),
                ("02 09:00", "Owner", ANA, BEN),
                ("02 09:00", "NextStep", "Call", "Meet"),
                ("02 10:00", "Amount", "100", "100.00"),
                ("02 10:00", "CloseDate", "3/31/2024", "4/30/2024"),
                ("02 11:00", "locked", None, None),
            ),
        },
    )
    assert log.rows("O", "source_id", "rank")[1:] == [
        ("2024-01-02 09:00", "Change Owner", "h1", 100),
        ("2024-01-02 09:00", "Change Next Step", "h2", 150),
        ("2024-01-02 10:00", "Change: CloseDate", "h4", 150),
        ("2024-01-02 11:00", "Mark: locked", "h5", 150),
        ("2024-01-03 09:00", "Create Quote", "q1", 160),
    ]


def test_touches_are_done_work_about_the_opportunity(extract: Extract) -> None:
    log = extract(
        "opportunity",
        {
            "Opportunity": [OPPORTUNITY, opportunity("Prospecting")],
            "Task": [
                "Id WhatId CreatedDate Status IsClosed TaskSubtype Type ActivityDate SystemModstamp",
                ("t1", "O", "2023-12-20 09:00", "Done", True, "Call", None, None, None),
                ("t2", "O", "2024-01-02 09:00", "Done", True, "Call", None, "2024-01-02", None),
                ("t3", "O", "2024-01-02 09:00", "Done", True, "Task", "Meeting", "2024-01-05", None),
                ("t4", "O", "2024-01-02 09:00", "Done", True, "Task", None, "2024-01-09", "2024-01-07 15:00"),
                ("t5", "O", "2024-01-02 09:00", "Completed", None, None, None, None, None),
                ("t6", "O", "2024-01-02 09:00", "Open", False, "Email", None, None, None),
                ("t7", "X", "2024-01-02 09:00", "Done", True, "Email", None, None, None),
            ],
            "Event": [
                "Id WhatId CreatedDate StartDateTime ActivityDate IsAllDayEvent IsRecurrence",
                ("e1", "O", "2024-01-05 09:00", "2024-01-03 14:00", "2024-01-03", False, False),
                ("e2", "O", "2024-01-02 09:00", "2024-01-08 00:00", "2024-01-08", True, False),
                ("e3", "O", "2024-01-02 09:00", "2024-01-08 10:00", "2024-01-08", False, True),
            ],
        },
    )  # fmt: skip
    assert log.rows("O", "source_id", "date_only")[1:] == [
        ("2024-01-02 09:00", "Call", "t2", False),
        ("2024-01-02 09:00", "Task", "t5", False),
        ("2024-01-03 14:00", "Meeting", "e1", False),
        ("2024-01-05 23:59", "Meeting", "t3", True),
        ("2024-01-07 15:00", "Task", "t4", True),
        ("2024-01-08 23:59", "Meeting", "e2", True),
    ]
    logged = log.events.filter(source_id="e1")["recorded_at"].dt.strftime("%Y-%m-%d %H:%M")
    assert logged.to_list() == ["2024-01-05 09:00"]


def test_cases_take_product_country_and_truncation_from_the_tables_around(extract: Extract) -> None:
    log = extract(
        "opportunity",
        {
            "Opportunity": [
                "Id CreatedDate AccountId CampaignId CurrencyIsoCode Amount OwnerId",
                ("O", "2024-01-02 09:00", "A", "C", "EUR", 12.5, ANA),
                ("P", "2023-01-01 09:00", None, None, None, None, None),
                ("Q", "2023-01-01 09:00", None, None, None, None, None),
            ],
            "Account": ["Id Name Industry BillingCountry", ("A", "Acme", "Energy", "Spain")],
            "Campaign": ["Id Name", ("C", "Fair")],
            "User": ["Id Name Division", (ANA, "Ana", "EMEA")],
            "Product2": ["Id Name", ("p1", "Basic"), ("p2", "Pro"), ("p3", "Plus")],
            "OpportunityLineItem": [
                "Id OpportunityId Product2Id TotalPrice",
                ("i3", "O", "p3", 9.0), ("i2", "O", "p2", 9.0),
                ("i1", "O", "p1", 3.0), ("i0", "O", "p1", None),
            ],
            "Lead": ["Id CreatedDate ConvertedOpportunityId", ("L", "2023-12-01 09:00", "O")],
            "OpportunityFieldHistory": [
                HISTORY, ("h1", "O", "2024-01-02 09:00", ANA, "created", None, None),
            ],
            "OpportunityHistory": [SNAPSHOT, ("s1", "Q", "2023-01-01 09:00", "Demo", None, None)],
        },
    )  # fmt: skip
    header = "case_id truncated from_lead owner region product campaign industry country currency amount"
    assert log.attributes(header) == [
        ("O", False, True, "Ana", "EMEA", "Pro", "Fair", "Energy", "Spain", "EUR", 12.5),
        ("P", True, False, None, None, None, None, None, None, None, None),
        ("Q", False, False, None, None, None, None, None, None, None, None),
    ]
    covered = log.cases.filter("truncated")["covered_from"].dt.strftime("%Y-%m-%d %H:%M")
    assert covered.to_list() == ["2024-01-02 09:00"]

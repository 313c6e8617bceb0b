"""Merged records: who lives on in whom, since when, and whose changes they are."""

from typing import Any

from .conftest import Tell

ACCOUNT = "Id CreatedDate IsDeleted MasterRecordId SystemModstamp"
HISTORY = "Id AccountId CreatedDate Field OldValue NewValue"
CHAIN: dict[str, Any] = {
    "Account": [
        ACCOUNT,
        ("A", "2024-01-01", True, "B", "2024-02-01 10:00"),
        ("B", "2024-01-01", True, "C", "2024-03-01 10:00"),
        ("C", "2024-01-01", False, None, "2024-04-01 10:00"),
    ],
    "AccountHistory": [
        HISTORY,
        ("m1", "B", "2024-02-01 10:00", "accountMerged", None, None),
        ("m2", "C", "2024-03-01 10:00", "accountMerged", None, None),
        ("h1", "A", "2024-01-10 09:00", "Rating", "Cold", "Hot"),
        ("h2", "B", "2024-02-10 09:00", "Rating", "Cold", "Hot"),
        ("h3", "C", "2024-03-10 09:00", "Rating", "Cold", "Hot"),
    ],
}
MERGES = (
    "SELECT loser_id, into_id, survivor_id, moment::DATE::VARCHAR, estimated, source_table, source_id "
    "FROM merges ORDER BY ALL"
)
OWNERS = "SELECT source_id, record_id, case_id FROM changes WHERE field = 'Rating' ORDER BY ALL"


def test_a_chain_of_merges_ends_in_the_record_that_lives(tell: Tell) -> None:
    told = tell(**CHAIN)
    assert told.rows(MERGES) == [
        ("A", "B", "C", "2024-02-01", False, "AccountHistory", "m1"),
        ("B", "C", "C", "2024-03-01", False, "AccountHistory", "m2"),
    ]
    assert told.rows(OWNERS) == [("h1", "A", "C"), ("h2", "B", "C"), ("h3", "C", "C")]


def test_as_of_a_moment_later_merges_have_not_happened(tell: Tell) -> None:
    told = tell(at="2024-02-15", **CHAIN)
    assert told.rows("SELECT loser_id, survivor_id FROM merges") == [("A", "B")]
    assert told.rows(OWNERS) == [("h1", "A", "B"), ("h2", "B", "B")]
    assert told.rows("SELECT Id, IsDeleted, MasterRecordId FROM Account ORDER BY Id") == [
        ("A", True, "B"),
        ("B", False, None),
        ("C", False, None),
    ]


def test_without_one_mark_that_fits_the_last_change_is_the_latest_it_can_have_been(tell: Tell) -> None:
    told = tell(
        Account=[
            ACCOUNT,
            ("A", "2024-01-01", True, "W", "2024-02-01 10:00:02"),  # the mark of that second
            ("B", "2024-01-01", True, "W", "2024-05-05 10:00"),  # two marks could be meant
            ("C", "2024-01-01", True, "X", "2024-05-05 10:00"),  # the only mark by then
            ("D", "2024-01-01", True, "Y", "2024-05-05 10:00"),  # no mark
            ("E", "2024-01-01", True, "X", None),  # the only mark
            ("F", "2024-01-01", True, "Y", None),  # nothing
            ("W", "2024-01-01", False, None, None),
            ("X", "2024-01-01", False, None, None),
            ("Y", "2024-01-01", False, None, None),
        ],
        AccountHistory=[
            HISTORY,
            ("m1", "W", "2024-02-01 10:00", "accountMerged", None, None),
            ("m2", "W", "2024-03-01 10:00", "accountMerged", None, None),
            ("m3", "X", "2024-04-01 10:00", "accountMerged", None, None),
            ("m4", "Y", "2024-06-01 10:00", "accountMerged", None, None),
        ],
    )
    assert told.rows(
        "SELECT loser_id, moment::DATE::VARCHAR, estimated, source_id FROM merges ORDER BY ALL"
    ) == [
        ("A", "2024-02-01", False, "m1"),
        ("B", "2024-05-05", True, "B"),
        ("C", "2024-04-01", False, "m3"),
        ("D", "2024-05-05", True, "D"),
        ("E", "2024-04-01", False, "m3"),
        ("F", "2024-06-01", False, "m4"),
    ]


def test_a_merge_without_any_moment_counts_always(tell: Tell) -> None:
    told = tell(
        at="2024-02-01",
        Lead=["Id CreatedDate Status IsDeleted MasterRecordId",
              ("L", "2024-01-01", "New", True, "M"), ("M", "2024-01-01", "New", False, None)],
    )  # fmt: skip
    assert told.rows("SELECT root, loser_id, survivor_id, moment, estimated FROM merges") == [
        ("Lead", "L", "M", None, True)
    ]


def test_records_that_claim_to_be_merged_in_a_circle_stay_what_they_are(tell: Tell) -> None:
    told = tell(
        Account=[ACCOUNT, ("A", "2024-01-01", True, "B", "2024-02-01"),
                 ("B", "2024-01-01", True, "A", "2024-02-01")],
        AccountHistory=[HISTORY, ("h1", "A", "2024-01-10 09:00", "Rating", "Cold", "Hot")],
    )  # fmt: skip
    assert told.rows("FROM merges") == []
    assert told.rows(OWNERS) == [("h1", "A", "A")]


def test_contacts_and_cases_merge_alike(tell: Tell) -> None:
    told = tell(
        Contact=["Id CreatedDate IsDeleted MasterRecordId SystemModstamp",
                 ("K", "2024-01-01", True, "J", "2024-02-01")],
        Case=["Id CreatedDate Status IsDeleted MasterRecordId SystemModstamp",
              ("C", "2024-01-01", "New", True, "D", "2024-02-01")],
    )  # fmt: skip
    assert told.rows("SELECT root, loser_id, survivor_id FROM merges ORDER BY ALL") == [
        ("Case", "C", "D"),
        ("Contact", "K", "J"),
    ]

"""Two histories of opportunities, one truth: each change once, none lost, contradictions told."""

from typing import Any

import pytest

from .conftest import Tell

FIELD = "Id OpportunityId CreatedDate CreatedById Field OldValue NewValue"
SAVE = "Id OpportunityId CreatedDate CreatedById StageName Amount CloseDate Probability ForecastCategory"
SAVES = [
    SAVE,
    ("s1", "O", "2024-01-01 09:00", "U", "Prospecting", 100.0, "2024-03-01", 10.0, "Pipeline"),
    ("s2", "O", "2024-01-02 09:00", "U", "Proposal", 100.0, "2024-03-01", 60.0, "BestCase"),
    ("s3", "O", "2024-01-03 09:00", "V", "Proposal", 90.5, "2024-04-15", 60.0, "BestCase"),
    ("s4", "O", "2024-01-04 09:00", "V", "Proposal", 90.5, "2024-04-15", 60.0, "BestCase"),
]
ALL_OF_IT = [
    ("s2", "U", "ForecastCategory", "Pipeline", "BestCase"),
    ("s2", "U", "Probability", "10.0", "60.0"),
    ("s2", "U", "StageName", "Prospecting", "Proposal"),
    ("s3", "V", "Amount", "100.0", "90.5"),
    ("s3", "V", "CloseDate", "2024-03-01", "2024-04-15"),
]
WHO_WHAT = "source_id actor column_name old_value new_value"


def test_snapshots_alone_tell_every_change_and_how_it_began(tell: Tell) -> None:
    told = tell(OpportunityHistory=SAVES)
    assert told.changes(WHO_WHAT) == ALL_OF_IT
    assert told.changes("kind source_table by_id seq chained")[0] == (
        "field", "OpportunityHistory", False, 0, True,
    )  # fmt: skip
    assert told.aside() == [("s4", "snapshot without a change")]
    assert told.rows("SELECT source_id, case_id, actor, StageName, Amount FROM first_snapshots") == [
        ("s1", "O", "U", "Prospecting", 100.0)
    ]


def test_field_history_alone_is_enough(tell: Tell) -> None:
    told = tell(
        OpportunityFieldHistory=[
            FIELD,
            ("h1", "O", "2024-01-02 09:00", "U", "StageName", "Prospecting", "Proposal"),
            ("h2", "O", "2024-01-02 09:00", "U", "Amount", "100", "90.5"),
        ]
    )
    assert told.changes() == [("h2", "100", "90.5"), ("h1", "Prospecting", "Proposal")]
    assert told.rows("FROM first_snapshots") == []


@pytest.mark.parametrize("seconds", ["08:59:55", "08:59:59", "09:00:00", "09:00:01", "09:00:05"])
def test_what_field_history_tells_within_five_seconds_is_told_once(tell: Tell, seconds: str) -> None:
    told = tell(
        OpportunityHistory=SAVES,
        OpportunityFieldHistory=[
            FIELD,
            ("h1", "O", f"2024-01-02 {seconds}", "U", "StageName", "Prospecting", "Proposal"),
            ("h2", "O", f"2024-01-02 {seconds}", "U", "Probability", "10", "60"),
            ("h3", "O", f"2024-01-02 {seconds}", "U", "ForecastCategoryName", "Pipeline", "Best Case"),
            ("h4", "O", f"2024-01-03 {seconds}", "V", "Amount", "100", "90.50"),
            (
                "h5",
                "O",
                f"2024-01-03 {seconds}",
                "V",
                "CloseDate",
                "2024-03-01 00:00:00",
                "2024-04-15 00:00:00",
            ),
        ],
    )
    assert sorted(told.changes("source_id")) == [("h1",), ("h2",), ("h3",), ("h4",), ("h5",)]
    assert told.aside() == [
        ("s2", "told by field history"),
        ("s3", "told by field history"),
        ("s4", "snapshot without a change"),
    ]
    assert told.rows("FROM all_disagreements") == []


def test_six_seconds_are_two_changes(tell: Tell) -> None:
    row = ("h1", "O", "2024-01-02 09:00:06", "U", "StageName", "Prospecting", "Proposal")
    told = tell(OpportunityHistory=SAVES, OpportunityFieldHistory=[FIELD, row])
    stages = "SELECT source_id, chained FROM told WHERE column_name = 'StageName' ORDER BY moment"
    assert told.rows(stages) == [("s2", True), ("h1", False)]


def test_each_field_is_reconciled_by_itself(tell: Tell) -> None:
    row = ("h1", "O", "2024-01-02 09:00", "U", "StageName", "Prospecting", "Proposal")
    told = tell(OpportunityHistory=SAVES, OpportunityFieldHistory=[FIELD, row])
    assert told.changes("source_id column_name") == [
        ("s2", "ForecastCategory"),
        ("s2", "Probability"),
        ("h1", "StageName"),
        ("s3", "Amount"),
        ("s3", "CloseDate"),
    ]
    assert told.aside() == [("s4", "snapshot without a change")]


def test_until_the_row_of_field_history_comes_the_snapshot_speaks(tell: Tell) -> None:
    tables: dict[str, Any] = {
        "OpportunityHistory": SAVES[:3],
        "OpportunityFieldHistory": [
            FIELD,
            ("h1", "O", "2024-01-02 09:00:03", "U", "StageName", "Prospecting", "Proposal"),
            ("h2", "O", "2024-01-02 09:00:03", "U", "Probability", "10", "60"),
            ("h3", "O", "2024-01-02 09:00:04", "U", "ForecastCategory", "Pipeline", "BestCase"),
        ],
    }
    told = tell(at="2024-01-02 09:00:03", **tables)
    assert told.changes("source_id column_name") == [
        ("s2", "ForecastCategory"),
        ("h2", "Probability"),
        ("h1", "StageName"),
    ]
    assert told.aside() == []
    told = tell(at="2024-01-02 09:00:04")
    assert told.changes("source_id") == [("h2",), ("h1",), ("h3",)]
    assert told.aside() == [("s2", "told by field history")]


def test_the_first_snapshot_tells_the_amount_and_date_before_it(tell: Tell) -> None:
    told = tell(
        OpportunityHistory=[
            "Id OpportunityId CreatedDate StageName Amount CloseDate PrevAmount PrevCloseDate",
            ("s1", "O", "2024-01-05 09:00", "Demo", 90.0, "2024-04-01", 100.0, "2024-03-01"),
            ("s2", "P", "2024-01-05 09:00", "Demo", 90.0, "2024-04-01", None, None),
            ("s3", "Q", "2024-01-05 09:00", "Demo", 90.0, "2024-04-01", 90.0, "2024-04-01"),
        ]
    )  # fmt: skip
    assert told.changes() == [("s1", "100.0", "90.0"), ("s1", "2024-03-01", "2024-04-01")]
    assert told.rows("SELECT source_id FROM first_snapshots ORDER BY ALL") == [("s1",), ("s2",), ("s3",)]
    assert told.aside() == []


def test_a_first_snapshot_later_than_the_creation_lets_field_history_tell_what_was_before(tell: Tell) -> None:
    told = tell(
        Opportunity=["Id CreatedDate StageName", ("O", "2024-01-01 09:00", "Proposal")],
        OpportunityHistory=[SAVES[0], *SAVES[2:4]],
        OpportunityFieldHistory=[
            FIELD,
            ("h1", "O", "2024-01-02 09:00", "U", "StageName", "Prospecting", "Proposal"),
        ],
    )
    assert told.changes() == [
        ("h1", "Prospecting", "Proposal"),
        ("s3", "100.0", "90.5"),
        ("s3", "2024-03-01", "2024-04-15"),
    ]


def test_opportunities_that_only_change_their_amount(tell: Tell) -> None:
    told = tell(
        OpportunityHistory=[
            "Id OpportunityId CreatedDate StageName Amount",
            ("s1", "O", "2024-01-01 09:00", "Demo", None),
            ("s2", "O", "2024-01-02 09:00", "Demo", 0.0),
            ("s3", "O", "2024-01-03 09:00", "Demo", 50.0),
            ("s4", "O", "2024-01-04 09:00", "Demo", None),
        ]
    )
    assert told.changes("source_id old_value new_value chained") == [
        ("s2", None, "0.0", True),
        ("s3", "0.0", "50.0", True),
        ("s4", "50.0", None, True),
    ]


def test_a_deleted_snapshot_tells_nothing_unless_its_record_went_with_it(tell: Tell) -> None:
    told = tell(
        Opportunity=["Id CreatedDate StageName IsDeleted", ("O", "2024-01-01", "Demo", False),
                     ("P", "2024-01-01", "Demo", True)],
        OpportunityHistory=[
            "Id OpportunityId CreatedDate StageName IsDeleted",
            ("s1", "O", "2024-01-01 09:00", "Demo", False), ("s2", "O", "2024-01-02 09:00", "Won", True),
            ("s3", "O", "2024-01-03 09:00", "Lost", False), ("s4", "P", "2024-01-01 09:00", "Demo", True),
            ("s5", "P", "2024-01-02 09:00", "Won", True),
        ],
    )  # fmt: skip
    assert told.changes() == [("s5", "Demo", "Won"), ("s3", "Demo", "Lost")]
    assert told.aside() == [("s2", "deleted row")]


def test_rows_deleted_with_their_record_still_tell_what_its_snapshots_show(tell: Tell) -> None:
    told = tell(
        Opportunity=["Id CreatedDate StageName IsDeleted", ("P", "2024-01-01", "Won", True)],
        OpportunityHistory=[
            "Id OpportunityId CreatedDate StageName IsDeleted",
            ("s4", "P", "2024-01-01 09:00", "Demo", True), ("s5", "P", "2024-01-02 09:00", "Won", True),
        ],
        OpportunityFieldHistory=[
            "Id OpportunityId CreatedDate Field OldValue NewValue IsDeleted",
            ("h1", "P", "2024-01-02 09:00", "StageName", "Demo", "Won", True),
        ],
    )  # fmt: skip
    assert told.changes() == [("h1", "Demo", "Won")]


def test_a_value_that_does_not_read_one_way_is_no_second_change(tell: Tell) -> None:
    told = tell(
        OpportunityHistory=[SAVES[0], SAVES[2], SAVES[3]],
        OpportunityFieldHistory=[
            FIELD,
            ("h1", "O", "2024-01-03 09:00", "U", "Amount", "100,00", "90,50"),
            ("h2", "O", "2024-01-03 09:00", "U", "CloseDate", "3/1/2024", "4/15/2024"),
        ],
    )
    assert told.changes() == [("h1", "100,00", "90,50"), ("h2", "3/1/2024", "4/15/2024")]


def test_contradictions_of_the_two_are_told_with_both_sources(tell: Tell) -> None:
    told = tell(
        OpportunityHistory=[
            "Id OpportunityId CreatedDate StageName",
            ("s1", "O", "2024-01-01 09:00", "A"),
            ("s2", "O", "2024-01-02 09:00", "B"),  # before field history was kept
            ("s3", "O", "2024-01-04 09:00", "D"),
            ("s4", "O", "2024-01-05 09:00", "E"),
        ],
        OpportunityFieldHistory=[
            FIELD,
            ("h1", "P", "2024-01-03 09:00", "U", "StageName", "A", "B"),
            ("h2", "O", "2024-01-04 09:00:02", "U", "StageName", "B", "C"),
        ],
    )
    columns = "kind, record_id, field, by_history, by_snapshot, history_id, snapshot_id"
    assert told.rows(f"SELECT {columns} FROM all_disagreements ORDER BY moment") == [  # noqa: S608
        ("both tell it, differently", "O", "StageName", "C", "D", "h2", "s3"),
        ("only the snapshot tells it", "O", "StageName", None, "E", None, "s4"),
    ]
    assert [row[0] for row in told.changes()] == ["s2", "h1", "s3", "h2", "s4"]


def test_where_tracking_is_stated_it_says_since_when_a_silent_history_contradicts(tell: Tell) -> None:
    told = tell(
        tracking=[("OpportunityFieldHistory", "StageName", "2024-01-05 00:00", None)],
        OpportunityHistory=[
            "Id OpportunityId CreatedDate StageName",
            ("s1", "O", "2024-01-01 09:00", "A"),
            ("s2", "O", "2024-01-04 09:00", "B"),
            ("s3", "O", "2024-01-05 09:00", "C"),
        ],
        OpportunityFieldHistory=[FIELD, ("h1", "P", "2024-01-03 09:00", "U", "StageName", "A", "B")],
    )
    assert told.rows("SELECT snapshot_id FROM all_disagreements") == [("s3",)]

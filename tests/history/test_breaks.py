"""Chains hold, each old value the new value before and the last one today's, or the break is told."""

from .conftest import Tell

BARE = "Id CaseId CreatedDate Field OldValue NewValue"
BREAKS = "SELECT kind, record_id, field, expected, found, source_id FROM all_breaks ORDER BY ALL"
ANNA, BEA = "005000000000001AAA", "005000000000002AAA"


def test_a_chain_that_holds(tell: Tell) -> None:
    told = tell(
        Case=["Id CreatedDate Status Priority IsEscalated ClosedDate",
              ("C", "2024-01-01", "Closed", None, True, "2024-01-03 09:00")],
        CaseHistory=[
            BARE,
            ("h1", "C", "2024-01-01 09:00", "Status", "New", "Working"),
            ("h2", "C", "2024-01-02 09:00", "Status", "Working", "Closed"),
            ("h3", "C", "2024-01-02 09:00", "Priority", "Low", None),
            ("h4", "C", "2024-01-03 09:00", "IsEscalated", "false", "true"),
            ("h5", "C", "2024-01-03 09:00", "ClosedDate", None, "2024-01-03T09:00:00.000Z"),
        ],
    )  # fmt: skip
    assert told.rows(BREAKS) == []
    assert told.rows("SELECT DISTINCT chained FROM told") == [(True,)]


def test_a_missing_link_is_told_where_it_is_missed(tell: Tell) -> None:
    told = tell(
        Case=["Id CreatedDate Status", ("C", "2024-01-01", "Closed"), ("D", "2024-01-01", "Working")],
        CaseHistory=[
            BARE,
            ("h1", "C", "2024-01-01 09:00", "Status", "New", "Working"),
            ("h2", "C", "2024-01-02 09:00", "Status", "Waiting", "Closed"),
            ("h3", "D", "2024-01-02 09:00", "Status", "New", "Working"),
        ],
    )
    assert told.rows(BREAKS) == [("inside the chain", "C", "Status", "Working", "Waiting", "h2")]
    assert told.changes("source_id chained") == [("h1", True), ("h2", False), ("h3", True)]


def test_breaks_that_mend_each_other_are_two(tell: Tell) -> None:
    told = tell(
        CaseHistory=[
            BARE,
            ("h1", "C", "2024-01-01 09:00", "Status", "A", "B"),
            ("h2", "C", "2024-01-02 09:00", "Status", "C", "C2"),
            ("h3", "C", "2024-01-03 09:00", "Status", "C2", "C"),
            ("h4", "C", "2024-01-04 09:00", "Status", "B", "D"),
        ]
    )
    assert told.rows(BREAKS) == [
        ("inside the chain", "C", "Status", "B", "C", "h2"),
        ("inside the chain", "C", "Status", "C", "B", "h4"),
    ]


def test_a_value_cleared_or_set_unseen_is_a_break(tell: Tell) -> None:
    told = tell(
        CaseHistory=[
            BARE,
            ("h1", "C", "2024-01-01 09:00", "Reason", None, "Broken"),
            ("h2", "C", "2024-01-02 09:00", "Reason", None, "Lost"),
            ("h3", "C", "2024-01-03 09:00", "Reason", "Lost", None),
            ("h4", "C", "2024-01-04 09:00", "Reason", "Stolen", "Lost"),
        ]
    )
    assert told.rows(BREAKS) == [
        ("inside the chain", "C", "Reason", "Broken", None, "h2"),
        ("inside the chain", "C", "Reason", None, "Stolen", "h4"),
    ]


def test_names_and_ids_of_one_owner_are_held_against_each_other_by_the_name_row(tell: Tell) -> None:
    told = tell(
        CaseHistory=[
            BARE,
            ("h1", "C", "2024-01-01 09:00", "Owner", "Anna", "Bea"),
            ("h2", "C", "2024-01-01 09:00", "Owner", ANNA, BEA),
            ("h3", "C", "2024-01-02 09:00", "Owner", "Bea", "Carl"),  # no Id row
            ("h4", "D", "2024-01-01 09:00", "Owner", "Anna", "Bea"),
            ("h5", "D", "2024-01-01 09:00", "Owner", ANNA, BEA),
            ("h6", "D", "2024-01-02 09:00", "Owner", "Dora", "Carl"),
            ("h7", "E", "2024-01-01 09:00", "Owner", ANNA, BEA),
            ("h8", "E", "2024-01-02 09:00", "Owner", "Dora", "Carl"),  # nobody knows
        ]
    )
    assert told.rows(BREAKS) == [("inside the chain", "D", "OwnerId", BEA, "Dora", "h6")]


def test_long_texts_keep_no_values_and_break_nothing(tell: Tell) -> None:
    told = tell(
        Case=["Id CreatedDate Status Subject", ("C", "2024-01-01", "New", "Fire")],
        CaseHistory=[
            BARE,
            ("h1", "C", "2024-01-01 09:00", "Subject", "Smoke", "Water"),
            ("h2", "C", "2024-01-02 09:00", "Subject", None, None),
        ],
    )
    assert told.rows(BREAKS) == []


def test_the_last_value_told_is_the_one_of_today(tell: Tell) -> None:
    text = "x" * 300
    told = tell(
        Case=["Id CreatedDate Status Priority Subject OwnerId ClosedDate",
              ("C", "2024-01-01", "Closed", "High", text, ANNA, None)],
        Opportunity=["Id CreatedDate StageName Amount CloseDate",
                     ("O", "2024-01-01", "Won", 90.0, "2024-02-01")],
        CaseHistory=[
            BARE,
            ("h1", "C", "2024-01-01 09:00", "Status", "New", "Working"),
            ("h2", "C", "2024-01-01 09:00", "Priority", "Low", "High"),
            ("h3", "C", "2024-01-01 09:00", "Subject", "y", text[:255]),
            ("h4", "C", "2024-01-01 09:00", "Owner", None, BEA),
            ("h5", "C", "2024-01-01 09:00", "Origin", "Web", "Phone"),  # a column nobody supplied
            ("h6", "C", "2024-01-01 09:00", "Gone__c", "1", "2"),  # a field the table has no more
        ],
        OpportunityFieldHistory=[
            "Id OpportunityId CreatedDate Field OldValue NewValue",
            ("g1", "O", "2024-01-01 09:00", "Amount", "1", "90"),
            ("g2", "O", "2024-01-01 09:00", "CloseDate", "2024-01-01", "2/1/2024"),
            ("g3", "O", "2024-01-01 09:00", "StageName", "Demo", "Lost"),
        ],
    )  # fmt: skip
    assert told.rows(BREAKS) == [
        ("against the record of today", "C", "OwnerId", BEA, ANNA, "h4"),
        ("against the record of today", "C", "Status", "Working", "Closed", "h1"),
        ("against the record of today", "O", "StageName", "Lost", "Won", "g3"),
    ]


def test_amounts_of_the_two_histories_are_one_chain(tell: Tell) -> None:
    told = tell(
        OpportunityHistory=[
            "Id OpportunityId CreatedDate StageName Amount",
            ("s1", "O", "2024-01-01 09:00", "Demo", 100.0),
            ("s2", "O", "2024-01-02 09:00", "Demo", 200.0),
        ],
        OpportunityFieldHistory=[
            "Id OpportunityId CreatedDate Field OldValue NewValue",
            ("h1", "O", "2024-01-03 09:00", "Amount", "200", "300"),
        ],
    )
    assert told.changes("source_id chained") == [("s2", True), ("h1", True)]

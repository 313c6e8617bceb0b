"""How a case is closed and reopened: by its history, by marks, by the record; and what a status means."""

from collections.abc import Callable
from typing import Any

import duckdb

from .case_tables import ANA, BOB, CASE, HISTORY, STATUSES, case, history, tell

Extract = Callable[..., Any]
Connection = duckdb.DuckDBPyConnection
Step = tuple[str, str, str | None, str | None]


def test_every_closing_and_reopening_counts_and_the_closing_date_only_repeats_the_last(
    extract: Extract, connection: Connection
) -> None:
    told = tell(
        extract,
        connection,
        {
            "Case": [CASE, case("Closed", closed="2024-01-07 09:00:00")],
            "CaseHistory": history(
                ("01 09:00", "created", None, None),
                ("02 09:00", "Status", "New", "On Hold"),
                ("03 09:00", "Status", "On Hold", "Working"),
                ("04 09:00", "Status", "Working", "Solved"),
                ("04 09:00", "closed", None, None),
                ("05 09:00", "Status", "Solved", "Closed"),
                ("06 09:00", "Status", "Closed", "Working"),
                ("07 09:00", "Status", "Working", "Closed"),
                ("07 09:00", "closed", None, None),
            ),
        },
    )
    assert told.events("direction, delta, rank, source_table, source_id, old_value, new_value") == [
        ("01-01 09:00", "Create Case", None, None, 0, "Case", "C", None, None),
        ("01-02 09:00", "Status: On Hold", 2, 2.0, 200, "CaseHistory", "h1", "New", "On Hold"),
        ("01-03 09:00", "Status: Working", -1, -1.0, 200, "CaseHistory", "h2", "On Hold", "Working"),
        ("01-04 09:00", "Close Case", None, None, 200, "CaseHistory", "h3", "Working", "Solved"),
        ("01-05 09:00", "Status: Closed", None, None, 200, "CaseHistory", "h5", "Solved", "Closed"),
        ("01-06 09:00", "Reopen Case", None, None, 200, "CaseHistory", "h6", "Closed", "Working"),
        ("01-07 09:00", "Close Case", None, None, 200, "CaseHistory", "h7", "Working", "Closed"),
    ]
    assert told.unused() == {
        ("CaseHistory", "h0"): "told by the record",
        ("CaseHistory", "h4"): "told by the change of status",
        ("CaseHistory", "h8"): "told by the change of status",
    }


def test_a_status_back_and_forth_in_one_second_keeps_its_order(
    extract: Extract, connection: Connection
) -> None:
    told = tell(
        extract,
        connection,
        {
            "CaseHistory": history(
                ("02 09:00", "Status", "On Hold", "Working"),
                ("02 09:00", "Status", "Working", "On Hold"),
                ("02 09:00", "Status", "New", "Working"),
                ("03 09:00", "Status", "Working", "Working"),
            )
        },
    )
    assert told.events("seq, source_id, direction")[1:] == [
        ("01-02 09:00", "Status: Working", 0, "h2", 1),
        ("01-02 09:00", "Status: On Hold", 1, "h1", 1),
        ("01-02 09:00", "Status: Working", 2, "h0", -1),
    ]
    assert told.unused() == {("CaseHistory", "h3"): "old and new value are the same"}


def test_closed_at_its_creation_then_reopened_and_closed(extract: Extract, connection: Connection) -> None:
    told = tell(
        extract,
        connection,
        {
            "Case": [CASE, case("Closed", closed="2024-01-05 09:00:00", born_closed=True)],
            "CaseHistory": history(
                ("03 09:00", "Status", "Solved", "Working"), ("05 09:00", "Status", "Working", "Closed")
            ),
        },
    )
    assert told.events("source_table, source_id, actor, rank, record_id") == [
        ("01-01 09:00", "Create Case", "Case", "C", ANA, 0, "C"),
        ("01-01 09:00", "Close Case", "Case", "C", ANA, 10, "C"),
        ("01-03 09:00", "Reopen Case", "CaseHistory", "h0", ANA, 200, "C"),
        ("01-05 09:00", "Close Case", "CaseHistory", "h1", ANA, 200, "C"),
    ]


def test_closed_at_its_creation_and_reopened_in_the_same_second_is_open(
    extract: Extract, connection: Connection
) -> None:
    told = tell(
        extract,
        connection,
        {
            "Case": [CASE, case(born_closed=True)],
            "CaseHistory": history(("01 09:00:00", "Status", "Closed", "Working")),
        },
    )
    assert [activity for _, activity, _ in told.events()] == ["Create Case", "Close Case", "Reopen Case"]


def test_closings_that_no_change_of_status_tells(extract: Extract, connection: Connection) -> None:
    stories: dict[str, tuple[tuple[Any, ...], list[Step], list[tuple[Any, ...]]]] = {
        "closed at its creation": (
            case("Closed", id_="A", born_closed=True),
            [],
            [("01-01 09:00", "Close Case", False)],
        ),
        "closed at its creation, dated alike": (
            case("Closed", id_="B", closed="2024-01-01 09:00:02", born_closed=True),
            [],
            [("01-01 09:00", "Close Case", False)],
        ),
        "closed at its creation, and dated later": (
            case("Closed", id_="C", closed="2024-01-08 09:00:00", born_closed=True),
            [],
            [("01-01 09:00", "Close Case", False), ("01-08 09:00", "Close Case", False)],
        ),
        "the history since the creation begins closed": (
            case("Working", id_="D"),
            [("01 09:00", "created", None, None), ("03 09:00", "Status", "Closed", "Working")],
            [("01-01 09:00", "Close Case", False), ("01-03 09:00", "Reopen Case", False)],
        ),
        "a later history begins closed": (
            case("Working", id_="E"),
            [("03 09:00", "Status", "Closed", "Working")],
            [("01-03 09:00", "Reopen Case", False)],
        ),
        "the history leaves it open": (
            case("Closed", id_="F", closed="2024-01-07 09:00:00"),
            [("02 09:00", "Status", "New", "Working")],
            [("01-02 09:00", "Status: Working", False), ("01-07 09:00", "Close Case", False)],
        ),
        "no history": (
            case("Closed", id_="G", closed="2024-01-07 09:00:00"),
            [],
            [("01-07 09:00", "Close Case", False)],
        ),
        "only a mark": (
            case("Closed", id_="H", closed="2024-01-07 09:00:00"),
            [("05 09:00", "closed", None, None)],
            [("01-05 09:00", "Close Case", False)],
        ),
        "marks where no change of status was kept": (
            case("Closed", id_="I", closed="2024-01-07 09:00:00"),
            [
                ("02 09:00", "closed", None, None),
                ("03 09:00", "Status", "Closed", "Working"),
                ("07 09:00", "closed", None, None),
            ],
            [
                ("01-02 09:00", "Close Case", False),
                ("01-03 09:00", "Reopen Case", False),
                ("01-07 09:00", "Close Case", False),
            ],
        ),
        "nothing but the status": (case("Closed", id_="J"), [], [("02-10 08:00", "Close Case", True)]),
        "the status since the creation": (
            case("Closed", id_="K"),
            [("01 09:00", "created", None, None)],
            [("01-01 09:00", "Close Case", False)],
        ),
    }
    rows = [
        (f"{row[0]}{step}", *change[1:])
        for row, steps, _ in stories.values()
        for step, change in enumerate(history(*steps, of=row[0])[1:])
    ]
    told = tell(
        extract,
        connection,
        {"Case": [CASE, *(row for row, *_ in stories.values())], "CaseHistory": [HISTORY, *rows]},
    )
    found = {name: told.events("date_only", of=row[0])[1:] for name, (row, *_) in stories.items()}
    assert found == {name: expected for name, (*_, expected) in stories.items()}


def test_where_no_status_is_tracked_the_creation_tells_nothing_of_it(
    extract: Extract, connection: Connection
) -> None:
    rows = history(("01 09:00", "created", None, None))
    told = tell(extract, connection, {"Case": [CASE, case("Closed")], "CaseHistory": rows})
    assert told.events("date_only")[1:] == [("02-10 08:00", "Close Case", True)]


def test_who_closed_is_known_where_the_closing_is_the_last_modification(
    extract: Extract, connection: Connection
) -> None:
    rows = [
        case("Closed", id_="C", closed="2024-02-10 08:00:00"),
        case("Closed", id_="D", closed="2024-01-09 08:00:00"),
    ]
    told = tell(extract, connection, {"Case": [CASE, *rows]})
    assert told.events("actor")[1:] == [("02-10 08:00", "Close Case", BOB)]
    assert told.events("actor", of="D")[1:] == [("01-09 08:00", "Close Case", None)]


def test_a_renamed_status_is_explained_by_records_or_by_the_mark_of_closing(
    extract: Extract, connection: Connection
) -> None:
    told = tell(
        extract,
        connection,
        {
            "Case": [CASE, case("Working"), case("Archived", id_="D", closed="2024-01-02 09:00:00")],
            "CaseHistory": history(
                ("02 09:00", "Status", "New", "Archived"),  # closed, as the other record shows
                ("03 09:00", "Status", "Archived", "Working"),
                ("04 09:00", "Status", "Working", "Resolved"),  # known to nobody now, but marked
                ("04 09:00", "closed", None, None),
                ("05 09:00", "Status", "Resolved", "Parked"),  # known to nobody: open
                ("06 09:00", "Status", "Parked", "Resolved"),
                ("07 09:00", "Status", "Resolved", "Working"),
            ),
        },
    )
    assert told.events("direction")[1:] == [
        ("01-02 09:00", "Close Case", None),
        ("01-03 09:00", "Reopen Case", None),
        ("01-04 09:00", "Close Case", None),
        ("01-05 09:00", "Reopen Case", None),
        ("01-06 09:00", "Status: Resolved", None),
        ("01-07 09:00", "Status: Working", None),
    ]


def test_statuses_mean_what_the_list_of_the_record_type_says(
    extract: Extract, connection: Connection
) -> None:
    told = tell(
        extract,
        connection,
        {
            "RecordType": ["Id DeveloperName SobjectType", ("R", "Incident", "Case")],
            "stages": [
                "root record_type value position is_closed is_won",
                ("Case", "Incident", "Working", 0, False, False),
                ("Case", "Incident", "New", 1, False, False),
                ("Case", "Incident", "On Hold", 2, True, False),
            ],
            "Case": [f"{CASE} RecordTypeId", (*case(), "R"), (*case(id_="D"), None)],
            "CaseHistory": [
                HISTORY,
                *(
                    (f"{of}{i}", of, f"2024-01-0{i + 2} 09:00", ANA, "Status", old, new)
                    for of in "CD"
                    for i, (old, new) in enumerate(
                        [("New", "Working"), ("Working", "On Hold"), ("On Hold", "New")]
                    )
                ),
            ],
        },
    )
    assert told.events("direction, delta")[1:] == [
        ("01-02 09:00", "Status: Working", -1, -1.0),
        ("01-03 09:00", "Close Case", None, None),
        ("01-04 09:00", "Reopen Case", None, None),
    ]
    assert told.events("direction, delta", of="D")[1:] == [
        ("01-02 09:00", "Status: Working", 1, 1.0),
        ("01-03 09:00", "Status: On Hold", 1, 1.0),
        ("01-04 09:00", "Status: New", -1, -2.0),
    ]


def test_without_any_list_the_flags_of_records_tell_which_statuses_are_closed(
    extract: Extract, connection: Connection
) -> None:
    told = tell(
        extract,
        connection,
        {
            "CaseStatus": STATUSES[:1],
            "Case": [CASE, case("Working"), case("Closed", id_="D", closed="2024-01-02 09:00:00")],
            "CaseHistory": history(
                ("02 09:00", "Status", "New", "Closed"), ("03 09:00", "Status", "Closed", "Working")
            ),
        },
    )
    assert told.events()[1:] == [("01-02 09:00", "Close Case", "h0"), ("01-03 09:00", "Reopen Case", "h1")]


def test_a_status_without_a_new_value_is_no_event(extract: Extract, connection: Connection) -> None:
    told = tell(extract, connection, {"CaseHistory": history(("02 09:00", "Status", "New", None))})
    assert told.events() == [("01-01 09:00", "Create Case", "C")]
    assert told.unused() == {("CaseHistory", "h0"): "status without a new value"}


def test_a_case_without_history_is_truncated_where_others_have_one_that_begins_later(
    extract: Extract, connection: Connection
) -> None:
    told = tell(
        extract,
        connection,
        {
            "Case": [CASE, case(id_="C"), case(id_="D")],
            "CaseHistory": [
                HISTORY,
                ("h0", "D", "2024-01-01 09:00:01", ANA, "created", None, None),
                ("h1", "D", "2024-01-02 09:00", ANA, "Priority", "Low", "High"),
            ],
        },
    )
    assert told.cases("case_id, truncated") == [("C", True), ("D", False)]
    assert told.cases("covered_from = '2024-01-01 09:00:01Z'")[0] == (True,)


def test_where_tracking_is_stated_a_case_from_before_is_truncated_whatever_its_history_holds(
    extract: Extract, connection: Connection
) -> None:
    connection.execute(
        "CREATE TEMP TABLE tracking "
        "(source_table VARCHAR, field VARCHAR, since TIMESTAMPTZ, kept_since TIMESTAMPTZ)"
    )
    connection.execute("INSERT INTO tracking VALUES ('CaseHistory', 'Status', '2024-01-01 10:00', NULL)")
    late = ("D", "2024-01-01 10:00:00", *case("Closed")[2:])
    rows = history(("01 09:00", "created", None, None), ("02 09:00", "Status", "Closed", "Working"))
    told = tell(extract, connection, {"Case": [CASE, case(), late], "CaseHistory": rows})
    assert told.cases("case_id, truncated") == [("C", True), ("D", False)]
    assert told.cases("covered_from = '2024-01-01 10:00Z'") == [(True,), (None,)]
    # of C nothing is known before Status was tracked; D was never anything but closed
    assert told.events()[1:] == [("01-02 09:00", "Reopen Case", "h1")]
    assert told.events(of="D")[1:] == [("01-01 10:00", "Close Case", "D")]

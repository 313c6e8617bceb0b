"""Changes of one field in one second: values tell their order, and Ids only in the last resort."""

from typing import Any

import pytest

from .conftest import Tell

BARE = "Id CaseId CreatedDate Field OldValue NewValue"
NOON = "2024-01-02 12:00"


def order(tell: Tell, *rows: tuple[str, str, str], before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """(Id, chained) of the rows (Id, old, new) of one second, in the order told."""
    told = tell(CaseHistory=[BARE, *before, *((i, "C", NOON, "Status", old, new) for i, old, new in rows)])
    second = f"WHERE moment = '{NOON}'"
    return told.rows(f"SELECT source_id, chained FROM told {second} ORDER BY seq")  # noqa: S608


def test_there_and_back(tell: Tell) -> None:
    before = ("h0", "C", "2024-01-01 09:00", "Status", None, "A")
    assert order(tell, ("h1", "B", "A"), ("h2", "A", "B"), before=(before,)) == [("h2", True), ("h1", True)]


def test_there_and_back_from_the_other_side(tell: Tell) -> None:
    before = ("h0", "C", "2024-01-01 09:00", "Status", None, "B")
    assert order(tell, ("h1", "B", "A"), ("h2", "A", "B"), before=(before,)) == [("h1", True), ("h2", True)]


def test_there_and_back_with_nothing_before_goes_by_ids(tell: Tell) -> None:
    assert order(tell, ("h1", "B", "A"), ("h2", "A", "B")) == [("h1", True), ("h2", True)]


def test_three_steps_whatever_their_ids(tell: Tell) -> None:
    rows = ("h3", "New", "Working"), ("h1", "Working", "Waiting"), ("h2", "Waiting", "Closed")
    assert order(tell, *rows) == [("h3", True), ("h1", True), ("h2", True)]


def test_a_circle_begins_with_the_value_in_force(tell: Tell) -> None:
    rows = ("h1", "A", "B"), ("h2", "B", "C"), ("h3", "C", "A")
    before = ("h0", "C", "2024-01-01 09:00", "Status", "A", "C")
    assert order(tell, *rows, before=(before,)) == [("h3", True), ("h1", True), ("h2", True)]


def test_a_way_that_passes_a_value_twice_takes_every_step(tell: Tell) -> None:
    rows = ("h1", "A", "C"), ("h2", "A", "B"), ("h3", "B", "A")
    assert order(tell, *rows) == [("h2", True), ("h3", True), ("h1", True)]


def test_a_gap_is_told_and_the_rest_stays_in_order(tell: Tell) -> None:
    rows = ("h1", "D", "E"), ("h2", "B", "C"), ("h3", "A", "B")
    before = ("h0", "C", "2024-01-01 09:00", "Status", None, "A")
    assert order(tell, *rows, before=(before,)) == [("h3", True), ("h2", True), ("h1", False)]


def test_the_value_in_force_may_itself_come_from_one_second(tell: Tell) -> None:
    before = (
        ("g1", "C", "2024-01-01 09:00", "Status", "B", "C"),
        ("g2", "C", "2024-01-01 09:00", "Status", "A", "B"),
    )
    rows = ("h1", "D", "C"), ("h2", "C", "D")
    assert order(tell, *rows, before=before) == [("h2", True), ("h1", True)]


def test_fields_and_records_of_one_second_are_no_ties(tell: Tell) -> None:
    told = tell(
        CaseHistory=[
            BARE,
            ("h1", "C", NOON, "Status", "B", "A"),
            ("h2", "C", NOON, "Priority", "A", "B"),
            ("h3", "D", NOON, "Status", "A", "B"),
        ]
    )
    assert told.rows("SELECT DISTINCT seq, chained FROM told") == [(0, True)]


def test_a_later_row_does_not_settle_an_earlier_second(tell: Tell) -> None:
    later = ("h9", "C", "2024-01-03 09:00", "Status", "B", "C")
    rows = ("h1", "B", "A"), ("h2", "A", "B")
    assert order(tell, *rows, before=(later,)) == [("h1", True), ("h2", True)]


@pytest.mark.parametrize("steps", [2, 5, 9, 14])
def test_long_chains_are_told_in_order(tell: Tell, steps: int) -> None:
    rows = [(f"h{steps - at:02}", f"v{at}", f"v{at + 1}") for at in range(steps)]
    assert order(tell, *rows) == [(row[0], True) for row in rows]

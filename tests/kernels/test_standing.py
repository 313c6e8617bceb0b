"""What an attribute was at a moment: by hand, and against a search through all changes."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from crmmining.kernels.standing import attributes_at, values_at

Schema = dict[str, type[pl.DataType] | pl.DataType]
INSTANT = pl.Datetime("us", "UTC")
VALUES: Schema = {
    "case_ix": pl.UInt32,
    "attribute": pl.String,
    "since": INSTANT,
    "seq": pl.UInt16,
    "value": pl.String,
}
ASKED: Schema = {"case_ix": pl.UInt32, "at": INSTANT}
Change = tuple[int, str, datetime, int, str | None]


def day(number: float) -> datetime:
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number - 1)


def told(*rows: Change) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=VALUES, orient="row")


def asked(*rows: tuple[int, datetime | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=ASKED, orient="row")


OWNERS = told(
    (1, "owner", day(2), 0, "Ann"),
    (1, "owner", day(5), 0, "Bob"),
    (1, "owner", day(5), 1, "Cid"),
    (1, "owner", day(9), 0, None),
    (3, "owner", day(4), 0, None),
    (3, "owner", day(6), 0, "Dan"),
)


def test_the_last_change_counts_the_one_of_the_moment_itself_included() -> None:
    moments = asked(
        (1, day(2)), (1, day(4.9)), (1, day(5)), (1, day(8)), (1, day(9)), (3, day(5)), (3, day(6))
    )
    assert values_at(OWNERS, moments).rows() == [
        (True, "Ann"), (True, "Ann"), (True, "Cid"), (True, "Cid"), (True, None), (True, None), (True, "Dan"),
    ]  # fmt: skip


def test_before_the_first_row_a_case_is_what_it_began_with() -> None:
    assert values_at(OWNERS, asked((1, day(1)), (3, day(1)))).rows() == [(True, "Ann"), (True, None)]


def test_no_instant_has_no_value_and_no_row_is_not_known() -> None:
    moments = asked((1, None), (0, day(9)), (2, day(9)), (7, None))
    assert values_at(OWNERS, moments).rows() == [(True, None), (False, None), (False, None), (False, None)]
    assert values_at(OWNERS.clear(), moments)["known"].to_list() == [False] * 4
    assert values_at(OWNERS, asked()).shape == (0, 2)


CASES = pl.DataFrame(
    {
        "owner": ["Eve", "Zoe"],
        "amount": [10.0, 70.5],
        "close_date": [date(2024, 6, 1), date(2024, 7, 1)],
        "is_new": [True, False],
        "priority": pl.Series([3, 4], dtype=pl.Int32),
    }
)
MIXED = told(
    (1, "amount", day(1), 0, "50"),
    (1, "amount", day(3), 0, "about 60"),
    (1, "amount", day(5), 0, "70.5"),
    (1, "close_date", day(1), 0, "2024-05-31"),
    (1, "close_date", day(3), 0, "2024-07-01"),
    (1, "is_new", day(1), 0, "true"),
    (1, "is_new", day(3), 0, "false"),
    (1, "priority", day(1), 0, "1"),
    (1, "priority", day(3), 0, "4"),
)


def test_attributes_have_the_types_of_now_and_what_never_changed_is_as_now() -> None:
    at = attributes_at(CASES, MIXED, asked((0, day(1)), (1, day(2)), (1, day(4)), (1, None)), CASES.columns)
    assert at.schema == CASES.schema
    assert at.rows() == [
        ("Eve", 10.0, date(2024, 6, 1), True, 3),
        ("Zoe", 50.0, date(2024, 5, 31), True, 1),
        ("Zoe", None, date(2024, 7, 1), False, 4),
        (None, None, None, None, None),
    ]


MOMENT = st.integers(1, 6).map(day)
CHANGES = st.lists(
    st.tuples(st.integers(0, 4), MOMENT, st.integers(0, 2), st.sampled_from([None, "x", "y", "z"])),
    max_size=25,
    unique_by=lambda row: row[:3],
)
QUESTIONS = st.lists(st.tuples(st.integers(0, 5), st.none() | MOMENT), max_size=12)


@given(CHANGES, QUESTIONS)
def test_a_search_through_all_changes_finds_the_same(
    changes: list[tuple[int, datetime, int, str | None]], questions: list[tuple[int, datetime | None]]
) -> None:
    ordered = sorted(changes, key=lambda row: row[:3])
    values = told(*((case, "a", since, seq, value) for case, since, seq, value in ordered))
    expected: list[tuple[bool, str | None]] = []
    for case, at in questions:
        own = [row for row in ordered if row[0] == case]
        if at is None or not own:
            expected.append((bool(own), None))
            continue
        earlier = [row for row in own if row[1] <= at]
        expected.append((True, (earlier[-1] if earlier else own[0])[3]))
    assert values_at(values, asked(*questions)).rows() == expected


@given(CHANGES, QUESTIONS, st.integers(0, 5))
def test_partitions_concatenate(
    changes: list[tuple[int, datetime, int, str | None]],
    questions: list[tuple[int, datetime | None]],
    cut: int,
) -> None:
    ordered = sorted(changes, key=lambda row: row[:3])
    values = told(*((case, "a", since, seq, value) for case, since, seq, value in ordered))
    moments = asked(*sorted(questions, key=lambda row: row[0]))
    low = pl.col("case_ix") < cut
    parts = [values_at(values.filter(side), moments.filter(side)) for side in (low, ~low)]
    assert_frame_equal(pl.concat(parts), values_at(values, moments))

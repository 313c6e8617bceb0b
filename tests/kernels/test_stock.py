"""Open cases at any moment: by hand, against a loop, and over partitions of whole cases."""

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from crmmining.kernels import stock

START = datetime(2026, 3, 2, tzinfo=UTC)
CREATE, WORK, CLOSE, REOPEN = range(4)
SCHEMA: dict[str, pl.DataType] = {
    "case_ix": pl.UInt32(),
    "activity": pl.UInt16(),
    "occurred_at": pl.Datetime("us", "UTC"),
}
ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(CREATE, REOPEN)), max_size=30).map(
    lambda rows: [
        (case, activity, START + timedelta(hours=hour))
        for hour, (case, activity) in enumerate(sorted(rows, key=lambda row: row[0]))
    ]
)


def log(rows: list[tuple[int, int, datetime]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def test_by_hand() -> None:
    codes = [CREATE, WORK, CLOSE, CLOSE, REOPEN, REOPEN, CLOSE]
    events = log([(0, code, START + timedelta(days=n)) for n, code in enumerate(codes)])
    assert stock.changes(events, [CREATE], [CLOSE], [REOPEN]).rows() == [
        (0, START, 1),
        (0, START + timedelta(days=2), -1),
        (0, START + timedelta(days=4), 1),
        (0, START + timedelta(days=6), -1),
    ]


def test_a_case_that_begins_with_its_end_was_never_open() -> None:
    events = log([(0, CLOSE, START), (1, CREATE, START)])
    assert stock.changes(events, [CREATE], [CLOSE], [REOPEN]).rows() == [(1, START, 1)]


def test_what_comes_before_the_beginning_opens_nothing() -> None:
    events = log([(0, WORK, START), (0, CREATE, START + timedelta(days=1))])
    assert stock.changes(events, [CREATE], [CLOSE], [REOPEN]).rows() == [(0, START + timedelta(days=1), 1)]


def test_nothing_in_nothing_out() -> None:
    assert stock.changes(log([]), [CREATE], [CLOSE], [REOPEN]).schema == SCHEMA_OF_CHANGES
    assert stock.changes(log([]), [CREATE], [CLOSE], [REOPEN]).is_empty()


SCHEMA_OF_CHANGES = {"case_ix": pl.UInt32, "occurred_at": pl.Datetime("us", "UTC"), "change": pl.Int64}


@given(ROWS)
def test_against_a_loop(rows: list[tuple[int, int, datetime]]) -> None:
    expected, is_open, current = [], False, -1
    begun = {case for case, activity, _ in rows if activity == CREATE}
    for case, activity, when in rows:
        first, current = case != current, case
        was = False if first else is_open
        unmarked = True if first and case not in begun else was
        now = {CREATE: True, CLOSE: False, REOPEN: True}.get(activity, unmarked)
        if now != was:
            expected.append((case, when, 1 if now else -1))
        is_open = now
    assert stock.changes(log(rows), [CREATE], [CLOSE], [REOPEN]).rows() == expected


@given(ROWS, st.integers(0, 5))
def test_partitions_of_whole_cases_concatenate(rows: list[tuple[int, int, datetime]], cut: int) -> None:
    events = log(rows)
    parts = [events.filter(pl.col("case_ix") < cut), events.filter(pl.col("case_ix") >= cut)]
    both = pl.concat([stock.changes(part, [CREATE], [CLOSE], [REOPEN]) for part in parts])
    assert both.equals(stock.changes(events, [CREATE], [CLOSE], [REOPEN]))

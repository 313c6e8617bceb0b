"""Lives cut into spans and whose turn it was in each: by hand, and part by part as in the whole."""

from datetime import UTC, datetime

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from crmmining.kernels import waiting

INSTANT = pl.Datetime("us", "UTC")
LIFE = pl.Schema({"case_ix": pl.UInt32(), "start": INSTANT, "end": INSTANT})
MOMENT = pl.Schema({"case_ix": pl.UInt32(), "at": INSTANT})
EVENT = pl.Schema({"case_ix": pl.UInt32(), "activity": pl.UInt16(), "occurred_at": INSTANT})
CLOSE, REOPEN, CALL, ASSIGN, BOTH = range(5)
MARKS = waiting.Marks(ends=[CLOSE], reopens=[REOPEN], touches=[CALL, BOTH], assigned=[ASSIGN, BOTH])


def hour(number: int) -> datetime:
    return datetime(2026, 3, 1, number, tzinfo=UTC)


def lives(*rows: tuple[int, int | None]) -> pl.DataFrame:
    cases = [
        (case, hour(start), None if end is None else hour(end)) for case, (start, end) in enumerate(rows)
    ]
    return pl.DataFrame(cases, schema=LIFE, orient="row")


def cut(found: pl.DataFrame) -> list[tuple[int, int, int]]:
    return [(case, start.hour, end.hour) for case, start, end in found.rows()]


def test_spans_follow_each_other_without_a_gap() -> None:
    known = lives((2, 9), (3, 3), (5, 4), (1, None), (0, 6))
    rows = [(0, hour(at)) for at in (7, 4, 4, 2, 9, 1, 12)]  # twice, at both ends, before and after
    rows += [(1, hour(3)), (2, hour(4)), (3, hour(2)), (4, hour(6))]
    found = waiting.spans(known, pl.DataFrame(rows, schema=MOMENT, orient="row"))
    assert cut(found) == [(0, 2, 4), (0, 4, 7), (0, 7, 9), (4, 0, 6)]
    assert found.schema == LIFE
    assert waiting.spans(known.clear(), pl.DataFrame(schema=MOMENT)).rows() == []


def test_the_last_event_of_a_moment_counts() -> None:
    told = [
        (0, CALL, 1),
        (0, CLOSE, 2),
        (0, REOPEN, 2),
        (0, ASSIGN, 3),
        (0, CALL, 3),
        (0, CLOSE, 4),
        (0, BOTH, 5),
    ]
    events = pl.DataFrame([(*row[:2], hour(row[2])) for row in told], schema=EVENT, orient="row")
    found = waiting.spans(lives((0, 6), (0, 1)), events.select("case_ix", at="occurred_at"))
    flags = waiting.flags(events, MARKS, found)
    assert cut(found)[:-1] == [(0, start, start + 1) for start in range(6)]
    assert flags["closed"].to_list() == [False, False, False, False, True, True, False]
    # assigned and called in one moment, in this order: touched; what is both begins anew
    assert flags["touched"].to_list() == [False, True, True, True, True, False, False]


def test_the_first_that_fits() -> None:
    rows = [  # covered, closed, status, holder known, queue, touched
        (False, True, "On Hold", True, "Q", True, waiting.UNKNOWN),
        (True, True, None, True, "Q", True, waiting.CLOSED),
        (True, False, None, True, "Q", True, waiting.UNKNOWN),
        (True, False, " ON hold ", False, "Q", True, waiting.ON_HOLD),
        (True, False, "New", False, "Q", True, waiting.UNKNOWN),
        (True, False, "New", True, "Q", True, waiting.IN_QUEUE),
        (True, False, "New", True, None, True, waiting.TOUCHED),
        (True, False, "New", True, None, False, waiting.UNTOUCHED),
    ]
    names = ("covered", "closed", "status", "holder_known", "queue", "touched", "expected")
    state = pl.DataFrame(rows, schema=names, orient="row")
    found = waiting.responsibilities(state, {"on hold": waiting.ON_HOLD})
    assert found.to_list() == state["expected"].to_list()
    assert waiting.responsibilities(state, {}).to_list()[3] == waiting.UNKNOWN


def test_hours_that_are_not_known_in_a_span_are_not_known_in_the_case() -> None:
    spans = waiting.spans(lives((0, 4)), pl.DataFrame([(0, hour(1))], schema=MOMENT, orient="row"))
    timed = spans.with_columns(responsibility=pl.lit(6, pl.UInt8), in_hours=pl.Series([5, None]))
    assert waiting.per_case(timed, []).rows() == [(0, 6, None, 4 * 3_600_000_000)]


ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 12)), max_size=30).map(
    lambda rows: sorted(rows, key=lambda row: (row[0], row[2]))
)


@settings(max_examples=30)
@given(ROWS, st.integers(1, 4))
def test_parts_of_a_log_are_parts_of_the_answer(rows: list[tuple[int, int, int]], place: int) -> None:
    known = lives((0, 12), (2, 7), (5, 5), (1, 12), (3, None))
    events = pl.DataFrame([(*row[:2], hour(row[2])) for row in rows], schema=EVENT, orient="row")

    def asked(own: pl.DataFrame, some: pl.DataFrame) -> pl.DataFrame:
        spans = waiting.spans(own, some.select("case_ix", at="occurred_at"))
        return spans.hstack(waiting.flags(some, MARKS, spans))

    def part(frame: pl.DataFrame, low: int, high: int) -> pl.DataFrame:
        mine = frame.filter(pl.col("case_ix").is_between(low, high, closed="left"))
        return mine.with_columns((pl.col("case_ix") - low).cast(pl.UInt32))

    halves = [
        asked(part(known, low, high), part(events, low, high)).with_columns(
            (pl.col("case_ix") + low).cast(pl.UInt32)
        )
        for low, high in ((0, place), (place, 5))
    ]
    assert_frame_equal(pl.concat(halves), asked(known, events))

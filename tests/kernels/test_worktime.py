"""Working time on compiled openings: by hand, and against sets of whole microseconds."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from crmmining.kernels.worktime import (
    NEVER,
    Int64Array,
    Spans,
    covered,
    due,
    next_opening,
    open_before,
    openings,
    without,
    worked,
)

LAST = 60  # all openings lie before this instant
WEEK = openings([(np.array([9, 33]), np.array([17, 41])), (np.array([0]), np.array([LAST]))])
NONE: Spans = (np.empty(0, np.int64), np.empty(0, np.int64))


def ints(*values: int) -> Int64Array:
    return np.array(values, dtype=np.int64)


def spans(pairs: list[tuple[int, int]]) -> Spans:
    return ints(*(min(pair) for pair in pairs)), ints(*(max(pair) for pair in pairs))


def inside(some: Spans) -> set[int]:
    return {at for begin, end in zip(*map(list, some), strict=True) for at in range(begin, end)}


PAIRS = st.lists(st.tuples(st.integers(0, LAST), st.integers(0, LAST)), max_size=6)
CALENDARS = st.lists(PAIRS.map(spans), min_size=1, max_size=3)


def test_shifts_of_two_days() -> None:
    assert WEEK.before.tolist() == [0, 8, 0]
    assert worked(WEEK, ints(0, 0, 0, 1), ints(9, 16, 17, 10), ints(41, 34, 33, 30)).tolist() == [
        16,
        2,
        0,
        20,
    ]
    assert worked(WEEK, ints(0), ints(34), ints(16)).tolist() == [-2]


def test_due_is_the_first_instant_that_will_do() -> None:
    found = due(WEEK, ints(0, 0, 0, 0, 0), ints(16, 16, 16, 20, 0), ints(1, 2, 0, 8, 17))
    assert found.tolist() == [17, 34, 16, 41, NEVER]


def test_the_next_opening_may_be_now() -> None:
    assert next_opening(WEEK, ints(0, 0, 0, 0), ints(3, 9, 17, 41)).tolist() == [9, 9, 33, NEVER]


def test_a_calendar_that_never_opens() -> None:
    shut = openings([NONE, (ints(5), ints(7))])
    assert worked(shut, ints(0, 1), ints(0, 0), ints(90, 90)).tolist() == [0, 2]
    assert due(shut, ints(0, 0), ints(3, 3), ints(1, 0)).tolist() == [NEVER, 3]
    assert next_opening(shut, ints(0), ints(3)).tolist() == [NEVER]
    assert worked(openings([NONE]), ints(0), ints(0), ints(9)).tolist() == [0]


def test_what_touches_is_one_and_what_two_share_may_be_nothing() -> None:
    morning, evening = (ints(9), ints(12)), (ints(12), ints(20))
    assert [ends.tolist() for ends in covered([morning, evening])] == [[9], [20]]
    assert [ends.tolist() for ends in covered([morning, evening], at_least=2)] == [[], []]
    assert [ends.tolist() for ends in without(morning, (ints(0), ints(24)))] == [[], []]


@settings(max_examples=50)
@given(CALENDARS)
def test_spans_are_sets(some: list[Spans]) -> None:
    every = [covered([one]) for one in some]
    sets = [inside(one) for one in some]
    assert inside(covered(every)) == set.union(*sets)
    assert inside(covered(every, at_least=len(every))) == set.intersection(*sets)
    assert inside(without(some[0], some[-1])) == sets[0] - sets[-1]
    for begins, ends in (*every, covered(every), without(some[0], some[-1])):
        assert (begins < ends).all()
        assert (ends[:-1] < begins[1:]).all(), "sorted, and none touches the next"


@settings(max_examples=50)
@given(CALENDARS, st.integers(0, 2), st.integers(-3, LAST + 3), st.integers(0, LAST))
def test_instants_are_counted(some: list[Spans], calendar: int, start: int, length: int) -> None:
    calendar %= len(some)
    compiled = openings([covered([one]) for one in some])
    working = sorted(at for at in inside(some[calendar]) if at >= start)
    which, at, end = ints(calendar), ints(start), ints(start + length)
    assert worked(compiled, which, at, end).item() == sum(one < start + length for one in working)
    expected = NEVER if len(working) < length else working[length - 1] + 1 if length else start
    assert due(compiled, which, at, ints(length)).item() == expected
    assert next_opening(compiled, which, at).item() == (working[0] if working else NEVER)


def test_many_openings_in_one_bucket_and_many_buckets_between() -> None:
    hours = 3_600_000_000
    opens = np.sort(np.random.default_rng(3).choice(40 * hours, 400, replace=False)).astype(np.int64)
    far = covered([(np.append(opens, 9_000 * hours), np.append(opens + 5_000_000, 9_001 * hours))])
    compiled = openings([far, (far[0] + 7, far[1] + 7)])
    at = np.sort(np.random.default_rng(4).integers(-hours, 9_002 * hours, 900))
    at = np.concatenate([at, *far, far[0] - 1, far[1] + 1])
    for calendar, late in ((0, 0), (1, 7)):
        counted = np.minimum(at[:, None], far[1] + late) - (far[0] + late)
        found = open_before(compiled, np.full(len(at), calendar), at)
        assert (found == np.maximum(counted, 0).sum(axis=1)).all()

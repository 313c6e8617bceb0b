"""Working time: what lies between two instants on calendars that were compiled to openings in UTC.

Everything is whole microseconds since 1970 (UTC), spans are half open [opens, closes), and every function
takes whole columns: `which` says the calendar of each row. F(t), the time a calendar was open before t, is
all there is to it: working time is F(end) - F(start), so that it adds up over any cut, and a due date is
where F reaches a number.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Int64Array = npt.NDArray[np.int64]
Spans = tuple[Int64Array, Int64Array]  # begins, ends
NEVER = np.iinfo(np.int64).max  # no such instant among the openings

_CHUNK = 1 << 15  # rows that are looked up together: what they need stays in the processor's cache
_BUCKET = 32  # bits of the length of a bucket: an hour and 12 minutes
_MOST_BUCKETS = 1 << 22


class Openings(NamedTuple):
    """When calendars are open: those of calendar i are rows first[i] to first[i + 1], sorted and apart.

    `before` is how long the calendar was open before the row, since its first opening.
    """

    first: Int64Array
    opens: Int64Array
    closes: Int64Array
    before: Int64Array
    buckets: "Buckets"


class Buckets(NamedTuple):
    """Where to look for an instant: for every calendar and stretch of 2^bits microseconds from `begin` on.

    `row` is the last that opens by the begin of the stretch (else the calendar's first), and at most `steps`
    more open inside it. The columns are those of the openings, with a row for calendars that never open.
    """

    begin: int
    bits: int
    many: int
    steps: int
    row: npt.NDArray[np.int32]
    opens: Int64Array
    closes: Int64Array
    ahead: Int64Array  # what was open before the row, less the instant at which it opens
    next_opens: Int64Array


def covered(spans: Sequence[Spans], at_least: int = 1) -> Spans:
    """Where at least so many of several sets of spans are, as spans that are sorted and do not touch.

    The spans of one set must not overlap unless `at_least` is 1.

    >>> early, late = (np.array([9]), np.array([12])), (np.array([11]), np.array([15]))
    >>> [ends.tolist() for ends in covered([early, late])]
    [[9], [15]]
    >>> [ends.tolist() for ends in covered([early, late], at_least=2)]
    [[11], [12]]
    """
    begins = np.concatenate([np.empty(0, np.int64), *(one for one, _ in spans)])
    ends = np.concatenate([np.empty(0, np.int64), *(one for _, one in spans)])
    at, place = np.unique(np.concatenate([begins, ends]), return_inverse=True)
    steps = np.bincount(place[: len(begins)], minlength=len(at))
    steps -= np.bincount(place[len(begins) :], minlength=len(at))
    inside = np.cumsum(steps) >= at_least
    edge = np.flatnonzero(inside != np.concatenate([[False], inside[:-1]]))
    found: Int64Array = at[edge].astype(np.int64)
    return found[::2], found[1::2]


def without(spans: Spans, taken: Spans) -> Spans:
    """Spans with the parts taken out that `taken` covers; either may overlap itself.

    >>> day, lunch = (np.array([9]), np.array([17])), (np.array([12]), np.array([13]))
    >>> [ends.tolist() for ends in without(day, lunch)]
    [[9, 13], [12, 17]]
    """
    begins, ends = covered([spans])
    gone, back = covered([taken])
    if not len(begins):
        return begins, ends
    low, high = np.array([begins[0]]), np.array([ends[-1]])
    inside = (gone < high) & (back > low)
    gone, back = np.maximum(gone[inside], low), np.minimum(back[inside], high)
    left = np.concatenate([low, back]), np.concatenate([gone, high])
    some = left[0] < left[1]
    return covered([(begins, ends), (left[0][some], left[1][some])], at_least=2)


def openings(calendars: Sequence[Spans]) -> Openings:
    """Compile calendars, each of spans that are sorted and apart, as `covered` makes them.

    >>> openings([(np.array([9, 13]), np.array([12, 17]))]).before.tolist()
    [0, 3]
    """
    first = np.concatenate([[0], np.cumsum([len(opens) for opens, _ in calendars])]).astype(np.int64)
    opens = np.concatenate([np.empty(0, np.int64), *(opens for opens, _ in calendars)])
    closes = np.concatenate([np.empty(0, np.int64), *(closes for _, closes in calendars)])
    total = np.concatenate([[0], np.cumsum(closes - opens)])
    before = total[:-1] - np.repeat(total[first[:-1]], np.diff(first))
    return Openings(first, opens, closes, before, _buckets(first, opens, closes, before))


def worked(openings: Openings, which: Int64Array, start: Int64Array, end: Int64Array) -> Int64Array:
    """Microseconds open in [start, end) on the calendar `which` of each row; below 0 where end < start.

    >>> weekdays = openings([(np.array([9, 33]), np.array([17, 41]))])
    >>> worked(weekdays, np.array([0, 0]), np.array([16, 17]), np.array([34, 33])).tolist()
    [2, 0]
    """
    return open_before(openings, which, end) - open_before(openings, which, start)


def open_before(openings: Openings, which: Int64Array, at: Int64Array) -> Int64Array:
    """F: microseconds for which the calendar of each row was open before `at`, since its first opening."""
    ways = openings.buckets
    found = np.empty(len(at), dtype=np.int64)
    for begin in range(0, len(at), _CHUNK):
        now = at[begin : begin + _CHUNK]
        place = np.clip((now - ways.begin) >> ways.bits, 0, ways.many - 1)
        row = ways.row.take(place + which[begin : begin + _CHUNK] * ways.many)
        for _ in range(ways.steps):
            row += ways.next_opens.take(row) <= now
        inside = np.maximum(np.minimum(now, ways.closes.take(row)), ways.opens.take(row))
        found[begin : begin + _CHUNK] = inside + ways.ahead.take(row)
    return found


def due(openings: Openings, which: Int64Array, start: Int64Array, span: Int64Array) -> Int64Array:
    """The first instant at which so many microseconds from `start` on were worked; `NEVER` past the openings.

    It is `start` itself for a span of 0, and the close of an opening, not the next opening, where both would
    do. `span` is not negative.

    >>> weekdays = openings([(np.array([9, 33]), np.array([17, 41]))])
    >>> due(weekdays, np.array([0, 0, 0]), np.array([16, 16, 16]), np.array([1, 2, 0])).tolist()
    [17, 34, 16]
    """
    found = np.where(span == 0, start, NEVER)
    goal = open_before(openings, which, start) + span
    for calendar, rows in _rows(openings, which):
        opens, closes, before = _of(openings, calendar)
        asked = goal[rows]
        place = np.maximum(np.searchsorted(before, asked, side="left") - 1, 0)
        there = opens[place] + asked - before[place]
        found[rows] = np.where(span[rows] == 0, start[rows], np.where(there > closes[place], NEVER, there))
    return found


def next_opening(openings: Openings, which: Int64Array, at: Int64Array) -> Int64Array:
    """The first instant from `at` on at which the calendar is open; `NEVER` past the openings.

    >>> weekdays = openings([(np.array([9, 33]), np.array([17, 41]))])
    >>> next_opening(weekdays, np.array([0, 0]), np.array([10, 17])).tolist()
    [10, 33]
    """
    found = np.full(len(at), NEVER, dtype=np.int64)
    for calendar, rows in _rows(openings, which):
        opens, closes, _ = _of(openings, calendar)
        asked = at[rows]
        place = np.searchsorted(closes, asked, side="right")
        found[rows] = np.maximum(np.append(opens, NEVER)[place], asked)
    return found


def _buckets(first: Int64Array, opens: Int64Array, closes: Int64Array, before: Int64Array) -> Buckets:
    begin, end = (int(opens.min()), int(closes.max())) if len(opens) else (0, 0)
    bits = _BUCKET
    while (len(first) - 1) * ((end - begin) >> bits) > _MOST_BUCKETS:
        bits += 1
    starts = begin + (np.arange(((end - begin) >> bits) + 2) << bits)
    rows, steps = [], 0
    for early, late in pairwise(first):
        opened = np.searchsorted(opens[early:late], starts, side="right")
        steps = max(steps, int(np.diff(opened).max()))
        row = np.maximum(opened - 1, 0) + early if late > early else np.full(len(starts), len(opens))
        rows.append(row.astype(np.int32))
    following = np.append(opens[1:], np.full(min(len(opens), 1), NEVER))
    following[first[1:][first[1:] > 0] - 1] = NEVER
    return Buckets(
        begin,
        bits,
        len(starts),
        steps,
        np.concatenate([np.empty(0, np.int32), *rows]),
        np.append(opens, 0),
        np.append(closes, 0),
        np.append(before - opens, 0),
        np.append(following, NEVER),
    )


def _of(openings: Openings, calendar: int) -> tuple[Int64Array, Int64Array, Int64Array]:
    rows = slice(openings.first[calendar], openings.first[calendar + 1])
    return openings.opens[rows], openings.closes[rows], openings.before[rows]


def _rows(openings: Openings, which: Int64Array) -> list[tuple[int, Int64Array]]:
    """The rows of every calendar that has any, and an opening."""
    order = np.argsort(which.astype(np.uint16), kind="stable")
    ends = np.searchsorted(which[order], np.arange(len(openings.first)))
    return [
        (calendar, order[ends[calendar] : ends[calendar + 1]])
        for calendar in range(len(openings.first) - 1)
        if ends[calendar] < ends[calendar + 1] and openings.first[calendar] < openings.first[calendar + 1]
    ]

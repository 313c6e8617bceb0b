"""Waiting: the life of each case cut into spans, and whose turn it was in each."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

from crmmining.kernels.standing import last_rows
from crmmining.kernels.traces import Flags

CLOSED, RESOLVED, ON_HOLD, WITH_CUSTOMER, IN_QUEUE, UNTOUCHED, TOUCHED, UNKNOWN = range(8)


class Marks(NamedTuple):
    """Codes of the activities that end and reopen a case, touch it and give it to somebody."""

    ends: Collection[int]
    reopens: Collection[int]
    touches: Collection[int]
    assigned: Collection[int]

    @property
    def all(self) -> list[int]:
        """All of them."""
        return sorted({*self.ends, *self.reopens, *self.touches, *self.assigned})


def spans(lives: pl.DataFrame, moments: pl.DataFrame) -> pl.DataFrame:
    """Cut lives at moments: `case_ix`, `start`, `end`, by case and time; none is empty.

    `lives` has `case_ix`, `start` and `end`, row i being case i; one without an end (null), or whose end does
    not lie after its start, has no span. `moments` (`case_ix`, `at`) may be in any order, outside the life
    and twice. The spans of a case follow each other without a gap from its start to its end.

    >>> from datetime import UTC, datetime
    >>> days = [datetime(2026, 5, day, tzinfo=UTC) for day in range(1, 6)]
    >>> lives = pl.DataFrame({"case_ix": [0], "start": days[1], "end": days[4]})
    >>> spans(lives, pl.DataFrame({"case_ix": [0, 0], "at": [days[2], days[0]]}))["start"].dt.day().to_list()
    [2, 3]
    """
    alive = lives.filter(pl.col("start") < pl.col("end"))
    own = lives.select("start", "end")[moments["case_ix"]]
    inside = moments.hstack(own).filter(pl.col("start") < pl.col("at"), pl.col("at") < pl.col("end"))
    starts = pl.concat([alive.select("case_ix", "start"), inside.select("case_ix", start="at")])
    cut = starts.unique().sort("case_ix", "start")
    following = pl.col("start").shift(-1)
    last = pl.col("case_ix").ne_missing(pl.col("case_ix").shift(-1))
    return cut.with_columns(lives["end"].gather(cut["case_ix"])).select(
        "case_ix", "start", end=pl.when(last).then("end").otherwise(following)
    )


def flags(events: pl.DataFrame, marks: Marks, spans: pl.DataFrame) -> pl.DataFrame:
    """Say of the start of each span whether the case was `closed`, and `touched` since it was last assigned.

    `events` (`case_ix`, `activity`, `occurred_at`) are in log order; an event at the very start has happened,
    and of several the last one counts. A case never assigned counts as assigned from the beginning.
    """
    at = spans.select("case_ix", at="start")
    return pl.DataFrame(
        {
            "closed": in_force(events, at, marks.ends, marks.reopens),
            "touched": in_force(events, at, marks.touches, marks.assigned),
        }
    )


def in_force(events: pl.DataFrame, at: pl.DataFrame, sets: Collection[int], clears: Collection[int]) -> Flags:
    """Say whether the last event of the two sets, at each of `at`, was of the first; what is in both clears.

    `events` (`case_ix`, `activity`, `occurred_at`) are in log order, `at` (`case_ix`, `at`) may be in any. An
    event at that very moment has happened; before any of the case, and at no moment (null), it is false.

    >>> from datetime import UTC, datetime
    >>> may, june = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    >>> events = pl.DataFrame({"case_ix": [0, 0], "activity": [3, 4], "occurred_at": [may, june]})
    >>> in_force(events, pl.DataFrame({"case_ix": [0, 0], "at": [june, may]}), [3], [4]).tolist()
    [False, True]
    """
    sets = set(sets) - set(clears)
    told = events.filter(pl.col("activity").is_in([*sets, *clears]))
    place = last_rows(told.select("case_ix", at="occurred_at"), at)
    set_by = np.append(told["activity"].is_in(list(sets)).to_numpy(), False)
    return set_by[place]


def responsibilities(spans: pl.DataFrame, meaning: Mapping[str, int]) -> pl.Series:
    """Say whose turn it was in each span, as a code; the first that fits (UInt8).

    `spans` has `covered`, `closed`, `touched`, `holder_known` (Boolean), `status` (String, null: not known),
    `queue` (String, null: not in a queue); `meaning` is the code that a status stands for, in small letters
    and without spaces around it. A span that is not covered is unknown; then: closed (an end in force, before
    the final one), unknown without a status, what the status means, unknown without a holder, in a queue,
    touched or not.
    """
    status = pl.col("status")
    meant = (
        status.str.strip_chars()
        .str.to_lowercase()
        .replace_strict(list(meaning), list(meaning.values()), default=None, return_dtype=pl.UInt8)
    )
    code = (
        pl.when(~pl.col("covered"))
        .then(UNKNOWN)
        .when("closed")
        .then(CLOSED)
        .when(status.is_null())
        .then(UNKNOWN)
        .when(meant.is_not_null())
        .then(meant)
        .when(~pl.col("holder_known"))
        .then(UNKNOWN)
        .when(pl.col("queue").is_not_null())
        .then(IN_QUEUE)
        .when("touched")
        .then(TOUCHED)
        .otherwise(UNTOUCHED)
    )
    return spans.select(code.cast(pl.UInt8).alias("responsibility")).to_series()


def per_case(spans: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Add up the spans of each case and cell: `case_ix`, `responsibility`, `keys`, and microseconds (Int64).

    `elapsed` and `in_hours` (null where it is not known in a span); rows by case, responsibility and keys.
    """
    cell = ["case_ix", "responsibility", *keys]
    worked = pl.col("in_hours")
    return (
        spans.group_by(cell)
        .agg(
            in_hours=pl.when(worked.is_not_null().all()).then(worked.sum()),
            elapsed=(pl.col("end") - pl.col("start")).to_physical().sum(),
        )
        .sort(cell, nulls_last=True)
    )

"""Spans: from a first milestone of a case to the first later one, and how long that took or takes so far."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple

import polars as pl

from crmmining.calendars import Calendars
from crmmining.definitions.segments import NOW, Segment
from crmmining.eventlog import standing
from crmmining.eventlog.partition import Partition
from crmmining.kernels import throughput
from crmmining.summaries import CLOSED, seconds

_SECOND = 1_000_000  # microseconds


def all_have(segments: Iterable[Segment], start: str) -> bool:
    """Whether every case that passed `start` has these segments, whatever became of it since.

    Those that count at a later milestone are unknown of cases that have not come there.
    """
    return {segment.basis for segment in segments} <= {None, NOW, "created", start}


def pairs(partition: Partition, starts: Collection[int], ends: Collection[int]) -> pl.DataFrame:
    """`start` and `end` of every case, in their order: see `EventLog.pairs`."""
    found = throughput.between(partition.columns("case_ix", "activity", "occurred_at"), starts, ends)
    cases = partition.of_cases("case_ix")
    return cases.join(found, on="case_ix", how="left", maintain_order="left").drop("case_ix")


class Asked(NamedTuple):
    """What is asked of spans: activity codes, those that close cases among them; with `hours` business time.

    Null `ends` stand for the closing in force. `words` are what the rules of `hours` ask, as it was at the
    start.
    """

    starts: frozenset[int]
    ends: frozenset[int] | None
    closings: frozenset[int]
    as_of: datetime
    hours: Calendars | None
    words: tuple[Segment, ...]


def spans(partition: Partition, asked: Asked) -> pl.DataFrame:
    """`pairs`, `CLOSED` and `seconds` in each clock (whole ones), for `summaries.durations`.

    The closing in force ends a span that has not reached its end, unless it lies before its start; one in the
    same second lies after it, but for a start that is itself a closing. Other spans last until `as_of`.
    """
    found = pairs(partition, asked.starts, asked.ends or ())
    known = found.hstack(partition.of_cases("open", "outcome_at"))
    start, end, closed_at = pl.col("start"), pl.col("end"), pl.col("outcome_at")
    later = closed_at > start if asked.starts & asked.closings else closed_at >= start
    if asked.ends is None:
        known = known.with_columns(end=pl.when(~pl.col("open") & later).then(closed_at))
    closed = (end.is_null() & ~pl.col("open") & later).fill_null(value=False)
    last = pl.when(closed).then(closed_at).otherwise(pl.lit(asked.as_of, pl.Datetime("us", "UTC")))
    known = known.select("start", "end", closed.alias(CLOSED), until=pl.coalesce(end, last))
    lasted = (pl.col("until") - start).dt.total_seconds().alias(seconds("calendar"))
    found = known.select("start", "end", CLOSED, lasted)
    if asked.hours is None:
        return found
    began = partition.of_cases("case_ix").with_columns(known["start"].alias("at"))
    which = asked.hours.of(standing.cells(partition, asked.words, lambda _: began, asked.as_of, None))
    worked = asked.hours.worked(which, known["start"], known["until"]) // _SECOND
    return found.with_columns(worked.alias(seconds("business")))

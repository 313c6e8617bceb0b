"""Spans: from a first milestone of a case to the first later one, and how long that took or takes so far."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

import polars as pl

from crmmining.eventlog.partition import Partition
from crmmining.kernels import throughput
from crmmining.summaries import CLOSED, seconds


def pairs(partition: Partition, starts: Collection[int], ends: Collection[int]) -> pl.DataFrame:
    """`start` and `end` of every case, in their order: see `EventLog.pairs`."""
    found = throughput.between(partition.columns("case_ix", "activity", "occurred_at"), starts, ends)
    cases = partition.of_cases("case_ix")
    return cases.join(found, on="case_ix", how="left", maintain_order="left").drop("case_ix")


class Asked(NamedTuple):
    """What is asked of spans: activity codes, those that close cases among them, and in which clocks."""

    starts: frozenset[int]
    ends: frozenset[int]
    closings: frozenset[int]
    as_of: datetime
    clocks: tuple[str, ...]


def spans(partition: Partition, asked: Asked) -> pl.DataFrame:
    """`pairs`, `CLOSED` and `seconds` in each clock, for `summaries.durations`.

    The closing in force ends a span that has not reached its end, unless it lies before its start; one in the
    same second lies after it, but for a start that is itself a closing. Other spans last until `as_of`.
    """
    known = pairs(partition, asked.starts, asked.ends).hstack(partition.of_cases("open", "outcome_at"))
    start, end, closed_at = pl.col("start"), pl.col("end"), pl.col("outcome_at")
    later = closed_at > start if asked.starts & asked.closings else closed_at >= start
    closed = (end.is_null() & ~pl.col("open") & later).fill_null(value=False)
    last = pl.when(closed).then(closed_at).otherwise(pl.lit(asked.as_of, pl.Datetime("us", "UTC")))
    lasted = (pl.coalesce(end, last) - start).dt.total_seconds()
    return known.select("start", "end", closed.alias(CLOSED), lasted.alias(seconds("calendar")))

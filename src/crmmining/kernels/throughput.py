"""Throughput: when a case got from one activity to another, and when it was first and last seen."""

from collections.abc import Collection

import numpy as np
import polars as pl

from crmmining.kernels.traces import first_of_run, traces


def between(events: pl.DataFrame, starts: Collection[int], ends: Collection[int]) -> pl.DataFrame:
    """Find each case's first event among `starts` and the first later one among `ends`.

    `case_ix`, `start`, `end` (Datetime, UTC): one row per case that has a start; `end` is null while nothing
    at a later place in the case's log ends it. An activity in both sets does not end itself.
    """
    log = traces(events)
    begin = log.among(starts)
    begin = begin[first_of_run(log.case[begin])]
    finish = log.among(ends)
    after = np.searchsorted(finish, begin, side="right")
    reached = after < len(finish)
    finish = np.append(finish, 0)[after]
    reached &= log.case[finish] == log.case[begin]
    time = events["occurred_at"]
    return pl.DataFrame(
        {"case_ix": events["case_ix"].gather(begin), "start": time.gather(begin), "end": time.gather(finish)}
    ).with_columns(pl.when(pl.Series(reached, dtype=pl.Boolean)).then("end"))


def spans(events: pl.DataFrame) -> pl.DataFrame:
    """Say when each case was first and last seen: `case_ix`, `first_at`, `last_at`, `n_events` (Int64)."""
    log = traces(events)
    time = events["occurred_at"]
    return pl.DataFrame(
        {
            "case_ix": events["case_ix"].gather(log.starts),
            "first_at": time.gather(log.starts),
            "last_at": time.gather(log.ends - 1),
            "n_events": log.lengths,
        }
    )

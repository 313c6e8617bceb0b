"""Stock: when each case was opened and closed, so that open cases can be counted at any moment."""

from collections.abc import Collection

import numpy as np
import polars as pl

from crmmining.kernels.traces import traces


def changes(
    events: pl.DataFrame, begins: Collection[int], ends: Collection[int], reopens: Collection[int]
) -> pl.DataFrame:
    """Find the events at which cases open and close: their columns but activity, `change` (Int64, +1 or -1).

    A case opens with an event among `begins` (without one: with its first event, unless that ends it),
    closes with one among `ends` and opens again with one among `reopens`; closing a closed case or opening
    an open one changes nothing.

    >>> from datetime import UTC, datetime
    >>> days = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3, 4)]
    >>> log = pl.DataFrame({"case_ix": [0] * 4, "activity": [0, 9, 9, 7], "occurred_at": days},
    ...                    schema_overrides={"case_ix": pl.UInt32, "activity": pl.UInt16})
    >>> changes(log, begins=[0], ends=[9], reopens=[7])["change"].to_list()
    [1, -1, 1]
    """
    log = traces(events)
    mark = np.zeros(len(log.case), dtype=np.int64)
    begun = log.among(begins)
    mark[log.starts[~np.isin(log.cases, log.case[begun])]] = 1
    mark[begun] = 1
    mark[log.among(reopens)] = 1
    mark[log.among(ends)] = -1
    at = np.flatnonzero(mark)
    before = np.full(len(at), -1, dtype=np.int64)
    same = log.case[at[1:]] == log.case[at[:-1]]
    before[1:][same] = mark[at[:-1]][same]
    at = at[mark[at] != before]
    found: pl.DataFrame = events.drop("activity")[at]
    return found.with_columns(change=pl.Series(mark[at], dtype=pl.Int64))

"""Transitions: which activity directly follows which inside a case, how often, and after how long."""

import numpy as np
import polars as pl

from crmmining.kernels.packing import tally_rows
from crmmining.kernels.traces import first_of_run, traces

TALLY = pl.Schema({"source": pl.UInt16, "target": pl.UInt16, "seconds": pl.Int64, "n": pl.Int64})
MICROSECONDS = 1_000_000


def transitions(events: pl.DataFrame, *, same_save: bool = False) -> pl.DataFrame:
    """Tally directly-follows pairs: `source`, `target`, `seconds` between them (whole, rounded down), `n`.

    Pairs of one `change_set`, where the log has that column, are left out unless `same_save`.

    >>> from datetime import UTC, datetime
    >>> log = pl.DataFrame({"case_ix": [0, 0], "activity": [1, 5],
    ...                     "occurred_at": [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2)]},
    ...                    schema_overrides={"case_ix": pl.UInt32, "activity": pl.UInt16})
    >>> transitions(log).rows()
    [(1, 5, 86400, 1)]
    """
    log = traces(events)
    time = events["occurred_at"].to_physical().to_numpy()
    apart = None if same_save or "change_set" not in events.columns else events["change_set"].to_numpy()
    size = len(log.case) - len(log.starts)
    source, target = np.empty(size, dtype=np.uint16), np.empty(size, dtype=np.uint16)
    seconds = np.empty(size, dtype=np.int64)
    filled = 0
    for _cases, within, stretch in log.blocks():
        follows = stretch.follows[1:]
        if apart is not None:
            follows &= apart[within][1:] != apart[within][:-1]
        pairs = slice(filled, filled := filled + int(np.count_nonzero(follows)))
        source[pairs] = stretch.activity[:-1][follows]
        target[pairs] = stretch.activity[1:][follows]
        seconds[pairs] = np.diff(time[within])[follows] // MICROSECONDS
    found = {"source": source[:filled], "target": target[:filled], "seconds": seconds[:filled]}
    return tally_rows(pl.DataFrame(found))


def summarise(tally: pl.DataFrame) -> pl.DataFrame:
    """Sum a tally of transitions, as `transitions` and `merge.add` sort it, up per edge.

    `source`, `target`, `n`, `total_seconds` (Int64), `median_seconds`, `p90_seconds`, `mean_seconds`
    (Float64). Quantiles interpolate linearly between the two nearest values, as DuckDB's quantile_cont does.
    """
    edge = [name for name in ("source", "target") if len(tally)]
    first = np.logical_or.reduce([first_of_run(tally[name].to_numpy()) for name in edge]) if edge else []
    start = np.flatnonzero(first)
    seconds, n = tally["seconds"].to_numpy(), tally["n"].to_numpy()
    reached = np.cumsum(n)
    below = (reached - n)[start]
    count = np.diff(below, append=reached[-1:])

    def quantile(tenths: int) -> pl.Series:
        whole, part = np.divmod((count - 1) * tenths, 10)
        low = seconds[np.searchsorted(reached, below + whole, side="right")]
        high = seconds[np.searchsorted(reached, below + whole + (part > 0), side="right")]
        return pl.Series(low + (high - low) * part / 10, dtype=pl.Float64)

    total = np.add.reduceat(seconds * n, start) if edge else count
    return (
        tally[start]
        .select("source", "target", n=pl.Series(count), total_seconds=pl.Series(total))
        .with_columns(
            median_seconds=quantile(5),
            p90_seconds=quantile(9),
            mean_seconds=pl.col("total_seconds") / pl.col("n"),
        )
    )


def endpoints(events: pl.DataFrame) -> pl.DataFrame:
    """Say where each case begins and ends: `case_ix`, `first`, `last` (activity codes)."""
    log = traces(events)
    return pl.DataFrame(
        {"case_ix": log.cases, "first": log.activity[log.starts], "last": log.activity[log.ends - 1]},
        schema={"case_ix": pl.UInt32, "first": pl.UInt16, "last": pl.UInt16},
    )

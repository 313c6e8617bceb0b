"""Rework: what was done again, at once or later, and what moved backwards or skipped ahead."""

import numpy as np
import polars as pl

from crmmining.kernels.packing import tally_rows
from crmmining.kernels.traces import traces

WORD = 64


def rework(events: pl.DataFrame) -> pl.DataFrame:
    """Count each case's rework: `case_ix`, `n_events`, `repeats`, `self_loops`, `regressions`, `skips` (Int64).

    Repeats are events minus distinct activities; a self-loop is an event whose predecessor has its activity.
    Regressions (`direction` -1) and skips (`direction` 2) are 0 when the log has no `direction`.
    """
    log = traces(events)
    n = len(log.starts)
    distinct = np.zeros(n, dtype=np.int64)
    for low in range(0, int(log.activity.max(initial=0)) + 1, WORD):
        bit = np.where(
            log.activity // WORD == low // WORD,
            np.uint64(1) << (log.activity % WORD).astype(np.uint64),
            np.uint64(0),
        )
        distinct += np.bitwise_count(np.bitwise_or.reduceat(bit, log.starts)) if n else distinct

    def per_case(flags: np.ndarray) -> np.ndarray:
        below = np.concatenate([[0], np.cumsum(flags)])
        return below[log.ends] - below[log.starts]

    facts = {
        "case_ix": log.cases,
        "n_events": log.lengths,
        "repeats": log.lengths - distinct,
        "self_loops": per_case(log.repeats_at_once()),
    }
    for name, direction in (("regressions", -1), ("skips", 2)):
        if "direction" in events.columns:
            facts[name] = per_case((events["direction"] == direction).fill_null(value=False).to_numpy())
        else:
            facts[name] = np.zeros(n, dtype=np.int64)
    return pl.DataFrame(facts)


def rework_by_activity(events: pl.DataFrame) -> pl.DataFrame:
    """Tally rework per `activity`: `cases`, `events`, `rework_cases`, `repeats`, `self_loops` (Int64).

    `rework_cases` are cases with the activity more than once, `repeats` its events beyond each case's first.
    """
    log = traces(events)
    counts = tally_rows(events.select("case_ix", "activity"))
    many = pl.col("n") > 1
    again = pl.Series(log.activity[log.repeats_at_once()])
    loops = again.to_frame("activity").group_by("activity").agg(self_loops=pl.len().cast(pl.Int64))
    return (
        counts.group_by("activity")
        .agg(
            cases=pl.len().cast(pl.Int64),
            events=pl.sum("n"),
            rework_cases=many.sum().cast(pl.Int64),
            repeats=(pl.col("n") - 1).sum(),
        )
        .join(loops, on="activity", how="left")
        .with_columns(pl.col("self_loops").fill_null(0))
        .sort("activity")
    )

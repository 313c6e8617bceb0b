"""Rework: what was done again, at once or later, and what moved backwards or skipped ahead."""

import numpy as np
import polars as pl

from crmmining.kernels.traces import Ints, Traces, first_of_run, traces

SMALL = 32
DIRECTIONS = {"regressions": -1, "skips": 2}


def rework(events: pl.DataFrame) -> pl.DataFrame:
    """Count each case's rework: `case_ix`, `n_events`, `repeats`, `self_loops`, `regressions`, `skips`.

    Counts are Int64. Repeats are events minus distinct activities; a self-loop is an event whose predecessor
    has its activity. Regressions (`direction` -1) and skips (`direction` 2) are 0 when there is
    no `direction`.

    >>> log = pl.DataFrame({"case_ix": [0, 0, 0, 0], "activity": [1, 5, 5, 1]},
    ...                    schema={"case_ix": pl.UInt32, "activity": pl.UInt16})
    >>> rework(log).rows()
    [(0, 4, 2, 1, 0, 0)]
    """
    log = traces(events)
    codes = int(log.activity.max(initial=0)) + 1
    counts = {
        name: np.zeros(len(log.starts), dtype=np.int64) for name in ("repeats", "self_loops", *DIRECTIONS)
    }
    if "direction" in events.columns:
        moves = events["direction"].fill_null(0).to_numpy()
    else:
        moves = np.zeros(len(events), dtype=np.int8)
    for cases, within, stretch in log.blocks():
        case, _, _ = _kinds(stretch, codes)
        counts["repeats"][cases] = stretch.lengths - np.bincount(case, minlength=len(stretch.starts))
        counts["self_loops"][cases] = np.add.reduceat(stretch.loops, stretch.starts, dtype=np.int64)
        for name, direction in DIRECTIONS.items():
            counts[name][cases] = np.add.reduceat(moves[within] == direction, stretch.starts, dtype=np.int64)
    return pl.DataFrame({"case_ix": log.cases, "n_events": log.lengths, **counts})


def rework_by_activity(events: pl.DataFrame) -> pl.DataFrame:
    """Tally rework per `activity`: `cases`, `events`, `rework_cases`, `repeats`, `self_loops` (Int64).

    `rework_cases` are cases with the activity more than once, `repeats` its events beyond each case's first.
    """
    log = traces(events)
    codes = int(log.activity.max(initial=0)) + 1
    cases, rework_cases, loops = np.zeros((3, codes), dtype=np.int64)
    for _, _, stretch in log.blocks():
        _, activity, times = _kinds(stretch, codes)
        cases += np.bincount(activity, minlength=codes)
        rework_cases += np.bincount(activity[times > 1], minlength=codes)
        loops += np.bincount(stretch.activity[stretch.loops], minlength=codes)
    total = np.bincount(log.activity, minlength=codes)
    present = np.flatnonzero(total)
    return pl.DataFrame(
        {
            "activity": present.astype(np.uint16),
            "cases": cases[present],
            "events": total[present],
            "rework_cases": rework_cases[present],
            "repeats": (total - cases)[present],
            "self_loops": loops[present],
        }
    )


def _kinds(stretch: Traces, codes: int) -> tuple[Ints, Ints, Ints]:
    """Count each activity inside each case of a stretch: case (counted from 0), activity, times.

    A table of all cases and activities is the fastest way while it stays small, sorting the pairs otherwise.
    """
    case = np.repeat(np.arange(len(stretch.starts)), stretch.lengths)
    pairs = case * codes + stretch.activity
    if codes <= SMALL:
        table = np.bincount(pairs)
        found = np.flatnonzero(table)
        times = table[found]
    else:
        pairs.sort()
        first = np.flatnonzero(first_of_run(pairs))
        found = pairs[first]
        times = np.diff(first, append=len(pairs))
    return *np.divmod(found, codes), times

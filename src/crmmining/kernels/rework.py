"""Rework: what was done again, at once or later, and what moved backwards or skipped ahead."""

import numpy as np
import numpy.typing as npt
import polars as pl

from crmmining.kernels.traces import Ints, Traces, first_of_run, traces

CODES = 1 << 16
DIRECTIONS = {"regressions": -1, "skips": 2}


def rework(events: pl.DataFrame) -> pl.DataFrame:
    """Count each case's rework: `case_ix`, `n_events`, `repeats`, `self_loops`, `regressions`, `skips`.

    Counts are Int64. Repeats are events minus distinct activities; a self-loop is an event whose predecessor has its activity.
    Regressions (`direction` -1) and skips (`direction` 2) are 0 when the log has no `direction`.

    >>> log = pl.DataFrame({"case_ix": [0, 0, 0, 0], "activity": [1, 5, 5, 1]},
    ...                    schema={"case_ix": pl.UInt32, "activity": pl.UInt16})
    >>> rework(log).rows()
    [(0, 4, 2, 1, 0, 0)]
    """
    log = traces(events)
    counts = {
        name: np.zeros(len(log.starts), dtype=np.int64) for name in ("repeats", "self_loops", *DIRECTIONS)
    }
    if "direction" in events.columns:
        moves = events["direction"].fill_null(0).to_numpy()
    else:
        moves = np.zeros(len(events), dtype=np.int8)
    for cases, within, stretch in log.blocks():
        case, _, _ = _kinds(stretch)
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
    cases, rework_cases, loops = np.zeros((3, CODES), dtype=np.int64)
    for _, _, stretch in log.blocks():
        _, activity, times = _kinds(stretch)
        cases += np.bincount(activity, minlength=CODES)
        rework_cases += np.bincount(activity[times > 1], minlength=CODES)
        loops += np.bincount(stretch.activity[stretch.loops], minlength=CODES)
    total = np.bincount(log.activity, minlength=CODES)
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


def _kinds(stretch: Traces) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32], Ints]:
    """Count each activity inside each case of a stretch: case (counted from 0), activity, times."""
    case = np.repeat(np.arange(len(stretch.starts), dtype=np.uint32), stretch.lengths)
    pairs = np.sort(case << np.uint32(16) | stretch.activity)
    first = np.flatnonzero(first_of_run(pairs))
    kinds = pairs[first]
    return kinds >> np.uint32(16), kinds & np.uint32(CODES - 1), np.diff(first, append=len(pairs))

"""Service levels: how each milestone of a case stands, from its start, target and completion."""

from typing import Final

import polars as pl

STATES: Final = ("met", "violated", "running", "running_late", "stopped", "void", "faulty")
INSTANT: Final = pl.Datetime("us", "UTC")


def states(milestones: pl.DataFrame, cases: pl.DataFrame, now: pl.Expr) -> pl.DataFrame:
    """Say how milestones stand at the moment `now` (Datetime UTC), row by row: those given and three columns.

    `milestones`: case_ix, started_at, target_at, completed_at (Datetime UTC; null: not on record),
    completed_unknown (Boolean: completed, nothing tells when) and closed_before (Boolean: the case was closed
    just before the target, whatever became of it later; where the target lies ahead: it is closed now). Row i
    of `cases` is case_ix i: open, reopened_at (first) and stopped_since (null: the clock runs). A target is
    as the CRM extracted it: it already leaves out what was stopped. It has passed at its very instant, unless
    the milestone is completed then; a case closed at that instant is closed late.

    `state` (String) is the first that holds: `faulty` (times that cannot be: no start, completed before it or
    after `as_of`, a target before it), `void` (no target, or completed at an unknown moment), `met`,
    `violated` (completed late), `void` (the case was closed before the target, or is closed and its clock had
    stood still since before the target), `violated` (the case is closed, without it), `stopped` (since before
    the target), `running_late`, `running`. `reason` (String) says why it is faulty, void or violated.
    `after_reopening` (Boolean): started at or after the first reopening.

    >>> from datetime import UTC, datetime
    >>> may = [datetime(2026, 5, day, tzinfo=UTC) for day in (1, 3, 2)]
    >>> times = dict(zip(["started_at", "target_at", "completed_at"], may))
    >>> one = pl.DataFrame({"case_ix": 0, **times, "completed_unknown": False, "closed_before": False})
    >>> never = pl.lit(None, INSTANT)
    >>> case = pl.select(open=True, reopened_at=never, stopped_since=never)
    >>> states(one, case, pl.lit(may[1], INSTANT))["state"].item()
    'met'
    """
    own = cases.select("open", "reopened_at", "stopped_since")[milestones["case_ix"]]
    started, target, done = pl.col("started_at"), pl.col("target_at"), pl.col("completed_at")
    still = (pl.col("stopped_since") < target).fill_null(value=False)
    rules = [
        (started.is_null(), "faulty", "no start on record"),
        (done < started, "faulty", "completed before its start"),
        (done > now, "faulty", "completed after the log's moment"),
        (target < started, "faulty", "target before its start"),
        (target.is_null(), "void", "no target"),
        (pl.col("completed_unknown") & done.is_null(), "void", "completed at an unknown moment"),
        (done <= target, "met", None),
        (done > target, "violated", "completed late"),
        (pl.col("closed_before"), "void", "closed before its target"),
        (~pl.col("open") & still, "void", "closed while its clock stood still"),
        (~pl.col("open"), "violated", "closed late without it"),
        (still, "stopped", None),
        (target <= now, "running_late", None),
    ]
    state: pl.Expr = pl.lit("running")
    reason: pl.Expr = pl.lit(None, pl.String)
    for holds, what, why in reversed(rules):
        state = pl.when(holds).then(pl.lit(what)).otherwise(state)
        reason = pl.when(holds).then(pl.lit(why, pl.String)).otherwise(reason)
    later = (started >= pl.col("reopened_at")).fill_null(value=False)
    return milestones.hstack(milestones.hstack(own).select(state=state, reason=reason, after_reopening=later))

"""Milestones of cases: a row for each, from the events that tell its start and its completion."""

from datetime import timedelta

import polars as pl

from crmmining.eventlog.log import EventLog
from crmmining.kernels import milestones, sla, waiting


def of_partition(
    log: EventLog, start: str = "milestone_started", end: str = "milestone_completed"
) -> pl.DataFrame:
    """How the milestones of a log's one partition stand as of its moment, sorted by case and start.

    Columns: case_ix, source_id (which milestone it is), milestone (its name), started_at, target_at,
    completed_at, completed_unknown, occurred_at (when its segments count: completed, due or the log's moment,
    whichever is first), state, reason and after_reopening (see `kernels.sla.states`).

    An event of milestone word `start` tells the name as new value, the target as delta (seconds from the
    start) and, as old value, that nothing tells when it was completed; one of word `end` with the same source
    Id tells the completion.
    """
    part = log.only
    key, now = ["case_ix", "source_id"], pl.lit(log.as_of, sla.INSTANT)
    begun = part.among(log.codes(start), *key, "occurred_at", "old_value", "new_value", "delta")
    ended = part.among(log.codes(end), *key, "occurred_at", "new_value")
    first = begun.unique(key, keep="first", maintain_order=True)
    done = ended.unique(key, keep="first", maintain_order=True)
    both = first.select(
        *key,
        milestone="new_value",
        started_at="occurred_at",
        target_at=pl.col("occurred_at") + (pl.col("delta") * 1_000_000).round().cast(pl.Duration("us")),
        completed_unknown=pl.col("old_value").is_not_null(),
    ).join(
        done.select(*key, pl.col("new_value").alias("named"), completed_at="occurred_at"),
        on=key,
        how="full",
        coalesce=True,
    )
    rows = both.select(
        *key,
        pl.coalesce("milestone", "named").alias("milestone"),
        "started_at",
        "target_at",
        "completed_at",
        pl.col("completed_unknown").fill_null(value=False),
        pl.min_horizontal("completed_at", "target_at", now).alias("occurred_at"),
    ).sort("case_ix", "started_at", "source_id")
    ends, reopens = (
        [code for word in words for code in log.codes(word)]
        for words in (log.process.ends, log.process.reopens)
    )
    turns = part.among([*ends, *reopens], "case_ix", "activity", "occurred_at")
    before = rows.select("case_ix", at=pl.col("target_at") - timedelta(microseconds=1))
    closed = pl.Series("closed_before", waiting.in_force(turns, before, ends, reopens), dtype=pl.Boolean)
    return sla.states(rows.with_columns(closed), _cases(log, reopens), now).drop("closed_before")


def _cases(log: EventLog, reopens: list[int]) -> pl.DataFrame:
    """What milestones ask of their cases, in order: open, reopened_at, stopped_since."""
    part = log.only
    events = part.columns("case_ix", "activity", "occurred_at")
    again = milestones.instants(events, {"reopened": reopens}).select("case_ix", "reopened_at")
    known = "stopped_since" in part.blank.cases.columns
    stopped = pl.col("stopped_since") if known else pl.lit(None, sla.INSTANT).alias("stopped_since")
    asked = ["case_ix", "open", *(["stopped_since"] if known else [])]
    cases = part.of_cases(*asked).join(again, on="case_ix", how="left", maintain_order="left")
    return cases.select("open", "reopened_at", stopped)

"""Facts: what KPIs ask about the cases of a partition, one row per case."""

import polars as pl

from crmmining.definitions import Process
from crmmining.eventlog.partition import Partition
from crmmining.kernels import milestones, rework, throughput


def facts(partition: Partition, process: Process, activities: tuple[str, ...]) -> pl.DataFrame:
    """See `EventLog.facts`: attributes, milestones, rework and reopenings of every case, in their order."""
    codes = {word: process.codes(names, activities) for word, names in process.milestones.items()}
    events = partition.columns("case_ix", "activity", "occurred_at", "direction")
    core = events.filter(pl.col("activity").is_in(process.codes(process.activity_set("core"), activities)))
    recorded = partition.cases.rename({"created_at": "recorded"})
    found = (
        recorded.join(milestones.instants(events, codes), on="case_ix", how="left")
        .join(throughput.spans(events), on="case_ix", how="left")
        .join(rework.rework(core).drop("n_events"), on="case_ix", how="left")
    )
    counts = [f"{word}_n" for word in codes]
    reopens = [pl.col(f"{word}_n") for word in process.reopens]
    zeroed = ["n_events", "repeats", "self_loops", "regressions", "skips", *counts]
    return (
        found.with_columns(
            pl.col(zeroed).fill_null(0), pl.coalesce("created_at", "recorded").alias("created_at")
        )
        .drop("recorded")
        .with_columns(reopens=pl.sum_horizontal(pl.lit(0, pl.UInt32), *reopens))
        .sort("case_ix")
        .drop("case_ix")
    )

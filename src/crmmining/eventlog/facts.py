"""Facts: what KPIs ask about the cases of a partition, one row per case."""

import polars as pl

from crmmining.definitions import Process
from crmmining.eventlog.partition import Partition
from crmmining.kernels import handovers, milestones, rework, throughput


def facts(partition: Partition, process: Process, activities: tuple[str, ...]) -> pl.DataFrame:
    """See `EventLog.facts`: attributes, milestones, rework, handovers of every case, in their order."""
    codes = {word: process.codes(names, activities) for word, names in process.milestones.items()}
    events = partition.columns("case_ix", "activity", "occurred_at", "direction")
    core = events.filter(pl.col("activity").is_in(process.codes(process.activity_set("core"), activities)))
    recorded = partition.cases.rename({"created_at": "recorded"})
    found = (
        recorded.join(milestones.instants(events, codes), on="case_ix", how="left")
        .join(throughput.spans(events), on="case_ix", how="left")
        .join(rework.rework(core).drop("n_events"), on="case_ix", how="left")
        .join(handovers.handovers(_owners(partition)), on="case_ix", how="left")
    )
    if process.sums:
        words = {word: codes[milestone] for word, milestone in process.sums.items()}
        among = sorted({code for known in words.values() for code in known})
        moved = milestones.sums(partition.among(among, "case_ix", "activity", "delta"), words)
        found = found.join(moved, on="case_ix", how="left")
    counts = [*(f"{word}_n" for word in codes), *process.sums]
    reopens = [pl.col(f"{word}_n") for word in process.reopens]
    zeroed = ["n_events", "repeats", "self_loops", "regressions", "skips", *handovers.COUNTS, *counts]
    return (
        found.with_columns(
            pl.col(zeroed).fill_null(0), pl.coalesce("created_at", "recorded").alias("created_at")
        )
        .drop("recorded")
        .with_columns(reopens=pl.sum_horizontal(pl.lit(0, pl.UInt32), *reopens))
        .sort("case_ix")
        .drop("case_ix")
    )


def _owners(partition: Partition) -> pl.DataFrame:
    """Who had each case in turn, a row per change on record: case_ix, owner (a code) and is_queue."""
    place = ["case_ix", "since", "seq"]
    told = partition.values
    attribute = told["attribute"]
    owners = told.filter(attribute == "owner").select(*place, owner=pl.col("value").rank("dense"))
    queues = told.filter(attribute == "queue").drop_nulls("value").select(place).unique()
    found = owners.join(queues.with_columns(is_queue=True), on=place, how="left", maintain_order="left")
    return found.select("case_ix", "owner", pl.col("is_queue").fill_null(value=False))

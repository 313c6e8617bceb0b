"""Attributes as they were: when a case first passed a milestone, at an event, now."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

import polars as pl

from crmmining.definitions import Process
from crmmining.definitions.segments import EVENT, NOW, OUTCOME, Segment
from crmmining.errors import UnknownNameError
from crmmining.eventlog.partition import Partition
from crmmining.kernels import milestones, standing


def instants(partition: Partition, milestone: str, codes: Collection[int]) -> pl.DataFrame:
    """When each case first had an event of `codes`: case_ix, at, in the order of `cases`; null when never.

    `outcome` is the closing in force; a case whose creation is no event was `created` when its record says.
    """
    if milestone == OUTCOME:
        return partition.of_cases("case_ix", "outcome_at").rename({"outcome_at": "at"})
    events = partition.columns("case_ix", "activity", "occurred_at")
    passed = milestones.instants(events, {"passed": codes}).select("case_ix", at="passed_at")
    cases = partition.of_cases("case_ix", "created_at")
    found = cases.join(passed, on="case_ix", how="left", maintain_order="left")
    at = pl.coalesce("at", "created_at") if milestone == "created" else pl.col("at")
    return found.select("case_ix", at=at)


def names(partition: Partition, process: Process) -> list[str]:
    """The attributes of cases: columns that the process's SQL gives beyond what every log has."""
    others = {"case_id", "created_at", "truncated", *process.derived}
    return [name for name in partition.cases.columns if name not in others]


def own_times(events: pl.DataFrame) -> pl.DataFrame:
    """The moments of events: case_ix, at."""
    return events.select("case_ix", at="occurred_at")


def attributes(partition: Partition, at: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Attributes at the instants `at` (case_ix, at); raises `UnknownNameError` for no column of `cases`."""
    for name in names:
        if name not in partition.cases.columns:
            raise UnknownNameError("case column", name, partition.cases.columns)
    return standing.attributes_at(partition.cases, partition.values, at, names)


def cell(partition: Partition, segment: Segment, at: pl.DataFrame) -> pl.Series:
    """The cells of one segment, called as it was asked for, for the rows of `at` (case_ix, at)."""
    if segment.column is None:
        return pl.repeat(None, at.height, dtype=pl.String, eager=True).alias(segment.asked)
    if segment.basis == NOW:
        known = partition.of_cases(segment.column).to_series()
        return known.gather(at["case_ix"]).alias(segment.asked)
    return attributes(partition, at, [segment.column]).to_series().alias(segment.asked)


def cells(
    partition: Partition,
    segments: Sequence[Segment],
    instants: Callable[[str], pl.DataFrame],
    as_of: datetime,
    events: pl.DataFrame | None,
) -> pl.DataFrame:
    """The cells of segments: see `EventLog.cells`; `instants` says when cases first passed a milestone."""
    columns = []
    for segment in segments:
        if segment.basis == EVENT and events is not None:
            columns.append(cell(partition, segment, own_times(events)))
            continue
        if segment.basis in {None, NOW}:
            at = partition.of_cases("case_ix").with_columns(at=pl.lit(as_of, pl.Datetime("us", "UTC")))
        else:
            at = instants(str(segment.basis))
        of_cases = cell(partition, segment, at)
        columns.append(of_cases if events is None else of_cases.gather(events["case_ix"]))
    return pl.DataFrame(columns)


def tracked(partitions: Sequence[Partition]) -> frozenset[str]:
    """The attributes of which some case has a history."""
    return frozenset(name for p in partitions for name in p.values["attribute"].cast(pl.String).unique())

"""Scanning: the events of all partitions as one lazy frame; frames of all where memory suffices."""

from collections.abc import Iterator, Sequence

import polars as pl
import polars.selectors as cs
from polars.io.plugins import register_io_source

from crmmining.errors import CrmMiningError
from crmmining.eventlog import standing
from crmmining.eventlog.partition import Partition


def scan(
    partitions: Sequence[Partition], activities: Sequence[str], attributes: Sequence[str]
) -> pl.LazyFrame:
    """All events, case by its Id, activity as Enum, with `attributes` as they were at each event's time.

    Partitions are read one after the other, and of each only the columns that are asked for.
    """
    if len(partitions) == 1:
        return _shown(partitions[0], activities, attributes).lazy()

    def source(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, _batch: int | None
    ) -> Iterator[pl.DataFrame]:
        for partition in partitions:
            found = _shown(partition, activities, attributes, columns)
            found = found if rows is None else found.head(rows)
            rows = None if rows is None else rows - found.height
            yield found if predicate is None else found.filter(predicate)
            if rows == 0:
                return

    schema = _shown(partitions[0].blank, activities, attributes).schema
    return register_io_source(source, schema=schema)


def refuse(partitions: Sequence[Partition], memory: int | None, what: str) -> None:
    """Raise `CrmMiningError` where one frame of all `events`, `cases` or `facts` would not fit."""
    if memory is None or len(partitions) <= 1:
        return
    first = partitions[0]
    frame = first.events if what == "events" else first.cases
    at = 1 if what == "events" else 0
    rows, own = sum(p.sizes[at] for p in partitions), max(first.sizes[at], 1)
    size = frame.estimated_size() * rows // own
    if size > memory:
        raise CrmMiningError(
            f"{rows:,} rows of {what} take about {size / 2**30:.1f} GiB, more than memory allows "
            f"({memory / 2**30:.1f} GiB): ask scan() for the events you need, or each() by partition"
        )


def _shown(
    partition: Partition,
    activities: Sequence[str],
    attributes: Sequence[str],
    wanted: Sequence[str] | None = None,
) -> pl.DataFrame:
    """The events of a partition as people see them: all columns, or those wanted."""
    names = [name for name in partition.blank.events.columns if name not in {"case_ix", "rank"}]
    columns = [name for name in names if wanted is None or name in wanted]
    asked = [name for name in attributes if wanted is None or name in wanted]
    events = partition.columns(
        "case_ix", *columns, *(["occurred_at"] if "occurred_at" not in columns else [])
    )
    shown = events.select(
        partition.cases["case_id"].gather(events["case_ix"]).alias("case_id"),
        *(pl.col(name) for name in columns),
    )
    if "activity" in columns:
        shown = shown.with_columns(pl.col("activity").cat.to(pl.Enum(list(activities))))
    was = standing.attributes(partition, standing.own_times(events), asked)
    shown = shown.with_columns(cs.categorical().cast(pl.String)).with_columns(*was)
    return shown if wanted is None else shown.select(wanted)

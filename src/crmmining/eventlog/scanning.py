"""Scanning: the events of all partitions as one lazy frame; frames of all where memory suffices."""

from collections.abc import Callable, Iterator, Sequence

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
    attributes = list(dict.fromkeys(attributes))
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


def refuse(
    partitions: Sequence[Partition], memory: int | None, what: str, frame: Callable[[Partition], pl.DataFrame]
) -> None:
    """Raise `CrmMiningError` where one frame of all `what`, `frame` of every partition, would not fit.

    The first partition that has rows says how large they are.
    """
    filled = next((p for p in partitions if memory is not None and len(partitions) > 1 and p.sizes[1]), None)
    if filled is None or memory is None:
        return
    events = sum(p.sizes[1] for p in partitions)
    size = frame(filled).estimated_size() * events // filled.sizes[1]
    if size > memory:
        raise CrmMiningError(
            f"{what} of {events:,} events take about {size / 2**30:.1f} GiB, more than memory allows "
            f"({memory / 2**30:.1f} GiB): ask scan() for the events you need, or each() by partition"
        )


def shown(partition: Partition, activities: Sequence[str]) -> pl.DataFrame:
    """The events of a partition as people see them."""
    return _shown(partition, activities, ())


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
    # Without a column a frame has no rows; polars takes one that it did not ask for.
    return shown if wanted is None else shown.select(wanted or ["case_id"])

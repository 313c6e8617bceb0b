"""Partitions: whole cases with their events and with how their attributes changed, row by row in step."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import polars as pl

from crmmining.definitions import Process
from crmmining.kernels import coding, milestones

VALUES = pl.Schema(
    {
        "case_ix": pl.UInt32(),
        "attribute": pl.Categorical(),
        "since": pl.Datetime("us", "UTC"),
        "seq": pl.UInt16(),
        "value": pl.String(),
    }
)


class Partition(NamedTuple):
    """Whole cases: `events` in log order, `cases`, row i of which is `case_ix` i, and `values`.

    values: case_ix, attribute (a column of `cases`), since, seq, value: what an attribute was from `since`
    on, sorted by case, attribute name, since and seq; only attributes that ever changed have rows.
    """

    events: pl.DataFrame
    cases: pl.DataFrame
    values: pl.DataFrame


def partition(
    process: Process, coded: coding.Coded, cases: pl.DataFrame, values: pl.DataFrame | None = None
) -> Partition:
    """A partition from coded events, the attributes of their cases sorted by `case_id`, and `values`, if any.

    The last of a case's ends and reopenings in log order decides `open`, `outcome` and `outcome_at`.
    """
    ends = {word: process.codes(process.milestones[word], coded.activities) for word in process.ends}
    reopens = [c for w in process.reopens for c in process.codes(process.milestones[w], coded.activities)]
    outcome = {code: word for word, codes in ends.items() for code in codes}
    names = pl.DataFrame(
        {"activity": list(outcome), "outcome": list(outcome.values())},
        schema={"activity": pl.UInt16, "outcome": pl.String},
    )
    state = (
        milestones.last_of(coded.events, [*outcome, *reopens])
        .join(names, on="activity", how="inner")
        .select("case_ix", "outcome", pl.col("occurred_at").alias("outcome_at"))
    )
    known = cases.with_row_index("case_ix").join(state, on="case_ix", how="left", maintain_order="left")
    known = known.with_columns(open=pl.col("outcome").is_null())
    return Partition(coded.events, known, pl.DataFrame(schema=VALUES) if values is None else values)


def split(partition: Partition, events: int) -> Iterator[Partition]:
    """The partition in several, cases in their order, each of about `events` events and no case in two."""
    cases = partition.cases.height
    places = np.arange(cases + 1)
    starts = np.searchsorted(partition.events["case_ix"].to_numpy(), places)
    value_starts = np.searchsorted(partition.values["case_ix"].to_numpy(), places)
    cuts = np.flatnonzero(np.diff(starts[:-1] // events)) + 1
    for low, high in pairwise([0, *cuts.tolist(), cases]):
        local = pl.col("case_ix") - low
        yield Partition(
            partition.events[starts[low] : starts[high]].with_columns(local),
            partition.cases[low:high].with_columns(local),
            partition.values[value_starts[low] : value_starts[high]].with_columns(local),
        )


def kept(partition: Partition, keep: pl.Series) -> Partition:
    """The partition with only the cases marked in `keep`, a flag per case."""
    place = (keep.cast(pl.UInt32).cum_sum() - 1).cast(pl.UInt32)

    def theirs(rows: pl.DataFrame) -> pl.DataFrame:
        left = rows.filter(keep.gather(rows["case_ix"]))
        return left.with_columns(place.gather(left["case_ix"]).alias("case_ix"))

    cases = partition.cases.filter(keep)
    return Partition(
        theirs(partition.events),
        cases.with_columns(place.filter(keep).alias("case_ix")),
        theirs(partition.values),
    )


def has(partition: Partition, events: pl.DataFrame, codes: Sequence[int]) -> pl.Series:
    """Which cases have an event of `codes` among `events`."""
    present = events.filter(pl.col("activity").is_in(codes))["case_ix"]
    return partition.cases["case_ix"].is_in(present.unique().implode())


def has_variant(partition: Partition, core: pl.DataFrame, sequences: Sequence[Sequence[int]]) -> pl.Series:
    """Which cases have one of `sequences` as the activities of their `core` events."""
    wanted = pl.DataFrame({"activity": sequences}, schema={"activity": pl.List(pl.UInt16)})
    traces = core.group_by("case_ix", maintain_order=True).agg("activity")
    return partition.cases["case_ix"].is_in(
        traces.join(wanted, on="activity", how="semi")["case_ix"].implode()
    )

"""Partitions: whole cases with their events and with how their attributes changed, row by row in step."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import overload

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


class Partition:
    """Whole cases: `events` in log order, `cases`, row i of which is `case_ix` i, and `values`.

    values: case_ix, attribute (a column of `cases`), since, seq, value: what an attribute was from `since`
    on, sorted by case, attribute name, since and seq; only attributes that ever changed have rows.
    """

    def __init__(self, events: pl.DataFrame, cases: pl.DataFrame, values: pl.DataFrame) -> None:
        self._events, self._cases, self._values = events, cases, values

    @property
    def events(self) -> pl.DataFrame:
        """All columns of the events."""
        return self._events

    @property
    def cases(self) -> pl.DataFrame:
        """The cases."""
        return self._cases

    @property
    def values(self) -> pl.DataFrame:
        """How their attributes changed."""
        return self._values

    @property
    def sizes(self) -> tuple[int, int]:
        """How many cases and events there are."""
        return self._cases.height, self._events.height

    def columns(self, *names: str) -> pl.DataFrame:
        """The events with some of their columns."""
        return self._events.select(names)

    def of_cases(self, *names: str) -> pl.DataFrame:
        """The cases with some of their columns."""
        return self.cases.select(names)

    def among(self, codes: Sequence[int], *names: str) -> pl.DataFrame:
        """Some columns of the events whose activity is one of `codes`."""
        wanted = np.zeros(coding.MAX_ACTIVITIES, dtype=np.bool_)
        wanted[list(codes)] = True
        events = self.columns(*dict.fromkeys(("activity", *names)))
        marks = wanted[events["activity"].to_numpy()]
        return (events if marks.all() else events.filter(pl.Series(marks))).select(names)

    @property
    def blank(self) -> "Partition":
        """The columns without a row."""
        return Partition(self._events.clear(), self._cases.clear(), self._values.clear())


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


class Kept(Partition):
    """The cases of a partition that are marked in `keep`, a flag per case; picked when they are asked for."""

    def __init__(self, whole: Partition, keep: pl.Series) -> None:
        self._whole, self._keep = whole, keep
        self._place = (keep.cast(pl.UInt32).cum_sum() - 1).cast(pl.UInt32)

    @cached_property
    def events(self) -> pl.DataFrame:
        """All columns of their events."""
        return self._theirs(self._whole.events)

    @cached_property
    def cases(self) -> pl.DataFrame:
        """These cases."""
        kept = self._whole.cases.filter(self._keep)
        return kept.with_columns(self._place.filter(self._keep).alias("case_ix"))

    @cached_property
    def values(self) -> pl.DataFrame:
        """How their attributes changed."""
        return self._theirs(self._whole.values)

    @property
    def sizes(self) -> tuple[int, int]:
        """How many cases and events are kept."""
        return int(self._keep.sum()), self.columns("case_ix").height

    @property
    def blank(self) -> Partition:
        """The columns without a row."""
        return self._whole.blank

    def columns(self, *names: str) -> pl.DataFrame:
        """Their events with some of the columns."""
        asked = dict.fromkeys(("case_ix", *names))
        return self._theirs(self._whole.columns(*asked)).select(names)

    def _theirs(self, rows: pl.DataFrame) -> pl.DataFrame:
        left = rows.filter(self._keep.gather(rows["case_ix"]))
        return left.with_columns(self._place.gather(left["case_ix"]).alias("case_ix"))


class Lazy(Sequence[Partition]):
    """Partitions that are made whenever they are asked for, and not kept."""

    def __init__(self, count: int, make: Callable[[int], Partition]) -> None:
        self._count, self._make = count, make

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> Partition: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Partition]: ...
    def __getitem__(self, at: int | slice) -> Partition | Sequence[Partition]:
        if isinstance(at, slice):
            return [self[place] for place in range(*at.indices(self._count))]
        if not -self._count <= at < self._count:
            raise IndexError(at)
        return self._make(at % self._count)

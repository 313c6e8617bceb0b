"""Some cases of a partition replaced by what they have become, column by column, when they are asked for."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from crmmining.eventlog.partition import Partition

Places = npt.NDArray[np.int64]


class Replaced(Partition):
    """`old` without the cases whose Ids are `gone`, with those of `fresh`, which it must not hold any more.

    Cases stand in the order of their Ids, row i being `case_ix` i, and events and values in the order they
    had within their case. Activities have the same codes in both.

    >>> def some(*ids: str) -> Partition:
    ...     places = {"case_ix": range(len(ids)), "case_id": ids}
    ...     cases = pl.DataFrame(places, schema_overrides={"case_ix": pl.UInt32})
    ...     rows = cases.select("case_ix")
    ...     return Partition(rows, cases, rows)
    >>> whole = Replaced(some("a", "c"), pl.Series(["a"]), some("b", "d"))
    >>> whole.cases.rows(), whole.events["case_ix"].to_list()
    ([(0, 'b'), (1, 'c'), (2, 'd')], [0, 1, 2])
    """

    def __init__(self, old: Partition, gone: pl.Series, fresh: Partition) -> None:
        self._old, self._gone, self._fresh = old, gone, fresh

    @cached_property
    def events(self) -> pl.DataFrame:
        """All columns of the events."""
        return self._in_step(self._old.events, self._fresh.events)

    @cached_property
    def cases(self) -> pl.DataFrame:
        """The cases."""
        return self._of_cases(self._old.cases, self._fresh.cases)

    @cached_property
    def values(self) -> pl.DataFrame:
        """How their attributes changed."""
        return self._in_step(self._old.values, self._fresh.values)

    @property
    def sizes(self) -> tuple[int, int]:
        """How many cases and events there are."""
        return len(self._order), self.columns("case_ix").height

    @property
    def blank(self) -> Partition:
        """The columns without a row."""
        return self._old.blank

    def columns(self, *names: str) -> pl.DataFrame:
        """The events with some of their columns."""
        asked = dict.fromkeys(("case_ix", *names))
        return self._in_step(self._old.columns(*asked), self._fresh.columns(*asked)).select(names)

    def of_cases(self, *names: str) -> pl.DataFrame:
        """The cases with some of their columns."""
        asked = dict.fromkeys(("case_ix", *names))
        return self._of_cases(self._old.of_cases(*asked), self._fresh.of_cases(*asked)).select(names)

    @cached_property
    def _order(self) -> Places:
        """For each case its place among all those of `old` and, behind them, of `fresh`."""
        old, fresh = (part.of_cases("case_id").to_series() for part in (self._old, self._fresh))
        stays = ~old.is_in(self._gone.implode())
        ids = pl.concat([old.filter(stays), fresh])
        places = np.concatenate([np.flatnonzero(stays.to_numpy()), len(old) + np.arange(len(fresh))])
        order: Places = places[ids.arg_sort().to_numpy()]
        return order

    def _of_cases(self, old: pl.DataFrame, fresh: pl.DataFrame) -> pl.DataFrame:
        place = pl.int_range(len(self._order), dtype=pl.UInt32, eager=True).alias("case_ix")
        return _gather(old, fresh, self._order).with_columns(place)

    def _in_step(self, old: pl.DataFrame, fresh: pl.DataFrame) -> pl.DataFrame:
        """Rows of cases in the order of these."""
        cases, order = self._old.of_cases("case_ix").height, self._order
        of_case = np.concatenate(
            [old["case_ix"].to_numpy(), fresh["case_ix"].to_numpy().astype(np.int64) + cases]
        )
        start, stop = np.searchsorted(of_case, order), np.searchsorted(of_case, order, side="right")
        sizes = stop - start
        rows = np.arange(sizes.sum()) + np.repeat(start - np.cumsum(sizes) + sizes, sizes)
        place = np.repeat(np.arange(len(order), dtype=np.uint32), sizes)
        return _gather(old, fresh, rows).with_columns(pl.Series("case_ix", place, dtype=pl.UInt32))


def appended(activities: Sequence[str], fresh: Sequence[str]) -> tuple[tuple[str, ...], pl.Series]:
    """The dictionary with new names behind those it has, and the code in it of every name of `fresh`.

    >>> appended(["call", "win"], ["lose", "win"])[0], appended(["call", "win"], ["lose", "win"])[1].to_list()
    (('call', 'win', 'lose'), [2, 1])
    """
    names = (*activities, *(name for name in fresh if name not in set(activities)))
    place = {name: code for code, name in enumerate(names)}
    return names, pl.Series([place[name] for name in fresh], dtype=pl.UInt16)


def recoded(partition: Partition, codes: pl.Series) -> Partition:
    """The partition with other codes of activities: `codes` has the new one in the place of each old one."""
    events = partition.events
    new = codes.gather(events["activity"]).alias("activity") if events.height else events["activity"]
    return Partition(events.with_columns(new), partition.cases, partition.values)


def _gather(old: pl.DataFrame, fresh: pl.DataFrame, rows: Places) -> pl.DataFrame:
    both = pl.concat([old, fresh.select(old.columns)], rechunk=True)
    return both[pl.Series(rows, dtype=pl.UInt32)]

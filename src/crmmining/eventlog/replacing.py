"""Some cases of a partition replaced by what they have become."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from crmmining.eventlog.partition import Partition

Places = npt.NDArray[np.int64]


def replaced(old: Partition, gone: pl.Series, fresh: Partition) -> Partition:
    """`old` without the cases whose Ids are `gone`, with those of `fresh`, which it must not hold any more.

    Cases stand in the order of their Ids, row i being `case_ix` i, and events and values in the order they
    had within their case. Activities have the same codes in both.

    >>> def some(*ids: str) -> Partition:
    ...     cases = pl.DataFrame({"case_id": ids}).with_row_index("case_ix")
    ...     rows = cases.select("case_ix")
    ...     return Partition(rows, cases, rows)
    >>> whole = replaced(some("a", "c"), pl.Series(["a"]), some("b", "d"))
    >>> whole.cases.rows(), whole.events["case_ix"].to_list()
    ([(0, 'b'), (1, 'c'), (2, 'd')], [0, 1, 2])
    """
    stays = ~old.cases["case_id"].is_in(gone.implode())
    ids = pl.concat([old.cases["case_id"].filter(stays), fresh.cases["case_id"]])
    kept = np.flatnonzero(stays.to_numpy())
    source = np.concatenate([kept, old.cases.height + np.arange(fresh.cases.height)])
    order = source[
        ids.arg_sort().to_numpy()
    ]  # the place among all cases, old and fresh, of each that is left
    place = pl.int_range(len(order), dtype=pl.UInt32, eager=True).alias("case_ix")
    cases = _gather(old.cases, fresh.cases, order).with_columns(place)
    return Partition(
        _in_step(old.events, fresh.events, old.cases.height, order),
        cases,
        _in_step(old.values, fresh.values, old.cases.height, order),
    )


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
    if partition.events.is_empty():
        return partition
    new = codes.gather(partition.events["activity"]).alias("activity")
    return partition._replace(events=partition.events.with_columns(new))


def _in_step(old: pl.DataFrame, fresh: pl.DataFrame, cases: int, order: Places) -> pl.DataFrame:
    """Rows of cases in a new order, `order` naming the cases of `old` and behind them those of `fresh`."""
    of_case = np.concatenate(
        [old["case_ix"].to_numpy(), fresh["case_ix"].to_numpy().astype(np.int64) + cases]
    )
    bounds = np.searchsorted(of_case, np.arange(of_case.max(initial=-1) + 2))
    known = np.minimum(order, len(bounds) - 1)  # the last cases may have no rows
    start, stop = bounds[known], bounds[np.minimum(order + 1, len(bounds) - 1)]
    sizes = stop - start
    begins = np.cumsum(sizes) - sizes
    rows = np.arange(sizes.sum()) + np.repeat(start - begins, sizes)
    place = np.repeat(np.arange(len(order), dtype=np.uint32), sizes)
    return _gather(old, fresh, rows).with_columns(pl.Series("case_ix", place, dtype=pl.UInt32))


def _gather(old: pl.DataFrame, fresh: pl.DataFrame, rows: Places) -> pl.DataFrame:
    both = pl.concat([old, fresh.select(old.columns)], rechunk=True)
    return both[pl.Series(rows, dtype=pl.UInt32)]

"""Merge: what makes partitions invisible. Tallies add; the rows of case kernels are simply concatenated."""

from collections.abc import Iterable, Sequence

import polars as pl

_ROWS = 1 << 20  # that may wait to be added


def add(tallies: Iterable[pl.DataFrame], keys: Sequence[str]) -> pl.DataFrame:
    """Add tallies of partitions: one row per key, integer columns summed, sorted by `keys`.

    >>> part = pl.DataFrame({"activity": [1, 2], "n": [3, 4]})
    >>> add([part, part], ["activity"]).rows()
    [(1, 6), (2, 8)]
    """
    total = Sum(keys)
    for tally in tallies:
        total.put(tally)
    return total.tally.sort(keys)


class Sum:
    """The sum of tallies that come in one by one; without keys it has one row.

    They are added up whenever as many rows wait as there are, so that memory holds little more than the sum.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = keys
        self._known: list[pl.DataFrame] = []  # the sum so far, if any, and what waits

    def put(self, tally: pl.DataFrame) -> None:
        """Add one more."""
        self._known.append(tally)
        if sum(part.height for part in self._known[1:]) > max(_ROWS, self._known[0].height):
            self._known = [self.tally]

    @property
    def tally(self) -> pl.DataFrame:
        """The sum, in no order; of one tally that tally itself."""
        if len(self._known) == 1 and self._keys:
            return self._known[0]
        every = pl.concat(self._known)
        return every.group_by(self._keys).agg(pl.all().sum()) if self._keys else every.sum()

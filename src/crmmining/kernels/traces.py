"""Where each case begins in a sorted log: the one thing every kernel needs to know."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Traces:
    """The columns of a sorted log as arrays, and the position at which each of its cases begins."""

    case: npt.NDArray[np.uint32]
    activity: npt.NDArray[np.uint16]
    starts: Ints

    @property
    def ends(self) -> Ints:
        """Position after each case's last event."""
        return np.append(self.starts[1:], len(self.case)) if len(self.starts) else self.starts

    @property
    def lengths(self) -> Ints:
        """Number of events of each case."""
        return self.ends - self.starts

    @property
    def cases(self) -> npt.NDArray[np.uint32]:
        """Cases present, in log order."""
        return self.case[self.starts]

    def follows(self) -> Flags:
        """Whether an event has a predecessor in its own case."""
        flags = np.ones(len(self.case), dtype=np.bool_)
        flags[self.starts] = False
        return flags

    def repeats_at_once(self) -> Flags:
        """Whether an event's predecessor in its own case has the same activity."""
        flags = self.follows()
        flags[1:] &= self.activity[1:] == self.activity[:-1]
        return flags

    def among(self, codes: Collection[int]) -> Ints:
        """Positions of the events whose activity is one of `codes`."""
        wanted = np.zeros(1 << 16, dtype=np.bool_)
        wanted[list(codes)] = True
        return np.flatnonzero(wanted[self.activity])


def traces(events: pl.DataFrame) -> Traces:
    """Find the cases of a log sorted by case.

    >>> log = pl.DataFrame({"case_ix": [0, 0, 2], "activity": [1, 5, 1]},
    ...                    schema={"case_ix": pl.UInt32, "activity": pl.UInt16})
    >>> traces(log).starts.tolist()
    [0, 2]
    """
    case = events["case_ix"].to_numpy()
    first = np.ones(len(case), dtype=np.bool_)
    np.not_equal(case[1:], case[:-1], out=first[1:])
    return Traces(case, events["activity"].to_numpy(), np.flatnonzero(first))


def first_of_run(case: npt.NDArray[Any]) -> Flags:
    """Whether an entry differs from the one before it."""
    first = np.ones(len(case), dtype=np.bool_)
    np.not_equal(case[1:], case[:-1], out=first[1:])
    return first

"""Quantiles of tallies: of values that are counted, not listed."""

import numpy as np
import numpy.typing as npt
import polars as pl

from crmmining.kernels.traces import Ints


def quantile(values: npt.NDArray[np.generic], n: Ints, starts: Ints, tenths: int) -> pl.Series:
    """The `tenths` / 10 quantile of each run of a tally (Float64); `starts` is where runs begin.

    `values` occur `n` times and ascend in a run. Interpolates linearly between the two nearest values, as
    numpy and DuckDB's quantile_cont do.

    >>> quantile(np.array([10, 20, 50, 7]), np.array([1, 2, 1, 1]), np.array([0, 3]), 9).to_list()
    [41.0, 7.0]
    """
    reached = np.cumsum(n)
    below = (reached - n)[starts]
    count = np.diff(below, append=reached[-1:])
    whole, part = np.divmod((count - 1) * tenths, 10)
    known = values.astype(np.float64)
    low = known[np.searchsorted(reached, below + whole, side="right")]
    high = known[np.searchsorted(reached, below + whole + (part > 0), side="right")]
    return pl.Series(low + (high - low) * part / 10, dtype=pl.Float64)

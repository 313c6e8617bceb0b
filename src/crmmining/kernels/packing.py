"""Packing: rows of small integers sort and count fastest as one 64-bit integer each."""

import numpy as np
import numpy.typing as npt
import polars as pl

from crmmining.kernels.traces import first_of_run

WORD = 64


def sort_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Sort rows of integers by all their columns, the first one first.

    >>> sort_rows(pl.DataFrame({"a": [2, 1, 2], "b": [-5, 7, -9]})).rows()
    [(1, 7), (2, -9), (2, -5)]
    """
    packing = _Packing(frame)
    if not packing.fits:
        return frame.sort(frame.columns)
    return packing.unpack(pl.Series(packing.pack(frame)).sort().to_numpy())


def tally_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Count equal rows of integers: the distinct rows, sorted by all columns, and `n` (Int64).

    >>> tally_rows(pl.DataFrame({"a": [2, 1, 2], "b": [-5, 7, -5]})).rows()
    [(1, 7, 1), (2, -5, 2)]
    """
    packing = _Packing(frame)
    if not packing.fits:
        return frame.group_by(frame.columns).agg(n=pl.len().cast(pl.Int64)).sort(frame.columns)
    keys = pl.Series(packing.pack(frame)).sort().to_numpy()
    first = np.flatnonzero(first_of_run(keys))
    count = np.diff(first, append=len(keys))
    return packing.unpack(keys[first]).with_columns(n=pl.Series(count, dtype=pl.Int64))


class _Packing:
    """How many bits each column of a frame needs above its least value."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.schema = frame.schema
        self.low = [_whole(frame[name].min()) for name in frame.columns]
        high = [_whole(frame[name].max()) for name in frame.columns]
        self.width = [(most - least).bit_length() for least, most in zip(self.low, high, strict=True)]
        self.fits = sum(self.width) <= WORD

    def pack(self, frame: pl.DataFrame) -> npt.NDArray[np.uint64]:
        """Put the columns of each row side by side, the first in the highest bits."""
        keys = np.zeros(len(frame), dtype=np.uint64)
        for name, low, width in zip(self.schema, self.low, self.width, strict=True):
            keys <<= np.uint64(width)
            keys |= (frame[name].to_numpy() - low).astype(np.uint64, copy=False)
        return keys

    def unpack(self, keys: npt.NDArray[np.uint64]) -> pl.DataFrame:
        """Take packed rows apart again."""
        columns: list[pl.Series] = []
        shift = 0
        for (name, dtype), low, width in reversed(
            list(zip(self.schema.items(), self.low, self.width, strict=True))
        ):
            part = (keys >> np.uint64(shift)) & np.uint64((1 << width) - 1)
            columns.append((pl.Series(name, part.view(np.int64)) + low).cast(dtype))
            shift += width
        return pl.DataFrame(reversed(columns))


def _whole(value: object) -> int:
    """Take the least or greatest value of an integer column; 0 when it has no row."""
    return value if isinstance(value, int) else 0

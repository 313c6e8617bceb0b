"""Variants: which sequences of activities occur, and in how many cases."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import polars as pl

from crmmining.kernels.merge import Sum
from crmmining.kernels.traces import traces

SCHEMA = pl.Schema({"sequence": pl.Binary(), "cases": pl.Int64()})
CODE = np.dtype("<u2")  # one activity of a sequence


class Ranked(NamedTuple):
    """The most frequent variants (`sequence`, `cases`), and how many others there are in how many cases."""

    top: pl.DataFrame
    others: int
    cases: int


def variants(events: pl.DataFrame) -> pl.DataFrame:
    r"""Tally the distinct sequences of activities: `sequence` (Binary, see `sequences`), `cases`.

    In the order in which they first appear. Exact: sequences are compared byte by byte.

    >>> log = pl.DataFrame({"case_ix": [0, 0, 1, 1, 2], "activity": [1, 5, 1, 5, 1]},
    ...                    schema={"case_ix": pl.UInt32, "activity": pl.UInt16})
    >>> variants(log).rows()
    [(b'\x01\x00\x05\x00', 2), (b'\x01\x00', 1)]
    """
    import pyarrow as pa  # noqa: PLC0415  slow to import

    log = traces(events)
    codes = np.ascontiguousarray(log.activity, dtype=CODE)
    places = pa.py_buffer(np.append(log.starts, len(codes)) * CODE.itemsize)
    texts = pa.Array.from_buffers(pa.large_binary(), len(log.starts), [None, places, pa.py_buffer(codes)])
    found = pl.DataFrame({"sequence": pl.Series(values=texts, dtype=pl.Binary)})
    return found.group_by("sequence", maintain_order=True).agg(cases=pl.len().cast(pl.Int64))


def sequences(codes: pl.Series) -> pl.Series:
    r"""Activity codes (List of UInt16) of sequences that `variants` wrote: two bytes each, the low one first.

    >>> sequences(pl.Series("sequence", [b"\x01\x00\x05\x00", b""])).to_list()
    [[1, 5], []]
    """
    import pyarrow as pa  # noqa: PLC0415  slow to import

    texts = codes.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.large_binary())
    _, places, data = texts.buffers()
    ends = np.frombuffer(places, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    units = np.frombuffer(data or b"", dtype=CODE)[: ends[-1] // CODE.itemsize].astype(np.uint16)
    buffers = [None, pa.py_buffer(ends // CODE.itemsize)]
    values = pa.Array.from_buffers(pa.uint16(), len(units), [None, pa.py_buffer(units)])
    lists = pa.Array.from_buffers(pa.large_list(pa.uint16()), len(texts), buffers, children=[values])
    return pl.Series(codes.name, lists)


def rank(tallies: Iterable[pl.DataFrame], most: int) -> Ranked:
    """Add tallies of variants and keep the most frequent, at most `most`.

    Where there are more, all that occur in as few cases as the next one are left out and counted: so it never
    matters in which order they come.

    >>> tally = pl.DataFrame({"sequence": [b"a", b"b", b"c"], "cases": [5, 1, 1]})
    >>> top, others, cases = rank([tally], 2)
    >>> top.rows(), others, cases
    ([(b'a', 5)], 2, 2)
    """
    total = Sum(["sequence"])
    for tally in tallies:
        total.put(tally)
    every = total.tally
    if every.height <= most:
        return Ranked(every, 0, 0)
    kept = pl.col("cases") > pl.col("cases").top_k(most + 1).min()
    others, cases = every.filter(~kept).select(pl.len(), pl.col("cases").sum()).row(0)
    return Ranked(every.filter(kept), others, cases)

"""Variants: which sequences of activities occur, and in how many cases."""

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from crmmining.kernels.traces import Ints, Traces, first_of_run, traces

SCHEMA = pl.Schema({"sequence": pl.List(pl.UInt16), "cases": pl.Int64})
COUNT_UNITS = 4  # a count of 64 bits, in units of 16 bits


def variants(events: pl.DataFrame) -> pl.DataFrame:
    """Tally the distinct sequences of activities: `sequence` (activity codes in log order), `cases`.

    Most frequent first, equal counts by sequence. Exact: a fingerprint that two sequences share is noticed.

    >>> log = pl.DataFrame({"case_ix": [0, 0, 1, 1, 2], "activity": [1, 5, 1, 5, 1]},
    ...                    schema={"case_ix": pl.UInt32, "activity": pl.UInt16})
    >>> variants(log).rows()
    [([1, 5], 2), ([1], 1)]
    """
    log = traces(events)
    if not len(log.starts):
        return SCHEMA.to_frame()
    example = _examples(_fingerprints(log))
    if not _alike(log, example):
        return _grouped(events)
    cases = np.bincount(example)
    chosen = np.flatnonzero(cases)
    return ranked(pl.DataFrame([_sequences(log, chosen), pl.Series("cases", cases[chosen])]))


def variant_of(events: pl.DataFrame) -> pl.DataFrame:
    """Name each case's sequence: `case_ix`, `variant` (UInt64 fingerprint), `length` (events, Int64).

    Cases of one sequence share a fingerprint; distinct sequences share one only by a 64-bit accident.
    """
    log = traces(events)
    return pl.DataFrame({"case_ix": log.cases, "variant": _fingerprints(log), "length": log.lengths})


def ranked(tally: pl.DataFrame) -> pl.DataFrame:
    """Sort a tally of variants: most frequent first, equal counts by sequence.

    Each row becomes one text of bytes that sorts as wanted, which is faster than sorting by a list.
    """
    if tally.is_empty():
        return tally
    lengths = tally["sequence"].list.len().to_numpy().astype(np.int64)
    ends = np.cumsum(lengths + COUNT_UNITS)
    starts = ends - lengths - COUNT_UNITS
    units = np.empty(ends[-1], dtype=">u2")
    is_code = np.ones(len(units), dtype=np.bool_)
    rest = np.iinfo(np.int64).max - tally["cases"].to_numpy()
    for place in range(COUNT_UNITS):
        is_code[starts + place] = False
        units[starts + place] = (rest >> 16 * (COUNT_UNITS - 1 - place)) & 0xFFFF
    units[is_code] = tally["sequence"].explode(empty_as_null=False).to_numpy()
    offsets = pa.py_buffer(np.append(0, ends) * units.itemsize)
    keys = pa.Array.from_buffers(pa.large_binary(), len(tally), [None, offsets, pa.py_buffer(units)])
    return tally[pl.Series(values=keys).arg_sort()]


def _fingerprints(log: Traces) -> npt.NDArray[np.uint64]:
    """Hash each case's sequence: the wrapping sum of its scattered (position, activity) pairs."""
    found = np.empty(len(log.starts), dtype=np.uint64)
    for cases, _, stretch in log.blocks():
        pairs = (stretch.places.astype(np.uint64) + np.uint64(1)) << np.uint64(16)
        found[cases] = np.add.reduceat(_scatter(pairs | stretch.activity), stretch.starts)
    return found


def _scatter(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Scatter 64-bit numbers (the finalizer of splitmix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _examples(fingerprints: npt.NDArray[np.uint64]) -> Ints:
    """For each case, the first case (counted from 0) with the same fingerprint."""
    order = pl.Series(fingerprints).arg_sort().to_numpy()
    start = np.flatnonzero(first_of_run(fingerprints[order]))
    example = np.empty(len(order), dtype=np.int64)
    example[order] = np.repeat(np.minimum.reduceat(order, start), np.diff(start, append=len(order)))
    return example


def _alike(log: Traces, example: Ints) -> bool:
    """Whether every case equals its example, event by event."""
    if not np.array_equal(log.lengths, log.lengths[example]):
        return False
    shift = log.starts[example] - log.starts
    return all(
        np.array_equal(
            stretch.activity,
            log.activity[np.arange(events.start, events.stop) + np.repeat(shift[cases], stretch.lengths)],
        )
        for cases, events, stretch in log.blocks()
    )


def _sequences(log: Traces, chosen: Ints) -> pl.Series:
    """Cut the sequences of some cases out of the log."""
    lengths = log.lengths[chosen]
    ends = np.cumsum(lengths)
    codes = log.activity[np.arange(ends[-1]) + np.repeat(log.starts[chosen] - ends + lengths, lengths)]
    return pl.Series("sequence", pa.LargeListArray.from_arrays(np.append(0, ends), codes))


def _grouped(events: pl.DataFrame) -> pl.DataFrame:
    """Tally by the sequences themselves: slower, for logs in which two of them share a fingerprint."""
    cases = events.group_by("case_ix", maintain_order=True).agg(sequence="activity")
    return ranked(cases.group_by("sequence").agg(cases=pl.len().cast(pl.Int64)))

"""Variants: which sequences of activities occur, and in how many cases."""

import numpy as np
import numpy.typing as npt
import polars as pl

from crmmining.kernels.traces import Flags, Ints, Traces, first_of_run, traces

SCHEMA = pl.Schema({"sequence": pl.List(pl.UInt16), "cases": pl.Int64()})
BIG_ENDIAN = np.dtype(">u2")  # the unit of a row written as text: one code
COUNT_UNITS = 4  # units of a count
MOST = np.iinfo(np.int64).max


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

    Each row becomes a text of bytes that sorts as wanted (how much its count lacks to the largest one, then
    its codes), and is read back from it: much faster than to sort by lists.
    """
    if tally.is_empty():
        return tally
    ends = np.cumsum(tally["sequence"].list.len().to_numpy() + COUNT_UNITS, dtype=np.int64)
    counts = _count_places(ends)
    units = np.empty(ends[-1], dtype=BIG_ENDIAN)
    units[counts] = (MOST - tally["cases"].to_numpy()).astype(">i8").view(BIG_ENDIAN).reshape(-1, COUNT_UNITS)
    units[_other_places(units, counts)] = tally["sequence"].explode(empty_as_null=False).to_numpy()
    ends, units = _sorted_texts(ends, units)
    counts = _count_places(ends)
    cases = MOST - units[counts].reshape(-1).view(">i8").astype(np.int64)
    codes = units[_other_places(units, counts)].astype(np.uint16)
    ends = ends - COUNT_UNITS * np.arange(1, len(ends) + 1)
    return pl.DataFrame([_lists(ends, codes), pl.Series("cases", cases)])


def _count_places(ends: Ints) -> Ints:
    """Where the units of each text's count are."""
    return np.append(0, ends[:-1])[:, None] + np.arange(COUNT_UNITS)


def _other_places(units: npt.NDArray[np.uint16], counts: Ints) -> Flags:
    """Where the units of the codes are."""
    places = np.ones(len(units), dtype=np.bool_)
    places[counts] = False
    return places


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
    return _lists(ends, codes)


def _lists(ends: Ints, codes: npt.NDArray[np.uint16]) -> pl.Series:
    """Cut a long array into lists."""
    import pyarrow as pa  # noqa: PLC0415  slow to import

    values = pa.Array.from_buffers(pa.uint16(), len(codes), [None, pa.py_buffer(codes)])
    offsets = pa.py_buffer(np.append(0, ends))
    lists = pa.Array.from_buffers(pa.large_list(pa.uint16()), len(ends), [None, offsets], children=[values])
    return pl.Series("sequence", lists)


def _sorted_texts(ends: Ints, units: npt.NDArray[np.uint16]) -> tuple[Ints, npt.NDArray[np.uint16]]:
    """Sort texts of big-endian units, given and returned as one array and the end of each text in it."""
    import pyarrow as pa  # noqa: PLC0415  slow to import

    offsets = pa.py_buffer(np.append(0, ends) * units.itemsize)
    texts = pa.Array.from_buffers(pa.large_binary(), len(ends), [None, offsets, pa.py_buffer(units)])
    ordered = pl.Series(values=texts).sort().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = ordered.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[1 : len(ends) + 1] // units.itemsize
    return ends, np.frombuffer(data, dtype=BIG_ENDIAN)[: ends[-1]]


def _grouped(events: pl.DataFrame) -> pl.DataFrame:
    """Tally by the sequences themselves: slower, for logs in which two of them share a fingerprint."""
    cases = events.group_by("case_ix", maintain_order=True).agg(sequence="activity")
    return ranked(cases.group_by("sequence").agg(cases=pl.len().cast(pl.Int64)))

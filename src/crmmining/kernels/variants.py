"""Variants: which sequences of activities occur, and in how many cases."""

import numpy as np
import numpy.typing as npt
import polars as pl

from crmmining.kernels.traces import Traces, traces

SCHEMA = pl.Schema({"sequence": pl.List(pl.UInt16), "cases": pl.Int64})


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
    found = pl.DataFrame({"fingerprint": _fingerprints(log), "length": log.lengths})
    tally = found.with_row_index("example").group_by("fingerprint").agg(pl.min("example"), cases=pl.len())
    if not _one_sequence_each(log, found.join(tally, on="fingerprint", how="left", maintain_order="left")):
        return _grouped(events)
    sequences = _sequences(log, tally["example"].to_numpy())
    return ranked(tally.select(sequences.alias("sequence"), pl.col("cases").cast(pl.Int64)))


def variant_of(events: pl.DataFrame) -> pl.DataFrame:
    """Name each case's sequence: `case_ix`, `variant` (UInt64 fingerprint), `length` (events, Int64).

    Cases of one sequence share a fingerprint; distinct sequences share one only by a 64-bit accident.
    """
    log = traces(events)
    return pl.DataFrame({"case_ix": log.cases, "variant": _fingerprints(log), "length": log.lengths})


def ranked(tally: pl.DataFrame) -> pl.DataFrame:
    """Sort a tally of variants: most frequent first, equal counts by sequence."""
    return tally.sort("cases", "sequence", descending=[True, False])


def _mix(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Scatter 64-bit numbers (the finalizer of splitmix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _fingerprints(log: Traces) -> npt.NDArray[np.uint64]:
    """Hash each case's sequence: the wrapping sum of its scattered (position, activity) pairs."""
    if not len(log.starts):
        return np.empty(0, dtype=np.uint64)
    place = _places(log).astype(np.uint64) + np.uint64(1)
    return np.add.reduceat(_mix((place << np.uint64(16)) | log.activity), log.starts)


def _places(log: Traces) -> npt.NDArray[np.int64]:
    """Position of each event inside its case, from 0."""
    return np.arange(len(log.case)) - np.repeat(log.starts, log.lengths)


def _one_sequence_each(log: Traces, found: pl.DataFrame) -> bool:
    """Whether every case equals the example of its fingerprint, event by event."""
    example = found["example"].to_numpy()
    if not np.array_equal(log.lengths, log.lengths[example]):
        return False
    twin = _places(log) + np.repeat(log.starts[example], log.lengths)
    return np.array_equal(log.activity, log.activity[twin])


def _sequences(log: Traces, examples: npt.NDArray[np.uint32]) -> pl.Series:
    """Cut the sequences of some cases out of the log."""
    lengths = log.lengths[examples]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    places = np.arange(offsets[-1]) + np.repeat(log.starts[examples] - offsets[:-1], lengths)
    codes = pl.DataFrame(
        {"variant": np.repeat(np.arange(len(examples)), lengths), "code": log.activity[places]}
    )
    return codes.group_by("variant", maintain_order=True).agg("code")["code"]


def _grouped(events: pl.DataFrame) -> pl.DataFrame:
    """Tally by the sequences themselves: slower, for logs in which two of them share a fingerprint."""
    cases = events.group_by("case_ix", maintain_order=True).agg(sequence="activity")
    return ranked(cases.group_by("sequence").agg(cases=pl.len().cast(pl.Int64)))

"""Milestones: when each case first and last passed them, and how often."""

from collections.abc import Collection, Mapping

import numpy as np
import polars as pl

from crmmining.kernels.traces import first_of_run, traces

_DECIMALS = 10_000


def instants(events: pl.DataFrame, milestones: Mapping[str, Collection[int]]) -> pl.DataFrame:
    """Say when each case first and last passed each milestone, and how often.

    `case_ix`, then for every milestone m `m_at`, `m_last` (Datetime, UTC; null when never), `m_n` (UInt32).
    """
    log = traces(events)
    time = events["occurred_at"]
    facts = [events["case_ix"].gather(log.starts)]
    for name, codes in milestones.items():
        at = log.among(codes)
        first = np.flatnonzero(first_of_run(log.case[at]))
        count = np.diff(np.append(first, len(at)))
        last = first + count - 1
        row = pl.Series(np.searchsorted(log.starts, at[first], side="right") - 1, dtype=pl.UInt32)
        nobody = pl.repeat(None, len(log.starts), dtype=time.dtype, eager=True)
        facts += [
            nobody.scatter(row, time.gather(at[first])).alias(f"{name}_at"),
            nobody.scatter(row, time.gather(at[last])).alias(f"{name}_last"),
            pl.zeros(len(log.starts), dtype=pl.UInt32, eager=True)
            .scatter(row, pl.Series(count, dtype=pl.UInt32))
            .alias(f"{name}_n"),
        ]
    return pl.DataFrame(facts)


def sums(events: pl.DataFrame, words: Mapping[str, Collection[int]]) -> pl.DataFrame:
    """Add up the `delta` of each case's events among the codes of each word: `case_ix`, the words (Float64).

    Exact to four decimals, whatever the order; null deltas add nothing. A row for every case there is.

    >>> log = {"case_ix": [0, 0, 0], "activity": [3, 3, 4], "delta": [0.1, 0.2, 5.0]}
    >>> told = pl.DataFrame(log, schema_overrides={"case_ix": pl.UInt32, "activity": pl.UInt16})
    >>> sums(told, {"pushed": [3]}).rows()
    [(0, 0.3)]
    """
    whole = (pl.col("delta") * _DECIMALS).round().cast(pl.Int128)
    return events.group_by("case_ix", maintain_order=True).agg(
        (whole.filter(pl.col("activity").is_in(list(codes))).sum().cast(pl.Float64) / _DECIMALS).alias(word)
        for word, codes in words.items()
    )


def last_of(events: pl.DataFrame, codes: Collection[int]) -> pl.DataFrame:
    """Find each case's last event among `codes`: `case_ix`, `activity`, `occurred_at`; no row without one."""
    log = traces(events)
    at = log.among(codes)
    first = np.flatnonzero(first_of_run(log.case[at]))
    last = at[np.append(first[1:], len(at)) - 1] if len(at) else at
    return events.select("case_ix", "activity", "occurred_at")[last]

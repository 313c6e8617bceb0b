"""Milestones: when each case first and last passed them, and how often."""

from collections.abc import Collection, Mapping

import numpy as np
import polars as pl

from crmmining.kernels.traces import first_of_run, traces


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


def last_of(events: pl.DataFrame, codes: Collection[int]) -> pl.DataFrame:
    """Find each case's last event among `codes`: `case_ix`, `activity`, `occurred_at`; no row without one."""
    log = traces(events)
    at = log.among(codes)
    first = np.flatnonzero(first_of_run(log.case[at]))
    last = at[np.append(first[1:], len(at)) - 1] if len(at) else at
    return events.select("case_ix", "activity", "occurred_at")[last]

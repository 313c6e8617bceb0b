"""Transitions: which activity directly follows which inside a case, how often, and after how long."""

from collections.abc import Callable, Iterator

import numpy as np
import polars as pl

from crmmining.kernels.packing import BLOCK, tally_rows
from crmmining.kernels.quantiles import quantile
from crmmining.kernels.traces import Flags, Ints, first_of_run, traces

COUNTS = pl.Schema({"source": pl.UInt16, "target": pl.UInt16, "n": pl.Int64})
TALLY = pl.Schema(
    {"source": pl.UInt16, "target": pl.UInt16, "bucket": pl.UInt16, "n": pl.Int64, "seconds": pl.Int64}
)
MICROSECONDS = 1_000_000
HALVINGS = 7  # a bucket spans 1/128 of its least value: less than 0.8 %
LARGEST = 1 << 23  # cells of a table that is filled more quickly than keys are sorted
_FRACTION = 52  # bits of the fraction of a Float64,
_ONE = 1023  # its exponent of 1,
_EXACT = 1 << 53  # and the whole numbers that it holds exactly


def transitions(events: pl.DataFrame, *, same_save: bool = False) -> pl.DataFrame:
    """Tally directly-follows pairs: `source`, `target`, `bucket` of the time between, `n`, `seconds` in all.

    Times are whole seconds, rounded down; see `bucket`. Pairs of one `change_set`, where the log has that
    column, are left out unless `same_save`. Sorted by source, target and bucket.

    >>> from datetime import UTC, datetime
    >>> log = pl.DataFrame({"case_ix": [0, 0], "activity": [1, 5],
    ...                     "occurred_at": [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2)]},
    ...                    schema_overrides={"case_ix": pl.UInt32, "activity": pl.UInt16})
    >>> transitions(log).drop("bucket").rows()
    [(1, 5, 1, 86400)]
    """
    time = events["occurred_at"].to_physical().to_numpy()
    activity, codes = _activities(events)
    edges = counts(events, same_save=same_save)
    present = edges["source"].to_numpy().astype(np.int64) * codes + edges["target"].to_numpy()
    place_of = _places(present, codes)
    longest = np.ptp(time) if len(time) else 0
    width = int(bucket(np.array([longest // MICROSECONDS]))[0]) + 1
    cell, seconds = np.empty((2, int(edges["n"].sum())), dtype=np.int64)
    filled = 0
    for within, follows in _followers(events, same_save=same_save):
        here = slice(filled, filled := filled + int(np.count_nonzero(follows)))
        seconds[here] = np.diff(time[within])[follows] // MICROSECONDS
        cell[here] = place_of(_pairs(activity[within], codes)[follows]) * width + bucket(seconds[here])
    cell, n, total = _counted(cell, seconds)
    place, buckets = np.divmod(cell, width)
    return _tally(present[place], codes, TALLY, bucket=buckets, n=n, seconds=total)


def counts(events: pl.DataFrame, *, same_save: bool = False) -> pl.DataFrame:
    """Tally directly-follows pairs without their times: `source`, `target`, `n`; otherwise as `transitions`.

    >>> log = pl.DataFrame({"case_ix": [0, 0, 1], "activity": [1, 5, 1]},
    ...                    schema_overrides={"case_ix": pl.UInt32, "activity": pl.UInt16})
    >>> counts(log).rows()
    [(1, 5, 1)]
    """
    activity, codes = _activities(events)
    if codes**2 > LARGEST:
        blocks = _followers(events, same_save=same_save)
        none = np.empty(0, dtype=np.int64)
        found = [_pairs(activity[within], codes)[follows] for within, follows in blocks]
        tally = tally_rows(pl.DataFrame({"pair": np.concatenate([none, *found])}))
        return _tally(tally["pair"].to_numpy(), codes, COUNTS, n=tally["n"].to_numpy())
    table = np.zeros(codes**2, dtype=np.int64)
    for within, follows in _followers(events, same_save=same_save):
        table += np.bincount(_pairs(activity[within], codes)[follows], minlength=codes**2)
    present = np.flatnonzero(table)
    return _tally(present, codes, COUNTS, n=table[present])


def bucket(seconds: Ints) -> Ints:
    """The bucket of each time in whole seconds: times below 256 have one each, above it a bucket spans 0.8 %.

    Every power of two is cut into 128, so that times of one bucket differ by at most 1/128 of the least of
    them. Buckets ascend with time.

    >>> bucket(np.array([0, 1, 2, 3, 256, 257, 258])).tolist()
    [0, 1, 129, 193, 1025, 1025, 1026]
    """
    bits: Ints = seconds.astype(np.float64).view(np.int64) >> (_FRACTION - HALVINGS)
    found: Ints = np.maximum(bits - (_ONE << HALVINGS) + 1, 0)
    return found


def summarise(tally: pl.DataFrame) -> pl.DataFrame:
    """Sum a tally of transitions, as `transitions` and `merge.add` sort it, up per edge.

    `source`, `target`, `n`, `total_seconds` (Int64), `median_seconds`, `p90_seconds`, `mean_seconds`
    (Float64). A quantile takes each time for the mean of its bucket: it is exact where those of a bucket are
    equal, and otherwise off by less than 0.8 %. It interpolates linearly between the two nearest times.
    """
    edge = [name for name in ("source", "target") if len(tally)]
    first = np.logical_or.reduce([first_of_run(tally[name].to_numpy()) for name in edge]) if edge else []
    start = np.flatnonzero(first)
    seconds, n = tally["seconds"].to_numpy(), tally["n"].to_numpy()
    count, total = (np.add.reduceat(column, start) if edge else column for column in (n, seconds))
    return (
        tally[start]
        .select("source", "target", n=pl.Series(count), total_seconds=pl.Series(total))
        .with_columns(
            median_seconds=quantile(seconds / n, n, start, 5),
            p90_seconds=quantile(seconds / n, n, start, 9),
            mean_seconds=pl.col("total_seconds") / pl.col("n"),
        )
    )


def endpoints(events: pl.DataFrame) -> pl.DataFrame:
    """Say where each case begins and ends: `case_ix`, `first`, `last` (activity codes)."""
    log = traces(events)
    return pl.DataFrame(
        {"case_ix": log.cases, "first": log.activity[log.starts], "last": log.activity[log.ends - 1]},
        schema={"case_ix": pl.UInt32, "first": pl.UInt16, "last": pl.UInt16},
    )


def ends(events: pl.DataFrame) -> pl.DataFrame:
    """Tally how many cases begin and end with each activity: `activity`, `starts`, `ends`."""
    log = traces(events)
    size = int(log.activity.max(initial=0)) + 1
    starts = np.bincount(log.activity[log.starts], minlength=size)
    stops = np.bincount(log.activity[log.ends - 1], minlength=size)
    met = np.flatnonzero(starts + stops)
    return pl.DataFrame({"activity": met.astype(np.uint16), "starts": starts[met], "ends": stops[met]})


def _activities(events: pl.DataFrame) -> tuple[Ints, int]:
    activity = events["activity"].to_numpy()
    return activity, int(activity.max(initial=0)) + 1


def _followers(events: pl.DataFrame, *, same_save: bool) -> Iterator[tuple[slice, Flags]]:
    """Stretches of the log, and which of their events after the first follows the one before it."""
    case = events["case_ix"].to_numpy()
    apart = None if same_save or "change_set" not in events.columns else events["change_set"].to_numpy()
    for start in range(0, len(case) - 1, BLOCK):
        within = slice(start, start + BLOCK + 1)
        follows = case[within][1:] == case[within][:-1]
        if apart is not None:
            follows &= apart[within][1:] != apart[within][:-1]
        yield within, follows


def _pairs(activity: Ints, codes: int) -> Ints:
    """One number for each two neighbours."""
    return activity[:-1].astype(np.int64) * codes + activity[1:]


def _places(present: Ints, codes: int) -> Callable[[Ints], Ints]:
    """What tells the place of each pair among those present."""
    if codes**2 > LARGEST:
        return lambda pair: np.searchsorted(present, pair)
    table = np.zeros(codes**2, dtype=np.int64)
    table[present] = np.arange(len(present))
    return table.take


def _counted(cells: Ints, seconds: Ints) -> tuple[Ints, Ints, Ints]:
    """The distinct cells in order, how often each occurs and its seconds in all."""
    if int(cells.max(initial=0)) >= LARGEST or seconds.sum() >= _EXACT:
        found = pl.DataFrame({"cell": cells, "seconds": seconds}).group_by("cell")
        tally = found.agg(n=pl.len().cast(pl.Int64), seconds=pl.col("seconds").sum()).sort("cell")
        return tally["cell"].to_numpy(), tally["n"].to_numpy(), tally["seconds"].to_numpy()
    n = np.bincount(cells)
    total = np.bincount(cells, weights=seconds).astype(np.int64)
    present = np.flatnonzero(n)
    return present, n[present], total[present]


def _tally(pair: Ints, codes: int, schema: pl.Schema, **columns: Ints) -> pl.DataFrame:
    source, target = np.divmod(pair, codes)
    found = {"source": source, "target": target, **columns}
    return pl.DataFrame([pl.Series(name, found[name]).cast(kind) for name, kind in schema.items()])

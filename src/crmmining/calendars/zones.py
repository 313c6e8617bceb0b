"""Local time: stretches of constant offset of a time zone, and what a local clock shows in them."""

from datetime import datetime, timedelta
from functools import lru_cache

import numpy as np
import polars as pl

from crmmining.kernels.worktime import Int64Array, Spans, covered

SECOND = 1_000_000  # microseconds
DAY = 86_400 * SECOND
_HOUR = DAY // 24


@lru_cache(maxsize=64)
def stretches(zone: str, first_year: int, end_year: int) -> tuple[Int64Array, Int64Array]:
    """When the offset of a zone changes in some whole years of UTC, a few days more on both sides.

    First instants of the stretches (the first is where the years begin), and their offsets: local time minus
    UTC. Microseconds.
    """
    begin, end = datetime(first_year, 1, 1), datetime(end_year, 1, 1)  # noqa: DTZ001  UTC, as told below
    margin = timedelta(days=4)
    days = pl.datetime_range(begin - margin, end + margin, "1d", time_unit="us", eager=True)
    at = days.to_physical().to_numpy()
    grid = at[None, :]
    for step, finer in ((DAY, _HOUR), (_HOUR, SECOND)):
        before, _, _ = _changes(grid, zone)
        grid = before[:, None] + np.arange(0, step + finer, finer)
    _, starts, offsets = _changes(grid, zone)
    return np.append(at[:1], starts), np.append(_offsets(at[:1], zone), offsets)


def _changes(grid: Int64Array, zone: str) -> tuple[Int64Array, Int64Array, Int64Array]:
    """Of rows of instants, those after which the offset is another, the next ones, and the offsets then."""
    shown = _offsets(grid.ravel(), zone).reshape(grid.shape)
    row, place = np.nonzero(shown[:, 1:] != shown[:, :-1])
    return grid[row, place], grid[row, place + 1], shown[row, place + 1]


def to_utc(local: Spans, zone: str, first_year: int, end_year: int) -> Spans:
    """The instants whose local time lies in the spans: an hour that the clock shows twice counts twice."""
    opens, closes = local
    starts, offsets = stretches(zone, first_year, end_year)
    ends = np.append(starts[1:], starts[-1] + (end_year - first_year + 2) * 366 * DAY)
    found = []
    for start, end, offset in zip(starts, ends, offsets, strict=True):
        inside = slice(
            np.searchsorted(closes, start + offset, side="right"),
            np.searchsorted(opens, end + offset, side="left"),
        )
        found.append((np.maximum(opens[inside] - offset, start), np.minimum(closes[inside] - offset, end)))
    return covered(found)


def local_time(at: Int64Array, zone: str, first_year: int, end_year: int) -> Int64Array:
    """What the local clock shows at instants of these years, as microseconds since 1970."""
    starts, offsets = stretches(zone, first_year, end_year)
    shown: Int64Array = at + offsets[np.maximum(np.searchsorted(starts, at, side="right") - 1, 0)]
    return shown


def _offsets(at: Int64Array, zone: str) -> Int64Array:
    instants = pl.Series(at).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    shown = instants.dt.convert_time_zone(zone).dt.replace_time_zone(None).to_physical().to_numpy()
    found: Int64Array = shown - at
    return found

"""Coding: flat events with text Ids become one sorted log of integers. No later kernel touches text again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from crmmining.kernels.ids import group
from crmmining.kernels.packing import sort_rows
from crmmining.kernels.traces import first_of_run

MAX_ACTIVITIES = 1 << 16
SECOND = 1_000_000


@dataclass(frozen=True)
class Coded:
    """A coded log: `events` sorted by case, time, rank and source id, and what its codes stand for."""

    events: pl.DataFrame
    case_ids: pl.Series
    activities: tuple[str, ...]


def code(
    flat: pl.DataFrame | pl.LazyFrame, *, cases: pl.Series | None = None, activities: Sequence[str] = ()
) -> Coded:
    """Code and sort flat events.

    They have `case_id`, `activity`, `occurred_at`, and may have `rank`, `source_id` and any further columns.

    The log holds `case_ix` (UInt32, place of the Id among the sorted `cases`), `activity` (UInt16, place in
    `activities`, to which new names are appended in alphabetical order), `occurred_at` (microseconds, UTC)
    and all further columns. Events of one instant are ordered by rank, source id, activity name and at last
    by the further columns, nulls first, so the order of the rows given never matters.
    ValueError for nulls in case, activity, time or rank, times without a zone, and cases that `cases` lacks.

    >>> from datetime import UTC, datetime
    >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    >>> flat = pl.DataFrame({"case_id": ["b", "a"], "activity": ["win", "call"], "occurred_at": [noon, noon]})
    >>> coded = code(flat)
    >>> coded.events.select("case_ix", "activity").rows(), coded.case_ids.to_list(), coded.activities
    ([(0, 0), (1, 1)], ['a', 'b'], ('call', 'win'))
    """
    frame = flat.lazy().collect().rechunk()  # gathering from many chunks costs several times as much
    _refuse(frame)
    names = (*activities, *sorted(set(frame["activity"].unique()).difference(activities)))
    if len(names) > MAX_ACTIVITIES:
        raise ValueError(f"{len(names)} distinct activities; a log holds at most {MAX_ACTIVITIES}")
    row, case_ix, case_ids = _code_cases(frame["case_id"], cases)
    alphabet = pl.Series(sorted(names), dtype=pl.String)
    keys = {
        "case_ix": case_ix,
        "occurred_at": frame["occurred_at"].dt.cast_time_unit("us").to_physical().gather(row),
        "rank": frame["rank"].gather(row) if "rank" in frame.columns else None,
        "by_name": frame["activity"].cast(pl.Enum(alphabet)).to_physical().gather(row),
    }
    log = pl.DataFrame({name: key for name, key in keys.items() if key is not None})
    carried = frame.drop("case_id", "activity", "occurred_at", "rank", strict=False)
    if carried.width:
        log = _ordered(log.with_columns(row=row), carried)
        log = log.with_columns(carried[log["row"]])
    else:
        log = _packed(log)
    place = {name: code for code, name in enumerate(names)}
    codes = pl.Series([place[name] for name in alphabet], dtype=pl.UInt16)
    events = log.select(
        "case_ix",
        codes.gather(log["by_name"]).alias("activity"),
        pl.col("occurred_at").cast(pl.Datetime("us", "UTC")),
        *(name for name in frame.columns if name not in ("case_id", "activity", "occurred_at")),
    )
    return Coded(events, case_ids, names)


def _refuse(flat: pl.DataFrame) -> None:
    """Refuse events that cannot be placed."""
    required = [name for name in ("case_id", "activity", "occurred_at", "rank") if name in flat.columns]
    nulls = {name: flat[name].null_count() for name in required if flat[name].null_count()}
    if nulls:
        raise ValueError("events without " + ", ".join(f"{name}: {count}" for name, count in nulls.items()))
    dtype = flat.schema["occurred_at"]
    if not isinstance(dtype, pl.Datetime):
        raise ValueError(f"occurred_at is {dtype}, not Datetime")  # noqa: TRY004  as all bad input
    if dtype.time_zone is None:
        raise ValueError("occurred_at has no time zone; it must be UTC")


def _code_cases(ids: pl.Series, cases: pl.Series | None) -> tuple[pl.Series, pl.Series, pl.Series]:
    """Say in which order the rows come together by case, the case of each in that order, and all case Ids."""
    row, first = group(ids)
    distinct = ids.gather(row.filter(pl.Series(first, dtype=pl.Boolean)))
    nth = np.cumsum(first, dtype=np.uint32) - np.uint32(1)
    if cases is None:
        return row, pl.Series(nth), distinct.alias("case_id")
    case_ids = cases.sort().alias("case_id")
    if case_ids.null_count():
        raise ValueError(f"cases without an Id: {case_ids.null_count()}")
    if doubled := len(case_ids) - case_ids.n_unique():
        raise ValueError(f"cases given more than once: {doubled}")
    known = case_ids.cast(pl.String).to_frame().with_row_index("place")
    place = (
        distinct.alias("case_id")
        .to_frame()
        .join(known, on="case_id", how="left", maintain_order="left")["place"]
    )
    if place.null_count():
        missing = int(np.isin(nth, place.is_null().arg_true().to_numpy()).sum())
        example = distinct.filter(place.is_null())[0]
        raise ValueError(f"{missing} events belong to none of the cases, such as '{example}'")
    return row, place.gather(nth), case_ids


def _packed(log: pl.DataFrame) -> pl.DataFrame:
    """Sort rows by all their columns; times that are whole seconds are packed as such."""
    time = log["occurred_at"]
    seconds = time // SECOND
    if not (seconds * SECOND).equals(time):
        return sort_rows(log)
    return sort_rows(log.with_columns(seconds)).with_columns(pl.col("occurred_at") * SECOND)


def _ordered(log: pl.DataFrame, carried: pl.DataFrame) -> pl.DataFrame:
    """Sort rows by case, time and rank; order what is equal in these by source id, name and the rest."""
    instant = [name for name in ("case_ix", "occurred_at", "rank") if name in log.columns]
    log = log.sort(instant)
    first = np.logical_or.reduce([first_of_run(log[name].to_numpy()) for name in instant])
    tied = ~first
    tied[:-1] |= ~first[1:]
    at = np.flatnonzero(tied)
    more = carried[log["row"].gather(at)].rename(lambda name: f"carried {name}")
    run = pl.Series("run", np.cumsum(first)[at])
    ties = log[at].select("row", "by_name").with_columns(run).with_columns(more)
    decisive = [name for name in ("carried source_id",) if name in more.columns]
    ties = ties.sort("run", *decisive, "by_name", *(name for name in more.columns if name not in decisive))
    return log.with_columns(log[name].scatter(at, ties[name]) for name in ("row", "by_name"))

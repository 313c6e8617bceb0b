"""Coding: flat events with text Ids become one sorted log of integers. No later kernel touches text again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from crmmining.kernels.ids import group
from crmmining.kernels.packing import row_keys, sort_rows
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
    place = {name: code for code, name in enumerate(names)}
    alphabet = pl.Series(sorted(names), dtype=pl.String)
    codes = pl.Series([place[name] for name in alphabet], dtype=pl.UInt16)
    further = [name for name in frame.columns if name not in ("case_id", "activity", "occurred_at")]
    by_name = frame["activity"].cast(pl.Enum(alphabet)).to_physical()
    time = frame["occurred_at"].dt.cast_time_unit("us").to_physical()
    if further:
        at = pl.Series(np.empty(len(frame), dtype=np.uint32)).scatter(row, case_ix)
        coded = [at.alias("case_ix"), codes.gather(by_name).alias("activity"), _instants(time)]
        return Coded(order(pl.DataFrame([*coded, *frame.select(further)]), names), case_ids, names)
    log = _packed(
        pl.DataFrame({"case_ix": case_ix, "occurred_at": time.gather(row), "by_name": by_name.gather(row)})
    )
    activity = codes.gather(log["by_name"]).alias("activity")
    return Coded(pl.DataFrame([log["case_ix"], activity, _instants(log["occurred_at"])]), case_ids, names)


def order(events: pl.DataFrame, activities: Sequence[str]) -> pl.DataFrame:
    """Sort coded events (`case_ix`, `activity`, `occurred_at`, and what else there is) into log order.

    That is by case, time, rank (up to 255), seq (UInt16), source id, name of the activity and at last by the
    further columns, nulls first; those between time and name count where there are such columns.
    """
    placed = ["case_ix", "occurred_at", *(name for name in ("rank", "seq") if name in events.columns)]
    time = _whole_seconds(events["occurred_at"].to_physical())
    keys = row_keys(events.select(placed).with_columns(time))
    row = keys.select(pl.arg_sort_by(keys.columns)).to_series().alias("row")
    first = np.logical_or.reduce([first_of_run(keys[name].gather(row).to_numpy()) for name in keys.columns])
    at = np.flatnonzero(~first | ~np.append(first[1:], True))
    if len(at):
        row = row.scatter(at, _settled(events, row.gather(at), np.cumsum(first)[at], placed, activities))
    return events[row]


def _settled(
    events: pl.DataFrame,
    tied: pl.Series,
    run: npt.NDArray[np.int64],
    placed: Sequence[str],
    activities: Sequence[str],
) -> pl.Series:
    """Put `tied` rows of each run in order: by source id, and by all that is further if that leaves ties."""
    decisive = [name for name in ("source_id",) if name in events.columns]
    ties = pl.DataFrame([tied, pl.Series("run", run), *(events[name].gather(tied) for name in decisive)])
    by_id = ties.sort("run", *decisive)
    same = [pl.col(name).eq_missing(pl.col(name).shift()) for name in ("run", *decisive)]
    if not by_id.select(pl.all_horizontal(same).any()).item():
        return by_id["row"]
    rank_of = pl.Series(activities, dtype=pl.String).rank("ordinal").cast(pl.UInt32)
    further = [name for name in events.columns if name not in (*placed, "activity", *decisive)]
    by_name = rank_of.gather(events["activity"].gather(tied)).alias("by_name")
    ties = ties.with_columns(by_name, *(events[name].gather(tied) for name in further))
    return ties.sort("run", *decisive, "by_name", *further)["row"]


def _instants(microseconds: pl.Series) -> pl.Series:
    return microseconds.cast(pl.Datetime("us", "UTC")).alias("occurred_at")


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
    seconds = _whole_seconds(time)
    if seconds is time:
        return sort_rows(log)
    return sort_rows(log.with_columns(seconds)).with_columns(pl.col("occurred_at") * SECOND)


def _whole_seconds(time: pl.Series) -> pl.Series:
    """Microseconds as seconds, which are narrower, where nothing is lost by it."""
    seconds = time // SECOND
    return seconds if (seconds * SECOND).equals(time) else time

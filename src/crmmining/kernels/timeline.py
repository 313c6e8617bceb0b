"""Timelines: the moments at which anything of a case changed, and what was in force from each on."""

import numpy as np
import polars as pl

from crmmining.kernels.standing import typed


def timeline(values: pl.DataFrame, moments: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.Series]:
    """Bring changes and other moments of cases together, sorted once, so that nothing has to be searched.

    Of `values` (`case_ix`, `attribute`, `since`, `value`) those of one attribute are sorted by case, time and
    seq; `moments` (`case_ix`, `at`) have any order. Three answers: the points (case_ix, at, distinct and in
    order), attribute, value and place (the row of its point) of each change, and the place of each moment.

    >>> from datetime import UTC, datetime
    >>> may, june = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    >>> told = {"case_ix": [0, 0], "attribute": ["owner"] * 2, "since": [may, june], "value": ["Ann", "Bob"]}
    >>> points, changes, places = timeline(pl.DataFrame(told), pl.DataFrame({"case_ix": [0], "at": [june]}))
    >>> points.height, changes["place"].to_list(), places.to_list()
    (2, [0, 1], [1])
    """
    own = values.select("case_ix", at="since")
    keys = pl.concat([moments.select("case_ix", "at"), own]).with_row_index("row")
    ordered = keys.sort("case_ix", "at")
    case, at = ordered["case_ix"].to_numpy(), ordered["at"].to_physical().to_numpy()
    new = np.ones(len(case), dtype=np.bool_)
    new[1:] = (case[1:] != case[:-1]) | (at[1:] != at[:-1])
    places = np.empty(len(case), dtype=np.uint32)
    places[ordered["row"].to_numpy()] = np.cumsum(new) - 1
    points = ordered.select("case_ix", "at").filter(pl.Series(new, dtype=pl.Boolean))
    place = pl.Series("place", places)
    changes = values.select("attribute", "value").with_columns(place[moments.height :])
    return points, changes, place[: moments.height]


def in_force(now: pl.Series, points: pl.DataFrame, changes: pl.DataFrame) -> pl.Series:
    """Say what an attribute was from each of `points` on, as `standing.attributes_at` does.

    `now` is what it is today, by case; `changes` (place, value) are those of `timeline` of this attribute.

    >>> points = pl.DataFrame({"case_ix": [0, 0, 0, 1]})
    >>> changes = pl.DataFrame({"place": [1, 2], "value": ["5", "7"]})
    >>> in_force(pl.Series([7.0, 9.0]), points, changes).to_list()
    [5.0, 5.0, 7.0, 9.0]
    """
    case = points["case_ix"].to_numpy().astype(np.int64)
    place = changes["place"].to_numpy()
    of_case = case[place]
    told = np.full(len(case), -1, dtype=np.int64)
    told[place] = np.arange(len(place))  # of several at one place the last one stays
    told = np.maximum.accumulate(told) if len(told) else told
    first = np.full(len(now), -1, dtype=np.int64)
    first[of_case[::-1]] = np.arange(len(place))[::-1]
    same = np.append(of_case, -1)[told] == case
    row = np.where(same, told, first[case])
    known = pl.Series(row >= 0, dtype=pl.Boolean)
    read = changes.select(typed("value", now.dtype)).to_series()
    read = read if len(read) else pl.Series([None], dtype=now.dtype)
    both = pl.DataFrame({"was": read.gather(np.maximum(row, 0)), "now": now.gather(points["case_ix"])})
    return both.select(pl.when(known).then("was").otherwise("now").alias(now.name)).to_series()

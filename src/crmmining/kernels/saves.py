"""Saves: which events of a case one save of one record tells. They have no order that anybody chose."""

import numpy as np
import polars as pl

from crmmining.kernels.traces import first_of_run


def change_sets(events: pl.DataFrame, record: str) -> pl.Series:
    """Number the saves of each case: the place in the case of the first event that a save tells (UInt32).

    `events` are in log order with `recorded_at` and `actor`. Events of one case with the same `record` (the
    name of a column), the same actor and the same moment of recording are one save; one without a record
    stands alone.

    >>> from datetime import UTC, datetime
    >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    >>> log = pl.DataFrame({"case_ix": [0, 0, 0, 1], "occurred_at": [noon] * 4, "recorded_at": [noon] * 4,
    ...                     "actor": ["a", "a", "b", "a"], "record": ["r", "r", "r", "r"]})
    >>> change_sets(log, "record").to_list()
    [0, 0, 2, 0]
    """
    case = events["case_ix"].to_numpy()
    starts = np.flatnonzero(first_of_run(case))
    place = np.arange(len(case), dtype=np.uint32)
    place -= np.repeat(place[starts], np.diff(starts, append=len(case)))
    when, known = (events[name].to_physical().to_numpy() for name in ("occurred_at", "recorded_at"))
    first = first_of_run(case) | first_of_run(when)
    tied = ~first | ~np.append(first[1:], True)
    late = pl.Series(when != known)
    if late.any():  # what was recorded later than it happened may stand far from the rest of its save
        moments = events.select("case_ix", "recorded_at")
        met = moments.with_row_index("row").join(moments.filter(late), on=moments.columns, how="semi")
        tied[met["row"].to_numpy()] = True
    at = np.flatnonzero(tied & events[record].is_not_null().to_numpy())
    saves = events[at].select("case_ix", record, "recorded_at", "actor")
    earliest = pl.min("place").over(saves.columns)
    place[at] = saves.with_columns(pl.Series("place", place[at])).select(earliest).to_series().to_numpy()
    return pl.Series("change_set", place)

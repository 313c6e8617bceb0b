"""Array types, the simulated time frame, and how arrays become columns."""

from datetime import UTC, date, datetime
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MINUTE: Final = 60
HOUR: Final = 3_600
DAY: Final = 86_400

FIRST_DAY: Final = date(2023, 1, 1)
LAST_DAY: Final = date(2025, 12, 31)
START: Final = int(datetime(2023, 1, 1, tzinfo=UTC).timestamp())
END: Final = int(datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())

NONE: Final = -1
"""No record, no amount, no code."""
NEVER: Final = 1 << 60
"""An instant that does not happen."""


def whole(values: Floats) -> Ints:
    """Round to whole numbers."""
    return np.rint(values).astype(np.int64)


def moments(seconds: Ints) -> pl.Series:
    """Epoch seconds as UTC datetimes; what lies after the end of the simulated time is null."""
    known = pl.Series(seconds)
    return (
        known.to_frame("at")
        .select(
            pl.from_epoch(pl.when(pl.col("at") <= END).then("at"), time_unit="s")
            .cast(pl.Datetime("us"))
            .dt.replace_time_zone("UTC")
        )
        .to_series()
    )


def plans(seconds: Ints) -> pl.Series:
    """Epoch seconds as UTC datetimes that may lie ahead of the simulated time; NEVER is null."""
    return (
        pl.Series(seconds)
        .to_frame("at")
        .select(
            pl.from_epoch(pl.when(pl.col("at") < NEVER).then("at"), time_unit="s")
            .cast(pl.Datetime("us"))
            .dt.replace_time_zone("UTC")
        )
        .to_series()
    )


def days(numbers: Ints) -> pl.Series:
    """Day numbers since 1970 as dates; negative is null."""
    return (
        pl.Series(numbers)
        .to_frame("day")
        .select(pl.when(pl.col("day") >= 0).then("day").cast(pl.Int32).cast(pl.Date))
        .to_series()
    )


def pick(values: pl.Series | list[str], codes: Ints) -> pl.Series:
    """Values at positions; a negative position is null."""
    series = values if isinstance(values, pl.Series) else pl.Series(values, dtype=pl.String)
    positions = pl.Series(codes).to_frame("ix").select(pl.when(pl.col("ix") >= 0).then("ix")).to_series()
    return series.gather(positions)


def amounts(values: Ints) -> pl.Series:
    """Whole amounts as money; negative is null."""
    return (
        pl.Series(values)
        .to_frame("value")
        .select(pl.when(pl.col("value") >= 0).then("value").cast(pl.Float64))
        .to_series()
    )


def number_text(values: pl.Expr) -> pl.Expr:
    """Whole numbers as the text field history keeps of a currency or percent field."""
    return values.cast(pl.String) + ".0"


def count_by(group: Ints, size: int) -> Ints:
    """Rows per group; negative groups are not counted."""
    return np.bincount(group[group >= 0], minlength=size).astype(np.int64)


def sum_by(group: Ints, values: Ints, size: int) -> Ints:
    """Exact sum of whole values per group; negative groups are not counted."""
    result = np.zeros(size, dtype=np.int64)
    np.add.at(result, group[group >= 0], values[group >= 0])
    return result

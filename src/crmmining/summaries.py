"""From one row per case to numbers with denominators; all float arithmetic happens here, in key order."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

Z95 = 1.959963984540054
_SCALE = 10_000


class Members(NamedTuple):
    """Which cases a figure counts, which still wait, and which of those it is about are truncated.

    Conditions on cases that are never null; a counted case may wait as well.
    """

    counted: pl.Expr
    waiting: pl.Expr
    truncated: pl.Expr


def members(counted: pl.Expr, waiting: pl.Expr, *, whole_only: bool) -> Members:
    """Members of a figure; with `whole_only` truncated cases neither count nor wait, and are told apart.

    Otherwise they count as all others do, and those that count are told.
    """
    truncated = pl.col("truncated").fill_null(value=False)
    if whole_only:
        return Members(counted & ~truncated, waiting & ~truncated, (counted | waiting) & truncated)
    return Members(counted, waiting, counted & truncated)


def summarise(
    cases: pl.DataFrame, by: Sequence[str], who: Members, values: Mapping[str, pl.Expr]
) -> pl.DataFrame:
    """Group cases by `by` and add n (counted), open (waiting), excluded (neither), truncated to `values`.

    One row per group, sorted by `by` with nulls last; without `by` always exactly one row.
    """
    tallies = {
        "n": who.counted.sum().cast(pl.Int64),
        "open": who.waiting.sum().cast(pl.Int64),
        "excluded": (~(who.counted | who.waiting)).sum().cast(pl.Int64),
        "truncated": who.truncated.sum().cast(pl.Int64),
    }
    if not by:
        return cases.select(**tallies, **values)
    return cases.group_by(list(by)).agg(**tallies, **values).sort(list(by), nulls_last=True)


def durations(
    cases: pl.DataFrame, by: Sequence[str] = (), *, of: pl.Expr | None = None, whole_only: bool = False
) -> pl.DataFrame:
    """Median, p90 and mean of `end - start` in seconds per group.

    `cases` has `start`, `end` (null: not reached), `open` and `truncated`; a case that reached the end
    counts, one that started and is still open is censored, every other one is excluded. Quantiles interpolate
    linearly.
    """
    scope = population(of)
    counted = scope & pl.col("end").is_not_null()
    waiting = scope & pl.col("start").is_not_null() & pl.col("end").is_null() & pl.col("open")
    who = members(counted, waiting, whole_only=whole_only)
    seconds = (pl.col("end") - pl.col("start")).dt.total_seconds().filter(who.counted)
    values = {
        "median": seconds.median(),
        "p90": seconds.quantile(0.9, "linear"),
        "mean": seconds.sum().cast(pl.Float64) / _positive(who.counted),
    }
    return summarise(cases, by, who, values)


def conversion(
    cases: pl.DataFrame, by: Sequence[str] = (), *, of: pl.Expr | None = None, whole_only: bool = False
) -> pl.DataFrame:
    """Share of cases with a `start` that have an `end`: rate with its Wilson interval, reached, per group.

    `cases` is as for `durations`. n counts all that entered; open is the part of n that is still open and has
    not reached the end.
    """
    entered = population(of) & pl.col("start").is_not_null()
    waiting = entered & pl.col("end").is_null() & pl.col("open")
    who = members(entered, waiting, whole_only=whole_only)
    reached = who.counted & pl.col("end").is_not_null()
    values = {"reached": reached.sum().cast(pl.Int64), **share("rate", reached, who.counted)}
    return summarise(cases, by, who, values)


def population(of: pl.Expr | None) -> pl.Expr:
    """Which cases a figure is about: all of them, or those where `of` is true (null is not true)."""
    return pl.col("open").is_not_null() if of is None else of.fill_null(value=False)


def share(name: str, hit: pl.Expr, counted: pl.Expr) -> dict[str, pl.Expr]:
    """`name` = hits per counted with its 95 % Wilson interval in `<name>_low`, `<name>_high`.

    Null where nothing is counted. Wilson, JASA 22 (1927).
    """
    n, hits = _positive(counted), hit.sum().cast(pl.Float64)
    p = hits / n
    centre = (p + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * ((p * (1 - p) + Z95**2 / (4 * n)) / n).sqrt()
    return {
        name: p,
        f"{name}_low": pl.when(hits == 0).then(0 * n).otherwise(centre - half),
        f"{name}_high": pl.when(hits == n).then(p).otherwise(centre + half),
    }


def exact_sum(number: pl.Expr) -> pl.Expr:
    """Sum of a number to four decimals, the same for every order of the rows; null when nothing is summed."""
    whole = (number * _SCALE).round().cast(pl.Int128).sum().cast(pl.Float64) / _SCALE
    return pl.when(number.count() > 0).then(whole)


def mean(number: pl.Expr) -> pl.Expr:
    """Mean of the non-null values, by way of the exact sum; null when there are none."""
    return exact_sum(number) / number.count()


def with_durations(table: pl.DataFrame) -> pl.DataFrame:
    """The table with total, median, p90 and mean, counted in seconds, as Durations of whole seconds."""
    seconds = [name for name in ("total", "median", "p90", "mean") if name in table.columns]
    return table.with_columns(
        (pl.col(name).round().cast(pl.Int64) * 1_000_000).cast(pl.Duration("us")) for name in seconds
    )


def _positive(counted: pl.Expr) -> pl.Expr:
    n = counted.sum().cast(pl.Float64)
    return pl.when(n > 0).then(n)

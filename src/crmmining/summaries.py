"""From one row per case to numbers with denominators: tallies that add, and figures from what they add up to.

All float arithmetic happens after tallies are added, in the order of their keys.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

from crmmining.kernels.incidence import Z95, crossing, incidence
from crmmining.kernels.merge import Sum
from crmmining.kernels.quantiles import quantile

CLOSED = "span: closed"  # no fact is called so, nor like the seconds of a clock
WITH_OPEN = ("median_with_open", "median_with_open_low", "median_with_open_high")
_SCALE = 10_000


class Members(NamedTuple):
    """Which cases a figure counts, which still wait, and which of those it is about are truncated.

    Conditions on cases that are never null; a counted case may wait as well.
    """

    counted: pl.Expr
    waiting: pl.Expr
    truncated: pl.Expr


class Tally(NamedTuple):
    """What cells of cases add up to, as integers per key.

    counts: the keys, n (counted), open (waiting), excluded (neither), truncated and hits. values: the keys,
    value and how many counted `cases` have it; null values are in no row. Of durations, beside `cases`,
    those that were `competing` or `censored` at that value.
    """

    counts: pl.DataFrame
    values: pl.DataFrame


def members(counted: pl.Expr, waiting: pl.Expr, *, whole_only: bool) -> Members:
    """Members of a figure; with `whole_only` truncated cases neither count nor wait, and are told apart.

    Otherwise they count as all others do, and those that count are told.
    """
    truncated = pl.col("truncated").fill_null(value=False)
    if whole_only:
        return Members(counted & ~truncated, waiting & ~truncated, (counted | waiting) & truncated)
    return Members(counted, waiting, counted & truncated)


def tally(
    cases: pl.DataFrame,
    by: Sequence[str],
    who: Members,
    *,
    hit: pl.Expr | None = None,
    value: pl.Expr | None = None,
) -> Tally:
    """Tally cases by `by`: who they are, how many of those counted are a `hit`, and which `value` they have.

    Without `by` counts has exactly one row.
    """
    hits = pl.lit(value=False) if hit is None else who.counted & hit
    flags = {
        "n": who.counted,
        "open": who.waiting,
        "excluded": ~(who.counted | who.waiting),
        "truncated": who.truncated,
        "hits": hits,
    }
    counts = [flag.sum().cast(pl.Int64).alias(name) for name, flag in flags.items()]
    number = pl.lit(None, pl.Int64) if value is None else value
    values = (
        cases.filter(who.counted)
        .select(*by, value=number)
        .filter(pl.col("value").is_not_null())
        .group_by(*by, "value")
        .agg(cases=pl.len().cast(pl.Int64))
    )
    return Tally(cases.group_by(by).agg(counts) if by else cases.select(counts), values)


class Total:
    """What tallies of partitions add up to as they come in."""

    def __init__(self, by: Sequence[str]) -> None:
        self._by = list(by)
        self._counts, self._values = Sum(by), Sum([*by, "value"])

    def put(self, tally: Tally) -> None:
        """Add one more."""
        self._counts.put(tally.counts)
        self._values.put(tally.values)

    @property
    def tally(self) -> Tally:
        """The sum, sorted by its keys with nulls last, values ascending."""
        counts, values = self._counts.tally, self._values.tally
        counts = counts.sort(self._by, nulls_last=True) if self._by else counts
        return Tally(counts, values.sort(*self._by, "value", nulls_last=True))


def add(tallies: Iterable[Tally], by: Sequence[str]) -> Tally:
    """Add tallies of partitions: see `Total`."""
    total = Total(by)
    for one in tallies:
        total.put(one)
    return total.tally


def seconds(clock: str) -> str:
    """The column with the seconds of a span in one clock."""
    return f"span: {clock}"


def durations(
    cases: pl.DataFrame,
    by: Sequence[str] = (),
    *,
    clock: str = "calendar",
    of: pl.Expr | None = None,
    whole_only: bool = False,
    finished: bool = False,
) -> Tally:
    """Tally the seconds from `start` to `end` in one clock.

    `cases` has `start`, `end` (null: not reached), `open`, `truncated`, `CLOSED` (closed after its start
    without reaching the end) and `seconds(clock)`: from the start to the end, else to that closing, else to
    as_of; null where the clock has no calendar for a case. A case that reached the end counts, one that
    started and is still open is censored, every other one is excluded, and so is one without seconds. Of
    those, a closed one competes; one that was closed already when it started waits on, censored. With
    `finished` values are only of cases that count, as `with_times` takes them without `curve`.
    """
    reached, closed = pl.col("end").is_not_null(), pl.col(CLOSED)
    timed = population(of) & pl.col(seconds(clock)).is_not_null()
    who = members(timed & reached, timed & ~reached & pl.col("open"), whole_only=whole_only)
    whole = ~pl.col("truncated").fill_null(value=False) if whole_only else True
    found = tally(cases, by, who, value=pl.col(seconds(clock)) if finished else None)
    if finished:
        return found
    ways = {"cases": reached, "competing": closed, "censored": ~(reached | closed)}
    values = (
        cases.filter(timed & whole)
        .select(*by, value=seconds(clock), **ways)
        .group_by(*by, "value")
        .agg(pl.col(way).sum().cast(pl.Int64) for way in ways)
    )
    return found._replace(values=values)


def conversion(
    cases: pl.DataFrame,
    by: Sequence[str] = (),
    *,
    of: pl.Expr | None = None,
    whole_only: bool = False,
    within: timedelta | None = None,
    as_of: datetime | None = None,
) -> Tally:
    """Tally the cases with a `start`, those that have an `end` as hits.

    `cases` is as for `durations`. n counts all that entered; open is the part of n that is still open and has
    not reached the end. With `within` an end counts up to so long after the start, n are those for which that
    is over at `as_of`, and open are all others that entered.
    """
    entered = population(of) & pl.col("start").is_not_null()
    if within is not None:
        until = pl.col("start") + within
        over = (until <= as_of).fill_null(value=False)
        who = members(entered & over, entered & ~over, whole_only=whole_only)
        return tally(cases, by, who, hit=(pl.col("end") <= until).fill_null(value=False))
    waiting = entered & pl.col("end").is_null() & pl.col("open")
    who = members(entered, waiting, whole_only=whole_only)
    return tally(cases, by, who, hit=pl.col("end").is_not_null())


def population(of: pl.Expr | None) -> pl.Expr:
    """Which cases a figure is about: all of them, or those where `of` is true (null is not true)."""
    return pl.col("open").is_not_null() if of is None else of.fill_null(value=False)


def with_values(found: Tally, by: Sequence[str], *figures: str) -> pl.DataFrame:
    """Counts without hits, and `figures` of the values (Float64): sum, mean, median, p90; null without any.

    Integers are summed as they are, other numbers to four decimals, so that the order of cases never matters.
    Quantiles interpolate linearly between the two nearest values.
    """
    values, value = found.values, pl.col("value")
    whole = values.schema["value"].is_integer()
    scaled = value if whole else (value * _SCALE).round().cast(pl.Int128)
    total = (scaled * pl.col("cases")).sum().cast(pl.Float64) / (1 if whole else _SCALE)
    figure = {"sum": total, "mean": total / pl.col("cases").sum()}
    told = [figure.get(name, pl.lit(None, pl.Float64)).alias(name) for name in figures]
    size = pl.len().alias("rows")
    cells = values.group_by(by, maintain_order=True).agg(size, *told) if by else values.select(size, *told)
    if values.is_empty():
        cells = cells.clear()
    starts = (cells["rows"].cum_sum() - cells["rows"]).to_numpy().astype(np.int64)
    known, n = values["value"].to_numpy(), values["cases"].to_numpy()
    quantiles = {"median": 5, "p90": 9}
    cells = cells.with_columns(
        quantile(known, n, starts, quantiles[name]).alias(name) for name in figures if name in quantiles
    ).drop("rows")
    counts = found.counts.drop("hits")
    if by:
        return counts.join(cells, on=by, how="left", nulls_equal=True, maintain_order="left")
    return counts.hstack(
        cells if cells.height else pl.DataFrame({name: [None] for name in figures}, schema=cells.schema)
    )


def with_times(found: Tally, by: Sequence[str], *, curve: bool = True) -> pl.DataFrame:
    """Counts without hits, and in seconds median, p90 and mean of the cases that reached the end.

    And `WITH_OPEN`: the time by which half of all that started have reached it, the open ones seen as far as
    they have come and the closed ones in competition (see `kernels.incidence`), with its 95 % interval; null
    where that has not happened, and without `curve`.
    """
    if not curve:
        wide = with_values(found, by, "median", "p90", "mean")
        return wide.with_columns(pl.lit(None, pl.Float64).alias(name) for name in WITH_OPEN)
    reached = found.values.filter(pl.col("cases") > 0).drop("competing", "censored")
    wide = with_values(found._replace(values=reached), by, "median", "p90", "mean")
    half = crossing(incidence(found.values.rename({"cases": "reached"}), by), by, 0.5)
    named = dict(zip(("value", "low", "high"), WITH_OPEN, strict=True))
    half = half.rename(named).cast(dict.fromkeys(WITH_OPEN, pl.Float64))
    if by:
        return wide.join(half, on=by, how="left", nulls_equal=True, maintain_order="left")
    return wide.hstack(half)


def with_share(found: Tally, name: str) -> pl.DataFrame:
    """Counts, and `name` = hits / n with its 95 % Wilson interval in `<name>_low`, `<name>_high`.

    Null where nothing is counted. Wilson, JASA 22 (1927).
    """
    n, hits = pl.when(pl.col("n") > 0).then(pl.col("n").cast(pl.Float64)), pl.col("hits").cast(pl.Float64)
    p = hits / n
    centre = (p + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * ((p * (1 - p) + Z95**2 / (4 * n)) / n).sqrt()
    return found.counts.with_columns(
        p.alias(name),
        pl.when(hits == 0).then(0 * n).otherwise(centre - half).alias(f"{name}_low"),
        pl.when(hits == n).then(p).otherwise(centre + half).alias(f"{name}_high"),
    )


def with_durations(table: pl.DataFrame) -> pl.DataFrame:
    """The table with totals, means and quantiles, counted in seconds, as Durations of whole seconds."""
    told = [name for name in ("total", "median", "p90", "mean", *WITH_OPEN) if name in table.columns]
    return table.with_columns(
        (pl.col(name).round().cast(pl.Int64) * 1_000_000).cast(pl.Duration("us")) for name in told
    )

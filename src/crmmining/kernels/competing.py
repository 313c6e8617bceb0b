"""Competing ends: which share of the cases has ended in each way by which day, and how sure that is."""

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np
import polars as pl

from crmmining.kernels.incidence import band

OPEN = "open"

_PRODUCTS = {one + other: (one, other) for one, other in combinations_with_replacement("qpr", 2)}


def curves(cases: pl.DataFrame, outcomes: Sequence[str], *, clustered: bool) -> pl.DataFrame:
    """Curves of Aalen and Johansen for every cell and outcome, with intervals that know of clusters.

    `cases`: cell (integer), cluster (null: the case is one of its own), day (Int64, from 0 on), outcome (one
    of `outcomes`; null: still open, followed for so many days), cases (Int64: how many such cases there are).
    Returns cell, outcome (those of `outcomes` in their order, then `open`: what has not ended), day,
    at_risk (Int64: cases that had not ended just before and are followed to that day), incidence (Float64,
    0..1), low and high (its 95 % interval, see `incidence.band`; null where the incidence is 0 or 1): a row
    per day on which something ended, and one for the last day anybody is followed to.

    The variance is that of the infinitesimal jackknife: every case has an influence on the incidence (its
    derivative by the weight of the case), those of a cluster are added and then squared. Where each case is
    its own cluster, that is the delta method of `incidence.incidence`. `clustered` multiplies by G / (G - 1),
    G being the clusters of the cell; of a single one there is no interval. Lin and Wei, JASA 84 (1989);
    Therneau and Grambsch, Modeling Survival Data (2000).

    >>> cases = {"cell": [0] * 4, "cluster": [None] * 4, "day": [1, 2, 3, 4], "cases": [1, 1, 1, 2]}
    >>> frame = pl.DataFrame(cases).with_columns(outcome=pl.Series(["won", "lost", "won", None]))
    >>> curves(frame, ["won", "lost"], clustered=False).filter(outcome="won")["incidence"].round(3).to_list()
    [0.2, 0.2, 0.4, 0.4]
    """
    known = pl.col("outcome")
    counts = {f"ended {at}": known == name for at, name in enumerate(outcomes)}
    steps = (
        cases.group_by("cell", "day")
        .agg(
            pl.col("cases").sum().alias("seen"),
            *(pl.col("cases").filter(flag).sum().alias(name) for name, flag in counts.items()),
        )
        .sort("cell", "day")
        .with_columns(
            ended=pl.sum_horizontal(list(counts)),
            at_risk=pl.col("seen").cum_sum(reverse=True).over("cell"),
        )
    )
    steps = steps.with_columns(
        left=(1 - pl.col("ended") / pl.col("at_risk")).cum_prod().shift(1, fill_value=1.0).over("cell")
    )
    units = _units(cases, outcomes, steps)
    shown = (pl.col("ended") > 0) | (pl.col("day") == pl.col("day").max().over("cell"))
    found = []
    for at, name in enumerate((*outcomes, OPEN)):
        reached = "ended" if name == OPEN else f"ended {at}"
        hit = pl.col("code").is_not_null() if name == OPEN else pl.col("code") == at
        curve = _curve(steps, units, reached, hit, clustered=clustered).filter(shown)
        low, high = band(pl.col("incidence"), pl.col("variance"))
        curve = curve.with_columns(low=low, high=high)
        if name == OPEN:
            curve = curve.with_columns(
                incidence=(1 - pl.col("incidence")).clip(0), low=1 - pl.col("high"), high=1 - pl.col("low")
            )
        found.append(
            curve.select(
                "cell",
                pl.lit(name).alias("outcome"),
                pl.lit(at).alias("place"),
                *("day", "at_risk", "incidence", "low", "high"),
            )
        )
    return pl.concat(found).sort("cell", "place", "day").drop("place")


class _Units(NamedTuple):
    """What counts as one, a row per day on which some of it goes, by cell, unit and day.

    rows: unit (of all cells, ascending), cell, code (of the outcome), size (how many cases of the unit go),
    times (there are such units), step (the row of the steps), whole (cases of the unit), left (those that
    have not gone after this row), first (of the unit). order: the rows by step. ends: the last row of each
    step in that order. cells: per step `squares` of whole of all units of the cell, and their number, `many`.
    """

    rows: pl.DataFrame
    order: pl.Series
    ends: pl.Series
    cells: pl.DataFrame


def _units(cases: pl.DataFrame, outcomes: Sequence[str], steps: pl.DataFrame) -> _Units:
    codes = pl.DataFrame({"outcome": list(outcomes), "code": range(len(outcomes))})
    place = steps.select("cell", "day").with_row_index("step")
    coded = cases.join(codes, on="outcome", how="left").join(place, on=["cell", "day"], how="left")
    alone = coded.filter(pl.col("cluster").is_null()).sort("step", "code")
    together = coded.filter(pl.col("cluster").is_not_null())
    names = ["cell", "own", "step", "code", "size", "times"]
    one = pl.lit(1, pl.Int64)
    alone = alone.with_columns(own=-pl.int_range(1, pl.len() + 1), size=one, times="cases").select(names)
    own = pl.col("cluster").rank("dense").cast(pl.Int64)
    together = together.with_columns(own=own, size="cases", times=one).select(names)
    rows = pl.concat([alone, together]).sort("cell", "own", "step", "code")
    rows = rows.with_columns(unit=pl.struct("cell", "own").rle_id()).drop("own").set_sorted("unit")
    rows = rows.with_columns(
        first=pl.col("unit").diff().fill_null(1) > 0, whole=pl.col("size").sum().over("unit")
    )
    rows = rows.with_columns(left=pl.col("whole") - pl.col("size").cum_sum().over("unit"))
    units = rows.filter("first")
    cells = units.group_by("cell").agg(
        squares=(pl.col("times") * pl.col("whole") ** 2).sum().cast(pl.Float64),
        many=pl.col("times").sum().cast(pl.Float64),
    )
    many = np.bincount(rows["step"].to_numpy(), minlength=steps.height)
    return _Units(
        rows,
        pl.Series(np.argsort(rows["step"].to_numpy(), kind="stable")),
        pl.Series(np.cumsum(many) - 1),
        steps.select("cell").join(cells, on="cell", how="left", maintain_order="left"),
    )


def _curve(
    steps: pl.DataFrame, units: _Units, reached: str, hit: pl.Expr, *, clustered: bool
) -> pl.DataFrame:
    """The incidence of one end and its variance, step by step.

    The influence of a case on the incidence F(t) is Q - R K(t) - F(t) (P - R H(t)): R is 1 until the case
    goes, H and K tell what being at risk does to it by t, P and Q are what remains when it has gone. P, Q, R
    of a cluster are sums, which change only when one of its cases goes; so the squares of all clusters at t
    come from six running sums.
    """
    n, d, r = (pl.col(name).cast(pl.Float64) for name in ("at_risk", "ended", reached))
    left, share = pl.col("left"), pl.col("incidence")
    goes = pl.when(n > d).then(1 / (n - d)).otherwise(0.0)  # after the last case nothing moves
    known = steps.with_columns(incidence=(left * r / n).cum_sum().over("cell")).with_columns(
        goes=goes,
        h=(goes * d / n).cum_sum().over("cell"),
        k=(left * r / (n * n) + share * goes * d / n).cum_sum().over("cell"),
        per_hit=left / n,
    )
    told = known.select("incidence", "goes", "h", "k", "per_hit")[units.rows["step"]]
    size, ended = pl.col("size"), pl.col("code").is_not_null().cast(pl.Float64)
    hits = hit.fill_null(value=False).cast(pl.Float64)
    dp = size * (ended * pl.col("goes") - pl.col("h"))
    dq = size * (hits * pl.col("per_hit") + ended * share * pl.col("goes") - pl.col("k"))
    rows = units.rows.hstack(told).select(
        *("cell", "times", "first"),
        p=dp.cum_sum().over("unit"),
        q=dq.cum_sum().over("unit"),
        r=pl.col("left").cast(pl.Float64),
        whole=pl.col("whole").cast(pl.Float64),
    )
    begins = {"p": pl.lit(0.0), "q": pl.lit(0.0), "r": pl.col("whole")}
    before = {
        name: pl.when("first").then(begin).otherwise(pl.col(name).shift(1)) for name, begin in begins.items()
    }
    moves = rows.select(
        "cell",
        *(
            (pl.col("times") * (pl.col(one) * pl.col(other) - before[one] * before[other])).alias(name)
            for name, (one, other) in _PRODUCTS.items()
        ),
    )
    # a running sum in the order of rows: floats added up in groups would depend on threads
    sums = moves[units.order].set_sorted("cell").select(pl.col(*_PRODUCTS).cum_sum().over("cell"))
    known = known.hstack(sums[units.ends]).hstack(units.cells.drop("cell"))
    qq, qp, qr, pp, pr = (pl.col(name) for name in ("qq", "qp", "qr", "pp", "pr"))
    rr, h, k = pl.col("rr") + pl.col("squares"), pl.col("h"), pl.col("k")
    squares = (
        (qq - 2 * k * qr + k * k * rr)
        - 2 * share * (qp - h * qr - k * pr + k * h * rr)
        + share * share * (pp - 2 * h * pr + h * h * rr)
    ).clip(0)
    many = pl.col("many")
    spread = pl.when(many > 1).then(squares * many / (many - 1)) if clustered else squares
    return known.with_columns(variance=spread)

"""Competing ends: which share of the cases has ended in each way by which day, and how sure that is."""

from collections.abc import Sequence
from itertools import combinations_with_replacement

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
    units = _units(cases, outcomes)
    shown = (pl.col("ended") > 0) | (pl.col("day") == pl.col("day").max().over("cell"))
    found = []
    for at, name in enumerate((*outcomes, OPEN)):
        reached = "ended" if name == OPEN else f"ended {at}"
        hit = pl.col("outcome").is_not_null() if name == OPEN else pl.col("outcome") == at
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


def _units(cases: pl.DataFrame, outcomes: Sequence[str]) -> pl.DataFrame:
    """What counts as one, by cell, unit and day: `size` of its cases go, `times` there are such units."""
    codes = pl.DataFrame({"outcome": list(outcomes), "code": range(len(outcomes))})
    coded = cases.join(codes, on="outcome", how="left").drop("outcome").rename({"code": "outcome"})
    alone = coded.filter(pl.col("cluster").is_null()).sort("cell", "day", "outcome")
    together = coded.filter(pl.col("cluster").is_not_null())
    unit = pl.col("cluster").rank("dense").cast(pl.Int64)
    place = ["cell", "unit", "day", "outcome", "size", "times"]
    one = pl.lit(1, pl.Int64)
    alone = alone.with_columns(unit=-pl.int_range(1, pl.len() + 1), size=one, times="cases").select(place)
    together = together.with_columns(unit=unit, size="cases", times=one).select(place)
    return pl.concat([alone, together]).sort("cell", "unit", "day", "outcome")


def _curve(
    steps: pl.DataFrame, units: pl.DataFrame, reached: str, hit: pl.Expr, *, clustered: bool
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
    tale = known.select("cell", "day", "incidence", "goes", "h", "k", "per_hit")
    rows = units.join(tale, on=["cell", "day"], how="left", maintain_order="left")
    size, ended = pl.col("size"), pl.col("outcome").is_not_null().cast(pl.Float64)
    rows = rows.with_columns(
        dp=size * (ended * pl.col("goes") - pl.col("h")),
        dq=size
        * (
            hit.fill_null(value=False).cast(pl.Float64) * pl.col("per_hit")
            + ended * share * pl.col("goes")
            - pl.col("k")
        ),
        whole=size.sum().over("cell", "unit"),
    ).with_columns(
        p=pl.col("dp").cum_sum().over("cell", "unit"),
        q=pl.col("dq").cum_sum().over("cell", "unit"),
        r=(pl.col("whole") - size.cum_sum().over("cell", "unit")).cast(pl.Float64),
    )
    first = pl.col("unit").is_first_distinct().over("cell")
    before = {
        name: pl.when(first).then(begin).otherwise(pl.col(name).shift(1))
        for name, begin in {"p": pl.lit(0.0), "q": pl.lit(0.0), "r": pl.col("whole").cast(pl.Float64)}.items()
    }
    times = pl.col("times")
    rows = rows.with_columns(
        (times * (pl.col(one) * pl.col(other) - before[one] * before[other])).alias(name)
        for name, (one, other) in _PRODUCTS.items()
    ).with_columns(
        begins=pl.when(first).then(times * pl.col("whole").cast(pl.Float64) ** 2),
        clusters=pl.when(first).then(times),
    )
    # a running sum in the order of rows: floats added up in groups would depend on threads
    sums = (
        rows.sort("cell", "day", "unit", "outcome", maintain_order=True)
        .with_columns(pl.col(*_PRODUCTS).cum_sum().over("cell"))
        .with_columns(pl.col("begins", "clusters").sum().over("cell"))
        .unique(["cell", "day"], keep="last", maintain_order=True)
        .select("cell", "day", "begins", "clusters", *_PRODUCTS)
    )
    known = known.join(sums, on=["cell", "day"], how="left", maintain_order="left")
    qq, qp, qr, pp, pr = (pl.col(name) for name in ("qq", "qp", "qr", "pp", "pr"))
    rr, h, k = pl.col("rr") + pl.col("begins"), pl.col("h"), pl.col("k")
    squares = (
        (qq - 2 * k * qr + k * k * rr)
        - 2 * share * (qp - h * qr - k * pr + k * h * rr)
        + share * share * (pp - 2 * h * pr + h * h * rr)
    ).clip(0)
    many = pl.col("clusters").cast(pl.Float64)
    spread = pl.when(many > 1).then(squares * many / (many - 1)) if clustered else squares
    return known.with_columns(variance=spread)

"""Incidence: how soon an end is reached, where some still wait for it and others ended in another way."""

from collections.abc import Sequence

import polars as pl

Z95 = 1.959963984540054
TINY = 1e-12  # what float arithmetic may lack of a share that counts say exactly


def incidence(endings: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Which share of each cell has reached the end by when: the curve of Aalen and Johansen, step by step.

    `endings`: the columns `by` and, ascending in a cell, `value` (time since the start) with how many cases
    then were `reached`, ended otherwise (`competing`) or were seen no longer (`censored`).
    Adds at_risk (Int64: cases that had not ended just before; ends and competing ends of one time share it,
    censored ones of that time are in it), incidence (Float64, 0..1) and its 95 % band low and high (null
    where the incidence is 0 or 1).

    Where nothing competes the incidence is 1 - the estimate of Kaplan and Meier (JASA 53, 1958); in general
    Aalen and Johansen, Scand. J. Statist. 5 (1978). The variance is the one of the delta method (Dinse and
    Larson, Biometrika 73, 1986; formula in Marubini and Valsecchi, 1995), Greenwood's where nothing competes;
    the band is symmetric in log(-log(1 - incidence)), so that it never leaves 0..1.

    >>> cases = {"value": [1, 2, 4], "reached": [1, 0, 1], "competing": [0, 1, 0], "censored": [1, 0, 1]}
    >>> incidence(pl.DataFrame(cases), []).select("at_risk", "incidence").rows()
    [(5, 0.2), (3, 0.2), (2, 0.4666666666666667)]
    """

    def so_far(steps: pl.Expr) -> pl.Expr:
        return steps.over(by) if by else steps

    ended = pl.col("reached") + pl.col("competing")
    seen = so_far((ended + pl.col("censored")).cum_sum(reverse=True))
    n, d, r = (pl.col(name).cast(pl.Float64) for name in ("at_risk", "ended", "reached"))
    left, p = pl.col("left"), pl.col("incidence")
    steps = (
        endings.with_columns(ended=ended, at_risk=seen)
        .with_columns(left=so_far(((n - d) / n).cum_prod().shift(1, fill_value=1.0)))
        .with_columns(incidence=so_far((left * r / n).cum_sum()))
    )
    all_of = pl.when(n > d).then(d / (n * (n - d))).otherwise(0.0)  # after the last case nothing moves
    of_end = left * r / (n * n)
    sums = {
        "a": all_of,
        "ap": all_of * p,
        "app": all_of * p * p,
        "b": left * left * (n - r) * r / (n * n * n),
        "c": of_end,
        "cp": of_end * p,
    }
    steps = steps.with_columns(so_far(step.cum_sum()).alias(f"sum {name}") for name, step in sums.items())
    a, ap, app, b, c, cp = (pl.col(f"sum {name}") for name in sums)
    variance = (p * p * a - 2 * p * ap + app + b - 2 * p * c + 2 * cp).clip(0)
    low, high = band(p, variance)
    return steps.with_columns(low=low, high=high).select(
        *endings.columns, "at_risk", "incidence", "low", "high"
    )


def band(share: pl.Expr, variance: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """The 95 % band of a share, symmetric in log(-log(1 - share)); null where the share is 0 or 1."""
    rest = (1 - share).clip(0)
    log = rest.log()
    wide = Z95 * variance.sqrt() / (rest * -log)
    inside = pl.when((share > TINY) & (share < 1 - TINY))
    return inside.then(1 - (log * (-wide).exp()).exp()), inside.then(1 - (log * wide.exp()).exp())


def crossing(curve: pl.DataFrame, by: Sequence[str], share: float) -> pl.DataFrame:
    """When each cell's curve first reaches `share`: `by`, value, low, high; null where it never does.

    low and high are when the upper and the lower bound of the band do (Brookmeyer and Crowley, Biometrics 38,
    1982, with the band of `incidence`).

    >>> cases = {"value": [1, 2, 4], "reached": [1, 0, 1], "competing": [0, 1, 0], "censored": [1, 0, 1]}
    >>> crossing(incidence(pl.DataFrame(cases), []), [], 0.4).rows()
    [(4, 1, None)]
    """
    first = {"value": "incidence", "low": "high", "high": "low"}
    found = [
        pl.col("value").filter(pl.col(bound) >= share - TINY).min().alias(name)
        for name, bound in first.items()
    ]
    return curve.group_by(by, maintain_order=True).agg(found) if by else curve.select(found)

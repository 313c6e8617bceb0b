"""Competing ends, worked out by hand."""

import polars as pl
import pytest

from crmmining.kernels.competing import curves

# Five deals: won on day 1, lost on day 2, open on day 2, won on day 4, open on day 5.
FIVE = [("a", 1, "won"), ("a", 2, "lost"), ("b", 2, None), ("b", 4, "won"), ("c", 5, None)]


def cases(rows: list[tuple[str, int, str | None]], *, named: bool) -> pl.DataFrame:
    flat = pl.DataFrame(rows, schema=["cluster", "day", "outcome"], orient="row")
    cluster = pl.col("cluster") if named else pl.lit(None, pl.String)
    return flat.with_columns(cluster.alias("cluster"), cell=pl.lit(0), cases=pl.lit(1, pl.Int64))


def test_five_deals_by_hand() -> None:
    # won: 1/5; of the 4/5 left 1 of 4 is lost: 3/5 are left; of the two then at risk one is won: 3/10 more
    found = curves(cases(FIVE, named=False), ["won", "lost"], clustered=False)
    told = found.select("outcome", "day", "at_risk", pl.col("incidence").round(12)).rows()
    assert told == [
        ("won", 1, 5, 0.2), ("won", 2, 4, 0.2), ("won", 4, 2, 0.5), ("won", 5, 1, 0.5),
        ("lost", 1, 5, 0.0), ("lost", 2, 4, 0.2), ("lost", 4, 2, 0.2), ("lost", 5, 1, 0.2),
        ("open", 1, 5, 0.8), ("open", 2, 4, 0.6), ("open", 4, 2, 0.3), ("open", 5, 1, 0.3),
    ]  # fmt: skip


def test_the_band_of_a_first_day_by_hand() -> None:
    # Influences on 1/5: (1 - 1/5)/5 = 0.16 of the one that was won, -0.04 of the others; squares add up
    # to 0.032, the variance of a binomial share; log(4/5) = -0.223144;
    # 1.959964 * sqrt(0.032) / (0.8 * 0.223144) = 1.964027
    first = curves(cases(FIVE, named=False), ["won", "lost"], clustered=False).row(0, named=True)
    assert first["low"] == pytest.approx(1 - 0.8**0.140292, abs=1e-6)  # exp(-1.964027)
    assert first["high"] == pytest.approx(1 - 0.8**7.127966, abs=1e-5)  # exp(1.964027)


def test_the_band_of_a_first_day_by_account_by_hand() -> None:
    # Account a: 0.16 - 0.04, b: -0.08, c: -0.04; squares: 0.0144 + 0.0064 + 0.0016 = 0.0224; by 3/2: 0.0336
    # 1.959964 * sqrt(0.0336) / (0.8 * 0.223144) = 2.012529
    first = curves(cases(FIVE, named=True), ["won", "lost"], clustered=True).row(0, named=True)
    assert first["low"] == pytest.approx(1 - 0.8**0.133651, abs=1e-5)  # exp(-2.012529)
    assert first["high"] == pytest.approx(1 - 0.8**7.482217, abs=1e-5)  # exp(2.012529)


def test_one_cluster_has_no_interval_and_no_case_no_curve() -> None:
    one = cases([("a", 1, "won"), ("a", 2, None)], named=True)
    found = curves(one, ["won"], clustered=True)
    assert found.select("incidence", "low").rows() == [(0.5, None)] * 4
    assert curves(one, ["won"], clustered=False)["low"].null_count() == 0
    assert curves(one.clear(), ["won"], clustered=True).is_empty()
    assert curves(one.clear(), ["won"], clustered=True).schema == found.schema

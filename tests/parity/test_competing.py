"""Curves of competing ends against the naive ones, the delta method, and scipy where nothing competes."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from crmmining.kernels.competing import curves
from crmmining.kernels.incidence import incidence

from .competing import Case, band, deviation, estimate

ENDS = ("won", "lost")


def frame(cells: dict[int, list[Case]]) -> pl.DataFrame:
    rows = [(cell, *case, 1) for cell, cases in cells.items() for case in cases]
    names = {"cell": pl.Int64, "cluster": pl.String, "day": pl.Int64, "outcome": pl.String, "cases": pl.Int64}
    keys = list(names)[:-1]
    return pl.DataFrame(rows, schema=names, orient="row").group_by(keys).agg(pl.col("cases").sum()).sort(keys)


CASE = st.builds(
    Case, st.sampled_from([None, "a", "b", "c"]), st.integers(0, 6), st.sampled_from([*ENDS, None])
)


@settings(max_examples=25)
@given(st.lists(st.lists(CASE, min_size=1, max_size=14), min_size=1, max_size=2), st.booleans())
def test_curves_are_the_naive_ones(lists: list[list[Case]], clustered: bool) -> None:  # noqa: FBT001
    cells = dict(enumerate(lists))
    found = curves(frame(cells), ENDS, clustered=clustered)
    for row in found.iter_rows(named=True):
        cases, day = cells[row["cell"]], row["day"]
        outcome = None if row["outcome"] == "open" else row["outcome"]
        share = estimate(cases, [1.0] * len(cases), outcome, day)
        expected = band(share, deviation(cases, outcome, day, clustered=clustered))
        low, high = row["low"], row["high"]
        if row["outcome"] == "open":
            share = 1 - share
            low, high = (None, None) if low is None else (1 - high, 1 - low)
        assert row["incidence"] == pytest.approx(share, abs=1e-12)
        assert row["at_risk"] == sum(case.day >= day for case in cases)
        if expected is None:
            assert low is None
            assert high is None
        else:
            assert (low, high) == pytest.approx(expected, abs=2e-5)
    for (cell,), curve in found.group_by("cell"):
        ended = {case.day for case in cells[int(str(cell))] if case.outcome is not None}
        last = max(case.day for case in cells[int(str(cell))])
        assert set(curve["day"]) == ended | {last}
        assert np.allclose(curve.group_by("day").agg(pl.col("incidence").sum())["incidence"], 1)


def many(size: int) -> pl.DataFrame:
    random = np.random.default_rng(size)
    drawn = {"day": random.integers(0, 60, size), "way": random.integers(0, 3, size)}
    outcome = pl.col("way").replace_strict({0: "won", 1: "lost", 2: None}, return_dtype=pl.String)
    cell = pl.int_range(size) % 3
    cases = pl.DataFrame(drawn).with_columns(cell=cell, outcome=outcome, cluster=pl.lit(None, pl.String))
    keys = ["cell", "cluster", "day", "outcome"]
    return cases.group_by(keys).agg(cases=pl.len().cast(pl.Int64)).sort(keys)


def test_each_case_its_own_cluster_is_the_delta_method() -> None:
    cases = many(900)
    ways = {"reached": pl.col("outcome") == "won", "competing": pl.col("outcome") == "lost"}
    ways["censored"] = pl.col("outcome").is_null()
    counts = [pl.col("cases").filter(way).sum().alias(name) for name, way in ways.items()]
    endings = cases.group_by("cell", value="day").agg(counts).sort("cell", "value")
    theirs = incidence(endings, ["cell"])
    ours = curves(cases, ENDS, clustered=False).filter(outcome="won").rename({"day": "value"})
    both = ours.join(theirs, on=["cell", "value"], suffix="_theirs", maintain_order="left")
    assert both.height == ours.height > 100
    for name in ("at_risk", "incidence", "low", "high"):
        assert both[name].is_null().equals(both[f"{name}_theirs"].is_null())
        assert np.allclose(both[name].drop_nulls(), both[f"{name}_theirs"].drop_nulls(), atol=1e-9)


def test_clusters_of_one_are_no_clusters_but_for_their_correction() -> None:
    cases = many(300).filter(cell=0).with_columns(pl.lit(1, pl.Int64).alias("cases"))
    named = cases.with_columns(cluster=pl.int_range(pl.len()).cast(pl.String))
    plain, own = (curves(one, ENDS, clustered=False) for one in (cases, named))
    assert np.allclose(plain["low"].drop_nulls(), own["low"].drop_nulls(), atol=1e-10)


def test_a_cluster_of_copies_is_one_case() -> None:
    # five equal cases of every account tell no more than one of them, but for the at_risk
    one = many(240).filter(cell=1).with_columns(pl.lit(1, pl.Int64).alias("cases"))
    one = one.with_columns(cluster=pl.int_range(pl.len()).cast(pl.String))
    five = one.with_columns(cases=pl.col("cases") * 5)
    single, copies = (curves(cases, ENDS, clustered=True) for cases in (one, five))
    assert (5 * single["at_risk"]).equals(copies["at_risk"])
    for name in ("incidence", "low", "high"):
        assert np.allclose(single[name].drop_nulls(), copies[name].drop_nulls(), atol=1e-10)


def test_without_competition_open_is_kaplan_and_meier() -> None:
    random = np.random.default_rng(3)
    days, seen = random.integers(1, 40, 200), random.random(200) < 0.6
    cases = [Case(None, int(day), "won" if there else None) for day, there in zip(days, seen, strict=True)]
    found = curves(frame({0: cases}), ["won"], clustered=False).filter(outcome="open")
    theirs = stats.ecdf(stats.CensoredData.right_censored(days, ~seen)).sf
    assert np.allclose(theirs.evaluate(found["day"].to_numpy()), found["incidence"], atol=1e-14)

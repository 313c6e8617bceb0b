"""Curves of incidence against scipy, where nothing competes, and against the naive ones everywhere."""

import warnings

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from crmmining.kernels.incidence import crossing, incidence

from .incidence import Ended
from .incidence import crossing as naive_crossing
from .incidence import curve as naive_curve

WAYS = ("reached", "competing", "censored")


def endings(cells: dict[str, list[Ended]]) -> pl.DataFrame:
    rows = [(cell, *case) for cell, cases in cells.items() for case in cases]
    flat = pl.DataFrame(rows, schema=["cell", "value", "way"], orient="row")
    counted = [(pl.col("way") == way).sum().cast(pl.Int64).alias(way) for way in WAYS]
    return flat.group_by("cell", "value").agg(counted).sort("cell", "value")


@pytest.mark.parametrize("size", [7, 60, 400])
def test_without_competition_it_is_one_minus_kaplan_and_meier(size: int) -> None:
    random = np.random.default_rng(size)
    times, seen = random.integers(0, 50, size), random.random(size) < 0.6
    cases = [(int(time), "reached" if there else "censored") for time, there in zip(times, seen, strict=True)]
    found = incidence(endings({"a": cases}), ["cell"])
    theirs = stats.ecdf(stats.CensoredData.right_censored(times, ~seen)).sf
    assert theirs.quantiles.tolist() == found["value"].to_list()
    assert np.allclose(1 - theirs.probabilities, found["incidence"], atol=1e-14)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of its logarithms of nothing and everything
        bounds = theirs.confidence_interval(method="log-log")
    inside = found["low"].is_not_null().to_numpy()
    assert inside.any()
    assert np.allclose((1 - bounds.high.probabilities)[inside], found["low"].drop_nulls(), atol=1e-12)
    assert np.allclose((1 - bounds.low.probabilities)[inside], found["high"].drop_nulls(), atol=1e-12)


CELL = st.lists(st.tuples(st.integers(0, 12), st.sampled_from(WAYS)), min_size=1, max_size=40)


@settings(max_examples=60)
@given(st.lists(CELL, min_size=1, max_size=3), st.sampled_from([0.1, 0.25, 0.5, 0.9]))
def test_curves_and_crossings_are_the_naive_ones(lists: list[list[Ended]], share: float) -> None:
    cells = {f"c{number}": cases for number, cases in enumerate(lists)}
    found = incidence(endings(cells), ["cell"])
    naive = [(cell, *step) for cell, cases in cells.items() for step in naive_curve(cases)]
    assert found.select("cell", "value", "at_risk").rows() == [row[:3] for row in naive]
    for place, name in enumerate(("incidence", "low", "high"), start=3):
        theirs = [row[place] for row in naive]
        assert found[name].is_null().to_list() == [one is None for one in theirs]
        known = [one for one in theirs if one is not None]
        assert np.allclose(found[name].drop_nulls(), known, rtol=1e-7, atol=1e-9)
    crossed = crossing(found, ["cell"], share)
    assert crossed.rows() == [(cell, *naive_crossing(cases, share)) for cell, cases in cells.items()]

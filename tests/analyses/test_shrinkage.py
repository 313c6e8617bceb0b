"""Shrinkage answered by hand, its laws, and how often its intervals hold."""

import numpy as np
import polars as pl
import pytest

from crmmining.analyses.shrinkage import shrunk


def cases(group: object, share: object) -> pl.DataFrame:
    return pl.DataFrame({"group": group, "share": share}).with_columns(weight=1.0)


def test_by_hand() -> None:
    found = shrunk(cases(list("aabbccdd"), [0.1, 0.3, 0.3, 0.5, 0.5, 0.7, 0.7, 0.9]))
    # within: eight deviations of 0.1 on 8 - 4 degrees: 0.02, so a mean of two varies by 0.01;
    # the means vary by 0.2 / 3, so between is 0.2 / 3 - 0.01, and the pull 0.01 / (0.2 / 3) * 1 / 3.
    pull = 0.05
    assert found["share"].to_list() == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert found["overall"].to_list() == pytest.approx([0.5] * 4)
    assert found["shrunk"].to_list() == pytest.approx([0.2 + pull * 0.3, 0.4 + pull * 0.1, 0.595, 0.785])
    deviation = (0.01 * (1 - 0.75 * pull) + 2 * pull**2 * 0.3**2) ** 0.5
    assert found["low"][0] == pytest.approx(0.215 - 1.959964 * deviation, abs=1e-6)
    assert found["high"][0] == pytest.approx(0.215 + 1.959964 * deviation, abs=1e-6)
    assert found["distinct"].to_list() == [True, False, False, True]
    assert found["n"].to_list() == [2, 2, 2, 2]


def test_the_fewer_cases_the_harder_the_pull() -> None:
    many = [0.0, 0.2] * 10
    found = shrunk(
        cases(["a"] * 20 + list("bbbbccddee"), [*many, *([0.4, 0.6] * 2), 0.0, 0.2, 0.4, 0.6, 0.5, 0.7])
    )
    left = (found["shrunk"] - found["overall"]) / (found["share"] - found["overall"])
    assert left[0] > left[1] > left[2]
    assert found["share"][0] == pytest.approx(found["share"][2])


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_without_any_noise_means_are_what_they_are(share: float) -> None:
    alike = shrunk(cases(list("aabbccdd"), [share] * 8))
    assert alike["shrunk"].to_list() == [share] * 4
    assert not alike["distinct"].any()
    apart = shrunk(cases(list("aabbccdd"), [0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.4, 0.4]))
    assert apart.select("shrunk", "low", "high").rows() == [(x, x, x) for x in (0.1, 0.2, 0.3, 0.4)]
    assert apart["distinct"].all()


@pytest.mark.parametrize("groups", ["aabbcc", "abcdef", ""])
def test_too_little_to_tell_differences_from_chance(groups: str) -> None:
    found = shrunk(
        cases(pl.Series(list(groups), dtype=pl.String), pl.Series([0.5] * len(groups), dtype=pl.Float64))
    )
    assert found.height == len(set(groups))
    assert (
        found.select(pl.col("shrunk", "low", "high", "overall", "distinct").is_null().all()).row(0)
        == (True,) * 5
    )


def test_the_order_of_cases_changes_no_bit() -> None:
    dice = np.random.default_rng(3)
    rows = cases(dice.integers(0, 30, 200), dice.random(200))
    assert shrunk(rows).equals(shrunk(rows.sample(fraction=1, shuffle=True, seed=1)))


def shares(dice: np.random.Generator, means: np.ndarray) -> pl.DataFrame:
    group = np.repeat(np.arange(len(means)), dice.integers(1, 12, len(means)))
    return cases(group, dice.beta(2 * means[group], 2 - 2 * means[group]))


def test_where_groups_are_alike_hardly_one_is_distinct() -> None:
    dice = np.random.default_rng(1)
    flagged = [shrunk(shares(dice, np.full(40, 0.35)))["distinct"].sum() for _ in range(50)]
    assert sum(flagged) / (50 * 40) < 0.005


def test_intervals_hold_the_truth_and_find_the_slow_one() -> None:
    dice = np.random.default_rng(2)
    held, found = [], []
    for _ in range(50):
        means = np.clip(0.35 + 0.08 * dice.standard_normal(40), 0.05, 0.95)
        means[0] = 0.9
        rows = shares(dice, means)
        rows = pl.concat(
            [rows.filter(pl.col("group") > 0), cases(np.zeros(8, dtype=np.int64), dice.beta(1.8, 0.2, 8))]
        )
        told = shrunk(rows)
        held.append(((told["low"] <= means) & (told["high"] >= means))[1:].sum())
        found.append(told["distinct"][0] and told["shrunk"].arg_max() == 0)
    assert 0.93 < sum(held) / (50 * 39) < 0.98
    assert np.mean(found) > 0.95

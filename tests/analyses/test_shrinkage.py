"""Shrinkage answered by hand, its laws, and how often its intervals hold."""

import numpy as np
import polars as pl
import pytest

from crmmining.analyses.shrinkage import FREEDOM, shrunk


def cases(group: object, share: object) -> pl.DataFrame:
    return pl.DataFrame({"group": group, "share": share}).with_columns(weight=1.0)


def test_by_hand() -> None:
    means = [0.2, 0.4, 0.6, 0.8]
    found = shrunk(cases(list("abcd") * 10, [*(x - 0.1 for x in means * 5), *(x + 0.1 for x in means * 5)]))
    # within: forty deviations of 0.1 on 40 - 4 degrees: 0.4 / 36, so a mean of ten varies by 0.04 / 36;
    # the means vary by 0.2 / 3, so between is the rest of it, and the pull 0.04 / 36 / (0.2 / 3) * 1 / 3.
    pull = 1 / 180
    assert found["share"].to_list() == pytest.approx(means)
    assert found["overall"].to_list() == pytest.approx([0.5] * 4)
    shrinks = [0.2 + pull * 0.3, 0.4 + pull * 0.1, 0.6 - pull * 0.1, 0.8 - pull * 0.3]
    assert found["shrunk"].to_list() == pytest.approx(shrinks)
    deviation = (0.04 / 36 * (1 - 0.75 * pull) + 2 * pull**2 * 0.3**2) ** 0.5
    assert found["low"][0] == pytest.approx(shrinks[0] - 1.959964 * deviation, abs=1e-6)
    assert found["high"][0] == pytest.approx(shrinks[0] + 1.959964 * deviation, abs=1e-6)
    assert found["distinct"].to_list() == [True] * 4
    assert found["n"].to_list() == [10] * 4


def test_the_fewer_cases_the_harder_the_pull() -> None:
    many = [0.0, 0.2] * 20
    found = shrunk(
        cases(["a"] * 40 + list("bbbbccddee"), [*many, *([0.4, 0.6] * 2), 0.0, 0.2, 0.4, 0.6, 0.5, 0.7])
    )
    left = (found["shrunk"] - found["overall"]) / (found["share"] - found["overall"])
    assert left[0] > left[1] > left[2]
    assert found["share"][0] == pytest.approx(found["share"][2])


GUESSES = ("shrunk", "low", "high", "overall", "distinct")


def says_nothing(found: pl.DataFrame) -> bool:
    return found.select(pl.col(GUESSES).is_null().all()).row(0) == (True,) * 5


@pytest.mark.parametrize("shares", [[0.0] * 4, [0.1] * 4, [0.1, 0.2, 0.3, 1 / 3]])
def test_where_nothing_varies_within_a_group_nothing_is_said(shares: list[float]) -> None:
    found = shrunk(cases(list("abcd") * 20, shares * 20))
    assert found["share"].to_list() == pytest.approx(shares)
    assert says_nothing(found)
    once = shrunk(cases([*"abcd" * 20, "a"], [*shares * 20, 0.5]))
    assert once["low"].null_count() == 0
    assert (once["low"] < once["high"]).all()


def test_two_cases_alike_and_five_single_ones_say_nothing() -> None:
    found = shrunk(cases(list("aabcdef"), [0.0, 0.0, 0.1, 0.2, 0.3, 0.5, 0.9]))
    assert found.select("group", "n", "share").rows()[:2] == [("a", 2, 0.0), ("b", 1, 0.1)]
    assert says_nothing(found)
    assert says_nothing(shrunk(cases(list("aabcdef"), [0.0, 0.1, 0.1, 0.2, 0.3, 0.5, 0.9])))


def test_enough_cases_beyond_the_first_of_each_group() -> None:
    group = ["b", "c", "d", *["a"] * 31]
    share = [0.4, 0.5, 0.6, *[0.1, 0.9] * 15, 0.5]
    assert not says_nothing(shrunk(cases(group, share)))
    assert says_nothing(shrunk(cases(group[:-1], share[:-1])))
    assert says_nothing(shrunk(cases(group[1:], share[1:])))  # three groups


@pytest.mark.parametrize("groups", ["aabbcc", "abcdef", ""])
def test_too_little_to_tell_differences_from_chance(groups: str) -> None:
    found = shrunk(
        cases(pl.Series(list(groups), dtype=pl.String), pl.Series([0.5] * len(groups), dtype=pl.Float64))
    )
    assert found.height == len(set(groups))
    assert says_nothing(found)


@pytest.mark.parametrize(
    "sizes",
    [[2] * FREEDOM, [8] * 4 + [3], [8] * 4 + [3] + [1] * 40],
    ids=["pairs", "few groups", "beside single cases"],
)
@pytest.mark.parametrize("kind", ["normal", "mostly 0", "binary"])
def test_where_groups_are_alike_fewer_than_one_in_twenty_is_distinct_at_the_floor(
    sizes: list[int], kind: str
) -> None:
    dice = np.random.default_rng(7)
    group = np.repeat(np.arange(len(sizes)), sizes)
    assert len(group) - len(sizes) == FREEDOM
    flagged = 0
    for _ in range(60):
        beta = dice.beta(2, 2, len(group))
        chosen = dice.random(len(group)) < 0.2
        drawn = {
            "normal": 0.5 + 0.1 * dice.standard_normal(len(group)),
            "mostly 0": np.where(chosen, beta, 0),
            "binary": chosen.astype(np.float64),
        }
        flagged += shrunk(cases(group, drawn[kind])).filter("distinct").height
    assert flagged / (60 * len(sizes)) < 0.04


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

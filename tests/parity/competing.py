"""Competing ends the naive way: the estimate of Aalen and Johansen, and what it does when a case weighs more.

The influence of a case is taken by brute force: its weight goes up a little, then down a little, and the
estimate is made anew.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

Z = 1.959963984540054
NUDGE = 1e-5


class Case(NamedTuple):
    """A case: what it is counted with, when it went, and how (None: it is still open)."""

    cluster: str | None
    day: int
    outcome: str | None


def estimate(cases: Sequence[Case], weights: Sequence[float], outcome: str | None, day: int) -> float:
    """Which share has ended so by a day; without an outcome, in any way."""
    left, share = 1.0, 0.0
    for now in sorted({case.day for case in cases if case.day <= day}):
        pairs = list(zip(cases, weights, strict=True))
        at_risk = sum(weight for case, weight in pairs if case.day >= now)
        ended = sum(weight for case, weight in pairs if case.day == now and case.outcome is not None)
        hits = sum(
            weight
            for case, weight in pairs
            if case.day == now and case.outcome is not None and outcome in (None, case.outcome)
        )
        share += left * hits / at_risk
        left *= 1 - ended / at_risk
    return share


def influences(cases: Sequence[Case], outcome: str | None, day: int) -> list[float]:
    """What a little more weight of each case does to the estimate."""
    found = []
    for at in range(len(cases)):
        up, down = (
            [1.0 + (sign * NUDGE if one == at else 0) for one in range(len(cases))] for sign in (1, -1)
        )
        difference = estimate(cases, up, outcome, day) - estimate(cases, down, outcome, day)
        found.append(difference / (2 * NUDGE))
    return found


def deviation(cases: Sequence[Case], outcome: str | None, day: int, *, clustered: bool) -> float | None:
    """The standard deviation of the estimate; of a single cluster none."""
    sums: dict[object, float] = {}
    for at, (case, influence) in enumerate(zip(cases, influences(cases, outcome, day), strict=True)):
        key = at if case.cluster is None else case.cluster
        sums[key] = sums.get(key, 0.0) + influence
    square = sum(one * one for one in sums.values())
    if not clustered:
        return math.sqrt(square)
    return math.sqrt(square * len(sums) / (len(sums) - 1)) if len(sums) > 1 else None


def band(share: float, spread: float | None) -> tuple[float, float] | None:
    """The interval on the scale of log(-log(1 - share)); none of nothing and of everything."""
    if spread is None or not 1e-12 < share < 1 - 1e-12:
        return None
    rest = 1 - share
    wide = Z * spread / (rest * abs(math.log(rest)))
    return 1 - rest ** math.exp(-wide), 1 - rest ** math.exp(wide)

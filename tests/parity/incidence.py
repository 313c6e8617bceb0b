"""Incidence the naive way: from one time to the next, with the covariance of what is left and what has come.

Each time is a draw of the cases at risk: a share of them goes on, one reaches the end. Its covariance is the
multinomial one, and the delta method carries what came before (Betensky and Schoenfeld 2001).
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

Z = 1.959963984540054  # 97.5 % point of the normal distribution
TINY = 1e-12
Ended = tuple[int, str]  # time, and reached, competing or censored


class Step(NamedTuple):
    """One time at which something ended, and what is known then."""

    time: int
    at_risk: int
    share: float
    low: float | None
    high: float | None


def curve(cases: Sequence[Ended]) -> Iterator[Step]:
    """The share that has reached the end by each time, with a 95 % band (log-log)."""
    many = Counter(cases)
    n, left, share = len(cases), 1.0, 0.0
    of_left, of_share, of_both = 0.0, 0.0, 0.0  # variances and covariance
    for now in sorted({time for time, _ in cases}):
        reached, competing = many[now, "reached"], many[now, "competing"]
        on, to = (n - reached - competing) / n, reached / n
        of_share += 2 * to * of_both + to * to * of_left + left * left * to * (1 - to) / n
        of_both = on * of_both + on * to * of_left - left * left * on * to / n
        of_left = on * on * of_left + left * left * on * (1 - on) / n
        share += left * to
        left *= on
        inside = TINY < share < 1 - TINY
        low, high = band(share, math.sqrt(max(of_share, 0.0))) if inside else (None, None)
        yield Step(now, n, share, low, high)
        n -= reached + competing + many[now, "censored"]


def band(share: float, deviation: float) -> tuple[float, float]:
    rest = 1 - share
    wide = Z * deviation / (rest * abs(math.log(rest)))
    return 1 - rest ** math.exp(-wide), 1 - rest ** math.exp(wide)


def crossing(cases: Sequence[Ended], share: float = 0.5) -> tuple[int | None, int | None, int | None]:
    """When the curve, its upper and its lower bound first reach a share."""
    found: list[int | None] = [None, None, None]
    for step in curve(cases):
        for place, bound in enumerate((step.share, step.high, step.low)):
            if found[place] is None and bound is not None and bound >= share - TINY:
                found[place] = step.time
    return found[0], found[1], found[2]

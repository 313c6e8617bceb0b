"""Seeded chance: one stream per part of the CRM, so that parts do not disturb each other."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from crmmining.simulator.arrays import Bools, Floats, Ints, whole


class Dice:
    """Random arrays from one named stream of a seed."""

    def __init__(self, seed: int, stream: str) -> None:
        self._generator = np.random.Generator(
            np.random.PCG64(np.random.SeedSequence([seed, *stream.encode()]))
        )

    def uniform(self, size: int) -> Floats:
        """Numbers from 0 to below 1."""
        return self._generator.random(size)

    def chance(self, size: int, share: float | NDArray[np.floating]) -> Bools:
        """Mark each with the given probability."""
        return self.uniform(size) < share

    def choice(self, size: int, weights: Sequence[float]) -> Ints:
        """Positions drawn by weight."""
        edges = np.cumsum(np.asarray(weights, dtype=np.float64))
        return np.searchsorted(edges[:-1] / edges[-1], self.uniform(size), side="right").astype(np.int64)

    def below(self, limits: Ints) -> Ints:
        """One whole number from 0 to below each limit."""
        return np.floor(self.uniform(len(limits)) * limits).astype(np.int64)

    def duration(self, size: int, median: float, spread: float) -> Floats:
        """Log-normal durations: multiplying them by a factor multiplies every quantile by it."""
        return median * np.exp(spread * self._generator.standard_normal(size))

    def waiting(self, size: int, mean: float) -> Floats:
        """Exponential waiting times."""
        return -mean * np.log1p(-self.uniform(size))

    def between(self, size: int, low: int, high: int) -> Ints:
        """Draw whole numbers from low to high, both included."""
        return low + whole(np.floor(self.uniform(size) * (high - low + 1)))

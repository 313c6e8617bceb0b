"""What all parts of the simulation share: the size, the effects in force, the organisation, the seed."""

from dataclasses import dataclass

import numpy as np

from crmmining.simulator.arrays import Floats, Ints
from crmmining.simulator.dice import Dice
from crmmining.simulator.effects import SLOW_REGION, Effects
from crmmining.simulator.org import REGIONS, Org


@dataclass(frozen=True)
class World:
    """The fixed surroundings of one simulation."""

    seed: int
    accounts: int
    effects: Effects
    org: Org
    until: int
    """Instant at which the CRM is stopped and its tables are written."""

    def dice(self, stream: str) -> Dice:
        """Give the stream of chance of one part."""
        return Dice(self.seed, stream)

    def slowness(self, region: Ints) -> Floats:
        """Factor on every duration that owners of a region need."""
        return np.where(region == REGIONS.index(SLOW_REGION), self.effects.slow_region, 1.0)

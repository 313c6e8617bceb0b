"""KPIs on event logs: tidy rows in which every number has its denominator."""

from crmmining.measure.cut import Cut
from crmmining.measure.kinds import measure
from crmmining.measure.scorecard import scorecard

__all__ = ["Cut", "measure", "scorecard"]

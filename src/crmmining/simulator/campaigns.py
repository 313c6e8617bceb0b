"""When campaigns run: those of one lead source follow each other over the years."""

from typing import Final

import numpy as np
import polars as pl

from crmmining.simulator.arrays import DAY, START, Ints
from crmmining.simulator.effects import GOOD_SOURCE
from crmmining.simulator.ids import in_order_of, make_ids

ROUNDS: Final = 4
"""Campaigns per lead source."""
CAMPAIGN_TYPES: Final = [
    "Webinar",
    "Advertisement",
    "Trade Show",
    "Telemarketing",
    "Partners",
    "Referral Program",
]
CAMPAIGN_TITLES: Final = [
    "Online Seminar",
    "Spring Ads",
    "Expo",
    "Call List",
    "Partner Days",
    f"{GOOD_SOURCE} Bonus",
]
CAMPAIGNS: Final = ROUNDS * len(CAMPAIGN_TYPES)


def campaign_start(campaign: Ints) -> Ints:
    """Start of campaigns by number; the number holds the round and the source."""
    nth, source = campaign // len(CAMPAIGN_TYPES), campaign % len(CAMPAIGN_TYPES)
    return START + (nth * 260 + source * 37 + 20) * DAY


def campaign_ids() -> pl.Series:
    """Ids of all campaigns, by number."""
    return make_ids("Campaign", in_order_of(campaign_start(np.arange(CAMPAIGNS))))

"""Deals whose truth is known: do the intervals of competing ends hold it as often as they say?

An account wins its deals more or less often than others do. What is won is won soon, what is lost is lost
late, some deals are never decided, and deals were created on any day of the time that is looked at. Each
replication is a cell of one table, so that all of them are asked at once.
"""

from typing import NamedTuple

import numpy as np
import polars as pl

from crmmining.kernels import competing

ENDS = ("won", "lost")
DAYS = (30, 90, 180, 365)
WON, NEVER = 0.4, 0.1  # of all deals: won if ever decided, never decided
MEAN_DAYS = {"won": 45.0, "lost": 120.0}
LOOKED_AT = 540  # days


class World(NamedTuple):
    """How many times, how many accounts, deals per account beyond the first, how much accounts differ.

    `alike` is the correlation of two deals of one account (0: none).
    """

    replications: int
    accounts: int
    more_deals: float = 3.0
    alike: float = 0.25


def truth(outcome: str, day: int) -> float:
    """Which share of all deals has ended so by a day."""
    share = {"won": WON, "lost": 1 - WON}
    known = {name: (1 - NEVER) * share[name] * -np.expm1(-day / MEAN_DAYS[name]) for name in ENDS}
    return float(known[outcome] if outcome in known else 1 - sum(known.values()))


def deals(world: World, seed: int) -> pl.DataFrame:
    """What `competing.curves` asks, of all replications, and `ended`: closed by now, in which way."""
    random = np.random.default_rng(seed)
    units = world.replications * world.accounts
    per_account = 1 + random.poisson(world.more_deals, units)
    if world.alike:
        spread = 1 / world.alike - 1
        wins = random.beta(WON * spread, (1 - WON) * spread, units)
    else:
        wins = np.full(units, WON)
    account = np.repeat(np.arange(units), per_account)
    won = random.random(account.size) < wins[account]
    mean = np.where(won, MEAN_DAYS["won"], MEAN_DAYS["lost"])
    lasts = np.where(random.random(account.size) < NEVER, np.inf, random.exponential(mean))
    age = random.random(account.size) * LOOKED_AT
    followed, ends_on = np.floor(age), np.ceil(lasts)
    seen = ends_on <= followed
    drawn = {"cell": account // world.accounts, "cluster": account.astype(str), "way": np.where(won, *ENDS)}
    drawn |= {"day": np.where(seen, ends_on, followed).astype(np.int64), "seen": seen, "over": lasts <= age}
    way = pl.col("way")
    return pl.DataFrame(drawn).select(
        *("cell", "cluster", "day"),
        outcome=pl.when("seen").then(way),
        ended=pl.when("over").then(way),
        cases=pl.lit(1, pl.Int64),
    )


def study(world: World, seed: int) -> pl.DataFrame:
    """How often intervals hold the truth, a row per outcome and day.

    Columns: outcome, day, truth, incidence (mean of all replications), coverage (of intervals clustered by
    account), coverage_alone (of those that take each deal as a draw of its own), closed_only (mean of ended
    so / ended by now).
    """
    drawn = deals(world, seed)
    of_closed = [(pl.col("ended") == name).mean().alias(name) for name in ENDS]
    closed = drawn.filter(pl.col("ended").is_not_null()).group_by("cell", maintain_order=True).agg(of_closed)
    naive = closed.select(pl.col(ENDS).mean()).row(0, named=True)
    asked = drawn.drop("ended")
    alone = asked.with_columns(cluster=pl.lit(None, pl.String))
    found = {
        "coverage": competing.curves(asked, ENDS, clustered=True),
        "coverage_alone": competing.curves(alone, ENDS, clustered=False),
    }
    rows = []
    for outcome in (*ENDS, competing.OPEN):
        for day in DAYS:
            there = truth(outcome, day)
            holds = (pl.col("low") <= there) & (pl.col("high") >= there)
            told, mean = [], 0.0
            for curve in found.values():
                so_far = curve.filter(pl.col("outcome") == outcome, pl.col("day") <= day)
                last = so_far.unique("cell", keep="last", maintain_order=True)
                told.append(last.select(holds.fill_null(value=False).sum()).item() / world.replications)
                mean = last.select(pl.col("incidence").mean()).item()
            rows.append((outcome, day, there, mean, *told, naive.get(outcome)))
    names = ["outcome", "day", "truth", "incidence", *found, "closed_only"]
    return pl.DataFrame(rows, schema=names, orient="row")

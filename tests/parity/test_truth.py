"""The facts planted in a simulated CRM come back as KPIs, and are absent where they were switched off.

Two CRMs: each effect is on in one of them and off in the other, each time in other company. The logarithm of
a ratio is held against that of the factor stated in truth.json (1 where off). The tolerance is four standard
errors, from the sample sizes that the KPIs themselves report, and at most half of the effect, so that on and
off can never be confused:

- share p of n cases: var(ln p) = (1 - p) / (p n)
- median of n log-normal durations: sd(ln median) = 1.2533 s / sqrt(n), where s = ln(p90 / median) / 1.2816
"""

import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import polars as pl
import pytest

import crmmining as cm

MATURE = datetime(
    2025, 7, 1, tzinfo=UTC
)  # created half a year before the data end: few are still on their way
SWITCHED = [
    {"slow_region": True, "good_source": False, "rework_product": True, "process_change": False},
    {"slow_region": False, "good_source": True, "rework_product": False, "process_change": True},
]
FACTORS = {"slow_region": 2.0, "good_source": 2.0, "rework_product": 3.0, "process_change": 0.5}
UNREAD = ["AccountHistory", "CampaignMember", "CaseMilestone", "Event", "OpportunityHistory", "Quote", "Task"]


class Estimate(NamedTuple):
    """A figure's natural logarithm, its standard error, and how many cases are behind it."""

    log: float
    error: float
    n: int


class World(NamedTuple):
    crm: cm.Crm
    effects: Mapping[str, Any]


@pytest.fixture(scope="module", params=[0, 1], ids=["first", "second"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("truth") / "crm"
    cm.simulate(
        folder, accounts=2000, seed=21, format="parquet", effects=SWITCHED[request.param], without=UNREAD
    )
    effects = json.loads((folder / "truth.json").read_text())["effects"]
    assert {name: effect["on"] for name, effect in effects.items()} == SWITCHED[request.param]
    return World(cm.connect(folder), effects)


def of_share(rows: pl.DataFrame) -> Estimate:
    """Scorecard rows of a share, pooled."""
    n, hits = int(rows["n"].sum()), round((rows["n"] * rows["value"]).sum())
    return Estimate(math.log(hits / n), math.sqrt((1 - hits / n) / hits), n)


def of_duration(median: float, p90: float, n: int) -> Estimate:
    return Estimate(math.log(median), 1.2533 * math.log(p90 / median) / 1.2816 / math.sqrt(n), n)


def check(world: World, name: str, there: Estimate, rest: Estimate) -> None:
    effect = world.effects[name]
    assert effect["factor"] == (FACTORS[name] if effect["on"] else 1.0)
    tolerance = min(4 * math.hypot(there.error, rest.error), abs(math.log(FACTORS[name])) / 2)
    assert min(there.n, rest.n) > 250
    assert there.log - rest.log == pytest.approx(math.log(effect["factor"]), abs=tolerance)


@pytest.mark.parametrize("process", ["case", "opportunity"])
def test_slow_region(world: World, process: str) -> None:
    where = world.effects["slow_region"]["where"]
    log = world.crm.event_log(process).filter(until=MATURE)
    sides = []
    for side in ("region = '{}'", "region <> '{}'"):
        rows = log.filter(where=side.format(where["User.Division"]))
        row = rows.throughput("created", "closed").row(0, named=True)
        sides.append(of_duration(row["median"].total_seconds(), row["p90"].total_seconds(), row["n"]))
    check(world, "slow_region", *sides)


def test_good_source(world: World) -> None:
    where = world.effects["good_source"]["where"]
    rows = world.crm.scorecard(kpis="lead_conversion", by="source")
    good = pl.col("source") == where["Lead.LeadSource"]
    check(world, "good_source", of_share(rows.filter(good)), of_share(rows.filter(~good)))


def test_rework_product(world: World) -> None:
    where = world.effects["rework_product"]["where"]
    rows = world.crm.scorecard(kpis="case_reopen_rate", by="product").filter(part="share")
    product = pl.col("product") == where["Product2.Name"]
    check(world, "rework_product", of_share(rows.filter(product)), of_share(rows.filter(~product)))


def test_process_change(world: World) -> None:
    where = world.effects["process_change"]["where"]
    change = date.fromisoformat(where["Case.CreatedDate from"])
    sides = []
    for since, until in ((change, None), (None, change)):
        rows = world.crm.scorecard(kpis="first_response_time", since=since, until=until)
        figure = dict(rows.filter(clock="calendar").select("part", "value").iter_rows())
        sides.append(of_duration(figure["median"], figure["p90"], rows["n"][0]))
    check(world, "process_change", *sides)

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
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import polars as pl
import pytest

import crmmining as cm
from crmmining import analyses
from crmmining.calendars import Calendar, Calendars, Rule, Week
from crmmining.eventlog import EventLog

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
    base: Mapping[str, float]


@pytest.fixture(scope="module", params=[0, 1], ids=["first", "second"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("truth") / "crm"
    cm.simulate(
        folder, accounts=2000, seed=21, format="parquet", effects=SWITCHED[request.param], without=UNREAD
    )
    truth = json.loads((folder / "truth.json").read_text())
    effects = truth["effects"]
    assert {name: effect["on"] for name, effect in effects.items()} == SWITCHED[request.param]
    return World(cm.connect(folder), effects, truth["base"])


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


# What cases wait for ----------------------------------------------------------------------------------------

DESKS = {  # nine to five, as the support teams work
    "North America": "America/Chicago",
    "EMEA": "Europe/Dublin",
    "APAC": "Asia/Singapore",
    "LATAM": "America/Bogota",
}
HOLIDAYS = [date(y, m, d) for y in range(2022, 2027) for m, d in ((1, 1), (5, 1), (12, 25))]
DAYS_OFF = tuple((day - date(1970, 1, 1)).days for day in sorted([*HOLIDAYS, date(2024, 6, 14)]))
SHIFTS = tuple((weekday, 9 * 60, 17 * 60) for weekday in range(5))
HOURS = Calendars(
    tuple(Calendar(name, zone, (Week(None, SHIFTS),), DAYS_OFF) for name, zone in DESKS.items()),
    tuple(Rule((("region", (name,)),), place) for place, name in enumerate(DESKS)),
    default=0,
)


def mature(world: World) -> EventLog:
    """Cases that were closed once and for all, with the hours of those who worked on them."""
    log = world.crm.event_log("case").filter(until=MATURE, where="outcome = 'closed' AND closed_n = 1")
    return replace(log, calendars=HOURS)


def spent(log: EventLog, turn: str) -> pl.DataFrame:
    waits = analyses.waits(log).filter(responsibility=turn)
    return log.facts.join(waits, on="case_id", how="left", maintain_order="left")


def test_queued_share(world: World) -> None:
    """What comes into a queue lies there for most of the time until its first response."""
    queued = spent(mature(world), "in_queue").drop_nulls("elapsed")
    response = pl.col("responded_at") - pl.col("created_at")
    share = queued.select(pl.sum("elapsed") / response.sum()).item()
    assert queued.height > 2000
    assert share == pytest.approx(world.base["case_queued_share"], abs=1e-4)  # whole seconds


def test_queues_of_the_slow_region(world: World) -> None:
    queued = spent(mature(world), "in_queue").drop_nulls("elapsed")
    slow = pl.col("region") == world.effects["slow_region"]["where"]["User.Division"]
    sides = []
    for side in (slow, ~slow):
        waits = queued.filter(side)["elapsed"].dt.total_seconds()
        median, p90 = (waits.quantile(q, "linear") or 0.0 for q in (0.5, 0.9))
        sides.append(of_duration(median, p90, waits.len()))
    check(world, "slow_region", *sides)


def test_paused_share(world: World) -> None:
    """With the customer, of the working time between the first response and the closing."""
    log = mature(world)
    known = spent(log, "with_customer").filter(pl.col("responded_at") < pl.col("outcome_at"))
    desks = HOURS.of(known.select("region", business_hours=pl.lit(None, pl.String)))
    worked = HOURS.worked(desks, known["responded_at"], known["outcome_at"])
    paused = pl.col("in_hours").to_physical().fill_null(0)
    of_case = (paused / pl.col("worked")).drop_nans()
    sums = known.with_columns(worked).select(share=paused.sum() / pl.sum("worked"), spread=of_case.std())
    share, spread = sums.row(0)
    error = spread * math.sqrt(1.7 / known.height)  # long cases weigh more
    assert known.height > 2500
    assert share == pytest.approx(world.base["case_paused_share"], abs=4 * error)
    assert error < 0.005

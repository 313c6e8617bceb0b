"""Sales velocity with its parts, times between events, and what deltas add up to: by hand."""

from datetime import timedelta

import polars as pl
import pytest

import crmmining as cm
from crmmining import analyses
from crmmining.definitions import Process

from ..conftest import DEAL, log_of  # noqa: TID252 - what all tests share
from .stagy import STATED, Row, staged

DEALS: list[Row] = [
    ("d1", "Create", 1), ("d1", "Win", 11),
    ("d2", "Create", 1), ("d2", "Win", 21),
    ("d3", "Create", 1), ("d3", "Lose", 41),
    ("d4", "Create", 1), ("d4", "Lose", 5), ("d4", "Reopen", 6), ("d4", "Win", 41),
    ("d5", "Create", 1),
]  # fmt: skip
CASES = {
    f"d{number}": {"stage": "New", "amount_reporting": amount, "reporting_currency": "EUR", "region": region}
    for number, amount, region in (
        *((1, 10.0, "EMEA"), (2, 20.0, "EMEA"), (3, 5.0, "EMEA")),
        *((4, None, "APAC"), (5, 7.0, "APAC")),
    )
}


@pytest.mark.parametrize("partitions", [1, 3])
def test_velocity_by_hand(partitions: int) -> None:
    log = staged(DEALS, CASES, partitions=partitions)
    row = analyses.velocity(log).row(0, named=True)
    assert (row["n"], row["won"], row["win_rate"]) == (4, 3, 3 / 4)
    assert (row["mean_amount"], row["amounts"]) == (15.0, 2)
    assert (row["cycle_days"], row["cycles"]) == (20.0, 3)
    assert (row["velocity"], row["currency"]) == (4 * 3 / 4 * 15.0 / 20.0, "EUR")
    parts = analyses.velocity(log, by="region", period="month")
    assert parts.select(pl.col("period_start").cast(pl.String), "region", "n", "won", "velocity").rows() == [
        ("2024-01-01", "EMEA", 2, 2, 2 * 15.0 / 15.0),
        ("2024-02-01", "APAC", 1, 1, None),
        ("2024-02-01", "EMEA", 1, 0, None),
    ]


def test_velocity_takes_money_in_one_currency(sample: cm.Crm) -> None:
    with pytest.raises(cm.CrmMiningError, match="process 'case' has no sales velocity"):
        analyses.velocity(sample.event_log("case"))
    with pytest.raises(cm.CrmMiningError, match="amounts in one currency"):
        analyses.velocity(log_of(DEALS))


def test_velocity_is_what_the_scorecard_says(sample: cm.Crm) -> None:
    row = (
        analyses.velocity(sample.event_log("opportunity"), by="region")
        .filter(region="EMEA")
        .row(0, named=True)
    )
    kpis = sample.scorecard(kpis=["win_rate", "won_amount"], by="region").filter(region="EMEA")
    told = dict(kpis.select("kpi", "value").rows())
    assert row["win_rate"] == told["win_rate"]
    assert row["velocity"] == pytest.approx(told["won_amount"] / row["cycle_days"])


@pytest.mark.parametrize("partitions", [1, 3])
def test_gaps_by_hand(partitions: int) -> None:
    days = (("d1", 2), ("d1", 4), ("d1", 10), ("d2", 40), ("d4", 3), ("d4", 3))
    calls: list[Row] = [(case, "Call", when) for case, when in days]
    log = log_of([*DEALS, *calls], CASES, partitions=partitions, as_of=50)
    row = analyses.gaps(log, "touched").row(0, named=True)
    assert (row["cases"], row["events"], row["gaps"], row["once"]) == (3, 6, 3, 1)
    assert [row[name] // timedelta(days=1) for name in ("median", "mean", "since_last")] == [2, 2, 40]
    parts = analyses.gaps(log, "Call", by=["region"])
    assert parts.select("region", "cases", "gaps", "once").rows() == [("APAC", 1, 1, 0), ("EMEA", 2, 2, 1)]
    with pytest.raises(cm.UnknownNameError, match="called"):
        analyses.gaps(log, "called")


@pytest.mark.parametrize("partitions", [1, 3])
def test_deltas_add_up_by_hand(partitions: int) -> None:
    process = Process.model_validate(STATED | {"sums": {"stage_points": "staged", "won_points": "won"}})
    moves: list[Row] = [("d1", "Stage: Offer", 2), ("d1", "Stage: Deal", 3), ("d2", "Stage: Offer", 2)]
    given: dict[tuple[str, float], float] = {("d1", 2): 0.1, ("d1", 3): 0.2, ("d1", 11): 5.0}
    log = staged([*DEALS, *moves], CASES, process=process, partitions=partitions, delta=given)
    facts = log.facts.sort("case_id").select("case_id", "stage_points", "won_points")
    nothing = [(f"d{number}", 0.0, 0.0) for number in range(2, 6)]
    assert facts.rows() == [("d1", 0.3, 5.0), *nothing]
    broken = Process.model_validate(STATED | {"sums": {"stage_points": "stages"}})
    assert broken.faults() == ["sums.stage_points: milestone 'stages' is not declared under [milestones]"]
    assert "stage_points" in broken.derived
    assert not DEAL.sums

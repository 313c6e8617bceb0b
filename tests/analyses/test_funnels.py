"""Funnels: a few deals followed by hand, with windows, skipped stages and money; two rates side by side."""

from collections.abc import Callable
from dataclasses import replace

import polars as pl
import pytest

import crmmining as cm
from crmmining import analyses
from crmmining.definitions.waiting import Waiting
from crmmining.eventlog import EventLog

MakeLog = Callable[..., EventLog]
STEPS = ["created", "Stage: B", "Stage: C", "won"]
DEALS = [
    ("d1", "Create", 1), ("d1", "Stage: B", 2), ("d1", "Stage: C", 3), ("d1", "Win", 10),
    ("d2", "Create", 1), ("d2", "Stage: C", 3), ("d2", "Win", 20),  # skips B
    ("d3", "Create", 1), ("d3", "Stage: B", 2), ("d3", "Lose", 5),
    ("d4", "Create", 1), ("d4", "Stage: B", 8), ("d4", "Win", 9), ("d4", "Reopen", 11),  # open again
    ("d5", "Create", 35), ("d5", "Stage: B", 36), ("d5", "Win", 37),  # is followed for 5 days
]  # fmt: skip
WORTH = {
    "d1": {"amount_reporting": 100.0, "region": "EMEA"},
    "d2": {"amount_reporting": 50.5, "region": "EMEA"},
    "d3": {"amount_reporting": 49.5, "region": "APAC"},
    "d4": {"amount_reporting": None, "region": "APAC"},
    "d5": {"amount_reporting": 1000.0, "region": "APAC"},
}
COUNTS = ["milestone", "entered", "reached", "skipped", "open", "truncated"]


@pytest.mark.parametrize("partitions", [1, 3])
def test_how_far_deals_get(make_log: MakeLog, partitions: int) -> None:
    found = analyses.funnel(make_log(DEALS, WORTH, as_of=40, partitions=partitions), STEPS)
    assert found.select(COUNTS).rows() == [
        ("created", 5, 5, 0, 0, 0),
        ("Stage: B", 5, 5, 1, 0, 0),
        ("Stage: C", 5, 3, 1, 1, 0),  # d5 was won without it, and d4, open, may get there
        ("won", 5, 3, 0, 1, 0),
    ]
    assert found.select("rate", "step_rate").rows()[2] == (3 / 5, 3 / 5)
    assert found.row(0, named=True)["step_rate"] is None
    assert found["value"].to_list() == [1200.0, 1200.0, 1150.5, 1150.5]
    assert found["value_rate"][3] == 1150.5 / 1200
    assert found["unvalued"].unique().to_list() == [1]


def test_within_a_window(make_log: MakeLog) -> None:
    # ten days: d2 is won too late, d5 is not followed to the end of it
    found = analyses.funnel(make_log(DEALS, WORTH, as_of=40), STEPS, within_days=10)
    assert found.select(COUNTS).rows() == [
        ("created", 4, 4, 0, 1, 0),
        ("Stage: B", 4, 4, 1, 1, 0),
        ("Stage: C", 4, 2, 0, 1, 0),
        ("won", 4, 1, 0, 1, 0),
    ]
    assert found["value_rate"][3] == 100 / 200
    exact = analyses.funnel(make_log(DEALS, as_of=40), STEPS, within_days=9)
    assert exact["reached"].to_list() == [4, 4, 2, 1]  # day 10 is 9 days after day 1


def test_cases_that_are_cut_off_are_left_out_and_counted(make_log: MakeLog) -> None:
    log = make_log(DEALS, {"d2": {"truncated": True}}, as_of=40)
    found = analyses.funnel(log, STEPS)
    assert found.select("entered", "reached", "skipped", "truncated").rows()[1] == (4, 4, 0, 1)
    assert found["value"].null_count() == found["unvalued"].null_count() == 4
    whole = analyses.funnel(log, STEPS, keep_truncated=True)
    assert whole.select("entered", "truncated").rows()[1] == (5, 0)
    ends = analyses.funnel(log, ["created", "won"])  # what the record tells
    assert ends.select("entered", "reached", "truncated").rows() == [(5, 5, 0), (5, 3, 0)]


def test_a_deal_that_was_created_in_a_stage_has_been_there(make_log: MakeLog) -> None:
    log = make_log([("d1", "Create", 1), ("d1", "Lose", 2), ("d2", "Create", 1), ("d2", "Stage: B", 2)],
        {"d1": {"stage": "Lost"}, "d2": {"stage": "B"}},
        changes=[("d1", "stage", 1, "B"), ("d1", "stage", 2, "Lost"),
                 ("d2", "stage", 1, "A"), ("d2", "stage", 2, "B")],
    )  # fmt: skip
    assert analyses.funnel(log, ["created", "Stage: B"])["reached"].to_list() == [2, 1]
    named = Waiting(attribute="stage", touches=("touched",), assigned=())
    process = log.process.model_copy(update={"waiting": named})
    found = analyses.funnel(replace(log, process=process), ["created", "Stage: B"])
    assert found.select("reached", "skipped").rows() == [(2, 0), (2, 0)]


def test_by_region_and_month_of_entry(make_log: MakeLog) -> None:
    found = analyses.funnel(make_log(DEALS, WORTH, as_of=40), ["created", "won"], by="region", period="month")
    won = found.filter(step=1).select(pl.col("period_start").dt.month(), "region", "entered", "reached")
    assert won.rows() == [(1, "APAC", 2, 0), (1, "EMEA", 2, 2), (2, "APAC", 1, 1)]


def test_narrow_and_broad_by_hand(make_log: MakeLog) -> None:
    log = make_log(DEALS, WORTH, as_of=40)
    names = ["decided_so", "decided", "narrow", "narrow_value", "created_so", "created", "open", "broad"]
    assert analyses.narrow_and_broad(log).select(names).rows() == [
        (3, 4, 3 / 4, 1150.5 / 1200, 3, 5, 1, 3 / 5)
    ]
    by_month = analyses.narrow_and_broad(log, period="month", within_days=10)
    assert by_month.select(pl.col("period_start").dt.month(), *names).rows() == [
        (1, 2, 3, 2 / 3, 150.5 / 200, 1, 4, 0, 1 / 4),
        (2, 1, 1, 1.0, 1.0, 0, 0, 1, None),
    ]
    lost = analyses.narrow_and_broad(log, "lost", by=["region"]).select("region", *names[:3], *names[4:])
    assert lost.rows() == [("APAC", 1, 2, 0.5, 1, 3, 1, 1 / 3), ("EMEA", 0, 2, 0.0, 0, 2, 0, 0.0)]


def test_it_is_the_rate_of_the_scorecard(sample: cm.Crm) -> None:
    log = sample.event_log("opportunity")
    ours = analyses.narrow_and_broad(log, of=["won", "lost"], period="year", within_days=180)
    for kpi, names in {
        "win_rate": ("narrow", "narrow_low", "narrow_high", "decided"),
        "won_within_180_days": ("broad", "broad_low", "broad_high", "created"),
    }.items():
        rows = sample.scorecard("opportunity", kpis=[kpi], period="year").filter(
            pl.col("period_start").is_not_null()
        )
        theirs = rows.filter(pl.col("n") > 0).select("value", "low", "high", "n").rows()
        assert ours.filter(pl.col(names[3]) > 0).select(names).rows() == theirs


def test_from_lead_to_won(sample: cm.Crm) -> None:
    log = sample.event_log("lead")
    way = ["created", "converted", "opportunity_created", "opportunity_won"]
    found = analyses.funnel(log, way)
    assert found["reached"].to_list() == [352, 68, 54, 17]
    within = analyses.funnel(log, ["created", "opportunity_won"], within_days=180).row(1, named=True)
    kpi = sample.scorecard("lead", kpis=["lead_won_within_180_days"]).row(0, named=True)
    assert (within["rate"], within["entered"], within["open"]) == (kpi["value"], kpi["n"], kpi["open"])


def test_what_cannot_be_asked_is_refused(make_log: MakeLog) -> None:
    log = make_log(DEALS)
    with pytest.raises(cm.CrmMiningError, match="must be two milestones or more"):
        analyses.funnel(log, ["created"])
    with pytest.raises(cm.CrmMiningError, match="within_days is 0"):
        analyses.funnel(log, STEPS, within_days=0)
    with pytest.raises(cm.CrmMiningError, match="nowhere"):
        analyses.funnel(log, ["created", "nowhere"])
    with pytest.raises(cm.CrmMiningError, match="unknown number of cases 'region'"):
        analyses.funnel(log, STEPS, value="region")
    with pytest.raises(cm.CrmMiningError, match="unknown outcome 'wun'"):
        analyses.narrow_and_broad(log, "wun")
    with pytest.raises(cm.CrmMiningError, match="'of' names only"):
        analyses.narrow_and_broad(log, "won", of=["lost"])

"""Ways out: outcomes of a few deals worked out by hand, what counts as an end, and who is left out."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

import crmmining as cm
from crmmining import analyses
from crmmining.eventlog import EventLog, Partition

MakeLog = Callable[..., EventLog]

# As of day 400, so that a deal created on day n is followed for 400 - n days.
DEALS = [
    ("d1", "Create", 1), ("d1", "Win", 2),  # a day
    ("d2", "Create", 1), ("d2", "Lose", 3.5),  # two days and a half: on the third
    ("d3", "Create", 1), ("d3", "Lose", 2), ("d3", "Reopen", 3), ("d3", "Win", 5),  # in the end won, after 4
    ("d4", "Create", 1), ("d4", "Win", 2), ("d4", "Reopen", 3),  # open again, followed for 399
    ("d5", "Create", 397.5),  # open, followed for 2 whole days
]  # fmt: skip
OUTCOME = ["outcome", "day", "at_risk", pl.col("incidence").round(6)]


def told(log: EventLog, *, by_day: tuple[str, ...] = ()) -> EventLog:
    """The log with date_only, which holds for the activities named."""
    codes = [log.activities.index(name) for name in by_day]
    parts = tuple(
        Partition(one.events.with_columns(date_only=pl.col("activity").is_in(codes)), one.cases, one.values)
        for one in log.partitions
    )
    return replace(log, partitions=parts)


@pytest.fixture
def deals(make_log: MakeLog) -> Callable[..., EventLog]:
    def made(cases: dict[str, dict[str, Any]] | None = None, **more: Any) -> EventLog:  # noqa: ANN401
        return told(make_log(DEALS, cases, **more))

    return made


@pytest.mark.parametrize("partitions", [1, 3])
def test_the_latest_closing_is_the_outcome(deals: Callable[..., EventLog], partitions: int) -> None:
    # won: d1 on day 1 (1/5); d5 leaves after day 2; day 3: one of three is lost; day 4: one of two is won
    found = analyses.curves(deals(partitions=partitions))
    assert found.filter(outcome="won").select(OUTCOME).rows() == [
        ("won", 1, 5, 0.2),
        ("won", 3, 3, 0.2),
        ("won", 4, 2, round(0.2 + 0.8 * (2 / 3) / 2, 6)),
        ("won", 399, 1, round(0.2 + 0.8 * (2 / 3) / 2, 6)),
    ]
    assert found.filter(outcome="open").select(OUTCOME).rows()[-1] == ("open", 399, 1, round(0.8 / 3, 6))


def test_the_first_outcome_is_another_question(deals: Callable[..., EventLog]) -> None:
    # d1 and d4 are won on day 1, d3 is lost: 2/5 and 1/5; d2 is lost on day 3, the last one followed so long
    found = analyses.curves(deals(), first=True)
    assert found.filter(outcome="won").select(OUTCOME).rows() == [("won", 1, 5, 0.4), ("won", 3, 1, 0.4)]
    assert found.filter(outcome="lost").select(OUTCOME).rows() == [("lost", 1, 5, 0.2), ("lost", 3, 1, 0.6)]


def test_the_figure_of_closed_ones_and_how_far_it_is_off(deals: Callable[..., EventLog]) -> None:
    found = analyses.outcomes(deals(), at=[0, 2, 399, 400])
    names = ["day", "n", "ended", "closed", "excluded", "at_risk", "incidence", "closed_only", "bias"]
    won = found.filter(outcome="won").select(names).with_columns(pl.col(pl.Float64).round(6))
    assert won.rows() == [
        (0, 5, 2, 3, 0, 5, 0.0, 0.666667, 0.666667),
        (2, 5, 2, 3, 0, 4, 0.2, 0.666667, 0.466667),
        (399, 5, 2, 3, 0, 1, 0.466667, 0.666667, 0.2),
        (400, 5, 2, 3, 0, 0, None, 0.666667, None),  # nobody is followed so long
    ]
    assert found.filter(outcome="open").select("ended", "closed_only").unique().rows() == [(2, None)]
    assert found.filter(outcome="open", day=0)["incidence"].to_list() == [1.0]


def test_when_all_have_ended_nothing_more_can_come(make_log: MakeLog) -> None:
    log = told(make_log([("d1", "Create", 1), ("d1", "Win", 2), ("d2", "Create", 1), ("d2", "Lose", 3)]))
    found = analyses.outcomes(log, at=[1000]).select("outcome", "incidence").rows()
    assert found == [("won", 0.5), ("lost", 0.5), ("open", 0.0)]


def test_an_end_of_today_is_not_seen_before_the_day_is_over(make_log: MakeLog) -> None:
    log = told(make_log([("d1", "Create", 1), ("d1", "Win", 2.75), ("d2", "Create", 1)], as_of=2.8))
    assert analyses.curves(log).filter(outcome="won").select(OUTCOME).rows() == [("won", 1, 2, 0.0)]
    won = analyses.outcomes(log, at=[1]).row(0, named=True)
    assert (won["ended"], won["closed"], won["incidence"]) == (1, 1, 0.0)


def test_who_never_started_had_ended_before_or_is_cut_off_is_counted(make_log: MakeLog) -> None:
    called = [*DEALS, ("d1", "Call", 1.5), ("d2", "Call", 4), ("d3", "Call", 4), ("d4", "Call", 2.5)]
    log = told(make_log(called, {"d4": {"truncated": True}}))
    # d1 is won half a day after its call, d2 was lost before, d3 a day after; d4 is cut off, d5 never called
    won = analyses.outcomes(log, "touched", at=[1]).row(0, named=True)
    assert (won["n"], won["ended"], won["excluded"], won["truncated"]) == (2, 2, 2, 1)
    assert won["incidence"] == 1
    whole = analyses.outcomes(log, at=[1]).row(0, named=True)  # creation is on record
    assert (whole["n"], whole["excluded"], whole["truncated"]) == (5, 0, 0)


def test_ends_known_by_their_day_are_counted(make_log: MakeLog) -> None:
    log = told(make_log(DEALS), by_day=("Win",))
    found = analyses.outcomes(log, at=[1]).row(0, named=True)
    assert (found["closed"], found["by_day"]) == (3, 2)


def test_accounts_widen_the_interval_where_they_decide(make_log: MakeLog) -> None:
    events = [(f"d{at:02}", "Create", 1.0) for at in range(40)]
    events += [(f"d{at:02}", "Win" if at // 4 % 2 else "Lose", 3.0) for at in range(40)]
    accounts = {f"d{at:02}": {"account": f"a{at // 4}", "owner": f"o{at % 4}"} for at in range(40)}
    log = told(make_log(events, accounts))

    def width(cluster: str | None) -> float:
        row = analyses.outcomes(log, at=[5], cluster=cluster).row(0, named=True)
        assert row["incidence"] == pytest.approx(0.5)
        low, high = (math.log(-math.log(1 - row[bound])) for bound in ("low", "high"))
        return high - low

    # ten accounts that win or lose all four deals tell as much as ten deals; owners have half and half
    assert width("account") / width(None) == pytest.approx((4 * 10 / 9) ** 0.5)
    assert width("owner") < 1e-6 < width(None)


def test_cells_and_people(deals: Callable[..., EventLog]) -> None:
    log = deals({"d1": {"region": "EMEA"}, "d2": {"region": "EMEA"}, "d3": {"region": "EMEA"}})
    found = analyses.outcomes(log, at=[10], by=["region"]).filter(outcome="won")
    assert found.select("region", "n", "ended", "closed").rows() == [("EMEA", 3, 2, 3), (None, 2, 0, 0)]
    process = log.process.model_copy(update={"people": ("region",)})
    few = replace(log, minimum_group=3, process=process)
    assert analyses.outcomes(few, at=[10], by=["region"])["n"].unique().to_list() == [None]  # 3 tells 2
    assert analyses.curves(few, by=["region"]).drop("outcome").unique().height == 2
    assert analyses.curves(few, by=["region"])["day"].null_count() == 6
    two = replace(few, minimum_group=2)
    assert analyses.curves(two, by=["region"]).equals(analyses.curves(log, by=["region"]))


def test_what_cannot_be_asked_is_refused(deals: Callable[..., EventLog]) -> None:
    log = deals()
    with pytest.raises(cm.CrmMiningError, match=r"leaves out \['lost'\]: a case that ended so would count"):
        analyses.curves(log, ends=["won"])
    with pytest.raises(cm.CrmMiningError, match="at is"):
        analyses.outcomes(log, at=[])
    with pytest.raises(cm.CrmMiningError, match="unknown cluster 'acount'"):
        analyses.curves(log, cluster="acount")
    with pytest.raises(cm.CrmMiningError, match="nowhere"):
        analyses.curves(log, "nowhere")
    with pytest.raises(cm.CrmMiningError, match="unknown segment"):
        analyses.curves(log, by=["nowhere"])


def test_a_lead_may_end_in_what_its_opportunity_became(sample: cm.Crm) -> None:
    log = sample.event_log("lead")
    ends = ["opportunity_won", "opportunity_lost", "disqualified"]
    found = analyses.outcomes(log, ends=ends, at=[180])
    facts = log.facts
    assert found["ended"].to_list()[0] == facts.filter(pl.col("opportunity_won_n") > 0).height == 17
    assert found["n"].unique().to_list() == [352]
    assert found["incidence"].sum() == pytest.approx(1)


def test_where_all_are_followed_it_is_the_share_within_the_window(sample: cm.Crm) -> None:
    log = sample.event_log("opportunity").filter(until=sample.clock.replace(month=1))
    row = analyses.outcomes(log, at=[180], first=True).row(0, named=True)
    known = log.facts.filter(pl.col("won_at") - pl.col("created_at") <= pl.duration(days=180))
    first = known.filter(pl.col("won_at") == pl.min_horizontal("won_at", "lost_at"))
    assert row["incidence"] == pytest.approx(first.height / log.cases.height)
    assert row["n"] == log.cases.height > 100

"""The log's verbs, answered by hand on five deals."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from crmmining import CrmMiningError, EventLog, UnknownNameError

DAY = timedelta(days=1)
DEALS = [
    ("d1", "Create", 1), ("d1", "Stage: A", 3, 1), ("d1", "Stage: B", 5, 1), ("d1", "Win", 11),
    ("d2", "Create", 2), ("d2", "Stage: A", 4, 1), ("d2", "Lose", 6),
    ("d3", "Create", 3), ("d3", "Call", 4), ("d3", "Stage: B", 8, 2), ("d3", "Stage: A", 9, -1),
    ("d3", "Stage: B", 10, 1), ("d3", "Win", 33),
    ("d4", "Create", 40), ("d4", "Stage: A", 45, 1),
    ("d5", "Create", 32), ("d5", "Lose", 33), ("d5", "Reopen", 34),
]  # fmt: skip
REGIONS = {
    "d1": {"region": "EMEA"},
    "d2": {"region": "EMEA"},
    "d3": {"region": "APAC"},
    "d4": {"region": "APAC"},
}


@pytest.fixture(params=[1, 2, 3])
def log(make_log: Callable[..., EventLog], request: pytest.FixtureRequest) -> EventLog:
    return make_log(DEALS, REGIONS, partitions=request.param)


def test_state_is_decided_by_the_last_end_or_reopening(log: EventLog) -> None:
    state = log.cases.sort("case_id").select("case_id", "open", "outcome").rows()
    assert state == [
        ("d1", False, "won"), ("d2", False, "lost"), ("d3", False, "won"),
        ("d4", True, None), ("d5", True, None),
    ]  # fmt: skip
    assert log.cases.sort("case_id")["outcome_at"].dt.day().to_list() == [11, 6, 2, None, None]


def test_variants_count_core_sequences_most_frequent_first_ties_by_text(log: EventLog) -> None:
    assert log.variants().select("variant", "cases", "share", "cumulative").rows() == [
        ("Create > Lose > Reopen", 1, 0.2, 0.2),
        ("Create > Stage: A", 1, 0.2, 0.4),
        ("Create > Stage: A > Lose", 1, 0.2, 0.6),
        ("Create > Stage: A > Stage: B > Win", 1, 0.2, 0.8),
        ("Create > Stage: B > Stage: A > Stage: B > Win", 1, 0.2, 1.0),
    ]


def test_transitions_leave_out_what_is_not_core(log: EventLog) -> None:
    edges = log.transitions().filter(pl.col("source") == "Create")
    assert edges.select("target", "n", "median").rows() == [
        ("Lose", 1, 1 * DAY), ("Stage: A", 3, 2 * DAY), ("Stage: B", 1, 5 * DAY),
    ]  # fmt: skip


def test_rework_counts_cases_that_repeat_an_activity(log: EventLog) -> None:
    again = log.rework().filter(pl.col("repeats") > 0)
    assert again.select(
        "activity", "cases", "events", "rework_cases", "repeats", "self_loops", "share"
    ).rows() == [("Stage: B", 2, 3, 1, 1, 0, 0.5)]


def test_throughput_censors_open_cases_and_excludes_the_rest(log: EventLog) -> None:
    assert log.throughput("created", "won").rows(named=True) == [
        {
            "n": 2,
            "open": 2,
            "excluded": 1,
            "median": 20 * DAY,
            "p90": 28 * DAY,
            "mean": 20 * DAY,
            "median_with_open": None,  # 1/5 by day 10, 2/5 by day 30: one is lost, two are open still
            "median_with_open_low": 10 * DAY,
            "median_with_open_high": None,
        }
    ]
    with pytest.raises(UnknownNameError, match="business: needs BusinessHours or stated calendars"):
        log.throughput("created", "won", clock="business")


def test_throughput_by_segment_keeps_cases_without_one_in_their_own_row(log: EventLog) -> None:
    regions = log.throughput("created", "won", by=["region"]).select("region", "n", "open", "excluded")
    assert regions.rows() == [("APAC", 1, 1, 0), ("EMEA", 1, 0, 1), (None, 0, 1, 0)]


def test_throughput_takes_activity_names_too(log: EventLog) -> None:
    assert log.throughput("Stage: A", "Stage: B").select("n", "median").row(0) == (2, 1.5 * DAY)


def test_conversion_counts_all_that_entered(log: EventLog) -> None:
    row = log.conversion("created", "won").row(0, named=True)
    assert (row["n"], row["open"], row["excluded"], row["reached"], row["rate"]) == (5, 2, 0, 2, 0.4)
    # Wilson interval of 2 in 5, z = 1.96
    assert (round(row["rate_low"], 4), round(row["rate_high"], 4)) == (0.1176, 0.7693)


def test_facts_say_when_first_when_last_how_often(log: EventLog) -> None:
    d3 = log.facts.filter(pl.col("case_id") == "d3").row(0, named=True)
    assert (d3["staged_at"].day, d3["staged_last"].day, d3["staged_n"]) == (8, 10, 3)
    assert (d3["touched_n"], d3["won_n"], d3["lost_n"], d3["lost_at"]) == (1, 1, 0, None)
    assert (d3["repeats"], d3["self_loops"], d3["regressions"], d3["skips"], d3["n_events"]) == (
        1,
        0,
        1,
        1,
        6,
    )
    assert log.facts.sort("case_id")["reopens"].to_list() == [0, 0, 0, 0, 1]


def test_events_read_well_and_are_sorted(log: EventLog) -> None:
    d1 = log.events.filter(pl.col("case_id") == "d1")
    assert d1["activity"].cast(pl.String).to_list() == ["Create", "Stage: A", "Stage: B", "Win"]
    assert log.events.height == len(DEALS)


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ({"since": datetime(2024, 1, 3, tzinfo=UTC)}, ["d3", "d4", "d5"]),
        ({"until": datetime(2024, 1, 3, tzinfo=UTC)}, ["d1", "d2"]),
        ({"where": "region = 'EMEA' AND outcome = 'won'"}, ["d1"]),
        ({"where": "region = 'APAC' OR region IS NULL"}, ["d3", "d4", "d5"]),
        ({"having": ["touched"]}, ["d3"]),
        ({"lacking": ["touched", "Lose"]}, ["d1", "d4"]),
        ({"ending": ["won"]}, ["d1", "d3"]),
        ({"ending": ["Reopen", "lost"]}, ["d2", "d5"]),
        ({"starting": ["won"]}, []),
        ({"variants": ["Create > Stage: A"]}, ["d4"]),
        ({"variants": 1}, ["d5"]),
        ({"having": ["won"], "where": "region = 'APAC'"}, ["d3"]),
    ],
)
def test_filters_keep_whole_cases_and_count_what_they_drop(
    log: EventLog, condition: dict[str, Any], kept: list[str]
) -> None:
    smaller = log.filter(**condition)
    assert smaller.cases["case_id"].sort().to_list() == kept
    assert sorted(set(smaller.events["case_id"])) == kept
    assert smaller.events.height == sum(1 for case, *_ in DEALS if case in kept)
    assert smaller.quality["rows"].sum() == log.quality["rows"].sum() == len(DEALS)
    assert log.cases.height == 5
    assert smaller.facts.height == len(kept)
    assert smaller.variants()["cases"].sum() == len(kept)


def test_an_empty_log_answers_everything(log: EventLog) -> None:
    nothing = log.filter(where="region = 'nowhere'")
    assert nothing.variants().height == nothing.transitions().height == nothing.rework().height == 0
    assert nothing.throughput("created", "won").rows() == [(0, 0, 0, *[None] * 6)]
    assert nothing.conversion("created", "won").select("n", "rate").row(0) == (0, None)
    assert nothing.endpoints().height == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda log: log.throughput("created", "wonn"),
            "unknown milestone or activity 'wonn'. Did you mean 'won'?",
        ),
        (
            lambda log: log.throughput("created", "won", by=["regio"]),
            "unknown segment 'regio'. Did you mean 'region'?",
        ),
        (lambda log: log.variants("cores"), "unknown activity set 'cores'. Did you mean 'core'?"),
        (lambda log: log.filter(where="regionn = 'x'"), "unknown fact 'regionn'. Did you mean 'region'?"),
        (lambda log: log.filter(variants=["Create > Nothing"]), "unknown variant 'Create > Nothing'"),
    ],
)
def test_unknown_names_say_what_exists(
    log: EventLog, call: Callable[[EventLog], object], message: str
) -> None:
    with pytest.raises(UnknownNameError, match=f"^{message.replace('?', '[?]')}"):
        call(log)


def test_an_unreadable_condition_is_one_clear_error(log: EventLog) -> None:
    with pytest.raises(CrmMiningError, match="cannot be read as an SQL condition"):
        log.filter(where="region = = 'x'")

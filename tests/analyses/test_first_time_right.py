"""First time right: reasons counted by hand, and against the KPI of the same name."""

from collections.abc import Callable

import polars as pl
import pytest

import crmmining as cm
from crmmining import analyses
from crmmining.definitions import read_catalogue
from crmmining.definitions.kpi import KPI, Kpi
from crmmining.eventlog import EventLog

DEALS = [
    ("d1", "Create", 1), ("d1", "Win", 2),
    ("d2", "Create", 1), ("d2", "Win", 2), ("d2", "Reopen", 3), ("d2", "Lose", 4),
    ("d3", "Create", 1), ("d3", "Call", 2), ("d3", "Call", 3), ("d3", "Win", 4), ("d3", "Reopen", 5),
    ("d3", "Win", 6),
    ("d4", "Create", 1), ("d4", "Call", 2), ("d4", "Call", 3), ("d4", "Lose", 4),
    ("d5", "Create", 1), ("d5", "Win", 2), ("d5", "Reopen", 3),
]  # fmt: skip
CASES = {f"d{number}": {"region": "EMEA" if number < 4 else "APAC"} for number in range(1, 6)}


def right(**more: object) -> Kpi:
    stated = {
        "name": "right", "process": "deal", "question": "q", "formula": "f", "kind": "share", "unit": "share",
        "better": "higher", "of": "NOT open", "period": "outcome",
        "unless": {"reopened": "reopens > 0", "called twice": "touched_n > 1"},
    }  # fmt: skip
    return KPI.validate_python(stated | more)


@pytest.mark.parametrize("partitions", [1, 3])
def test_reasons_by_hand(make_log: Callable[..., EventLog], partitions: int) -> None:
    log = make_log(DEALS, CASES, partitions=partitions)
    found = analyses.first_time_right(log, kpi=right())
    assert found.select("reason", "cases", "only", "share", "n").rows() == [
        (None, 1, None, 1 / 4, 4),
        ("reopened", 2, 1, 2 / 4, 4),
        ("called twice", 2, 1, 2 / 4, 4),
    ]
    parts = analyses.first_time_right(log, by=["region"], kpi=right())
    assert parts.select("region", "reason", "cases", "only", "n").rows() == [
        ("APAC", None, 0, None, 1),
        ("APAC", "reopened", 0, 0, 1),
        ("APAC", "called twice", 1, 1, 1),
        ("EMEA", None, 1, None, 3),
        ("EMEA", "reopened", 2, 1, 3),
        ("EMEA", "called twice", 1, 0, 3),
    ]


def test_a_case_that_is_cut_off_is_left_out(make_log: Callable[..., EventLog]) -> None:
    cut_off = {**CASES, "d1": {"truncated": True}}
    found = analyses.first_time_right(make_log(DEALS, cut_off), kpi=right(truncated="exclude"))
    assert found.select("cases", "n").rows() == [(0, 3), (2, 3), (2, 3)]


def test_it_is_the_share_of_the_scorecard(sample: cm.Crm) -> None:
    found = analyses.first_time_right(sample.event_log("case"), by="priority")
    right_ones = found.filter(pl.col("reason").is_null())
    rows = sample.scorecard(by=["priority"], kpis=["first_time_right"])
    closed = rows.filter(pl.col("n") > 0).select("priority", "low", "high", "n", share="value")
    assert right_ones.select("priority", "low", "high", "n", "share").equals(closed)
    assert read_catalogue().kpi("first_time_right").grain == "case"


def test_a_reason_that_the_source_cannot_show_has_no_figures(write: Callable[..., object]) -> None:
    closed = "500000000000001,2024-01-01 09:00,Closed,true,2024-01-02 09:00"
    changed = "500000000000001,2024-01-02 09:00,Status,New,Closed"
    folder = write(
        Case=["Id,CreatedDate,Status,IsClosed,ClosedDate", closed],
        CaseHistory=[
            "Id,CaseId,CreatedDate,Field,OldValue,NewValue",
            "017000000000001,500000000000001,2024-01-01 09:00,created,,",
            f"017000000000002,{changed}",
        ],
    )
    found = analyses.first_time_right(cm.connect(str(folder)).event_log("case"))
    told = dict(found.select("reason", "cases").rows())
    assert (told["milestone violated"], told["reopened"], told[None]) == (None, 0, 1)


def test_without_a_history_nobody_knows_of_reopenings_and_handovers(write: Callable[..., object]) -> None:
    closed = "500000000000001,2024-01-01 09:00,Closed,true,2024-01-02 09:00"
    folder = write(Case=["Id,CreatedDate,Status,IsClosed,ClosedDate", closed])
    found = analyses.first_time_right(cm.connect(str(folder)).event_log("case"))
    assert found.select("reason", "cases", "only").rows() == [
        (None, 0, None),  # whether the case was seen from its beginning is not known either
        ("reopened", None, None),
        ("handed over more than once", None, None),
        ("ping-pong", None, None),
        ("priority changed", None, None),
        ("escalated", None, None),
        ("milestone violated", None, None),
    ]


def test_a_kpi_without_reasons_is_refused(sample: cm.Crm) -> None:
    log = sample.event_log("case")
    for name in ("escalation_rate", "case_backlog"):
        with pytest.raises(cm.CrmMiningError, match="names no reasons for process 'case'"):
            analyses.first_time_right(log, kpi=read_catalogue().kpi(name))
    with pytest.raises(cm.CrmMiningError, match="process 'deal'"):
        analyses.first_time_right(log, kpi=right())

"""Signs of poor documentation: counted by hand, and changed by an overlay."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import crmmining as cm
from crmmining import analyses
from crmmining.definitions import Process, read_catalogue
from crmmining.eventlog import EventLog

from ..conftest import DEAL, log_of  # noqa: TID252 - what all tests share
from .stagy import STATED, Row, staged

SIGNS = {
    "at_once": {"about": "won at once", "of": "outcome = 'won'", "where": "outcome_at <= created_at"},
    "no_way": {"about": "no stage", "where": "staged_n = 0"},
    "only_a_day": {"about": "no event", "where": "closing_date_only", "truncated": "keep"},
    "in_a_mass": {"about": "many in a minute", "where": "closed_together >= 2"},
    "late": {"about": "backdated", "where": "close_date + INTERVAL '2 days' < closing_day"},
}
SIGNED = Process.model_validate(STATED | {"signs": SIGNS})
DEALS: list[Row] = [
    ("d1", "Create", 1), ("d1", "Win", 1),
    ("d2", "Create", 1), ("d2", "Stage: Offer", 2, 1), ("d2", "Win", 9), ("d2", "Reopen", 10),
    ("d2", "Win", 20),
    ("d3", "Create", 1), ("d3", "Lose", 20 + 30 / 86400),
    ("d4", "Create", 1), ("d4", "Lose", 20),
    ("d5", "Create", 1), ("d5", "Stage: Offer", 2, 1),
    ("d6", "Create", 1), ("d6", "Stage: Offer", 2, 1), ("d6", "Lose", 20),
]  # fmt: skip
MONEY = {"reporting_currency": "EUR"}
CASES: dict[str, dict[str, Any]] = {
    "d1": {"amount_reporting": 100.0, "region": "EMEA", **MONEY},
    "d2": {"amount_reporting": 20.0, "region": "EMEA", **MONEY},
    "d3": {"amount_reporting": None, **MONEY},
    "d4": {"amount_reporting": 3.0, "truncated": True, **MONEY},
    "d5": {"amount_reporting": 4.0, **MONEY},
    "d6": {"amount_reporting": 5.0, **MONEY},
}


def made(partitions: int = 1) -> EventLog:
    stated = {name: date(2024, 1, day) for name, day in (("d1", 1), ("d2", 17), ("d3", 19), ("d6", 18))}
    cases = {case: {**given, "close_date": stated.get(case), "stage": "New"} for case, given in CASES.items()}
    return staged(
        DEALS,
        cases,
        process=SIGNED,
        partitions=partitions,
        actor={
            ("d2", 9): "Ann",
            ("d2", 20): "Ann",
            ("d3", 20 + 30 / 86400): "Ann",
            ("d1", 1): "Bob",
            ("d4", 20): "Bob",
            ("d6", 20): None,
        },
        date_only={("d2", 9): True, ("d4", 20): True},
    )


@pytest.mark.parametrize("partitions", [1, 3])
def test_signs_by_hand(partitions: int) -> None:
    found = analyses.documentation(made(partitions))
    assert found.select("sign", "cases", "n", "excluded", "value", "n_value", "currency").rows() == [
        ("at_once", 1, 2, 0, 100.0, 120.0, "EUR"),
        ("no_way", 2, 4, 1, 100.0, 125.0, "EUR"),  # d1 and d3; of d4 the history is cut
        ("only_a_day", 1, 5, 0, 3.0, 128.0, "EUR"),  # of d2 an earlier closing was
        ("in_a_mass", 2, 4, 1, 20.0, 125.0, "EUR"),  # d2 and d3, by Ann; nobody knows who closed d6
        ("late", 1, 4, 1, 20.0, 125.0, "EUR"),  # d2, three days; d6, two days
    ]
    assert found["share"].to_list() == [1 / 2, 2 / 4, 1 / 5, 2 / 4, 1 / 4]
    assert found.row(1, named=True)["rule"] == "staged_n = 0"
    parts = analyses.documentation(made(partitions), by="region").filter(sign="no_way")
    assert parts.select("region", "cases", "n", "value").rows() == [("EMEA", 1, 2, 100.0), (None, 1, 2, 0.0)]


def test_what_is_not_stated_or_known_is_refused() -> None:
    with pytest.raises(cm.CrmMiningError, match="process 'deal' states no signs"):
        analyses.documentation(log_of(DEALS, process=DEAL))
    unknown = SIGNED.signs["late"].model_copy(update={"where": "x > 1"})
    odd = SIGNED.model_copy(update={"signs": {"odd": unknown}})
    log = staged(DEALS, {"d1": {"stage": "New"}}, process=odd)
    with pytest.raises(cm.UnknownNameError, match="x"):
        analyses.documentation(log)
    broken = {"odd": {"about": "a", "where": "1 >", "of": "outcome ="}}
    faults = Process.model_validate(STATED | {"signs": broken}).faults()
    assert [fault.partition(":")[0] for fault in faults] == ["signs.odd.where", "signs.odd.of"]


def test_an_overlay_changes_a_threshold(sample: cm.Crm, sample_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "salesforce").mkdir()
    stated = "[signs.won_within_a_day]\nwhere = \"outcome_at <= created_at + INTERVAL '30 days'\"\n"
    (tmp_path / "salesforce" / "opportunity.toml").write_text(stated)
    assert list(read_catalogue(extractors=tmp_path).process("opportunity").signs)[1] == "won_within_a_day"
    crm = cm.connect(sample_folder, extractors=tmp_path)
    found = analyses.documentation(crm.event_log("opportunity"))
    facts = sample.event_log("opportunity").facts.filter(outcome="won")
    quick = facts.filter(pl.col("outcome_at") - pl.col("created_at") <= pl.duration(days=30))
    assert found.filter(sign="won_within_a_day")["cases"].item() == quick.height > 1
    worth = quick["amount_reporting"].sum()
    assert found.filter(sign="won_within_a_day")["value"].item() == pytest.approx(worth)


def test_a_sign_that_the_source_cannot_show_has_no_figures(sample: cm.Crm) -> None:
    log = replace(sample.event_log("opportunity"), off=("milestone 'touched': needs Task.WhatId",))
    row = analyses.documentation(log).filter(sign="no_way_to_the_win").row(0, named=True)
    assert (row["cases"], row["n"], row["share"], row["value"]) == (None, None, None, None)


def test_the_born_won_are_those_of_the_kpi(sample: cm.Crm) -> None:
    found = analyses.documentation(sample.event_log("opportunity")).filter(sign="no_way_to_the_win")
    kpi = sample.scorecard(kpis="born_won")
    assert found.select("share", "low", "high", "n").rows() == kpi.select("value", "low", "high", "n").rows()

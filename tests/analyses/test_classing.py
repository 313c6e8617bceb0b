"""Classes of open cases and alerts: by hand, and by an overlay."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import crmmining as cm
from crmmining import analyses
from crmmining.definitions import Process
from crmmining.eventlog import EventLog, Partition

from ..conftest import DEAL, day, log_of  # noqa: TID252 - what all tests share
from .stagy import STATED, Row, staged

RULES: dict[str, dict[str, Any]] = {
    "stalled": {
        "where": "days_in_stage > norm_days",
        "says": "{days_in_stage} days in {stage} of {owner}, at most {norm_days}; last {last_touch_at}",
        "alert": True,
    },
    "late": {"where": "close_date < today", "says": "due {close_date}", "alert": True},
    "warm": {"where": "days_since_touch <= 10", "says": "{days_since_touch} days ago"},
}
CLASSED = Process.model_validate(STATED | {"classes": RULES})
DEALS: list[Row] = [
    ("d1", "Create", 1), ("d1", "Call", 2), ("d1", "Stage: Offer", 3, 1),
    ("d2", "Create", 1), ("d2", "Stage: Offer", 3, 1), ("d2", "Win", 7.5),
    ("d3", "Create", 95), ("d3", "Call", 99),
    ("d4", "Create", 1), ("d4", "Call", 92),
    ("d5", "Create", 99),
    ("d6", "Create", 99), ("d6", "Call", 99),
]  # fmt: skip
CASES: dict[str, dict[str, Any]] = {
    "d1": {"amount_reporting": 50.0, "owner": "Ann", "close_date": date(2024, 1, 1)},
    "d2": {"amount_reporting": 7.0, "owner": "Ann"},
    "d3": {"amount_reporting": 80.0, "owner": "Bob"},
    "d4": {"amount_reporting": None, "owner": "Bob", "truncated": True, "close_date": date(2024, 4, 8)},
    "d5": {"amount_reporting": 1.0, "owner": "Bob", "region": "EMEA"},
    "d6": {"amount_reporting": 2.0, "owner": "Bob", "close_date": date(2024, 4, 9)},
}


def made(partitions: int = 1) -> EventLog:
    """As of 2024-04-09, day 100; visits to New took 2 days, the one to Offer that is over 4.5."""
    more = {"stage": "New", "reporting_currency": "EUR"}
    cases = {case: {"close_date": None, **given, **more} for case, given in CASES.items()}
    now = staged(DEALS, cases, process=CLASSED, partitions=partitions)
    stage = pl.when(pl.col("case_id") == "d1").then(pl.lit("Offer")).otherwise("stage").alias("stage")
    parts = [Partition(part.events, part.cases.with_columns(stage), part.values) for part in now.partitions]
    return replace(now, partitions=tuple(parts))


@pytest.mark.parametrize("partitions", [1, 4])
def test_classes_by_hand(partitions: int) -> None:
    found = analyses.classes(made(partitions))
    assert found.select("class", "alert", "cases", "n", "value", "valued", "currency").rows() == [
        ("stalled", True, 2, 5, 130.0, 2, "EUR"),
        ("late", True, 1, 5, 0.0, 0, "EUR"),
        ("warm", False, 1, 5, 2.0, 1, "EUR"),
        (None, None, 1, 5, 1.0, 1, "EUR"),
    ]
    assert found["share"].to_list() == [2 / 5, 1 / 5, 1 / 5, 1 / 5]
    assert found["rule"].to_list() == [*(rule["where"] for rule in RULES.values()), None]
    parts = analyses.classes(made(partitions), by="region").filter(region="EMEA")
    assert parts.select("class", "cases", "n").rows() == [
        ("stalled", 0, 1),
        ("late", 0, 1),
        ("warm", 0, 1),
        (None, 1, 1),
    ]


@pytest.mark.parametrize("partitions", [1, 4])
def test_alerts_by_hand(partitions: int) -> None:
    found = analyses.alerts(made(partitions))
    new = "5.0 days in New of Bob, at most 2.0; last 2024-04-08"
    offer = "97.0 days in Offer of Ann, at most 4.5; last 2024-01-02"
    assert found["age_days"].to_list() == [5.0, 99.0, 99.0]
    assert found.drop("age_days").rows() == [
        ("d3", "Bob", "stalled", new, day(99), 80.0, "EUR"),
        ("d1", "Ann", "stalled", offer, day(2), 50.0, "EUR"),
        ("d4", "Bob", "late", "due 2024-04-08", day(92), None, "EUR"),
    ]
    warm = analyses.alerts(made(partitions), ["warm"])
    assert warm.select("case_id", "class", "why").rows() == [("d6", "warm", "1.0 days ago")]


def test_nobody_is_named_below_a_minimum_group() -> None:
    found = analyses.alerts(replace(made(), minimum_group=2))
    assert found["owner"].null_count() == found.height == 3
    assert found["why"][1].startswith("97.0 days in Offer of none on record, at most 4.5")


def test_what_is_not_stated_or_known_is_refused() -> None:
    with pytest.raises(cm.CrmMiningError, match="process 'deal' states no classes"):
        analyses.classes(log_of(DEALS, process=DEAL))
    with pytest.raises(cm.UnknownNameError, match="class"):
        analyses.alerts(made(), ["cold"])
    odd = {"where": "x > 1", "says": "{y}"}
    for where, missing in (("x > 1", "x"), ("reopens = 0", "y")):
        process = Process.model_validate(STATED | {"classes": {"odd": odd | {"where": where}}})
        with pytest.raises(cm.UnknownNameError, match=f"'{missing}'"):
            analyses.alerts(staged(DEALS, {"d1": {"stage": "New"}}, process=process), ["odd"])
    broken = {"a": {"where": "1 >", "says": "x"}} | {
        name: {"where": "open", "says": says} for name, says in (("b", "{"), ("c", "{}"))
    }
    faults = Process.model_validate(STATED | {"classes": broken}).faults()
    assert [fault.partition(":")[0] for fault in faults] == [
        "classes.a.where",
        "classes.b.says",
        "classes.c.says",
    ]


def test_an_overlay_adds_a_class(sample: cm.Crm, sample_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "salesforce").mkdir()
    stated = ["[classes.promising]", 'where = "days_since_touch <= 60"']
    stated += ["[classes.large]", 'where = "amount > 9000"', 'says = "{amount}"']
    (tmp_path / "salesforce" / "opportunity.toml").write_text("\n".join(stated))
    log = cm.connect(sample_folder, extractors=tmp_path).event_log("opportunity")
    found = analyses.classes(log)
    assert found["class"].to_list() == ["at_risk", "slipping", "stalled", "promising", "large", None]
    before = analyses.classes(sample.event_log("opportunity"))
    assert before["cases"].sum() == found["cases"].sum() == log.facts["open"].sum()
    assert found["cases"].to_list()[:3] == before["cases"].to_list()[:3]
    rest = analyses.alerts(log, ["large"])
    assert rest["case_id"].is_in(log.facts.filter(pl.col("open"), pl.col("amount") > 9000)["case_id"]).all()


def test_a_class_that_the_source_cannot_show_has_no_figures(sample: cm.Crm) -> None:
    log = replace(sample.event_log("opportunity"), off=("milestone 'pushed': needs ...",))
    found = analyses.classes(log).select("class", "cases").rows()
    assert dict(found)["at_risk"] is None
    assert sum(cases or 0 for _, cases in found) == log.facts["open"].sum()

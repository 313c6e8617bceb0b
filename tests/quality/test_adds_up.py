"""Nothing is lost and nothing is counted twice, however dirty the CRM."""

import json
from functools import cache

import polars as pl
import pytest

import crmmining as cm
from crmmining.simulator import QUIRKS

from .conftest import simulated

SEEDS = (3, 11)
DISPOSITIONS = ["used", "quarantined", "filtered"]


@cache
def filthy(seed: int, accounts: int = 60) -> tuple[cm.Crm, dict[str, int]]:
    """A CRM with all quirks, and the rows of its files by the truth."""
    folder = simulated(*QUIRKS, accounts=accounts, seed=seed)
    rows = json.loads((folder / "truth.json").read_text(encoding="utf-8"))["rows"]
    return cm.connect(folder), rows


@pytest.mark.parametrize(
    ("seed", "accounts", "as_of"),
    [(3, 60, None), (11, 60, "2024-08-01"), (5, 25, None), (5, 25, "2024-08-01"), (7, 200, "2024-08-01")],
)
def test_rows_in_are_used_quarantined_or_filtered_for_a_rule(
    seed: int, accounts: int, as_of: str | None
) -> None:
    crm, rows = filthy(seed, accounts)
    quality = crm.quality(as_of=as_of)
    moved = quality.filter(pl.col("disposition").is_in(DISPOSITIONS))
    delivered = moved.filter(pl.col("scope") == "table").group_by("table").agg(pl.col("rows").sum())
    assert dict(delivered.rows()) == {name: rows[name] for name in delivered["table"]}
    loaded = dict(
        moved.filter(pl.col("scope") == "table", pl.col("disposition") == "used")
        .select("table", "rows")
        .rows()
    )
    for name in crm.processes:
        mine = moved.filter(pl.col("scope") == "log", pl.col("table").str.starts_with(f"{name}: "))
        per_table = mine.group_by(pl.col("table").str.strip_prefix(f"{name}: ")).agg(pl.col("rows").sum())
        assert dict(per_table.rows()) == {table: loaded[table] for table in per_table["table"]}
        assert per_table.height > 5
        log = crm.event_log(name, as_of=as_of)
        told = moved.filter(pl.col("table") == f"{name} events", pl.col("disposition") == "used")["rows"]
        assert told.sum() == log.events.height
    assert quality.filter(pl.col("reason").str.contains("NO RULE")).is_empty()


def test_whatever_is_not_used_says_what_it_means_and_what_was_done() -> None:
    crm, _ = filthy(SEEDS[0])
    quality = crm.quality()
    assert quality.columns == [
        *("scope", "table", "disposition", "reason"),
        *("rows", "examples", "effect", "done"),
    ]
    used = pl.col("disposition") == "used"
    assert quality.filter(used, pl.col("effect").is_not_null() | pl.col("done").is_not_null()).is_empty()
    assert quality.filter(~used, pl.col("effect").is_null() | pl.col("done").is_null()).is_empty()
    counted = quality.filter(pl.col("disposition") == "finding", pl.col("rows").is_not_null())
    assert counted.height > 60
    assert counted["rows"].min() == 1
    assert counted["examples"].list.len().max() == 3
    assert counted.filter(pl.col("examples") != pl.col("examples").list.sort()).is_empty()


def test_findings_stand_after_the_rows_process_by_process() -> None:
    crm, _ = filthy(SEEDS[0])
    quality = crm.quality()
    log = quality.filter(pl.col("scope") == "log")
    is_finding = log["disposition"] == "finding"
    assert is_finding.to_list() == sorted(is_finding.to_list())
    processes = log.filter(is_finding)["table"].str.split(": ").list.first()
    assert processes.rle().struct.field("value").to_list() == ["account", "case", "lead", "opportunity"]


def test_only_what_the_processes_asked_for_read_is_noticed() -> None:
    crm, _ = filthy(SEEDS[0])
    findings = crm.quality("case").filter(pl.col("disposition") == "finding", pl.col("scope") == "log")
    assert set(findings["table"].str.split(": ").list.first()) == {"case"}


def test_the_account_is_the_same_whichever_process_was_built_before() -> None:
    crm, _ = filthy(SEEDS[1])
    first = crm.quality("lead")
    other = cm.connect(simulated(*QUIRKS, accounts=60, seed=SEEDS[1]))
    other.event_log("opportunity", as_of="2024-03-01")
    other.quality("account", as_of="2024-03-01")
    assert other.quality("lead").equals(first)

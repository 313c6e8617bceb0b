"""Whose turn it was, in cases that a reader can follow on a clock; hours in and off the calendar in force."""

from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest

import crmmining as cm
from crmmining import analyses
from crmmining.definitions.kpi import KPI
from crmmining.definitions.waiting import RESPONSIBILITIES
from crmmining.measure import Cut, measure
from crmmining.tables import OrgSpec

from ..conftest import log_of  # noqa: TID252 - of the folder above
from .conftest import SERVICE, WORKING, desk

WAITS = {  # hours in and off
    "reopened": {
        "closed_before_reopening": (3, 52),  # Friday 5 to Sunday 12; Ken is there on Friday until 8
        "in_queue": (2, 0),
        "untouched": (2, 12),  # Thursday 12 to Friday 2; Tokyo opens on Friday at 0
        "touched": (3 + 3, 12),  # Friday 2 to 5; Sunday 12 to Monday 3
    },
    "paused": {
        "resolved": (1, 0),
        "on_hold": (2, 0),
        "with_customer": (6 + 2, 16),  # Monday 10 to Tuesday 10
        "untouched": (1 + 2, 0),
    },
    "handed": {"untouched": (1 + 2, 0), "touched": (1, 2)},  # Ken goes home at 8, Eva begins then
    "cut off": {"untouched": (4, 8), "unknown": (8 + 8, 32)},
    "dark": {"unknown": (4, 8)},
    "own hours": {"untouched": (3, 0)},  # nobody has a rule for Zoe: the case's own hours
}


def hours(span: timedelta | None) -> float | None:
    return None if span is None else span / timedelta(hours=1)


def told(log: cm.EventLog) -> dict[str, dict[str, tuple[float | None, float | None]]]:
    found: dict[str, dict[str, tuple[float | None, float | None]]] = {}
    for case, turn, in_hours, off_hours, _ in analyses.waits(log).rows():
        found.setdefault(case, {})[turn] = hours(in_hours), hours(off_hours)
    return found


def test_every_case_waits_for_everybody_in_turn(service_log: cm.EventLog) -> None:
    lifeless = {"backwards": {None: (None, None)}}  # ended before it was created: no life, and told so
    assert told(service_log) == WAITS | lifeless


def test_the_cells_of_a_case_add_up_to_its_life(service_log: cm.EventLog) -> None:
    rows = analyses.waits(service_log)
    assert rows.filter(pl.col("elapsed") != pl.col("in_hours") + pl.col("off_hours")).is_empty()
    lives = rows.group_by("case_id").agg(pl.col("elapsed").sum())
    assert {case: hours(life) for case, life in lives.rows() if life} == {
        "reopened": 89, "paused": 30, "handed": 6, "cut off": 60, "dark": 12, "own hours": 3,
    }  # fmt: skip


def test_without_calendars_nobody_knows_the_hours(service_log: cm.EventLog) -> None:
    rows = analyses.waits(desk(hours=None))
    assert rows["in_hours"].null_count() == rows["off_hours"].null_count() == rows.height
    assert rows["elapsed"].equals(analyses.waits(service_log)["elapsed"])
    table = analyses.waiting(desk(hours=None))
    assert table["in_hours"].null_count() == table["off_hours"].null_count() == table.height


def test_the_table_adds_up_the_cases(service_log: cm.EventLog) -> None:
    table = analyses.waiting(service_log)
    assert [(*row[:2], *map(hours, row[2:5]), row[5], hours(row[6])) for row in table.rows()] == [
        ("closed_before_reopening", 1, 3, 52, 55, 55 / 200, 55),
        ("resolved", 1, 1, 0, 1, 1 / 200, 1),
        ("on_hold", 1, 2, 0, 2, 2 / 200, 2),
        ("with_customer", 1, 8, 16, 24, 24 / 200, 24),
        ("in_queue", 1, 2, 0, 2, 2 / 200, 2),
        ("untouched", 5, 15, 20, 35, 35 / 200, 3),  # 3, 3, 3, 12, 14
        ("touched", 2, 7, 14, 21, 21 / 200, 10.5),
        ("unknown", 2, 20, 40, 60, 60 / 200, 30),
        (None, 1, None, None, 0, 0, None),
    ]


def test_per_counts_as_it_was_and_by_as_it_is(service_log: cm.EventLog) -> None:
    table = analyses.waiting(service_log, by=["region"], per="owner").filter(region="APAC")
    assert [(row[1], row[2], hours(row[6]), row[7]) for row in table.rows()] == [
        ("Berlin queue", "in_queue", 2, 2 / 89),
        ("Ken", "closed_before_reopening", 55, 55 / 89),
        ("Ken", "untouched", 14, 14 / 89),
        ("Ken", "touched", 18, 18 / 89),
    ]
    handed = analyses.waiting(service_log, per="owner").filter(owner="Eva", responsibility="touched")
    assert handed.is_empty()  # it was Ken who called


def test_people_stand_for_enough_cases(service_log: cm.EventLog) -> None:
    few = analyses.waiting(replace(service_log, minimum_group=3), per="owner")
    eva = few.filter(owner="Eva", responsibility="untouched")
    assert few.filter(owner="Ken")["elapsed"].null_count() == 3
    assert eva["cases"].to_list() == [3]  # paused, handed, cut off
    assert few.columns == analyses.waiting(service_log, per="owner").columns


def test_what_is_withheld_does_not_follow_from_the_shares() -> None:
    owners = {"a": "Ann", "b": "Ann", "c": "Ann", "d": "Bob", "e": "Bob"}
    log = log_of(
        [(case, "Create", 1) for case in owners],
        {case: WORKING | {"owner": owner} for case, owner in owners.items()},
        process=SERVICE,
        changes=[("a", "status", 1, "Working"), ("a", "status", 2, "On Hold")],
        as_of=3,
    )
    log = replace(log, tracked=log.tracked | {"queue"})

    def cases(minimum: int, **asked: object) -> list[tuple[object, ...]]:
        found = analyses.waiting(replace(log, minimum_group=minimum), **asked)  # type: ignore[arg-type]
        shown = found["share"].is_not_null()
        assert shown.equals(found["cases"].is_not_null(), check_names=False)
        return found.sort("owner", "responsibility").select("owner", "responsibility", "cases").rows()

    for asked in ({"by": ["owner"]}, {"per": "owner"}):
        assert cases(1, **asked) == [("Ann", "on_hold", 1), ("Ann", "untouched", 3), ("Bob", "untouched", 2)]
    # Ann's one case on hold: 1 less the share of her others
    assert cases(2, by=["owner"])[:2] == [("Ann", "on_hold", None), ("Ann", "untouched", None)]
    assert cases(2, by=["owner"])[2] == ("Bob", "untouched", 2)
    # here all shares are 1 together: one more goes, the smallest
    assert cases(2, per="owner") == [
        ("Ann", "on_hold", None),
        ("Ann", "untouched", 3),
        ("Bob", "untouched", None),
    ]


def test_what_was_never_tracked_is_unknown(service_log: cm.EventLog) -> None:
    no_status = replace(service_log, tracked=service_log.tracked - {"status"})
    assert set(told(no_status)["paused"]) == {"unknown"}
    assert set(told(no_status)["reopened"]) == {"closed_before_reopening", "unknown"}
    no_owner = replace(service_log, tracked=service_log.tracked - {"queue"})
    assert set(told(no_owner)["paused"]) == {"resolved", "on_hold", "with_customer", "unknown"}
    assert set(told(no_owner)["handed"]) == {"unknown"}


def kpi(*classes: str, **more: object) -> pl.DataFrame:
    stated = {"name": "wait", "process": "service", "question": "", "formula": "", "kind": "waiting"}
    words = {"unit": "s", "better": "lower", "classes": classes, "period": "outcome", **more}
    found = measure(desk(), KPI.validate_python({**stated, **words}), Cut(OrgSpec()))
    assert found.height == len(desk().clocks)
    return found.filter(clock="calendar")


def test_a_kpi_counts_ended_cases_and_waits_for_open_ones() -> None:
    row = kpi("with_customer", "on_hold").row(0, named=True)
    # ended: reopened, paused, own hours, at once; cut off and dark are not covered, backwards has no life
    assert (row["n"], row["open"], row["excluded"], row["truncated"]) == (4, 1, 3, 2)
    assert (row["median"], row["mean"]) == (0, 26 * 3600 / 4)
    assert row["p90"] == pytest.approx(0.7 * 26 * 3600)
    assert row["share"] == 26 / (89 + 30 + 3 + 0)


def test_truncated_cases_count_as_far_as_they_are_known() -> None:
    row = kpi("untouched", truncated="bound").row(0, named=True)
    assert (row["n"], row["open"], row["excluded"], row["truncated"]) == (6, 1, 1, 2)
    assert row["mean"] == (14 + 3 + 12 + 0 + 3 + 0) * 3600 / 6
    assert row["share"] == 32 / (89 + 30 + 60 + 12 + 3)


def test_a_population_of_nobody_has_no_figures() -> None:
    row = kpi("untouched", of="region = 'LATAM'").row(0, named=True)
    assert (row["n"], row["open"], row["excluded"]) == (0, 0, 8)
    assert (row["median"], row["share"]) == (None, None)


def test_what_waiting_is_must_be_said(service_log: cm.EventLog) -> None:
    silent = replace(service_log, process=SERVICE.model_copy(update={"waiting": None}))
    for ask in (analyses.waits, analyses.waiting):
        with pytest.raises(cm.CrmMiningError, match=r"'service' does not say .* no table \[waiting\]"):
            ask(silent)
    with pytest.raises(cm.UnknownNameError, match=r"unknown segment 'regoin'.*'region'"):
        analyses.waiting(service_log, by=["regoin"])
    with pytest.raises(cm.UnknownNameError, match="unknown segment 'team'"):
        analyses.waiting(service_log, per="team")
    for per in ("owner", "owner@closed"):
        with pytest.raises(cm.CrmMiningError, match=f"per is '{per}', but must be a bare segment word"):
            analyses.waiting(service_log, by=["owner"], per=per)


def test_a_definition_tells_all_its_faults() -> None:
    stated = SERVICE.model_dump(mode="json")
    stated["waiting"] |= {"queue": "desk", "touches": ["called"], "on_hold": ["Parked", "RESOLVED "]}
    assert SERVICE.model_validate(stated).faults() == [
        "waiting.queue: segment 'desk' is not declared under [segments]",
        "waiting.touches: milestone 'called' is not declared under [milestones]",
        "waiting: the status 'resolved' is stated more than once",
    ]


def test_the_order_is_that_of_the_rules() -> None:
    assert RESPONSIBILITIES == (
        "closed_before_reopening", "resolved", "on_hold", "with_customer", "in_queue", "untouched", "touched",
        "unknown",
    )  # fmt: skip

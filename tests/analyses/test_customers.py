"""Quick and slow customers: waits by hand, who counts, and what is no account."""

from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest
from tests.conftest import DEAL, log_of

import crmmining as cm
from crmmining import analyses
from crmmining.calendars import Calendar, Calendars, Week
from crmmining.definitions.waiting import Waiting

PARKED = DEAL.model_copy(
    update={
        "waiting": Waiting(
            attribute="status", with_customer=("Waiting",), on_hold=("Held",), touches=("touched",)
        ),
        "segments": {**DEAL.segments, "status": "status"},
    }
)
COLUMNS = ("account_id", "cases", "open", "excluded", "their_wait", "our_wait", "share")


def parked(
    lives: dict[str, tuple[str | None, float, float, float | None]], partitions: int = 1
) -> cm.EventLog:
    """A log of cases, each of an account: parked with the customer from a day to another, won on a day."""
    events, changes, cases = [], [], {}
    for case, (account, since, until, won) in lives.items():
        cases[case] = {"account_id": account, "status": "Open"}
        events.append((case, "Create", 1.0))
        events += [(case, "Win", won)] if won else []
        changes += [
            (case, "status", 1.0, "Open"),
            (case, "status", since, "Waiting"),
            (case, "status", until, "Open"),
        ]
    return log_of(events, cases, process=PARKED, as_of=31, changes=changes, partitions=partitions)


LIVES: dict[str, tuple[str | None, float, float, float | None]] = {
    "1": ("a", 2, 4, 5),  # two days of four
    "2": ("a", 2, 3, 11),  # one of ten
    "3": ("b", 1, 11, 11),  # all of ten
    "4": ("b", 2, 3, None),
    "5": (None, 2, 3, 5),
}


def test_by_hand() -> None:
    found = analyses.customers(parked(LIVES))
    day = timedelta(days=1)
    assert found.select(COLUMNS).rows() == [
        ("a", 2, 0, 0, 3 * day, 11 * day, pytest.approx(0.3)),
        ("b", 1, 1, 0, 10 * day, 0 * day, 1.0),
        (None, 1, 0, 0, 1 * day, 3 * day, None),
    ]
    for name in ("shrunk", "low", "high", "overall", "distinct", "rank"):
        assert found[name].null_count() == 3  # two accounts tell nothing of how accounts differ


def test_what_is_on_neither_side() -> None:
    changes = [("1", "status", 1, "Open"), ("1", "status", 2, "Held"), ("2", "status", 1, "Held")]
    log = log_of(
        [
            ("1", "Create", 1),
            ("1", "Win", 4),
            ("2", "Create", 1),
            ("2", "Win", 3),
            ("3", "Create", 1),
            ("3", "Win", 1),
        ],
        {case: {"account_id": "a", "status": "Held"} for case in "123"},
        process=PARKED,
        changes=changes,
    )
    found = analyses.customers(log)
    assert found.select(COLUMNS[:4]).rows() == [("a", 1, 0, 2)]
    assert found["our_wait"].item() == timedelta(days=1)


def test_what_is_not_known_does_not_count() -> None:
    log = parked({"1": ("a", 2, 4, 5)})
    cut = log_of(
        [("1", "Create", 1), ("1", "Win", 5)],
        {"1": {"account_id": "a", "status": "Open", "truncated": True}},
        process=PARKED,
        changes=[("1", "status", 1, "Open"), ("1", "status", 2, "Waiting")],
    )
    assert analyses.customers(log)["cases"].item() == 1
    assert analyses.customers(cut).select("cases", "excluded").row(0) == (0, 1)


def test_slow_and_quick_ones_among_many() -> None:
    lives: dict[str, tuple[str | None, float, float, float | None]] = {}
    for account in range(20):
        for case in range(6):
            theirs = 8 if account == 7 else (0.5 if account == 3 else 3.0) + case % 3
            lives[f"{account:02}-{case}"] = (f"{account:02}", 2, 2 + theirs, 12)
    found = analyses.customers(parked(lives))
    assert found.filter("distinct")["account_id"].to_list() == ["07", "03"]
    assert found["rank"].to_list() == [1, *[2] * 18, 20]
    assert found["account_id"].to_list()[1:3] == ["00", "01"]
    cut = analyses.customers(parked(lives, partitions=3))
    assert cut.equals(found)


def test_few_accounts_with_hardly_more_than_one_case_each_say_nothing() -> None:
    lives: dict[str, tuple[str | None, float, float, float | None]] = {
        "0": ("a", 2, 2, 12),
        "1": ("a", 2, 2, 12),  # never parked, both of them
        **{name: (name, 2, 3 + place, 12) for place, name in enumerate("bcdef")},
    }
    found = analyses.customers(parked(lives))
    assert found.select("account_id", "cases").rows()[:2] == [("a", 2), ("b", 1)]
    assert found["share"].to_list()[:2] == [0, pytest.approx(1 / 11)]
    assert found["distinct"].null_count() == found["rank"].null_count() == 6


def test_business_time() -> None:
    log = parked({"1": ("a", 2, 4, 5)})  # Monday to Friday, parked on Tuesday and Wednesday
    with pytest.raises(cm.CrmMiningError, match="there is no business time"):
        analyses.customers(log, clock="business")
    office = Calendar("Office", "UTC", (Week(None, tuple((d, 540, 1020) for d in (0, 1))),))
    found = analyses.customers(replace(log, calendars=Calendars((office,), default=0)), clock="business")
    hours = timedelta(hours=8)
    assert found.select("their_wait", "our_wait", "share").row(0) == (hours, hours, 0.5)


def test_errors(sample: cm.Crm) -> None:
    mute = DEAL.model_copy(update={"waiting": None})
    with pytest.raises(cm.CrmMiningError, match="does not say what waiting is"):
        analyses.customers(log_of([("1", "Create", 1)], {"1": {"account_id": "a"}}, process=mute))
    with pytest.raises(cm.CrmMiningError, match="have no account"):
        analyses.customers(log_of([("1", "Create", 1)], process=PARKED))
    with pytest.raises(cm.CrmMiningError, match=r"'deal' does not say when .* values of 'region' .* overlay"):
        analyses.customers(log_of([("1", "Create", 1)], {"1": {"account_id": "a"}}))
    log = sample.event_log("case")
    with pytest.raises(cm.UnknownNameError, match="unknown clock 'biz'"):
        analyses.customers(log, clock="biz")  # type: ignore[arg-type]
    assert analyses.customers(log).select(pl.sum_horizontal("cases", "open", "excluded").sum()).item() == 416

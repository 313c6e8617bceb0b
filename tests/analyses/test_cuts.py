"""However a log is cut, and wherever it is asked, every analysis answers alike."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import polars as pl
import pytest

import crmmining as cm
from crmmining import analyses
from crmmining.analyses import weeks
from crmmining.eventlog.partition import split

A = TypeVar("A")
B = TypeVar("B")
ANSWERS: dict[str, Callable[[cm.EventLog], pl.DataFrame]] = {
    "curves": lambda log: analyses.curves(log, by=["region"], cluster="account"),
    "customers": analyses.customers,
    "funnel": lambda log: analyses.funnel(
        log, ["created", "touched", "closed"], by=["region"], period="year"
    ),
    "narrow_and_broad": lambda log: analyses.narrow_and_broad(log, by=["region"], period="quarter"),
    "outcomes": lambda log: analyses.outcomes(log, "touched", by=["region"], cluster="owner"),
    "role_models": lambda log: analyses.role_models(log, fixed=["product", "account"]),
    "weeks": lambda log: weeks.tally(log, "Europe/Berlin"),
    "workload": lambda log: analyses.workload(log, by=["queue", "team"]),
    "workload, none": lambda log: analyses.workload(log, by=[]),
}


class Elsewhere:
    """An engine that pickles what goes there and comes back."""

    elsewhere = True

    def map(self, ask: Callable[[A], B], items: Sequence[A]) -> Iterator[B]:
        asked = pickle.dumps(ask)
        for item in items:
            yield pickle.loads(asked)(pickle.loads(pickle.dumps(item)))  # noqa: S301  our own


@pytest.mark.parametrize("name", ANSWERS)
def test_cuts_change_no_bit(sample: cm.Crm, name: str) -> None:
    log = sample.event_log("case")
    expected = ANSWERS[name](log)
    assert expected.height > 4
    cut = replace(log, partitions=tuple(split(log.only, 600)), engine=Elsewhere())
    assert len(cut.partitions) > 5
    assert ANSWERS[name](cut).equals(expected)


@pytest.mark.parametrize("name", sorted(set(ANSWERS) - {"weeks"}))
def test_a_log_without_a_case(sample: cm.Crm, name: str) -> None:
    log = sample.event_log("case").filter(where="case_id = 'none'")
    found = ANSWERS[name](log)
    assert found.height == (1 if name == "role_models" else 0)
    assert found.schema == ANSWERS[name](sample.event_log("case")).schema


def test_a_zone_and_a_month_that_do_not_exist_are_refused(sample: cm.Crm) -> None:
    log = sample.event_log("case")
    with pytest.raises(
        cm.CrmMiningError, match=r"^time_zone is 'Mars', but must be the name of an IANA time"
    ):
        analyses.sla(log, period="month", time_zone="Mars")
    with pytest.raises(
        cm.CrmMiningError, match=r"^fiscal_year_start is 13, but must be the number of a month"
    ):
        analyses.backlog(log, period="year", fiscal_year_start=13)


def test_a_word_said_twice_counts_once(sample: cm.Crm) -> None:
    log = sample.event_log("case")
    asked: list[Callable[[Sequence[str]], pl.DataFrame]] = [
        lambda by: analyses.sla(log, by=by),
        lambda by: analyses.backlog(log, by=by, period="year"),
        lambda by: analyses.ageing(log, by=by),
        lambda by: analyses.first_time_right(log, by=by),
        lambda by: analyses.waiting(log, by),
        lambda by: analyses.workload(log, by=by),
    ]
    for ask in asked:
        assert ask(["region", "region"]).equals(ask(["region"]))


def test_the_room_has_a_public_name() -> None:
    assert cm.analyses is analyses
    assert "analyses" in dir(cm)

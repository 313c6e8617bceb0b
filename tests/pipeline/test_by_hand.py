"""The pipeline, answered by hand, and by plain Python where everything happens at once."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmmining import CrmMiningError, EventLog, analyses
from crmmining.definitions import Process
from crmmining.errors import UnknownNameError

from .naive import Cases

MakeLog = Callable[..., EventLog]
WORDS = ("region", "stage", "currency")
WINDOW = (date(2024, 1, 1), date(2024, 3, 31))
EUR = {"reporting_currency": "USD", "currency": "EUR", "close_date": date(2024, 3, 31), "stage": "Offer"}


def day(number: float) -> datetime:
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number - 1)


@pytest.fixture
def process(deal: Process) -> Process:
    return deal.model_copy(update={"segments": {word: word for word in WORDS}})


@pytest.fixture
def one(make_log: MakeLog, process: Process) -> EventLog:
    """A deal of 100 EUR, and what becomes of it day by day."""
    told = [
        *((1, "amount", "100"), (1, "amount_reporting", "110"), (1, "close_date", "2024-03-31")),
        *((2, "amount", "150"), (2, "amount_reporting", "165")),
        *((3, "close_date", "2024-04-15"), (3, "amount_reporting", "180")),
        *((4, "amount", "120"), (4, "close_date", "2024-03-20"), (4, "amount_reporting", "132")),
        *((1, "region", "emea"), (5, "region", "apac")),
        *((6, "amount", "130"), (6, "close_date", "2024-01-06"), (6, "amount_reporting", "143")),
    ]
    events = [("a", "Create", 1), ("a", "Win", 6), ("a", "Reopen", 7), ("a", "Lose", 8), ("b", "Create", 9)]
    changes = [("a", attribute, when, value) for when, attribute, value in told]
    cases = {
        "a": {**EUR, "amount": 130.0, "amount_reporting": 143.0, "region": "apac"},
        "b": {**EUR, "amount": None, "amount_reporting": None, "close_date": None},
    }
    return make_log(events, cases, process=process, as_of=10, changes=changes)


def steps(log: EventLog, start: float, end: float, **asked: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401
    found = analyses.waterfall(log, day(start), day(end), **asked).filter(pl.col("n") > 0)
    return found.drop("unit", "nulls", "unconverted").rows()


def test_every_day_of_one_deal(one: EventLog) -> None:
    assert steps(one, 1, 2, currency="record") == [
        ("begin", 1, 100_00),
        ("increased", 1, 50_00),
        ("end", 1, 150_00),
    ]
    assert steps(one, 1, 2) == [("begin", 1, 110_00), ("increased", 1, 55_00), ("end", 1, 165_00)]
    # a moved close date has another rate, which is currency, and the amount falls at the rate there was
    assert steps(one, 2, 3) == [("begin", 1, 165_00), ("currency", 1, 15_00), ("end", 1, 180_00)]
    assert steps(one, 2, 3, currency="record") == [("begin", 1, 150_00), ("end", 1, 150_00)]
    assert steps(one, 3, 4) == [
        ("begin", 1, 180_00),
        ("decreased", 1, -36_00),
        ("currency", 1, -12_00),
        ("end", 1, 132_00),
    ]
    # what the closing save changes belongs to the win
    assert steps(one, 5, 6) == [("begin", 1, 132_00), ("won", 1, -132_00)]
    assert steps(one, 6, 9) == [
        ("created", 1, 0),
        ("reopened", 1, 143_00),
        ("lost", 1, -143_00),
        ("end", 1, 0),
    ]


def test_push_and_pull_cross_the_window(one: EventLog) -> None:
    assert steps(one, 2, 3, window=WINDOW) == [("begin", 1, 165_00), ("pushed_out", 1, -165_00)]
    assert steps(one, 3, 4, window=WINDOW) == [("pulled_in", 1, 132_00), ("end", 1, 132_00)]
    april = (date(2024, 4, 1), date(2024, 4, 30))
    assert steps(one, 1, 5, window=april) == [("pulled_in", 1, 180_00), ("pushed_out", 1, -180_00)]
    assert steps(one, 8, 10, window=WINDOW) == []  # without a close date in no window


def test_a_change_of_segment_leaves_one_cell_and_enters_another(one: EventLog) -> None:
    assert steps(one, 4, 5, by=["region"]) == [
        ("apac", "transferred_in", 1, 132_00),
        ("apac", "end", 1, 132_00),
        ("emea", "begin", 1, 132_00),
        ("emea", "transferred_out", 1, -132_00),
    ]
    assert steps(one, 4, 5, by=["region@now"]) == [("apac", "begin", 1, 132_00), ("apac", "end", 1, 132_00)]


def test_a_null_amount_is_0_and_counted(one: EventLog) -> None:
    found = analyses.pipeline(one, by=["region"])
    assert found.rows() == [(day(10), None, "USD", 1, 0, 1, 0)]
    created = analyses.waterfall(one, day(8), day(9)).filter(step="created")
    assert created.select("n", "amount", "nulls").rows() == [(1, 0, 1)]


def test_a_missing_rate_is_counted_and_what_a_rate_brings_is_currency(
    make_log: MakeLog, process: Process
) -> None:
    changes = [("a", "amount_reporting", 1, None), ("a", "amount_reporting", 3, "110")]
    changes += [("a", "close_date", 1, "2031-01-01"), ("a", "close_date", 3, "2024-03-31")]
    cases = {"a": {**EUR, "amount": 100.0, "amount_reporting": 110.0}}
    log = make_log([("a", "Create", 1)], cases, process=process, as_of=5, changes=changes)
    both = analyses.pipeline(log, at=[day(2), day(4)])
    assert both.select("cases", "amount", "nulls", "unconverted").rows() == [(1, 0, 0, 1), (1, 110_00, 0, 0)]
    assert steps(log, 2, 4) == [("begin", 1, 0), ("currency", 1, 110_00), ("end", 1, 110_00)]


def test_another_currency_of_the_record_is_currency(make_log: MakeLog, process: Process) -> None:
    changes = [("a", "currency", 1, "EUR"), ("a", "currency", 3, "JPY")]
    changes += [("a", "amount", 1, "100"), ("a", "amount", 3, "20000")]
    changes += [("a", "amount_reporting", 1, "110"), ("a", "amount_reporting", 3, "140")]
    cases = {"a": {**EUR, "amount": 20000.0, "amount_reporting": 140.0, "currency": "JPY"}}
    log = make_log([("a", "Create", 1)], cases, process=process, as_of=5, changes=changes)
    assert steps(log, 2, 4) == [("begin", 1, 110_00), ("currency", 1, 30_00), ("end", 1, 140_00)]
    found = analyses.waterfall(log, day(2), day(4), currency="record").filter(pl.col("n") > 0)
    assert found.select("unit", "step", "amount").rows() == [
        ("EUR", "begin", 100_00),
        ("EUR", "currency", -100_00),
        ("JPY", "currency", 20_000),
        ("JPY", "end", 20_000),
    ]


def test_a_deal_created_won_is_both_and_one_closed_before_its_creation_is_none(
    make_log: MakeLog, process: Process
) -> None:
    cases = {case: {**EUR, "amount": 7.0, "amount_reporting": 8.0} for case in "abc"}
    events = [("a", "Create", 2), ("a", "Win", 2), ("b", "Win", 2), ("b", "Create", 3), ("c", "Create", 1)]
    log = make_log(events, cases, process=process, as_of=5)
    assert steps(log, 1, 4) == [("begin", 1, 800), ("created", 1, 800), ("won", 1, -800), ("end", 1, 800)]


def test_flows_say_where_each_went(one: EventLog) -> None:
    found = analyses.flows(one, day(5), day(9), by=["region"])
    assert found.rows() == [
        ("apac", "USD", "open", "Offer", "lost", None, 1, 132_00, 143_00, 0, 0),
        (None, "USD", "not created", None, "open", "Offer", 1, 0, 0, 1, 0),
    ]


def test_what_is_not_known_is_refused(one: EventLog, make_log: MakeLog, process: Process) -> None:
    with pytest.raises(CrmMiningError, match=r"is after the log's moment, 2024-01-10T00:00:00Z"):
        analyses.pipeline(one, at=day(11))
    with pytest.raises(CrmMiningError, match="is before the first case of process 'deal' was created"):
        analyses.waterfall(one, "2023-12-31", day(2))
    with pytest.raises(CrmMiningError, match=r"start \(2024-01-05\) is after end \(2024-01-02\)"):
        analyses.flows(one, "2024-01-05", "2024-01-02")
    with pytest.raises(CrmMiningError, match="must not end before it begins"):
        analyses.pipeline(one, window=(date(2024, 2, 1), date(2024, 1, 1)))
    with pytest.raises(UnknownNameError, match="regio"):
        analyses.pipeline_series(one, by=["regio"])
    with pytest.raises(UnknownNameError, match="dollars"):
        analyses.pipeline(one, currency="dollars")  # type: ignore[arg-type]
    bare = make_log([("a", "Create", 1)], process=process)
    with pytest.raises(CrmMiningError, match="has no pipeline: its cases lack amount, amount_reporting"):
        analyses.pipeline(bare)
    many = {f"{n}": {**EUR, "amount": 9e16, "amount_reporting": 9e16} for n in range(2)}
    log = make_log([(case, "Create", 1) for case in many], many, process=process, as_of=2)
    with pytest.raises(CrmMiningError, match="amounts add up to more than"):
        analyses.pipeline(log)


DAYS = st.integers(1, 5)
MONEY = st.sampled_from([None, "0", "10.5", "33.33", "100", "-4"])
CHANGE = st.one_of(
    st.tuples(st.sampled_from("ab"), st.just("amount"), DAYS, MONEY),
    st.tuples(st.sampled_from("ab"), st.just("amount_reporting"), DAYS, MONEY),
    st.tuples(
        st.sampled_from("ab"),
        st.just("close_date"),
        DAYS,
        st.sampled_from([None, "2024-03-01", "2024-05-01"]),
    ),
    st.tuples(st.sampled_from("ab"), st.just("currency"), DAYS, st.sampled_from(["EUR", "JPY", "KWD"])),
    st.tuples(st.sampled_from("ab"), st.just("stage"), DAYS, st.sampled_from([None, "Offer", "Talk"])),
)
EVENT = st.tuples(st.sampled_from("ab"), st.sampled_from(["Win", "Lose", "Reopen"]), st.integers(2, 4))


@given(
    events=st.lists(EVENT, max_size=10),
    changes=st.lists(CHANGE, min_size=6, max_size=30),
    between=st.tuples(DAYS, DAYS),
    record=st.booleans(),
    window=st.sampled_from([None, WINDOW]),
    by=st.sampled_from([(), ("stage",)]),
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_plain_python_says_the_same_of_days_full_of_changes(  # noqa: PLR0917
    make_log: MakeLog,
    process: Process,
    events: list[Any],
    changes: list[Any],
    between: tuple[int, int],
    record: bool,  # noqa: FBT001
    window: Any,  # noqa: ANN401
    by: tuple[str, ...],
) -> None:
    start, end = (day(number) for number in sorted(between))
    told = sorted(changes, key=lambda change: change[2])
    cases = {case: {**EUR, "amount": 5.0, "amount_reporting": 6.0} for case in "ab"}
    born = [("a", "Create", 1), ("b", "Create", 2), ("b", "Call", 1)]
    log = make_log([*born, *events], cases, process=process, as_of=6, changes=told)
    known = Cases(log, by, record=record, window=window)
    currency = "record" if record else "reporting"
    cells = [*by, "unit"]
    found = analyses.waterfall(log, start, end, by=by, currency=currency, window=window)  # type: ignore[arg-type]
    moved = found.filter(~pl.col("step").is_in(["begin", "end"]), pl.col("amount") != 0)
    shown = {
        (row[: len(cells)], row[-1]): row[-2] for row in moved.select(*cells, "amount", "step").iter_rows()
    }
    assert shown == known.waterfall(start, end)
    for step, at in (("begin", start), ("end", end)):
        stood = found.filter(pl.col("step") == step, pl.col("n") > 0)
        rows = stood.select(*cells, "n", "amount", "nulls", "unconverted").iter_rows()
        assert {row[: len(cells)]: row[len(cells) :] for row in rows} == known.pipeline(at)


def test_what_was_due_is_won_lost_slipped_or_still_due(make_log: MakeLog, process: Process) -> None:
    due = {**EUR, "amount": 10.0, "amount_reporting": 11.0, "close_date": date(2024, 1, 20)}
    later = {**due, "close_date": date(2024, 2, 1)}
    cases = {**dict.fromkeys("abcdefg", due), "c": later, "e": later, "g": {**due, "close_date": None}}
    changes: list[tuple[str, str, float, str | None]] = [("c", "close_date", 1, "2024-01-31")]
    changes += [("c", "close_date", 12, "2024-02-01")]
    changes += [("g", "close_date", 1, "2024-01-31"), ("g", "close_date", 12, None)]
    events = [(case, "Create", 1) for case in "abcdeg"] + [("f", "Create", 11)]
    events += [("a", "Win", 31), ("b", "Lose", 12), ("d", "Win", 32)]  # the second on February 1
    log = make_log(events, cases, process=process, as_of=60, changes=changes)
    found = analyses.slippage(log, date(2024, 1, 10), date(2024, 1, 31))
    assert found.rows() == [
        ("USD", "lost", 1, 11_00, 0, 0, 0.2),
        ("USD", "slipped", 1, 11_00, 0, 0, 0.2),
        ("USD", "still due", 1, 11_00, 0, 0, 0.2),
        ("USD", "undated", 1, 11_00, 0, 0, 0.2),
        ("USD", "won", 1, 11_00, 0, 0, 0.2),
    ]


def test_a_cent_that_rounding_makes_is_no_change_of_rate(make_log: MakeLog, process: Process) -> None:
    changes = [("a", "amount", 1, "10"), ("a", "amount", 3, "20")]
    changes += [("a", "amount_reporting", 1, "11.01"), ("a", "amount_reporting", 3, "22.01")]
    cases = {"a": {**EUR, "amount": 20.0, "amount_reporting": 22.01}}
    log = make_log([("a", "Create", 1)], cases, process=process, as_of=5, changes=changes)
    assert steps(log, 2, 4) == [("begin", 1, 11_01), ("increased", 1, 11_00), ("end", 1, 22_01)]


def test_lost_reopened_and_won_in_one_instant_is_all_three(make_log: MakeLog, process: Process) -> None:
    events = [("a", "Create", 1), ("a", "Lose", 3), ("a", "Reopen", 3), ("a", "Win", 3)]
    changes = [("a", "amount_reporting", 1, "5"), ("a", "amount_reporting", 3, "6")]
    cases = {"a": {**EUR, "amount": 20.0, "amount_reporting": 6.0}}
    log = make_log(events, cases, process=process, as_of=5, changes=changes)
    assert steps(log, 2, 4) == [("begin", 1, 500), ("reopened", 1, 600), ("won", 1, -600), ("lost", 1, -500)]

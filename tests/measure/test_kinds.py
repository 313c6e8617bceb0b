"""Every KPI kind, answered by hand on five deals."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

from crmmining.definitions.kpi import KPI, Kpi
from crmmining.eventlog import EventLog
from crmmining.measure import Cut, measure
from crmmining.tables import OrgSpec

DAY = 86400.0
DEALS = [
    ("d1", "Create", 1), ("d1", "Stage: A", 3, 1), ("d1", "Stage: B", 5, 1), ("d1", "Win", 11),
    ("d2", "Create", 2), ("d2", "Stage: A", 4, 1), ("d2", "Lose", 6),
    ("d3", "Create", 3), ("d3", "Call", 4), ("d3", "Call", 35),
    ("d3", "Stage: B", 8, 2), ("d3", "Stage: A", 9, -1),
    ("d3", "Stage: B", 10, 1), ("d3", "Win", 33),
    ("d4", "Create", 40), ("d4", "Stage: A", 45, 1),
    ("d5", "Create", 32), ("d5", "Lose", 33), ("d5", "Reopen", 34),
]  # fmt: skip
CASES = {
    "d1": {"region": "EMEA", "amount": 100.5, "currency": "EUR"},
    "d2": {"region": "EMEA", "amount": 900.0, "currency": "EUR"},
    "d3": {"region": "APAC", "amount": 300.25, "currency": "USD"},
    "d4": {"region": "APAC", "amount": 50.0, "currency": "USD"},
    "d5": {"currency": "EUR"},
}
JAN, FEB, MAR = date(2024, 1, 1), date(2024, 2, 1), date(2024, 3, 1)
ORG = OrgSpec()


def kpi(**fields: object) -> Kpi:
    common = {
        "name": "k",
        "process": "deal",
        "question": "q",
        "formula": "f",
        "unit": "number",
        "better": "neutral",
    }
    return KPI.validate_python(common | fields)


@pytest.fixture(params=[1, 3])
def log(make_log: Callable[..., EventLog], request: pytest.FixtureRequest) -> EventLog:
    return make_log(DEALS, CASES, partitions=request.param, as_of=70)


def test_volume_of_cases(log: EventLog) -> None:
    wide = measure(log, kpi(kind="volume", count="won", of="cases"), Cut(ORG, period="month"))
    assert wide.select("period_start", "n", "open", "excluded", "count").rows() == [
        (JAN, 1, 0, 0, 1.0), (FEB, 1, 0, 0, 1.0), (MAR, 0, 0, 0, 0.0), (None, 0, 2, 1, 0.0),
    ]  # fmt: skip


def test_volume_of_events(log: EventLog) -> None:
    of = kpi(kind="volume", count="touched", of="events")
    none = {"open": 0, "excluded": 0, "truncated": 0}
    assert measure(log, of, Cut(ORG, by=("region",), period="month")).rows(named=True) == [
        {"period_start": JAN, "region": "APAC", "n": 1, **none, "count": 1.0},
        {"period_start": FEB, "region": "APAC", "n": 1, **none, "count": 1.0},
        {"period_start": MAR, "region": "APAC", "n": 0, **none, "count": 0.0},
    ]
    assert measure(log, of, Cut(ORG)).select("n", "count").rows() == [(2, 2.0)]


def test_share_of_the_decided(log: EventLog) -> None:
    rate = kpi(kind="share", of="NOT open", where="outcome = 'won'", period="outcome")
    row = measure(log, rate, Cut(ORG)).row(0, named=True)
    assert (row["n"], row["open"], row["excluded"], row["share"]) == (3, 2, 0, 2 / 3)
    assert (round(row["share_low"], 4), round(row["share_high"], 4)) == (0.2077, 0.9385)
    monthly = measure(log, rate, Cut(ORG, period="month")).select("period_start", "n", "open", "share")
    assert monthly.rows() == [(JAN, 2, 0, 0.5), (FEB, 1, 0, 1.0), (None, 0, 2, None)]


def test_value_of_money_is_kept_apart_by_currency(log: EventLog) -> None:
    won = kpi(kind="value", column="amount", agg="sum", of="outcome = 'won'", period="outcome", unit="money")
    assert measure(log, won, Cut(ORG)).select("unit", "n", "open", "excluded", "sum").rows() == [
        ("EUR", 1, 1, 1, 100.5), ("USD", 1, 1, 0, 300.25),
    ]  # fmt: skip


@pytest.mark.parametrize(("agg", "value"), [("sum", 1350.75), ("mean", 337.6875), ("median", 200.375)])
def test_value_without_a_number_is_excluded_or_open(log: EventLog, agg: str, value: float) -> None:
    row = measure(log, kpi(kind="value", column="amount", agg=agg, period="created"), Cut(ORG)).row(
        0, named=True
    )
    assert (row["n"], row["open"], row["excluded"], row[agg]) == (4, 1, 0, value)


def test_duration_by_the_date_of_its_end_or_its_start(log: EventLog) -> None:
    cycle: dict[str, Any] = {"kind": "duration", "start": "created", "end": "won", "unit": "s"}
    by_end = measure(log, kpi(**cycle, period="end"), Cut(ORG, period="month"))
    assert by_end.select("period_start", "n", "open", "excluded", "median").rows() == [
        (JAN, 1, 0, 0, 10 * DAY), (FEB, 1, 0, 0, 30 * DAY), (None, 0, 2, 1, None),
    ]  # fmt: skip
    by_start = measure(log, kpi(**cycle, period="start"), Cut(ORG, period="month"))
    assert by_start.select("period_start", "n", "open", "excluded", "median", "p90", "mean").rows() == [
        (JAN, 2, 0, 1, 20 * DAY, 28 * DAY, 20 * DAY), (FEB, 0, 2, 0, None, None, None),
    ]  # fmt: skip


def test_duration_of_a_population(log: EventLog) -> None:
    of = kpi(kind="duration", start="created", end="won", unit="s", period="start", of="region = 'EMEA'")
    assert measure(log, of, Cut(ORG)).select("n", "open", "excluded", "median").row(0) == (1, 0, 4, 10 * DAY)


def test_conversion_by_cohort(log: EventLog) -> None:
    rate = kpi(kind="conversion", start="created", end="won", unit="share")
    assert measure(log, rate, Cut(ORG, period="month")).select(
        "period_start", "n", "open", "excluded", "rate"
    ).rows() == [(JAN, 3, 0, 0, 2 / 3), (FEB, 2, 2, 0, 0.0)]


def test_conversion_of_those_followed_for_long_enough(log: EventLog) -> None:
    # d1 won after 10 days, d2 lost, d3 won on its 30th; d5 (day 32) and d4 (day 40) until day 62 and 70
    def asked(days: int) -> Kpi:
        return kpi(kind="conversion", start="created", end="won", unit="share", within_days=days)

    columns = ("n", "open", "excluded", "rate")
    assert measure(log, asked(9), Cut(ORG)).select(columns).row(0) == (5, 0, 0, 0.0)
    assert measure(log, asked(10), Cut(ORG)).select(columns).row(0) == (5, 0, 0, 1 / 5)
    assert measure(log, asked(30), Cut(ORG)).select(columns).row(0) == (5, 0, 0, 2 / 5)
    assert measure(log, asked(31), Cut(ORG, period="month")).select("period_start", *columns).rows() == [
        (JAN, 3, 0, 0, 2 / 3), (FEB, 1, 1, 0, 0.0),
    ]  # fmt: skip
    reopened = kpi(kind="conversion", start="lost", end="reopened", unit="share", within_days=37)
    assert measure(log, reopened, Cut(ORG)).select(columns).row(0) == (2, 0, 3, 1 / 2)
    later = kpi(kind="conversion", start="lost", end="reopened", unit="share", within_days=38)
    assert measure(log, later, Cut(ORG)).select(columns).row(0) == (1, 1, 3, 0.0)  # d5 is no hit yet


def test_duration_to_the_closing_in_force(make_log: Callable[..., EventLog]) -> None:
    events = [
        ("d1", "Create", 1), ("d1", "Win", 3), ("d1", "Reopen", 4), ("d1", "Lose", 9),
        ("d2", "Create", 1), ("d2", "Win", 3), ("d2", "Reopen", 4),
        ("d3", "Create", 1), ("d3", "Win", 3), ("d3", "Stage: A", 5),
    ]  # fmt: skip
    log = make_log(events)
    figures: dict[str, Any] = {"kind": "duration", "end": "outcome", "period": "end", "unit": "s"}
    columns = ("n", "open", "excluded", "median")
    final = kpi(**figures, start="created")
    assert measure(log, final, Cut(ORG)).select(columns).row(0) == (2, 1, 0, 5 * DAY)
    after = kpi(**figures, start="staged")  # closed before it
    assert measure(log, after, Cut(ORG)).select(columns).row(0) == (0, 0, 3, None)


def test_share_of_those_without_any_reason(log: EventLog) -> None:
    reasons = {"reopened": "reopens > 0", "small": "amount < 200"}
    clean = kpi(kind="share", unless=reasons, period="created")
    # d1 and d4 are small, d5 came back (its amount is not known): d2 and d3 are left
    assert measure(log, clean, Cut(ORG)).select("n", "share").row(0) == (5, 2 / 5)
    assert clean.words == {"created"}  # a reason the source cannot show switches nothing off
    for fields in ({}, {"where": "open", "unless": reasons}):
        with pytest.raises(ValueError, match="either 'where' or the reasons of 'unless'"):
            kpi(kind="share", period="created", **fields)


@pytest.mark.parametrize(
    ("what", "share", "per_case"),
    [("repeats", 0.2, 0.2), ("self_loops", 0.0, 0.0), ("regressions", 0.2, 0.2), ("reopens", 0.2, 0.2)],
)
def test_rework(log: EventLog, what: str, share: float, per_case: float) -> None:
    row = measure(log, kpi(kind="rework", what=what, period="created"), Cut(ORG)).row(0, named=True)
    assert (row["n"], row["open"], row["excluded"]) == (5, 0, 0)
    assert (row["share"], row["per_case"]) == (share, per_case)


def test_stock_at_the_end_of_each_period_and_at_as_of(log: EventLog) -> None:
    stock = kpi(kind="stock")
    # open at the end of January: d3; February: d4, d5; March (until as_of): the same
    assert measure(log, stock, Cut(ORG, period="month")).select("period_start", "n").rows() == [
        (JAN, 1), (FEB, 2), (MAR, 2),
    ]  # fmt: skip
    assert measure(log, stock, Cut(ORG, by=("region",))).sort("region").select("region", "n").rows() == [
        (None, 1), ("APAC", 1), ("EMEA", 0),
    ]  # fmt: skip
    apac = measure(log, stock, Cut(ORG, by=("region",), period="week")).filter(pl.col("region") == "APAC")
    assert apac["n"].to_list() == [1, 1, 1, 1, 0, 1, 1, 1, 1, 1]


def test_periods_are_cut_in_the_org_s_zone_and_fiscal_year(make_log: Callable[..., EventLog]) -> None:
    # 31 January 2024 23:30 UTC is 1 February in Berlin; the fiscal quarter that begins in February holds it
    log = make_log([("d1", "Create", 31 + 23.5 / 24)], as_of=33)
    created = kpi(kind="volume", count="created", of="cases")
    berlin = OrgSpec(time_zone="Europe/Berlin", fiscal_year_start=2)
    starts: dict[Any, date] = {
        "day": date(2024, 2, 1),
        "week": date(2024, 1, 29),
        "month": date(2024, 2, 1),
        "quarter": date(2024, 2, 1),
        "year": date(2024, 2, 1),
    }
    for period, start in starts.items():
        assert measure(log, created, Cut(berlin, period=period))["period_start"][0] == start
    assert measure(log, created, Cut(ORG, period="quarter"))["period_start"].to_list() == [JAN]


def test_a_window_counts_only_what_is_dated_inside(log: EventLog) -> None:
    window = Cut(ORG, since=datetime(2024, 1, 2, tzinfo=UTC), until=datetime(2024, 1, 4, tzinfo=UTC))
    assert measure(log, kpi(kind="volume", count="created", of="cases"), window)["n"].to_list() == [2]
    assert measure(log, kpi(kind="volume", count="touched", of="events"), window)["n"].to_list() == [0]
    won = kpi(kind="share", of="NOT open", where="outcome = 'won'", period="outcome")
    assert measure(log, won, window).select("n", "open", "share").row(0) == (0, 0, None)


def test_every_case_is_counted_once(log: EventLog) -> None:
    kinds = [
        kpi(kind="volume", count="won", of="cases"),
        kpi(kind="share", of="amount > 60", where="outcome = 'won'", period="won"),
        kpi(kind="value", column="amount", agg="sum", period="outcome"),
        kpi(kind="duration", start="staged", end="won", unit="s", period="end", of="region = 'APAC'"),
        kpi(kind="rework", what="repeats", period="touched", of="region = 'APAC'"),
    ]
    for one in kinds:
        for cut in (Cut(ORG), Cut(ORG, period="week"), Cut(ORG, by=("region",), period="quarter")):
            wide = measure(log, one, cut)
            assert wide.select(pl.sum_horizontal("n", "open", "excluded")).sum().item() == len(CASES)

"""Amounts in one currency: which rate holds, on which day, and what happens without one."""

from collections.abc import Callable
from typing import Any

import duckdb
import pytest

Money = Callable[..., duckdb.DuckDBPyConnection]
DEAL = "Id CreatedDate CloseDate Amount ExpectedRevenue CurrencyIsoCode"
STATIC = [
    "IsoCode ConversionRate IsCorporate IsActive",
    ("EUR", 1.0, True, True), ("USD", 1.25, False, True), ("JPY", 160.0, False, False),
]  # fmt: skip
DATED = [
    "IsoCode StartDate NextStartDate ConversionRate",
    ("USD", "2024-01-01", "2024-07-01", 1.0), ("USD", "2024-07-01", "9999-12-31", 2.0),
]  # fmt: skip
PAIRS = "FromCurrency ToCurrency Rate ValidFrom ValidTo"


def deal(
    name: str, amount: float | None, currency: str | None, closing: str | None = "2024-08-01"
) -> tuple[Any, ...]:
    return name, "2024-03-01 09:00", closing, amount, None, currency


def amounts(database: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return database.sql("SELECT Id, amount_reporting FROM opportunity_money ORDER BY Id").fetchall()


def missing(database: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    query = 'SELECT "table", Id, currency, CAST("day" AS VARCHAR) FROM unconverted ORDER BY Id'
    return database.sql(query).fetchall()


def faults(database: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    query = "SELECT source, iso_code, CAST(since AS VARCHAR), fault FROM rate_faults ORDER BY ALL"
    return database.sql(query).fetchall()


def terms(database: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return database.sql("SELECT corporate, reporting FROM money_terms").fetchall()


def test_static_rates_convert_into_the_corporate_currency(money: Money) -> None:
    deals = [
        DEAL, deal("a", 100.0, "EUR"), deal("b", 100.0, "USD"), deal("c", 100.0, "JPY", None),
        deal("d", None, "USD"),
    ]  # fmt: skip
    database = money(CurrencyType=STATIC, Opportunity=deals)
    assert terms(database) == [("EUR", "EUR")]
    assert amounts(database) == [("a", 100.0), ("b", 80.0), ("c", 0.625), ("d", None)]
    assert missing(database) == []


def test_a_stated_reporting_currency_is_reached_over_the_corporate_one(money: Money) -> None:
    deals = [DEAL, deal("a", 100.0, "EUR"), deal("b", 100.0, "USD"), deal("c", 3200.0, "JPY")]
    database = money({"reporting_currency": "USD"}, CurrencyType=STATIC, Opportunity=deals)
    assert amounts(database) == [("a", 125.0), ("b", 100.0), ("c", 25.0)]


def test_expected_revenue_is_converted_like_the_amount(money: Money) -> None:
    database = money(
        CurrencyType=STATIC, Opportunity=[DEAL, ("a", "2024-03-01 09:00", "2024-08-01", 100.0, 50.0, "USD")]
    )
    query = "SELECT amount_reporting, expected_revenue_reporting FROM opportunity_money"
    assert database.sql(query).fetchall() == [(80.0, 40.0)]


@pytest.mark.parametrize(
    ("policy", "value"),
    [
        ("close", 50.0),  # 2024-08-01: 2 dollars for a euro
        ("created", 100.0),  # 2024-03-01
        ("event", 100.0),  # the amount was last set on 2024-06-30
        ("2024-07-01", 50.0),  # a rate holds from its first day ...
        ("2024-06-30", 100.0),  # ... to the day before the next one's
    ],
)
def test_the_policy_says_which_day_counts(money: Money, policy: str, value: float) -> None:
    database = money(
        {"conversion_date": policy},
        CurrencyType=STATIC,
        DatedConversionRate=DATED,
        Opportunity=[DEAL, deal("a", 100.0, "USD")],
        changes=[
            "root record_id column_name moment",
            ("Opportunity", "a", "Amount", "2024-02-01 09:00"),
            ("Opportunity", "a", "Amount", "2024-06-30 23:59"),
            ("Opportunity", "a", "CloseDate", "2024-07-02 09:00"),
            ("Opportunity", "b", "Amount", "2024-07-02 09:00"),
        ],
    )
    assert amounts(database) == [("a", value)]


def test_dated_rates_replace_a_currencys_static_one_and_are_never_mixed_with_it(money: Money) -> None:
    deals = [
        DEAL, deal("a", 100.0, "USD", "2023-12-31"), deal("b", 100.0, "USD", "2024-01-01"),
        deal("c", 100.0, "USD", None), deal("d", 160.0, "JPY", "2023-12-31"), deal("e", 5.0, "CHF"),
    ]  # fmt: skip
    database = money(CurrencyType=STATIC, DatedConversionRate=DATED, Opportunity=deals)
    assert amounts(database) == [("a", None), ("b", 100.0), ("c", None), ("d", 1.0), ("e", None)]
    assert missing(database) == [
        ("Opportunity", "a", "USD", "2023-12-31"),
        ("Opportunity", "c", "USD", None),
        ("Opportunity", "e", "CHF", "2024-08-01"),
    ]


def test_a_supplied_table_replaces_salesforces_own_rates(money: Money) -> None:
    flat = [
        "CurrencyIsoCode ConversionRate StartDate NextStartDate IsCorporate",
        ("USD", 4.0, "2024-01-01", None, False), ("EUR", 1.0, None, None, True),
    ]  # fmt: skip
    deals = [DEAL, deal("a", 100.0, "USD"), deal("b", 160.0, "JPY")]
    database = money(CurrencyType=STATIC, DatedConversionRate=DATED, _CEL_CURRENCIES=flat, Opportunity=deals)
    assert amounts(database) == [("a", 25.0), ("b", 1.0)]


@pytest.mark.parametrize(
    ("reporting", "told"),
    [
        ("EUR", [("a", 90.0), ("b", 50.0), ("c", 112.5), ("d", 100.0), ("e", None)]),
        (
            "USD",
            [("a", 100.0), ("b", 55.55555555555556), ("c", 125.0), ("d", 111.11111111111111), ("e", None)],
        ),
    ],
)
def test_pairs_convert_directly_inversely_and_over_one_pivot(
    money: Money, reporting: str, told: list[tuple[str, float | None]]
) -> None:
    pairs = [
        PAIRS, ("USD", "EUR", 0.9, None, None), ("EUR", "AUD", 2.0, None, None),
        ("GBP", "USD", 1.25, None, None), ("NOK", "SEK", 1.0, None, None),
    ]  # fmt: skip
    deals = [
        DEAL, deal("a", 100.0, "USD"), deal("b", 100.0, "AUD"), deal("c", 100.0, "GBP"),
        deal("d", 100.0, "EUR"), deal("e", 100.0, "NOK"),
    ]  # fmt: skip
    org = {"reporting_currency": reporting, "org_currency": "USD"}
    corporate = ["IsoCode ConversionRate IsCorporate", ("USD", 1.0, True)]
    database = money(org, _CEL_CURRENCIES=pairs, CurrencyType=corporate, Opportunity=deals)
    assert amounts(database) == told
    assert missing(database) == [("Opportunity", "e", "NOK", "2024-08-01")]


def test_a_pair_goes_before_its_inverse_and_before_the_way_over_another_currency(money: Money) -> None:
    pairs = [
        PAIRS, ("AUD", "EUR", 0.5, None, None), ("EUR", "AUD", 3.0, None, None),
        ("AUD", "USD", 9.0, None, None), ("USD", "EUR", 9.0, None, None),
    ]  # fmt: skip
    database = money(
        {"reporting_currency": "EUR"}, _CEL_CURRENCIES=pairs, Opportunity=[DEAL, deal("a", 100.0, "AUD")]
    )
    assert amounts(database) == [("a", 50.0)]
    ways = database.sql("SELECT iso_code, way FROM conversion ORDER BY ALL").fetchall()
    assert ways == [("AUD", "pair"), ("EUR", "reporting currency"), ("USD", "pair")]


@pytest.mark.parametrize("first_end", ["2024-06-30", "2024-07-01"])
def test_a_pair_is_valid_to_its_last_day_or_to_the_first_of_the_next(money: Money, first_end: str) -> None:
    pairs = [
        PAIRS, ("USD", "EUR", 0.5, "2024-01-01", first_end), ("USD", "EUR", 0.75, "2024-07-01", "2024-12-31"),
    ]  # fmt: skip
    deals = [
        DEAL, deal("a", 100.0, "USD", "2024-06-30"), deal("b", 100.0, "USD", "2024-07-01"),
        deal("c", 100.0, "USD", "2024-12-31"), deal("d", 100.0, "USD", "2025-01-01"),
    ]  # fmt: skip
    database = money({"reporting_currency": "EUR"}, _CEL_CURRENCIES=pairs, Opportunity=deals)
    assert amounts(database) == [("a", 50.0), ("b", 75.0), ("c", 75.0), ("d", None)]
    assert faults(database) == []


def test_rates_that_cannot_be_used_are_reported(money: Money) -> None:
    dated = [
        "IsoCode StartDate NextStartDate ConversionRate",
        ("USD", "2024-01-01", "2024-03-01", 2.0), ("USD", "2024-02-01", "2024-04-01", 4.0),  # overlap
        ("GBP", "2024-01-01", "2024-04-01", 2.0), ("GBP", "2024-01-01", "2024-04-01", 5.0),  # contradict
        ("JPY", "2024-01-01", "2024-04-01", 10.0), ("JPY", "2024-01-01", "2024-04-01", 10.0),  # repeat
        ("CHF", "2024-01-01", "2024-04-01", 0.0), ("CHF", "2024-04-01", "2024-03-01", 1.5),
        ("NOK", "2024-01-01", "31.03.2024", 10.0), ("NOK", "2024-03-01", "9999-12-31", 20.0),
        (None, "2024-01-01", "2024-04-01", 1.0), ("SEK", "01/02/2024", None, 11.0),
    ]  # fmt: skip
    deals = [DEAL, *(deal(name, 100.0, name, "2024-02-15") for name in ("CHF", "GBP", "JPY", "NOK", "USD"))]
    corporate = ["IsoCode ConversionRate IsCorporate", ("EUR", 1.0, True)]
    database = money(CurrencyType=corporate, DatedConversionRate=dated, Opportunity=deals)
    assert amounts(database) == [("CHF", None), ("GBP", None), ("JPY", 10.0), ("NOK", 10.0), ("USD", 25.0)]
    source = "DatedConversionRate"
    assert faults(database) == [
        (source, "CHF", "2024-01-01", "not a positive rate: not used"),
        (source, "CHF", "2024-04-01", "ends before it begins: not used"),
        (source, "GBP", "2024-01-01", "several rates from the same day: none is used"),
        (source, "JPY", "2024-01-01", "stated more than once: used once"),
        (source, "NOK", "2024-01-01", "its end is no day: holds until the next begins"),
        (source, "SEK", None, "its start is no day: not used"),
        (source, "USD", "2024-01-01", "overlaps the next: ends where that begins"),
        (source, None, "2024-01-01", "no currency: not used"),
    ]


def test_an_org_of_one_currency_needs_no_rates(money: Money) -> None:
    database = money(
        {"org_currency": "CHF"}, Opportunity=[DEAL, deal("a", 0.1, None, None), deal("b", 7.0, "EUR")]
    )
    assert terms(database) == [(None, "CHF")]
    assert amounts(database) == [("a", 0.1), ("b", None)]
    assert missing(database) == [("Opportunity", "b", "EUR", "2024-08-01")]


@pytest.mark.parametrize(
    ("rates", "told"),
    [
        ([("EUR", 1.0, None), ("USD", 1.1, None)], ("EUR", "EUR")),  # the only one that is always 1
        ([("EUR", 1.0, None), ("USD", 1.0, None)], (None, "GBP")),
        ([("EUR", 1.0, None), ("USD", 1.0, True)], ("USD", "USD")),
    ],
)
def test_the_corporate_currency_is_the_one_that_is_marked_or_always_worth_one(
    money: Money, rates: list[tuple[Any, ...]], told: tuple[str | None, str]
) -> None:
    table = ["CurrencyIsoCode ConversionRate IsCorporate", *rates]
    assert terms(money({"org_currency": "GBP"}, _CEL_CURRENCIES=table)) == [told]

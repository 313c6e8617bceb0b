"""How what we know of an opportunity changed: one row as it was created, one per change."""

from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from .conftest import Extracted

Extract = Callable[..., Extracted]
ANA, BEN, CEM = "005000000000001AAA", "005000000000002AAA", "005000000000003AAA"
HISTORY = "Id OpportunityId CreatedDate Field OldValue NewValue"
PEOPLE = {
    "User": [
        "Id Name Division ManagerId UserRoleId ProfileId",
        (ANA, "Ana", "EMEA", CEM, "r1", "p1"), (BEN, "Ben", "APAC", ANA, "r2", "p1"),
        (CEM, "Cem", None, None, None, None),
    ],
    "UserRole": ["Id Name", ("r1", "North"), ("r2", "South")],
    "Profile": ["Id Name", ("p1", "Sales")],
}  # fmt: skip


def known(connection: duckdb.DuckDBPyConnection, *attributes: str) -> list[tuple[str, str, int, str | None]]:
    query = (
        "SELECT attribute, strftime(since, '%m-%d %H:%M'), seq, value FROM attributes "
        "WHERE case_id = 'O' AND list_contains(?, attribute) ORDER BY ALL"
    )
    rows: list[tuple[str, str, int, str | None]] = connection.execute(query, [list(attributes)]).fetchall()
    return rows


def run(extract: Extract, *changes: tuple[str, str, str | None, str | None], **more: list[Any]) -> None:
    rows = [(f"h{i}", "O", f"2024-01-{moment}", *rest) for i, (moment, *rest) in enumerate(changes)]
    deal = ("O", "2024-01-01 09:00", "New", BEN, "2024-08-01", "USD", 100.0)
    extract(
        "opportunity",
        {
            "Opportunity": ["Id CreatedDate StageName OwnerId CloseDate CurrencyIsoCode Amount", deal],
            "OpportunityFieldHistory": [HISTORY, *rows],
            **PEOPLE,
            **more,
        },
    )


@pytest.mark.parametrize(("old", "new"), [(ANA, BEN), ("Ana", "Ben")])
def test_a_change_of_owner_changes_all_that_hangs_on_the_owner(
    extract: Extract, connection: duckdb.DuckDBPyConnection, old: str, new: str
) -> None:
    run(extract, ("02 09:00", "Owner", old, new))
    assert known(connection, "owner", "manager", "region", "team", "profile") == [
        ("manager", "01-01 09:00", 0, "Cem"),
        ("manager", "01-02 09:00", 0, "Ana"),
        ("owner", "01-01 09:00", 0, "Ana"),
        ("owner", "01-02 09:00", 0, "Ben"),
        ("profile", "01-01 09:00", 0, "Sales"),
        ("profile", "01-02 09:00", 0, "Sales"),
        ("region", "01-01 09:00", 0, "EMEA"),
        ("region", "01-02 09:00", 0, "APAC"),
        ("team", "01-01 09:00", 0, "North"),
        ("team", "01-02 09:00", 0, "South"),
    ]


def test_an_owner_nobody_knows_keeps_the_name_alone(
    extract: Extract, connection: duckdb.DuckDBPyConnection
) -> None:
    run(extract, ("02 09:00", "Owner", "Someone who left", "Ben"))
    assert known(connection, "owner", "region") == [
        ("owner", "01-01 09:00", 0, "Someone who left"),
        ("owner", "01-02 09:00", 0, "Ben"),
        ("region", "01-01 09:00", 0, None),
        ("region", "01-02 09:00", 0, "APAC"),
    ]


def test_values_are_written_as_the_cases_write_them(
    extract: Extract, connection: duckdb.DuckDBPyConnection
) -> None:
    run(
        extract,
        ("02 09:00", "StageName", "New", "Offer"),
        ("02 09:00", "Amount", None, "100"),
        ("03 09:00", "Amount", "100", "1,000"),
        ("03 09:00", "CloseDate", "2024-03-31T00:00:00Z", "31.12.2024"),
        ("03 09:00", "ForecastCategoryName", "BestCase", "Commit"),
        ("03 09:00", "Type", None, "Renewal"),
        ("04 09:00", "Campaign", None, "701000000000001AAA"),
        ("04 09:00", "RecordType", "Old type", "New type"),
        ("04 09:00", "Account", "001000000000001AAA", "001000000000002AAA"),
        Campaign=["Id Name", ("701000000000001AAA", "Fair")],
        RecordType=[
            "Id Name DeveloperName SobjectType",
            ("012000000000001AAA", "New type", "Neu", "Opportunity"),
        ],
        Account=[
            "Id CreatedDate Name Industry BillingCountry",
            ("001000000000001AAA", "2023-01-01", "Acme", "Energy", "Spain"),
            ("001000000000002AAA", "2023-01-01", "Bolt", "Retail", None),
        ],
    )
    rows = connection.sql(
        "SELECT attribute, list(value ORDER BY since, seq) FROM attributes GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    assert rows == [
        ("account", ["Acme", "Bolt"]),
        ("account_id", ["001000000000001AAA", "001000000000002AAA"]),
        ("amount", [None, "100.0", None]),  # one that reads as no number is unknown
        ("amount_reporting", [None, "100.0", None]),
        ("campaign", [None, "Fair"]),
        ("close_date", ["2024-03-31", None]),
        ("country", ["Spain", None]),
        ("forecast_category", ["Best Case", "Commit"]),
        ("industry", ["Energy", "Retail"]),
        ("record_type", [None, "Neu"]),
        ("stage", ["New", "Offer"]),
        ("type", [None, "Renewal"]),
    ]


def test_a_change_in_the_second_of_the_creation_is_part_of_it(
    extract: Extract, connection: duckdb.DuckDBPyConnection
) -> None:
    run(extract, ("01 09:00", "StageName", "New", "Offer"), ("02 09:00", "StageName", "Offer", "Won"))
    assert known(connection, "stage") == [
        ("stage", "01-01 09:00", 0, "Offer"),
        ("stage", "01-02 09:00", 0, "Won"),
    ]


def test_the_converted_amount_follows_amount_and_close_date(
    extract: Extract, connection: duckdb.DuckDBPyConnection
) -> None:
    run(
        extract,
        ("02 09:00", "Amount", "50", "100"),
        ("03 09:00", "CloseDate", "2024-02-01", "2024-08-01"),
        CurrencyType=["IsoCode ConversionRate IsCorporate", ("EUR", 1.0, True)],
        DatedConversionRate=[
            "IsoCode StartDate NextStartDate ConversionRate",
            ("USD", "2024-01-01", "2024-07-01", 1.0), ("USD", "2024-07-01", "9999-12-31", 2.0),
        ],
    )  # fmt: skip
    assert known(connection, "amount_reporting") == [
        ("amount_reporting", "01-01 09:00", 0, "50.0"),
        ("amount_reporting", "01-02 09:00", 0, "100.0"),
        ("amount_reporting", "01-03 09:00", 0, "50.0"),  # the later day has another rate
    ]


def test_what_never_changed_has_no_rows(extract: Extract, connection: duckdb.DuckDBPyConnection) -> None:
    run(extract, ("02 09:00", "NextStep", "a", "b"))
    assert connection.sql("FROM attributes").fetchall() == []

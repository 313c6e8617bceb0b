"""What the process shows of each case, and that its definition says so."""

from collections.abc import Callable
from typing import Any

import duckdb
import polars as pl

from crmmining import Crm
from crmmining.definitions import Catalogue

from .case_tables import QUEUES, SUPPORT, tell

Extract = Callable[..., Any]


def test_cases_take_product_and_country_from_the_tables_around(
    extract: Extract, connection: duckdb.DuckDBPyConnection
) -> None:
    told = tell(
        extract,
        connection,
        {
            "Case": [
                "Id CreatedDate Origin Priority Type ProductId AccountId OwnerId Status",
                ("C", "2024-01-01 09:00", "Web", "High", "Question", "P", "A", SUPPORT, "Working"),
            ],
            "Group": QUEUES,
            "Product2": ["Id Name", ("P", "Pro")],
            "Account": ["Id Name Industry BillingCountryCode", ("A", "Acme", "Energy", "ES")],
        },
    )
    header = "owner, queue, region, source, priority, type, product, account, industry, country, truncated"
    assert told.cases(header) == [
        ("Support", "Support", None, "Web", "High", "Question", "Pro", "Acme", "Energy", "ES", False)
    ]
    assert told.unused() == {("Account", "A"): "tells only attributes of its cases"}


def test_the_core_of_the_process_is_fixed(catalogue: Catalogue) -> None:
    assert catalogue.process("case").sets["core"] == ("Create Case", "Status: *", "Close Case", "Reopen Case")


def test_every_activity_says_where_it_comes_from(catalogue: Catalogue) -> None:
    activities = catalogue.process("case").activities
    assert all(a.table and a.field and a.timestamp and a.rule.endswith(".") for a in activities.values())


def test_every_row_of_the_sample_tells_an_event_or_says_why_not(sample: Crm) -> None:
    account = sample.event_log("case").quality.filter(pl.col("disposition") == "filtered")
    assert set(account["reason"]) == {
        "about no case",
        "changes the account, not its cases",
        "internal comment",
        "name row beside an Id row",
        "planned, not done",
        "tells only attributes of its cases",
        "told by the record",
    }

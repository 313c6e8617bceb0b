"""The planted facts can be measured on the raw tables, and are gone when they are switched off."""

from collections.abc import Callable
from datetime import UTC, datetime

import polars as pl
import pytest

from .conftest import Tables

Measure = Callable[[Tables], float]
MATURE = datetime(2025, 4, 1, tzinfo=UTC)


def ratio(rows: pl.DataFrame, affected: pl.Expr, value: pl.Expr) -> float:
    """Value of the affected rows over the value of the others."""
    sides = rows.group_by(affected.alias("side")).agg(value.alias("value")).sort("side")
    assert sides["side"].to_list() == [False, True]
    rest, there = sides["value"]
    return float(there / rest)


def by_region(tables: Tables, record: str) -> pl.DataFrame:
    people = tables["User"].select("Division", OwnerId="Id")
    young = tables[record].filter(pl.col("CreatedDate") < MATURE)
    return young.join(people, on="OwnerId")


def first_change(tables: Tables, history: str, record: str, where: pl.Expr) -> pl.DataFrame:
    rows = tables[history].filter(where)
    return (
        rows.group_by(f"{record}Id")
        .agg(pl.col("CreatedDate").min().alias("done"))
        .rename({f"{record}Id": "Id"})
    )


def took() -> pl.Expr:
    return (pl.col("done") - pl.col("CreatedDate")).dt.total_seconds().median()


def slow_cases(tables: Tables) -> float:
    closed = (pl.col("Field") == "Status") & (pl.col("NewValue") == "Closed")
    rows = by_region(tables, "Case").join(first_change(tables, "CaseHistory", "Case", closed), on="Id")
    return ratio(rows, pl.col("Division") == "APAC", took())


def slow_opportunities(tables: Tables) -> float:
    won = (pl.col("Field") == "StageName") & (pl.col("NewValue") == "Closed Won")
    done = first_change(tables, "OpportunityFieldHistory", "Opportunity", won)
    rows = by_region(tables, "Opportunity").join(done, on="Id")
    return ratio(rows, pl.col("Division") == "APAC", took())


def good_source(tables: Tables) -> float:
    young = tables["Lead"].filter(pl.col("CreatedDate") < MATURE)
    return ratio(young, pl.col("LeadSource") == "Referral", pl.col("IsConverted").mean())


def rework_product(tables: Tables) -> float:
    status = tables["CaseHistory"].filter(pl.col("Field") == "Status")
    ever_closed = status.filter(pl.col("NewValue") == "Closed").select("CaseId").unique()
    again = status.filter(pl.col("OldValue") == "Closed").select("CaseId", again=True).unique()
    products = tables["Product2"].select("Name", ProductId="Id")
    rows = (
        tables["Case"]
        .join(ever_closed, left_on="Id", right_on="CaseId")
        .join(again, left_on="Id", right_on="CaseId", how="left")
        .join(products, on="ProductId")
    )
    return ratio(rows, pl.col("Name") == "Connector Pack", pl.col("again").is_not_null().mean())


def process_change(tables: Tables) -> float:
    mails = tables["EmailMessage"].filter(~pl.col("Incoming")).select("ParentId", "CreatedDate")
    notes = tables["CaseComment"].filter("IsPublished").select("ParentId", "CreatedDate")
    first = pl.concat([mails, notes]).group_by("ParentId").agg(pl.col("CreatedDate").min().alias("done"))
    rows = tables["Case"].join(first, left_on="Id", right_on="ParentId")
    return ratio(rows, pl.col("CreatedDate") >= datetime(2024, 7, 1, tzinfo=UTC), took())


@pytest.mark.parametrize(
    ("measure", "factor"),
    [
        (slow_cases, 2.0),
        (slow_opportunities, 2.0),
        (good_source, 2.0),
        (rework_product, 3.0),
        (process_change, 0.5),
    ],
)
def test_effects_are_there_when_on_and_gone_when_off(
    planted: Tables, plain: Tables, measure: Measure, factor: float
) -> None:
    assert measure(planted) == pytest.approx(factor, rel=0.1)
    assert measure(plain) == pytest.approx(1.0, rel=0.1)

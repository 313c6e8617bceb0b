"""Data that other people made and that lies beside the repository; where it does not, nothing is tested."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crmmining.errors import SourceError
from crmmining.tables import Tables

Load = Callable[..., Tables]
FOLDER = Path(__file__).parents[3] / "shared" / "realdata"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no real data beside the repository")
SHORT_DATES = ["%m/%d/%y %I:%M %p", "%m/%d/%y"]


def used(tables: Tables) -> dict[str, int]:
    return dict(tables.quality.filter(disposition="used").select("table", "rows").iter_rows())


def test_a_developer_org_with_its_dates_stated(load: Load) -> None:
    tables = load(FOLDER / "developer_org", datetime_format=SHORT_DATES)
    assert used(tables) == {
        "Account": 18,
        "Lead": 22,
        "Opportunity": 36,
        "OpportunityHistory": 48,
        "Contact": 25,
    }
    assert tables.quarantine.is_empty()
    assert tables.clock == datetime(2026, 3, 7, 21, 0, tzinfo=UTC)
    assert not tables.has("Lead.CreatedDate")
    assert tables.has("Opportunity.StageName")
    told = set(tables.findings.select("table", "finding").iter_rows())
    assert {
        ("Lead", "Lead.csv lacks CreatedDate: read as a look-up, it starts no process"),
        ("Account", "Account.csv lacks CreatedDate: read as a look-up, it starts no process"),
        ("OpportunityHistoryGroup.csv", "is no table that source 'salesforce' declares: ignored"),
    } <= told


def test_a_developer_org_whose_dates_nobody_stated(load: Load) -> None:
    with pytest.raises(SourceError) as caught:
        load(FOLDER / "developer_org")
    message = str(caught.value)
    assert "Opportunity (Opportunity.csv): 36 of 36 rows cannot be trusted" in message
    assert "36 x CreatedDate is not a datetime: 006bm00000LKJNNAA5 (02/23/26)" in message
    assert "datetime_format='%m/%d/%Y %I:%M %p'" in message


def test_warehouse_landing_tables(load: Load) -> None:
    tables = load(FOLDER / "warehouse_seeds", table_names="sf_{}_data", max_quarantine=1.0)
    assert used(tables) == {
        "Account": 10,
        "Lead": 1,
        "Opportunity": 10,
        "Event": 10,
        "Task": 10,
        "OpportunityLineItem": 0,
        "Contact": 2,
        "Product2": 2,
        "User": 10,
        "UserRole": 0,
    }
    assert tables.clock == datetime(2019, 11, 11, 17, 23, 34, tzinfo=UTC)
    reasons = set(tables.quality.filter(disposition="quarantined").select("table", "reason").iter_rows())
    assert reasons == {
        ("OpportunityLineItem", "Id is not a Salesforce Id"),
        ("OpportunityLineItem", "OpportunityId is not a Salesforce Id"),
        ("OpportunityLineItem", "OpportunityId names no known Opportunity"),
        ("Contact", "Id is not a Salesforce Id"),
        ("UserRole", "Id is not a Salesforce Id"),
    }
    timed = tables.findings.filter(tables.findings["finding"].str.contains("times of day"))
    assert timed.select("table", "finding", "rows").rows() == [
        ("Lead", "ConvertedDate holds times of day: their day (UTC) is read", 1),
        ("Event", "ActivityDate holds times of day: their day (UTC) is read", 10),
        ("Event", "EndDate holds times of day: their day (UTC) is read", 10),
        ("Task", "ActivityDate holds times of day: their day (UTC) is read", 10),
    ]
    skipped = tables.findings.filter(finding_is := tables.findings["finding"].str.ends_with("skipped"))
    assert finding_is.sum() == 2
    assert skipped["table"].to_list() == ["AccountHistory", "OpportunityHistory"]
    totals = tables.quality.group_by("table").agg(rows="rows").sort("table")
    assert sum(map(sum, totals["rows"].to_list())) == sum(file.rows or 0 for file in tables.inputs)

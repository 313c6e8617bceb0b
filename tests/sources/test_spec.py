import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from crmmining.tables import SourceSpec

SOURCE = Path(__file__).parents[2] / "extractors" / "salesforce" / "source.toml"
CONNECTOR = {
    *("Account", "AccountHistory", "Lead", "LeadHistory", "Opportunity", "OpportunityFieldHistory"),
    *(
        "OpportunityHistory",
        "Case",
        "CaseHistory",
        "CaseMilestone",
        "CaseSolution",
        "Contact",
        "Event",
        "Task",
    ),
    *("Group", "User", "Profile", "RecordType", "Campaign", "Quote", "Product2", "Solution"),
    "_CEL_CURRENCIES",
}
LEANED_ON = {
    *("OpportunityStage", "LeadStatus", "CaseStatus", "CurrencyType", "DatedConversionRate", "BusinessHours"),
    *("Holiday", "MilestoneType", "UserRole", "CampaignMember", "OpportunityLineItem", "Entitlement"),
    *("EmailMessage", "CaseComment", "ProcessInstance", "QuoteHistory"),
}


def small() -> dict[str, Any]:
    return {
        "name": "crm",
        "tables": {
            "Deal": {"columns": {"Id": "id", "CreatedDate": "datetime"}, "required": ["CreatedDate"]},
            "DealHistory": {
                "columns": {"Id": "id", "DealId": "id", "CreatedDate": "datetime"},
                "parent": {"column": "DealId", "table": "Deal"},
                "visible_from": "CreatedDate",
            },
        },
    }


def test_the_shipped_source_declares_every_table(spec: SourceSpec) -> None:
    assert set(spec.tables) == CONNECTOR | LEANED_ON
    assert len(CONNECTOR) == 23
    assert {spec.tables[name].mandatory for name in ("Lead", "Case")} == {("Id", "CreatedDate", "Status")}
    assert spec.tables["Opportunity"].mandatory == ("Id", "CreatedDate", "StageName")
    assert spec.tables["Account"].mandatory == ("Id", "CreatedDate")


def test_only_parents_can_come_before_their_place(spec: SourceSpec) -> None:
    order = spec.parents_first
    assert sorted(order) == sorted(spec.tables)
    for name, table in spec.tables.items():
        if table.parent:
            assert order.index(table.parent.table) < order.index(name)


def test_no_column_is_read_that_depends_on_who_looks(spec: SourceSpec) -> None:
    names = {column for table in spec.tables.values() for column in table.columns}
    assert names.isdisjoint({"LastViewedDate", "LastReferencedDate", "BillingAddress", "HtmlBody"})


def test_defaults() -> None:
    spec = SourceSpec.model_validate(small())
    assert (spec.id_format, spec.org.time_zone, spec.org.fiscal_year_start, spec.org.currency) == (
        "opaque",
        "UTC",
        1,
        "USD",
    )
    assert spec.tables["Deal"].mandatory == ("Id", "CreatedDate")


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (("tables", "Deal", "required"), ["Amount"], "required names 'Amount', which is no column"),
        (("tables", "Deal", "visible_from"), "Amount", "visible_from names 'Amount', which is no column"),
        (("tables", "Deal", "visible_from"), "Id", "visible_from 'Id' must be a datetime column"),
        (("tables", "DealHistory", "parent", "column"), "X", "parent.column names 'X', which is no column"),
        (("tables", "DealHistory", "parent", "table"), "X", "parent table 'X' is not declared"),
        (("tables", "Deal", "parent"), {"column": "Id", "table": "DealHistory"}, "parents go in a circle"),
        (("tables", "Deal", "columns", "Size"), "money", "Input should be 'id', 'text'"),
        (
            ("tables", "Deal", "columns", "created_date"),
            "date",
            "'CreatedDate' and 'created_date' cannot be told",
        ),
        (("tables", "deal"), {"columns": {"Id": "id"}}, "'Deal' and 'deal' cannot be told apart"),
        (("tables", 't"; drop table x; --'), {"columns": {"Id": "id"}}, "String should match pattern"),
        (("tables", "Deal", "colums"), {}, "Extra inputs are not permitted"),
        (("org",), {"time_zone": "Berlin"}, "'Berlin' is no IANA time zone"),
        (("org",), {"fiscal_year_start": 13}, "less than or equal to 12"),
        (("org",), {"currency": "dollars"}, "String should match pattern"),
        (("id_format",), "uuid", "Input should be 'salesforce' or 'opaque'"),
    ],
)
def test_faulty_definitions_say_what_is_wrong(where: tuple[str, ...], value: object, message: str) -> None:
    faulty = small()
    place: dict[str, Any] = faulty
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = value
    with pytest.raises(ValidationError) as caught:
        SourceSpec.model_validate(faulty)
    assert message in str(caught.value)


def test_the_source_file_is_toml_a_person_can_extend() -> None:
    content = tomllib.loads(SOURCE.read_text(encoding="utf-8"))
    content["tables"]["Lead"]["columns"]["Region__c"] = "text"
    assert "Region__c" in SourceSpec.model_validate(content).tables["Lead"].columns

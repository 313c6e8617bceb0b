import pytest

from crmmining.tables.names import are_parts, canonical, match_columns, table_name


@pytest.mark.parametrize(
    ("spelled", "name"),
    [
        ("CreatedDate", "CreatedDate"),
        ("created_date", "CreatedDate"),
        ("CREATEDDATE", "CreatedDate"),
        ("createddate", "CreatedDate"),
        ("std__CreatedDate", "CreatedDate"),
        ("ssot__CreatedDate", "CreatedDate"),
        ("product_2_id", "Product2Id"),
        ("product2_id", "Product2Id"),
        ("PRODUCT2ID", "Product2Id"),
        ("foo_c", "Foo__c"),
        ("_CEL_CURRENCIES", "_CEL_CURRENCIES"),
        ("_cel_currencies", "_CEL_CURRENCIES"),
    ],
)
def test_spellings_of_one_name(spelled: str, name: str) -> None:
    assert canonical(spelled) == canonical(name)


def test_a_custom_field_is_not_the_standard_one() -> None:
    assert match_columns(["Id", "Status", "Status__c"], ["Id", "Status"]) == {"Id": [0], "Status": [1]}
    assert match_columns(["Id", "Status__c"], ["Id", "Status"]) == {"Id": [0]}


def test_where_the_key_is_suffixed_every_standard_name_is() -> None:
    raw = ["Id__c", "Status__c", "Region__c", "cdp_sys_SourceVersion__c"]
    assert match_columns(raw, ["Id", "Status"]) == {"Id": [0], "Status": [1]}
    data_model_object = ["ssot__Id__c", "std__CloseDate__c"]
    assert match_columns(data_model_object, ["Id", "CloseDate"]) == {"Id": [0], "CloseDate": [1]}


def test_columns_of_loading_tools_are_nobodys() -> None:
    raw = ["Id", "_fivetran_id", "_airbyte_id", "_sdc_id", "_dlt_id", "cdp_sys_id"]
    declared = ["Id", "FivetranId", "AirbyteId", "SdcId", "DltId", "CdpSysId"]
    assert match_columns(raw, declared) == {"Id": [0]}


def test_twins_are_reported_with_every_position() -> None:
    assert match_columns(["Id", "CreatedDate", "created_date"], ["Id", "CreatedDate"]) == {
        "Id": [0],
        "CreatedDate": [1, 2],
    }


def test_values_split_by_type_belong_together() -> None:
    raw = ["id", "newvalue__st", "newvalue__fl", "newvalue__bo"]
    assert match_columns(raw, ["Id", "NewValue"]) == {"Id": [0], "NewValue": [1, 2, 3]}
    assert are_parts(raw[1:])
    assert not are_parts(["newvalue", "newvalue__st"])
    assert match_columns([*raw, "NewValue"], ["Id", "NewValue"]) == {"Id": [0], "NewValue": [4]}


@pytest.mark.parametrize(
    ("raw", "pattern", "name"),
    [
        ("sf_opportunity_data", "sf_{}_data", "opportunity"),
        ("SF_Opportunity_DATA", "sf_{}_data", "Opportunity"),
        ("salesforce.lead", "salesforce.{}", "lead"),
        ("salesforce_history.lead", "salesforce.{}", None),
        ("Lead", "{}", "Lead"),
        ("Lead__dll", "{}__dll", "Lead"),
        ("sf__data", "sf_{}_data", None),
        ("sfxaccountxdata", "sf.{}.data", None),
    ],
)
def test_table_names_by_pattern(raw: str, pattern: str, name: str | None) -> None:
    assert table_name(raw, pattern) == name

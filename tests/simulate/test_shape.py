"""What every simulated CRM keeps to, whatever its size and seed."""

import numpy as np
import polars as pl
import pytest

from crmmining.simulator import TABLES
from crmmining.simulator.ids import KEY_PREFIXES, with_checksum

from .conftest import Tables

END = "2025-12-31T23:59:59.000Z"
PLANS = {"TargetDate", "StartDateTime", "EndDateTime", "ActivityDateTime"}
PEOPLE = {"OwnerId", "CreatedById", "LastModifiedById", "ManagerId", "SubmittedById", "LastActorId"}
TARGETS = {
    "WhoId": {"Lead", "Contact"},
    "ProductId": {"Product2"},
    "WhatId": {"Account", "Opportunity", "Case"},
    "LeadOrContactId": {"Lead", "Contact"},
    "ConvertedAccountId": {"Account"},
    "ConvertedContactId": {"Contact"},
    "ConvertedOpportunityId": {"Opportunity"},
    "RelatedToId": {"Case"},
    "SyncedQuoteId": {"Quote"},
    "TargetObjectId": {"Opportunity"},
    "ParentRoleId": {"UserRole"},
}


def targets_of(table: str, column: str) -> set[str]:
    if column in PEOPLE:
        queues = column == "OwnerId" and table in {"Lead", "Case"}
        return {"User", "Group"} if queues else {"User"}
    if column == "ParentId":
        return {"Account"} if table == "Account" else {"Case"}
    return TARGETS.get(column, {column.removesuffix("Id")})


def test_every_table_is_there(small: Tables) -> None:
    assert set(small) == TABLES
    assert [name for name, table in small.items() if table.is_empty()] == []


def test_ids_are_unique_sorted_and_pass_their_checksum(small: Tables) -> None:
    everything = pl.concat([table["Id"] for name, table in small.items() if name in KEY_PREFIXES])
    assert everything.n_unique() == len(everything)
    assert everything.str.len_bytes().unique().to_list() == [18]
    codes = np.frombuffer("".join(everything).encode(), dtype=np.uint8).reshape(-1, 18)
    assert np.array_equal(with_checksum(codes[:, :15]), codes)
    for name, prefix in KEY_PREFIXES.items():
        assert small[name]["Id"].is_sorted(), name
        assert small[name]["Id"].str.head(3).unique().to_list() == [prefix]


def test_every_reference_leads_to_a_record_of_the_right_table(small: Tables) -> None:
    ids = {name: set(table["Id"]) for name, table in small.items() if name in KEY_PREFIXES}
    checked = 0
    for name, table in small.items():
        for column in table.columns:
            if column.endswith("Id") and column != "Id":
                used = set(table[column].drop_nulls())
                known = set().union(*(ids[target] for target in targets_of(name, column)))
                assert used <= known, (name, column)
                assert used, (name, column)
                checked += 1
    assert checked > 100


def test_nothing_is_recorded_after_the_end(small: Tables) -> None:
    for name, table in small.items():
        for column in table.columns:
            texts = table[column].drop_nulls()
            if column not in PLANS and texts.dtype == pl.String and texts.str.contains(r"^\d{4}-.*Z$").any():
                assert texts.str.contains(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$").all(), (name, column)
                assert str(texts.max()) <= END, (name, column)
                assert str(texts.min()) >= "2022-12-15", (name, column)


def test_records_change_after_they_are_created(small: Tables) -> None:
    for name, table in small.items():
        if {"CreatedDate", "SystemModstamp"} <= set(table.columns):
            assert (table["SystemModstamp"] >= table["CreatedDate"]).all(), name
    parents = [
        ("LeadHistory", "Lead"),
        ("CaseHistory", "Case"),
        ("AccountHistory", "Account"),
        ("OpportunityFieldHistory", "Opportunity"),
    ]
    for child, parent in parents:
        last = small[child].group_by(f"{parent}Id").agg(pl.col("CreatedDate").max().alias("saved"))
        late = last.join(small[parent], left_on=f"{parent}Id", right_on="Id").filter(
            pl.col("saved") > pl.col("SystemModstamp")
        )
        assert late.is_empty(), child


FIELDS = {
    ("Lead", "LeadHistory"): {"Status": "Status", "Owner": "OwnerId", "Rating": "Rating"},
    ("Case", "CaseHistory"): {
        "Status": "Status",
        "Owner": "OwnerId",
        "Priority": "Priority",
        "IsEscalated": "IsEscalated",
    },
    ("Opportunity", "OpportunityFieldHistory"): {
        "StageName": "StageName",
        "Owner": "OwnerId",
        "Amount": "Amount",
        "CloseDate": "CloseDate",
        "Probability": "Probability",
    },
    ("Account", "AccountHistory"): {
        "Type": "Type",
        "Owner": "OwnerId",
        "Rating": "Rating",
        "TextName": "Name",
        "Parent": "ParentId",
    },
}


@pytest.mark.parametrize(("record", "history"), FIELDS)
def test_chains_hold_and_end_in_the_record(small: Tables, record: str, history: str) -> None:
    parent = f"{record}Id"
    owners = {"ownerAccepted": "Owner", "ownerEscalated": "Owner"}
    pairs = pl.col("Field").replace(owners).is_in(["Owner", "Parent"])
    changes = (
        small[history]
        .filter(~pairs | (pl.col("DataType") == "EntityId"))
        .with_columns(pl.col("Field").replace(owners))
        .sort("CreatedDate", "Id")
    )
    for field, column in FIELDS[record, history].items():
        rows = changes.filter(pl.col("Field") == field)
        before = rows.with_columns(
            previous=pl.col("NewValue").shift().over(parent), first=pl.int_range(pl.len()).over(parent) == 0
        )
        broken = before.filter(~pl.col("first") & pl.col("previous").ne_missing(pl.col("OldValue")))
        assert broken.is_empty(), field
        assert rows.filter(pl.col("OldValue").eq_missing(pl.col("NewValue"))).is_empty(), field
        last = rows.group_by(parent).agg(pl.col("NewValue").last())
        now = last.join(small[record].select("Id", now=column), left_on=parent, right_on="Id")
        assert now.height > 0, field
        assert now.filter(pl.col("NewValue").ne_missing(pl.col("now"))).is_empty(), field


def test_one_creation_row_per_record_and_none_for_initial_values(small: Tables) -> None:
    marks = {
        ("Lead", "LeadHistory"): {"created"},
        ("Case", "CaseHistory"): {"created"},
        ("Account", "AccountHistory"): {"created", "accountCreatedFromLead"},
        ("Opportunity", "OpportunityFieldHistory"): {"created", "opportunityCreatedFromLead"},
    }
    for (record, history), names in marks.items():
        rows = small[history].filter(pl.col("Field").is_in(names))
        assert set(rows["Field"]) == names
        assert rows.height == small[record].height
        together = rows.join(small[record], left_on=f"{record}Id", right_on="Id")
        assert (together["CreatedDate"] == together["CreatedDate_right"]).all()
        assert (together["CreatedById"] == together["CreatedById_right"]).all()
        assert rows["OldValue"].null_count() == rows["NewValue"].null_count() == rows.height


def test_owner_changes_come_as_a_row_of_names_and_a_row_of_ids(small: Tables) -> None:
    people = dict(
        pl.concat([small["User"].select("Id", "Name"), small["Group"].select("Id", "Name")]).iter_rows()
    )
    for history, parent in (("LeadHistory", "LeadId"), ("CaseHistory", "CaseId")):
        rows = small[history].filter(pl.col("Field").str.starts_with("owner") | (pl.col("Field") == "Owner"))
        names, ids = (rows.filter(pl.col("DataType") == kind) for kind in ("Text", "EntityId"))
        assert names.height == ids.height > 20
        pairs = names.join(ids, on=[parent, "CreatedDate", "CreatedById", "Field"])
        assert pairs.height == names.height
        for old, new in (("OldValue", "OldValue_right"), ("NewValue", "NewValue_right")):
            assert (pairs[new].replace_strict(people) == pairs[old]).all()
        assert set(rows["Field"]) >= {"Owner", "ownerAccepted"}


def test_snapshots_tell_the_same_story_as_field_history(small: Tables) -> None:
    snapshots = small["OpportunityHistory"].sort("OpportunityId", "CreatedDate", "Id")
    first = snapshots.group_by("OpportunityId", maintain_order=True).first()
    assert first.height == small["Opportunity"].height
    assert first["PrevCloseDate"].null_count() == first.height
    moves = snapshots.with_columns(
        old=pl.col("StageName").shift().over("OpportunityId"),
        old_amount=pl.col("Amount").shift().over("OpportunityId"),
        old_close=pl.col("CloseDate").shift().over("OpportunityId"),
    ).filter(pl.col("old").is_not_null())
    assert moves["PrevAmount"].eq_missing(moves["old_amount"]).all()
    assert moves["PrevCloseDate"].eq_missing(moves["old_close"]).all()
    columns = ["OpportunityId", "CreatedDate", "OldValue", "NewValue"]
    staged = moves.filter(pl.col("old") != pl.col("StageName")).select(
        "OpportunityId", "CreatedDate", OldValue="old", NewValue="StageName"
    )
    tracked = small["OpportunityFieldHistory"].filter(pl.col("Field") == "StageName").select(columns)
    assert staged.sort(columns).equals(tracked.sort(columns))


def test_conversion_happens_in_one_second(small: Tables) -> None:
    marks = small["LeadHistory"].filter(pl.col("Field") == "leadConverted")
    leads = small["Lead"].filter(pl.col("IsConverted") == "true")
    assert leads.height == marks.height > 50
    leads = leads.join(marks.select("LeadId", at="CreatedDate"), left_on="Id", right_on="LeadId")
    assert (leads["ConvertedDate"] == leads["at"].str.head(10)).all()
    contacts = leads.join(small["Contact"], left_on="ConvertedContactId", right_on="Id")
    assert (contacts["CreatedDate_right"] == contacts["at"]).all()
    deals = leads.join(small["Opportunity"], left_on="ConvertedOpportunityId", right_on="Id")
    assert 0 < deals.height < leads.height
    assert (deals["CreatedDate_right"] == deals["at"]).all()
    assert (deals["AccountId"] == deals["ConvertedAccountId"]).all()
    accounts = leads.join(small["Account"], left_on="ConvertedAccountId", right_on="Id")
    existing = (accounts["CreatedDate_right"] < accounts["at"]).sum()
    assert 0 < existing < leads.height
    assert (accounts["CreatedDate_right"] <= accounts["at"]).all()


def test_activities_of_a_converted_lead_have_moved(small: Tables) -> None:
    converted = small["Lead"].filter(pl.col("IsConverted") == "true")
    for table in ("Task", "Event"):
        assert not set(small[table]["WhoId"].drop_nulls()) & set(converted["Id"])
    moved = small["Task"].join(converted, left_on="WhoId", right_on="ConvertedContactId")
    early = moved.filter(pl.col("CreatedDate") < pl.col("LastModifiedDate_right"))
    assert early.height > 20
    with_deal = early.filter(pl.col("ConvertedOpportunityId").is_not_null())
    assert (with_deal["WhatId"] == with_deal["ConvertedOpportunityId"]).all()


def test_lines_add_up_to_the_amount(small: Tables) -> None:
    lines = small["OpportunityLineItem"].select("OpportunityId", pl.col("TotalPrice").cast(pl.Float64))
    total = lines.group_by("OpportunityId").agg(pl.col("TotalPrice").sum())
    deals = total.join(small["Opportunity"], left_on="OpportunityId", right_on="Id")
    assert (deals["Amount"].cast(pl.Float64) == deals["TotalPrice"]).all()
    assert set(deals["HasOpportunityLineItem"]) == {"true"}


def test_closed_cases_know_when(small: Tables) -> None:
    cases = small["Case"]
    assert (cases["ClosedDate"].is_not_null() == (cases["IsClosed"] == "true")).all()
    last = (
        small["CaseHistory"]
        .filter((pl.col("Field") == "Status") & (pl.col("NewValue") == "Closed"))
        .group_by("CaseId")
        .agg(pl.col("CreatedDate").max())
    )
    closed = cases.filter(pl.col("IsClosed") == "true")
    together = closed.join(last, left_on="Id", right_on="CaseId", how="left")
    born = pl.col("IsClosedOnCreate") == "true"
    assert together.filter(~born & (pl.col("CreatedDate_right") != pl.col("ClosedDate"))).is_empty()
    assert together.filter(born & pl.col("CreatedDate_right").is_null()).height > 0


def test_milestones_are_violated_as_of_the_end(small: Tables) -> None:
    rows = small["CaseMilestone"].with_columns(done=pl.col("CompletionDate").fill_null(END))
    assert (rows["IsViolated"] == (rows["done"] > rows["TargetDate"]).cast(pl.String)).all()
    assert set(rows["IsViolated"]) == {"true", "false"}
    assert (rows["IsCompleted"] == rows["CompletionDate"].is_not_null().cast(pl.String)).all()


def test_flags_follow_the_picklists(small: Tables) -> None:
    stages = small["OpportunityStage"].select("ApiName", closed="IsClosed", won="IsWon")
    deals = small["Opportunity"].join(stages, left_on="StageName", right_on="ApiName")
    assert deals.height == small["Opportunity"].height
    assert (deals["IsClosed"] == deals["closed"]).all()
    assert (deals["IsWon"] == deals["won"]).all()
    statuses = small["CaseStatus"].select("ApiName", closed="IsClosed")
    cases = small["Case"].join(statuses, left_on="Status", right_on="ApiName")
    assert cases.height == small["Case"].height
    assert (cases["IsClosed"] == cases["closed"]).all()


def test_currency_rates_follow_each_other(small: Tables) -> None:
    rates = small["DatedConversionRate"].sort("IsoCode", "StartDate")
    following = rates.with_columns(next=pl.col("StartDate").shift(-1).over("IsoCode"))
    assert following["NextStartDate"].eq_missing(following["next"]).all()
    assert set(rates.filter(pl.col("IsoCode") == "USD")["ConversionRate"]) == {"1.0"}
    flat = small["_CEL_CURRENCIES"]
    assert flat.columns == ["CurrencyIsoCode", "ConversionRate", "StartDate", "NextStartDate", "IsCorporate"]
    assert flat.height == rates.height == 4 * 36


def test_the_mechanisms_leave_their_marks(small: Tables) -> None:
    deals = small["OpportunityFieldHistory"].filter(pl.col("Field") == "StageName")
    order = dict(small["OpportunityStage"].select("ApiName", pl.col("SortOrder").cast(pl.Int64)).iter_rows())
    step = deals["NewValue"].replace_strict(order) - deals["OldValue"].replace_strict(order)
    open_ones = ~deals["NewValue"].str.starts_with("Closed") & ~deals["OldValue"].str.starts_with("Closed")
    steps = set(step.filter(open_ones))
    assert steps == {-1, 1, 2}
    assert deals.filter(pl.col("OldValue") == "Closed Lost").height > 0
    statuses = small["LeadHistory"].filter(pl.col("Field") == "Status")
    recycled = statuses.filter(pl.col("OldValue") == "Closed - Not Converted")
    assert set(recycled["NewValue"]) == {"Working - Contacted", "Nurturing"}
    case_status = small["CaseHistory"].filter(pl.col("Field") == "Status")
    assert case_status.filter(pl.col("OldValue") == "Closed").height > 5
    assert {"Waiting on Customer", "Escalated"} <= set(case_status["NewValue"])
    assert set(small["Quote"]["Status"]) == {"Draft", "Presented", "Accepted", "Denied"}
    assert small["Case"].filter(pl.col("OwnerId").str.starts_with("00G")).height > 0

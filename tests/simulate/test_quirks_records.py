"""Quirks of whole records: merged, deleted, migrated, people as accounts, changed by the hundred."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
from polars.testing import assert_frame_equal

from crmmining.simulator.tables import HISTORIES

from .soiled import ADMINISTRATOR, Soiled, number_of, soiled

BULK = datetime(2024, 9, 15, 2, tzinfo=UTC)
CLOSING = datetime(2025, 6, 30, 22, tzinfo=UTC)
GO_LIVE = datetime(2023, 3, 1, tzinfo=UTC)
ACCOUNT_COLUMNS = [
    ("Contact", "AccountId"), ("Opportunity", "AccountId"), ("Case", "AccountId"), ("Quote", "AccountId"),
    ("Entitlement", "AccountId"), ("Task", "AccountId"), ("Task", "WhatId"), ("Event", "AccountId"),
    ("Event", "WhatId"), ("Lead", "ConvertedAccountId"), ("Account", "ParentId"),
]  # fmt: skip


def same_but_for(made: Soiled, table: str, *columns: str) -> None:
    """The table has the same rows, and differs in these columns only."""
    there = [name for name in made.clean[table].columns if name not in columns]
    assert_frame_equal(made.tables[table].select(there), made.clean[table].select(there))


def joined(made: Soiled, table: str) -> pl.DataFrame:
    """Rows that the truth lists, with what they were in columns _right."""
    return made.rows(table).join(made.clean[table], on="Id")


def test_merged_accounts_form_chains_of_two() -> None:
    made = soiled("merged_accounts")
    accounts = made.tables["Account"]
    losers = made.rows("Account")
    assert losers["Id"].sort().to_list() == made.listed
    assert len(made.listed) > 20
    assert losers["IsDeleted"].all()
    assert not accounts.filter(~pl.col("Id").is_in(made.listed))["IsDeleted"].any()
    assert accounts["MasterRecordId"].count() == losers.height
    first = losers.filter(pl.col("MasterRecordId").is_in(made.listed))
    chain = first.join(losers, left_on="MasterRecordId", right_on="Id")
    assert chain.height == losers.height // 2
    assert not chain["MasterRecordId_right"].is_in(made.listed).any()
    assert (chain["SystemModstamp_right"] > chain["SystemModstamp"]).all()
    numbers = [number_of(chain[name]) for name in ("Id", "MasterRecordId", "MasterRecordId_right")]
    assert (numbers[0] % 10 == 1).all()  # written from 1, counted from 0
    assert (numbers[1] == numbers[0] + 1).all()
    assert (numbers[2] == numbers[0] + 2).all()


def test_merged_accounts_leave_marks_and_no_history_afterwards() -> None:
    made = soiled("merged_accounts")
    losers = made.rows("Account").select(loser="Id", AccountId="MasterRecordId", at="SystemModstamp")
    marks = made.new("AccountHistory")
    assert set(marks["Field"]) == {"accountMerged"}
    assert set(marks["CreatedById"]) == {ADMINISTRATOR}
    both = marks.join(losers, left_on=["AccountId", "CreatedDate"], right_on=["AccountId", "at"])
    assert both.height == marks.height == losers.height
    late = made.tables["AccountHistory"].join(losers, left_on="AccountId", right_on="loser")
    assert (late["CreatedDate"] <= late["at"] - timedelta(hours=7)).all()
    assert late.height > losers.height
    winners = made.tables["Account"].join(losers, left_on="Id", right_on="AccountId")
    assert (winners["LastModifiedDate"] >= winners["at"]).all()


def test_children_of_merged_accounts_belong_to_the_last_winner() -> None:
    made = soiled("merged_accounts")
    master = dict(made.rows("Account").select("Id", "MasterRecordId").iter_rows())
    moved = 0
    for table, column in ACCOUNT_COLUMNS:
        before, after = made.clean[table], made.tables[table]
        if table != "Lead":
            assert not set(after[column].drop_nulls()) & set(master), (table, column)
        wanted = before[column].replace(master).replace(master)
        itself = after["Id"] == wanted
        assert after[column].eq_missing(wanted.set(itself.fill_null(value=False), None)).all(), (
            table,
            column,
        )
        moved += before.filter(pl.col(column).is_in(made.listed)).height
    assert moved > 100


def test_merged_leads() -> None:
    made = soiled("merged_leads")
    assert made.touched() == {"Lead", "LeadHistory", "Task", "CampaignMember"}
    losers = made.rows("Lead")
    assert losers["Id"].sort().to_list() == made.listed
    assert len(made.listed) == 14
    assert losers["IsDeleted"].all()
    assert not losers["IsConverted"].any()
    winners = losers.join(made.tables["Lead"], left_on="MasterRecordId", right_on="Id")
    assert winners.height == losers.height
    assert not winners["IsDeleted_right"].any()
    assert not winners["IsConverted_right"].any()
    marks = made.new("LeadHistory")
    assert set(marks["Field"]) == {"leadMerged"}
    assert sorted(marks["LeadId"]) == sorted(losers["MasterRecordId"])
    master = dict(losers.select("Id", "MasterRecordId").iter_rows())
    for table, column in (("Task", "WhoId"), ("Event", "WhoId"), ("CampaignMember", "LeadOrContactId")):
        assert made.tables[table][column].eq_missing(made.clean[table][column].replace(master)).all()
        same_but_for(made, table, "WhoId", "LeadId", "LeadOrContactId", "SystemModstamp")
    assert made.clean["Task"]["WhoId"].is_in(made.listed).sum() > 10


def test_deleted_opportunities_take_their_rows_along() -> None:
    made = soiled("deleted_opportunities")
    deals = joined(made, "Opportunity")
    assert deals["Id"].sort().to_list() == made.listed
    assert len(made.listed) > 10
    assert deals["IsDeleted"].all()
    assert deals["IsClosed"].all()
    assert (deals["SystemModstamp"] >= deals["SystemModstamp_right"] + timedelta(days=10)).all()
    for table in ("OpportunityFieldHistory", "OpportunityHistory", "Quote", "OpportunityLineItem"):
        same_but_for(made, table, "IsDeleted")
        rows = made.tables[table]
        assert (rows["IsDeleted"] == rows["OpportunityId"].is_in(made.listed)).all()
        assert rows["IsDeleted"].any()
        last = rows.filter("IsDeleted").join(
            deals.select("Id", gone="SystemModstamp"), left_on="OpportunityId", right_on="Id"
        )
        assert (last["CreatedDate"] < last["gone"]).all()
    same_but_for(made, "Opportunity", "IsDeleted", "LastModifiedDate", "LastModifiedById", "SystemModstamp")


def test_back_dated_records_are_older_than_their_history() -> None:
    made = soiled("back_dated")
    assert made.truth["before"] == "2023-03-01"
    found = 0
    for table, (record, parent) in HISTORIES.items():
        both = joined(made, record)
        found += both.height
        assert (both["CreatedDate_right"] < GO_LIVE).all()
        assert (both["CreatedDate"].dt.year() == 2018).all()
        assert (both["CreatedDate"].dt.offset_by("5y") == both["CreatedDate_right"]).all()
        rows = made.tables[table].filter(pl.col(parent).is_in(both["Id"].implode()))
        assert "created" not in set(rows["Field"])
        assert made.gone(table)["Field"].unique().to_list() == ["created"]
        same_but_for(made, record, "CreatedDate")
    assert found == len(made.listed) > 30


def test_people_as_accounts_have_a_shadow() -> None:
    made = soiled("person_accounts")
    people = made.rows("Account")
    assert people["Id"].sort().to_list() == made.listed
    assert len(made.listed) > 8
    assert people["IsPersonAccount"].all()
    shadows = people.join(made.tables["Contact"], left_on="PersonContactId", right_on="Id")
    assert (shadows["AccountId"] == shadows["Id"]).all()
    assert shadows["IsPersonAccount_right"].all()
    others = made.tables["Account"].filter(~pl.col("Id").is_in(made.listed))
    assert not others["IsPersonAccount"].any()
    assert others["PersonContactId"].null_count() == others.height
    contacts = made.tables["Contact"]
    assert contacts["IsPersonAccount"].sum() == people.height == shadows.height
    alone = contacts.filter(pl.col("AccountId").is_in(made.listed))
    assert alone.height == people.height
    merged = soiled("merged_accounts").listed
    assert not set(made.listed) & set(merged)


def test_conversions_into_a_contact_that_was_there() -> None:
    made = soiled("existing_contacts")
    leads = joined(made, "Lead")
    assert leads["Id"].sort().to_list() == made.listed
    assert leads.height > 5
    assert sorted(made.gone("Contact")["Id"]) == sorted(leads["ConvertedContactId_right"])
    old = leads.join(made.tables["Contact"], left_on="ConvertedContactId", right_on="Id", suffix="_contact")
    assert (old["AccountId"] == old["ConvertedAccountId"]).all()
    assert (old["CreatedDate_contact"] < old["LastModifiedDate"]).all()
    contacts = dict(leads.select("ConvertedContactId_right", "ConvertedContactId").iter_rows())
    for table, column in (
        ("Task", "WhoId"),
        ("Event", "WhoId"),
        ("Opportunity", "ContactId"),
        ("CampaignMember", "ContactId"),
        ("CampaignMember", "LeadOrContactId"),
        ("Case", "ContactId"),
        ("Quote", "ContactId"),
    ):
        assert made.tables[table][column].eq_missing(made.clean[table][column].replace(contacts)).all()
    assert made.clean["Task"]["WhoId"].is_in(list(contacts)).sum() > 5


def test_a_bulk_update_saves_every_lead_in_one_second() -> None:
    made = soiled("bulk_update")
    assert made.touched() == {"Lead", "LeadHistory"}
    assert made.truth["at"] == "2024-09-15T02:00:00+00:00"
    rows = made.new("LeadHistory")
    assert rows["Id"].sort().to_list() == made.listed
    there = made.clean["Lead"].filter(
        (pl.col("CreatedDate") <= BULK)
        & (pl.col("ConvertedDate").is_null() | (pl.col("ConvertedDate") >= date(2024, 9, 15)))
    )
    assert sorted(rows["LeadId"]) == sorted(there["Id"])
    assert rows.height > 200
    assert rows.select("Field", "CreatedDate", "CreatedById").unique().rows() == [
        ("Country", BULK, ADMINISTRATOR)
    ]
    codes = {"United States": "US", "Germany": "DE", "Japan": "JP", "Brazil": "BR"}
    assert set(rows.select("OldValue", "NewValue").iter_rows()) == set(codes.items())
    leads = made.tables["Lead"].join(rows.select(Id="LeadId", told="NewValue"), on="Id")
    assert (leads["Country"] == leads["told"]).all()
    assert (leads["LastModifiedDate"] >= BULK).all()
    silent = leads.filter(pl.col("LastModifiedDate") == BULK)
    assert set(silent["LastModifiedById"]) == {ADMINISTRATOR}
    assert silent.height > 100
    same_but_for(made, "Lead", "Country", "LastModifiedDate", "LastModifiedById", "SystemModstamp")


def test_a_mass_closing_at_a_months_end() -> None:
    made = soiled("mass_close")
    assert made.touched() == {"Opportunity", "OpportunityFieldHistory", "OpportunityHistory"}
    assert made.truth["at"] == "2025-06-30T22:00:00+00:00"
    rows, snapshots = made.new("OpportunityFieldHistory"), made.new("OpportunityHistory")
    assert sorted([*rows["Id"], *snapshots["Id"]]) == made.listed
    stages = rows.filter(pl.col("Field") == "StageName")
    assert stages.height == snapshots.height > 20
    assert set(rows["Field"]) == {"StageName", "Probability", "CloseDate"}
    assert set(rows["CreatedDate"]) == set(snapshots["CreatedDate"]) == {CLOSING}
    assert set(rows["CreatedById"]) == set(snapshots["CreatedById"]) == {ADMINISTRATOR}
    deals = made.tables["Opportunity"].filter(pl.col("Id").is_in(stages["OpportunityId"].implode()))
    was = made.clean["Opportunity"].filter(pl.col("Id").is_in(stages["OpportunityId"].implode()))
    assert not was["IsClosed"].any()
    assert (was["SystemModstamp"] < CLOSING).all()
    now = deals.select(
        "StageName", "IsClosed", "IsWon", "Probability", "ForecastCategory", "CloseDate",
        "LastStageChangeDate", "SystemModstamp", "FiscalYear", "FiscalQuarter", "Fiscal",
    ).unique()  # fmt: skip
    assert now.rows() == [
        ("Closed Lost", True, False, 0.0, "Omitted", date(2025, 6, 30), CLOSING, CLOSING, 2025, 2, "2025 2")
    ]
    told = {
        field: dict(rows.filter(pl.col("Field") == field).select("OpportunityId", "OldValue").iter_rows())
        for field in ("StageName", "Probability", "CloseDate")
    }
    for deal in was.iter_rows(named=True):
        assert told["StageName"][deal["Id"]] == deal["StageName"]
        assert told["Probability"][deal["Id"]] == str(deal["Probability"])
        assert told["CloseDate"][deal["Id"]] == str(deal["CloseDate"])
    both = snapshots.join(was, left_on="OpportunityId", right_on="Id")
    assert both["Amount"].eq_missing(both["Amount_right"]).all()
    assert both["PrevAmount"].eq_missing(both["Amount_right"]).all()
    assert (both["PrevCloseDate"] == both["CloseDate_right"]).all()
    assert set(both["StageName"]) == {"Closed Lost"}

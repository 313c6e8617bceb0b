"""Quirks of values and of what people and machines do."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
from polars.testing import assert_frame_equal

from crmmining.simulator.ids import KEY_PREFIXES

from .soiled import AUTOMATION, Soiled, soiled

RENAMED = datetime(2024, 3, 1, tzinfo=UTC)
RENEWALS = {
    "Prospecting": "Renewal Due",
    "Qualification": "Renewal Planned",
    "Needs Analysis": "Renewal Review",
    "Value Proposition": "Renewal Value",
    "Id. Decision Makers": "Renewal Sponsor",
    "Perception Analysis": "Renewal Feedback",
    "Proposal/Price Quote": "Renewal Offer",
    "Negotiation/Review": "Renewal Terms",
}


def changed(made: Soiled, table: str, *columns: str) -> pl.DataFrame:
    """Rows the truth lists, with what they were in columns _right; all else is as it was."""
    there = [name for name in made.clean[table].columns if name not in columns]
    assert_frame_equal(made.tables[table].select(there), made.clean[table].select(there))
    rest = ~pl.col("Id").is_in(made.listed)
    kept = made.tables[table].select(made.clean[table].columns)
    assert_frame_equal(kept.filter(rest), made.clean[table].filter(rest))
    return made.rows(table).join(made.clean[table], on="Id")


def test_record_types_have_stages_of_their_own() -> None:
    made = soiled("record_type_stages")
    assert made.touched() == {
        "Opportunity",
        "OpportunityHistory",
        "OpportunityFieldHistory",
        "OpportunityStage",
    }
    kind = made.clean["RecordType"].filter(pl.col("DeveloperName") == "Existing_Business")["Id"].item()
    deals = changed(made, "Opportunity", "StageName")
    assert set(deals["RecordTypeId"]) == {kind}
    assert made.clean["Opportunity"].filter(pl.col("RecordTypeId") == kind).height == deals.height
    assert (deals["StageName"] == deals["StageName_right"].replace(RENEWALS)).all()
    mine = pl.col("OpportunityId").is_in(made.listed)
    stages = pl.col("Field") == "StageName"
    for table, columns in (
        ("OpportunityHistory", ["StageName"]),
        ("OpportunityFieldHistory", ["OldValue", "NewValue"]),
    ):
        where = mine & stages if "Field" in made.clean[table].columns else mine
        before, after = made.clean[table], made.tables[table]
        assert_frame_equal(after.filter(~where), before.filter(~where))
        wanted = before.filter(where).with_columns(pl.col(columns).replace(RENEWALS))
        assert_frame_equal(after.filter(where), wanted)
        assert wanted.height > 100
    new = made.new("OpportunityStage")
    assert dict(new.select("ApiName", "SortOrder").iter_rows()) == {
        name: number for number, name in enumerate(RENEWALS.values(), 11)
    }
    assert new["DefaultProbability"].to_list() == [10, 10, 20, 50, 60, 70, 75, 90]
    assert made.truth["stages"] == {"Existing_Business": list(RENEWALS.values())}


OLD_NAMES = {
    "Perception Check": "Perception Analysis",
    "Pending Customer": "Waiting on Customer",
    "On Hold": "Nurturing",
}


def test_renamed_values_stay_in_old_history() -> None:
    made = soiled("renamed_values")
    assert made.truth["old"] == OLD_NAMES
    assert made.truth["at"] == "2024-03-01"
    histories = {"OpportunityHistory", "OpportunityFieldHistory", "CaseHistory", "LeadHistory"}
    assert made.touched() == histories
    listed = 0
    for table in sorted(histories):
        columns = ["StageName"] if table == "OpportunityHistory" else ["OldValue", "NewValue"]
        rows = changed(made, table, *columns)
        listed += rows.height
        assert rows.height > 5
        assert (rows["CreatedDate"] < RENAMED).all()
        for column in columns:
            assert rows[column].replace(OLD_NAMES).eq_missing(rows[f"{column}_right"]).all()
        early = made.tables[table].filter(pl.col("CreatedDate") < RENAMED)
        assert early.filter(pl.any_horizontal(pl.col(columns).is_in(list(OLD_NAMES.values())))).is_empty()
    assert listed == len(made.listed)


def test_before_the_renaming_the_old_names_are_the_names() -> None:
    made = soiled("renamed_values", until=datetime(2024, 2, 1))  # noqa: DTZ001  read as UTC
    for picklist, record, column in (
        ("OpportunityStage", "Opportunity", "StageName"),
        ("CaseStatus", "Case", "Status"),
        ("LeadStatus", "Lead", "Status"),
    ):
        assert made.tables[picklist]["ApiName"].replace(OLD_NAMES).equals(made.clean[picklist]["ApiName"])
        names = made.tables[record][column]
        assert names.replace(OLD_NAMES).equals(made.clean[record][column])
        assert not names.is_in(list(OLD_NAMES.values())).any()
    assert {"On Hold"} <= set(made.tables["Lead"]["Status"])


def test_labels_and_activity_of_picklists() -> None:
    made = soiled("inactive_stage")
    assert made.touched() == {"OpportunityStage"}
    rows = changed(made, "OpportunityStage", "IsActive")
    assert rows.select("ApiName", "IsActive").rows() == [("Id. Decision Makers", False)]
    made = soiled("translated_labels")
    assert made.touched() == {"OpportunityStage", "CaseStatus", "LeadStatus"}
    labels = {
        name: label
        for table in made.touched()
        for name, label in changed(made, table, "MasterLabel").select("ApiName", "MasterLabel").iter_rows()
    }
    assert labels["Closed Won"] == "Gewonnen"
    assert labels["Working"] == "In Arbeit"
    assert len(labels) == len(made.listed) == 9
    made = soiled("inactive_currency")
    rows = changed(made, "CurrencyType", "IsActive")
    assert rows.select("IsoCode", "IsActive").rows() == [("GBP", False)]


def test_money_without_a_rate() -> None:
    made = soiled("missing_rates")
    deals = changed(made, "Opportunity", "CurrencyIsoCode")
    assert deals["Id"].sort().to_list() == made.listed
    assert deals.height > 3
    assert set(deals["CurrencyIsoCode"]) == {"CHF"}
    assert "CHF" not in set(made.tables["CurrencyType"]["IsoCode"])
    for table in ("OpportunityHistory", "OpportunityLineItem", "Quote"):
        rows = made.tables[table]
        mine = rows["OpportunityId"].is_in(made.listed)
        assert ((rows["CurrencyIsoCode"] == "CHF") == mine).all()
    assert made.truth["gap"] == {"currency": "EUR", "month": "2024-05-01"}
    gone = made.gone("DatedConversionRate")
    assert gone.select("IsoCode", "StartDate").rows() == [("EUR", date(2024, 5, 1))]
    assert made.tables["_CEL_CURRENCIES"].height == made.clean["_CEL_CURRENCIES"].height - 1


def test_people_who_left() -> None:
    made = soiled("inactive_users")
    people = changed(made, "User", "IsActive")
    assert people.height == len(made.listed) > 5
    assert not people["IsActive"].any()
    assert people["Department"].null_count() == 0


def test_short_ids_stand_for_the_long_ones() -> None:
    made = soiled("short_ids")
    short = 0
    for table, before in made.clean.items():
        after = made.tables[table]
        if after.equals(before):
            continue
        assert after.height == before.height
        for column in before.columns:
            if before[column].equals(after[column]):
                continue
            assert before.schema[column] == pl.String
            cut = after[column].str.len_bytes() == 15
            touched = before[column].ne_missing(after[column])
            assert (after[column] == before[column].str.head(15)).filter(touched).all()
            assert cut.filter(touched).all()
            assert before["Id"].filter(touched).is_in(made.listed).all()
            short += int(touched.sum())
    assert short > 1000
    twins = made.texts("twins")
    assert "0065e000000000A" in {text[:15] for text in twins}
    assert "0065e000000000a" in {text[:15] for text in twins}
    lower = pl.Series(twins).str.head(15).str.to_lowercase()
    assert lower.is_duplicated().all()
    ids = made.tables["Opportunity"]["Id"]
    assert {text[:15] for text in twins} <= set(ids)
    named = made.tables["LeadHistory"].filter(pl.col("LeadId").str.len_bytes() == 15)
    assert 0.05 < named.height / made.tables["LeadHistory"].height < 0.15


def test_machines_answer_and_change() -> None:
    made = soiled("robots")
    assert made.touched() == {"EmailMessage", "Task", "CaseHistory", "LeadHistory"}
    answers = made.new("EmailMessage")
    assert set(answers["CreatedById"]) == {AUTOMATION}
    assert not answers["Incoming"].any()
    cases = answers.join(made.clean["Case"], left_on="ParentId", right_on="Id")
    assert (cases["CreatedDate"] == cases["CreatedDate_right"] + timedelta(seconds=30)).all()
    assert set(cases["Origin"]) == {"Email"}
    tasks = changed(made, "Task", "OwnerId", "CreatedById")
    assert set(tasks["OwnerId"]) == set(tasks["CreatedById"]) == {AUTOMATION}
    assert "Task" not in set(tasks["TaskSubtype"])
    for table, field in (("CaseHistory", "Priority"), ("LeadHistory", "Rating")):
        rows = changed(made, table, "CreatedById")
        assert set(rows["Field"]) == {field}
        assert set(rows["CreatedById"]) == {AUTOMATION}
    assert sorted(set(made.listed)) == made.listed
    assert answers.height > 50
    assert tasks.height > 30


def test_odd_tasks() -> None:
    made = soiled("queue_tasks")
    tasks = changed(made, "Task", "OwnerId")
    queues = made.clean["Group"].filter(pl.col("Type") == "Queue")["Id"]
    assert tasks["OwnerId"].is_in(queues.implode()).all()
    assert tasks.height == len(made.listed) > 20
    for quirk, planned in (("undated_tasks", False), ("undated_plans", True)):
        made = soiled(quirk)
        tasks = changed(made, "Task", "CompletedDateTime")
        assert tasks["CompletedDateTime"].null_count() == tasks.height == len(made.listed) > 50
        assert tasks["IsClosed"].all()
        assert ((tasks["TaskSubtype"] == "Task") == planned).all()


def test_series_of_tasks_and_copies_of_meetings() -> None:
    made = soiled("recurring_tasks")
    masters = made.new("Task")
    assert masters["Id"].sort().to_list() == made.listed
    assert masters["IsRecurrence"].all()
    assert not masters["IsClosed"].any()
    assert masters["CompletedDateTime"].null_count() == masters.height > 20
    parts = made.tables["Task"].filter(~pl.col("IsRecurrence") & pl.col("RecurrenceActivityId").is_not_null())
    assert sorted(parts["RecurrenceActivityId"]) == made.listed
    made = soiled("invitee_events")
    copies = made.new("Event")
    assert copies["Id"].sort().to_list() == made.listed
    assert copies["IsChild"].all()
    keys = ["WhoId", "WhatId", "StartDateTime", "CreatedDate", "Subject"]
    meant = copies.join(made.tables["Event"].filter(~pl.col("IsChild")), on=keys, nulls_equal=True)
    assert meant.height == copies.height > 20
    assert meant["IsGroupEvent_right"].all()
    assert (meant["OwnerId"] != meant["OwnerId_right"]).all()
    assert made.tables["Event"]["IsGroupEvent"].sum() == 2 * copies.height


def test_dates_far_ahead() -> None:
    made = soiled("future_dates")
    assert made.touched() == {"Task", "Event", "Quote", "EmailMessage"}
    tasks = changed(made, "Task", "ActivityDate")
    assert (tasks["ActivityDate"].dt.offset_by("-100y") == tasks["ActivityDate_right"]).all()
    events = changed(
        made, "Event", "StartDateTime", "EndDateTime", "ActivityDate", "ActivityDateTime", "IsArchived"
    )
    assert (events["StartDateTime"].dt.offset_by("-100y") == events["StartDateTime_right"]).all()
    assert not events["IsArchived"].any()
    quotes = changed(made, "Quote", "ExpirationDate")
    assert (quotes["ExpirationDate"].dt.year() >= 2123).all()
    mails = changed(made, "EmailMessage", "MessageDate")
    assert mails["Incoming"].all()
    assert (mails["MessageDate"].dt.offset_by("-1y") == mails["MessageDate_right"]).all()
    assert [tasks.height > 5, events.height > 5, quotes.height > 0, mails.height > 10] == [True] * 4
    ids = pl.concat([rows["Id"] for rows in (tasks, events, quotes, mails)])
    assert ids.sort().to_list() == made.listed


def test_stale_milestones() -> None:
    made = soiled("stale_milestones")
    rows = changed(made, "CaseMilestone", "IsViolated")
    assert rows["CompletionDate"].null_count() == rows.height == len(made.listed) > 5
    assert rows["IsViolated_right"].all()
    assert not rows["IsViolated"].any()


def test_new_ids_are_unique_and_of_their_table() -> None:
    for quirk in ("back_and_forth", "marks", "merged_accounts", "mass_close", "robots", "recurring_tasks"):
        made = soiled(quirk)
        for name, table in made.tables.items():
            if name in KEY_PREFIXES:
                assert table["Id"].n_unique() == table.height, (quirk, name)
                assert table["Id"].str.head(3).unique().to_list() == [KEY_PREFIXES[name]]

"""A CRM that is stopped: its tables as they stood then, checked against what the complete history tells."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from crmmining.errors import CrmMiningError
from crmmining.simulator import simulate
from crmmining.simulator.ids import KEY_PREFIXES
from crmmining.simulator.tables import HISTORIES

from .conftest import Tables, read
from .test_shape import FIELDS, PLANS, targets_of

MOMENTS = ["2023-02-20", "2024-04-18T06:00:00", "2025-03-31T12:30:15+02:00", "2025-12-30"]
STANDS = {"User", "UserRole", "Group", "Profile", "RecordType", "_CEL_CURRENCIES"}


def instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    folder = tmp_path_factory.mktemp("complete") / "crm"
    return read(simulate(folder, accounts=160, seed=7, format="parquet"))


@pytest.fixture(scope="module", params=MOMENTS)
def until(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def moment(until: str) -> datetime:
    return instant(until)


@pytest.fixture(scope="module")
def stopped(until: str, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    folder = tmp_path_factory.mktemp("stopped") / "crm"
    return read(simulate(folder, accounts=160, seed=7, format="parquet", until=until))


def test_nothing_is_recorded_after_the_stop(stopped: Tables, moment: datetime) -> None:
    checked = 0
    for name, table in stopped.items():
        for column, kind in table.schema.items():
            if isinstance(kind, pl.Datetime) and column not in PLANS:
                assert table.filter(pl.col(column) > moment).is_empty(), (name, column)
                checked += 1
    assert checked == 110


def test_just_the_rows_created_by_then_are_there(stopped: Tables, complete: Tables, moment: datetime) -> None:
    for name, table in complete.items():
        known = table.filter(pl.col("CreatedDate") <= moment) if "CreatedDate" in table.columns else table
        if name in STANDS:
            assert_frame_equal(stopped[name], table)
        else:
            assert stopped[name]["Id"].to_list() == known["Id"].to_list(), name


def test_histories_and_snapshots_are_cut_and_not_changed(
    stopped: Tables, complete: Tables, moment: datetime
) -> None:
    for name in (*HISTORIES, "OpportunityHistory", "EmailMessage", "CaseComment", "CaseSolution"):
        assert_frame_equal(stopped[name], complete[name].filter(pl.col("CreatedDate") <= moment))


@pytest.mark.parametrize(("record", "history"), FIELDS)
def test_records_stand_where_their_history_left_them(
    stopped: Tables, complete: Tables, moment: datetime, record: str, history: str
) -> None:
    """Replayed here from the complete history: the last new value, else the first old one, else the end's."""
    owners = {"ownerAccepted": "Owner", "ownerEscalated": "Owner"}
    rows = (
        complete[history]
        .with_columns(pl.col("Field").replace(owners), Id=f"{record}Id", row="Id")
        .filter(~pl.col("Field").is_in(["Owner", "Parent"]) | (pl.col("DataType") == "EntityId"))
        .sort("CreatedDate", "row")
    )
    past = pl.col("CreatedDate") <= moment
    moved = 0
    for field, column in FIELDS[record, history].items():
        changes = rows.filter(pl.col("Field") == field)
        before = changes.filter(past).group_by("Id").agg(pl.col("NewValue").last(), earlier=True)
        after = changes.filter(~past).group_by("Id").agg(pl.col("OldValue").first(), later=True)
        known = (
            stopped[record]
            .select("Id", stood=pl.col(column).cast(pl.String))
            .join(complete[record].select("Id", end=pl.col(column).cast(pl.String)), on="Id")
            .join(before, on="Id", how="left")
            .join(after, on="Id", how="left")
        )
        wanted = pl.when("earlier").then("NewValue").when("later").then("OldValue").otherwise("end")
        assert known.filter(pl.col("stood").ne_missing(wanted)).is_empty(), field
        moved += known.filter(pl.col("stood").ne_missing(pl.col("end"))).height
    assert moved > 0 or moment == instant("2025-12-30")


def test_opportunities_stand_where_their_last_snapshot_is(stopped: Tables) -> None:
    last = stopped["OpportunityHistory"].sort("CreatedDate", "Id").group_by("OpportunityId").last()
    both = stopped["Opportunity"].join(last, left_on="Id", right_on="OpportunityId", how="left")
    for column in ("StageName", "Amount", "CloseDate", "Probability", "ForecastCategory", "ExpectedRevenue"):
        assert (both[column].eq_missing(both[f"{column}_right"])).all(), column
    assert (both["FiscalYear"] == both["CloseDate"].dt.year()).all()
    stages = stopped["OpportunityStage"].select(StageName="ApiName", closed="IsClosed", won="IsWon")
    both = both.join(stages, on="StageName")
    assert (both["IsClosed"] == both["closed"]).all()
    assert (both["IsWon"] == both["won"]).all()


def test_opportunities_count_their_stages_and_pushes(stopped: Tables) -> None:
    rows = stopped["OpportunityFieldHistory"]
    stages = rows.filter(pl.col("Field") == "StageName").group_by("OpportunityId")
    months = [pl.col(name).str.head(7) for name in ("NewValue", "OldValue")]
    deals = stopped["Opportunity"].join(
        stages.agg(last=pl.col("CreatedDate").max()), left_on="Id", right_on="OpportunityId", how="left"
    )
    assert (deals["LastStageChangeDate"].eq_missing(deals["last"])).all()
    # A save that closes or reopens sets the close date too, but pushes nothing.
    closings = rows.filter(pl.col("Field") == "StageName").select("OpportunityId", "CreatedDate")
    pushed = rows.filter((pl.col("Field") == "CloseDate") & (months[0] > months[1]))
    pushed = pushed.join(closings, on=["OpportunityId", "CreatedDate"], how="anti")
    counted = deals.join(
        pushed.group_by("OpportunityId").agg(pushes=pl.len().cast(pl.Int64)),
        left_on="Id",
        right_on="OpportunityId",
        how="left",
    )
    assert (counted["PushCount"] == counted["pushes"].fill_null(0)).all()


def test_lines_follow_the_amount(stopped: Tables, moment: datetime) -> None:
    total = stopped["OpportunityLineItem"].group_by("OpportunityId").agg(pl.col("TotalPrice").sum())
    deals = stopped["Opportunity"].filter("HasOpportunityLineItem")
    deals = deals.join(total, left_on="Id", right_on="OpportunityId", how="left")
    assert deals["TotalPrice"].null_count() == 0
    assert (deals["TotalPrice"] == deals["Amount"].fill_null(0.0)).all()
    assert deals.height > (100 if moment.year > 2024 else 0)


def test_records_were_last_changed_by_their_last_change(stopped: Tables) -> None:
    for history, (record, parent) in HISTORIES.items():
        last = stopped[history].sort("CreatedDate", "Id").group_by(parent).last()
        both = stopped[record].join(last, left_on="Id", right_on=parent)
        assert both.height == stopped[record].height
        later = both.filter(pl.col("LastModifiedDate") != pl.col("CreatedDate_right"))
        assert (later["LastModifiedDate"] > later["CreatedDate_right"]).all()
        if record == "Opportunity":  # a quote saves the opportunity without a trace in its history
            quotes = stopped["Quote"].select("OpportunityId", "CreatedDate")
            quotes = quotes.rename({"OpportunityId": "Id", "CreatedDate": "LastModifiedDate"})
            later = later.join(quotes, on=["Id", "LastModifiedDate"], how="anti")
        assert later.is_empty(), record
        same = both.filter(pl.col("LastModifiedDate") == pl.col("CreatedDate_right"))
        by_others = same.filter(pl.col("LastModifiedById") != pl.col("CreatedById_right"))
        assert by_others.height < 0.1 * same.height, record
        assert (both["SystemModstamp"] == both["LastModifiedDate"]).all()


def test_conversions_are_there_when_they_have_happened(stopped: Tables) -> None:
    marks = stopped["LeadHistory"].filter(pl.col("Field") == "leadConverted")
    leads = stopped["Lead"].join(marks.select(Id="LeadId", at="CreatedDate"), on="Id", how="left")
    done = leads["at"].is_not_null()
    assert (leads["IsConverted"] == done).all()
    assert leads["ConvertedDate"].eq_missing(leads["at"].dt.date()).all()
    assert (leads["ConvertedAccountId"].is_not_null() == done).all()
    assert (leads["ConvertedContactId"].is_not_null() == done).all()
    assert ((leads["Status"] == "Closed - Converted") == done).all()
    assert set(leads["ConvertedOpportunityId"].drop_nulls()) <= set(stopped["Opportunity"]["Id"])
    converted = leads.filter(done)["Id"]
    for table in ("Task", "Event"):
        assert not set(stopped[table]["WhoId"].drop_nulls()) & set(converted)
    members = stopped["CampaignMember"]
    assert (members["ContactId"].is_not_null() == members["LeadId"].is_in(converted.implode())).all()


def test_touches_of_leads_stay_with_them_until_the_conversion(
    stopped: Tables, complete: Tables, moment: datetime
) -> None:
    later = complete["Lead"].join(
        complete["LeadHistory"]
        .filter((pl.col("Field") == "leadConverted") & (pl.col("CreatedDate") > moment))
        .select(Id="LeadId", at="CreatedDate"),
        on="Id",
    )
    moved = (
        complete["Task"]
        .join(later.select("at", lead="Id", WhoId="ConvertedContactId"), on="WhoId")
        .filter((pl.col("CreatedDate") <= moment) & (pl.col("CreatedDate") < pl.col("at")))
    )
    then = stopped["Task"].join(moved.select("Id", "lead"), on="Id")
    assert then.height == moved.height
    assert (then["WhoId"] == then["lead"]).all()
    assert then["WhatId"].null_count() == then["AccountId"].null_count() == then.height
    assert (then["LastModifiedDate"] == then["CompletedDateTime"].fill_null(then["CreatedDate"])).all()


def test_tasks_are_open_until_they_are_completed(stopped: Tables, complete: Tables, moment: datetime) -> None:
    tasks = stopped["Task"].join(complete["Task"].select("Id", end="CompletedDateTime"), on="Id")
    done = (tasks["end"] <= moment).fill_null(value=False)
    assert (tasks["IsClosed"] == done).all()
    assert ((tasks["Status"] == "Completed") == done).all()
    assert (tasks["CompletedDateTime"].is_not_null() == done).all()
    assert (tasks["IsArchived"] == (done & (tasks["ActivityDate"] <= moment.date() - timedelta(365)))).all()


def test_cases_and_milestones_stand_as_of_the_stop(
    stopped: Tables, complete: Tables, moment: datetime
) -> None:
    closings = stopped["CaseHistory"].filter((pl.col("Field") == "Status") & (pl.col("NewValue") == "Closed"))
    last = closings.group_by("CaseId").agg(last=pl.col("CreatedDate").max())
    cases = stopped["Case"].join(last, left_on="Id", right_on="CaseId", how="left")
    closed = cases.filter("IsClosed")
    assert (closed["ClosedDate"] == closed["last"].fill_null(closed["CreatedDate"])).all()
    assert cases.filter(~pl.col("IsClosed"))["ClosedDate"].null_count() == cases.height - closed.height
    rows = stopped["CaseMilestone"].join(
        complete["CaseMilestone"].select("Id", end="CompletionDate", target="TargetDate"), on="Id"
    )
    completed = (rows["end"] <= moment).fill_null(value=False)
    assert (rows["TargetDate"] == rows["target"]).all()
    assert (rows["IsCompleted"] == completed).all()
    assert (rows["ElapsedTimeInMins"].is_not_null() == completed).all()
    done = rows["CompletionDate"].fill_null(moment)
    assert (rows["IsViolated"] == (done > rows["TargetDate"])).all()


def test_references_lead_to_records_that_are_there(stopped: Tables) -> None:
    ids = {name: set(table["Id"]) for name, table in stopped.items() if name in KEY_PREFIXES}
    for name, table in stopped.items():
        for column in table.columns:
            if column.endswith("Id") and column != "Id":
                known = set().union(*(ids[target] for target in targets_of(name, column)))
                assert set(table[column].drop_nulls()) <= known, (name, column)


def test_the_latest_quote_of_then_is_in_sync(stopped: Tables) -> None:
    quotes = stopped["Quote"].sort("CreatedDate").group_by("OpportunityId").last()
    deals = stopped["Opportunity"].join(quotes, left_on="Id", right_on="OpportunityId", how="left")
    assert deals["SyncedQuoteId"].eq_missing(deals["Id_right"]).all()
    asked = stopped["ProcessInstance"]
    assert (asked["CompletedDate"].is_null() == (asked["Status"] == "Pending")).all()


def test_campaigns_count_what_was_there(stopped: Tables) -> None:
    members = (
        stopped["CampaignMember"]
        .group_by("CampaignId")
        .agg(leads=pl.len(), responses=pl.col("HasResponded").sum(), converted=pl.col("ContactId").count())
    )
    rows = stopped["Campaign"].join(members, left_on="Id", right_on="CampaignId", how="left")
    for column, counted in (
        ("NumberOfLeads", "leads"),
        ("NumberOfResponses", "responses"),
        ("NumberOfConvertedLeads", "converted"),
    ):
        assert (rows[column] == rows[counted].fill_null(0)).all()
    deals = stopped["Opportunity"].group_by("CampaignId").agg(won=pl.col("IsWon").sum())
    rows = stopped["Campaign"].join(deals, left_on="Id", right_on="CampaignId", how="left")
    assert (rows["NumberOfWonOpportunities"] == rows["won"].fill_null(0)).all()


def at(tmp_path: Path, until: str, table: str, record: str, *columns: str) -> list[str | None]:
    folder = tmp_path / until.replace(":", "")
    if not folder.exists():
        simulate(folder, accounts=160, seed=7, until=until)
    rows = pl.read_csv(folder / f"{table}.csv", infer_schema=False).filter(pl.col("Id") == record)
    return list(rows.select(columns).row(0))


def test_an_opportunity_at_four_moments(tmp_path: Path) -> None:
    columns = ("StageName", "Amount", "CloseDate", "IsClosed", "OwnerId", "LastStageChangeDate", "PushCount")
    deal = ("Opportunity", "0065e000000000pAAA", *columns)
    first, second = "0055e000000000QAAQ", "0055e000000000PAAQ"
    assert at(tmp_path, "2023-12-29", *deal) == [
        "Prospecting", "25800.0", "2024-05-04", "false", first, None, "0",
    ]  # fmt: skip
    assert at(tmp_path, "2024-02-15", *deal) == [
        "Closed Lost", "20600.0", "2024-02-01", "true", second, "2024-02-01T21:17:42.000Z", "1",
    ]  # fmt: skip
    assert at(tmp_path, "2024-04-12T18:00:00Z", *deal) == [
        "Proposal/Price Quote", "20600.0", "2024-04-17", "false", second, "2024-04-11T22:44:00.000Z", "1",
    ]  # fmt: skip
    quote = ("0Q05e000000000cCAA", "Status", "LastModifiedDate")
    assert at(tmp_path, "2024-04-12T18:00:00Z", "Quote", *quote) == ["Presented", "2024-04-12T17:23:41.000Z"]
    assert at(tmp_path, "2024-04-15T20:02:25Z", "Quote", *quote) == ["Denied", "2024-04-15T20:02:25.000Z"]
    stamps = ("SyncedQuoteId", "LastModifiedDate", "SystemModstamp")
    assert at(tmp_path, "2024-04-12T18:00:00Z", *deal[:2], *stamps) == [
        "0Q05e000000000cCAA", "2024-04-12T17:23:41.000Z", "2024-04-12T17:23:41.000Z",
    ]  # fmt: skip
    assert at(tmp_path, "2024-02-15", *deal[:2], *stamps) == [
        None, "2024-02-01T21:17:42.000Z", "2024-02-01T21:17:42.000Z",
    ]  # fmt: skip


def test_a_lead_and_its_call_before_and_after_the_conversion(tmp_path: Path) -> None:
    lead = ("Lead", "00Q5e0000000008EAA", "Status", "Rating", "IsConverted", "ConvertedContactId")
    call = ("Task", "00T5e0000000008EAA", "WhoId", "AccountId", "LastModifiedDate")
    assert at(tmp_path, "2023-03-23T16:28:23", *lead) == ["Qualified", "Hot", "false", None]
    assert at(tmp_path, "2023-03-23T16:28:24", *lead) == [
        "Closed - Converted", "Hot", "true", "0035e000000001nAAA",
    ]  # fmt: skip
    assert at(tmp_path, "2023-03-23T16:28:23", *call) == [
        "00Q5e0000000008EAA", None, "2023-02-03T09:24:21.000Z",
    ]  # fmt: skip
    assert at(tmp_path, "2023-03-23T16:28:24", *call) == [
        "0035e000000001nAAA", "0015e000000000yAAA", "2023-03-23T16:28:24.000Z",
    ]  # fmt: skip


def test_a_case_closed_reopened_and_closed(tmp_path: Path) -> None:
    case = ("Case", "5005e000000001PAAQ", "Status", "IsClosed", "ClosedDate", "MilestoneStatus")
    resolution = ("CaseMilestone", "5555e000000001wAAA", "CompletionDate", "IsCompleted", "IsViolated")
    assert at(tmp_path, "2024-04-16", *case) == ["Working", "false", None, "Open Violation"]
    assert at(tmp_path, "2024-04-16", *resolution) == [None, "false", "true"]
    assert at(tmp_path, "2024-04-15", *resolution) == [None, "false", "false"]
    assert at(tmp_path, "2024-04-18", *case) == [
        "Closed", "true", "2024-04-17T11:05:19.000Z", "Closed Violation",
    ]  # fmt: skip
    assert at(tmp_path, "2024-04-18T06:00", *case) == ["Working", "false", None, "Closed Violation"]
    assert at(tmp_path, "2024-04-18T06:00", *resolution) == ["2024-04-17T11:05:19.000Z", "true", "true"]
    assert at(tmp_path, "2024-04-20", *case)[2] == "2024-04-19T10:01:47.000Z"


@pytest.mark.parametrize("stop", ["2025-12-31T23:59:59", datetime(2031, 1, 1, tzinfo=UTC)])
def test_stopped_at_the_end_nothing_differs(
    sample_folder: Path, tmp_path: Path, stop: str | datetime
) -> None:
    made = simulate(tmp_path / "crm", accounts=160, seed=7, until=stop)
    for path in sorted(sample_folder.glob("*.csv")):
        assert (made / path.name).read_bytes() == path.read_bytes()
    truth = json.loads((made / "truth.json").read_text())
    assert truth.pop("until") == "2025-12-31T23:59:59+00:00"
    assert truth == json.loads((sample_folder / "truth.json").read_text())


def test_a_date_is_its_midnight_and_a_time_without_a_zone_is_utc(tmp_path: Path) -> None:
    wanted = "2024-05-01T00:00:00+00:00"
    stops: list[date | str] = [date(2024, 5, 1), datetime(2024, 5, 1)]  # noqa: DTZ001  meant to lack a zone
    stops += ["2024-05-01", "2024-05-01T02:00:00.9+02:00"]
    for number, stop in enumerate(stops):
        made = simulate(tmp_path / str(number), accounts=1, seed=1, until=stop)
        assert json.loads((made / "truth.json").read_text())["until"] == wanted


def test_the_first_moment_has_empty_tables(tmp_path: Path) -> None:
    tables = read(simulate(tmp_path / "crm", accounts=30, seed=1, until="2023-01-01", format="parquet"))
    assert tables["Lead"].is_empty()
    assert (
        tables["LeadHistory"].columns
        == read(simulate(tmp_path / "all", accounts=30, seed=1))["LeadHistory"].columns
    )
    assert tables["User"].height > 50


@pytest.mark.parametrize("stop", ["2022-12-31T23:59:59", "yesterday", "2024-13-01", date(1999, 1, 1)])
def test_what_is_no_moment_of_the_simulated_time_is_refused(tmp_path: Path, stop: str | date) -> None:
    with pytest.raises(CrmMiningError, match=r"until \('.*'\) must"):
        simulate(tmp_path / "crm", accounts=1, until=stop)
    assert list(tmp_path.iterdir()) == []


def test_retention_counts_back_from_the_stop(tmp_path: Path) -> None:
    options = {"accounts": 60, "seed": 1, "format": "parquet", "until": "2024-08-31T11:59:59"}
    whole = read(simulate(tmp_path / "whole", **options))  # type: ignore[arg-type]
    kept = read(simulate(tmp_path / "kept", retention_months=6, **options))  # type: ignore[arg-type]
    since = datetime(2024, 2, 29, 12, tzinfo=UTC)
    for name in HISTORIES:
        young = whole[name].filter(pl.col("CreatedDate") >= since)
        assert 0 < young.height < whole[name].height
        assert_frame_equal(kept[name], young)
    assert_frame_equal(kept["OpportunityHistory"], whole["OpportunityHistory"])

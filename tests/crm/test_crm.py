"""The handle: what a person asks of a whole CRM."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import crmmining as cm

CLOCK = datetime(2025, 12, 31, 23, 14, 29, tzinfo=UTC)
ROOTS = ("Account", "Case", "Lead", "Opportunity")


def test_the_clock_is_the_newest_system_timestamp(sample: cm.Crm) -> None:
    assert sample.clock == CLOCK
    assert repr(sample) == ("Crm(clock=2025-12-31T23:14:29Z, processes=account, case, lead, opportunity)")


@pytest.mark.parametrize("process", ["account", "case", "lead", "opportunity"])
def test_every_process_has_a_log_that_adds_up(sample: cm.Crm, process: str) -> None:
    log = sample.event_log(process)
    quality = sample.quality(process)
    root = quality.filter(pl.col("table") == log.process.root, pl.col("disposition") == "used")
    assert log.cases.height == root["rows"].sum()
    moved = quality.filter(~pl.col("disposition").is_in(["off", "finding"]))
    accounts = moved.group_by("scope", "table").agg(pl.sum("rows"))
    rows = {(scope, table): count for scope, table, count in accounts.iter_rows()}
    filtered = quality.filter(pl.col("reason") == "after as_of")["rows"].sum()
    assert rows["event", f"{process} events"] == log.events.height + filtered > 0
    own = {table: count for (scope, table), count in rows.items() if scope == "log"}
    assert own == {table: rows["table", table.split(": ")[1]] for table in own}
    assert f"{process}: {log.process.root}" in own
    assert log.events["case_id"].n_unique() == log.cases.height


def test_a_log_as_of_a_moment_knows_nothing_later(sample: cm.Crm) -> None:
    then = datetime(2024, 6, 30, tzinfo=UTC)
    log = sample.event_log("case", as_of="2024-06-30")
    assert log.as_of == then
    assert log.events.select(pl.max("occurred_at", "recorded_at")).row(0) < (then, then)
    now = sample.event_log("case")
    assert log.cases.height == now.cases.filter(pl.col("created_at") <= then).height


def test_the_scorecard_has_every_kpi_of_every_process(sample: cm.Crm) -> None:
    scorecard = sample.scorecard()
    assert set(scorecard["kpi"]) == set(sample.catalogue()["kpi"])
    assert scorecard.group_by("process").agg(pl.col("kpi").n_unique()).filter(pl.col("kpi") < 10).is_empty()
    assert scorecard["as_of"].unique().to_list() == [CLOCK]
    assert scorecard["definition"].str.len_chars().unique().to_list() == [12]
    money = scorecard.filter(pl.col("kpi") == "won_amount")
    assert money["unit"].to_list() == ["USD"]


def test_periods_and_segments_add_up_to_the_whole(sample: cm.Crm) -> None:
    counts = ["n", "open", "excluded"]
    whole = sample.scorecard("lead")
    for cut in ({"period": "quarter"}, {"by": ["region"]}, {"by": ["region", "source"], "period": "month"}):
        parts = sample.scorecard("lead", **cut).filter(pl.col("kpi") != "lead_backlog")
        keys = ["kpi", "part", "clock", "unit"]
        summed = parts.group_by(keys).agg(pl.col(counts).sum()).sort(keys)
        once = whole.filter(pl.col("kpi") != "lead_backlog").sort(keys)
        assert_frame_equal(summed, once.select(*keys, *counts))


def test_a_segment_of_another_process_is_null_and_said_so(sample: cm.Crm) -> None:
    scorecard = sample.scorecard(
        ["account", "case"], by=["product"], kpis=["accounts_created", "cases_created"]
    )
    assert scorecard.filter(pl.col("kpi") == "accounts_created")["product"].to_list() == [None]
    assert scorecard.filter(pl.col("kpi") == "cases_created")["product"].null_count() < scorecard.height - 1
    said = sample.quality("account", by=["product"]).filter(
        pl.col("reason").str.contains("segment 'product'")
    )
    assert said["reason"].to_list() == ["segment 'product': not known in this process, null in every row"]


def test_a_window_limits_what_is_dated(sample: cm.Crm) -> None:
    year = sample.scorecard("case", kpis=["cases_created"], since="2024-01-01", until="2025-01-01")
    cases = sample.event_log("case").cases
    assert year["n"].to_list() == [cases.filter(pl.col("created_at").dt.year() == 2024).height]
    quarters = sample.scorecard(
        "case", kpis=["cases_created"], period="quarter", since="2024-01-01", until="2025-01-01"
    )
    assert quarters["period_start"].to_list() == [date(2024, month, 1) for month in (1, 4, 7, 10)]


def test_the_same_input_in_any_form_gives_the_same_figures(
    sample: cm.Crm, sample_folder: Path, tmp_path: Path
) -> None:
    parquet = tmp_path / "parquet"
    parquet.mkdir()
    database = tmp_path / "crm.duckdb"
    connection = duckdb.connect(str(database))
    for file in sample_folder.glob("*.csv"):
        frame = pl.read_csv(file, infer_schema=False)
        frame.write_parquet(parquet / f"{file.stem}.parquet")
        connection.register("frame", frame)
        connection.execute(f'CREATE TABLE "{file.stem}" AS FROM frame')
        connection.unregister("frame")

    def figures(crm: cm.Crm) -> pl.DataFrame:
        return crm.scorecard(["lead", "opportunity"], by=["region"])

    expected = figures(sample)
    assert_frame_equal(figures(cm.connect(parquet)), expected)
    assert_frame_equal(figures(cm.connect(connection)), expected)
    connection.close()
    assert_frame_equal(figures(cm.connect(database)), expected)


@pytest.mark.parametrize("root", ROOTS)
def test_a_root_alone_is_enough_for_its_process(sample_folder: Path, tmp_path: Path, root: str) -> None:
    (tmp_path / f"{root}.csv").write_bytes((sample_folder / f"{root}.csv").read_bytes())
    crm = cm.connect(tmp_path)
    assert crm.processes == (root.lower(),)
    assert crm.event_log(root.lower()).cases.height > 0
    assert crm.scorecard()["kpi"].n_unique() + crm.catalogue()["needs"].count() == crm.catalogue().height
    off = crm.quality().filter(pl.col("disposition") == "off")["reason"]
    assert off.str.contains("milestone '.*': needs ").any()


CONNECTOR = {
    "account": "Account AccountHistory Contact Event Group Lead Opportunity Profile Task User",
    "case": "Account Case CaseHistory CaseMilestone CaseSolution Product2 Solution",
    "lead": "Account Campaign Contact Event Group Lead LeadHistory Opportunity Profile RecordType Task User",
    "opportunity": "Account Contact Event Group Lead Opportunity OpportunityFieldHistory OpportunityHistory"
    " Profile Quote RecordType Task User _CEL_CURRENCIES",
}


@pytest.mark.parametrize("process", CONNECTOR)
def test_exactly_the_connector_s_tables_are_enough(
    sample: cm.Crm, sample_folder: Path, tmp_path: Path, process: str
) -> None:
    for table in CONNECTOR[process].split():
        (tmp_path / f"{table}.csv").write_bytes((sample_folder / f"{table}.csv").read_bytes())
    crm = cm.connect(tmp_path)
    assert process in crm.processes
    own = crm.catalogue().filter(pl.col("process") == process)
    assert own["needs"].null_count() >= 10
    ends = crm.event_log(process).cases.select("case_id", "open", "outcome")
    assert_frame_equal(ends, sample.event_log(process).cases.select("case_id", "open", "outcome"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda crm: crm.event_log("leads"), "unknown process 'leads'. Did you mean 'lead'?"),
        (lambda crm: crm.scorecard(kpis=["win_rat"]), "unknown KPI 'win_rat'. Did you mean 'win_rate'?"),
        (lambda crm: crm.scorecard(by=["regoin"]), "unknown segment 'regoin'. Did you mean 'region'?"),
        (lambda crm: crm.scorecard(period="months"), "unknown period 'months'. Did you mean 'month'?"),
        (
            lambda crm: crm.event_log("lead", as_of="June"),
            "'June' is no moment from 1900 to 2199; write it as 2024-06-30",
        ),
    ],
)
def test_what_does_not_exist_is_said_with_the_nearest_name(
    sample: cm.Crm, call: Callable[[cm.Crm], object], message: str
) -> None:
    with pytest.raises(cm.CrmMiningError) as caught:
        call(sample)
    assert str(caught.value).startswith(message)


def test_a_process_without_its_root_says_what_is_missing(sample_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "Lead.csv").write_bytes((sample_folder / "Lead.csv").read_bytes())
    crm = cm.connect(tmp_path)
    with pytest.raises(cm.SourceError, match="'case' cannot be built: the source lacks Case, Case"):
        crm.event_log("case")
    with pytest.raises(cm.SourceError, match="process 'case' cannot be shown"):
        crm.scorecard("case")


def test_an_overlay_renames_and_adds_without_a_fork(sample_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "extractors" / "salesforce"
    folder.mkdir(parents=True)
    (folder / "source.toml").write_text('[org]\ntime_zone = "Asia/Tokyo"\nfiscal_year_start = 4\n')
    (folder / "lead.toml").write_text('[milestones]\nfirst_call = ["Inbound Call", "Outbound Call"]\n')
    kpis = tmp_path / "kpis"
    kpis.mkdir()
    (kpis / "lead.toml").write_text(
        '[time_to_call]\nquestion = "How soon do we call?"\nformula = "first call - created"\n'
        'kind = "duration"\nstart = "created"\nend = "first_call"\nperiod = "start"\n'
        'unit = "s"\nbetter = "lower"\n'
    )
    crm = cm.connect(sample_folder, extractors=[tmp_path / "extractors"], kpis=[kpis])
    rows = crm.scorecard("lead", kpis=["time_to_call"], period="year")
    assert set(rows["part"]) == {"median", "median_with_open", "p90", "mean"}
    assert rows["clock"].unique().sort().to_list() == ["business", "calendar"]
    assert {start.month for start in rows["period_start"].drop_nulls()} == {4}
    assert rows.select(pl.sum("n") > 0).item()


def test_another_crm_is_a_folder_of_definitions(tmp_path: Path) -> None:
    folder = tmp_path / "extractors" / "desk"
    folder.mkdir(parents=True)
    (folder / "source.toml").write_text(
        'name = "desk"\n[tables.Ticket]\nrequired = ["CreatedDate"]\nvisible_from = "CreatedDate"\n'
        '[tables.Ticket.columns]\nId = "id"\nCreatedDate = "datetime"\nSolved = "datetime"\nTeam = "text"\n'
    )
    (folder / "ticket.toml").write_text(
        'title = "Tickets"\nroot = "Ticket"\nrequires = ["Ticket.CreatedDate"]\nends = ["solved"]\n'
        '[paths]\nTicket = "Id"\n[segments]\nteam = "team"\n'
        '[milestones]\ncreated = ["Open"]\nsolved = ["Solve"]\n[sets]\ncore = ["Open", "Solve"]\n'
        + "".join(
            f'[activities.{name}]\ntable = "Ticket"\nfield = "{column}"\n'
            f'timestamp = "{column}"\nrule = "one"\n'
            for name, column in (("Open", "CreatedDate"), ("Solve", "Solved"))
        )
    )
    (folder / "ticket.sql").write_text(
        "CREATE OR REPLACE TEMP VIEW cases AS SELECT Id AS case_id, CreatedDate AS created_at,"
        " false AS truncated, Team AS team FROM Ticket;\n"
        "CREATE OR REPLACE TEMP VIEW events AS SELECT Id AS case_id, activity, occurred_at,"
        " occurred_at AS recorded_at, NULL::VARCHAR AS actor, 0::UTINYINT AS rank, Id AS source_id,"
        " NULL::VARCHAR AS old_value, NULL::VARCHAR AS new_value, NULL::TINYINT AS direction,"
        " false AS date_only"
        " FROM (SELECT Id, 'Open' AS activity, CreatedDate AS occurred_at FROM Ticket"
        " UNION ALL SELECT Id, 'Solve', Solved FROM Ticket WHERE Solved IS NOT NULL);\n"
    )
    kpis = tmp_path / "kpis"
    kpis.mkdir()
    (kpis / "ticket.toml").write_text(
        '[time_to_solve]\nquestion = "How long?"\nformula = "solved - opened"\nkind = "duration"\n'
        'start = "created"\nend = "solved"\nperiod = "start"\nunit = "s"\nbetter = "lower"\n'
    )
    data = tmp_path / "data"
    data.mkdir()
    (data / "Ticket.csv").write_text(
        "Id,CreatedDate,Solved,Team\n7,2024-01-01 10:00,2024-01-01 11:00,red\n8,2024-01-02 10:00,,red\n"
        "9,2024-01-03 10:00,2024-01-03 13:00,blue\n10,2024-01-04 10:00,,blue\n"
    )
    crm = cm.connect(data, crm="desk", extractors=[tmp_path / "extractors"], kpis=[kpis])
    rows = crm.scorecard(by=["team"]).filter(pl.col("part") == "median")
    assert rows.select("team", "clock", "value", "n", "open", "excluded").rows() == [
        ("blue", "calendar", 3 * 3600.0, 1, 1, 0),
        ("red", "calendar", 3600.0, 1, 1, 0),
    ]
    off = crm.quality().filter(disposition="off")["reason"].to_list()
    assert off == ["clock 'business': needs BusinessHours or stated calendars"]


def test_all_faults_of_the_definitions_come_together(tmp_path: Path, sample_folder: Path) -> None:
    folder = tmp_path / "salesforce"
    folder.mkdir()
    (folder / "lead.toml").write_text('[milestones]\nconverted = ["Convert"]\n[typo]\nx = 1\n')
    (folder / "case.toml").write_text("title = \n")
    kpis = tmp_path / "kpis"
    kpis.mkdir()
    (kpis / "opportunity.toml").write_text(
        '[win_rate]\nperiod = "wonn"\nwhere = "outcome = = 1"\nneeds = ["Opportunity.Amuont"]\n'
    )
    with pytest.raises(cm.DefinitionError) as caught:
        cm.connect(sample_folder, extractors=[tmp_path], kpis=[kpis])
    text = str(caught.value)
    assert "opportunity.toml: win_rate.needs: 'Opportunity.Amuont' is not declared in source.toml" in text
    assert "salesforce/lead.toml: typo: Extra inputs are not permitted" in text
    assert "salesforce/case.toml: not valid TOML" in text
    assert "kpis/opportunity.toml: win_rate.period: 'wonn' is no milestone; known:" in text
    assert "kpis/opportunity.toml: win_rate.where: cannot be read as SQL" in text

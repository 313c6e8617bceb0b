"""The shipped definitions on the shipped sample: every row has its event or a reason, every event its row."""

from datetime import UTC, datetime

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from crmmining import Crm, extract
from crmmining.definitions import Catalogue, shipped

PROCESSES = ("account", "case", "lead", "opportunity")


@pytest.mark.parametrize("process", PROCESSES)
def test_every_row_of_every_table_tells_an_event_or_has_a_reason(sample: Crm, process: str) -> None:
    account = sample.event_log(process).quality
    unexplained = account.filter(pl.col("reason") == "NO RULE tells it")
    assert unexplained.select("table", "rows", "examples").rows() == []
    supplied = {file.name: file.rows for file in sample.tables.inputs}
    paths = sample.definitions.process(process).paths
    rows = account.group_by("table").agg(pl.col("rows").sum())
    own = [name for name, path in paths.items() if path != "broadcast" and supplied.get(name)]
    assert len(own) > 4
    assert dict(rows.rows()) == {
        f"{process} events": account.filter(pl.col("table") == f"{process} events")["rows"].sum(),
        **{f"{process}: {name}": supplied[name] for name in own},
    }


@pytest.mark.parametrize("process", PROCESSES)
def test_every_event_names_a_row_that_is_there(sample: Crm, process: str) -> None:
    events = sample.event_log(process).events.select(pl.col("source_table").cast(pl.String), "source_id")
    assert events.null_count().row(0) == (0, 0)
    for (table,), told in events.group_by("source_table"):
        rows = pl.read_csv(shipped("data/sample") / f"{table}.csv", columns=["Id"])
        assert set(told["source_id"]) <= set(rows["Id"])


@pytest.mark.parametrize("process", PROCESSES)
def test_evidence_of_a_history_row_is_its_event_or_its_reason(sample: Crm, process: str) -> None:
    log = sample.event_log(process)
    account = log.quality.filter(pl.col("table").str.contains("History$"), pl.col("reason").is_not_null())
    assert account.height > 1
    for table, reason, rows in account.select("table", "reason", "examples").rows():
        told = sample.evidence(process, rows[0])
        assert told.select("table", "disposition", "reason").rows() == [
            (table.removeprefix(f"{process}: "), "filtered", reason)
        ]
    event = log.events.filter(pl.col("source_table").cast(pl.String).str.ends_with("History")).row(
        0, named=True
    )
    told = sample.evidence(process, event["source_id"]).filter(pl.col("activity") == event["activity"])
    assert told.select("disposition", "case_id", "occurred_at").rows() == [
        ("used", event["case_id"], event["occurred_at"])
    ]


@pytest.mark.parametrize("as_of", [None, datetime(2024, 9, 15, 12, tzinfo=UTC)])
@pytest.mark.parametrize("process", PROCESSES)
def test_cases_apart_are_the_cases_together(sample: Crm, process: str, as_of: datetime | None) -> None:
    definition, stages = sample.definitions.process(process), sample.definitions.stages
    moment = as_of or sample.clock
    whole = extract.build(sample.tables, definition, moment, stages)
    ids = whole.cases["case_id"]
    few = ids.is_in(ids.sample(7, seed=1).implode())
    parts = [
        extract.build(sample.tables, definition, moment, stages, only)
        for only in (ids.filter(few), ids.filter(~few))
    ]
    names = pl.col("activity").cast(pl.String)
    events = pl.concat([part.events.with_columns(names) for part in parts]).sort(
        "case_id", maintain_order=True
    )
    assert_frame_equal(events, whole.events.with_columns(names))
    assert_frame_equal(pl.concat([part.cases for part in parts]).sort("case_id"), whole.cases)
    values = [
        p.values.with_columns(p.cases["case_id"].gather(p.values["case_ix"])).drop("case_ix")
        for log in (*parts, whole)
        for p in log.partitions
    ]
    assert_frame_equal(pl.concat(values[:-1]).sort("case_id", maintain_order=True), values[-1])


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("moment", [datetime(2023, 9, 15, 12, tzinfo=UTC), datetime(2025, 3, 3, tzinfo=UTC)])
def test_the_log_of_a_past_moment_is_the_part_of_todays_log_known_then(
    sample: Crm, process: str, moment: datetime
) -> None:
    columns = ["case_id", "activity", "occurred_at", "recorded_at", "source_id", "direction"]
    known = pl.max_horizontal("occurred_at", "recorded_at") <= moment
    named = pl.col("activity").cast(pl.String)
    then = sample.event_log(process, as_of=moment).events.with_columns(named)
    today = sample.event_log(process).events.with_columns(named).filter(known)
    assert then.height > 100
    assert sorted(then.select(columns).rows(), key=str) == sorted(today.select(columns).rows(), key=str)


def test_accounts_and_leads_tell_the_same_endings_as_the_opportunities(sample: Crm) -> None:
    def endings(process: str) -> set[tuple[str, str]]:
        events = sample.event_log(process).events.with_columns(pl.col("activity").cast(pl.String))
        ends = events.filter(pl.col("activity").is_in(["Win Opportunity", "Lose Opportunity"]))
        return set(ends.select("activity", "source_id").rows())

    assert len(endings("opportunity")) > 100
    assert endings("account") == endings("opportunity")
    assert len(endings("lead")) > 10
    assert endings("lead") < endings("opportunity")


# Touches of kinds that the sample does not hold: its calls all go out, its e-mails do not say which way ...
SILENT = {"Automated Touch", "Call", "Inbound Call", "Inbound Email", "Internal Call", "Outbound Email"}
NEVER = {  # ... and what the simulated people do not do
    "account": SILENT | {"Change Rating", "Close Opportunity", "Merge Account"},
    "case": SILENT
    | {"Assign to Queue", "Automated Reply", "Change Priority", "De-escalate Case", "Mark: *", "Meeting"}
    | {"Merge Case", "Receive Comment"},
    "lead": SILENT
    | {"Assign to Queue", "Change Rating", "Change: *", "Close Opportunity", "Lower Rating", "Mark: *"}
    | {"Merge Lead"},
    "opportunity": SILENT
    | {"Accept Quote", "Change Next Step", "Change: *", "Close Opportunity", "Deny Quote", "Mark: *"}
    | {"Present Quote", "Recall"},
}


@pytest.mark.parametrize("process", PROCESSES)
def test_every_other_declared_activity_happens_in_the_sample(sample: Crm, process: str) -> None:
    definition = sample.definitions.process(process)
    seen = sample.event_log(process).activities
    never = {name for name in definition.activities if not definition.codes([name], seen)}
    assert never == NEVER[process]


@pytest.mark.parametrize("process", PROCESSES)
def test_kpis_are_questions_with_words_of_their_own(catalogue: Catalogue, process: str) -> None:
    kpis = catalogue.kpis_of(process)
    assert len(kpis) >= 10
    assert [kpi.name for kpi in kpis if not kpi.question.endswith("?")] == []
    assert {"volume", "share", "duration", "stock"} <= {kpi.kind for kpi in kpis}
    assert [kpi.name for kpi in kpis if not kpi.segments] == []

"""The shipped definitions on the shipped sample: every history row has its event or its reason."""

from datetime import UTC, datetime

import polars as pl
import pytest

from crmmining import Crm
from crmmining.definitions import Catalogue, shipped

PROCESSES = ("account", "case", "lead", "opportunity")
HISTORIES = {
    "account": ("AccountHistory", "AccountId"),
    "case": ("CaseHistory", "CaseId"),
    "lead": ("LeadHistory", "LeadId"),
    "opportunity": ("OpportunityFieldHistory", "OpportunityId"),
}


@pytest.mark.parametrize("process", PROCESSES)
def test_every_history_row_is_one_event_or_has_a_reason(sample: Crm, process: str) -> None:
    table, parent = HISTORIES[process]
    rows = pl.read_csv(shipped("data/sample") / f"{table}.csv", infer_schema=False)
    told = sample.event_log(process).events.group_by(pl.col("source_id").alias("Id")).agg(told=pl.len())
    silent = rows.join(told, on="Id", how="anti")
    save = [parent, "CreatedDate", "Field"]
    ids = rows.filter(DataType="EntityId").select(save)
    converted = pl.col("Field").eq("Status") & pl.col("NewValue").eq("Closed - Converted")
    unexplained = (
        silent.filter(~pl.col("Field").str.contains("^[a-z]"))  # marks: created, locked, ...
        .filter(pl.col("OldValue").ne_missing(pl.col("NewValue")))
        .join(ids, on=save, how="anti")  # names beside the Ids of a lookup
        .filter(~converted)  # the conversion itself, told by its own row
    )
    assert unexplained.rows() == []
    assert rows.join(told, on="Id")["told"].max() == 1


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


NEVER = {  # what the simulated people do not do
    "account": set(),
    "case": {"Assign to Queue", "Change Priority", "De-escalate Case", "Meeting", "Receive Comment"},
    "lead": {"Assign to Queue"},
    "opportunity": set(),
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

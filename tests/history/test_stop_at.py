"""The law of as_of: the log as of T is the log of the CRM stopped at T, and so is the state of its records.

Values known only as of now are left out: columns in `not_as_of`, and children that a merge after T moved.
Renamed picklist values are out of reach: renaming rewrites records and leaves no trace of when.
"""

from datetime import UTC, datetime
from typing import NamedTuple

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from crmmining import Crm, EventLog, connect
from crmmining.simulator import simulate
from crmmining.simulator.quirks import QUIRKS

PROCESSES = ("account", "case", "lead", "opportunity")
MOMENTS = ("2023-05-17", "2024-02-29T09:30:00", "a change", "2025-08-01")
ACCOUNTS = 40
# The simulator moves these without a new stamp on the record.
UNSTAMPED = {"Contact": ["OwnerId"], "Campaign": ["Status", "IsActive"]}

AS_OF_NOW = ["quote_status", "stopped_since"]  # always


class Stopped(NamedTuple):
    """A CRM that went on, and the same one stopped at a moment."""

    complete: Crm
    stopped: Crm
    at: datetime


def quirks(seed: int) -> bool | list[str]:
    """The first seed is clean; the other has every quirk whose traces tell when it happened."""
    return False if seed == 1 else [name for name in QUIRKS if name != "renamed_values"]


@pytest.fixture(scope="module", params=[1, 2])
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module")
def complete(seed: int, tmp_path_factory: pytest.TempPathFactory) -> Crm:
    folder = tmp_path_factory.mktemp("complete") / "crm"
    return connect(simulate(folder, accounts=ACCOUNTS, seed=seed, format="parquet", quirks=quirks(seed)))


@pytest.fixture(scope="module", params=MOMENTS)
def both(
    request: pytest.FixtureRequest, seed: int, complete: Crm, tmp_path_factory: pytest.TempPathFactory
) -> Stopped:
    if request.param == "a change":  # known at its very second
        moments = complete.tables.connection.sql("SELECT CreatedDate FROM crm.CaseHistory ORDER BY ALL").pl()
        at = moments["CreatedDate"][moments.height // 2]
    else:
        at = datetime.fromisoformat(request.param).replace(tzinfo=UTC)
    folder = tmp_path_factory.mktemp("stopped") / "crm"
    written = simulate(folder, accounts=ACCOUNTS, seed=seed, format="parquet", quirks=quirks(seed), until=at)
    return Stopped(complete, connect(written), at)


def events(log: EventLog) -> pl.DataFrame:
    return log.events.with_columns(
        pl.col(name).cast(pl.String)
        for name, kind in log.events.schema.items()
        if isinstance(kind, pl.Categorical | pl.Enum)
    )


def merged(crm: Crm) -> pl.DataFrame:
    """Id and MasterRecordId of every record that was merged into another."""
    texts = [
        f"SELECT Id, MasterRecordId FROM crm.{table} WHERE MasterRecordId IS NOT NULL"  # noqa: S608
        for table in ("Account", "Lead")
        if crm.tables.has(f"{table}.MasterRecordId")
    ]
    nobody = pl.DataFrame(schema={"Id": pl.String, "MasterRecordId": pl.String})
    found: pl.DataFrame = pl.concat([nobody, *(crm.tables.connection.sql(text).pl() for text in texts)])
    return found


def merged_later(both: Stopped) -> list[str]:
    """Records that were merged after the moment, and those that took them in: children moved between them."""
    later = merged(both.complete).join(merged(both.stopped), on="Id", how="anti")
    return [*later["Id"], *later["MasterRecordId"]]


def touched_since(both: Stopped, table: str) -> list[str]:
    """Records deleted by the moment and stamped again later: a merge moves the deleted, too."""
    gone = f"SELECT Id FROM crm.{table} WHERE IsDeleted"  # noqa: S608
    deleted = both.stopped.tables.connection.sql(gone).pl()["Id"]
    there = both.complete.state(table, at=both.at)["Id"]
    return there.filter(there.is_in(deleted.implode())).to_list()


OWN = {"account": ["Account", "AccountHistory"], "lead": ["Lead", "LeadHistory"]}


@pytest.mark.parametrize("process", PROCESSES)
def test_the_log_as_of_a_moment_is_the_log_of_the_crm_stopped_then(both: Stopped, process: str) -> None:
    moved = [*merged_later(both), *touched_since(both, "Opportunity")]
    found, wanted = (
        events(crm.event_log(process, as_of=both.at)).filter(
            ~(pl.col("case_id").is_in(moved) | pl.col("source_id").is_in(moved))
            | pl.col("source_table").is_in(OWN.get(process, []))
        )
        for crm in (both.complete, both.stopped)
    )
    if moved:
        found, wanted = found.drop("change_set"), wanted.drop("change_set")
    assert found.height > 0
    assert_frame_equal(found, wanted)


@pytest.mark.parametrize("process", PROCESSES)
def test_its_cases_are_the_same_and_as_much_is_known_of_them(both: Stopped, process: str) -> None:
    found, wanted = (
        crm.event_log(process, as_of=both.at).cases.select("case_id", "created_at", "truncated", "open")
        for crm in (both.complete, both.stopped)
    )
    assert found.height > 0
    moved = pl.col("case_id").is_in([*merged_later(both), *touched_since(both, "Opportunity")])
    assert_frame_equal(found.filter(~moved), wanted.filter(~moved))


def test_cases_of_a_clean_crm_have_the_same_attributes(both: Stopped, seed: int) -> None:
    for process in PROCESSES:
        found, wanted = (
            crm.event_log(process, as_of=both.at).cases.drop(AS_OF_NOW, strict=False)
            for crm in (both.complete, both.stopped)
        )
        if seed == 1:
            assert_frame_equal(found, wanted)


TABLES = ["Account", "Lead", "Opportunity", "Case", "Task", "Event", "Contact", "Quote", "Campaign"]
CHILDREN = ["CampaignMember", "CaseMilestone", "EmailMessage"]


@pytest.mark.parametrize("table", TABLES + CHILDREN)
def test_the_state_of_records_is_that_of_the_crm_stopped_then(both: Stopped, table: str) -> None:
    again = touched_since(both, table)
    found, wanted = (crm.state(table, at=both.at) for crm in (both.complete, both.stopped))
    found = found.filter(~pl.col("Id").is_in(again))
    assert found["Id"].to_list() == wanted["Id"].to_list()
    compared = 0
    for column in sorted({*found.columns} - {"not_as_of", *UNSTAMPED.get(table, [])}):
        known = ~found["not_as_of"].list.contains(column)
        assert found.filter(known)[column].to_list() == wanted.filter(known)[column].to_list(), column
        compared += int(known.sum())
    assert compared >= found.height * 5


def test_what_is_compared_has_moved_since(both: Stopped) -> None:
    moved = 0
    for table, column in (("Opportunity", "StageName"), ("Case", "Status"), ("Lead", "Status")):
        then = both.complete.state(table, at=both.at)
        known = then.filter(~pl.col("not_as_of").list.contains(column))
        assert known.height > then.height * 0.8
        now = both.complete.state(table).select("Id", pl.col(column).alias("now"))
        moved += known.join(now, on="Id").filter(pl.col(column) != pl.col("now")).height
    assert moved > 0

"""What a source must say before its endings are counted: without it KPIs are off, never zero."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from crmmining import Crm, DefinitionError, analyses, connect
from crmmining.definitions import Catalogue, read_catalogue

ROWS = {
    "Opportunity": "'006000000000001AAA' AS Id, '001000000000001AAA' AS AccountId, 'Won' AS StageName",
    "Account": "'001000000000001AAA' AS Id",
    "Case": "'500000000000001AAA' AS Id, '001000000000001AAA' AS AccountId, 'Done' AS Status",
    "Lead": "'00Q000000000001EAA' AS Id, '006000000000001AAA' AS ConvertedOpportunityId, 'New' AS Status",
}


def crm_of(further: dict[str, str], *, overlay: Path | None = None) -> Crm:
    """Four records, with what `further` adds to the columns of each."""
    with duckdb.connect() as database:
        for table, columns in ROWS.items():
            more = f"{columns}, TIMESTAMPTZ '2024-01-01 09:00Z' AS CreatedDate {further.get(table, '')}"
            database.execute(f'CREATE TABLE "{table}" AS SELECT {more}')
        return connect(database, extractors=[] if overlay is None else [overlay])


def off(crm: Crm, *kpis: str) -> set[str]:
    return {name for name in kpis if crm.kpi_lacks(crm.definitions.kpi(name))}


OPPORTUNITY = ("win_rate", "win_conversion", "won_amount", "open_opportunities", "sales_cycle", "wins")
CASE = ("case_backlog", "cases_closed", "solution_share", "resolution_time", "accounts_with_open_cases")
ALWAYS = ("opportunities_created", "cases_created", "account_base", "leads_created", "lead_backlog")


def test_without_a_meaning_of_stages_no_ending_is_counted() -> None:
    crm = crm_of({})
    assert off(crm, *OPPORTUNITY, "lead_win_conversion", "account_win_conversion") == {
        *OPPORTUNITY,
        "lead_win_conversion",
        "account_win_conversion",
    }
    assert off(crm, *CASE) == {*CASE}
    assert off(crm, *ALWAYS) == set()
    lacking = crm.kpi_lacks(crm.definitions.kpi("win_rate"))
    assert lacking == [
        "OpportunityStage.IsClosed or Opportunity.IsClosed or stages.Opportunity",
        "OpportunityStage.IsWon or Opportunity.IsWon or stages.Opportunity",
    ]
    assert crm.kpi_lacks(crm.definitions.kpi("open_opportunities")) == lacking
    assert not set(crm.scorecard()["kpi"]) & {*OPPORTUNITY, *CASE}


def test_flags_on_the_records_are_a_meaning() -> None:
    crm = crm_of({"Opportunity": ", TRUE AS IsClosed, TRUE AS IsWon", "Case": ", TRUE AS IsClosed"})
    assert off(crm, "win_rate", "win_conversion", "open_opportunities", "wins", "case_backlog") == set()


def test_a_closing_date_of_cases_is_a_meaning() -> None:
    crm = crm_of({"Case": ", TIMESTAMPTZ '2024-01-03 09:00Z' AS ClosedDate"})
    assert off(crm, "case_backlog", "cases_closed") == set()
    closings = crm.event_log("case", as_of="2024-02-01").events.filter(activity="Close Case")["occurred_at"]
    assert closings.dt.strftime("%Y-%m-%d %H:%M").to_list() == ["2024-01-03 09:00"]


def test_stages_stated_for_the_root_are_a_meaning_in_every_process(tmp_path: Path) -> None:
    folder = tmp_path / "salesforce"
    folder.mkdir()
    (folder / "opportunity.toml").write_text('[stages]\nopen = ["New"]\nwon = ["Won"]\nlost = ["Lost"]\n')
    crm = crm_of({}, overlay=tmp_path)
    assert off(crm, "win_rate", "win_conversion", "open_opportunities", "wins", "losses") == set()
    assert off(crm, *CASE) == {*CASE}  # a list for opportunities says nothing of cases
    stated = {name: sorted(process.stated) for name, process in crm.definitions.processes.items()}
    assert stated == {
        "account": ["Opportunity"],
        "case": [],
        "lead": ["Opportunity"],
        "opportunity": ["Opportunity"],
    }


def test_a_stated_list_is_part_of_every_process_that_goes_by_it(tmp_path: Path, catalogue: Catalogue) -> None:
    folder = tmp_path / "salesforce"
    folder.mkdir()
    (folder / "opportunity.toml").write_text('[stages]\nopen = ["New"]\nwon = ["Won"]\n')
    ours = read_catalogue(extractors=[tmp_path])
    changed = {
        name
        for name, process in ours.processes.items()
        if process.fingerprint != catalogue.process(name).fingerprint
    }
    assert changed == {"account", "lead", "opportunity"}


def test_a_kpi_that_names_an_outcome_needs_that_outcome() -> None:
    crm = crm_of({})  # leads are disqualified by their words, but nothing tells conversions
    assert off(crm, "lead_acceptance", "converted_without_opportunity", "lead_backlog") == {
        "lead_acceptance",
        "converted_without_opportunity",
    }


def test_a_milestone_of_one_activity_of_a_family_needs_what_the_family_needs() -> None:
    crm = crm_of({})
    assert "milestone 'type_changed': needs AccountHistory.NewValue" in crm.event_log("account").off


def test_a_need_for_a_list_names_the_root_of_a_process(tmp_path: Path) -> None:
    (tmp_path / "opportunity.toml").write_text('[win_rate]\nneeds = ["Opportunity.IsWon|stages.Deal"]\n')
    with pytest.raises(
        DefinitionError, match=r"win_rate.needs: 'stages.Deal': no process has the root 'Deal'"
    ):
        read_catalogue(kpis=[tmp_path])


def test_nobody_guesses_whose_turn_it_was_without_a_history() -> None:
    closed = ", TRUE AS IsClosed, TIMESTAMPTZ '2024-01-09 09:00Z' AS ClosedDate"
    crm = crm_of({"Case": closed})
    waits = ("requester_wait", "agent_wait", "on_hold_time", "queue_wait", "untouched_time")
    assert off(crm, *waits, "lead_untouched_time", "opportunity_stalled_time") == {
        *waits,
        "lead_untouched_time",
        "opportunity_stalled_time",
    }
    table = analyses.waiting(crm.event_log("case", as_of=datetime(2024, 1, 9, 9, tzinfo=UTC)))
    assert table.select("responsibility", "cases", "share").rows() == [("unknown", 1, 1.0)]
    assert table["elapsed"].dt.total_days().to_list() == [8]


def test_a_kpi_of_waiting_needs_a_process_that_says_what_waiting_is(tmp_path: Path) -> None:
    kpi = 'question = "?"\nformula = "?"\nkind = "waiting"\nclasses = ["asleep"]\nperiod = "created"\n'
    (tmp_path / "account.toml").write_text(f'[idle]\n{kpi}unit = "s"\nbetter = "lower"\n')
    with pytest.raises(DefinitionError, match=r"idle: waiting\.classes\.0: Input should be"):
        read_catalogue(kpis=[tmp_path])
    right = kpi.replace("asleep", "untouched")
    (tmp_path / "account.toml").write_text(f'[idle]\n{right}unit = "s"\nbetter = "lower"\n')
    with pytest.raises(DefinitionError, match=r"idle.kind: 'account' does not say .* no table \[waiting\]"):
        read_catalogue(kpis=[tmp_path])


def test_an_org_replaces_what_its_statuses_mean(tmp_path: Path) -> None:
    (tmp_path / "salesforce").mkdir()
    toml = tmp_path / "salesforce" / "case.toml"
    toml.write_text('[waiting]\nwith_customer = ["Pending"]\non_hold = ["Parked"]\n')
    waiting = read_catalogue(extractors=[tmp_path]).process("case").waiting
    assert waiting is not None
    assert (waiting.with_customer, waiting.on_hold) == (("Pending",), ("Parked",))
    assert waiting.touches == ("replied", "touched", "solution_attached")
    toml.write_text('[waiting]\nwith_customer = ["Pending"]\ntouches = ["replies"]\n')
    with pytest.raises(DefinitionError) as error:
        read_catalogue(extractors=[tmp_path])
    assert [fault.partition("case.toml: ")[2] for fault in error.value.faults] == [
        "waiting.touches: milestone 'replies' is not declared under [milestones]",
        "waiting: the status 'pending' is stated more than once",
    ]

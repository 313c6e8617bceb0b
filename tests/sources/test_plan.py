from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from crmmining import sources, tables
from crmmining.errors import SourceError
from crmmining.tables import SourceSpec, Tables

Write = Callable[..., Path]
Load = Callable[..., Tables]
A, B = "006q000000HddohAAB", "0015500000Xyy06AAB"
CONNECTOR = {
    *("Account", "AccountHistory", "Lead", "LeadHistory", "Opportunity", "OpportunityFieldHistory"),
    *(
        "OpportunityHistory",
        "Case",
        "CaseHistory",
        "CaseMilestone",
        "CaseSolution",
        "Contact",
        "Event",
        "Task",
    ),
    *("Group", "User", "Profile", "RecordType", "Campaign", "Quote", "Product2", "Solution"),
    "_CEL_CURRENCIES",
}


def findings(loaded: Tables) -> list[tuple[str, str]]:
    return loaded.findings.select("table", "finding").rows()


@pytest.mark.parametrize(
    ("root", "lines"),
    [
        ("Account", ["Id,CreatedDate", f"{A},2024-01-01"]),
        ("Lead", ["Id,CreatedDate,Status", f"{A},2024-01-01,Open"]),
        ("Opportunity", ["Id,CreatedDate,StageName", f"{A},2024-01-01,New"]),
        ("Case", ["Id,CreatedDate,Status", f"{A},2024-01-01,New"]),
    ],
)
def test_a_root_alone_is_enough(root: str, lines: list[str], write: Write, load: Load) -> None:
    loaded = load(write(**{root: lines}))
    assert loaded.quality.rows() == [(root, "used", None, 1, [])]
    assert findings(loaded) == []


def test_exactly_the_tables_of_the_connector(sample_copy: Callable[..., Path], load: Load) -> None:
    loaded = load(sample_copy(CONNECTOR))
    assert set(loaded.columns) == CONNECTOR
    assert loaded.quality.filter(disposition="quarantined").is_empty()
    assert not loaded.has("OpportunityStage")


@pytest.fixture
def sample_copy(tmp_path: Path) -> Callable[..., Path]:
    def copied(names: set[str]) -> Path:
        sample = Path(__file__).parents[2] / "data" / "sample"
        for name in names:
            (tmp_path / f"{name}.csv").symlink_to(sample / f"{name}.csv")
        return tmp_path

    return copied


@pytest.mark.parametrize(
    "spell",
    [str.lower, str.upper, lambda name: name.replace("Date", "_date").replace("Name", "_name").lower()],
    ids=["lower", "upper", "snake"],
)
def test_spellings_of_tables_and_columns(spell: Callable[[str], str], write: Write, load: Load) -> None:
    head = ",".join(map(spell, ["Id", "CreatedDate", "StageName"]))
    loaded = load(write(**{spell("Opportunity"): [head, f"{A},2024-01-01,New"]}))
    assert loaded.columns == {"Opportunity": ("Id", "CreatedDate", "StageName")}


def test_table_names_by_pattern(write: Write, load: Load) -> None:
    folder = write(
        sf_opportunity_data=["id,created_date,stage_name", f"{A},2024-01-01,New"],
        opportunity=["id"],
        sf_opportunity_data_old=["id"],
    )
    loaded = load(folder, table_names="sf_{}_data")
    assert [file.origin for file in loaded.inputs] == ["sf_opportunity_data.csv"]


def test_versions_of_records_are_no_field_history(write: Write, load: Load) -> None:
    deal = ["Id,CreatedDate,StageName", f"{A},2024-01-01,New"]
    head = "_fivetran_start,_fivetran_end,_fivetran_active,id,stage_name,created_date"
    loaded = load(
        write(Opportunity=deal, account_history=[head], opportunity_history=[head, f"2024,9999,true,{A},x,y"])
    )
    versions = "holds versions of records (Fivetran history mode)"
    assert findings(loaded) == [
        ("AccountHistory", f"account_history.csv {versions}, not AccountHistory: skipped"),
        ("OpportunityHistory", f"opportunity_history.csv {versions}, not OpportunityHistory: skipped"),
    ]
    assert not loaded.has("OpportunityHistory")
    assert [(file.name, file.rows) for file in loaded.inputs] == [
        ("Opportunity", 1),
        ("AccountHistory", None),
        ("OpportunityHistory", None),
    ]


def test_a_field_history_with_a_field_is_read_whatever_the_tool_added(write: Write, load: Load) -> None:
    head = "_fivetran_start,_fivetran_end,id,opportunity_id,created_date,field"
    loaded = load(
        write(
            Opportunity=["Id,CreatedDate,StageName", f"{A},2024-01-01,New"],
            opportunity_field_history=[head, f"2024,9999,{B},{A},2024-01-02,StageName"],
        )
    )
    assert loaded.has("OpportunityFieldHistory.Field")


def test_a_table_without_what_it_needs_is_skipped_with_the_reason(write: Write, load: Load) -> None:
    loaded = load(
        write(
            Opportunity=["Id,CreatedDate,StageName", f"{A},2024-01-01,New"],
            LeadHistory=["Id,CreatedDate,OldValue", f"{B},2024-01-01,x"],
            User=["Name", "Ada"],
        )
    )
    assert findings(loaded) == [
        ("LeadHistory", "LeadHistory.csv lacks LeadId, Field: skipped"),
        ("User", "User.csv lacks Id: skipped"),
    ]
    assert not loaded.has("LeadHistory")


def test_a_root_without_what_its_process_needs_is_still_looked_up(write: Write, load: Load) -> None:
    loaded = load(
        write(
            Opportunity=["Id,CreatedDate,StageName", f"{A},2024-01-01,New"],
            Account=["Id,Industry", f"{B},Mining"],
        )
    )
    assert findings(loaded) == [
        ("Account", "Account.csv lacks CreatedDate: read as a look-up, it starts no process"),
    ]
    assert loaded.has("Account")
    assert not loaded.has("Account.CreatedDate")


def test_no_usable_root_is_one_error_that_lists_it_all(write: Write, load: Load) -> None:
    folder = write(
        Opportunity=["Id,Name"], Lead=["Id,Status"], Account=["CreatedDate"], Orders=["Id"], User=["Id"]
    )
    with pytest.raises(SourceError) as caught:
        load(folder)
    assert str(caught.value).splitlines() == [
        "the input cannot be used:",
        "  Account: Account.csv lacks the required Id",
        "  Lead: Lead.csv lacks the required CreatedDate",
        "  Opportunity: Opportunity.csv lacks the required CreatedDate, StageName",
        "  Case: not supplied (required columns: Id, CreatedDate, Status)",
        "  supplied, but under no name of source 'salesforce': Orders.csv (see table_names)",
    ]


def test_collisions_are_one_error_that_lists_them_all(write: Write, load: Load) -> None:
    folder = write(
        Opportunity=["Id,CreatedDate,created_date,StageName,ID"],
        opportunity_=["Id,CreatedDate,StageName"],
        Lead=["Id,CreatedDate,Status"],
        LEAD=["Id,CreatedDate,Status"],
    )
    with pytest.raises(SourceError) as caught:
        load(folder)
    assert str(caught.value).splitlines() == [
        "the input cannot be used:",
        "  Opportunity.csv: columns 'Id', 'ID' all mean Opportunity.Id",
        "  Opportunity.csv: columns 'CreatedDate', 'created_date' all mean Opportunity.CreatedDate",
        "  Lead: supplied more than once (LEAD.csv, Lead.csv); leave one of them out",
        "  Opportunity: supplied more than once (Opportunity.csv, opportunity_.csv); leave one of them out",
    ]


def test_twins_among_undeclared_columns_are_nobodys_business(write: Write, load: Load) -> None:
    loaded = load(write(Opportunity=["Id,CreatedDate,StageName,x,X,x", f"{A},2024-01-01,New,1,2,3"]))
    assert loaded.inputs[0].ignored == ("x", "X", "x")


def test_a_spec_without_roots_needs_none(write: Write, spec: SourceSpec) -> None:
    raw = sources.read(write(User=["Id,Name", f"{A},Ada"]))
    assert tables.load(raw, spec, duckdb.connect(":memory:")).has("User.Name")

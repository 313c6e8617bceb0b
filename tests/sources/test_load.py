import json
import random
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmmining.tables import SourceSpec, Tables

Write = Callable[..., Path]
Load = Callable[..., Tables]

A, B, C = "006q000000HddohAAB", "0015500000Xyy06AAB", "003RO0000035WQgYAM"
HEAD = "Id,CreatedDate,StageName,Amount,OwnerId,CloseDate"
DEAL = f"{A},2024-01-01T00:00:00Z,New,100,,2024-02-01"
HISTORY = "Id,OpportunityId,CreatedDate,Field,OldValue,NewValue"


def rows(tables: Tables, table: str) -> list[tuple[object, ...]]:
    query = f'SELECT * FROM crm."{table}" ORDER BY ALL'  # noqa: S608 - our own names
    found: list[tuple[object, ...]] = tables.connection.sql(query).pl().rows()
    return found


def account(tables: Tables, table: str) -> dict[tuple[str, str | None], int]:
    """Rows by disposition and reason."""
    mine = tables.quality.filter(table=table)
    return {(how, why): count for _, how, why, count, _ in mine.iter_rows()}


def test_one_row_of_every_type(write: Write, load: Load) -> None:
    tables = load(write(Opportunity=[f"{HEAD},IsWon,FiscalYear", f"{DEAL},TRUE,2024"]))
    start = datetime(2024, 1, 1, tzinfo=UTC)
    frame = tables.connection.sql('SELECT * FROM crm."Opportunity"').pl()
    assert frame.schema == {
        "Id": pl.String,
        "CreatedDate": pl.Datetime("us", "UTC"),
        "StageName": pl.String,
        "IsWon": pl.Boolean,
        "Amount": pl.Float64,
        "CloseDate": pl.Date,
        "OwnerId": pl.String,
        "FiscalYear": pl.Int64,
    }
    assert frame.select("Id", "CreatedDate", "StageName", "IsWon", "Amount", "OwnerId", "FiscalYear").row(
        0
    ) == (*(A, start, "New", True, 100.0, None, 2024),)
    assert tables.clock == start
    assert account(tables, "Opportunity") == {("used", None): 1}
    assert tables.findings.is_empty()
    assert tables.quarantine.is_empty()


def test_what_is_supplied_can_be_asked(write: Write, load: Load) -> None:
    tables = load(write(Opportunity=[HEAD, DEAL], LeadHistory=["Id,Nothing"]))
    assert tables.has("Opportunity")
    assert tables.has("Opportunity.Amount")
    assert not tables.has("Opportunity.IsWon")
    assert not tables.has("Lead")
    assert not tables.has("Lead.Status")
    assert not tables.has("LeadHistory")


def test_short_ids_become_long_and_join(write: Write, load: Load) -> None:
    history = [
        HISTORY,
        f"{B},{A[:15]},2024-01-02,StageName,New,Won",
        f"{C[:15]},{A},2024-01-02,StageName,Won,New",
    ]
    tables = load(write(Opportunity=[HEAD, DEAL.replace(A, A[:15])], OpportunityFieldHistory=history))
    assert [row[0] for row in rows(tables, "Opportunity")] == [A]
    pairs = tables.connection.sql(
        'SELECT "Id", "OpportunityId" FROM crm."OpportunityFieldHistory" ORDER BY 1'
    ).pl()
    assert pairs.rows() == [(B, A), (C, A)]
    assert account(tables, "OpportunityFieldHistory") == {("used", None): 2}


def test_ids_that_differ_only_in_case_are_two(write: Write, load: Load) -> None:
    twins = ["001A0000006Vm9r", "001A0000006VM9r"]
    tables = load(write(Opportunity=[HEAD, *(DEAL.replace(A, one) for one in twins)]))
    assert [row[0] for row in rows(tables, "Opportunity")] == ["001A0000006VM9rIAG", "001A0000006Vm9rIAC"]


def test_opaque_ids_are_left_alone(write: Write, load: Load, spec: SourceSpec) -> None:
    opaque = spec.model_copy(update={"id_format": "opaque"})
    tables = load(write(Opportunity=[HEAD, DEAL.replace(A, "deal 7")]), spec=opaque)
    assert [row[0] for row in rows(tables, "Opportunity")] == ["deal 7"]


def test_malformed_references_become_null_and_are_told(write: Write, load: Load) -> None:
    folder = write(
        Opportunity=[
            HEAD,
            f"{A},2024-01-01,New,1,tqs6UXPA/Lm7W+0dX0+syw==,",
            f"{B},2024-01-01,New,1,{C},",
            f"{C},2024-01-01,New,1,000000000000000AAA,",
        ]
    )
    tables = load(folder)
    owners = tables.connection.sql('SELECT "Id", "OwnerId" FROM crm."Opportunity" ORDER BY 1').pl()
    assert owners.rows() == [(B, C), (C, None), (A, None)]
    assert tables.findings.rows() == [("Opportunity", "OwnerId is not a Salesforce Id: set to null", 1, [A])]
    assert account(tables, "Opportunity") == {("used", None): 3}


@pytest.fixture
def load_rows(write: Write, load: Load) -> Callable[..., Tables]:
    return lambda *lines: load(write(Opportunity=lines), max_quarantine=0.5)


@pytest.mark.parametrize(
    ("row", "reason", "value", "key"),
    [
        (",2024-01-01,New,1,,", "Id is empty", None, None),
        ("000000000000000,2024-01-01,New,1,,", "Id is empty", "000000000000000", None),
        (f"{A[:14]},2024-01-01,New,1,,", "Id is not a Salesforce Id", A[:14], A[:14]),
        (f"{A.lower()},2024-01-01,New,1,,", "Id is not a Salesforce Id", A.lower(), A.lower()),
        (f"{B},,New,1,,", "CreatedDate is empty", None, B),
        (f"{B},02/03/26,New,1,,", "CreatedDate is not a datetime", "02/03/26", B),
        (f"{B},2024-01-01,New,a lot,,", "Amount is not a number", "a lot", B),
        (f"{B},2024-01-01,New,1,,2024-13-01", "CloseDate is not a date", "2024-13-01", B),
        (f"{B},2024-13-01,New,a lot,,", "CreatedDate is not a datetime", "2024-13-01", B),
        (f"{B},0001-01-01T00:00:00Z,New,1,,", "CreatedDate is not a datetime", "0001-01-01T00:00:00Z", B),
        (f"{B},2024-01-01,New,1,,9999-12-31", "CloseDate is not a date", "9999-12-31", B),
        (f"{B},2024-01-01,New,1,,0000-00-00", "CloseDate is not a date", "0000-00-00", B),
        (f"{B},2024-01-01,New,1e300,,", "Amount is not a number", "1e300", B),
        (f"{B},2024-01-01,New,1e400,,", "Amount is not a number", "1e400", B),
        (f"{B},2024-01-01,New,inf,,", "Amount is not a number", "inf", B),
    ],
)
def test_spoilt_rows_are_quarantined_with_their_reason(
    row: str, reason: str, value: str | None, key: str | None, load_rows: Callable[..., Tables]
) -> None:
    tables = load_rows(HEAD, DEAL, row)
    assert account(tables, "Opportunity") == {("used", None): 1, ("quarantined", reason): 1}
    (kept,) = tables.quarantine.rows(named=True)
    assert (kept["table"], kept["source_row"], kept["id"]) == ("Opportunity", 2, key)
    assert (kept["reason"], kept["value"]) == (reason, value)
    assert list(json.loads(kept["row"])) == HEAD.split(",")
    assert ["" if cell is None else cell for cell in json.loads(kept["row"]).values()] == row.split(",")
    assert [row[0] for row in rows(tables, "Opportunity")] == [A]


def test_quarantine_shows_the_row_as_it_came(write: Write, load: Load) -> None:
    head = 'Id,CreatedDate,StageName,"we""ird, column",we_ird'
    tables = load(
        write(Opportunity=[head, f"{A},2024-01-01,New,1,2", f'{B},soon,New,"a\nb",2']), max_quarantine=1
    )
    assert json.loads(tables.quarantine["row"].item()) == {
        "Id": B,
        "CreatedDate": "soon",
        "StageName": "New",
        'we"ird, column': "a\nb",
        "we_ird": "2",
    }
    assert tables.quarantine["source_row"].item() == 2


def test_an_empty_stage_is_kept_and_told(write: Write, load: Load) -> None:
    tables = load(write(Opportunity=[HEAD, f"{A},2024-01-01,,1,,"]))
    assert tables.findings.rows() == [("Opportunity", "StageName is empty", 1, [A])]
    assert account(tables, "Opportunity") == {("used", None): 1}


def test_a_date_with_a_time_of_day_is_read_and_told(write: Write, load: Load) -> None:
    folder = write(
        Opportunity=[
            f"{HEAD},LastActivityDate",
            f"{A},2024-01-01,New,1,,2024-02-01 17:23:34,2024-02-03T00:00:00.000Z",
            f"{B},2024-01-01,New,1,,2024-02-01T23:30:00-01:00,2024-02-03T10:00:00Z",
            f"{C},2024-01-01,New,1,,2024-02-01 00:00:00,",
            f"{C},2024-01-01,New,1,,2024-02-01,",
            "006q000000Hddoi,2024-01-01,New,?,,2024-02-01 17:23:34,2024-02-03T10:00:00Z",
        ]
    )
    tables = load(folder, max_quarantine=0.2)
    days = tables.connection.sql('SELECT "Id", "CloseDate", "LastActivityDate" FROM crm."Opportunity"').pl()
    assert sorted(days.rows()) == [
        (B, date(2024, 2, 2), date(2024, 2, 3)),
        (C, date(2024, 2, 1), None),
        (A, date(2024, 2, 1), date(2024, 2, 3)),
    ]
    assert tables.findings.rows() == [
        ("Opportunity", "CloseDate holds times of day: their day (UTC) is read", 2, [B, A]),
        ("Opportunity", "LastActivityDate holds times of day: their day (UTC) is read", 1, [B]),
    ]
    assert account(tables, "Opportunity") == {
        ("used", None): 3,
        ("filtered", "identical copy"): 1,
        ("quarantined", "Amount is not a number"): 1,
    }


def test_midnight_is_not_worth_telling(write: Write, load: Load) -> None:
    tables = load(write(Opportunity=[HEAD, DEAL + " 00:00:00", DEAL.replace(A, B) + "T00:00:00.000Z"]))
    assert [
        row[-1] for row in tables.connection.sql('SELECT "CloseDate" FROM crm."Opportunity"').pl().rows()
    ] == [date(2024, 2, 1)] * 2
    assert tables.findings.is_empty()


def test_identical_copies_collapse_and_contradictions_all_go(write: Write, load: Load) -> None:
    folder = write(
        Opportunity=[
            HEAD,
            DEAL,
            DEAL.replace("T00:00:00Z", " 00:00:00.000+0000"),
            DEAL.replace(A, A[:15]),
            f"{B},2024-01-01,New,1,,",
            f"{B},2024-01-01,Won,1,,",
            f"{B},2024-01-01,New,1,,",
            f"{C},2024-01-01,New,,,",
        ]
    )
    tables = load(folder, max_quarantine=0.5)
    assert account(tables, "Opportunity") == {
        ("used", None): 2,
        ("filtered", "identical copy"): 2,
        ("quarantined", "same Id, different values"): 3,
    }
    assert [row[0] for row in rows(tables, "Opportunity")] == [C, A]
    assert tables.quarantine["source_row"].to_list() == [4, 5, 6]
    examples = dict(tables.quality.select("reason", "examples").iter_rows())
    assert examples == {None: [], "identical copy": [A], "same Id, different values": [B]}


def test_a_copy_that_is_spoilt_does_not_spoil_the_other(write: Write, load: Load) -> None:
    tables = load(write(Opportunity=[HEAD, DEAL, DEAL.replace("2024-01-01", "soon ")]), max_quarantine=0.5)
    assert account(tables, "Opportunity") == {
        ("used", None): 1,
        ("quarantined", "CreatedDate is not a datetime"): 1,
    }


def test_tables_without_a_key_lose_their_copies(write: Write, load: Load) -> None:
    rates = ["CurrencyIsoCode,ConversionRate,StartDate", "EUR,0.9,", "EUR,0.9,", "EUR,0.8,2024-01-01"]
    tables = load(write(Opportunity=[HEAD, DEAL], _CEL_CURRENCIES=rates))
    assert account(tables, "_CEL_CURRENCIES") == {("used", None): 2, ("filtered", "identical copy"): 1}


def test_look_ups_may_have_another_key(write: Write, load: Load) -> None:
    stages = ["ApiName,SortOrder,IsClosed", "New,1,false", "Won,2,true", "Won,3,true"]
    tables = load(write(Opportunity=[HEAD, DEAL], OpportunityStage=stages))
    assert account(tables, "OpportunityStage") == {
        ("used", None): 1,
        ("quarantined", "same ApiName, different values"): 2,
    }
    assert [row[0] for row in rows(tables, "OpportunityStage")] == ["New"]


def test_history_of_unknown_records_is_quarantined(write: Write, load: Load) -> None:
    history = [
        HISTORY,
        f"{B},{A},2024-01-02,StageName,New,Won",
        f"{C},{B},2024-01-02,StageName,New,Won",
        f"{A},,2024-01-02,StageName,New,Won",
    ]
    tables = load(write(Opportunity=[HEAD, DEAL], OpportunityFieldHistory=history))
    assert account(tables, "OpportunityFieldHistory") == {
        ("used", None): 1,
        ("quarantined", "OpportunityId is empty"): 1,
        ("quarantined", "OpportunityId names no known Opportunity"): 1,
    }
    assert tables.quarantine.select("id", "value").rows() == [(C, B), (A, None)]


def test_history_of_a_table_that_was_not_supplied_stays(write: Write, load: Load) -> None:
    history = ["Id,LeadId,CreatedDate,Field", f"{B},{C},2024-01-02,Status"]
    tables = load(write(Opportunity=[HEAD, DEAL], LeadHistory=history))
    assert account(tables, "LeadHistory") == {("used", None): 1}


def test_history_of_a_quarantined_record_goes_with_it(write: Write, load: Load) -> None:
    history = [HISTORY, f"{B},{A},2024-01-02,StageName,New,Won"]
    folder = write(Opportunity=[HEAD, DEAL.replace("100", "?")], OpportunityFieldHistory=history)
    tables = load(folder, max_quarantine=1)
    assert account(tables, "OpportunityFieldHistory") == {
        ("used", None): 0,
        ("quarantined", "OpportunityId names no known Opportunity"): 1,
    }


def test_the_clock_is_the_newest_system_time_of_a_used_row(write: Write, load: Load) -> None:
    head = "Id,CreatedDate,StageName,CloseDate,LastModifiedDate,SystemModstamp,Amount"
    tables = load(
        write(
            Opportunity=[
                head,
                f"{A},2024-01-01,New,2031-01-01,2030-01-01,2024-03-01T10:00:00+02:00,1",
                f"{B},2029-01-01,New,2031-01-01,2030-01-01,2029-03-01,many",
            ],
            Event=["Id,CreatedDate,StartDateTime", f"{C},2024-02-01,2032-01-01"],
        ),
        max_quarantine=0.5,
    )
    assert tables.clock == datetime(2024, 3, 1, 8, tzinfo=UTC)


def test_no_rows_no_clock(write: Write, load: Load) -> None:
    tables = load(write(Opportunity=[HEAD], OpportunityFieldHistory=[HISTORY]))
    assert tables.clock is None
    assert tables.quality.rows() == [
        ("Opportunity", "used", None, 0, []),
        ("OpportunityFieldHistory", "used", None, 0, []),
    ]


def test_values_split_by_type_are_one_value(write: Write, load: Load) -> None:
    history = [
        "id,opportunityid,createddate,field,oldvalue__st,oldvalue__fl,newvalue__st,newvalue__fl,newvalue__bo",
        f"{B},{A},2024-01-02,Amount,,5.5,,7.5,",
        f"{C},{A},2024-01-02,StageName,New,,Won,,",
    ]
    tables = load(write(opportunity=[HEAD, DEAL], opportunityfieldhistory=history))
    values = tables.connection.sql('SELECT "OldValue", "NewValue" FROM crm."OpportunityFieldHistory"').pl()
    assert values.rows() == [("5.5", "7.5"), ("New", "Won")]


def test_nul_characters_are_removed_and_told(write: Write, load: Load) -> None:
    tables = load(write(Opportunity=[HEAD, DEAL.replace("New", "N\0ew")]))
    assert [row[2] for row in rows(tables, "Opportunity")] == ["New"]
    assert tables.findings.rows() == [
        ("Opportunity", "Opportunity.csv holds NUL characters: removed", None, []),
    ]


FAULTS = {
    "fine": "{id},2024-01-01,New,1,,",
    "no id": ",2024-01-01,New,1,,",
    "bad id": "{id}?,2024-01-01,New,1,,",
    "bad date": "{id},01/02/2024,New,1,,",
    "no date": "{id},,New,1,,",
    "bad amount": "{id},2024-01-01,New,1.2.3,,",
    "bad owner": "{id},2024-01-01,New,1,nobody,",
    "again": "{id},2024-01-01T00:00:00Z,New,1.0,,",
    "contradiction": "{id},2024-01-01,Won,1,,",
}


@given(
    plan=st.lists(st.tuples(st.integers(0, 6), st.sampled_from(sorted(FAULTS))), max_size=14),
    parents=st.lists(st.integers(0, 8), max_size=10),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_no_row_is_lost_whatever_is_planted(
    plan: list[tuple[int, str]], parents: list[int], write: Write, load: Load
) -> None:
    deals = [FAULTS[fault].format(id=f"006q00000000{number:03}") for number, fault in plan]
    history = [f"017q00000000{at:03},006q00000000{of:03},2024-01-02,X,," for at, of in enumerate(parents)]
    folder = write(Opportunity=[HEAD, *deals], OpportunityFieldHistory=[HISTORY, *history])
    tables = load(folder, max_quarantine=1)

    counted = dict(tables.quality.group_by("table").agg(pl.col("rows").sum()).iter_rows())
    assert counted == {"Opportunity": len(deals), "OpportunityFieldHistory": len(history)}
    quarantined = tables.quality.filter(disposition="quarantined")["rows"].sum()
    assert tables.quarantine.height == quarantined
    for table in counted:
        assert len(rows(tables, table)) == account(tables, table)["used", None]

    clean: dict[str, set[str]] = {}
    for number, fault in plan:
        if fault in {"fine", "bad owner", "again", "contradiction"}:
            clean.setdefault(f"006q00000000{number:03}AAA", set()).add(
                "Won" if fault == "contradiction" else "New"
            )
    kept = {key for key, stages in clean.items() if len(stages) == 1}
    assert {row[0] for row in rows(tables, "Opportunity")} == kept
    used = [of for of in parents if f"006q00000000{of:03}AAA" in kept]
    assert len(rows(tables, "OpportunityFieldHistory")) == len(used)


def test_order_of_rows_and_files_changes_nothing(write: Write, load: Load) -> None:
    deals = [FAULTS[fault].format(id=f"006q00000000{at:03}") for at, fault in enumerate(sorted(FAULTS))]
    deals += [deals[2], deals[-1].replace("Won", "New")]
    history = [f"017q00000000{at:03},006q00000000{at % 12:03},2024-01-02,X,," for at in range(40)]
    outcomes = []
    for seed in range(5):
        shuffle = random.Random(seed).shuffle  # noqa: S311 - repeatable on purpose
        shuffle(deals)
        shuffle(history)
        folder = write(f"crm{seed}", Opportunity=[HEAD, *deals], OpportunityFieldHistory=[HISTORY, *history])
        tables = load(folder, max_quarantine=1)
        outcomes.append(
            (
                rows(tables, "Opportunity"),
                rows(tables, "OpportunityFieldHistory"),
                tables.quality.rows(),
                tables.findings.rows(),
                tables.quarantine.drop("source_row").sort("table", "id", "reason", "row").rows(),
                tables.clock,
            )
        )
    assert outcomes[1:] == outcomes[:1] * 4


def test_a_second_load_of_the_same_files_is_the_same(write: Write, load: Load) -> None:
    folder = write(Opportunity=[HEAD, DEAL, DEAL])
    first, second = load(folder), load(folder)
    assert rows(first, "Opportunity") == rows(second, "Opportunity")
    assert first.inputs == second.inputs
    assert first.quality.equals(second.quality)


def test_one_connection_holds_one_load(write: Write, load: Load) -> None:
    connection = duckdb.connect(":memory:")
    tables = load(write(Opportunity=[HEAD, DEAL]), connection=connection)
    with pytest.raises(ValueError, match="already exists"):
        load(write(Opportunity=[HEAD]), connection=connection)
    assert len(rows(tables, "Opportunity")) == 1

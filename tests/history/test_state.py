"""Records as they were: what histories tell after a moment is undone, and what follows from it follows."""

from datetime import UTC, date, datetime
from typing import Any

import duckdb
import polars as pl
import pytest

from crmmining import Crm, UnknownNameError, connect
from crmmining.definitions import shipped

from .conftest import Tell

ANNA, BEA = "005000000000001AAA", "005000000000002AAA"
DEAL = (
    "Id CreatedDate SystemModstamp StageName IsClosed IsWon Amount CloseDate Probability ForecastCategory "
    "ForecastCategoryName ExpectedRevenue OwnerId NextStep LastStageChangeDate"
)
WON = [
    DEAL,
    ("O", "2024-01-01 09:00", "2024-04-01 09:00", "Won", True, True, 300.0, "2024-04-01", 100.0, "Closed",
     "Closed", 300.0, BEA, "send invoice", "2024-04-01 09:00"),
]  # fmt: skip
STAGES = [
    "Id ApiName SortOrder IsClosed IsWon DefaultProbability ForecastCategory ForecastCategoryName",
    ("1", "Demo", 1, False, False, 20.0, "Pipeline", "Pipeline"),
    ("2", "Offer", 2, False, False, 60.0, "Forecast", "Commit"),
    ("3", "Won", 3, True, True, 100.0, "Closed", "Closed"),
]
FIELD = "Id OpportunityId CreatedDate Field OldValue NewValue"
HISTORY = [
    FIELD,
    ("h1", "O", "2024-02-01 09:00", "StageName", "Demo", "Offer"),
    ("h2", "O", "2024-03-01 09:00", "Amount", None, "200"),
    ("h3", "O", "2024-03-15 09:00", "Amount", "200", "300"),
    ("h4", "O", "2024-03-15 09:00", "CloseDate", "2024-06-30", "2024-04-01"),
    ("h5", "O", "2024-03-15 09:00", "Owner", "Anna", "Bea"),
    ("h6", "O", "2024-03-15 09:00", "Owner", ANNA, BEA),
    ("h7", "O", "2024-04-01 09:00", "StageName", "Offer", "Won"),
    ("h8", "O", "2024-04-01 09:00", "NextStep", None, None),
]
DEALS: dict[str, Any] = {"Opportunity": WON, "OpportunityStage": STAGES, "OpportunityFieldHistory": HISTORY}
TRACKED = (
    "StageName, IsClosed, IsWon, Amount, CloseDate::VARCHAR, OwnerId, LastStageChangeDate::DATE::VARCHAR"
)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2024-01-15", ("Demo", False, False, None, "2024-06-30", ANNA, None)),
        ("2024-02-01 08:59:59", ("Demo", False, False, None, "2024-06-30", ANNA, None)),
        ("2024-02-01 09:00:00", ("Offer", False, False, None, "2024-06-30", ANNA, "2024-02-01")),
        ("2024-03-10", ("Offer", False, False, 200.0, "2024-06-30", ANNA, "2024-02-01")),
        ("2024-03-31", ("Offer", False, False, 300.0, "2024-04-01", BEA, "2024-02-01")),
        ("2024-04-01 09:00:00", ("Won", True, True, 300.0, "2024-04-01", BEA, "2024-04-01")),
        (None, ("Won", True, True, 300.0, "2024-04-01", BEA, "2024-04-01")),
    ],
)
def test_an_opportunity_at_every_moment_of_its_life(
    tell: Tell, at: str | None, expected: tuple[object, ...]
) -> None:
    assert tell(at=at, **DEALS).rows(f"SELECT {TRACKED} FROM Opportunity") == [expected]  # noqa: S608


def test_what_a_stage_implies_stands_in_where_nothing_tells_it(tell: Tell) -> None:
    told = tell(at="2024-03-10", **DEALS)
    implied = "SELECT Probability, ForecastCategory, ForecastCategoryName, ExpectedRevenue FROM Opportunity"
    assert told.rows(implied) == [(60.0, "Forecast", "Commit", 120.0)]


def test_snapshots_tell_it_better(tell: Tell) -> None:
    saves = [
        "Id OpportunityId CreatedDate StageName Amount CloseDate Probability ForecastCategory",
        ("s1", "O", "2024-01-01 09:00", "Demo", 200.0, "2024-06-30", 35.0, "BestCase"),
        ("s2", "O", "2024-04-01 09:00", "Won", 300.0, "2024-04-01", 100.0, "Closed"),
    ]
    told = tell(at="2024-02-01", Opportunity=WON, OpportunityHistory=saves, OpportunityStage=STAGES)
    columns = "StageName, Amount, Probability, ForecastCategory, ForecastCategoryName, ExpectedRevenue, IsWon"
    assert told.rows(f"SELECT {columns} FROM Opportunity") == [  # noqa: S608
        ("Demo", 200.0, 35.0, "BestCase", "Best Case", 70.0, False)
    ]


def test_stages_of_no_list_mean_what_the_flags_of_records_say(tell: Tell) -> None:
    told = tell(
        at="2024-02-01",
        Opportunity=[
            "Id CreatedDate SystemModstamp StageName IsClosed IsWon",
            ("O", "2024-01-01", "2024-03-01", "Won", True, True),
            ("P", "2024-01-01", "2024-01-01", "Lost", True, False),
            ("Q", "2024-01-01", "2024-03-01", "Won", True, True),
        ],
        OpportunityFieldHistory=[
            FIELD,
            ("h1", "O", "2024-03-01", "StageName", "Lost", "Won"),
            ("h2", "Q", "2024-03-01", "StageName", "Unheard of", "Won"),
        ],
    )
    assert told.rows("SELECT Id, StageName, IsClosed, IsWon FROM Opportunity ORDER BY Id") == [
        ("O", "Lost", True, False),
        ("P", "Lost", True, False),
        ("Q", "Unheard of", None, None),
    ]


def test_owners_known_by_name_alone_are_found_where_one_has_the_name(tell: Tell) -> None:
    told = tell(
        at="2024-02-01",
        User=["Id Name", (ANNA, "Anna"), (BEA, "Bea"), ("005000000000003AAA", "Bea")],
        Case=["Id CreatedDate SystemModstamp Status OwnerId", ("C", "2024-01-01", "2024-03-01", "New", BEA),
              ("D", "2024-01-01", "2024-03-01", "New", ANNA)],
        CaseHistory=["Id CaseId CreatedDate Field OldValue NewValue",
                     ("h1", "C", "2024-03-01", "Owner", "Anna", "Bea"),
                     ("h2", "D", "2024-03-01", "Owner", "Bea", "Anna")],
    )  # fmt: skip
    assert told.rows('SELECT Id, OwnerId FROM "Case" ORDER BY Id') == [("C", ANNA), ("D", ANNA)]
    unknown = "SELECT Id FROM state_unknown WHERE list_contains(columns, 'OwnerId') AND \"table\" = 'Case'"
    assert told.rows(f"{unknown} ORDER BY Id") == [("C",), ("D",)]  # the history begins after the moment


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2024-01-01 12:00", ("New", False, None)),
        ("2024-01-03", ("Closed", True, "2024-01-02 10:00:00+00")),
        ("2024-01-04", ("Working", False, None)),
        ("2024-01-06", ("Closed", True, "2024-01-05 10:00:00+00")),
        ("2024-01-08", ("Working", False, None)),
        (None, ("Closed", True, "2024-01-09 10:00:00+00")),
    ],
)
def test_a_case_closed_three_times(tell: Tell, at: str | None, expected: tuple[object, ...]) -> None:
    told = tell(
        at=at,
        CaseStatus=["Id ApiName SortOrder IsClosed", ("1", "New", 1, False), ("2", "Working", 2, False),
                    ("3", "Closed", 3, True)],
        Case=["Id CreatedDate SystemModstamp Status IsClosed ClosedDate",
              ("C", "2024-01-01 09:00", "2024-01-09 10:00", "Closed", True, "2024-01-09 10:00")],
        CaseHistory=[
            "Id CaseId CreatedDate Field OldValue NewValue",
            ("h1", "C", "2024-01-02 10:00", "Status", "New", "Closed"),
            ("h2", "C", "2024-01-03 10:00", "Status", "Closed", "Working"),
            ("h3", "C", "2024-01-05 10:00", "Status", "Working", "Closed"),
            ("h4", "C", "2024-01-07 10:00", "Status", "Closed", "Working"),
            ("h5", "C", "2024-01-09 10:00", "Status", "Working", "Closed"),
        ],
    )  # fmt: skip
    assert told.rows('SELECT Status, IsClosed, ClosedDate::VARCHAR FROM "Case"') == [expected]


@pytest.mark.parametrize(
    ("at", "expected"),
    [("2024-01-01 12:00", (False, None)), ("2024-01-03", (True, "2024-01-02 10:00:00+00"))],
)
def test_a_case_without_a_history_was_open_before_its_closing(
    tell: Tell, at: str, expected: tuple[object, ...]
) -> None:
    told = tell(
        at=at,
        Case=["Id CreatedDate SystemModstamp Status IsClosed ClosedDate",
              ("C", "2024-01-01 09:00", "2024-02-01", "Closed", True, "2024-01-02 10:00")],
    )  # fmt: skip
    assert told.rows('SELECT IsClosed, ClosedDate::VARCHAR FROM "Case"') == [expected]


def test_a_reopened_case_was_closed_at_its_mark(tell: Tell) -> None:
    told = tell(
        at="2024-01-03",
        CaseStatus=["Id ApiName SortOrder IsClosed", ("1", "Working", 1, False), ("2", "Done", 2, True)],
        Case=["Id CreatedDate SystemModstamp Status IsClosed ClosedDate",
              ("C", "2024-01-01 09:00", "2024-02-01", "Working", False, None)],
        CaseHistory=["Id CaseId CreatedDate Field OldValue NewValue",
                     ("h1", "C", "2024-01-02 11:00", "closed", None, None),
                     ("h2", "C", "2024-02-01 00:00", "Status", "Done", "Working")],
    )  # fmt: skip
    assert told.rows('SELECT Status, IsClosed, ClosedDate::VARCHAR FROM "Case"') == [
        ("Done", True, "2024-01-02 11:00:00+00")
    ]


LEAD = (
    "Id CreatedDate SystemModstamp Status IsConverted ConvertedDate ConvertedAccountId ConvertedContactId "
    "ConvertedOpportunityId"
)
CONVERTED = ("L", "2024-01-01 09:00", "2024-02-01 10:00", "Converted", True, "2024-02-01", "A", "K", "O")
STATE_OF_LEAD = f"SELECT {', '.join(LEAD.split()[3:])} FROM Lead"  # noqa: S608


@pytest.mark.parametrize("marked", [True, False])
def test_a_lead_before_and_after_its_conversion(tell: Tell, marked: bool) -> None:  # noqa: FBT001
    mark = [("h2", "L", "2024-02-01 10:00", "leadConverted", None, None)] if marked else []
    tables: dict[str, Any] = {
        "LeadStatus": ["Id ApiName SortOrder IsConverted",
                       ("1", "New", 1, False), ("2", "Converted", 2, True)],
        "Lead": [LEAD, CONVERTED],
        "Contact": ["Id CreatedDate", ("K", "2024-02-01 10:00")],
        "LeadHistory": ["Id LeadId CreatedDate Field OldValue NewValue",
                        ("h1", "L", "2024-02-01 10:00", "Status", "New", "Converted"), *mark],
    }  # fmt: skip
    told = tell(at="2024-02-01 09:59:59", **tables)
    assert told.rows(STATE_OF_LEAD) == [("New", False, None, None, None, None)]
    told = tell(at="2024-02-01 10:00:00")
    assert told.rows(STATE_OF_LEAD) == [("Converted", True, date(2024, 2, 1), "A", "K", "O")]


def test_work_was_not_done_before_it_was_completed(tell: Tell) -> None:
    tables: dict[str, Any] = {
        "Task": ["Id CreatedDate SystemModstamp IsClosed CompletedDateTime",
                 ("T1", "2024-01-01", "2024-03-01", True, "2024-01-15 09:00"),
                 ("T2", "2024-01-01", "2024-03-01", True, "2024-02-15 09:00"),
                 ("T3", "2024-01-01", "2024-03-01", True, None)],
        "CaseMilestone": ["Id CreatedDate SystemModstamp CaseId CompletionDate IsCompleted",
                          ("M1", "2024-01-01", "2024-03-01", "C", "2024-01-15 09:00", True),
                          ("M2", "2024-01-01", "2024-03-01", "C", "2024-02-15 09:00", True)],
    }  # fmt: skip
    told = tell(at="2024-02-01", **tables)
    assert told.rows("SELECT Id, IsClosed, CompletedDateTime::DATE::VARCHAR FROM Task ORDER BY Id") == [
        ("T1", True, "2024-01-15"), ("T2", False, None), ("T3", True, None),
    ]  # fmt: skip
    assert told.rows("SELECT Id, IsCompleted, CompletionDate IS NULL FROM CaseMilestone ORDER BY Id") == [
        ("M1", True, False), ("M2", False, True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "table", ["Account", "Opportunity", "Task", "Event", "Quote", "CaseComment", "Contact"]
)
def test_what_was_deleted_later_was_there(tell: Tell, table: str) -> None:
    stage = " StageName" if table == "Opportunity" else ""
    value = ("Demo",) if stage else ()
    rows = [
        (f"Id CreatedDate IsDeleted SystemModstamp LastModifiedDate LastModifiedById{stage}"),
        ("D", "2024-01-01", True, "2024-01-15", "2024-01-15", "U", *value),
        ("E", "2024-01-01", True, "2024-02-15", "2024-02-15", "U", *value),
        ("F", "2024-01-01", False, "2024-02-15", "2024-01-15", "U", *value),
    ]
    told = tell(at="2024-02-01", **{table: rows})
    columns = "Id, IsDeleted, SystemModstamp IS NULL, LastModifiedDate IS NULL, LastModifiedById"
    assert told.rows(f"SELECT {columns} FROM {table} ORDER BY Id") == [  # noqa: S608
        ("D", True, False, False, "U"),
        ("E", False, True, True, None),
        ("F", False, True, False, "U"),
    ]


def test_after_the_last_change_tables_pass_through(tell: Tell) -> None:
    told = tell(at="2025-01-01", **DEALS)
    assert told.rows("FROM undone") == []
    for table in ("account", "lead", "opportunity", "case"):
        assert told.rows(f"FROM {table}_before") == []
    assert told.rows("FROM Opportunity") == told.rows("FROM as_of.Opportunity")


def test_a_custom_column_is_undone_like_any_other(tell: Tell) -> None:
    told = tell(
        at="2024-02-01",
        Account=["Id CreatedDate SystemModstamp NumberOfEmployees Name",
                 ("A", "2024-01-01", "2024-03-01", 50, "New AG")],
        AccountHistory=[
            "Id AccountId CreatedDate Field OldValue NewValue",
            ("h1", "A", "2024-03-01", "NumberOfEmployees", "20", "50"),
            ("h2", "A", "2024-03-01", "TextName", "Old AG", "New AG"),
        ],
    )  # fmt: skip
    assert told.rows("SELECT NumberOfEmployees, Name FROM Account") == [(20, "Old AG")]


# The whole way: a source, its state at a moment, what of it is only known as of now.


def source() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("""
        CREATE TABLE Opportunity (Id TEXT, CreatedDate TIMESTAMPTZ, SystemModstamp TIMESTAMPTZ, StageName TEXT,
            Amount DOUBLE, NextStep TEXT, IsDeleted BOOLEAN);
        INSERT INTO Opportunity VALUES
            ('006000000000001AAA', '2024-01-01 09:00Z', '2024-04-01 09:00Z', 'Won', 300, 'x', FALSE),
            ('006000000000002AAA', '2024-01-01 09:00Z', '2024-01-01 09:00Z', 'Demo', 100, 'y', FALSE),
            ('006000000000003AAA', '2024-03-01 09:00Z', '2024-03-01 09:00Z', 'Demo', 100, 'y', FALSE),
            ('006000000000004AAA', '2024-01-01 09:00Z', '2024-01-10 09:00Z', 'Demo', 100, 'y', TRUE);
        CREATE TABLE OpportunityFieldHistory (Id TEXT, OpportunityId TEXT, CreatedDate TIMESTAMPTZ, Field TEXT,
            OldValue TEXT, NewValue TEXT);
        INSERT INTO OpportunityFieldHistory VALUES
            ('017000000000001AAA', '006000000000001AAA', '2024-01-15 09:00Z', 'StageName', 'Demo', 'Offer'),
            ('017000000000002AAA', '006000000000001AAA', '2024-04-01 09:00Z', 'StageName', 'Offer', 'Won'),
            ('017000000000003AAA', '006000000000001AAA', '2024-04-01 09:00Z', 'Amount', '200', '300')
    """)
    return con


@pytest.fixture(scope="module")
def crm() -> Crm:
    with source() as con:
        return connect(con)


def test_the_state_of_a_table_at_a_moment(crm: Crm) -> None:
    deals = crm.state("Opportunity", at="2024-02-01")
    assert deals.select("Id", "StageName", "Amount", "SystemModstamp", "not_as_of").rows() == [
        # Amount is what it was before its first change told, but its history begins after the moment
        ("006000000000001AAA", "Offer", 200.0, None, ["Amount", "NextStep", "SystemModstamp"]),
        ("006000000000002AAA", "Demo", 100.0, datetime(2024, 1, 1, 9, tzinfo=UTC), []),
    ]
    assert deals.columns == [*crm.definitions.source.tables["Opportunity"].columns, "not_as_of"]
    assert deals.schema["not_as_of"] == pl.List(pl.String())


def test_by_default_the_state_is_that_of_the_clock(crm: Crm) -> None:
    deals = crm.state("Opportunity")
    assert deals["Amount"].to_list() == [300.0, 100.0, 100.0]
    assert deals["not_as_of"].to_list() == [[], [], []]


def test_a_table_that_was_not_supplied_has_no_records(crm: Crm) -> None:
    assert crm.state("Quote", at="2024-02-01").height == 0
    assert crm.state("_CEL_CURRENCIES").columns[-1] == "not_as_of"


def test_an_unknown_table_is_an_error_that_names_the_nearest(crm: Crm) -> None:
    with pytest.raises(UnknownNameError, match="Opportunity"):
        crm.state("Opportunities")


def test_undoing_everything_and_doing_it_again_leaves_the_records_of_today() -> None:
    crm = connect(shipped("data/sample"))
    now = crm.state("Case")
    crm.state("Case", at="2024-06-30")
    assert crm.state("Case").equals(now)

"""Quirks 21, 24-27 and 32: one CRM in many spellings; 28-30 as far as files show the live interface."""

import polars as pl
import pytest

from crmmining.errors import CrmMiningError

from .conftest import STAGES, Built, noticed, silent, told

OPPORTUNITY = """
    Id,CreatedDate,StageName
    006000000000001,2024-05-01 08:00:00,Proposal
"""
HISTORY = [
    "Id,OpportunityId,CreatedDate,Field,OldValue,NewValue",
    "017000000000001,006000000000001,2024-05-01 08:00:00,created,,",
    "017000000000002,006000000000001,2024-05-02 10:00:00,StageName,Prospecting,Qualification",
    "017000000000003,006000000000001,2024-05-03 10:00:00,StageName,Qualification,Proposal",
]
EVENTS = [
    ("2024-05-01 08:00", "Create Opportunity", None, "006000000000001AAA"),
    ("2024-05-02 10:00", "Stage: Qualification", "1", "017000000000002AAA"),
    ("2024-05-03 10:00", "Stage: Proposal", "1", "017000000000003AAA"),
]


def test_21_ids_of_15_and_18_characters_and_ids_that_differ_by_case(built: Built) -> None:
    crm = built(
        Opportunity="""
            Id,CreatedDate,StageName,OwnerId
            006000000000abc,2024-05-01 08:00:00,Proposal,005000000000002AAA
            006000000000ABCAA2,2024-05-01 09:00:00,Prospecting,005000000000002
        """,
        OpportunityFieldHistory="""
            Id,OpportunityId,CreatedDate,Field,OldValue,NewValue
            017000000000001,006000000000abcAAA,2024-05-02 10:00:00,StageName,Prospecting,Proposal
            017000000000002,006000000000ABC,2024-05-02 11:00:00,Owner,005000000000001,005000000000002AAA
        """,
    )
    columns = ("case_id", "old_value", "new_value")
    assert told(crm, "opportunity", *columns) == [
        ("2024-05-01 09:00", "Create Opportunity", "006000000000ABCAA2", None, None),
        (
            "2024-05-02 11:00",
            "Change Owner",
            "006000000000ABCAA2",
            "005000000000001AAA",
            "005000000000002AAA",
        ),
        ("2024-05-01 08:00", "Create Opportunity", "006000000000abcAAA", None, None),
        ("2024-05-02 10:00", "Stage: Proposal", "006000000000abcAAA", "Prospecting", "Proposal"),
    ]


def test_24_missing_optional_columns_switch_off_what_needs_them(built: Built) -> None:
    crm = built(
        Opportunity=OPPORTUNITY,
        OpportunityFieldHistory="\n".join(HISTORY),
        Task="""
            Id,WhatId,CreatedDate
            00T000000000001,006000000000001,2024-05-02 09:00:00
        """,
    )
    assert told(crm, "opportunity", "direction", "actor") == [
        ("2024-05-01 08:00", "Create Opportunity", None, None),
        ("2024-05-02 10:00", "Stage: Qualification", None, None),
        ("2024-05-03 10:00", "Stage: Proposal", None, None),
    ]
    assert silent(crm, "opportunity", "Task") == {"planned, not done": ["00T000000000001EAA"]}
    off = crm.quality("opportunity").filter(pl.col("disposition") == "off")["reason"].to_list()
    assert "activity 'Inbound Call': needs Task.CallType" in off
    assert (
        "activity 'Win Opportunity': needs OpportunityStage.IsClosed or Opportunity.IsClosed or "
        in "".join(off)
    )
    assert [reason for reason in off if reason.startswith("KPI 'opportunity_handovers'")] == []


@pytest.mark.parametrize(
    ("table", "columns", "history", "history_columns"),
    [
        (
            "opportunity",
            "id,created_date,stage_name",
            "opportunity_field_history",
            "id,opportunity_id,created_date,field,old_value,new_value",
        ),
        (
            "OPPORTUNITY",
            "ID,CREATEDDATE,STAGENAME",
            "OPPORTUNITYFIELDHISTORY",
            "ID,OPPORTUNITYID,CREATEDDATE,FIELD,OLDVALUE,NEWVALUE",
        ),
        (
            "opportunity",
            "id,createddate,stagename",
            "opportunityfieldhistory",
            "id,opportunityid,createddate,field,oldvalue,newvalue",
        ),
    ],
)
def test_25_headers_in_snake_case_capitals_and_lower_case(
    built: Built, table: str, columns: str, history: str, history_columns: str
) -> None:
    files = {
        table: f"{columns}\n006000000000001,2024-05-01 08:00:00,Proposal",
        history: "\n".join([history_columns, *HISTORY[1:]]),
    }
    crm = built(OpportunityStage=STAGES, **files)
    assert told(crm, "opportunity", "direction", "source_id") == EVENTS


def test_26_one_moment_in_every_spelling(built: Built) -> None:
    crm = built(
        Opportunity="""
            Id,CreatedDate,StageName,CloseDate
            006000000000001,2024-05-01T08:00:00.000Z,Prospecting,2024-06-01 00:00:00
        """,
        OpportunityFieldHistory="""
            Id,OpportunityId,CreatedDate,Field,OldValue,NewValue
            017000000000001,006000000000001,2024-05-02T10:00:00.000+0000,A__c,,1
            017000000000002,006000000000001,2024-05-02T10:00:00.000Z,B__c,,1
            017000000000003,006000000000001,2024-05-02T10:00:00Z,C__c,,1
            017000000000004,006000000000001,2024-05-02 10:00:00,D__c,,1
            017000000000005,006000000000001,2024-05-02 10:00:00+00,E__c,,1
            017000000000006,006000000000001,2024-05-02T12:00:00+02:00,F__c,,1
            017000000000007,006000000000001,2024-05-02 10:00:00.000000,G__c,,1
            017000000000008,006000000000001,2024-05-02T15:30:00+0530,H__c,,1
        """,
    )
    assert told(crm, "opportunity")[1:] == [("2024-05-02 10:00", f"Change: {name}__c") for name in "ABCDEFGH"]
    assert crm.event_log("opportunity").cases["close_date"].cast(pl.String).to_list() == ["2024-06-01"]


def test_27_nul_bytes_line_breaks_quotes_and_empty_values(built: Built) -> None:
    rows = (
        "Id,OpportunityId,CreatedDate,Field,OldValue,NewValue\n"
        '017000000000001,006000000000001,2024-05-02 10:00:00,NextStep,"","call\r\nback, ""now"""\n'
        "017000000000002,006000000000001,2024-05-03 10:00:00,NextStep,,\n"
        '017000000000003,006000000000001,2024-05-04 10:00:00,NextStep,"",""\n'
        "017000000000004,006000000000001,2024-05-05 10:00:00,NextStep,,send\0 offer\n"
    )
    crm = built(Opportunity=OPPORTUNITY, OpportunityFieldHistory=rows.encode())
    assert told(crm, "opportunity", "old_value", "new_value")[1:] == [
        ("2024-05-02 10:00", "Change Next Step", None, 'call\r\nback, "now"'),
        ("2024-05-03 10:00", "Change Next Step", None, None),
        ("2024-05-04 10:00", "Change Next Step", None, None),
        ("2024-05-05 10:00", "Change Next Step", None, "send offer"),
    ]


def test_28_pages_arrive_unsorted_and_may_overlap(built: Built) -> None:
    # the locator is the client's; in files, pages put together are rows out of order, some of them twice
    header, *rows = HISTORY
    crm = built(
        OpportunityStage=STAGES,
        Opportunity=OPPORTUNITY,
        OpportunityFieldHistory="\n".join([header, *reversed(rows), rows[1]]),
    )
    assert told(crm, "opportunity", "direction", "source_id") == EVENTS
    account = crm.quality("opportunity").filter(
        pl.col("scope") == "table",
        pl.col("table") == "OpportunityFieldHistory",
        pl.col("disposition") != "off",
    )
    assert account.filter(pl.col("disposition") != "finding").select("disposition", "rows").rows() == [
        ("used", 3),
        ("filtered", 1),
    ]


def test_29_a_table_that_could_not_be_fetched_is_missed_not_guessed(built: Built) -> None:
    # failed requests are the client's; in files, a table is absent then, or cut off, which is refused
    crm = built(OpportunityStage=STAGES, Opportunity=OPPORTUNITY)
    assert told(crm, "opportunity") == [("2024-05-01 08:00", "Create Opportunity")]
    off = crm.quality("opportunity").filter(pl.col("disposition") == "off")["reason"].to_list()
    needs = "needs OpportunityFieldHistory.NewValue or OpportunityHistory.StageName"
    assert f"activity 'Reopen Opportunity': {needs}" in off
    cut = "\n".join([*HISTORY[:2], HISTORY[2][:60]]).encode()
    with pytest.raises(CrmMiningError, match="OpportunityFieldHistory"):
        built("cut", Opportunity=OPPORTUNITY, OpportunityFieldHistory=cut)


def test_30_a_row_that_comes_late_with_an_older_stamp_tells_what_it_had_told_in_time(built: Built) -> None:
    # the look-back is the client's; a second load with the late row gives the log of a first one with it
    def crm(folder: str, *rows: str) -> list[tuple[object, ...]]:
        files = {"OpportunityStage": STAGES, "Opportunity": OPPORTUNITY}
        loaded = built(folder, **files, OpportunityFieldHistory="\n".join([HISTORY[0], *rows]))
        return told(loaded, "opportunity", "direction", "source_id")

    created, late, last = HISTORY[1:]
    assert crm("first", created, last) == [EVENTS[0], EVENTS[2]]
    assert crm("second", created, last, late) == EVENTS


def test_32_values_split_into_columns_by_type(built: Built) -> None:
    crm = built(
        case="""
            id,createddate,status
            500000000000001,2024-05-01 08:00:00,Working
        """,
        casehistory="""
            id,caseid,createddate,field,oldvalue__st,oldvalue__bo,newvalue__st,newvalue__bo,newvalue__fl
            017000000000001,500000000000001,2024-05-02 10:00:00,Status,New,,Working,,
            017000000000002,500000000000001,2024-05-03 10:00:00,IsEscalated,,false,,true,
            017000000000003,500000000000001,2024-05-04 10:00:00,Hours__c,,,,,2.5
        """,
    )
    assert told(crm, "case", "old_value", "new_value")[1:] == [
        ("2024-05-02 10:00", "Status: Working", "New", "Working"),
        ("2024-05-03 10:00", "Escalate Case", "false", "true"),
        ("2024-05-04 10:00", "Change: Hours__c", None, "2.5"),
    ]
    assert noticed(crm, "case", "broken chain") == []

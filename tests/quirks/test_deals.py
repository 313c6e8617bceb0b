"""Quirks 7, 13, 14, 20 and 22: opportunities, their snapshots and their money."""

import polars as pl

from .conftest import STAGES, Built, noticed, silent, told


def test_07_an_opportunity_created_from_a_lead_has_no_created_row(built: Built) -> None:
    crm = built(
        OpportunityStage=STAGES,
        Opportunity="""
            Id,CreatedDate,StageName
            006000000000001,2024-05-01 08:00,Qualification
            006000000000002,2024-05-01 09:00,Prospecting
        """,
        OpportunityFieldHistory="""
            Id,OpportunityId,CreatedDate,Field,OldValue,NewValue
            017000000000001,006000000000001,2024-05-01 08:00,opportunityCreatedFromLead,,
            017000000000002,006000000000001,2024-05-02 10:00,StageName,Prospecting,Qualification
            017000000000003,006000000000002,2024-05-01 09:00,created,,
        """,
    )
    assert told(crm, "opportunity", "new_value", "source_id") == [
        ("2024-05-01 08:00", "Create Opportunity", "from lead", "006000000000001AAA"),
        ("2024-05-02 10:00", "Stage: Qualification", "Qualification", "017000000000002AAA"),
        ("2024-05-01 09:00", "Create Opportunity", None, "006000000000002AAA"),
    ]
    assert crm.event_log("opportunity").cases["truncated"].to_list() == [False, False]


def test_13_an_opportunity_with_amount_snapshots_only(built: Built) -> None:
    crm = built(
        OpportunityStage=STAGES,
        Opportunity="""
            Id,CreatedDate,StageName,Amount
            006000000000001,2024-05-01 08:00,Prospecting,90
        """,
        OpportunityHistory="""
            Id,OpportunityId,CreatedDate,StageName,Amount
            008000000000001,006000000000001,2024-05-01 08:00,Prospecting,100
            008000000000002,006000000000001,2024-05-02 10:00,Prospecting,120
            008000000000003,006000000000001,2024-05-03 10:00,Prospecting,120
            008000000000004,006000000000001,2024-05-04 10:00,Prospecting,90
        """,
    )
    assert told(crm, "opportunity", "delta", "source_id") == [
        ("2024-05-01 08:00", "Create Opportunity", None, "006000000000001AAA"),
        ("2024-05-02 10:00", "Raise Amount", "20.0", "008000000000002AAA"),
        ("2024-05-04 10:00", "Lower Amount", "-30.0", "008000000000004AAA"),
    ]
    assert silent(crm, "opportunity", "OpportunityHistory") == {
        "shows the opportunity as it was created": ["008000000000001AAA"],
        "snapshot without a change": ["008000000000003AAA"],
    }


def test_14_previous_amounts_are_those_of_the_snapshot_before(built: Built) -> None:
    crm = built(
        OpportunityStage=STAGES,
        Opportunity="""
            Id,CreatedDate,StageName,Amount,CloseDate
            006000000000001,2024-05-01 08:00,Prospecting,120,2024-07-01
            006000000000002,2020-05-01 08:00,Prospecting,80,2024-06-01
        """,
        OpportunityHistory="""
            Id,OpportunityId,CreatedDate,StageName,Amount,PrevAmount,CloseDate,PrevCloseDate
            008000000000001,006000000000001,2024-05-01 08:00,Prospecting,100,,2024-06-01,
            008000000000002,006000000000001,2024-05-02 10:00,Prospecting,120,,2024-07-01,
            008000000000003,006000000000002,2024-05-03 10:00,Prospecting,80,50,2024-06-01,2024-06-11
        """,
    )
    assert told(crm, "opportunity", "old_value", "new_value", "delta", of="006000000000001AAA") == [
        ("2024-05-01 08:00", "Create Opportunity", None, None, None),
        ("2024-05-02 10:00", "Push Close Date", "2024-06-01", "2024-07-01", "30.0"),
        ("2024-05-02 10:00", "Raise Amount", "100.0", "120.0", "20.0"),
    ]
    assert told(crm, "opportunity", "old_value", "new_value", "delta", of="006000000000002AAA") == [
        ("2020-05-01 08:00", "Create Opportunity", None, None, None),
        ("2024-05-03 10:00", "Pull Close Date", "2024-06-11", "2024-06-01", "-10.0"),
        ("2024-05-03 10:00", "Raise Amount", "50.0", "80.0", "30.0"),
    ]


def test_20_a_deleted_opportunity_is_no_case_but_its_rows_are_accounted_for(built: Built) -> None:
    crm = built(
        Opportunity="""
            Id,CreatedDate,StageName,IsDeleted,SystemModstamp
            006000000000001,2024-05-01 08:00,Proposal,true,2024-05-04 10:00
            006000000000002,2024-05-01 09:00,Prospecting,false,2024-05-01 09:00
        """,
        OpportunityFieldHistory="""
            Id,OpportunityId,CreatedDate,IsDeleted,Field,OldValue,NewValue
            017000000000001,006000000000001,2024-05-01 08:00,true,created,,
            017000000000002,006000000000001,2024-05-02 10:00,true,StageName,Prospecting,Proposal
            017000000000003,006000000000002,2024-05-01 09:00,false,created,,
        """,
    )
    assert told(crm, "opportunity") == [("2024-05-01 09:00", "Create Opportunity")]
    assert silent(crm, "opportunity", "Opportunity") == {"deleted row": ["006000000000001AAA"]}
    assert silent(crm, "opportunity", "OpportunityFieldHistory") == {
        "case deleted or unknown": ["017000000000002AAA"],
        "tells the creation, as the record does": ["017000000000001AAA", "017000000000003AAA"],
    }
    log = crm.event_log("opportunity", as_of="2024-05-03")
    assert log.events.select("case_id", pl.col("activity").cast(pl.String)).rows() == [
        ("006000000000001AAA", "Create Opportunity"),
        ("006000000000001AAA", "Stage: Proposal"),
        ("006000000000002AAA", "Create Opportunity"),
    ]


def test_22_amounts_convert_by_the_rate_of_their_day_or_not_at_all(built: Built) -> None:
    crm = built(
        Opportunity="""
            Id,CreatedDate,StageName,Amount,CloseDate,CurrencyIsoCode
            006000000000001,2024-05-01 08:00,Prospecting,100,2024-05-31,EUR
            006000000000002,2024-05-01 08:00,Prospecting,100,2024-06-01,EUR
            006000000000003,2024-05-01 08:00,Prospecting,100,2024-05-31,DEM
            006000000000004,2024-05-01 08:00,Prospecting,100,2024-05-31,CHF
            006000000000005,2024-05-01 08:00,Prospecting,100,2024-05-31,USD
        """,
        CurrencyType="""
            Id,IsoCode,ConversionRate,IsActive,IsCorporate
            01L000000000001,USD,1,true,true
            01L000000000002,EUR,0.4,true,false
            01L000000000003,DEM,2,false,false
        """,
        DatedConversionRate="""
            Id,IsoCode,StartDate,NextStartDate,ConversionRate
            04w000000000001,EUR,0001-01-01,2024-06-01,0.5
            04w000000000002,EUR,2024-06-01,9999-12-31,0.8
        """,
    )
    cases = crm.event_log("opportunity").cases
    assert cases.select("currency", "amount", "amount_reporting", "reporting_currency").rows() == [
        ("EUR", 100.0, 200.0, "USD"),
        ("EUR", 100.0, 125.0, "USD"),
        ("DEM", 100.0, 50.0, "USD"),
        ("CHF", 100.0, None, "USD"),
        ("USD", 100.0, 100.0, "USD"),
    ]
    found = "amounts without a rate into the reporting currency: CHF"
    assert noticed(crm, "opportunity", "without a rate") == [("opportunity: Opportunity", 1, found)]

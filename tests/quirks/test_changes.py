"""Quirks 1-3 and 8-12: what one row of a field history means, and what it does not."""

import polars as pl

from .conftest import STAGES, Built, noticed, silent, told


def test_01_owner_change_as_a_pair_of_rows(built: Built) -> None:
    crm = built(
        Opportunity="""
            Id,CreatedDate,StageName,OwnerId
            006000000000001,2024-05-01 08:00,Prospecting,005000000000002
        """,
        OpportunityFieldHistory="""
            Id,OpportunityId,CreatedDate,Field,OldValue,NewValue
            017000000000001,006000000000001,2024-05-01 08:00,created,,
            017000000000002,006000000000001,2024-05-02 10:00,Owner,Ada Ruiz,Ben Okafor
            017000000000003,006000000000001,2024-05-02 10:00,Owner,005000000000001,005000000000002
        """,
    )
    assert told(crm, "opportunity", "old_value", "new_value", "source_id") == [
        ("2024-05-01 08:00", "Create Opportunity", None, None, "006000000000001AAA"),
        (
            "2024-05-02 10:00",
            "Change Owner",
            "005000000000001AAA",
            "005000000000002AAA",
            "017000000000003AAA",
        ),
    ]
    assert silent(crm, "opportunity", "OpportunityFieldHistory") == {
        "name row beside an Id row": ["017000000000002AAA"],
        "tells the creation, as the record does": ["017000000000001AAA"],
    }


def test_02_a_queue_s_record_is_accepted_by_a_person(built: Built) -> None:
    crm = built(
        Group="""
            Id,Type,Name
            00G000000000001,Queue,Inbound
        """,
        Lead="""
            Id,CreatedDate,Status,OwnerId
            00Q000000000001,2024-05-01 08:00,Open,005000000000002
        """,
        LeadHistory="""
            Id,LeadId,CreatedDate,Field,OldValue,NewValue
            017000000000001,00Q000000000001,2024-05-01 08:00,created,,
            017000000000002,00Q000000000001,2024-05-01 09:00,Owner,Ada Ruiz,Inbound
            017000000000003,00Q000000000001,2024-05-01 09:00,Owner,005000000000001,00G000000000001
            017000000000004,00Q000000000001,2024-05-02 10:00,Owner,00G000000000001,005000000000002
            017000000000005,00Q000000000001,2024-05-02 10:00,ownerAccepted,00G000000000001,005000000000002
            017000000000006,00Q000000000001,2024-05-02 10:00,ownerAccepted,Inbound,Ben Okafor
        """,
    )
    queue, ada, ben = "00G000000000001EAA", "005000000000001AAA", "005000000000002AAA"
    assert told(crm, "lead", "old_value", "new_value", "source_id") == [
        ("2024-05-01 08:00", "Create Lead", None, None, "00Q000000000001EAA"),
        ("2024-05-01 09:00", "Assign to Queue", ada, queue, "017000000000003AAA"),
        ("2024-05-02 10:00", "Accept from Queue", queue, ben, "017000000000005AAA"),
    ]


def test_03_an_assignment_rule_at_the_creation_leaves_no_owner_row(built: Built) -> None:
    crm = built(
        Group="""
            Id,Type,Name
            00G000000000001,Queue,Tier 1
        """,
        User="""
            Id,Name,IsActive,CreatedDate
            005000000000001,Ada Ruiz,true,2020-01-01 00:00
        """,
        Case="""
            Id,CreatedDate,Status,OwnerId
            500000000000001,2024-05-01 08:00,New,005000000000001
            500000000000002,2024-05-01 08:30,New,00G000000000001
        """,
        CaseHistory="""
            Id,CaseId,CreatedDate,Field,OldValue,NewValue
            017000000000001,500000000000001,2024-05-01 08:00,created,,
            017000000000002,500000000000001,2024-05-02 10:00,Owner,Tier 1,Ada Ruiz
            017000000000003,500000000000001,2024-05-02 10:00,Owner,00G000000000001,005000000000001
            017000000000004,500000000000002,2024-05-01 08:30,created,,
        """,
    )
    assert told(crm, "case", of="500000000000001AAA") == [
        ("2024-05-01 08:00", "Create Case"),
        ("2024-05-02 10:00", "Accept from Queue"),
    ]
    assert told(crm, "case", of="500000000000002AAA") == [("2024-05-01 08:30", "Create Case")]
    log = crm.event_log("case")
    assert log.at("created", "queue", "owner").rows() == [("Tier 1", "Tier 1"), ("Tier 1", "Tier 1")]
    assert log.cases.select("queue", "owner").rows() == [(None, "Ada Ruiz"), ("Tier 1", "Tier 1")]
    assert crm.state("Case", at="2024-05-02T09:00:00")["OwnerId"].to_list() == ["00G000000000001EAA"] * 2


def test_08_a_stage_renamed_since_has_no_direction_and_is_said(built: Built) -> None:
    crm = built(
        OpportunityStage=STAGES,
        Opportunity="""
            Id,CreatedDate,StageName
            006000000000001,2024-05-01 08:00,Proposal
        """,
        OpportunityFieldHistory="""
            Id,OpportunityId,CreatedDate,Field,OldValue,NewValue
            017000000000001,006000000000001,2024-05-01 08:00,created,,
            017000000000002,006000000000001,2024-05-02 10:00,StageName,Prospecting,Discovery
            017000000000003,006000000000001,2024-05-03 10:00,StageName,Discovery,Qualification
            017000000000004,006000000000001,2024-05-04 10:00,StageName,Qualification,Proposal
        """,
    )
    assert told(crm, "opportunity", "direction", "delta") == [
        ("2024-05-01 08:00", "Create Opportunity", None, None),
        ("2024-05-02 10:00", "Stage: Discovery", None, None),
        ("2024-05-03 10:00", "Stage: Qualification", None, None),
        ("2024-05-04 10:00", "Stage: Proposal", "1", "1.0"),
    ]
    found = "stages or statuses in history that no list explains: Discovery"
    assert noticed(crm, "opportunity", found) == [("opportunity: OpportunityFieldHistory", 2, found)]


def test_09_back_and_forth_in_one_second_follows_the_chain(built: Built) -> None:
    crm = built(
        OpportunityStage=STAGES,
        Opportunity="""
            Id,CreatedDate,StageName
            006000000000001,2024-05-01 08:00,Qualification
        """,
        OpportunityFieldHistory="""
            Id,OpportunityId,CreatedDate,Field,OldValue,NewValue
            017000000000001,006000000000001,2024-05-01 08:00,created,,
            017000000000002,006000000000001,2024-05-02 10:00,StageName,Prospecting,Qualification
            017000000000003,006000000000001,2024-05-03 10:00,StageName,Proposal,Qualification
            017000000000004,006000000000001,2024-05-03 10:00,StageName,Qualification,Proposal
        """,
    )
    assert told(crm, "opportunity", "direction", "source_id") == [
        ("2024-05-01 08:00", "Create Opportunity", None, "006000000000001AAA"),
        ("2024-05-02 10:00", "Stage: Qualification", "1", "017000000000002AAA"),
        ("2024-05-03 10:00", "Stage: Proposal", "1", "017000000000004AAA"),
        ("2024-05-03 10:00", "Stage: Qualification", "-1", "017000000000003AAA"),
    ]
    assert noticed(crm, "opportunity", "broken chain") == []


def test_10_a_row_whose_old_value_is_its_new_one_tells_nothing(built: Built) -> None:
    crm = built(
        OpportunityStage=STAGES,
        Opportunity="""
            Id,CreatedDate,StageName,Amount
            006000000000001,2024-05-01 08:00,Qualification,100
        """,
        OpportunityFieldHistory="""
            Id,OpportunityId,CreatedDate,Field,OldValue,NewValue
            017000000000001,006000000000001,2024-05-02 10:00,StageName,Prospecting,Qualification
            017000000000002,006000000000001,2024-05-03 10:00,StageName,Qualification,Qualification
            017000000000003,006000000000001,2024-05-04 10:00,Amount,100.0,100
        """,
    )
    assert told(crm, "opportunity") == [
        ("2024-05-01 08:00", "Create Opportunity"),
        ("2024-05-02 10:00", "Stage: Qualification"),
    ]
    assert silent(crm, "opportunity", "OpportunityFieldHistory") == {
        "old and new value are the same": ["017000000000002AAA"],
        "the same value, written otherwise": ["017000000000003AAA"],
    }


def test_11_a_long_text_changes_without_values(built: Built) -> None:
    crm = built(
        Case="""
            Id,CreatedDate,Status,Description
            500000000000001,2024-05-01 08:00,New,The pump leaks again
        """,
        CaseHistory="""
            Id,CaseId,CreatedDate,Field,DataType,OldValue,NewValue
            017000000000001,500000000000001,2024-05-01 08:00,created,Text,,
            017000000000002,500000000000001,2024-05-02 10:00,Description,TextArea,,
            017000000000003,500000000000001,2024-05-03 10:00,Description,TextArea,,
        """,
    )
    assert told(crm, "case", "old_value", "new_value") == [
        ("2024-05-01 08:00", "Create Case", None, None),
        ("2024-05-02 10:00", "Change: Description", None, None),
        ("2024-05-03 10:00", "Change: Description", None, None),
    ]
    found = "long text: changed, values not kept"
    assert noticed(crm, "case", found) == [("case: CaseHistory", 2, found)]


def test_12_a_record_older_than_the_history_that_is_kept(built: Built) -> None:
    crm = built(
        OpportunityStage=STAGES,
        Opportunity="""
            Id,CreatedDate,StageName
            006000000000001,2020-01-01 08:00,Proposal
            006000000000002,2024-05-01 08:00,Qualification
        """,
        OpportunityFieldHistory="""
            Id,OpportunityId,CreatedDate,Field,OldValue,NewValue
            017000000000001,006000000000002,2024-05-01 08:00,created,,
            017000000000002,006000000000002,2024-05-02 10:00,StageName,Prospecting,Qualification
            017000000000003,006000000000001,2024-05-03 10:00,StageName,Qualification,Proposal
        """,
    )
    assert told(crm, "opportunity", of="006000000000001AAA") == [
        ("2020-01-01 08:00", "Create Opportunity"),
        ("2024-05-03 10:00", "Stage: Proposal"),
    ]
    assert crm.event_log("opportunity").cases.select("case_id", "truncated").rows() == [
        ("006000000000001AAA", True),
        ("006000000000002AAA", False),
    ]
    before = crm.state("Opportunity", at="2024-05-01T12:00:00")
    assert before["StageName"].to_list() == ["Qualification", "Prospecting"]
    stages = crm.coverage().filter(pl.col("field") == "StageName")
    assert stages.select("rows", pl.col("since").dt.strftime("%Y-%m-%d %H:%M"), "basis").rows() == [
        (2, "2024-05-02 10:00", "estimated")
    ]

"""Quirks 18, 19, 23 and 31: touches, merged accounts, person accounts, and who the actors are."""

from .conftest import Built, noticed, silent, told


def test_18_archived_tasks_count_masters_copies_and_plans_do_not(built: Built) -> None:
    crm = built(
        Opportunity="""
            Id,CreatedDate,StageName,SystemModstamp
            006000000000001,2024-05-01 08:00,Prospecting,2024-06-01 08:00
        """,
        Task="""
            Id,WhatId,CreatedDate,CompletedDateTime,IsClosed,TaskSubtype,IsArchived,IsRecurrence
            00T000000000001,006000000000001,2024-05-02 09:00,2024-05-02 09:30,true,Call,true,false
            00T000000000002,006000000000001,2024-05-02 09:00,2024-05-02 09:30,true,Call,false,true
            00T000000000003,006000000000001,2024-05-02 09:00,,false,Call,false,false
        """,
        Event="""
            Id,WhatId,CreatedDate,StartDateTime,ActivityDate,IsAllDayEvent,IsChild,IsRecurrence,IsArchived
            00U000000000001,006000000000001,2024-05-02 09:00,2024-05-03 14:00,2024-05-03,0,0,0,1
            00U000000000002,006000000000001,2024-05-02 09:00,2024-05-03 14:00,2024-05-03,0,1,0,0
            00U000000000003,006000000000001,2024-05-02 09:00,2024-05-03 14:00,2024-05-03,0,0,1,0
            00U000000000004,006000000000001,2024-05-02 09:00,2024-05-04 00:00,2024-05-04,1,0,0,0
            00U000000000005,006000000000001,2024-05-02 09:00,2024-07-04 14:00,2024-07-04,0,0,0,0
        """,
    )
    assert told(crm, "opportunity", "date_only", "source_id") == [
        ("2024-05-01 08:00", "Create Opportunity", "false", "006000000000001AAA"),
        ("2024-05-02 09:30", "Call", "false", "00T000000000001EAA"),
        ("2024-05-03 14:00", "Meeting", "false", "00U000000000001EAA"),
        ("2024-05-04 23:59", "Meeting", "true", "00U000000000004EAA"),
    ]
    assert silent(crm, "opportunity", "Task") == {
        "master of a series": ["00T000000000002EAA"],
        "planned, not done": ["00T000000000003EAA"],
    }
    assert silent(crm, "opportunity", "Event") == {
        "invitee's copy": ["00U000000000002EAA"],
        "master of a series": ["00U000000000003EAA"],
        "planned, not done": ["00U000000000005EAA"],
    }


def test_19_a_chain_of_merged_accounts_is_one_case(built: Built) -> None:
    crm = built(
        Account="""
            Id,CreatedDate,IsDeleted,MasterRecordId,SystemModstamp,Rating
            001000000000001,2024-05-01 08:00,true,001000000000002,2024-05-03 10:00,Warm
            001000000000002,2024-05-01 09:00,true,001000000000003,2024-05-05 10:00,
            001000000000003,2024-05-01 10:00,false,,2024-05-05 10:00,
        """,
        AccountHistory="""
            Id,AccountId,CreatedDate,Field,OldValue,NewValue
            017000000000001,001000000000001,2024-05-02 10:00,Rating,Cold,Warm
            017000000000002,001000000000002,2024-05-03 10:00,accountMerged,,
            017000000000003,001000000000003,2024-05-05 10:00,accountMerged,,
        """,
        Contact="""
            Id,AccountId,CreatedDate
            003000000000001,001000000000001,2024-05-01 12:00
            003000000000002,001000000000003,2024-05-04 12:00
        """,
    )
    assert told(crm, "account", "case_id", "old_value", "source_id") == [
        ("2024-05-01 10:00", "Create Account", "001000000000003AAA", None, "001000000000003AAA"),
        ("2024-05-01 12:00", "Add Contact", "001000000000003AAA", None, "003000000000001AAA"),
        ("2024-05-02 10:00", "Raise Rating", "001000000000003AAA", "Cold", "017000000000001AAA"),
        (
            "2024-05-03 10:00",
            "Merge Account",
            "001000000000003AAA",
            "001000000000001AAA",
            "001000000000001AAA",
        ),
        ("2024-05-04 12:00", "Add Contact", "001000000000003AAA", None, "003000000000002AAA"),
        (
            "2024-05-05 10:00",
            "Merge Account",
            "001000000000003AAA",
            "001000000000002AAA",
            "001000000000002AAA",
        ),
    ]
    then = crm.event_log("account", as_of="2024-05-04")
    assert then.cases["case_id"].to_list() == ["001000000000002AAA", "001000000000003AAA"]
    before = crm.event_log("account", as_of="2024-05-03")
    assert before.cases["case_id"].to_list() == [f"00100000000000{n}AAA" for n in (1, 2, 3)]


def test_23_the_contact_behind_a_person_account_is_no_added_contact(built: Built) -> None:
    crm = built(
        Account="""
            Id,CreatedDate,Name,IsPersonAccount,PersonContactId
            001000000000001,2024-05-01 08:00,Ada Ruiz-Berg,true,003000000000001
            001000000000002,2024-05-01 08:00,Acme,false,
        """,
        Contact="""
            Id,AccountId,CreatedDate,IsPersonAccount
            003000000000001,001000000000001,2024-05-01 08:00,true
            003000000000002,001000000000002,2024-05-02 08:00,false
        """,
        AccountHistory="""
            Id,AccountId,CreatedDate,Field,OldValue,NewValue
            017000000000001,001000000000001,2024-05-03 10:00,Name,Ada Ruiz,Ada Ruiz-Berg
            017000000000002,001000000000002,2024-05-03 10:00,TextName,Acme Ltd,Acme
        """,
    )
    assert told(crm, "account", "source_id") == [
        ("2024-05-01 08:00", "Create Account", "001000000000001AAA"),
        ("2024-05-03 10:00", "Rename Account", "017000000000001AAA"),
        ("2024-05-01 08:00", "Create Account", "001000000000002AAA"),
        ("2024-05-02 08:00", "Add Contact", "003000000000002AAA"),
        ("2024-05-03 10:00", "Rename Account", "017000000000002AAA"),
    ]
    assert noticed(crm, "account", "people") == [("account: Account", 1, "accounts that are people")]


def test_31_inactive_users_programs_and_queues(built: Built) -> None:
    crm = built(
        User="""
            Id,Name,IsActive,UserType
            005000000000001,Ada Ruiz,false,Standard
            005000000000002,Automated Process,true,AutomatedProcess
        """,
        Group="""
            Id,Type,Name
            00G000000000001,Queue,Tier 1
        """,
        Case="""
            Id,CreatedDate,Status,OwnerId
            500000000000001,2024-05-01 08:00,New,005000000000001
            500000000000002,2024-05-01 08:00,New,00G000000000001
        """,
        Task="""
            Id,WhatId,OwnerId,CreatedDate,CompletedDateTime,IsClosed,TaskSubtype,CallType
            00T000000000001,500000000000001,005000000000001,2024-05-02 09:00,2024-05-02 09:00,1,Call,
            00T000000000002,500000000000001,005000000000002,2024-05-02 10:00,2024-05-02 10:00,1,Call,
            00T000000000003,500000000000001,005000000000002,2024-05-02 11:00,2024-05-02 11:00,1,Call,Outbound
            00T000000000004,500000000000001,005000000000001,2024-05-02 12:00,2024-05-02 12:00,1,Call,Outbound
        """,
    )
    assert told(crm, "case", "actor", of="500000000000001AAA")[1:] == [
        ("2024-05-02 09:00", "Call", "005000000000001AAA"),
        ("2024-05-02 10:00", "Automated Touch", "005000000000002AAA"),
        ("2024-05-02 11:00", "Automated Touch", "005000000000002AAA"),
        ("2024-05-02 12:00", "First Response", "005000000000001AAA"),
    ]
    cases = crm.event_log("case").cases
    assert cases.select("owner", "queue").rows() == [("Ada Ruiz", None), ("Tier 1", "Tier 1")]

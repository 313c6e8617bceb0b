"""Quirks 4-6: what a conversion makes, when it was, and what it moves."""

from .conftest import Built, silent, told


def test_04_leads_converted_with_and_without_opportunity_and_into_what_was_there(built: Built) -> None:
    crm = built(
        Account="""
            Id,CreatedDate
            001000000000001,2024-05-02 10:00
            001000000000002,2024-05-03 10:00
            001000000000003,2019-01-01 08:00
        """,
        Contact="""
            Id,AccountId,CreatedDate
            003000000000001,001000000000001,2024-05-02 10:00
            003000000000002,001000000000002,2024-05-03 10:00
            003000000000003,001000000000003,2019-01-01 09:00
        """,
        Opportunity="""
            Id,AccountId,CreatedDate,StageName
            006000000000001,001000000000001,2024-05-02 10:00,Prospecting
            006000000000003,001000000000003,2024-05-04 10:00,Prospecting
        """,
        Lead="""
            Id,CreatedDate,Status,IsConverted,ConvertedDate,ConvertedAccountId,ConvertedContactId,ConvertedOpportunityId
            00Q000000000001,2024-05-01 08:00,Won,1,2024-05-02,001000000000001,003000000000001,006000000000001
            00Q000000000002,2024-05-01 08:00,Won,1,2024-05-03,001000000000002,003000000000002,
            00Q000000000003,2024-05-01 08:00,Won,1,2024-05-04,001000000000003,003000000000003,006000000000003
        """,
        LeadHistory="""
            Id,LeadId,CreatedDate,Field,OldValue,NewValue
            017000000000001,00Q000000000001,2024-05-02 10:00,leadConverted,,
            017000000000002,00Q000000000002,2024-05-03 10:00,leadConverted,,
            017000000000003,00Q000000000003,2024-05-04 10:00,leadConverted,,
        """,
    )
    assert told(crm, "lead", "source_id") == [
        ("2024-05-01 08:00", "Create Lead", "00Q000000000001EAA"),
        ("2024-05-02 10:00", "Create Account", "001000000000001AAA"),
        ("2024-05-02 10:00", "Create Contact", "003000000000001AAA"),
        ("2024-05-02 10:00", "Create Opportunity", "006000000000001AAA"),
        ("2024-05-02 10:00", "Convert Lead", "017000000000001AAA"),
        ("2024-05-01 08:00", "Create Lead", "00Q000000000002EAA"),
        ("2024-05-03 10:00", "Create Account", "001000000000002AAA"),
        ("2024-05-03 10:00", "Create Contact", "003000000000002AAA"),
        ("2024-05-03 10:00", "Convert Lead", "017000000000002AAA"),
        ("2024-05-01 08:00", "Create Lead", "00Q000000000003EAA"),
        ("2024-05-04 10:00", "Create Opportunity", "006000000000003AAA"),
        ("2024-05-04 10:00", "Convert Lead", "017000000000003AAA"),
    ]
    assert told(crm, "account", of="001000000000003AAA") == [
        ("2019-01-01 08:00", "Create Account"),
        ("2019-01-01 09:00", "Add Contact"),
        ("2024-05-04 10:00", "Convert Lead"),
        ("2024-05-04 10:00", "Create Opportunity"),
    ]


def test_05_a_converted_date_is_no_midnight(built: Built) -> None:
    crm = built(
        Account="""
            Id,CreatedDate
            001000000000001,2019-01-01 08:00
        """,
        Opportunity="""
            Id,AccountId,CreatedDate,StageName
            006000000000002,001000000000001,2024-05-04 15:30,Prospecting
        """,
        OpportunityFieldHistory="""
            Id,OpportunityId,CreatedDate,Field,OldValue,NewValue
            017000000000001,006000000000002,2024-05-04 15:30,opportunityCreatedFromLead,,
        """,
        Lead="""
            Id,CreatedDate,Status,IsConverted,ConvertedDate,ConvertedAccountId,ConvertedOpportunityId
            00Q000000000001,2024-05-04 09:00,Won,true,2024-05-04,001000000000001,
            00Q000000000002,2024-05-04 09:00,Won,true,2024-05-04,001000000000001,006000000000002
        """,
        Task="""
            Id,WhoId,CreatedDate,CompletedDateTime,IsClosed,TaskSubtype
            00T000000000001,00Q000000000001,2024-05-04 14:00,2024-05-04 14:10,true,Call
            00T000000000002,,2024-05-06 14:00,,false,Call
        """,
    )
    assert told(crm, "lead", "date_only", "source_id") == [
        ("2024-05-04 09:00", "Create Lead", "false", "00Q000000000001EAA"),
        ("2024-05-04 14:10", "Call", "false", "00T000000000001EAA"),
        ("2024-05-04 23:59", "Convert Lead", "true", "00Q000000000001EAA"),
        ("2024-05-04 09:00", "Create Lead", "false", "00Q000000000002EAA"),
        ("2024-05-04 15:30", "Create Opportunity", "false", "006000000000002AAA"),
        ("2024-05-04 15:30", "Convert Lead", "false", "00Q000000000002EAA"),
    ]


def test_06_a_task_that_the_conversion_moved_to_the_contact_is_the_lead_s(built: Built) -> None:
    crm = built(
        Account="""
            Id,CreatedDate
            001000000000001,2024-05-03 10:00
        """,
        Contact="""
            Id,AccountId,CreatedDate
            003000000000001,001000000000001,2024-05-03 10:00
        """,
        Lead="""
            Id,CreatedDate,Status,IsConverted,ConvertedDate,ConvertedAccountId,ConvertedContactId
            00Q000000000001,2024-05-01 08:00,Won,1,2024-05-03,001000000000001,003000000000001
        """,
        LeadHistory="""
            Id,LeadId,CreatedDate,Field,OldValue,NewValue
            017000000000001,00Q000000000001,2024-05-03 10:00,leadConverted,,
        """,
        Task="""
            Id,WhoId,CreatedDate,CompletedDateTime,IsClosed,CallType,SystemModstamp
            00T000000000001,003000000000001,2024-05-02 09:00,2024-05-02 09:10,true,Outbound,2024-05-03 10:00
            00T000000000002,003000000000001,2024-05-05 09:00,2024-05-05 09:10,true,Outbound,2024-05-05 09:10
        """,
    )
    assert told(crm, "lead", "source_id") == [
        ("2024-05-01 08:00", "Create Lead", "00Q000000000001EAA"),
        ("2024-05-02 09:10", "Outbound Call", "00T000000000001EAA"),
        ("2024-05-03 10:00", "Create Account", "001000000000001AAA"),
        ("2024-05-03 10:00", "Create Contact", "003000000000001AAA"),
        ("2024-05-03 10:00", "Convert Lead", "017000000000001AAA"),
    ]
    assert told(crm, "account", "source_id")[-1] == (
        "2024-05-05 09:10",
        "Outbound Call",
        "00T000000000002EAA",
    )
    assert silent(crm, "account", "Task") == {
        "done for a lead that became the account later": ["00T000000000001EAA"]
    }

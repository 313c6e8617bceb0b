"""A small CRM in which people are named in every place where Salesforce names them."""

from collections.abc import Callable, Mapping

import pyarrow as pa

from crmmining import tables
from crmmining.tables.ids import normalise

KEY = "sixteen bytes or more"
OTHER_KEY = b"another key of some length"
ROOTS = {"Account", "Lead", "Opportunity", "Case"}
# Words that occur in names, addresses and texts of people, and nowhere else.
CANARIES = ("Zzyzx", "Quillfeather", "Brambleworth", "Oxenthwaite", "Hollowmere", "Dapplegrim")


def long_id(short: str) -> str:
    """An Id of 15 characters as the one of 18."""
    return str(normalise(pa.array([short]))[0])


ANN, BOB, ROBOT = long_id("005A00000000001"), long_id("005A00000000002"), long_id("005A00000000003")
QUEUE = long_id("00G000000000001")
PERSON, COMPANY = long_id("001000000000001"), long_id("001000000000002")
CASE, DEAL, LEAD = long_id("500000000000001"), long_id("006000000000001"), long_id("00Q000000000001")
CONTACT = long_id("003000000000001")
T = "2024-01-0{}T09:00:00Z".format

FILES: Mapping[str, list[str]] = {
    "User": [
        "Id,Username,Name,Email,UserType,ManagerId,CreatedDate",
        f"{ANN},ann@zzyzx.example,Ann Zzyzx,ann@zzyzx.example,Standard,{BOB},{T(1)}",
        f"{BOB},bob@quillfeather.example,Bob Quillfeather,,Standard,,{T(1)}",
        f"{ROBOT},robot@example.org,Night Job,,AutomatedProcess,,{T(1)}",
    ],
    "Group": ["Id,Name,Type,CreatedDate", f"{QUEUE},Second Line,Queue,{T(1)}"],
    "Account": [
        "Id,Name,IsPersonAccount,OwnerId,CreatedDate,CreatedById",
        f"{PERSON},Cy Brambleworth,true,{ANN},{T(1)},{ANN}",
        f"{COMPANY},Acme Ltd,false,{BOB},{T(1)},{ROBOT}",
    ],
    "AccountHistory": [
        "Id,AccountId,CreatedDate,CreatedById,Field,OldValue,NewValue",
        f"017000000000001,{PERSON},{T(2)},{ANN},Name,Cy Dapplegrim,Cy Brambleworth",
        f"017000000000002,{COMPANY},{T(2)},{ANN},Name,Acme,Acme Ltd",
    ],
    "Contact": [
        "Id,Name,Email,AccountId,CreatedDate,CreatedById",
        f"{CONTACT},Di Oxenthwaite,di@oxenthwaite.example,{COMPANY},{T(2)},{BOB}",
    ],
    "Lead": [
        "Id,Name,Company,Status,OwnerId,CreatedDate,CreatedById",
        f"{LEAD},Flo Hollowmere,Hollowmere & Daughters,New,{QUEUE},{T(1)},{ANN}",
    ],
    "LeadHistory": [
        "Id,LeadId,CreatedDate,CreatedById,Field,OldValue,NewValue",
        f"017000000000003,{LEAD},{T(2)},{ANN},Name,Flo Dapplegrim,Flo Hollowmere",
        f"017000000000004,{LEAD},{T(2)},{ANN},Status,New,Working",
        f"017000000000005,{LEAD},{T(2)},{ANN},Email,a@dapplegrim.example,b@dapplegrim.example",
    ],
    "Opportunity": [
        "Id,Name,StageName,NextStep,OwnerId,AccountId,CreatedDate,CreatedById",
        f"{DEAL},Brambleworth kitchen,Prospecting,Ring Cy Brambleworth,{ANN},{PERSON},{T(1)},{ANN}",
    ],
    "OpportunityFieldHistory": [
        "Id,OpportunityId,CreatedDate,CreatedById,Field,OldValue,NewValue",
        f"017000000000006,{DEAL},{T(3)},{ANN},NextStep,Ring Bob Quillfeather,Ring Cy Brambleworth",
        f"017000000000007,{DEAL},{T(3)},{ANN},Owner,Bob Quillfeather,Ann Zzyzx",
        f"017000000000008,{DEAL},{T(3)},{ANN},Owner,{BOB[:15]},{ANN}",
        f"017000000000009,{DEAL},{T(3)},{ANN},Account,Acme Ltd,Cy Brambleworth",
        f"01700000000000a,{DEAL},{T(3)},{ANN},Coach__c,,Bob Quillfeather",
        f"01700000000000b,{DEAL},{T(3)},{ANN},Coach__c,,{BOB}",
        f"01700000000000c,{DEAL},{T(4)},{ANN},StageName,Prospecting,Proposal",
    ],
    "Case": [
        "Id,CaseNumber,Subject,Status,OwnerId,ContactId,CreatedDate,CreatedById,ClosedDate",
        f"{CASE},00001,Di Oxenthwaite rang,New,{ANN},{CONTACT},{T(1)},{ROBOT},",
    ],
    "CaseHistory": [
        "Id,CaseId,CreatedDate,CreatedById,Field,OldValue,NewValue",
        f"01700000000000d,{CASE},{T(2)},{ROBOT},Owner,Second Line,Ann Zzyzx",
        f"01700000000000e,{CASE},{T(2)},{ROBOT},Owner,{QUEUE},{ANN}",
        f"01700000000000f,{CASE},{T(3)},{ANN},Contact,Eve Dapplegrim,Di Oxenthwaite",
        f"01700000000000g,{CASE},{T(3)},{ANN},ownerAssignment,Eve Dapplegrim,Ann Zzyzx",
    ],
    "Task": [
        "Id,Subject,Status,OwnerId,WhatId,CreatedDate,CreatedById",
        f"00T000000000001,Call Di Oxenthwaite,Completed,{ANN},{CASE},{T(2)},{ANN}",
    ],
}

Hidden = Callable[..., tables.Tables]


def every_text(read: tables.Tables) -> str:
    """All that a load keeps, as one text."""
    con = read.connection
    names = con.sql("SELECT schema_name, table_name FROM duckdb_tables() ORDER BY ALL").fetchall()
    shown = [con.sql(f'FROM "{schema}"."{name}"').pl().write_json() for schema, name in names]
    return " ".join([*shown, repr(read), read.findings.write_json(), read.quality.write_json()])

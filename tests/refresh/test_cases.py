"""What touches which cases of the four processes; every step is held against the merged source rebuilt."""

from collections.abc import Mapping, Sequence

import pytest

import crmmining as cm

from .conftest import Tables, Write, merged, rebuilt, rows, same_logs

STAMPS = "Id CreatedDate SystemModstamp IsDeleted"
USER = "Id Name UserType IsActive Title"
BASE: Tables = {
    "User": rows(USER, "005000000000001, Ann, Standard, true, Boss", "005000000000002, Bob, Standard, true,"),
    "Account": rows(
        f"{STAMPS} MasterRecordId Name OwnerId",
        *(
            f"00100000000000{at}, 2024-01-01T0{at}:00:00Z, 2024-01-01T0{at}:00:00Z, false, , A{at},"
            " 005000000000001"
            for at in range(1, 7)
        ),
    ),
    "AccountHistory": rows(
        "Id AccountId CreatedDate CreatedById Field OldValue NewValue",
        "017000000000090, 001000000000006, 2024-01-01T06:00:00Z, 005000000000001, created, ,",
    ),
    "Contact": rows(
        f"{STAMPS} AccountId Name",
        "003000000000001, 2024-01-02T01:00:00Z, 2024-01-02T01:00:00Z, false, 001000000000001, C1",
        "003000000000002, 2024-01-02T02:00:00Z, 2024-01-02T02:00:00Z, false, 001000000000002, C2",
    ),
    "Opportunity": rows(
        f"{STAMPS} AccountId Name StageName Amount CurrencyIsoCode CloseDate OwnerId",
        *(
            f"00600000000000{at}, 2024-01-03T0{at}:00:00Z, 2024-01-03T0{at}:00:00Z, false,"
            f" 00100000000000{at}, O{at}, Open, {at}00, EUR, 2024-09-30, 005000000000001"
            for at in range(1, 5)
        ),
    ),
    "OpportunityFieldHistory": rows(
        "Id OpportunityId CreatedDate CreatedById Field OldValue NewValue",
        "017000000000001, 006000000000001, 2024-01-03T01:00:00Z, 005000000000001, created, ,",
        "017000000000002, 006000000000001, 2024-02-01T10:00:00Z, 005000000000001, StageName, New, Open",
        "017000000000003, 006000000000002, 2024-02-01T11:00:00Z, 005000000000001, Amount, 1, 200",
    ),
    "Lead": rows(
        f"{STAMPS} Name Status IsConverted ConvertedDate "
        "ConvertedAccountId ConvertedContactId ConvertedOpportunityId",
        *(
            f"00Q00000000000{at}, 2024-01-04T0{at}:00:00Z, 2024-01-04T0{at}:00:00Z, false,"
            f" L{at}, Open, false, , , ,"
            for at in range(1, 5)
        ),
        "00Q000000000005, 2024-01-04T05:00:00Z, 2024-01-05T05:00:00Z, false, L5, Converted, true, 2024-01-05,"
        " 001000000000005, ,",
    ),
    "LeadHistory": rows(
        "Id LeadId CreatedDate CreatedById Field OldValue NewValue",
        "017000000000011, 00Q000000000001, 2024-01-04T01:00:00Z, 005000000000001, created, ,",
    ),
    "Case": rows(
        f"{STAMPS} AccountId Subject Status IsClosed OwnerId",
        *(
            f"50000000000000{at}, 2024-01-05T0{at}:00:00Z, 2024-01-05T0{at}:00:00Z, false,"
            f" 00100000000000{at}, K{at}, New, false, 005000000000001"
            for at in range(1, 5)
        ),
    ),
    "Task": rows(
        f"{STAMPS} WhatId WhoId AccountId OwnerId TaskSubtype CompletedDateTime IsClosed",
        "00T000000000001, 2024-02-02T10:00:00Z, 2024-02-02T10:00:00Z, false, 500000000000001, , ,"
        " 005000000000001, Call, 2024-02-02T10:00:00Z, true",
        "00T000000000002, 2024-02-02T11:00:00Z, 2024-02-02T11:00:00Z, false, , 003000000000001, ,"
        " 005000000000001, Call, 2024-02-02T11:00:00Z, true",
        "00T000000000003, 2024-02-02T12:00:00Z, 2024-02-02T12:00:00Z, false, , 00Q000000000002, ,"
        " 005000000000001, Call, 2024-02-02T12:00:00Z, true",
    ),
    "CurrencyType": rows(
        "Id IsoCode ConversionRate IsCorporate",
        "01L000000000001, USD, 1, true",
        "01L000000000002, EUR, 0.9, false",
    ),
}


def changed(table: str, key: str, **cells: str) -> Tables:
    """One row of the base with other cells."""
    (row,) = [row for row in BASE[table] if row["Id"] == key]
    return {table: [{**row, **cells}]}


def more(table: str, *lines: str) -> Tables:
    """Rows in the columns of the base."""
    return {table: rows(" ".join(BASE[table][0]), *lines)}


Step = tuple[str, Tables, Mapping[str, Sequence[str]], dict[str, tuple[int, str]]]
EVERY = "all: every case needs {}"
STEPS: dict[str, Step] = {
    "a late row of history": (
        "opportunity",
        more(
            "OpportunityFieldHistory",
            "017000000000009, 006000000000003, 2024-02-01T10:30:00Z, 005000000000002, StageName, New, Open",
        ),
        {},
        {"opportunity": (1, "cases")},
    ),
    "a corrected row": (
        "opportunity",
        changed("OpportunityFieldHistory", "017000000000003", NewValue="300"),
        {},
        {"opportunity": (1, "cases")},
    ),
    "a row that was another's": (
        "opportunity",
        changed("OpportunityFieldHistory", "017000000000003", OpportunityId="006000000000004"),
        {},
        {"opportunity": (2, "cases")},
    ),
    "a soft delete": (
        "opportunity",
        changed("Opportunity", "006000000000002", IsDeleted="true"),
        {},
        {"opportunity": (1, "cases")},
    ),
    "a hard delete": ("opportunity", {}, {"Opportunity": ["006000000000004"]}, {"opportunity": (1, "cases")}),
    "an account that changes": (
        "opportunity",
        changed("Account", "001000000000001", Name="A"),
        {},
        {"opportunity": (1, "cases")},
    ),
    "an opportunity of another account": (
        "account",
        changed("Opportunity", "006000000000001", AccountId="001000000000003"),
        {},
        {"account": (2, "cases")},
    ),
    "an account that goes into another": (
        "account",
        changed("Account", "001000000000002", IsDeleted="true", MasterRecordId="001000000000001"),
        {},
        {"account": (2, "cases")},
    ),
    "a task about another case": (
        "case",
        changed("Task", "00T000000000001", WhatId="500000000000002"),
        {},
        {"case": (2, "cases")},
    ),
    "a contact that moves takes its tasks along": (
        "account",
        changed("Contact", "003000000000001", AccountId="001000000000003"),
        {},
        {"account": (2, "cases")},
    ),
    "a contact that leaves its account leaves its tasks to nobody": (
        "account",
        changed("Contact", "003000000000001", AccountId=""),
        {},
        {"account": (1, "cases")},
    ),
    "a lead that is converted": (
        "lead",
        changed(
            "Lead",
            "00Q000000000002",
            Status="Converted",
            IsConverted="true",
            ConvertedDate="2024-02-02",
            ConvertedAccountId="001000000000002",
            ConvertedContactId="003000000000002",
            SystemModstamp="2024-02-02T12:00:00Z",
        ),
        {},
        {"lead": (5, "all: a table tells something for the first time")},
    ),
    "a new user": (
        "case",
        more("User", "005000000000003, Cyd, Standard, true,"),
        {},
        {"case": (4, EVERY.format("User"))},
    ),
    "a user in columns that nobody reads": (
        "case",
        changed("User", "005000000000001", Title="Queen"),
        {},
        {"case": (0, "none")},
    ),
    "a rate of exchange": (
        "opportunity",
        changed("CurrencyType", "01L000000000002", ConversionRate="0.8"),
        {},
        {"opportunity": (4, EVERY.format("CurrencyType"))},
    ),
    "the first row of a field": (
        "opportunity",
        more(
            "OpportunityFieldHistory",
            "017000000000009, 006000000000003, 2024-01-20T10:00:00Z, 005000000000002, Type, , New",
        ),
        {},
        {"opportunity": (4, "all: what is known of all records has changed")},
    ),
}


@pytest.mark.parametrize("step", STEPS)
def test_the_touched_cases_are_told_again_and_make_the_log_of_the_merged_source(
    step: str, write_tables: Write
) -> None:
    process, batch, deleted, wanted = STEPS[step]
    crm = cm.connect(write_tables("before", BASE))
    crm.event_log(process)
    account = crm.refresh(write_tables("batch", batch) if batch else None, deleted=deleted)
    assert {name: line for name, line in rebuilt(account).items() if name in wanted} == wanted
    same_logs(crm, cm.connect(write_tables("after", merged(BASE, batch, deleted)), max_quarantine=1), process)


def test_a_table_that_comes_later_switches_on_what_needs_it(write_tables: Write) -> None:
    before = {name: lines for name, lines in BASE.items() if name != "Task"}
    crm = cm.connect(write_tables("before", before))
    lacking = set(crm.event_log("case").off)
    account = crm.refresh(write_tables("batch", {"Task": BASE["Task"]}))
    assert rebuilt(account)["case"] == (4, "all: Task was not there before")
    same_logs(crm, cm.connect(write_tables("after", BASE)), "case")
    assert lacking - set(crm.event_log("case").off)

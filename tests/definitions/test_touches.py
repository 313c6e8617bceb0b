"""Touches by hand: which tasks and events are work that is done, when it was, and in which direction."""

from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from .conftest import Extracted

Extract = Callable[[str, dict[str, list[Any]]], Extracted]
LEAD = ["Id CreatedDate", ("L", "2024-01-01 09:00")]
WHEN = "2024-01-02 09:00"
PERSON = "005000000000001AAA"


def reasons(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return connection.sql("FROM no_touches ORDER BY ALL").fetchall()


def activities(log: Extracted) -> dict[str, str]:
    return dict(log.events.filter(rank=120).select("source_id", "activity").iter_rows())


def test_calls_and_emails_tell_their_direction_or_have_none(extract: Extract) -> None:
    tasks = [
        "Id WhoId CreatedDate IsClosed TaskSubtype Type CallType",
        ("t1", "L", WHEN, True, "Call", None, "Inbound"), ("t2", "L", WHEN, True, "Call", None, "Outbound"),
        ("t3", "L", WHEN, True, "Call", None, "Internal"), ("t4", "L", WHEN, True, "Call", None, None),
        ("t5", "L", WHEN, True, "Task", "Call", None), ("t6", "L", WHEN, True, "Task", None, "Inbound"),
        ("t7", "L", WHEN, True, "Email", None, None), ("t8", "L", WHEN, True, "ListEmail", None, None),
        ("t9", "L", WHEN, True, None, "Email", None), ("ta", "L", WHEN, True, "Task", "Other", None),
        ("tb", "L", WHEN, True, "Task", "Meeting", None), ("tc", "L", WHEN, True, "Call", None, "Anruf"),
    ]  # fmt: skip
    assert activities(extract("lead", {"Lead": LEAD, "Task": tasks})) == {
        "t1": "Inbound Call", "t2": "Outbound Call", "t3": "Internal Call", "t4": "Call", "t5": "Call",
        "t6": "Inbound Call", "t7": "Email", "t8": "Outbound Email", "t9": "Email", "ta": "Task",
        "tb": "Meeting", "tc": "Call",
    }  # fmt: skip


def test_the_message_that_a_task_logs_tells_who_wrote(extract: Extract) -> None:
    tasks = [
        "Id WhoId CreatedDate IsClosed TaskSubtype",
        ("t1", "L", WHEN, True, "Email"), ("t2", "L", WHEN, True, "Email"), ("t3", "L", WHEN, True, "Email"),
        ("t4", "L", WHEN, True, "Task"), ("t5", "L", WHEN, True, "Email"),
    ]  # fmt: skip
    messages = [
        "Id ActivityId CreatedDate Incoming IsDeleted",
        ("m1", "t1", WHEN, True, False), ("m2", "t2", WHEN, False, False),
        ("m3", "t3", WHEN, True, False), ("m4", "t3", WHEN, False, False),
        ("m5", "t4", WHEN, False, False), ("m6", "t5", WHEN, True, True), ("m7", None, WHEN, True, False),
    ]  # fmt: skip
    log = extract("lead", {"Lead": LEAD, "Task": tasks, "EmailMessage": messages})
    assert activities(log) == {
        "t1": "Inbound Email", "t2": "Outbound Email", "t3": "Email", "t4": "Outbound Email", "t5": "Email",
    }  # fmt: skip


def test_what_a_program_does_is_no_human_touch_but_what_comes_in_is_the_customers(extract: Extract) -> None:
    users = ["Id UserType IsActive", ("B", "AutomatedProcess", True), (PERSON, "Standard", False)]
    tasks = [
        "Id WhoId CreatedDate IsClosed TaskSubtype CallType OwnerId CreatedById",
        ("t1", "L", WHEN, True, "Email", None, "B", "B"),
        ("t2", "L", WHEN, True, "Task", None, None, "B"),
        ("t3", "L", WHEN, True, "Call", "Inbound", "B", "B"),
        ("t4", "L", WHEN, True, "Email", None, PERSON, "B"),  # logged by a program for a person
        ("t5", "L", WHEN, True, "Call", None, "unknown user", None),
    ]
    events = ["Id WhoId CreatedDate StartDateTime OwnerId", ("e1", "L", WHEN, "2024-01-03 09:00", "B")]
    log = extract("lead", {"Lead": LEAD, "Task": tasks, "Event": events, "User": users})
    assert activities(log) == {
        "t1": "Automated Touch", "t2": "Automated Touch", "t3": "Inbound Call", "t4": "Email", "t5": "Call",
        "e1": "Automated Touch",
    }  # fmt: skip


def test_masters_copies_plans_and_deleted_rows_are_no_touches_archived_ones_are(
    extract: Extract, connection: duckdb.DuckDBPyConnection
) -> None:
    connection.execute("SET VARIABLE as_of = TIMESTAMPTZ '2024-02-01 00:00Z'")
    done = "2024-01-03 09:00"
    tasks = [
        "Id WhoId CreatedDate IsClosed Status CompletedDateTime IsRecurrence IsDeleted IsArchived",
        ("t1", "L", WHEN, True, None, done, False, False, True),
        ("t2", "L", WHEN, True, None, done, True, False, False),
        ("t3", "L", WHEN, True, None, done, False, True, False),
        ("t4", "L", WHEN, False, None, None, False, False, False),
        ("t5", "L", WHEN, True, None, "2024-02-02 09:00", False, False, False),
        ("t6", "L", WHEN, None, "Completed", None, None, None, None),
        ("t7", "L", WHEN, None, "Waiting", None, None, None, None),
    ]
    events = [
        "Id WhoId CreatedDate StartDateTime IsChild IsRecurrence IsRecurrence2 IsDeleted IsArchived",
        ("e1", "L", WHEN, done, False, False, False, False, True),
        ("e2", "L", WHEN, done, True, False, False, False, False),
        ("e3", "L", WHEN, done, False, True, False, False, False),
        ("e4", "L", WHEN, done, False, False, True, False, False),  # one meeting of a series
        ("e5", "L", WHEN, "2024-02-02 09:00", False, False, False, False, False),
        ("e6", "L", WHEN, done, False, False, False, True, False),
        ("e7", "L", WHEN, None, None, None, None, None, None),
    ]
    log = extract("lead", {"Lead": LEAD, "Task": tasks, "Event": events})
    assert activities(log) == {"t1": "Task", "t6": "Task", "e1": "Meeting", "e4": "Meeting"}
    assert reasons(connection) == [
        ("Event", "e2", "invitee's copy"),
        ("Event", "e3", "master of a series"),
        ("Event", "e5", "planned, not done"),
        ("Event", "e6", "deleted row"),
        ("Event", "e7", "no time"),
        ("Task", "t2", "master of a series"),
        ("Task", "t3", "deleted row"),
        ("Task", "t4", "planned, not done"),
        ("Task", "t5", "planned, not done"),
        ("Task", "t7", "planned, not done"),
    ]


def test_when_a_touch_was_and_when_it_was_known(extract: Extract) -> None:
    tasks = [
        "Id WhoId CreatedDate IsClosed CompletedDateTime ActivityDate SystemModstamp",
        ("t1", "L", WHEN, True, "2024-01-05 10:00", "2024-01-20", "2024-03-01 09:00"),
        ("t2", "L", WHEN, True, "2024-01-01 10:00", None, "2024-03-01 09:00"),  # logged a day later
        ("t3", "L", WHEN, True, None, None, "2024-03-01 09:00"),
        ("t4", "L", WHEN, True, None, "2024-01-02", "2024-03-01 09:00"),
        ("t5", "L", WHEN, True, None, "2024-01-04", "2024-03-01 09:00"),
        ("t6", "L", WHEN, True, None, "2024-01-06", "2024-01-03 09:00"),  # closed before it was due
    ]
    events = [
        "Id WhoId CreatedDate StartDateTime ActivityDateTime ActivityDate IsAllDayEvent",
        ("e1", "L", WHEN, "2024-01-08 10:00", None, None, False),
        ("e2", "L", WHEN, None, "2024-01-08 11:00", None, False),
        ("e3", "L", WHEN, "2024-01-08 00:00", None, "2024-01-08", True),
        ("e4", "L", WHEN, None, None, "2024-01-09", None),
    ]
    log = extract("lead", {"Lead": LEAD, "Task": tasks, "Event": events})
    columns = ("source_id", "occurred_at", "recorded_at", "date_only")
    told = log.events.filter(rank=120).sort("source_id").select(columns)
    assert [
        (source_id, f"{occurred_at:%d %H:%M}", f"{recorded_at:%d %H:%M}", date_only)
        for source_id, occurred_at, recorded_at, date_only in told.iter_rows()
    ] == [
        ("e1", "08 10:00", "08 10:00", False),
        ("e2", "08 11:00", "08 11:00", False),
        ("e3", "08 23:59", "08 23:59", True),
        ("e4", "09 23:59", "09 23:59", True),
        ("t1", "05 10:00", "05 10:00", False),
        ("t2", "01 10:00", "02 09:00", False),
        ("t3", "02 09:00", "02 09:00", False),
        ("t4", "02 09:00", "02 09:00", False),
        ("t5", "04 23:59", "04 23:59", True),
        ("t6", "03 09:00", "03 09:00", True),
    ]  # fmt: skip


CONVERTED = [
    "Id CreatedDate IsConverted ConvertedDate ConvertedContactId ConvertedAccountId SystemModstamp",
    ("L", "2024-01-01 09:00", True, "2024-01-05", "K", "A", "2024-02-01 00:00"),
]
MARK = ["Id LeadId CreatedDate Field", ("h1", "L", "2024-01-05 10:30", "leadConverted")]


@pytest.mark.parametrize("moment", ["2024-01-04 00:00Z", "2024-02-02 00:00Z"])
def test_what_a_conversion_moved_is_the_leads_before_and_after(
    extract: Extract, connection: duckdb.DuckDBPyConnection, moment: str
) -> None:
    connection.execute(f"SET VARIABLE as_of = TIMESTAMPTZ '{moment}'")
    tasks = [
        "Id WhoId CreatedDate CompletedDateTime SystemModstamp",
        ("t1", "K", "2024-01-02 09:00", "2024-01-03 09:00", "2024-01-05 10:30"),
        ("t2", "K", "2024-01-02 09:00", "2024-01-03 09:00", "2024-01-03 09:00"),  # never moved
        ("t3", "K", "2023-12-02 09:00", "2024-01-03 09:00", "2024-01-05 10:30"),  # older than the lead
        ("t4", "K", "2024-01-02 09:00", "2024-01-03 09:00", "2024-01-04 12:00"),  # changed later, not moved
    ]
    log = extract("lead", {"Lead": CONVERTED, "LeadHistory": MARK, "Task": tasks})
    assert activities(log) == {"t1": "Task"}
    assert log.events.filter(rank=120)["case_id"].to_list() == ["L"]


def test_of_two_leads_of_one_contact_the_one_converted_first_had_the_touch(extract: Extract) -> None:
    leads = [
        "Id CreatedDate IsConverted ConvertedDate ConvertedContactId",
        ("L", "2024-01-01 09:00", True, "2024-01-09", "K"),
        ("M", "2024-01-01 09:00", True, "2024-01-05", "K"),
    ]
    marks = [
        "Id LeadId CreatedDate Field",
        ("h1", "L", "2024-01-09 10:30", "leadConverted"), ("h2", "M", "2024-01-05 10:30", "leadConverted"),
    ]  # fmt: skip
    tasks = ["Id WhoId CreatedDate CompletedDateTime", ("t1", "K", WHEN, "2024-01-03 09:00")]
    log = extract("lead", {"Lead": leads, "LeadHistory": marks, "Task": tasks})
    assert log.events.filter(rank=120)["case_id"].to_list() == ["M"]


def test_the_account_learns_of_them_with_the_conversion(extract: Extract) -> None:
    tables: dict[str, list[Any]] = {
        "Account": ["Id CreatedDate", ("A", "2023-01-01 09:00")],
        "Contact": ["Id AccountId CreatedDate", ("K", "A", "2023-01-01 09:00")],
        "Lead": CONVERTED,
        "LeadHistory": MARK,
        "Task": [
            "Id WhoId AccountId CreatedDate CompletedDateTime SystemModstamp",
            ("t1", "K", "A", "2024-01-02 09:00", "2024-01-03 09:00", "2024-01-05 10:30"),
            ("t2", "K", "A", "2024-01-02 09:00", "2024-01-03 09:00", "2024-01-03 09:00"),
        ],
    }
    told = extract("account", tables).events.filter(rank=120).sort("source_id")
    assert [(one["source_id"], f"{one['recorded_at']:%d %H:%M}") for one in told.iter_rows(named=True)] == [
        ("t1", "05 10:30"),
        ("t2", "03 09:00"),
    ]
    assert told["occurred_at"].dt.day().to_list() == [3, 3]

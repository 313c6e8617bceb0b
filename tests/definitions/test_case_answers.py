"""Who answered a customer, and when: messages, calls, and what only looks like an answer."""

from collections.abc import Callable
from typing import Any

import duckdb

from .case_tables import ANA, BOB, GUEST, ROBOT, tell

Extract = Callable[..., Any]
Connection = duckdb.DuckDBPyConnection
MAIL = "Id ParentId CreatedDate CreatedById Incoming Status MessageDate ActivityId IsDeleted"
COMMENT = "Id ParentId CreatedDate CreatedById IsPublished IsDeleted"
TASK = "Id WhatId CreatedDate CompletedDateTime OwnerId TaskSubtype CallType IsClosed"
NOBODY = "005000000000007AAA"


def mail(
    id_: str,
    moment: str,
    by: str,
    *,
    incoming: bool | None,
    status: str = "3",
    about: str | None = "C",
    sent: str | None = None,
    task: str | None = None,
    deleted: bool = False,
) -> tuple[Any, ...]:
    return id_, about, f"2024-01-{moment}", by, incoming, status, sent, task, deleted


def comment(
    id_: str, moment: str, by: str, *, public: bool | None = True, deleted: bool = False
) -> tuple[Any, ...]:
    return id_, "C", f"2024-01-{moment}", by, public, deleted


def call(
    id_: str, moment: str, by: str, kind: str | None = "Outbound", *, about: str = "C"
) -> tuple[Any, ...]:
    return id_, about, f"2024-01-{moment}", f"2024-01-{moment}", by, "Call", kind, True


def test_the_first_human_answer_is_the_first_response(extract: Extract, connection: Connection) -> None:
    told = tell(
        extract,
        connection,
        {
            "EmailMessage": [
                MAIL,
                mail("m0", "01 09:00", ROBOT, incoming=True, status="0"),
                mail("m1", "01 09:01", ROBOT, incoming=False),  # auto-response
                mail("m2", "01 09:02", GUEST, incoming=False),  # sent in the customer's name by an alert
                mail("m3", "02 09:00", ANA, incoming=False, status="5"),  # a draft
                mail("m4", "02 10:00", ANA, incoming=False, deleted=True),
                mail("m5", "02 11:00", ANA, incoming=False, about=None),
                mail("m6", "02 12:00", ANA, incoming=False, about="X"),
                mail("m7", "04 09:00", BOB, incoming=False),
            ],
            "CaseComment": [
                COMMENT,
                comment("k0", "02 13:00", ANA, public=False),
                comment("k1", "02 14:00", GUEST),
                comment("k2", "02 15:00", ROBOT),
                comment("k3", "02 16:00", ANA, deleted=True),
                comment("k4", "03 09:00", ANA),
                comment("k5", "05 09:00", ANA),
            ],
        },
    )
    assert told.events("source_table, source_id, actor, rank")[1:] == [
        ("01-01 09:00", "Receive Email", "EmailMessage", "m0", ROBOT, 140),
        ("01-01 09:01", "Automated Reply", "EmailMessage", "m1", ROBOT, 140),
        ("01-01 09:02", "Automated Reply", "EmailMessage", "m2", GUEST, 140),
        ("01-02 14:00", "Receive Comment", "CaseComment", "k1", GUEST, 140),
        ("01-02 15:00", "Automated Reply", "CaseComment", "k2", ROBOT, 140),
        ("01-03 09:00", "First Response", "CaseComment", "k4", ANA, 140),
        ("01-04 09:00", "Reply", "EmailMessage", "m7", BOB, 140),
        ("01-05 09:00", "Reply", "CaseComment", "k5", ANA, 140),
    ]
    assert told.unused() == {
        ("EmailMessage", "m3"): "draft",
        ("EmailMessage", "m4"): "deleted",
        ("EmailMessage", "m5"): "about no case",
        ("EmailMessage", "m6"): "of a deleted or unknown case",
        ("CaseComment", "k0"): "internal comment",
        ("CaseComment", "k3"): "deleted",
    }


def test_a_person_nobody_knows_or_who_left_counts_as_staff(extract: Extract, connection: Connection) -> None:
    told = tell(
        extract,
        connection,
        {
            "EmailMessage": [MAIL, mail("m1", "02 09:00", NOBODY, incoming=False)],
            "CaseComment": [COMMENT, comment("k1", "03 09:00", BOB)],  # no longer active
        },
    )
    assert told.events("actor")[1:] == [
        ("01-02 09:00", "First Response", NOBODY),
        ("01-03 09:00", "Reply", BOB),
    ]


def test_incoming_mail_is_ordered_by_its_arrival(extract: Extract, connection: Connection) -> None:
    told = tell(
        extract,
        connection,
        {
            "EmailMessage": [
                MAIL,
                mail("m1", "02 09:00", ROBOT, incoming=True, sent="2024-01-09 09:00"),
                mail("m2", "03 09:00", ROBOT, incoming=True, sent="2023-12-24 09:00"),
            ]
        },
    )
    assert told.events("source_id, recorded_at = occurred_at") == [
        ("01-01 09:00", "Create Case", "C", True),
        ("01-02 09:00", "Receive Email", "m1", True),
        ("01-03 09:00", "Receive Email", "m2", True),
    ]


def test_where_the_direction_is_not_filled_the_status_tells_it(
    extract: Extract, connection: Connection
) -> None:
    words = ["0", "2", "Read", "3", "Sent", "9"]
    rows = [mail(f"m{i}", f"0{i + 2} 09:00", ANA, incoming=None, status=word) for i, word in enumerate(words)]
    told = tell(extract, connection, {"EmailMessage": [MAIL, *rows]})
    assert told.events()[1:] == [
        ("01-02 09:00", "Receive Email", "m0"),
        ("01-03 09:00", "Receive Email", "m1"),
        ("01-04 09:00", "Receive Email", "m2"),
        ("01-05 09:00", "First Response", "m3"),
        ("01-06 09:00", "Reply", "m4"),
    ]
    assert told.unused() == {("EmailMessage", "m5"): "neither incoming nor sent"}


def test_an_outbound_call_can_be_the_first_response(extract: Extract, connection: Connection) -> None:
    told = tell(
        extract,
        connection,
        {
            "Task": [
                TASK,
                call("t0", "02 08:00", ROBOT),
                call("t1", "02 09:00", ANA, "Inbound"),
                call("t2", "02 10:00", ANA, None),
                call("t3", "02 11:00", ANA),
                call("t4", "02 12:00", ANA),
            ],
            "EmailMessage": [MAIL, mail("m1", "03 09:00", ANA, incoming=False)],
        },
    )
    assert told.events("source_table, source_id, rank")[1:] == [
        ("01-02 08:00", "Automated Touch", "Task", "t0", 120),
        ("01-02 09:00", "Inbound Call", "Task", "t1", 120),
        ("01-02 10:00", "Call", "Task", "t2", 120),
        ("01-02 11:00", "First Response", "Task", "t3", 140),
        ("01-02 12:00", "Outbound Call", "Task", "t4", 120),
        ("01-03 09:00", "Reply", "EmailMessage", "m1", 140),
    ]


def test_a_message_goes_before_a_call_of_the_same_moment(extract: Extract, connection: Connection) -> None:
    told = tell(
        extract,
        connection,
        {
            "Task": [TASK, call("a", "02 09:00", ANA)],
            "EmailMessage": [MAIL, mail("m1", "02 09:00", ANA, incoming=False)],
        },
    )
    assert told.events()[1:] == [
        ("01-02 09:00", "Outbound Call", "a"),
        ("01-02 09:00", "First Response", "m1"),
    ]


def test_the_task_that_logs_a_mail_of_the_case_is_that_mail(extract: Extract, connection: Connection) -> None:
    def logged(id_: str, moment: str) -> tuple[Any, ...]:
        return id_, "C", f"2024-01-{moment}", f"2024-01-{moment}", ANA, "Email", None, True

    told = tell(
        extract,
        connection,
        {
            "Task": [TASK, logged("t1", "02 09:00"), logged("t2", "03 09:00"), logged("t3", "04 09:00")],
            "EmailMessage": [
                MAIL,
                mail("m1", "02 09:00", ANA, incoming=False, task="t1"),
                mail("m2", "03 09:00", ANA, incoming=False, task="t2", about=None),  # told by its task alone
            ],
        },
    )
    assert told.events()[1:] == [
        ("01-02 09:00", "First Response", "m1"),
        ("01-03 09:00", "Outbound Email", "t2"),
        ("01-04 09:00", "Email", "t3"),
    ]
    assert told.unused() == {("Task", "t1"): "copy of an e-mail", ("EmailMessage", "m2"): "about no case"}


def test_planned_work_and_work_about_other_things_is_none_of_the_case(
    extract: Extract, connection: Connection
) -> None:
    told = tell(
        extract,
        connection,
        {
            "Task": [
                TASK,
                call("t1", "02 09:00", ANA, about="006000000000001AAA"),
                ("t2", "C", "2024-01-02 09:00", None, ANA, "Call", "Outbound", False),
            ],
            "Event": [
                "Id WhatId CreatedDate StartDateTime OwnerId IsRecurrence IsChild",
                ("e1", "C", "2024-01-02 09:00", "2024-01-05 10:00", ANA, False, False),
                ("e2", "C", "2024-01-02 09:00", "2024-01-05 10:00", BOB, False, True),
                ("e3", "C", "2024-01-02 09:00", "2024-01-05 10:00", ANA, True, False),
                ("e4", "C", "2024-01-02 09:00", "2024-03-05 10:00", ANA, False, False),
            ],
        },
        as_of="2024-02-01",
    )
    assert told.events("source_id, source_table")[1:] == [("01-05 10:00", "Meeting", "e1", "Event")]
    assert told.unused() == {
        ("Task", "t1"): "about no case",
        ("Task", "t2"): "planned, not done",
        ("Event", "e2"): "invitee's copy",
        ("Event", "e3"): "master of a series",
        ("Event", "e4"): "planned, not done",
    }

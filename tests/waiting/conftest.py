"""A help desk by hand: two calendars, and cases that wait for everybody in turn."""

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

import crmmining as cm
from crmmining.calendars import Calendar, Calendars, Rule, Week
from crmmining.definitions import Process
from crmmining.eventlog import Partition

from ..conftest import day, log_of  # noqa: TID252 - of the folder above

SHIFTS = tuple((weekday, 9 * 60, 17 * 60) for weekday in range(5))
DESKS = (
    Calendar("Berlin desk", "Europe/Berlin", (Week(None, SHIFTS),)),  # in January 8 to 16 UTC
    Calendar("Tokyo desk", "Asia/Tokyo", (Week(None, SHIFTS),)),  # 0 to 8 UTC
)
HOURS = Calendars(
    DESKS,
    rules=(Rule((("queue", ("Berlin queue",)),), 0), Rule((("owner", ("Ken",)),), 1)),
    default=0,
)
SERVICE = Process.model_validate(
    {
        "name": "service",
        "title": "Service",
        "sql": "",
        "root": "Ticket",
        "requires": [],
        "ends": ["closed"],
        "reopens": ["reopened"],
        "paths": {"Ticket": "Id"},
        "activities": {
            name: {"table": "Ticket", "field": "x", "timestamp": "x", "rule": "x"}
            for name in ("Create", "Assign", "Call", "Close", "Reopen")
        },
        "milestones": {
            "created": ["Create"],
            "assigned": ["Assign"],
            "touched": ["Call"],
            "closed": ["Close"],
            "reopened": ["Reopen"],
        },
        "sets": {"core": ["Create", "Close", "Reopen"]},
        "segments": {"region": "region", "status": "status", "owner": "owner", "queue": "queue"},
        "people": ["owner"],
        "waiting": {
            "attribute": "status",
            "owner": "owner",
            "queue": "queue",
            "resolved": ["Resolved"],
            "on_hold": ["On Hold"],
            "with_customer": ["Waiting on Customer"],
            "touches": ["touched"],
            "assigned": ["assigned"],
        },
    }
)
WORKING: dict[str, Any] = {
    "status": "Working",
    "owner": "Eva",
    "queue": None,
    "business_hours": None,
    "covered_from": None,
}


def hour(number: float, of_day: float) -> float:
    """So many hours after the midnight of a day of January 2024, as `day` counts; the 1st is a Monday."""
    return number + of_day / 24


EVENTS = [
    # Thursday to Monday: from a queue in Berlin to Ken in Tokyo, closed on Friday, reopened on Sunday
    ("reopened", "Create", hour(4, 10)),
    ("reopened", "Assign", hour(4, 12)),
    ("reopened", "Call", hour(5, 2)),
    ("reopened", "Close", hour(5, 5)),
    ("reopened", "Reopen", hour(7, 12)),
    ("reopened", "Close", hour(8, 3)),
    # Monday and Tuesday: Eva waits for the customer, for others, for a confirmation
    ("paused", "Create", hour(1, 9)),
    ("paused", "Close", hour(2, 15)),
    # Wednesday: from Ken, who calls, to Eva, who has not
    ("handed", "Create", hour(10, 6)),
    ("handed", "Call", hour(10, 7)),
    ("handed", "Assign", hour(10, 10)),
    # Monday to Wednesday noon; the history begins on Wednesday, or nobody knows when
    ("cut off", "Create", hour(1, 0)),
    ("cut off", "Close", hour(3, 12)),
    ("dark", "Create", hour(1, 0)),
    ("dark", "Close", hour(1, 12)),
    ("own hours", "Create", hour(9, 0)),
    ("own hours", "Close", hour(9, 3)),
    ("backwards", "Close", hour(8, 0)),
    ("at once", "Create", hour(8, 9)),
    ("at once", "Close", hour(8, 9)),
]
CASES: dict[str, dict[str, Any]] = {
    "reopened": WORKING | {"owner": "Ken", "status": "Closed", "region": "APAC"},
    "paused": WORKING | {"status": "Closed", "region": "EMEA"},
    "handed": WORKING | {"region": "EMEA"},
    "cut off": WORKING | {"truncated": True, "covered_from": day(3)},
    "dark": WORKING | {"truncated": True},
    "own hours": WORKING | {"owner": "Zoe", "business_hours": "Tokyo desk"},
    "backwards": WORKING,
    "at once": WORKING,
}
CHANGES = [
    ("reopened", "queue", hour(4, 10), "Berlin queue"),
    ("reopened", "queue", hour(4, 12), None),
    ("reopened", "owner", hour(4, 10), "Berlin queue"),
    ("reopened", "owner", hour(4, 12), "Ken"),
    ("reopened", "status", hour(4, 10), "New"),
    ("reopened", "status", hour(5, 5), "Closed"),
    ("reopened", "status", hour(7, 12), "Working"),
    ("reopened", "status", hour(8, 3), "Closed"),
    ("paused", "status", hour(1, 9), "Working"),
    ("paused", "status", hour(1, 10), "waiting on customer "),
    ("paused", "status", hour(2, 10), "Working"),
    ("paused", "status", hour(2, 12), "ON HOLD"),
    ("paused", "status", hour(2, 14), "Resolved"),
    ("paused", "status", hour(2, 15), "Closed"),
    ("handed", "owner", hour(10, 6), "Ken"),
    ("handed", "owner", hour(10, 10), "Eva"),
]


def desk(*, partitions: int = 1, hours: Calendars | None = HOURS) -> cm.EventLog:
    """The log of these cases as of Wednesday, 10 January, noon."""
    log = log_of(EVENTS, CASES, process=SERVICE, changes=CHANGES, as_of=hour(10, 12), partitions=partitions)
    late = pl.when(case_id="backwards").then(pl.lit(day(9))).otherwise("created_at")
    text = pl.col("queue").cast(pl.String)
    parts = [
        Partition(p.events, p.cases.with_columns(text, created_at=late), p.values) for p in log.partitions
    ]
    return replace(log, partitions=tuple(parts), calendars=hours)


@pytest.fixture(scope="session")
def service_log() -> cm.EventLog:
    return desk()

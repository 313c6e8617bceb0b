"""Touches: tasks that are done and meetings that have begun."""

from collections import defaultdict
from datetime import datetime
from typing import NamedTuple

from .people import automated
from .rows import Row, Tables, at, created, day, deleted, earliest, end_of, flag, latest, modified


class Touch(NamedTuple):
    row: Row
    table: str
    activity: str
    occurred_at: datetime
    recorded_at: datetime
    date_only: bool
    by_program: bool


def name_of_task(task: Row, messages: list[bool]) -> str:  # noqa: PLR0911  one line per rule
    """What a task is, were its doer a person. `messages`: whether the e-mails that it logs came in."""
    subtype, call, kind = task.get("TaskSubtype"), task.get("CallType"), task.get("Type")
    silent = subtype in {None, "Task"}
    if messages and all(messages):
        return "Inbound Email"
    if messages and not any(messages):
        return "Outbound Email"
    if messages:
        return "Email"
    if subtype == "ListEmail":
        return "Outbound Email"
    if subtype == "Email":
        return "Email"
    if call in {"Inbound", "Outbound", "Internal"}:
        return f"{call} Call"
    if subtype == "Call" or (silent and kind == "Call"):
        return "Call"
    if silent and kind == "Email":
        return "Email"
    if silent and kind == "Meeting" and call is None:
        return "Meeting"
    return "Task"


def time_of_task(task: Row) -> tuple[datetime, bool]:
    """When a done task happened, and whether only the day is known."""
    done = at(task, "CompletedDateTime")
    if done:
        return done, False
    due = day(task.get("ActivityDate"))
    if due is None or due <= created(task).date():
        return created(task), False
    return latest(earliest(end_of(due), modified(task)), created(task)), True


def time_of_event(event: Row) -> tuple[datetime, bool] | None:
    start = at(event, "StartDateTime") or at(event, "ActivityDateTime")
    if start and flag(event.get("IsAllDayEvent")) is not True:
        return start, False
    one = day(event.get("ActivityDate")) or (start.date() if start else None)
    return (end_of(one), True) if one else None


def is_closed(task: Row) -> bool:
    closed = flag(task.get("IsClosed"))
    return task.get("Status") == "Completed" if closed is None else closed


def touches(tables: Tables, as_of: datetime) -> list[Touch]:
    """Every touch known at a moment, whatever it belongs to."""
    programs = automated(tables)
    messages: dict[str, list[bool]] = defaultdict(list)
    for message in tables.get("EmailMessage", []):
        if message.get("ActivityId") and not deleted(message):
            messages[message["ActivityId"]].append(flag(message.get("Incoming")) is True)
    found = []
    for task in tables.get("Task", []):
        if deleted(task) or flag(task.get("IsRecurrence")) or not (
            at(task, "CompletedDateTime") or is_closed(task)
        ):  # fmt: skip
            continue
        occurred, date_only = time_of_task(task)
        found.append(
            Touch(task, "Task", name_of_task(task, messages[task["Id"]]), occurred,
                  latest(occurred, created(task)), date_only, doer(task) in programs)
        )  # fmt: skip
    for event in tables.get("Event", []):
        if deleted(event) or flag(event.get("IsRecurrence")) or flag(event.get("IsChild")):
            continue
        time = time_of_event(event)
        if time:
            found.append(
                Touch(event, "Event", "Meeting", time[0], latest(time[0], created(event)), time[1],
                      doer(event) in programs)
            )  # fmt: skip
    return [
        touch._replace(activity="Automated Touch")
        if touch.by_program and not touch.activity.startswith("Inbound")
        else touch
        for touch in found
        if touch.recorded_at <= as_of
    ]


def doer(row: Row) -> str | None:
    return row.get("OwnerId") or row.get("CreatedById")

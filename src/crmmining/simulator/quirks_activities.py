"""Quirks of what people and machines do: tasks, meetings, mails, milestones."""

from typing import Final

import polars as pl

from crmmining.simulator.ids import serials
from crmmining.simulator.mess import Mess, isin

Ids = list[pl.Series]

_CENTURY: Final = "100y"
_LOGGED: Final = pl.col("TaskSubtype") != "Task"
_PLANNED: Final = pl.col("TaskSubtype") == "Task"


def robots(mess: Mess) -> Ids:
    """The automated-process user confirms mails, logs tasks and changes fields."""
    cases = mess.full["Case"].select(ParentId="Id", opened="CreatedDate")
    mails = mess.tables["EmailMessage"].filter(isin("ParentId", mess.records("Case", 0.5)))
    mails = mails.join(cases, on="ParentId").filter(
        pl.col("Incoming") & (pl.col("CreatedDate") == pl.col("opened"))
    )
    sent = pl.col("CreatedDate").dt.offset_by("30s")
    ids = mess.offshoots("EmailMessage", "EmailMessage", mails["Id"])
    answers = mails.with_columns(
        ids.alias("Id"),
        Incoming=pl.lit(value=False),
        Status=pl.lit("3"),
        MessageDate=sent,
        FromAddress="ToAddress",
        ToAddress="FromAddress",
        CreatedDate=sent,
        CreatedById=pl.lit(mess.automation),
        LastModifiedDate=sent,
        LastModifiedById=pl.lit(mess.automation),
        SystemModstamp=sent,
    )
    mess.add("EmailMessage", answers)
    affected = [answers.filter(pl.col("CreatedDate") <= mess.until)["Id"]]
    tasks = mess.some("Task", 0.05, _LOGGED)["Id"]
    mess.change("Task", isin("Id", tasks), OwnerId=mess.automation, CreatedById=mess.automation)
    affected.append(tasks)
    for table, field in (("CaseHistory", "Priority"), ("LeadHistory", "Rating")):
        rows = mess.some(table, 0.3, pl.col("Field") == field)["Id"]
        mess.change(table, isin("Id", rows), CreatedById=mess.automation)
        affected.append(rows)
    return affected


def queue_tasks(mess: Mess) -> Ids:
    """Planned tasks that nobody has taken belong to a queue."""
    queue = mess.tables["Group"].filter(pl.col("Type") == "Queue")["Id"][0]
    tasks = mess.some("Task", 0.1, _PLANNED)["Id"]
    mess.change("Task", isin("Id", tasks), OwnerId=queue)
    return [tasks]


def recurring_tasks(mess: Mess) -> Ids:
    """Planned tasks come from a series, whose master is a row like any other."""
    tasks = mess.some("Task", 0.08, _PLANNED)
    ids = mess.offshoots("Task", "Task", tasks["Id"])
    master = pl.col("Id").replace_strict(tasks["Id"], ids, default=None)
    mess.change("Task", isin("Id", tasks["Id"]), RecurrenceActivityId=master)
    masters = tasks.with_columns(
        ids.alias("Id"),
        RecurrenceActivityId=ids,
        IsRecurrence=pl.lit(value=True),
        Status=pl.lit("Not Started"),
        IsClosed=pl.lit(value=False),
        IsArchived=pl.lit(value=False),
        CompletedDateTime=pl.lit(None, dtype=pl.Datetime("us", "UTC")),
        LastModifiedDate="CreatedDate",
        LastModifiedById="CreatedById",
        SystemModstamp="CreatedDate",
    )
    mess.add("Task", masters)
    return [ids]


def invitee_events(mess: Mess) -> Ids:
    """Meetings with several people have a copy per invitee."""
    events = mess.some("Event", 0.15)
    people = mess.tables["User"]["Id"]
    guest = (serials("User", events["OwnerId"]) + 1) % len(people)
    ids = mess.offshoots("Event", "Event", events["Id"])
    mess.change("Event", isin("Id", events["Id"]), IsGroupEvent=True)
    copies = events.with_columns(
        ids.alias("Id"),
        people.gather(guest).alias("OwnerId"),
        IsChild=pl.lit(value=True),
        IsGroupEvent=pl.lit(value=True),
    )
    mess.add("Event", copies)
    return [ids]


def undated_tasks(mess: Mess) -> Ids:
    """Calls and mails that were logged as done do not say when."""
    return [_undated(mess, _LOGGED)]


def undated_plans(mess: Mess) -> Ids:
    """Planned tasks that are done do not say since when."""
    return [_undated(mess, _PLANNED)]


def _undated(mess: Mess, where: pl.Expr) -> pl.Series:
    tasks = mess.some("Task", 0.15, where & pl.col("IsClosed"))["Id"]
    mess.change("Task", isin("Id", tasks), CompletedDateTime=pl.lit(None, dtype=pl.Datetime("us", "UTC")))
    return tasks


def future_dates(mess: Mess) -> Ids:
    """Dates that people enter lie a century ahead; the clock of a sender of mails is a year fast."""
    affected = []
    for table, columns, step, where in (
        ("Task", ["ActivityDate"], _CENTURY, _PLANNED),
        ("Event", ["StartDateTime", "EndDateTime", "ActivityDate", "ActivityDateTime"], _CENTURY, None),
        ("Quote", ["ExpirationDate"], _CENTURY, None),
        ("EmailMessage", ["MessageDate"], "1y", pl.col("Incoming")),
    ):
        rows = mess.some(table, 0.03, where)["Id"]
        later = {name: pl.col(name).dt.offset_by(step) for name in columns}
        mess.change(table, isin("Id", rows), **later)
        affected.append(rows)
    mess.change("Event", isin("Id", affected[1]), IsArchived=False)
    return affected


def stale_milestones(mess: Mess) -> Ids:
    """Milestones that ran late without anybody reading them still say that they are not violated."""
    overdue = pl.col("CompletionDate").is_null() & (pl.col("TargetDate") < mess.until)
    rows = mess.some("CaseMilestone", 0.7, overdue)["Id"]
    mess.change("CaseMilestone", isin("Id", rows), IsViolated=False)
    return [rows]

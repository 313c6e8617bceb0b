"""The log of cases."""

from collections import defaultdict
from datetime import datetime
from itertools import chain

from .histories import GRACE, OWNER_WORDS, Change, begins_with, told
from .lead import owner_change
from .people import AUTOMATED, Queues
from .rows import Event, Row, Tables, at, created, deleted, flag, known_at, latest
from .state import Lives, merges, value_at
from .touches import Touch, touches

LEVELS = {"low": 1, "p4": 1, "medium": 2, "normal": 2, "p3": 2, "high": 3, "p2": 3, "urgent": 4,
          "critical": 4, "p1": 4}  # fmt: skip
CUSTOMERS = ("Csp", "Customer", "PowerCustomer", "Guest")
ANSWERS = {"Reply", "Outbound Call", "Outbound Email"}
UNTOLD = {"created", "IsClosedOnCreate", "closed"}


class Statuses:
    """What the statuses of cases mean: closed or open; and the ranks of open ones."""

    def __init__(self, tables: Tables, now: dict[str, str | None], marks: set[tuple[str, datetime]]) -> None:
        self.rows = {row["ApiName"]: row for row in tables.get("CaseStatus", [])}
        self.marks = marks
        self.met: dict[str | None, bool] = {}
        for row in tables.get("Case", []):
            if not deleted(row) and now[row["Id"]] == row["Status"]:
                self.met[row["Status"]] = self.met.get(row["Status"], False) or is_closed(row)
        self.order = sorted(
            {
                int(row["SortOrder"])
                for row in self.rows.values()
                if row.get("SortOrder") and not flag(row.get("IsClosed"))
            }
        )

    def named(self, status: str | None) -> bool | None:
        """Whether a status is closed by a list or by the records that have it; None: unknown to both."""
        if status in self.rows:
            return flag(self.rows[status].get("IsClosed")) is True
        return self.met.get(status)

    def rank(self, status: str | None) -> int | None:
        row = self.rows.get(status or "")
        if row is None or not row.get("SortOrder") or flag(row.get("IsClosed")):
            return None
        return self.order.index(int(row["SortOrder"]))


def is_closed(row: Row) -> bool:
    said = flag(row.get("IsClosed"))
    return at(row, "ClosedDate") is not None if said is None else said


def closings(
    row: Row, steps: list[Change], marks: list[Change], statuses: Statuses, now: str | None,
    *, as_of: datetime, begins: bool, tracked: bool, later: bool,
) -> list[Event]:  # fmt: skip
    """Statuses, closings and reopenings of one case by a moment."""
    key, found, left = row["Id"], [], None
    unknown: bool | None = None
    for change in steps:
        before = statuses.named(change.old)
        before = (unknown or False) if before is None else before
        after = statuses.named(change.new)
        if after is None:
            after = (key, change.moment) in statuses.marks
            unknown = after
        else:
            unknown = None
        left = after
        if change.new is None:
            continue
        low, high = statuses.rank(change.old), statuses.rank(change.new)
        name, direction, delta = f"Status: {change.new}", None, None
        if before != after:
            name = "Close Case" if after else "Reopen Case"
        elif not after and low is not None and high is not None:
            delta = float(high - low)
            direction = 2 if delta > 1 else 1 if delta > 0 else -1 if delta < 0 else None
        found.append(
            Event(key, name, change.moment, change.moment, change.table, change.id, direction, delta,
                  rank=200, seq=change.seq)
        )  # fmt: skip
    stepped = {change.moment for change in steps}
    found += [
        Event(key, "Close Case", mark.moment, mark.moment, mark.table, mark.id, rank=200, seq=mark.seq)
        for mark in marks
        if mark.moment not in stepped
    ]
    closed_date = at(row, "ClosedDate")
    closed_date = closed_date if closed_date and closed_date <= as_of else None
    meant = statuses.named(now)
    closed = is_closed(row) if meant is None else meant
    if not later:
        closed = closed and (at(row, "ClosedDate") or as_of) <= as_of
    at_birth = (
        flag(row.get("IsClosedOnCreate")) is True
        or (begins and bool(steps) and statuses.named(steps[0].old) is True)
        or (begins and tracked and closed and not steps and not marks and closed_date is None)
    )
    if at_birth:
        found.append(Event(key, "Close Case", created(row), created(row), "Case", key, rank=10))
    marked = any(not steps or mark.moment > steps[-1].moment for mark in marks)
    open_end = not marked and left is not True
    same_moment = closed_date is None or abs(closed_date - created(row)) <= GRACE
    if closed and open_end and not (at_birth and not steps and same_moment):
        end = closed_date or at(row, "LastModifiedDate")
        if end:
            found.append(
                Event(key, "Close Case", end, end, "Case", key, date_only=closed_date is None, rank=250)
            )
    return found


def of_field(change: Change, queues: Queues, *, escalated: bool) -> tuple[str, int | None, float | None, int]:
    """What a change of another field than Status is called."""
    if change.field in OWNER_WORDS:
        return ("Escalate Owner" if escalated else owner_change(change, queues)), None, None, 100
    if change.field == "IsEscalated":
        name = "Escalate Case" if (change.new or "").lower() in {"true", "1"} else "De-escalate Case"
        return name, None, None, 150
    if change.field == "Priority":
        old, new = LEVELS.get((change.old or "").lower()), LEVELS.get((change.new or "").lower())
        if old is None or new is None or old == new:
            return "Change Priority", None, None, 150
        delta = float(new - old)
        return ("Raise Priority", 1, delta, 150) if delta > 0 else ("Lower Priority", -1, delta, 150)
    return f"{'Mark' if change.mark else 'Change'}: {change.field}", None, None, 150


def author(tables: Tables, user: str | None) -> str:
    """Whether a user is a person at work, a program or a customer."""
    kinds = {row["Id"]: row.get("UserType") or "" for row in tables.get("User", [])}
    kind = kinds.get(user or "", "")
    return "program" if kind in AUTOMATED else "customer" if kind.startswith(CUSTOMERS) else "person"


def messages(tables: Tables, lives: Lives) -> list[Event]:
    """E-mails and comments, replies not yet told apart from first responses."""
    found = []
    for row in tables.get("EmailMessage", []):
        case = lives.case(row.get("ParentId"))
        if case is None or deleted(row):
            continue
        incoming, status = flag(row.get("Incoming")), row.get("Status")
        if incoming is None:
            incoming = True if status in {"0", "1", "2", "4"} else False if status == "3" else None
        if incoming is None or status == "5":
            continue
        who = author(tables, row.get("CreatedById"))
        name = "Receive Email" if incoming else "Reply" if who == "person" else "Automated Reply"
        found.append(Event(case, name, created(row), created(row), "EmailMessage", row["Id"], rank=140))
    for row in tables.get("CaseComment", []):
        case = lives.case(row.get("ParentId"))
        if case is None or deleted(row) or not flag(row.get("IsPublished")):
            continue
        name = {"person": "Reply", "program": "Automated Reply", "customer": "Receive Comment"}[
            author(tables, row.get("CreatedById"))
        ]
        found.append(Event(case, name, created(row), created(row), "CaseComment", row["Id"], rank=140))
    return found


def of_touches(
    tables: Tables, lives: Lives, found: list[Event], as_of: datetime
) -> list[tuple[Event, Touch]]:
    """Touches of cases, but for copies of e-mails that the same case tells."""
    copies = {row["Id"]: row.get("ActivityId") for row in tables.get("EmailMessage", [])}
    copied = {
        (event.case_id, copies[event.source_id]) for event in found if event.source_table == "EmailMessage"
    }
    touched = []
    for touch in touches(tables, as_of):
        case = lives.case(touch.row.get("WhatId"))
        if case and (case, touch.row["Id"]) not in copied:
            told_as = Event(case, touch.activity, touch.occurred_at, touch.recorded_at, touch.table,
                          touch.row["Id"], date_only=touch.date_only, rank=120)  # fmt: skip
            touched.append((told_as, touch))
    return touched


def never_due(case: Row, target: datetime, told_before: list[Event], as_of: datetime) -> bool:
    """Whether a case was closed just before a target, or its clock had stopped before it."""
    turns = [
        event
        for event in told_before
        if event.case_id == case["Id"]
        and event.activity in {"Close Case", "Reopen Case"}
        and event.occurred_at < target
    ]
    last = max(turns, key=lambda e: (e.occurred_at, e.rank, e.seq, e.source_id), default=None)
    if last is not None and last.activity == "Close Case":
        return True
    stopped = at(case, "StopStartDate") or created(case)
    return flag(case.get("IsStopped")) is True and stopped <= as_of and stopped < target


def milestones(tables: Tables, lives: Lives, told_before: list[Event], as_of: datetime) -> list[Event]:
    found = []
    for row in tables.get("CaseMilestone", []):
        case, key = lives.case(row["CaseId"]), row["Id"]
        if case is None or deleted(row):
            continue
        start = at(row, "StartDate") or created(row)
        done, target = at(row, "CompletionDate"), at(row, "TargetDate")
        times = [("Start Milestone", start, 20)]
        until_due = (target - start).total_seconds() if target and start else None
        if done and done <= as_of:
            times.append(("Complete Milestone", done, 170))
        if target and target <= as_of:
            if done and done <= as_of:
                late = done > target
            else:
                late = bool(done) or not flag(row.get("IsCompleted"))
                late = late and not never_due(lives.rows[case], target, told_before, as_of)
            if late:
                times.append(("Violate Milestone", target, 160))
        found += [
            Event(
                case,
                name,
                time,
                latest(time, created(row)),
                "CaseMilestone",
                key,
                rank=rank,
                delta=until_due if name == "Start Milestone" else None,
            )
            for name, time, rank in times
        ]
    return found


def with_first_responses(
    found: list[Event], touched: list[tuple[Event, Touch]], tables: Tables, lives: Lives
) -> list[Event]:
    """The earliest answer by a person becomes the first response."""
    types = {row["Id"]: (row.get("Name") or "").lower() for row in tables.get("MilestoneType", [])}
    kinds = {row["Id"]: types.get(row.get("MilestoneTypeId")) for row in tables.get("CaseMilestone", [])}
    candidates: dict[str, list[tuple[datetime, bool, str, Event]]] = defaultdict(list)
    people = [event for event, touch in touched if author(tables, touch.row.get("OwnerId")) == "person"]
    for event in chain(found, people):
        if event.activity in ANSWERS:
            candidates[event.case_id].append(
                (event.occurred_at, event.source_table == "Task", event.source_id, event)
            )
    first = {min(answers)[3] for answers in candidates.values()}
    told_all = [
        event._replace(activity="First Response") if event in first else event
        for event in chain(found, (event for event, _ in touched))
    ]
    for case in lives.alive - set(candidates):
        done = [
            event
            for event in found
            if event.case_id == case
            and event.activity == "Complete Milestone"
            and kinds[event.source_id] == "first response"
        ]
        if done:
            told_all.append(
                min(done, key=lambda e: (e.occurred_at, e.source_id))._replace(
                    activity="First Response", rank=140
                )
            )
    return told_all


def events(tables: Tables, as_of: datetime) -> list[Event]:
    """Every event of every case by a moment."""
    changes = told(tables, "CaseHistory")
    went = merges(tables, "Case", changes)
    lives = Lives(tables, "Case", went, as_of)
    tables = known_at(tables, as_of)
    known = [change for change in changes if change.moment <= as_of]
    mine: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        mine[change.record].append(change)
    now = {key: value_at(mine[key], "Status", as_of, row["Status"]) for key, row in lives.rows.items()}
    marks = [change for change in known if change.field == "closed"]
    statuses = Statuses(tables, now, {(mark.record, mark.moment) for mark in marks})
    queues, words = Queues(tables), begins_with(tables, "CaseHistory")
    escalations = {(c.record, c.moment) for c in known if c.field == "ownerEscalated"}
    alive = [lives.rows[key] for key in sorted(lives.alive)]
    found = [Event(row["Id"], "Create Case", created(row), created(row), "Case", row["Id"]) for row in alive]
    tracked = any(change.field == "Status" for change in changes)
    for row in alive:
        key = row["Id"]
        steps = [change for change in mine[key] if change.field == "Status" and change.moment <= as_of]
        found += closings(
            row, steps, [mark for mark in marks if mark.record == key], statuses, now[key],
            as_of=as_of, begins="created" in words[key], tracked=tracked,
            later=any(change.field == "Status" and change.moment > as_of for change in mine[key]),
        )  # fmt: skip
    dating = {merge.mark.id for merge in went if merge.mark}
    for merge in went:
        case = lives.case(merge.loser)
        if case and merge in lives.merges:
            found.append(
                Event(case, "Merge Case", merge.moment, merge.moment,
                      merge.mark.table if merge.mark else "Case",
                      merge.mark.id if merge.mark else merge.loser, rank=160,
                      date_only=merge.mark is None)
            )  # fmt: skip
    for change in known:
        case = lives.case(change.record)
        if case and change.field != "Status" and change.field not in UNTOLD and change.id not in dating:
            name, direction, delta, rank = of_field(
                change, queues, escalated=(change.record, change.moment) in escalations
            )
            found.append(
                Event(case, name, change.moment, change.moment, change.table, change.id, direction, delta,
                      rank=rank, seq=change.seq)
            )  # fmt: skip
    found += messages(tables, lives)
    found += milestones(tables, lives, found, as_of)
    for row in tables.get("CaseSolution", []):
        case = lives.case(row["CaseId"])
        if case and not deleted(row):
            found.append(
                Event(
                    case, "Attach Solution", created(row), created(row), "CaseSolution", row["Id"], rank=160
                )
            )
    found = with_first_responses(found, of_touches(tables, lives, found, as_of), tables, lives)
    return [event for event in found if event.recorded_at <= as_of]

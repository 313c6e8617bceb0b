"""The log of opportunities."""

from bisect import bisect_left
from collections import defaultdict
from datetime import datetime, timedelta
from typing import NamedTuple

from .conversions import conversions
from .histories import GRACE, Change, begins_with, of_opportunities, snapshots
from .rows import (
    Event,
    Row,
    Tables,
    at,
    created,
    day,
    deleted,
    earliest,
    end_of,
    flag,
    known_at,
    latest,
    modified,
    moment,
    number,
)
from .state import value_at
from .touches import touches

FORECASTS = ["omitted", "pipeline", "bestcase", "mostlikely", "commit", "closed"]
CREATION = {"created", "opportunityCreatedFromLead"}
CLOSINGS = {"won": "Win Opportunity", "lost": "Lose Opportunity", "closed": "Close Opportunity"}
OWN_NAMES = {"Owner": "Change Owner", "NextStep": "Change Next Step", "ownerAssignment": "Change Owner",
             "ownerAccepted": "Change Owner"}  # fmt: skip


class Told(NamedTuple):
    """An event without its case."""

    activity: str
    direction: int | None = None
    delta: float | None = None


class Stages:
    """What the stages of opportunities mean: open, won, lost or closed; and their ranks."""

    def __init__(self, tables: Tables, now: dict[str, str | None]) -> None:
        self.rows = {row["ApiName"]: row for row in tables.get("OpportunityStage", [])}
        self.met: dict[str, list[tuple[bool | None, bool | None]]] = defaultdict(list)
        for row in tables.get("Opportunity", []):
            if now[row["Id"]] == row["StageName"]:
                self.met[row["StageName"]].append((flag(row.get("IsClosed")), flag(row.get("IsWon"))))
        used = [row for row in self.rows.values() if flag(row.get("IsActive")) is not False]
        self.order = sorted({int(row["SortOrder"]) for row in used if row.get("SortOrder")})

    def means(self, stage: str | None) -> str:
        if stage in self.rows:
            closed, won = flag(self.rows[stage].get("IsClosed")), flag(self.rows[stage].get("IsWon"))
        else:
            met = self.met.get(stage or "", [])
            closed = any(one for one, _ in met)
            won = any(one for _, one in met) if any(one is not None for _, one in met) else None
        if not closed:
            return "open"
        return "closed" if won is None else "won" if won else "lost"

    def rank(self, stage: str | None) -> float | None:
        if stage not in self.rows or not self.rows[stage].get("SortOrder"):
            return None
        order = int(self.rows[stage]["SortOrder"])
        place = bisect_left(self.order, order)
        return place + 1.0 if order in self.order else place + 0.5

    def step(self, old: str | None, new: str | None) -> Told:
        before, after = self.means(old), self.means(new)
        if after not in {"open", before}:
            return Told(CLOSINGS[after])
        if after == "open" and before != "open":
            return Told("Reopen Opportunity")
        low, high = self.rank(old), self.rank(new)
        if after != "open" or low is None or high is None:
            return Told(f"Stage: {new}")
        delta = high - low
        return Told(f"Stage: {new}", 2 if delta > 1 else 1 if delta > 0 else -1 if delta < 0 else None, delta)


def amount(change: Change) -> Told | None:
    old = 0.0 if change.old is None else number(change.old)
    new = 0.0 if change.new is None else number(change.new)
    if old is None or new is None:
        return Told("Change: Amount")
    if old == new:
        return None
    return Told("Raise Amount" if new > old else "Lower Amount", 1 if new > old else -1, new - old)


def close_date(change: Change) -> Told | None:
    old, new = day(change.old), day(change.new)
    if old is None or new is None:
        return Told("Change: CloseDate")
    days = (new - old).days
    if days == 0:
        return None
    return Told("Push Close Date" if days > 0 else "Pull Close Date", 1 if days > 0 else -1, float(days))


def forecast(change: Change) -> Told | None:
    def rank(text: str | None) -> int | None:
        plain = (text or "").lower().replace(" ", "").replace("forecast", "commit")
        return FORECASTS.index(plain) if plain in FORECASTS else None

    old, new = rank(change.old), rank(change.new)
    if old is None or new is None:
        return Told(f"Change: {change.field}")
    if old == new:
        return None
    return Told("Raise Forecast" if new > old else "Lower Forecast", 1 if new > old else -1, float(new - old))


def probability(change: Change) -> Told | None:
    old, new = number(change.old), number(change.new)
    if old is None or new is None:
        return Told("Change Probability")
    return Told("Change Probability", 1 if new > old else -1, new - old) if new != old else None


def told_by(change: Change, stages: Stages) -> Told | None:  # noqa: PLR0911  one return per rule
    """What one change is called."""
    match change.field:
        case "StageName":
            return stages.step(change.old, change.new)
        case "Amount":
            return amount(change)
        case "CloseDate":
            return close_date(change)
        case "ForecastCategory" | "ForecastCategoryName":
            return forecast(change)
        case "Probability":
            return probability(change)
        case field if field in OWN_NAMES:
            return Told(OWN_NAMES[field])
        case field if field in CREATION:
            return None
        case field:
            return Told(f"Mark: {field}" if change.mark else f"Change: {field}")


def closed_untold(  # noqa: PLR0911  one return per rule
    row: Row, first: Row | None, steps: list[Change], stages: Stages, stage: str | None,
    *, begins: bool, tracked: bool,
) -> Event | None:  # fmt: skip
    """A closing that no change tells: closed when it began, or nobody tracked its stage."""
    key = row["Id"]
    fits = first is not None and (
        not steps or (created(first) <= steps[0].moment + GRACE and first["StageName"] == steps[0].old)
    )
    if first is not None and fits and stages.means(first["StageName"]) != "open":
        word = CLOSINGS[stages.means(first["StageName"])]
        return Event(key, word, created(first), created(first), "OpportunityHistory", first["Id"], rank=250)
    if steps:
        if not begins or stages.means(steps[0].old) == "open":
            return None
        word = CLOSINGS[stages.means(steps[0].old)]
        return Event(key, word, created(row), created(row), "Opportunity", key, rank=250)
    if stages.means(stage) == "open" or fits:
        return None
    word = CLOSINGS[stages.means(stage)]
    changed = at(row, "LastStageChangeDate")
    if begins:  # only the record of today tells its stage: known since its last change, unless it was tracked
        known = created(row) if tracked else latest(created(row), changed_last(row))
        return Event(key, word, created(row), known, "Opportunity", key, rank=250)
    if changed:
        return Event(key, word, changed, changed, "Opportunity", key, rank=250)
    due = day(row.get("CloseDate"))
    if due is None:
        return None
    end = earliest(end_of(due), modified(row))
    return Event(key, word, end, end, "Opportunity", key, date_only=True, rank=250)


def changed_last(row: Row) -> datetime | None:
    """When a record was last changed, known at the moment or not."""
    return moment(row.get("in the end")) or modified(row)


def moves(tables: Tables, as_of: datetime) -> list[Event]:
    """Changes of opportunities, and closings that no change tells."""
    changes = of_opportunities(tables)
    tables = known_at(tables, as_of)
    mine: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        mine[change.record].append(change)
    rows = tables.get("Opportunity", [])
    now = {row["Id"]: value_at(mine[row["Id"]], "StageName", as_of, row["StageName"]) for row in rows}
    stages = Stages(tables, now)
    words = begins_with(tables, "OpportunityFieldHistory")
    shots = snapshots(tables)
    history = tables.get("OpportunityFieldHistory", [])
    since = min((created(row) for row in history if row["Field"] == "StageName"), default=None)
    found = []
    for row in rows:
        key = row["Id"]
        known = [change for change in mine[key] if change.moment <= as_of]
        for change in known:
            told = told_by(change, stages)
            if told:
                rank = 200 if change.field == "StageName" else 100 if told.activity == "Change Owner" else 150
                found.append(
                    Event(key, told.activity, change.moment, change.moment, change.table, change.id,
                          told.direction, told.delta, rank=rank, seq=change.seq)
                )  # fmt: skip
        steps = [change for change in known if change.field == "StageName"]
        untold = closed_untold(
            row,
            shots[key][0] if shots.get(key) else None,
            steps,
            stages,
            now[key],
            begins=bool(words[key] & CREATION) and since is not None,
            tracked=since is not None and since <= created(row),
        )
        if untold:
            found.append(untold)
    return found


def decided(row: Row) -> datetime | None:
    """When an approval process ended."""
    done = at(row, "CompletedDate")
    for column, unit in (
        ("ElapsedTimeInMinutes", timedelta(minutes=1)),
        ("ElapsedTimeInHours", timedelta(hours=1)),
        ("ElapsedTimeInDays", timedelta(days=1)),
    ):
        length = number(row.get(column))
        if done is None and length is not None:
            done = created(row) + length * unit
    return max(done, created(row)) if done else None


def paperwork(tables: Tables, as_of: datetime) -> list[Event]:
    """Quotes and approvals."""
    found = []
    quotes = {row["Id"]: row for row in tables.get("Quote", []) if not deleted(row)}
    for key, row in quotes.items():
        found.append(
            Event(row["OpportunityId"], "Create Quote", created(row), created(row), "Quote", key, rank=160)
        )
    for row in tables.get("QuoteHistory", []):
        verb = {"Presented": "Present", "Accepted": "Accept", "Denied": "Deny"}.get(row["NewValue"] or "")
        quote = quotes.get(row["QuoteId"])
        if verb and quote and not deleted(row) and row["Field"] == "Status":
            found.append(
                Event(quote["OpportunityId"], f"{verb} Quote", created(row), created(row), "QuoteHistory",
                      row["Id"], rank=160)
            )  # fmt: skip
    for row in tables.get("ProcessInstance", []):
        if deleted(row) or row["TargetObjectId"] is None:
            continue
        case, key = row["TargetObjectId"], row["Id"]
        found.append(
            Event(case, "Submit for Approval", created(row), created(row), "ProcessInstance", key, rank=160)
        )
        verb = {"Approved": "Approve", "Rejected": "Reject", "Removed": "Recall"}.get(row["Status"] or "")
        end = decided(row)
        if verb and end and end <= as_of:
            found.append(Event(case, verb, end, end, "ProcessInstance", key, rank=161))
    return found


def events(tables: Tables, as_of: datetime) -> list[Event]:
    """Every event of every opportunity by a moment."""
    known = known_at(tables, as_of)
    alive = {row["Id"]: row for row in known.get("Opportunity", []) if not deleted(row)}
    found = [
        Event(key, "Create Opportunity", created(row), created(row), "Opportunity", key)
        for key, row in alive.items()
    ]
    found += moves(tables, as_of)
    found += paperwork(known, as_of)
    for conversion in conversions(tables, as_of):
        lead = conversion.lead
        case = lead.get("ConvertedOpportunityId")
        if case and case in alive:
            joined = latest(conversion.moment, created(alive[case]))
            found.append(Event(case, "Create Lead", created(lead), joined, "Lead", lead["Id"]))
            found.append(conversion.event(case, rank=250)._replace(recorded_at=joined))
    for touch in touches(known, as_of):
        case = touch.row.get("WhatId")
        if case is not None and case in alive and touch.recorded_at >= created(alive[case]):
            found.append(
                Event(case, touch.activity, touch.occurred_at, touch.recorded_at, touch.table,
                      touch.row["Id"], date_only=touch.date_only, rank=120)
            )  # fmt: skip
    return [event for event in found if event.case_id in alive and event.recorded_at <= as_of]

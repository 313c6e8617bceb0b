"""The log of leads."""

from collections import defaultdict
from datetime import datetime

from . import opportunity
from .conversions import Conversion, Statuses, all_conversions, by_contact, conversions, status_at
from .histories import OWNER_WORDS, Change, begins_with, told
from .people import Queues
from .rows import (
    MINUTE,
    Event,
    Row,
    Tables,
    at,
    by_id,
    created,
    day,
    deleted,
    earliest,
    end_of,
    flag,
    known_at,
    latest,
    modified,
)
from .state import Lives, Merge, merges
from .touches import Touch, touches

RATINGS = ["cold", "warm", "hot"]
ENDINGS = {"Win Opportunity", "Lose Opportunity", "Close Opportunity"}
SILENT = {"created", "leadConverted", "leadMerged"}


def owner_change(change: Change, queues: Queues) -> str:
    """What a change of owner is called."""
    if queues.holds(change.new):
        return "Assign to Queue"
    if change.field == "ownerAccepted" or queues.holds(change.old):
        return "Accept from Queue"
    return "Change Owner"


def rating(change: Change) -> tuple[str, int | None, float | None]:
    old, new = (change.old or "").lower(), (change.new or "").lower()
    if old in RATINGS and new in RATINGS and old != new:
        delta = RATINGS.index(new) - RATINGS.index(old)
        return ("Raise Rating" if delta > 0 else "Lower Rating"), (1 if delta > 0 else -1), float(delta)
    return "Change Rating", None, None


def status(change: Change, statuses: Statuses) -> tuple[str, int | None, float | None]:
    """What a change of status is called, apart from conversions."""
    before, after = statuses.means(change.old), statuses.means(change.new)
    if after == "lost" and before != "lost":
        return "Disqualify Lead", None, None
    if before == "lost" and after != "lost":
        return "Recycle Lead", None, None
    low, high = statuses.rank(change.old), statuses.rank(change.new)
    if low is None or high is None:
        return f"Status: {change.new}", None, None
    delta = high - low
    return (
        f"Status: {change.new}",
        2 if delta > 1 else 1 if delta > 0 else -1 if delta < 0 else None,
        float(delta),
    )


def is_conversion(change: Change, conversion: Conversion | None, statuses: Statuses) -> bool:
    """A change of status that is the conversion itself."""
    if conversion is None:
        return False
    if conversion.change == change:
        return True
    fits = change.new == conversion.lead["Status"] or statuses.means(change.new) == "converted"
    return fits and abs(change.moment - conversion.moment) <= MINUTE


def of_histories(
    known: list[Change], lives: Lives, done: dict[str, Conversion], statuses: Statuses, queues: Queues
) -> list[Event]:
    """What the history of leads tells, that of merged ones for the lead that lives on."""
    found = []
    for change in known:
        case = lives.case(change.record)
        if case is None:
            continue
        told_as: tuple[str, int | None, float | None]
        if change.field == "Status":
            if change.new is None or is_conversion(change, done.get(change.record), statuses):
                continue
            told_as, rank = status(change, statuses), 200
        elif change.field in OWNER_WORDS:
            told_as, rank = (owner_change(change, queues), None, None), 100
        elif change.field == "Rating":
            told_as, rank = rating(change), 150
        elif change.field in SILENT:
            continue
        else:
            told_as, rank = (
                (f"Mark: {change.field}" if change.mark else f"Change: {change.field}", None, None),
                150,
            )
        found.append(
            Event(case, told_as[0], change.moment, change.moment, change.table, change.id, told_as[1],
                  told_as[2], rank=rank, seq=change.seq)
        )  # fmt: skip
    return found


def disqualified_untold(
    lead: Row, steps: list[Change], now: str | None, statuses: Statuses,
    *, begins: bool, since: datetime | None, ever: bool,
) -> Event | None:  # fmt: skip
    """A lead that was lost when it was created, or whose status nobody tracked.

    `since`: the first row of the status of any lead; `ever`: whether that of this lead changes at any time.
    """
    key, changed = lead["Id"], at(lead, "LastModifiedDate") or modified(lead)
    value = steps[0].old if steps else now
    if (steps and not begins) or statuses.means(value) != "lost":
        return None
    if begins and since:
        known = created(lead) if ever or created(lead) >= since else latest(created(lead), changed)
        return Event(key, "Disqualify Lead", created(lead), known, "Lead", key, rank=250)
    if changed is None or ever:
        return None
    return Event(key, "Disqualify Lead", changed, changed, "Lead", key, date_only=True, rank=250)


def merged(found: list[Merge], marks: list[Change], lives: Lives, table: str, activity: str) -> list[Event]:
    """One per record that went into another; marks without such a record stand for themselves."""
    events = []
    for merge in found:
        case = lives.case(merge.loser)
        if case:
            events.append(
                Event(case, activity, merge.moment, merge.moment, table, merge.loser,
                      date_only=merge.mark is None, rank=150)
            )  # fmt: skip
    used = {merge.mark.id for merge in found if merge.mark}
    for mark in marks:
        case = lives.case(mark.record)
        if case and mark.id not in used:
            events.append(Event(case, activity, mark.moment, mark.moment, mark.table, mark.id, rank=150))
    return events


def moved_by(touch: Touch, done: dict[str, list[Conversion]]) -> Conversion | None:
    """The conversion that moved a touch from a lead to the contact it became, now or later."""
    changed = at(touch.row, "in the end") or modified(touch.row)
    for one in done.get(touch.row.get("WhoId") or "", []):
        if (
            created(touch.row) >= created(one.lead)
            and touch.recorded_at <= one.moment
            and (changed is None or changed >= one.since)
        ):
            return one
    return None


def campaigns(tables: Tables, lives: Lives, done: dict[str, list[Conversion]]) -> list[Event]:
    found = []
    for row in tables.get("CampaignMember", []):
        if deleted(row):
            continue
        cases = [lives.case(row["LeadId"])] if row.get("LeadId") else [
            lives.case(one.lead["Id"])
            for one in done.get(row.get("ContactId") or "", [])
            if created(one.lead) <= created(row) <= one.since
        ][:1]  # fmt: skip
        for case in cases:
            if case is None:
                continue
            key = row["Id"]
            found.append(
                Event(case, "Join Campaign", created(row), created(row), "CampaignMember", key, rank=160)
            )
            answered = day(row.get("FirstRespondedDate"))
            if answered:
                end = latest(earliest(end_of(answered), modified(row)), created(row))
                found.append(
                    Event(case, "Respond to Campaign", end, end, "CampaignMember", key, date_only=True,
                          rank=160, seq=1)
                )  # fmt: skip
    return found


def conversion_made(tables: Tables, conversion: Conversion) -> list[Event]:
    """Account, contact and opportunity that the conversion made."""
    found = []
    for seq, (table, history) in enumerate((
        ("Account", "AccountHistory"),
        ("Contact", ""),
        ("Opportunity", "OpportunityFieldHistory"),
    )):  # fmt: skip
        row = by_id(tables.get(table, [])).get(conversion.lead.get(f"Converted{table}Id") or "")
        if row is None or conversion.date_only:
            continue
        if history and "created" in begins_with(tables, history)[row["Id"]]:
            continue
        if table == "Contact" and (
            flag(row.get("IsPersonAccount"))
            or row["Id"] in {account.get("PersonContactId") for account in tables.get("Account", [])}
        ):
            continue
        if abs(created(row) - conversion.moment) <= MINUTE and created(row) >= created(conversion.lead):
            found.append(
                Event(conversion.lead["Id"], f"Create {table}", created(row), created(row), table, row["Id"],
                      rank=161, seq=seq)
            )  # fmt: skip
    return found


def events(tables: Tables, as_of: datetime) -> list[Event]:
    """Every event of every lead by a moment."""
    whole, changes = tables, told(tables, "LeadHistory")
    tables = known_at(tables, as_of)
    went = merges(whole, "Lead", changes)
    lives = Lives(whole, "Lead", went, as_of)
    known = [change for change in changes if change.moment <= as_of]
    statuses, queues = Statuses(tables), Queues(tables)
    done = {one.lead["Id"]: one for one in conversions(whole, as_of)}
    movers = by_contact(all_conversions(whole))  # what a later one moved was the lead's at this moment
    alive = [lives.rows[key] for key in sorted(lives.alive)]
    found = [Event(row["Id"], "Create Lead", created(row), created(row), "Lead", row["Id"]) for row in alive]
    found += of_histories(known, lives, done, statuses, queues)
    found += merged(lives.merges, [c for c in known if c.field == "leadMerged"], lives, "Lead", "Merge Lead")
    found += campaigns(tables, lives, movers)
    words = begins_with(tables, "LeadHistory")
    steps: dict[str, list[Change]] = defaultdict(list)
    mine: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        mine[change.record].append(change)
        if change.field == "Status" and change.moment <= as_of:
            steps[change.record].append(change)
    since = min((created(row) for row in tables["LeadHistory"] if row["Field"] == "Status"), default=None)
    for row in alive:
        if row["Id"] in done:
            continue
        untold = disqualified_untold(
            row,
            steps[row["Id"]],
            status_at(row, mine[row["Id"]], as_of),
            statuses,
            begins="created" in words[row["Id"]],
            since=since,
            ever=any(change.field == "Status" and change.new for change in mine[row["Id"]]),
        )
        found += [untold] if untold else []
    endings: dict[str, list[Event]] = defaultdict(list)
    for event in opportunity.moves(whole, as_of):
        if event.activity in ENDINGS:
            endings[event.case_id].append(event)
    for conversion in done.values():
        key = conversion.lead["Id"]
        found.append(conversion.event(key, rank=250))
        found += conversion_made(tables, conversion)
        found += [
            event._replace(case_id=key, rank=251)
            for event in endings[conversion.lead.get("ConvertedOpportunityId") or ""]
            if event.occurred_at >= conversion.since
        ]
    for touch in touches(tables, as_of):
        mover = moved_by(touch, movers)
        case = lives.case(mover.lead["Id"] if mover else touch.row.get("WhoId"))
        if case:
            found.append(
                Event(case, touch.activity, touch.occurred_at, touch.recorded_at, touch.table,
                      touch.row["Id"], date_only=touch.date_only, rank=120)
            )  # fmt: skip
    return [event for event in found if event.recorded_at <= as_of]

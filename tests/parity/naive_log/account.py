"""The log of accounts."""

from collections import defaultdict
from datetime import datetime

from . import case as cases
from . import opportunity
from .conversions import all_conversions, by_contact, conversions
from .histories import OWNER_WORDS, Change, of_opportunities, told
from .lead import merged, moved_by, rating
from .rows import Event, Row, Tables, by_id, created, deleted, flag, known_at
from .state import Lives, merges, value_at
from .touches import Touch, touches

SILENT = {"created", "accountCreatedFromLead", "accountMerged"}
OF_OPPORTUNITIES = {"Win Opportunity", "Lose Opportunity", "Close Opportunity", "Reopen Opportunity"}
OF_CASES = {"Close Case", "Reopen Case"}


def account_at(rows: list[Row], changes: list[Change], as_of: datetime) -> dict[str, str | None]:
    """The account of each opportunity or case as it was at a moment."""
    mine: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        if change.field == "Account":
            mine[change.record].append(change)
    return {row["Id"]: value_at(mine[row["Id"]], "Account", as_of, row.get("AccountId")) for row in rows}


def of_histories(known: list[Change], lives: Lives) -> list[Event]:
    found = []
    for change in known:
        case = lives.case(change.record)
        if case is None or change.field in SILENT:
            continue
        direction, delta, rank = None, None, 150
        if change.field in OWNER_WORDS:
            name, rank = "Change Owner", 100
        elif change.field in {"TextName", "Name"}:
            name = "Rename Account"
        elif change.field == "Rating":
            name, direction, delta = rating(change)
        else:
            name = f"{'Mark' if change.mark else 'Change'}: {change.field}"
        found.append(
            Event(case, name, change.moment, change.moment, change.table, change.id, direction, delta,
                  rank=rank, seq=change.seq)
        )  # fmt: skip
    return found


def account_of(
    touch: Touch, lives: Lives, opportunities: dict[str, str | None], contacts: dict[str, Row]
) -> str | None:
    """The account of a touch."""
    row = touch.row
    what = row.get("WhatId") or ""
    key = (
        row.get("AccountId")
        or opportunities.get(what)
        or (what if what.startswith("001") else None)
        or contacts.get(row.get("WhoId") or "", {}).get("AccountId")
    )
    return lives.case(key)


def events(tables: Tables, as_of: datetime) -> list[Event]:  # noqa: C901, PLR0912  one block per table
    """Every event of every account by a moment."""
    whole, changes = tables, told(tables, "AccountHistory")
    lives = Lives(whole, "Account", merges(whole, "Account", changes), as_of)
    known = [change for change in changes if change.moment <= as_of]
    tables = known_at(tables, as_of)
    alive = [lives.rows[key] for key in sorted(lives.alive)]
    begun = {row["Id"]: created(row) for row in alive}
    for merge in lives.merges:
        case = lives.case(merge.loser)
        if case:
            begun[case] = min(begun[case], created(lives.rows[merge.loser]))
    found = [
        Event(row["Id"], "Create Account", created(row), created(row), "Account", row["Id"]) for row in alive
    ]
    found += of_histories(known, lives)
    marks = [change for change in known if change.field == "accountMerged"]
    found += merged(lives.merges, marks, lives, "Account", "Merge Account")

    behind = {row.get("PersonContactId") for row in tables.get("Account", [])}
    contacts = by_id(tables.get("Contact", []))
    for key, row in contacts.items():
        case = lives.case(row.get("AccountId"))
        if case and not deleted(row) and not flag(row.get("IsPersonAccount")) and key not in behind:
            found.append(Event(case, "Add Contact", created(row), created(row), "Contact", key, rank=50))

    for one in conversions(whole, as_of):
        case = lives.case(one.lead.get("ConvertedAccountId"))
        if case:
            found.append(one.event(case, rank=40))

    opportunities = account_at(tables.get("Opportunity", []), of_opportunities(whole), as_of)
    service = account_at(tables.get("Case", []), told(whole, "CaseHistory"), as_of)
    for table, name, accounts in (
        ("Opportunity", "Create Opportunity", opportunities),
        ("Case", "Open Case", service),
    ):
        for row in tables.get(table, []):
            case = lives.case(accounts[row["Id"]])
            if case and not deleted(row):
                found.append(Event(case, name, created(row), created(row), table, row["Id"], rank=60))
    below = [
        (event, opportunities)
        for event in opportunity.moves(whole, as_of)
        if event.activity in OF_OPPORTUNITIES
    ]
    below += [(event, service) for event in cases.events(whole, as_of) if event.activity in OF_CASES]
    rows = by_id(tables.get("Opportunity", [])) | by_id(tables.get("Case", []))
    for event, accounts in below:
        case = lives.case(accounts[event.case_id])
        if case and not deleted(rows[event.case_id]):
            found.append(event._replace(case_id=case, rank=max(event.rank, 61)))  # after Open Case

    movers = by_contact(all_conversions(whole))
    for touch in touches(tables, as_of):
        case = account_of(touch, lives, opportunities, contacts)
        if case is None:
            continue
        mover = moved_by(touch, movers)
        recorded = mover.moment if mover else touch.recorded_at
        if touch.recorded_at >= begun[case]:
            found.append(
                Event(case, touch.activity, touch.occurred_at, recorded, touch.table, touch.row["Id"],
                      date_only=touch.date_only, rank=120)
            )  # fmt: skip
    return [event for event in found if event.recorded_at <= as_of]

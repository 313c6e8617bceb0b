"""From what happened to the tables of a CRM, as they stand at the end or stood when it was stopped."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import numpy as np
import polars as pl

from crmmining.simulator import picklists, sales_tables, service_tables
from crmmining.simulator.accounts import (
    Accounts,
    account_table,
    become_customers,
    contact_table,
    simulate_accounts,
)
from crmmining.simulator.arrays import END, NEVER, NONE, pick
from crmmining.simulator.campaign_tables import campaign_table, member_table
from crmmining.simulator.cases import Cases, simulate_cases
from crmmining.simulator.history import History
from crmmining.simulator.leads import Leads, lead_table, simulate_leads
from crmmining.simulator.opportunities import Opportunities, simulate_opportunities
from crmmining.simulator.touches import Activities, Conversions, Target, Touches
from crmmining.simulator.world import World

Named = Iterator[tuple[str, pl.DataFrame]]

HISTORIES: Final = {
    "LeadHistory": ("Lead", "LeadId"),
    "AccountHistory": ("Account", "AccountId"),
    "CaseHistory": ("Case", "CaseId"),
    "OpportunityFieldHistory": ("Opportunity", "OpportunityId"),
}
"""The tables of field history, each with the table of its records and the column that names them."""


@dataclass(frozen=True)
class Happened:
    """All that happened in a CRM until the end of the simulated time."""

    world: World
    touches: Touches
    leads: Leads
    accounts: Accounts
    cases: Cases
    opportunities: Opportunities
    fields: History


def run(world: World) -> Happened:
    """Let everything happen; what `world.until` cuts off happens too, so that chance stays the same."""
    touches = Touches()
    leads = simulate_leads(world, touches)
    accounts = simulate_accounts(world, leads, touches)
    cases = simulate_cases(world, accounts, touches)
    opportunities = simulate_opportunities(world, leads, accounts, touches)
    first_win = np.full(accounts.count, NEVER, dtype=np.int64)
    np.minimum.at(first_win, opportunities.account, opportunities.won_at)
    become_customers(accounts, first_win)
    fields = sales_tables.field_history(opportunities)
    return Happened(world, touches, leads, accounts, cases, opportunities, fields)


def tables(happened: Happened, until: int) -> Named:
    """Yield all tables as they stood at `until`, which is the end or the moment that the world knows of.

    They hold the rows created by then, in the state that they had.
    """
    world = replace(happened.world, until=until)
    yield from world.org.tables.items()
    yield from _set_up(world)
    if until == END:
        yield from _processes(world, happened)
        return
    stopped = replace(
        happened,
        leads=happened.leads.stopped(),
        accounts=happened.accounts.stopped(),
        cases=happened.cases.stopped(),
        opportunities=happened.opportunities.stopped(),
    )
    moment = datetime.fromtimestamp(until, UTC)
    for name, table in _processes(world, stopped):
        yield name, table.filter(pl.col("CreatedDate") <= moment)


def retained(named: Named, since: int) -> Named:
    """Drop the rows of field history that are older than an instant."""
    moment = datetime.fromtimestamp(since, UTC)
    for name, table in named:
        yield name, table.filter(pl.col("CreatedDate") >= moment) if since and name in HISTORIES else table


def _processes(world: World, happened: Happened) -> Named:
    """Yield each table as soon as nothing else is needed for it, so that memory is freed early."""
    leads, accounts, cases = happened.leads, happened.accounts, happened.cases
    opportunities, users = happened.opportunities, world.org.user_ids
    yield "LeadHistory", leads.history.table("LeadHistory", "LeadId", leads.ids, users)
    yield "AccountHistory", accounts.history.table("AccountHistory", "AccountId", accounts.ids, users)
    yield "CaseHistory", cases.history.table("CaseHistory", "CaseId", cases.ids, users)
    yield (
        "OpportunityFieldHistory",
        happened.fields.table("OpportunityFieldHistory", "OpportunityId", opportunities.ids, users),
    )
    yield "OpportunityHistory", sales_tables.snapshot_table(users, opportunities)
    yield from _service(world, accounts, cases)

    moves = _conversions(leads, accounts, opportunities)
    ids: dict[Target, pl.Series] = {
        "Lead": leads.ids,
        "Contact": accounts.contact_ids,
        "Account": accounts.ids,
        "Opportunity": opportunities.ids,
        "Case": cases.ids,
    }
    activities = happened.touches.tables(world, ids, moves)
    yield "Task", activities.tasks
    yield "Event", activities.events
    yield from _sales(world, happened, activities)


def _set_up(world: World) -> Named:
    users = world.org.user_ids
    yield "LeadStatus", picklists.lead_statuses(users)
    yield "CaseStatus", picklists.case_statuses(users)
    yield "OpportunityStage", picklists.stages(users)
    yield "BusinessHours", picklists.business_hours(users)
    yield "Holiday", picklists.holidays(users)
    yield "MilestoneType", picklists.milestone_types(users)
    yield "Product2", picklists.products(users)
    yield from picklists.currencies(users, world.dice("currencies")).items()


def _service(world: World, accounts: Accounts, cases: Cases) -> Named:
    entitlements, of_account = service_tables.entitlement_table(world, accounts)
    yield "Entitlement", entitlements
    number = of_account[cases.account]
    entitlement = pick(entitlements["Id"], number)
    yield "Case", service_tables.case_table(world, cases, accounts, entitlement)
    yield "CaseMilestone", service_tables.milestone_table(world, cases, entitlement)
    yield "EmailMessage", service_tables.mail_table(world, cases)
    yield "CaseComment", service_tables.comment_table(world, cases)
    yield from service_tables.solution_tables(world, cases).items()


def _conversions(leads: Leads, accounts: Accounts, opportunities: Opportunities) -> Conversions:
    converted = leads.converted_at <= END
    opportunity = np.full(leads.count, NONE, dtype=np.int64)
    from_lead = opportunities.lead >= 0
    opportunity[opportunities.lead[from_lead]] = np.flatnonzero(from_lead)
    contact, account, opportunity = (
        np.where(converted, of_lead, NONE)
        for of_lead in (accounts.lead_contact, accounts.lead_account, opportunity)
    )
    return Conversions(leads.converted_at, leads.owner, contact, account, opportunity)


def _sales(world: World, happened: Happened, activities: Activities) -> Named:
    leads, accounts, opportunities = happened.leads, happened.accounts, happened.opportunities
    ids = {"Account": accounts.ids, "Contact": accounts.contact_ids, "Opportunity": opportunities.ids}
    last_day, moves = activities.last_day, activities.moves
    yield "Lead", lead_table(world, leads, moves, ids, last_day["Lead"])
    yield "Account", account_table(world, accounts, last_day["Account"])
    yield "Contact", contact_table(world, accounts, last_day["Contact"])
    yield from sales_tables.sales_tables(world, opportunities, accounts, last_day["Opportunity"]).items()
    members, responses = member_table(world, leads, moves, accounts.contact_ids)
    yield "CampaignMember", members
    yield "Campaign", campaign_table(world, leads, opportunities, responses)

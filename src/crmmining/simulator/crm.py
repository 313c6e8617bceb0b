"""From a seed to a folder of tables."""

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Final, get_args

import numpy as np
import polars as pl

from crmmining.errors import CrmMiningError, UnknownNameError
from crmmining.simulator import picklists, sales_tables, service_tables
from crmmining.simulator.accounts import (
    Accounts,
    account_table,
    become_customers,
    contact_table,
    simulate_accounts,
)
from crmmining.simulator.arrays import FIRST_DAY, LAST_DAY, NEVER, NONE, pick
from crmmining.simulator.campaign_tables import campaign_table, member_table
from crmmining.simulator.cases import BASE_REOPENING, Cases, simulate_cases
from crmmining.simulator.dice import Dice
from crmmining.simulator.effects import Effects
from crmmining.simulator.ids import KEY_PREFIXES
from crmmining.simulator.leads import BASE_CONVERSION, Leads, lead_table, simulate_leads
from crmmining.simulator.opportunities import Opportunities, simulate_opportunities
from crmmining.simulator.org import build_org
from crmmining.simulator.touches import Activities, Conversions, Target, Touches
from crmmining.simulator.world import World
from crmmining.simulator.writing import Format, staging, write_table, write_truth

TABLES: Final = frozenset({*KEY_PREFIXES, "_CEL_CURRENCIES"})
"""Every table that a simulation can write."""


def simulate(
    folder: str | Path,
    *,
    accounts: int = 2000,
    seed: int = 7,
    format: Format = "csv",  # noqa: A002  the word a caller expects
    effects: bool | Mapping[str, bool | float] = True,
    without: Collection[str] = (),
    retention_months: int | None = None,
) -> Path:
    """Write a simulated CRM of the years 2023 to 2025: one file per Salesforce table, and `truth.json`.

    `accounts` is the number of accounts that sales opens itself; all other volumes follow from it, and
    converted leads add accounts of their own. The same arguments give the same bytes. `effects` switches the
    planted facts on or off, all at once or by name; a number instead sets an effect's factor. `without`
    leaves tables out. `retention_months` drops field history older than so many months before the end of
    2025, as Salesforce does.

    CSV is RFC 4180 with LF, UTF-8 and instants like 2024-03-01T09:30:00.000Z; Parquet holds typed columns.
    Nothing that the CRM recorded is later than 2025-12-31T23:59:59Z; only plans (due dates, expected close
    dates, targets) lie ahead of it.

    Raises UnknownNameError for an unknown table, effect or format, OutputError when `folder` holds anything
    but an earlier simulation (known by its `truth.json`) or cannot be written, CrmMiningError for numbers out
    of range.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     crm = simulate(f"{place}/crm", accounts=10, seed=1)
    ...     print((crm / "CurrencyType.csv").read_text().splitlines()[1][:27])
    01L5e0000000001EAA,USD,1.0,
    """
    for table in sorted(set(without)):
        if table not in TABLES:
            raise UnknownNameError("table", table, TABLES)
    if format not in get_args(Format):
        raise UnknownNameError("format", format, get_args(Format))
    if accounts < 1 or seed < 0 or (retention_months is not None and retention_months < 1):
        raise CrmMiningError(
            f"accounts ({accounts}) and retention_months ({retention_months}) must be 1 or more, "
            f"seed ({seed}) 0 or more."
        )
    in_force = Effects.of(effects)
    target = Path(folder).absolute()
    with staging(target, TABLES) as fresh:
        rows: dict[str, int] = {}
        for name, table_rows in _tables(accounts, seed, in_force, retention_months):
            if name not in without:
                write_table(fresh, name, table_rows, format)
                rows[name] = table_rows.height
        write_truth(fresh, _truth(accounts, seed, in_force, retention_months, rows))
    return Path(folder)


def _truth(
    accounts: int, seed: int, effects: Effects, retention_months: int | None, rows: Mapping[str, int]
) -> dict[str, object]:
    return {
        "seed": seed,
        "accounts": accounts,
        "first_day": FIRST_DAY.isoformat(),
        "last_day": LAST_DAY.isoformat(),
        "retention_months": retention_months,
        "base": {"lead_conversion": BASE_CONVERSION, "case_reopening": BASE_REOPENING},
        "effects": effects.truth(),
        "rows": dict(sorted(rows.items())),
    }


def _tables(
    accounts: int, seed: int, effects: Effects, retention_months: int | None
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield all tables, each as soon as nothing else can change it, so that memory is freed early."""
    org = build_org(Dice(seed, "org"), accounts)
    world = World(seed, accounts, effects, org)
    users = org.user_ids
    since = _retained_since(retention_months)
    touches = Touches(world)

    yield from org.tables.items()
    yield from _set_up(world)
    leads = simulate_leads(world, touches)
    book = simulate_accounts(world, leads, touches)
    cases = simulate_cases(world, book, touches)
    opportunities = simulate_opportunities(world, leads, book, touches)
    first_win = np.full(book.count, NEVER, dtype=np.int64)
    np.minimum.at(first_win, opportunities.account, opportunities.won_at)
    become_customers(book, first_win)

    yield "LeadHistory", leads.history.table("LeadHistory", "LeadId", leads.ids, users, since)
    yield "AccountHistory", book.history.table("AccountHistory", "AccountId", book.ids, users, since)
    yield "CaseHistory", cases.history.table("CaseHistory", "CaseId", cases.ids, users, since)
    fields = sales_tables.field_history(opportunities)
    yield (
        "OpportunityFieldHistory",
        fields.table("OpportunityFieldHistory", "OpportunityId", opportunities.ids, users, since),
    )
    yield "OpportunityHistory", sales_tables.snapshot_table(users, opportunities)
    yield from _service(world, book, cases)

    moves = _conversions(leads, book, opportunities)
    ids: dict[Target, pl.Series] = {
        "Lead": leads.ids,
        "Contact": book.contact_ids,
        "Account": book.ids,
        "Opportunity": opportunities.ids,
        "Case": cases.ids,
    }
    activities = touches.tables(ids, moves)
    yield "Task", activities.tasks
    yield "Event", activities.events
    yield from _sales(world, leads, book, opportunities, activities)


def _retained_since(months: int | None) -> int:
    if months is None:
        return 0
    year, month = divmod(LAST_DAY.year * 12 + LAST_DAY.month - months, 12)
    return (date(year, month + 1, 1) - date(1970, 1, 1)).days * 86_400


def _set_up(world: World) -> Iterator[tuple[str, pl.DataFrame]]:
    users = world.org.user_ids
    yield "LeadStatus", picklists.lead_statuses(users)
    yield "CaseStatus", picklists.case_statuses(users)
    yield "OpportunityStage", picklists.stages(users)
    yield "BusinessHours", picklists.business_hours(users)
    yield "Holiday", picklists.holidays(users)
    yield "MilestoneType", picklists.milestone_types(users)
    yield "Product2", picklists.products(users)
    yield from picklists.currencies(users, world.dice("currencies")).items()


def _service(world: World, accounts: Accounts, cases: Cases) -> Iterator[tuple[str, pl.DataFrame]]:
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
    opportunity = np.full(leads.count, NONE, dtype=np.int64)
    from_lead = opportunities.lead >= 0
    opportunity[opportunities.lead[from_lead]] = np.flatnonzero(from_lead)
    return Conversions(
        leads.converted_at, leads.owner, accounts.lead_contact, accounts.lead_account, opportunity
    )


def _sales(
    world: World, leads: Leads, accounts: Accounts, opportunities: Opportunities, activities: Activities
) -> Iterator[tuple[str, pl.DataFrame]]:
    ids = {"Account": accounts.ids, "Contact": accounts.contact_ids, "Opportunity": opportunities.ids}
    last_day = activities.last_day
    yield "Lead", lead_table(world, leads, activities.moves, ids, last_day["Lead"])
    yield "Account", account_table(world, accounts, last_day["Account"])
    yield "Contact", contact_table(world, accounts, last_day["Contact"])
    yield from sales_tables.sales_tables(world, opportunities, accounts, last_day["Opportunity"]).items()
    members, responses = member_table(world, leads, accounts)
    yield "CampaignMember", members
    yield "Campaign", campaign_table(world, leads, opportunities, responses)


__all__ = ["TABLES", "simulate"]

"""Accounts and contacts: opened by field sales, or made and updated by lead conversion."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from crmmining.simulator.arrays import END, HOUR, NEVER, NONE, START, Floats, Ints, days, pick
from crmmining.simulator.columns import audit, flag, joined, person_names, text
from crmmining.simulator.dice import Dice
from crmmining.simulator.history import History, Saves
from crmmining.simulator.ids import in_order_of, make_ids
from crmmining.simulator.leads import SOURCES, Leads, company_names
from crmmining.simulator.org import AUTOMATION, FIELD, REGION_WEIGHTS, REGIONS
from crmmining.simulator.picklists import CURRENCIES, currency_of
from crmmining.simulator.records import Records, same
from crmmining.simulator.touches import Touches
from crmmining.simulator.words import INDUSTRIES
from crmmining.simulator.world import World

_TYPES: Final = ["Prospect", "Customer"]
_RATINGS: Final = ["Cold", "Warm", "Hot"]
_COUNTRIES: Final = ["United States", "Germany", "Japan", "Brazil"]
_INTO_EXISTING: Final = 0.25
_WITH_OPPORTUNITY: Final = 0.8


@dataclass
class Accounts(Records):
    """Accounts and their contacts as columns; what a conversion made or used stands per lead."""

    changing = ("owner", "kind", "rating", "parent", "renamed_at", "changed", "changer")

    created: Ints
    creator: Ints
    region: Ints
    owner: Ints
    currency: Ints
    kind: Ints
    rating: Ints
    parent: Ints
    industry: Ints
    source: Ints
    first_name: pl.Series
    name: pl.Series
    renamed_at: Ints
    history: History
    ids: pl.Series
    contact_account: Ints
    contact_created: Ints
    contact_creator: Ints
    contact_source: Ints
    contact_ids: pl.Series
    first_contact: Ints
    contacts: Ints
    lead_account: Ints
    lead_contact: Ints
    lead_opens: Ints
    """Owner of the opportunity that the conversion creates; NONE when it creates none."""

    @property
    def count(self) -> int:
        """Number of accounts."""
        return len(self.created)

    def contact_of(self, account: Ints, share: Floats) -> Ints:
        """Pick one of the contacts of each account."""
        return self.first_contact[account] + np.floor(share * self.contacts[account]).astype(np.int64)


def simulate_accounts(world: World, leads: Leads, touches: Touches) -> Accounts:
    """Open accounts, convert leads into them, and let them change hands, names and ratings."""
    dice = world.dice("accounts")
    accounts = _open(world, dice, leads)
    _live(world, dice, accounts)
    _check_in(world, dice, accounts, touches)
    return accounts


def _open(world: World, dice: Dice, leads: Leads) -> Accounts:
    org, base = world.org, world.accounts
    region = dice.choice(base, REGION_WEIGHTS)
    wished = START + (dice.uniform(base) ** 2.5 * 0.92 * (END - START)).astype(np.int64)
    created = org.calendar.after(wished, dice.uniform(base) * 4 * HOUR, org.zone(FIELD, region))
    owner = org.member(FIELD, region, dice.uniform(base))

    won = np.flatnonzero(leads.converted_at <= END)
    at, by, where = leads.converted_at[won], leads.owner[won], leads.region[won]
    known = _known_account(created, region, at, where, dice.uniform(len(won)))
    known = np.where(dice.chance(len(won), _INTO_EXISTING), known, NONE)
    fresh = known < 0
    seller = org.member(FIELD, where, dice.uniform(len(won)))
    account = known.copy()
    account[fresh] = base + np.arange(int(fresh.sum()))

    per_account = 1 + dice.choice(base, [0.4, 0.4, 0.2])
    contact_account = np.concatenate([np.repeat(np.arange(base), per_account), account])
    nth = np.arange(int(per_account.sum())) - np.repeat(np.cumsum(per_account) - per_account, per_account)
    contact_created = np.concatenate([np.repeat(created, per_account) + nth * 90, at])
    contact = int(per_account.sum()) + np.arange(len(won))

    created = np.concatenate([created, at[fresh]])
    creator = np.concatenate([owner, by[fresh]])
    history = History()
    history.mark(Saves(np.arange(base), created[:base], creator[:base]), "created")
    history.mark(Saves(account[fresh], at[fresh], by[fresh]), "accountCreatedFromLead")
    history.mark(Saves(account[~fresh], at[~fresh], by[~fresh]), "accountUpdatedByLead")
    names = pl.concat([company_names(dice, base), leads.company.gather(won[fresh])])

    def per_lead(values: Ints) -> Ints:
        result = np.full(leads.count, NONE, dtype=np.int64)
        result[won] = values
        return result

    region = np.concatenate([region, where[fresh]])
    count = len(created)
    accounts = Accounts(
        until=world.until,
        created=created,
        creator=creator,
        region=region,
        owner=np.concatenate([owner, seller[fresh]]),
        currency=currency_of(region, dice.uniform(count)),
        kind=np.zeros(count, dtype=np.int64),
        rating=dice.choice(count, [0.4, 0.4, 0.2]),
        parent=np.full(count, NONE, dtype=np.int64),
        industry=np.concatenate([dice.choice(base, [1] * len(INDUSTRIES)), leads.industry[won[fresh]]]),
        source=np.concatenate([np.full(base, NONE), leads.source[won[fresh]]]),
        first_name=names,
        name=names,
        renamed_at=np.full(count, NEVER, dtype=np.int64),
        changed=created.copy(),
        changer=creator.copy(),
        history=history,
        ids=make_ids("Account", in_order_of(created)),
        contact_account=contact_account,
        contact_created=contact_created,
        contact_creator=np.concatenate([np.repeat(owner, per_account), by]),
        contact_source=np.concatenate([np.full(len(nth), NONE), leads.source[won]]),
        contact_ids=make_ids("Contact", in_order_of(contact_created)),
        first_contact=np.concatenate([np.cumsum(per_account) - per_account, contact[fresh]]),
        contacts=np.concatenate([per_account, np.ones(int(fresh.sum()), dtype=np.int64)]),
        lead_account=per_lead(account),
        lead_contact=per_lead(contact),
        lead_opens=per_lead(np.where(dice.chance(len(won), _WITH_OPPORTUNITY), seller, NONE)),
    )
    # In the order of time, so that the latest conversion into an account is the one that stays.
    into = np.flatnonzero(~fresh)[np.argsort(at[~fresh], kind="stable")]
    accounts.save(account[into], at[into], by[into])
    return accounts


def _known_account(created: Ints, region: Ints, at: Ints, where: Ints, share: Floats) -> Ints:
    """Pick an account of the lead's region that existed at the conversion; NONE when there was none."""
    result = np.full(len(at), NONE, dtype=np.int64)
    for number in range(len(REGIONS)):
        there = np.flatnonzero(region == number)
        there = there[np.argsort(created[there], kind="stable")]
        asking = np.flatnonzero(where == number)
        older = np.searchsorted(created[there], at[asking], side="left")
        chosen = np.floor(share[asking] * older).astype(np.int64)
        result[asking[older > 0]] = there[chosen[older > 0]]
    return result


def _live(world: World, dice: Dice, accounts: Accounts) -> None:
    org, count = world.org, accounts.count

    def some(share: float) -> tuple[Ints, Ints]:
        ix = np.flatnonzero(dice.chance(count, share))
        at = org.calendar.within(
            accounts.created[ix] + HOUR,
            np.full(len(ix), END),
            dice.uniform(len(ix)),
            org.zone(FIELD, accounts.region[ix]),
        )
        soon = (at > accounts.created[ix]) & (at <= END)
        return ix[soon], at[soon]

    ix, at = some(0.15)
    rep = org.member(FIELD, accounts.region[ix], dice.uniform(len(ix)))
    ix, at, rep = (values[rep != accounts.owner[ix]] for values in (ix, at, rep))
    manager = org.manager(rep)
    accounts.history.look_up(
        Saves(ix, at, manager), "Owner", accounts.owner[ix], rep, names=org.owner_names, ids=org.owner_ids
    )
    accounts.put(ix, at, owner=rep)
    accounts.save(ix, at, manager)

    ix, at = some(0.18)
    new = (accounts.rating[ix] + dice.between(len(ix), 1, 2)) % len(_RATINGS)
    actor = accounts.owner[ix]
    accounts.history.add(
        Saves(ix, at, actor),
        "Rating",
        "DynamicEnum",
        pick(_RATINGS, accounts.rating[ix]),
        pick(_RATINGS, new),
    )
    accounts.put(ix, at, rating=new)
    accounts.save(ix, at, actor)

    ix, at = some(0.03)
    renamed = joined("{} Holding", accounts.name.gather(ix))
    accounts.history.add(
        Saves(ix, at, accounts.owner[ix]), "TextName", "Text", accounts.name.gather(ix), renamed
    )
    accounts.name = accounts.name.clone().scatter(ix, renamed)
    accounts.put(ix, at, renamed_at=at)
    accounts.save(ix, at, accounts.owner[ix])

    ix, at = some(0.05)
    parent = np.floor(dice.uniform(len(ix)) * ix).astype(np.int64)
    older = accounts.created[parent] < at
    ix, at, parent = ix[older & (parent != ix)], at[older & (parent != ix)], parent[older & (parent != ix)]
    accounts.history.look_up(
        Saves(ix, at, accounts.owner[ix]),
        "Parent",
        np.full(len(ix), NONE),
        parent,
        names=accounts.name,
        ids=accounts.ids,
    )
    accounts.put(ix, at, parent=parent)
    accounts.save(ix, at, accounts.owner[ix])


def become_customers(accounts: Accounts, first_win: Ints) -> None:
    """Workflow: the first won opportunity turns a prospect into a customer, in the same second."""
    ix = np.flatnonzero(first_win <= END)
    at, actor = first_win[ix], np.full(len(ix), AUTOMATION)
    old, new = pick(_TYPES, accounts.kind[ix]), pick(_TYPES, np.ones(len(ix), dtype=np.int64))
    accounts.history.add(Saves(ix, at, actor), "Type", "DynamicEnum", old, new)
    accounts.put(ix, at, kind=same(1, ix))
    accounts.save(ix, at, actor)


def _check_in(world: World, dice: Dice, accounts: Accounts, touches: Touches) -> None:
    org = world.org
    for share, meets in ((0.6, False), (0.4, False), (0.2, True)):
        ix = np.flatnonzero(dice.chance(accounts.count, share))
        at = org.calendar.within(
            accounts.created[ix],
            np.full(len(ix), END),
            dice.uniform(len(ix)),
            org.zone(FIELD, accounts.region[ix]),
        )
        at = np.where(at > accounts.created[ix], at, NEVER)
        (touches.meeting if meets else touches.task)(at, accounts.owner[ix], {"Account": ix})


def account_table(world: World, accounts: Accounts, last_day: Ints) -> pl.DataFrame:
    """Table Account, as it stood when the CRM was stopped."""
    dice, count = world.dice("account details"), accounts.count
    renamed = pl.Series(accounts.renamed_at <= END)
    return pl.DataFrame(
        {
            "Id": accounts.ids,
            "IsDeleted": flag(count),
            "Name": accounts.name.zip_with(renamed, accounts.first_name),
            "AccountNumber": pl.select(
                pl.format(
                    "A{}", pl.lit(pl.Series(in_order_of(accounts.created) + 1)).cast(pl.String).str.zfill(7)
                )
            ).to_series(),
            "ParentId": pick(accounts.ids, accounts.parent),
            "Type": pick(_TYPES, accounts.kind),
            "Rating": pick(_RATINGS, accounts.rating),
            "Industry": pick(INDUSTRIES, accounts.industry),
            "AnnualRevenue": pl.Series((dice.duration(count, 8, 1.2) + 1).astype(np.int64) * 1_000_000).cast(
                pl.Float64
            ),
            "NumberOfEmployees": pl.Series(dice.duration(count, 150, 1.1).astype(np.int64) + 1),
            "AccountSource": pick(SOURCES, accounts.source),
            "BillingCountry": pick(_COUNTRIES, accounts.region),
            "OwnerId": world.org.user_ids.gather(accounts.owner),
            "CurrencyIsoCode": pick(CURRENCIES, accounts.currency),
            "IsPersonAccount": flag(count),
            "LastActivityDate": days(last_day),
            **audit(
                world.org.user_ids, accounts.created, accounts.creator, accounts.changed, accounts.changer
            ),
        }
    )


def contact_table(world: World, accounts: Accounts, last_day: Ints) -> pl.DataFrame:
    """Table Contact."""
    dice, org = world.dice("contact names"), world.org
    count = len(accounts.contact_account)
    first, last = person_names(dice, count)
    account = accounts.contact_account
    created, creator = accounts.contact_created, accounts.contact_creator
    return pl.DataFrame(
        {
            "Id": accounts.contact_ids,
            "IsDeleted": flag(count),
            "AccountId": accounts.ids.gather(account),
            "Name": joined("{} {}", first, last),
            "FirstName": first,
            "LastName": last,
            "Email": pl.select(
                pl.format("contact{}@example.org", pl.lit(pl.Series(np.arange(count))))
            ).to_series(),
            "Title": text("Buyer", count),
            "LeadSource": pick(SOURCES, accounts.contact_source),
            "MailingCountry": pick(_COUNTRIES, accounts.region[account]),
            "OwnerId": org.user_ids.gather(accounts.owner[account]),
            "CurrencyIsoCode": pick(CURRENCIES, accounts.currency[account]),
            "LastActivityDate": days(last_day),
            **audit(org.user_ids, created, creator, created, creator),
        }
    )

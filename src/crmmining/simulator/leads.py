"""Lead management: arrival by source and campaign, queues, contact, nurturing, recycling, conversion."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from crmmining.simulator.arrays import DAY, END, HOUR, NEVER, NONE, START, Bools, Floats, Ints, days, pick
from crmmining.simulator.campaigns import ROUNDS, campaign_start
from crmmining.simulator.columns import audit, flag, joined, person_names, text
from crmmining.simulator.dice import Dice
from crmmining.simulator.effects import GOOD_SOURCE
from crmmining.simulator.history import History, Saves
from crmmining.simulator.ids import in_order_of, make_ids
from crmmining.simulator.org import AUTOMATION, INSIDE, REGION_WEIGHTS
from crmmining.simulator.picklists import (
    CONTACTED,
    CONVERTED,
    CURRENCIES,
    LEAD_STATUSES,
    NOT_CONTACTED,
    NOT_CONVERTED,
    NURTURING,
    QUALIFIED,
    currency_of,
)
from crmmining.simulator.records import Records, same
from crmmining.simulator.touches import Conversions, Touches
from crmmining.simulator.words import COMPANY_FORMS, COMPANY_HEADS, COMPANY_TRADES, INDUSTRIES
from crmmining.simulator.world import World

SOURCES: Final = ["Web", "Advertisement", "Trade Show", "Purchased List", "Partner", GOOD_SOURCE]
SOURCE_WEIGHTS: Final = [0.32, 0.15, 0.14, 0.12, 0.12, 0.15]
BASE_CONVERSION: Final = 0.18
_PER_ACCOUNT: Final = 2.2
_COUNTRIES: Final = ["United States", "Germany", "Japan", "Brazil"]
_RATINGS: Final = ["Cold", "Warm", "Hot"]
_WILL_CONVERT, _WILL_LOSE, _WILL_REST = range(3)


@dataclass
class Leads(Records):
    """Leads as columns; a lead's number is its position."""

    changing = ("owner", "status", "rating", "changed", "changer", "transferred", "converted_at")

    created: Ints
    creator: Ints
    region: Ints
    source: Ints
    campaign: Ints
    owner: Ints
    status: Ints
    rating: Ints
    currency: Ints
    company: pl.Series
    industry: Ints
    transferred: Ints
    converted_at: Ints
    history: History
    ids: pl.Series

    @property
    def count(self) -> int:
        """Number of leads."""
        return len(self.created)


def company_names(dice: Dice, count: int) -> pl.Series:
    """Names of companies."""
    return joined(
        "{} {} {}",
        pl.Series(COMPANY_HEADS).gather(dice.choice(count, [1] * len(COMPANY_HEADS))),
        pl.Series(COMPANY_TRADES).gather(dice.choice(count, [1] * len(COMPANY_TRADES))),
        pl.Series(COMPANY_FORMS).gather(dice.choice(count, [1] * len(COMPANY_FORMS))),
    )


def simulate_leads(world: World, touches: Touches) -> Leads:
    """Run every lead from its arrival to conversion, closing or the end of time."""
    dice = world.dice("leads")
    leads = _arrivals(world, dice)
    walk = _Walk(world, dice, leads, touches)
    walk.run()
    return leads


def _arrivals(world: World, dice: Dice) -> Leads:
    org = world.org
    count = max(1, round(_PER_ACCOUNT * world.accounts))
    region = dice.choice(count, REGION_WEIGHTS)
    source = dice.choice(count, SOURCE_WEIGHTS)
    anywhere = START + dice.uniform(count) * (END - START - DAY)
    nth = dice.choice(count, [1] * ROUNDS)
    campaign = nth * len(SOURCES) + source
    answered = campaign_start(campaign) + dice.waiting(count, 25 * DAY)
    driven = dice.chance(count, 0.55) & (answered < END - DAY)
    wished = np.where(driven, answered, anywhere).astype(np.int64)
    by_itself = source <= 1
    in_hours = org.calendar.after(wished, dice.uniform(count) * 4 * HOUR, org.zone(INSIDE, region))
    created = np.where(by_itself, wished, np.minimum(in_hours, END))
    rep = org.member(INSIDE, region, dice.uniform(count))
    to_queue = dice.chance(count, np.where(by_itself, 0.85, 0.35))
    creator = np.where(by_itself, AUTOMATION, rep)
    rating = dice.choice(count, [0.5, 0.4, 0.1])
    history = History()
    history.mark(Saves(np.arange(count), created, creator), "created")
    return Leads(
        until=world.until,
        created=created,
        creator=creator,
        region=region,
        source=source,
        campaign=np.where(driven, campaign, NONE),
        owner=np.where(to_queue, org.queue(INSIDE, region), rep),
        status=np.full(count, NOT_CONTACTED, dtype=np.int64),
        rating=rating,
        currency=currency_of(region, dice.uniform(count)),
        company=company_names(dice, count),
        industry=dice.choice(count, [1] * len(INDUSTRIES)),
        changed=created.copy(),
        changer=creator.copy(),
        transferred=np.full(count, NONE, dtype=np.int64),
        converted_at=np.full(count, NEVER, dtype=np.int64),
        history=history,
        ids=make_ids("Lead", in_order_of(created)),
    )


class _Walk:
    """Moves all leads through the same slots; each slot is taken by some and skipped by others."""

    def __init__(self, world: World, dice: Dice, leads: Leads, touches: Touches) -> None:
        self.org = world.org
        self.dice = dice
        self.leads = leads
        self.touches = touches
        self.clock = leads.created.copy()
        self.zone = self.org.zone(INSIDE, leads.region)
        self.slowness = world.slowness(leads.region)
        better = np.where(leads.source == SOURCES.index(GOOD_SOURCE), world.effects.good_source, 1.0)
        converts = dice.chance(leads.count, np.minimum(BASE_CONVERSION * better, 1.0))
        rests = dice.chance(leads.count, 0.15)
        self.fate = np.where(converts, _WILL_CONVERT, np.where(rests, _WILL_REST, _WILL_LOSE))

    def run(self) -> None:
        leads, dice = self.leads, self.dice
        count, fate = leads.count, self.fate
        lives = ~((fate == _WILL_REST) & dice.chance(count, 0.3))
        self._accept(lives & (leads.owner >= self.org.users))
        lives &= ~((fate == _WILL_REST) & dice.chance(count, 0.3))
        contacted = self._arrive(lives, 6.0, 0.9)
        self._status(contacted, CONTACTED)
        self._touch(contacted, 0.85, 0.0)

        rounds = dice.choice(count, [0.62, 0.26, 0.12])
        for nth in range(2):
            nurtured = self._arrive(lives & (rounds > nth), 20.0, 0.6)
            self._status(nurtured, NURTURING)
            back = self._arrive(lives & (rounds > nth), 80.0, 0.6)
            self._status(back, CONTACTED)
            self._touch(back, 0.9, 0.15)
        lives &= fate != _WILL_REST

        given_up = lives & dice.chance(count, 0.07)
        self._status(self._arrive(given_up, 24.0, 0.7), NOT_CONVERTED)
        recycled = self._arrive(given_up, 100.0, 0.5)
        self._status(recycled, CONTACTED)
        self._touch(recycled, 0.7, 0.1)

        self._hand_over(self._arrive(lives & dice.chance(count, 0.1), 10.0, 0.6))
        qualified = self._arrive(lives & ((fate == _WILL_CONVERT) | dice.chance(count, 0.25)), 16.0, 0.8)
        self._status(qualified, QUALIFIED, heat=True)
        self._touch(qualified, 0.6, 0.4)

        self._convert(self._arrive(lives & (fate == _WILL_CONVERT), 20.0, 0.8))
        self._status(self._arrive(lives & (fate == _WILL_LOSE), 40.0, 0.8), NOT_CONVERTED)
        late = self._arrive(lives & (fate == _WILL_LOSE) & dice.chance(count, 0.05), 200.0, 0.5)
        self._status(late, NURTURING)

    def _arrive(self, mask: Bools, median_hours: float, spread: float) -> Ints:
        """Let working time pass for the leads in the mask; return those whose next step happens in time."""
        passed = self.dice.duration(len(mask), median_hours * HOUR, spread) * self.slowness
        going = np.flatnonzero(mask)
        ahead: Floats = np.maximum(passed[going], 5.0)
        self.clock[going] = self.org.calendar.after(self.clock[going], ahead, self.zone[going])
        return going[self.clock[going] <= END]

    def _accept(self, waiting: Bools) -> None:
        leads, org = self.leads, self.org
        ix = self._arrive(waiting, 3.0, 0.9)
        rep = org.member(INSIDE, leads.region[ix], self.dice.uniform(len(ix)))
        accepted = self.dice.chance(len(ix), 0.6)
        for field, taken in (("ownerAccepted", accepted), ("Owner", ~accepted)):
            part = ix[taken]
            leads.history.look_up(
                Saves(part, self.clock[part], rep[taken]),
                field,
                leads.owner[part],
                rep[taken],
                names=org.owner_names,
                ids=org.owner_ids,
            )
        leads.put(ix, self.clock[ix], owner=rep, transferred=self.clock[ix] // DAY)
        leads.save(ix, self.clock[ix], rep)

    def _hand_over(self, ix: Ints) -> None:
        leads, org = self.leads, self.org
        ix = ix[leads.owner[ix] < org.users]
        rep = org.member(INSIDE, leads.region[ix], self.dice.uniform(len(ix)))
        ix, rep = ix[rep != leads.owner[ix]], rep[rep != leads.owner[ix]]
        manager = org.manager(rep)
        leads.history.look_up(
            Saves(ix, self.clock[ix], manager),
            "Owner",
            leads.owner[ix],
            rep,
            names=org.owner_names,
            ids=org.owner_ids,
        )
        leads.put(ix, self.clock[ix], owner=rep, transferred=self.clock[ix] // DAY)
        leads.save(ix, self.clock[ix], manager)

    def _actor(self, ix: Ints) -> Ints:
        owner = self.leads.owner[ix]
        return np.where(owner < self.org.users, owner, AUTOMATION)

    def _status(self, ix: Ints, status: int, *, heat: bool = False) -> None:
        leads = self.leads
        actor = self._actor(ix)
        old = leads.status[ix]
        new = np.full(len(ix), status, dtype=np.int64)
        leads.history.add(
            Saves(ix, self.clock[ix], actor),
            "Status",
            "DynamicEnum",
            pick(LEAD_STATUSES, old),
            pick(LEAD_STATUSES, new),
        )
        leads.put(ix, self.clock[ix], status=new)
        leads.save(ix, self.clock[ix], actor)
        if heat:
            warm = leads.rating[ix] < len(_RATINGS) - 1
            hot = ix[warm]
            leads.history.add(
                Saves(hot, self.clock[hot], actor[warm]),
                "Rating",
                "DynamicEnum",
                pick(_RATINGS, leads.rating[hot]),
                pick(_RATINGS, np.full(len(hot), 2)),
            )
            leads.put(hot, self.clock[hot], rating=same(2, hot))

    def _convert(self, ix: Ints) -> None:
        self._status(ix, CONVERTED)
        self.leads.put(ix, self.clock[ix], converted_at=self.clock[ix])
        self.leads.history.mark(Saves(ix, self.clock[ix], self._actor(ix)), "leadConverted")

    def _touch(self, ix: Ints, task_share: float, meeting_share: float) -> None:
        called = ix[self.dice.chance(len(ix), task_share)]
        met = ix[self.dice.chance(len(ix), meeting_share)]
        self.touches.task(self.clock[called], self._actor(called), {"Lead": called})
        self.touches.meeting(self.clock[met], self._actor(met), {"Lead": met})


def lead_table(
    world: World, leads: Leads, moves: Conversions, ids: dict[str, pl.Series], last_day: Ints
) -> pl.DataFrame:
    """Table Lead, as it stood when the CRM was stopped."""
    dice, org = world.dice("lead names"), world.org
    first, last = person_names(dice, leads.count)
    converted = leads.converted_at <= END
    return pl.DataFrame(
        {
            "Id": leads.ids,
            "IsDeleted": flag(leads.count),
            "Name": joined("{} {}", first, last),
            "FirstName": first,
            "LastName": last,
            "Company": leads.company,
            "Title": text("Buyer", leads.count),
            "Email": pl.select(
                pl.format("lead{}@example.org", pl.lit(pl.Series(np.arange(leads.count))))
            ).to_series(),
            "Country": pick(_COUNTRIES, leads.region),
            "Status": pick(LEAD_STATUSES, leads.status),
            "LeadSource": pick(SOURCES, leads.source),
            "Industry": pick(INDUSTRIES, leads.industry),
            "Rating": pick(_RATINGS, leads.rating),
            "NumberOfEmployees": pl.Series(dice.duration(leads.count, 120, 1.1).astype(np.int64) + 1),
            "OwnerId": org.owner_ids.gather(leads.owner),
            "RecordTypeId": org.record_type_ids.gather((leads.source > 1).astype(np.int64)),
            "CurrencyIsoCode": pick(CURRENCIES, leads.currency),
            "IsConverted": pl.Series(converted),
            "ConvertedDate": days(np.where(converted, leads.converted_at // DAY, NONE)),
            "ConvertedAccountId": pick(ids["Account"], moves.account),
            "ConvertedContactId": pick(ids["Contact"], moves.contact),
            "ConvertedOpportunityId": pick(ids["Opportunity"], moves.opportunity),
            "IsUnreadByOwner": pl.Series(leads.changed == leads.created),
            "LastActivityDate": days(last_day),
            "LastTransferDate": days(leads.transferred),
            **audit(org.user_ids, leads.created, leads.creator, leads.changed, leads.changer),
        }
    )

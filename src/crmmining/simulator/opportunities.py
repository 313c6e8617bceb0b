"""Opportunities: stages with advance, skip, regress, reopening; changing amounts, close dates and owners."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from crmmining.simulator.accounts import Accounts
from crmmining.simulator.arrays import DAY, END, HOUR, NEVER, NONE, Bools, Floats, Ints, whole
from crmmining.simulator.dice import Dice
from crmmining.simulator.history import History, Saves
from crmmining.simulator.ids import in_order_of, make_ids
from crmmining.simulator.leads import Leads
from crmmining.simulator.org import FIELD
from crmmining.simulator.picklists import CURRENCIES, LOST, NEGOTIATION, PROPOSAL, WON, money_scale
from crmmining.simulator.records import Records
from crmmining.simulator.touches import Touches
from crmmining.simulator.world import World

_PER_ACCOUNT: Final = 1.2
_ROUNDS: Final = 20
_STEP_HOURS: Final = 30.0
_SPREAD: Final = 0.8
_PRICED: Final = 2
"""From this stage on an amount is asked for."""
# Back, on, skip one, give up, stall.
_MOVES: Final = [0.07, 0.74, 0.09, 0.07, 0.03]
_STEPS: Final = np.array([-1, 1, 2, 0, 0], dtype=np.int64)
_GIVE_UP, _STALL = 3, 4


@dataclass
class Opportunities(Records):
    """Opportunities as columns; `saves` holds every snapshot after the first."""

    changing = ("owner", "stage", "amount", "close", "staged", "pushes", "changed", "changer")

    account: Ints
    contact: Ints
    lead: Ints
    created: Ints
    creator: Ints
    region: Ints
    owner: Ints
    currency: Ints
    source: Ints
    campaign: Ints
    existing: Ints
    stage: Ints
    amount: Ints
    last_amount: Ints = field(init=False)
    """The one an opportunity ends with, which decides whether it has lines."""
    close: Ints
    first_stage: Ints
    first_amount: Ints
    first_close: Ints
    staged: Ints
    pushes: Ints
    won_at: Ints
    history: History
    ids: pl.Series
    saves: pl.DataFrame
    quotes: pl.DataFrame
    approvals: pl.DataFrame

    def __post_init__(self) -> None:
        self.last_amount = self.amount
        super().__post_init__()

    def save(self, ix: Ints, at: Ints, actor: Ints) -> None:
        """Note who saved records, and when."""
        super().save(ix, at, actor)
        # At the very end the last call stands, although a quote may be older than the change of owner that
        # was called before it: a handful of stamps in ten thousand, kept so that the same seed gives the
        # same bytes as ever.
        self.changed[ix], self.changer[ix] = at, actor

    @property
    def count(self) -> int:
        """Number of opportunities."""
        return len(self.created)


def simulate_opportunities(world: World, leads: Leads, accounts: Accounts, touches: Touches) -> Opportunities:
    """Run every opportunity from its creation to a decision or the end of time."""
    dice = world.dice("opportunities")
    opportunities = _open(world, dice, leads, accounts)
    _Pipeline(world, dice, opportunities, touches).run()
    return opportunities


def _open(world: World, dice: Dice, leads: Leads, accounts: Accounts) -> Opportunities:
    org = world.org
    direct = max(1, round(_PER_ACCOUNT * world.accounts))
    account = dice.below(np.full(direct, accounts.count))
    region = accounts.region[account]
    created = org.calendar.within(
        accounts.created[account] + HOUR, np.full(direct, END), dice.uniform(direct), org.zone(FIELD, region)
    )
    in_time = (created > accounts.created[account]) & (created <= END)
    account, created = account[in_time], created[in_time]
    owner = accounts.owner[account]
    lead = np.flatnonzero(leads.converted_at <= END)
    lead = lead[accounts.lead_opens[lead] >= 0]

    account = np.concatenate([account, accounts.lead_account[lead]])
    contact = np.concatenate(
        [
            accounts.contact_of(account[: len(created)], dice.uniform(len(created))),
            accounts.lead_contact[lead],
        ]
    )
    creator = np.concatenate([owner, leads.owner[lead]])
    owner = np.concatenate([owner, accounts.lead_opens[lead]])
    own = len(created)
    created = np.concatenate([created, leads.converted_at[lead]])
    count = len(created)
    region = org.user_region[owner]
    currency = accounts.currency[account]
    unit = np.where(currency == CURRENCIES.index("JPY"), 10_000, 100)
    amount = np.maximum(whole(dice.duration(count, 18_000, 0.9) * money_scale(currency) / unit), 1) * unit
    amount = np.where(dice.chance(count, 0.06), NONE, amount)
    close = created // DAY + dice.between(count, 30, 150)
    born_won = dice.chance(count, 0.02) & (np.arange(count) < own)
    stage = np.where(born_won, WON, dice.choice(count, [0.75, 0.2, 0.05]))
    close = np.where(born_won, created // DAY, close)
    amount = np.where(born_won & (amount < 0), unit * 50, amount)

    history = History()
    history.mark(Saves(np.arange(own), created[:own], creator[:own]), "created")
    history.mark(Saves(np.arange(own, count), created[own:], creator[own:]), "opportunityCreatedFromLead")
    return Opportunities(
        until=world.until,
        account=account,
        contact=contact,
        lead=np.concatenate([np.full(own, NONE), lead]),
        created=created,
        creator=creator,
        region=region,
        owner=owner,
        currency=currency,
        source=np.concatenate([accounts.source[account[:own]], leads.source[lead]]),
        campaign=np.concatenate([np.full(own, NONE), leads.campaign[lead]]),
        existing=(accounts.created[account] < created - 180 * DAY).astype(np.int64),
        stage=stage,
        amount=amount,
        close=close,
        first_stage=stage.copy(),
        first_amount=amount.copy(),
        first_close=close.copy(),
        staged=np.full(count, NEVER),
        pushes=np.zeros(count, dtype=np.int64),
        changed=created.copy(),
        changer=creator.copy(),
        won_at=np.where(born_won, created, NEVER),
        history=history,
        ids=make_ids("Opportunity", in_order_of(created)),
        saves=pl.DataFrame(),
        quotes=pl.DataFrame(),
        approvals=pl.DataFrame(),
    )


class _Pipeline:
    """Moves the open opportunities round by round; each round is one stay in a stage."""

    def __init__(self, world: World, dice: Dice, opportunities: Opportunities, touches: Touches) -> None:
        self.org = world.org
        self.dice = dice
        self.all = opportunities
        self.touches = touches
        self.slowness = world.slowness(opportunities.region)
        self.zone = self.org.zone(FIELD, opportunities.region)
        self.clock = opportunities.created.copy()
        self.quoted = np.zeros(opportunities.count, dtype=bool)
        self.unit = np.where(opportunities.currency == CURRENCIES.index("JPY"), 10_000, 100)
        self.large = 40_000 * money_scale(opportunities.currency)
        self.saves: list[pl.DataFrame] = []
        self.quotes: list[pl.DataFrame] = []
        self.approvals: list[pl.DataFrame] = []

    def run(self) -> None:
        going = np.flatnonzero(self.all.stage < WON)
        for _ in range(_ROUNDS):
            going = self._stay(going)
        for name in ("saves", "quotes", "approvals"):
            setattr(self.all, name, pl.concat(getattr(self, name)))

    def _stay(self, ix: Ints) -> Ints:
        """Spend one stay in the stage, then move on; return those still to be worked on."""
        dice, all_ = self.dice, self.all
        closed = all_.stage[ix] == LOST
        hours = dice.duration(len(ix), _STEP_HOURS, _SPREAD) * self.slowness[ix] * np.where(closed, 3.0, 1.0)
        length = np.maximum(hours * HOUR, HOUR)
        begin = self.org.calendar.worked(self.clock[ix], self.zone[ix])

        def at(share: Floats) -> Ints:
            return self.org.calendar.instant(begin + whole(length * share), self.zone[ix])

        working = ~closed
        self._touches(ix, working, at)
        self._hand_over(ix, at(dice.uniform(len(ix)) * 0.1 + 0.3), working & dice.chance(len(ix), 0.03))
        self._quote(ix, at, working & (all_.stage[ix] >= PROPOSAL) & ~self.quoted[ix])
        unknown = (all_.amount[ix] < 0) & (all_.stage[ix] >= _PRICED)
        self._reprice(
            ix, at(dice.uniform(len(ix)) * 0.1 + 0.6), working & (unknown | dice.chance(len(ix), 0.1))
        )
        moved = at(dice.uniform(len(ix)) * 0.1 + 0.8)
        overdue = all_.close[ix] <= moved // DAY
        self._push(ix, moved, working & (overdue | dice.chance(len(ix), 0.06)) & dice.chance(len(ix), 0.85))
        self.clock[ix] = at(np.ones(len(ix)))
        return self._move(ix)

    def _move(self, ix: Ints) -> Ints:
        all_, dice = self.all, self.dice
        old = all_.stage[ix]
        closed = old == LOST
        move = dice.choice(len(ix), _MOVES)
        new = np.clip(old + _STEPS[move], 0, WON)
        new = np.where((new == WON) & (old < PROPOSAL), NEGOTIATION, new)
        new = np.where(move == _GIVE_UP, LOST, new)
        # A lost opportunity that is still looked at comes back to an early stage.
        new = np.where(closed, 1 + dice.choice(len(ix), [1, 1]), new)
        stalled = (move == _STALL) & ~closed
        on_time = self.clock[ix] <= END
        moved = on_time & (new != old) & ~stalled
        part, stage = ix[moved], new[moved]
        today = self.clock[part] // DAY
        expected = np.where(closed[moved], np.maximum(all_.close[part], today + 30), all_.close[part])
        close = np.where(stage >= WON, today, expected)
        amount = np.where((stage == WON) & (all_.amount[part] < 0), self.unit[part] * 80, all_.amount[part])
        all_.won_at[part] = np.where(stage == WON, self.clock[part], NEVER)
        self._save(part, self.clock[part], stage, amount, close)
        all_.put(part, self.clock[part], staged=self.clock[part])
        again = on_time & ~stalled & (new != WON) & ((new != LOST) | dice.chance(len(ix), 0.06))
        going: Ints = ix[again]
        return going

    def _save(self, ix: Ints, at: Ints, stage: Ints, amount: Ints, close: Ints) -> None:
        """The owner saves; what was there before stands beside what is there now."""
        all_ = self.all
        actor = all_.owner[ix]
        self.saves.append(
            pl.DataFrame(
                {
                    "record": ix,
                    "at": at,
                    "actor": actor,
                    "stage": stage,
                    "amount": amount,
                    "close": close,
                    "old_stage": all_.stage[ix],
                    "old_amount": all_.amount[ix],
                    "old_close": all_.close[ix],
                }
            ).cast({"record": pl.Int32, "actor": pl.Int32, "stage": pl.Int8, "old_stage": pl.Int8})
        )
        all_.put(ix, at, stage=stage, amount=amount, close=close)
        all_.save(ix, at, actor)

    def _hand_over(self, ix: Ints, at: Ints, mask: Bools) -> None:
        all_, org = self.all, self.org
        rep = org.member(FIELD, all_.region[ix], self.dice.uniform(len(ix)))
        mask = mask & (at <= END) & (rep != all_.owner[ix])
        ix, at, rep = ix[mask], at[mask], rep[mask]
        manager = org.manager(rep)
        all_.history.look_up(
            Saves(ix, at, manager), "Owner", all_.owner[ix], rep, names=org.owner_names, ids=org.owner_ids
        )
        all_.put(ix, at, owner=rep)
        all_.save(ix, at, manager)

    def _reprice(self, ix: Ints, at: Ints, mask: Bools) -> None:
        all_ = self.all
        factor = np.array([0.8, 0.9, 1.1, 1.3])[self.dice.choice(len(ix), [2, 3, 3, 2])]
        first = self.unit[ix] * (20 + self.dice.between(len(ix), 0, 300))
        new = np.maximum(whole(all_.amount[ix] * factor / self.unit[ix]), 1) * self.unit[ix]
        new = np.where(all_.amount[ix] < 0, first, new)
        mask = mask & (at <= END) & (new != all_.amount[ix])
        ix, at, new = ix[mask], at[mask], new[mask]
        self._save(ix, at, all_.stage[ix], new, all_.close[ix])

    def _push(self, ix: Ints, at: Ints, mask: Bools) -> None:
        all_ = self.all
        earlier = self.dice.chance(len(ix), 0.1)
        shift = np.where(earlier, -self.dice.between(len(ix), 3, 20), self.dice.between(len(ix), 10, 60))
        new = np.maximum(all_.close[ix] + shift, at // DAY + 3)
        mask = mask & (at <= END) & (new != all_.close[ix])
        ix, at, new = ix[mask], at[mask], new[mask]
        old_month, new_month = (
            day.astype("datetime64[D]").astype("datetime64[M]") for day in (all_.close[ix], new)
        )
        all_.put(ix, at, pushes=all_.pushes[ix] + (new_month > old_month))
        self._save(ix, at, all_.stage[ix], all_.amount[ix], new)

    def _quote(self, ix: Ints, at: Callable[[Floats], Ints], mask: Bools) -> None:
        """Quote once the proposal stage is reached: large deals are approved first, some quoted twice."""
        all_, count = self.all, len(ix)
        asked, decided, first, second = (at(np.full(count, share)) for share in (0.05, 0.12, 0.2, 0.5))
        mask = mask & self.dice.chance(count, 0.85)
        large = mask & (all_.amount[ix] > self.large[ix]) & (asked <= END)
        self.approvals.append(
            pl.DataFrame(
                {
                    "record": ix[large],
                    "asked": asked[large],
                    "decided": decided[large],
                    "asker": all_.owner[ix[large]],
                    "approved": self.dice.chance(int(large.sum()), 0.85),
                }
            )
        )
        revised = mask & self.dice.chance(count, 0.25)
        for nth, wanted, made in ((1, mask, first), (2, revised, second)):
            part = wanted & (made <= END)
            self.quotes.append(
                pl.DataFrame(
                    {
                        "record": ix[part],
                        "at": made[part],
                        "owner": all_.owner[ix[part]],
                        "nth": np.full(int(part.sum()), nth),
                        "amount": all_.amount[ix[part]],
                    }
                )
            )
            all_.save(ix[part], made[part], all_.owner[ix[part]])
        self.quoted[ix] |= mask

    def _touches(self, ix: Ints, mask: Bools, at: Callable[[Floats], Ints]) -> None:
        all_, dice = self.all, self.dice
        for share, meets in ((0.45, False), (0.2, False), (0.15, True)):
            when = at(dice.uniform(len(ix)) * 0.95 + 0.01)
            some = mask & dice.chance(len(ix), share)
            part = ix[some]
            (self.touches.meeting if meets else self.touches.task)(
                when[some],
                all_.owner[part],
                {"Opportunity": part, "Contact": all_.contact[part], "Account": all_.account[part]},
            )

"""Case management: queues, first response, pauses, escalation, closing, reopening."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import numpy as np
import polars as pl

from crmmining.simulator.accounts import Accounts
from crmmining.simulator.arrays import DAY, END, HOUR, MINUTE, NEVER, Bools, Floats, Ints, pick, whole
from crmmining.simulator.dice import Dice
from crmmining.simulator.effects import CHANGE_DATE, REWORK_PRODUCT
from crmmining.simulator.history import History, Saves
from crmmining.simulator.ids import in_order_of, make_ids
from crmmining.simulator.org import AUTOMATION, SUPPORT
from crmmining.simulator.picklists import CASE_STATUSES, CLOSED, ESCALATED, NEW, PRODUCTS, WAITING, WORKING
from crmmining.simulator.records import Records, same
from crmmining.simulator.touches import Touches
from crmmining.simulator.words import SUBJECTS
from crmmining.simulator.world import World

BASE_REOPENING: Final = 0.08
_REOPENING_AGAIN: Final = 0.2
ORIGINS: Final = ["Web", "Email", "Phone"]
PRIORITIES: Final = ["Low", "Medium", "High"]
SOLUTIONS: Final = 40
_PER_ACCOUNT: Final = 2.6
_PHONE: Final = 2
_CHANGE: Final = int(datetime.combine(CHANGE_DATE, datetime.min.time(), UTC).timestamp())
_RESPONSE_HOURS: Final = 5.0
QUEUED_SHARE: Final = 0.6  # of the time to the first response of what comes into a queue
_PAUSES: Final = [0.45, 0.35, 0.2]  # chances of none, one and two before the first closing
_PACE: Final = 2.6  # pauses begin 0.3 to 0.5 and end 0.7 to 0.9 of a step, of so many steps to the closing
PAUSED_SHARE: Final = round((_PAUSES[1] + 2 * _PAUSES[2]) * 0.4 / _PACE, 4)  # of the working time, expected
_RESOLUTION_HOURS: Final = 40.0


@dataclass
class Cases(Records):
    """Cases as columns, and what people did on them."""

    changing = (
        "owner",
        "priority",
        "status",
        "escalated",
        "responded_at",
        "first_closed_at",
        "closed_at",
        "stopped_at",
        "changed",
        "changer",
    )

    account: Ints
    contact: Ints
    created: Ints
    creator: Ints
    region: Ints
    owner: Ints
    agent: Ints
    product: Ints
    origin: Ints
    priority: Ints
    last_priority: Ints = field(init=False)
    """The one a case ends with: milestones are set by it and do not move."""
    subject: Ints
    status: Ints
    escalated: Bools
    born_closed: Bools
    responded_at: Ints
    first_closed_at: Ints
    closed_at: Ints
    stopped_at: Ints
    history: History
    ids: pl.Series
    mails: pl.DataFrame
    comments: pl.DataFrame
    solved: pl.DataFrame

    def __post_init__(self) -> None:
        self.last_priority = self.priority
        super().__post_init__()

    @property
    def count(self) -> int:
        """Number of cases."""
        return len(self.created)


def simulate_cases(world: World, accounts: Accounts, touches: Touches) -> Cases:
    """Run every case from its opening to its last closing or the end of time."""
    dice = world.dice("cases")
    cases = _open(world, dice, accounts)
    _Desk(world, dice, cases, touches).run()
    return cases


def _open(world: World, dice: Dice, accounts: Accounts) -> Cases:
    org = world.org
    count = max(1, round(_PER_ACCOUNT * world.accounts))
    account = dice.below(np.full(count, accounts.count))
    region = accounts.region[account]
    origin = dice.choice(count, [0.4, 0.35, 0.25])
    opened, end = accounts.created[account] + HOUR, np.full(count, END)
    share = dice.uniform(count)
    anytime = opened + (share * (end - opened)).astype(np.int64)
    in_hours = org.calendar.within(opened, end, share, org.zone(SUPPORT, region))
    created = np.where((origin == _PHONE) | dice.chance(count, 0.6), in_hours, anytime)
    kept = (created > accounts.created[account]) & (created <= END)
    account, region, origin, created = account[kept], region[kept], origin[kept], created[kept]
    count = len(created)
    agent = org.member(SUPPORT, region, dice.uniform(count))
    born_closed = (origin == _PHONE) & dice.chance(count, 0.06)
    direct = born_closed | dice.chance(count, 0.12)
    creator = np.where(origin == _PHONE, agent, AUTOMATION)
    history = History()
    history.mark(Saves(np.arange(count), created, creator), "created")
    return Cases(
        until=world.until,
        account=account,
        contact=accounts.contact_of(account, dice.uniform(count)),
        created=created,
        creator=creator,
        region=region,
        owner=np.where(direct, agent, org.queue(SUPPORT, region)),
        agent=agent,
        product=dice.choice(count, [1] * len(PRODUCTS)),
        origin=origin,
        priority=dice.choice(count, [0.3, 0.5, 0.2]),
        subject=dice.choice(count, [1] * len(SUBJECTS)),
        status=np.where(born_closed, CLOSED, NEW),
        escalated=np.zeros(count, dtype=bool),
        born_closed=born_closed,
        responded_at=np.where(born_closed, created, NEVER),
        first_closed_at=np.where(born_closed, created, NEVER),
        closed_at=np.where(born_closed, created, NEVER),
        stopped_at=np.full(count, NEVER),
        changed=created.copy(),
        changer=creator.copy(),
        history=history,
        ids=make_ids("Case", in_order_of(created)),
        mails=pl.DataFrame(),
        comments=pl.DataFrame(),
        solved=pl.DataFrame(),
    )


class _Desk:
    """Handles all cases step by step."""

    def __init__(self, world: World, dice: Dice, cases: Cases, touches: Touches) -> None:
        self.org = world.org
        self.dice = dice
        self.cases = cases
        self.touches = touches
        self.zone = self.org.zone(SUPPORT, cases.region)
        self.slowness = world.slowness(cases.region)
        self.faster = np.where(cases.created >= _CHANGE, world.effects.process_change, 1.0)
        self.rework = np.where(
            cases.product == PRODUCTS.index(REWORK_PRODUCT), world.effects.rework_product, 1.0
        )
        self.mails: list[pl.DataFrame] = []
        self.comments: list[pl.DataFrame] = []
        self.solved: list[pl.DataFrame] = []

    def run(self) -> None:
        cases, dice = self.cases, self.dice
        everyone = np.arange(cases.count)
        by_mail = everyone[cases.origin == ORIGINS.index("Email")]
        self._mail(by_mail, cases.created[by_mail], incoming=True)
        handled = everyone[~cases.born_closed & ~dice.chance(cases.count, 0.01)]
        answered = self._respond(handled)
        closed = self._resolve(answered, cases.responded_at, _RESOLUTION_HOURS, first=True)
        for share in (np.minimum(BASE_REOPENING * self.rework, 1.0), np.full(cases.count, _REOPENING_AGAIN)):
            again = closed[dice.chance(len(closed), share[closed])]
            reopened = self._reopen(again)
            closed = self._resolve(reopened, cases.changed, _RESOLUTION_HOURS / 3, first=False)
        for name in ("mails", "comments", "solved"):
            setattr(cases, name, pl.concat(getattr(self, name)))

    def _respond(self, ix: Ints) -> Ints:
        """Take the case from the queue, then answer: both scale with the response time, around the clock."""
        cases, dice, org = self.cases, self.dice, self.org
        wait = dice.duration(cases.count, _RESPONSE_HOURS * HOUR, 0.9) * self.slowness * self.faster
        wait = np.maximum(wait, 5 * MINUTE)[ix]
        taken_at = cases.created[ix] + whole(wait * QUEUED_SHARE)
        ix, wait, taken_at = ix[taken_at <= END], wait[taken_at <= END], taken_at[taken_at <= END]
        queued = cases.owner[ix] >= org.users
        accepted = dice.chance(len(ix), 0.6)
        for mark, taken in (("ownerAccepted", queued & accepted), ("Owner", queued & ~accepted)):
            part = ix[taken]
            cases.history.look_up(
                Saves(part, taken_at[taken], cases.agent[part]),
                mark,
                cases.owner[part],
                cases.agent[part],
                names=org.owner_names,
                ids=org.owner_ids,
            )
        cases.put(ix, taken_at, owner=cases.agent[ix])
        self._status(ix, taken_at, cases.agent[ix], WORKING)
        at = cases.created[ix] + whole(wait)
        ix, at = ix[at <= END], at[at <= END]
        cases.put(ix, at, responded_at=at)
        by_mail = dice.chance(len(ix), 0.7)
        self._mail(ix[by_mail], at[by_mail], incoming=False)
        self._comment(ix[~by_mail], at[~by_mail], public=True)
        return ix

    def _resolve(self, ix: Ints, since: Ints, median_hours: float, *, first: bool) -> Ints:
        """Work in the agent's hours, with pauses and escalation on the way, until the case is closed."""
        cases, dice = self.cases, self.dice
        length = dice.duration(len(ix), median_hours * HOUR, 0.7) * self.slowness[ix]
        length = np.maximum(length, HOUR)
        begin = self.org.calendar.worked(since[ix], self.zone[ix])

        def at(share: Floats | float) -> Ints:
            return self.org.calendar.instant(begin + whole(np.asarray(length * share)), self.zone[ix])

        if first:
            self._on_the_way(ix, at)
        pauses = dice.choice(len(ix), _PAUSES if first else [0.7, 0.3])
        for nth in range(2):
            begins = at((nth + 0.3 + 0.2 * dice.uniform(len(ix))) / _PACE)
            ends = at((nth + 0.7 + 0.2 * dice.uniform(len(ix))) / _PACE)
            self._pause(ix, begins, ends, pauses > nth)
        if first:
            self._escalate(ix, at(0.85), dice.chance(len(ix), 0.04 + 0.04 * cases.priority[ix]))
            self._solve(ix, at(0.97), dice.chance(len(ix), 0.3))
        closing = at(1.0)
        done = closing <= END
        closed, closing = ix[done], closing[done]
        self._status(closed, closing, cases.owner[closed], CLOSED)
        first_closing = np.minimum(cases.first_closed_at[closed], closing)
        cases.put(closed, closing, first_closed_at=first_closing, closed_at=closing)
        return closed

    def _on_the_way(self, ix: Ints, at: Callable[[Floats | float], Ints]) -> None:
        cases, dice, org = self.cases, self.dice, self.org
        when = at(0.04)
        part = dice.chance(len(ix), 0.1) & (when <= END)
        raised, moment = ix[part], when[part]
        new = (cases.priority[raised] + dice.between(len(raised), 1, 2)) % len(PRIORITIES)
        owner = cases.owner[raised]
        old_name, new_name = pick(PRIORITIES, cases.priority[raised]), pick(PRIORITIES, new)
        cases.history.add(Saves(raised, moment, owner), "Priority", "DynamicEnum", old_name, new_name)
        cases.put(raised, moment, priority=new)
        cases.save(raised, moment, owner)

        when = at(0.07)
        part = dice.chance(len(ix), 0.05) & (when <= END)
        self.cases.history.mark(Saves(ix[part], when[part], cases.owner[ix[part]]), "Description", "TextArea")
        cases.save(ix[part], when[part], cases.owner[ix[part]])

        when = at(0.09)
        part = dice.chance(len(ix), 0.25) & (when <= END)
        self._comment(ix[part], when[part], public=False)

        when = at(0.1)
        rep = org.member(SUPPORT, cases.region[ix], dice.uniform(len(ix)))
        part = dice.chance(len(ix), 0.1) & (when <= END) & (rep != cases.owner[ix])
        self._hand_over(ix[part], when[part], rep[part], "Owner")
        back = part & dice.chance(len(ix), 0.2)
        when = at(0.11)
        back &= when <= END
        self._hand_over(ix[back], when[back], cases.agent[ix[back]], "Owner")

        when = at(0.5 * dice.uniform(len(ix)) + 0.12)
        called = dice.chance(len(ix), 0.2) & (when <= END)
        self.touches.task(
            when[called],
            cases.owner[ix[called]],
            {"Case": ix[called], "Contact": cases.contact[ix[called]], "Account": cases.account[ix[called]]},
        )

    def _hand_over(self, ix: Ints, at: Ints, rep: Ints, field: str) -> None:
        cases, org = self.cases, self.org
        manager = org.manager(rep)
        actor = np.full(len(ix), AUTOMATION) if field == "ownerEscalated" else manager
        cases.history.look_up(
            Saves(ix, at, actor), field, cases.owner[ix], rep, names=org.owner_names, ids=org.owner_ids
        )
        cases.put(ix, at, owner=rep)
        cases.save(ix, at, actor)

    def _pause(self, ix: Ints, begins: Ints, ends: Ints, mask: Bools) -> None:
        cases = self.cases
        part = mask & (begins <= END)
        waiting, since = ix[part], begins[part]
        self._status(waiting, since, cases.owner[waiting], WAITING)
        self._mail(waiting, since, incoming=False)
        cases.put(waiting, since, stopped_at=since)
        part &= ends <= END
        back, at = ix[part], ends[part]
        self._mail(back, at, incoming=True)
        self._status(back, at, np.full(len(back), AUTOMATION), WORKING)
        cases.put(back, at, stopped_at=same(NEVER, back))

    def _escalate(self, ix: Ints, at: Ints, mask: Bools) -> None:
        cases = self.cases
        part = mask & (at <= END)
        ix, at = ix[part], at[part]
        system = np.full(len(ix), AUTOMATION)
        false, true = (pl.repeat(value, len(ix), eager=True) for value in ("false", "true"))
        cases.history.add(Saves(ix, at, system), "IsEscalated", "Boolean", false, true)
        cases.put(ix, at, escalated=np.ones(len(ix), dtype=bool))
        self._status(ix, at, system, ESCALATED)
        self._hand_over(ix, at, self.org.manager(cases.owner[ix]), "ownerEscalated")

    def _solve(self, ix: Ints, at: Ints, mask: Bools) -> None:
        part = mask & (at <= END)
        solution = self.dice.choice(int(part.sum()), [1] * SOLUTIONS)
        rows = {"record": ix[part], "at": at[part], "actor": self.cases.owner[ix[part]], "solution": solution}
        self.solved.append(pl.DataFrame(rows))

    def _reopen(self, ix: Ints) -> Ints:
        cases, dice = self.cases, self.dice
        at = cases.closed_at[ix] + whole(np.maximum(dice.duration(len(ix), 2 * DAY, 0.8), HOUR))
        ix, at = ix[at <= END], at[at <= END]
        self._mail(ix, at, incoming=True)
        self._status(ix, at, np.full(len(ix), AUTOMATION), WORKING)
        cases.put(ix, at, closed_at=same(NEVER, ix))
        return ix

    def _status(self, ix: Ints, at: Ints, actor: Ints, status: int) -> None:
        cases = self.cases
        old, new = pick(CASE_STATUSES, cases.status[ix]), pick(CASE_STATUSES, np.full(len(ix), status))
        cases.history.add(Saves(ix, at, actor), "Status", "DynamicEnum", old, new)
        cases.put(ix, at, status=same(status, ix))
        cases.save(ix, at, actor)

    def _mail(self, ix: Ints, at: Ints, *, incoming: bool) -> None:
        actor = np.full(len(ix), AUTOMATION) if incoming else self.cases.owner[ix]
        rows = pl.DataFrame({"record": ix, "at": at, "actor": actor})
        self.mails.append(rows.with_columns(incoming=pl.lit(incoming)))

    def _comment(self, ix: Ints, at: Ints, *, public: bool) -> None:
        rows = pl.DataFrame({"record": ix, "at": at, "actor": self.cases.owner[ix]})
        self.comments.append(rows.with_columns(public=pl.lit(public)))

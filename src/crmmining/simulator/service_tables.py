"""Tables of the case process: the record, milestones, entitlements, mails, comments, solutions."""

from typing import Final

import numpy as np
import polars as pl

from crmmining.simulator.accounts import Accounts
from crmmining.simulator.arrays import (
    DAY,
    END,
    HOUR,
    MINUTE,
    NEVER,
    NONE,
    Ints,
    count_by,
    days,
    moments,
    pick,
    plans,
)
from crmmining.simulator.cases import ORIGINS, PRIORITIES, SOLUTIONS, Cases
from crmmining.simulator.columns import audit, flag, joined, text
from crmmining.simulator.ids import in_order_of, make_ids, numbered
from crmmining.simulator.org import ADMINISTRATOR, RECORD_TYPES
from crmmining.simulator.picklists import (
    CASE_STATUSES,
    CLOSED,
    CURRENCIES,
    MILESTONES,
    PRODUCTS,
    WAITING,
    solutions,
)
from crmmining.simulator.words import SUBJECTS
from crmmining.simulator.world import World

_INCIDENT: Final = RECORD_TYPES.index(("Case", "Incident"))
_KINDS: Final = ["Problem", "Question"]
_REASONS: Final = ["Installation", "Performance", "Billing", "Usage"]
_RESPONSE_TARGET: Final = np.array([24, 12, 4], dtype=np.int64) * HOUR
_RESOLUTION_TARGET: Final = np.array([20, 12, 7], dtype=np.int64) * DAY
_LEVELS: Final = ["Gold", "Silver"]
_TERM: Final = 3 * 365 * DAY


def entitlement_table(world: World, accounts: Accounts) -> tuple[pl.DataFrame, Ints]:
    """Table Entitlement; also the entitlement number of each account, NONE without one."""
    dice, users = world.dice("entitlements"), world.org.user_ids
    entitled = np.flatnonzero(dice.chance(accounts.count, 0.7))
    created = np.minimum(accounts.created[entitled] + 10 * MINUTE, END)
    count = len(entitled)
    level = dice.choice(count, [0.3, 0.7])
    administrator = np.full(count, ADMINISTRATOR)
    table = pl.DataFrame(
        {
            "Id": make_ids("Entitlement", in_order_of(created)),
            "IsDeleted": flag(count),
            "Name": joined("{} Support", pick(_LEVELS, level)),
            "AccountId": accounts.ids.gather(entitled),
            "Type": pick(["Phone Support", "Web Support"], level),
            "Status": pick(["Active", "Expired"], (created + _TERM <= world.until).astype(np.int64)),
            "StartDate": days(created // DAY),
            "EndDate": days((created + _TERM) // DAY),
            "BusinessHoursId": numbered("BusinessHours", 2).gather(np.zeros(count, dtype=np.int64)),
            "IsPerIncident": flag(count),
            **audit(users, created, administrator, created, administrator),
        }
    )
    number = np.full(accounts.count, NONE, dtype=np.int64)
    number[entitled] = np.arange(count)
    return table, number


def case_table(world: World, cases: Cases, accounts: Accounts, entitlement: pl.Series) -> pl.DataFrame:
    """Table Case, as it stood when the CRM was stopped."""
    dice, org, count = world.dice("case details"), world.org, cases.count
    kind = dice.choice(count, [0.6, 0.4])
    closed = cases.status == CLOSED
    entitled = entitlement.is_not_null().to_numpy()
    violated, open_violation = _violations(cases, world.until)
    standing = np.where(open_violation, 1, np.where(violated, 2, 0))
    return pl.DataFrame(
        {
            "Id": cases.ids,
            "IsDeleted": flag(count),
            "CaseNumber": pl.Series(in_order_of(cases.created) + 1001).cast(pl.String).str.zfill(8),
            "Subject": pick(SUBJECTS, cases.subject),
            "Status": pick(CASE_STATUSES, cases.status),
            "IsClosed": pl.Series(closed),
            "ClosedDate": moments(cases.closed_at),
            "IsClosedOnCreate": pl.Series(cases.born_closed),
            "IsEscalated": pl.Series(cases.escalated),
            "Priority": pick(PRIORITIES, cases.priority),
            "Origin": pick(ORIGINS, cases.origin),
            "Reason": pick(_REASONS, dice.choice(count, [1, 1, 1, 1])),
            "Type": pick(_KINDS, kind),
            "OwnerId": org.owner_ids.gather(cases.owner),
            "AccountId": accounts.ids.gather(cases.account),
            "ContactId": accounts.contact_ids.gather(cases.contact),
            "ProductId": numbered("Product2", len(PRODUCTS)).gather(cases.product),
            "EntitlementId": entitlement,
            "BusinessHoursId": numbered("BusinessHours", 2).gather(np.zeros(count, dtype=np.int64)),
            "SlaStartDate": moments(np.where(entitled, cases.created, NEVER)),
            "SlaExitDate": moments(np.where(entitled, cases.closed_at, NEVER)),
            "IsStopped": pl.Series(cases.status == WAITING),
            "StopStartDate": moments(np.where(cases.status == WAITING, cases.stopped_at, NEVER)),
            "MilestoneStatus": pick(
                ["Compliant", "Open Violation", "Closed Violation"], np.where(entitled, standing, NONE)
            ),
            "RecordTypeId": org.record_type_ids.gather(_INCIDENT + kind),
            "CurrencyIsoCode": pick(CURRENCIES, accounts.currency[cases.account]),
            **audit(org.user_ids, cases.created, cases.creator, cases.changed, cases.changer),
        }
    )


def _targets(cases: Cases) -> tuple[Ints, Ints]:
    """Targets of the first response and of the resolution, which follow the last priority of a case."""
    priority = cases.last_priority
    return cases.created + _RESPONSE_TARGET[priority], cases.created + _RESOLUTION_TARGET[priority]


def _violations(cases: Cases, until: int) -> tuple[np.ndarray, np.ndarray]:
    """Tell which cases missed a target, and which miss one that is still open."""
    response, resolution = _targets(cases)
    missed = [
        np.minimum(done, until) > target
        for done, target in ((cases.responded_at, response), (cases.first_closed_at, resolution))
    ]
    pending = [done > until for done in (cases.responded_at, cases.first_closed_at)]
    return missed[0] | missed[1], (missed[0] & pending[0]) | (missed[1] & pending[1])


def milestone_table(world: World, cases: Cases, entitlement: pl.Series) -> pl.DataFrame:
    """Table CaseMilestone of entitled cases; whether a target is missed is told as of the stop."""
    entitled = np.flatnonzero(entitlement.is_not_null().to_numpy())
    response, resolution = _targets(cases)
    record = np.concatenate([entitled, entitled])
    kind = np.repeat(np.arange(len(MILESTONES)), len(entitled))
    start = cases.created[record]
    target = np.where(kind == 0, response[record], resolution[record])
    done = np.where(kind == 0, cases.responded_at[record], cases.first_closed_at[record])
    completed = done <= world.until
    users = world.org.user_ids
    creator = np.zeros(len(record), dtype=np.int64)
    minutes = (target - start) // MINUTE
    elapsed = np.where(completed, (done - start) // MINUTE, NONE)
    return pl.DataFrame(
        {
            "Id": make_ids("CaseMilestone", in_order_of(start)),
            "IsDeleted": flag(len(record)),
            "CaseId": cases.ids.gather(record),
            "MilestoneTypeId": numbered("MilestoneType", len(MILESTONES)).gather(kind),
            "BusinessHoursId": numbered("BusinessHours", 2).gather(creator),
            "StartDate": moments(start),
            "TargetDate": plans(target),
            "CompletionDate": moments(done),
            "IsCompleted": pl.Series(completed),
            "IsViolated": pl.Series(np.minimum(done, world.until) > target),
            "TargetResponseInMins": pl.Series(minutes),
            "ElapsedTimeInMins": pl.Series(elapsed).replace(NONE, None),
            **audit(users, start, creator, np.where(completed, done, start), creator),
        }
    )


def mail_table(world: World, cases: Cases) -> pl.DataFrame:
    """Table EmailMessage; an incoming mail carries the sender's clock, some seconds off."""
    dice, rows, users = world.dice("mails"), cases.mails, world.org.user_ids
    record, at, actor = (rows[name].to_numpy() for name in ("record", "at", "actor"))
    incoming = rows["incoming"].to_numpy()
    sent = np.where(incoming, at - dice.between(len(at), 0, 90), at)
    customer = joined("contact{}@example.org", pl.Series(cases.contact[record]))
    desk = text("support@example.com", len(record))
    both = pl.DataFrame({"incoming": rows["incoming"], "customer": customer, "desk": desk})
    return pl.DataFrame(
        {
            "Id": make_ids("EmailMessage", in_order_of(at)),
            "IsDeleted": flag(len(record)),
            "ParentId": cases.ids.gather(record),
            "RelatedToId": cases.ids.gather(record),
            "Incoming": rows["incoming"],
            "Status": pick(["3", "1"], incoming.astype(np.int64)),
            "MessageDate": moments(sent),
            "FromAddress": both.select(pl.when("incoming").then("customer").otherwise("desk")).to_series(),
            "ToAddress": both.select(pl.when("incoming").then("desk").otherwise("customer")).to_series(),
            "Subject": pick(SUBJECTS, cases.subject[record]),
            "HasAttachment": flag(len(record)),
            "IsBounced": flag(len(record)),
            **audit(users, at, actor, at, actor),
        }
    )


def comment_table(world: World, cases: Cases) -> pl.DataFrame:
    """Table CaseComment: public ones are answers, the others internal notes."""
    rows, users = cases.comments, world.org.user_ids
    record, at, actor = (rows[name].to_numpy() for name in ("record", "at", "actor"))
    return pl.DataFrame(
        {
            "Id": make_ids("CaseComment", in_order_of(at)),
            "IsDeleted": flag(len(record)),
            "ParentId": cases.ids.gather(record),
            "IsPublished": rows["public"],
            "CommentBody": pick(
                ['Note: see "log", line 7\nasked second level', "We are looking into it, thank you."],
                rows["public"].cast(pl.Int64).to_numpy(),
            ),
            **audit(users, at, actor, at, actor),
        }
    )


def solution_tables(world: World, cases: Cases) -> dict[str, pl.DataFrame]:
    """Tables CaseSolution and Solution."""
    rows, users = cases.solved, world.org.user_ids
    record, at, actor, solution = (rows[name].to_numpy() for name in ("record", "at", "actor", "solution"))
    attached = pl.DataFrame(
        {
            "Id": make_ids("CaseSolution", in_order_of(at)),
            "IsDeleted": flag(len(record)),
            "CaseId": cases.ids.gather(record),
            "SolutionId": numbered("Solution", SOLUTIONS).gather(solution),
            "CreatedById": users.gather(actor),
            "CreatedDate": moments(at),
            "SystemModstamp": moments(at),
        }
    )
    used = count_by(solution[at <= world.until], SOLUTIONS)
    return {"CaseSolution": attached, "Solution": solutions(users, used)}

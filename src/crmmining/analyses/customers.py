"""Quick and slow customers: accounts by how much of the waiting was theirs, as far as their cases can say."""

from functools import partial
from typing import Literal, get_args

import polars as pl

from crmmining.analyses.shrinkage import shrunk
from crmmining.definitions.waiting import RESPONSIBILITIES, Responsibility
from crmmining.errors import CrmMiningError, UnknownNameError
from crmmining.eventlog import EventLog
from crmmining.eventlog import waiting as turns

Clock = Literal["calendar", "business"]

_THEIRS: tuple[Responsibility, ...] = ("with_customer",)
_OURS: tuple[Responsibility, ...] = ("in_queue", "untouched", "touched")
_UNKNOWN: tuple[Responsibility, ...] = ("unknown",)
_GUESSES = ("shrunk", "low", "high", "overall", "distinct")


def customers(log: EventLog, *, clock: Clock = "calendar") -> pl.DataFrame:
    """Accounts by their own share in waiting, slowest first, with what each one's cases can tell.

    A case waits for its customer (`with_customer`, see `waiting`) or for us (in a queue, or with an owner);
    its share is the customer's part of both. What was on hold, resolved or closed is on neither side. `clock`
    says whether all time counts or only that in opening hours. Cases count (cases) when they are closed:
    those still `open` have no final share, and `excluded` are closed ones that waited for nobody, or whose
    history is not known in full. The three are all cases of the account.

    Columns: account_id, account (where there are such attributes), cases, open, excluded (Int64), their_wait,
    our_wait (Duration in milliseconds: totals of the cases counted), share (mean of its cases' shares, each
    case counting alike), shrunk, low, high, overall, distinct (see `shrunk` in this room: the estimate is
    pulled towards `overall` the more, the fewer cases there are; `distinct` accounts are those whose 95 %
    interval leaves out `overall`), rank (of shrunk, 1 is the slowest; equals share the better rank). By rank
    and account; accounts without a case that counts come behind, and a row of nulls for cases without an
    account last, which is no account and ranks nowhere.

    From few cases nobody can tell how much cases of one account differ: shrunk, low, high, overall, distinct
    and rank are null for all accounts where fewer than four have cases that count, where there are fewer than
    30 such cases beyond the first of each account, and where all cases of every account have one share. An
    account without a case that counts has nulls in any case, and no share.

    Raises `CrmMiningError` for a process without a table [waiting], one that states no status in which a case
    waits for its customer (leads and opportunities as shipped), or one without accounts, and for business
    time without calendars.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> found = analyses.customers(cm.connect("data/sample").event_log("case"))
    >>> found.select("cases", "open", "excluded").sum().row(0), found["distinct"].sum()
    ((392, 15, 9), 0)
    """
    stated = turns.stated(log.process)
    if not stated.with_customer:
        raise CrmMiningError(
            f"process '{log.process.name}' does not say when a case waits for its customer: state the values "
            f"of '{stated.attribute}' that mean it in the table [waiting] of an overlay, such as "
            'with_customer = ["Waiting on Customer"]'
        )
    if clock not in get_args(Clock):
        raise UnknownNameError("clock", clock, get_args(Clock))
    if clock == "business" and log.calendars is None:
        raise CrmMiningError(
            "there is no business time: the source has no BusinessHours, and no calendars are stated"
        )
    names: list[str] = [name for name in ("account_id", "account") if name in log.blank.only.cases.columns]
    if not names:
        raise CrmMiningError(f"cases of process '{log.process.name}' have no account, so no customer")
    per_case = pl.concat(log.each(partial(_per_case, names=names, clock=clock)))
    key = names[0]
    fates = per_case.group_by(key).agg(
        pl.col(names[1:]).max(),  # one name of several
        pl.col("cases", "open", "excluded").cast(pl.Int64).sum(),
        pl.col("theirs", "ours").filter("cases").cast(pl.Int128).sum(),
    )
    counted = per_case.filter("cases", pl.col(key).is_not_null())
    share = pl.col("theirs").cast(pl.Float64) / (pl.col("theirs") + pl.col("ours")).cast(pl.Float64)
    estimates = shrunk(counted.select(group=key, share=share, weight=pl.lit(1.0)))
    found = fates.join(estimates.rename({"group": key}).drop("n"), on=key, how="left")
    rank = pl.col("shrunk").rank("min", descending=True).cast(pl.Int64)
    ranked = found.with_columns(rank=rank).sort(
        pl.col(key).is_null(), "rank", pl.col("cases") == 0, key, nulls_last=True
    )
    waits = (_duration(side).alias(name) for side, name in (("theirs", "their_wait"), ("ours", "our_wait")))
    return ranked.select(*names, "cases", "open", "excluded", *waits, "share", *_GUESSES, "rank")


def _per_case(log: EventLog, names: list[str], clock: Clock) -> pl.DataFrame:
    """Per case of a partition: whose it is, how it counts, and how long it waited for whom (microseconds)."""
    spent = turns.waits(log)
    time = "elapsed" if clock == "calendar" else "in_hours"
    asked = {"theirs": (time, _THEIRS), "ours": (time, _OURS), "unknown": ("elapsed", _UNKNOWN)}
    sides = {}
    for side, (spans, words) in asked.items():
        turn = pl.col("responsibility").is_in([RESPONSIBILITIES.index(word) for word in words])
        sides[side] = pl.col(spans).filter(turn).sum()
    of_case = spent.group_by("case_ix").agg(**sides)
    cases = log.only.of_cases("case_ix", "open", *names).join(
        of_case, on="case_ix", how="left", maintain_order="left"
    )
    told = (pl.col("unknown") == 0) & (pl.col("theirs") + pl.col("ours") > 0)
    counted = ~pl.col("open") & told.fill_null(value=False)
    return cases.select(*names, "open", "theirs", "ours", cases=counted, excluded=~pl.col("open") & ~counted)


def _duration(microseconds: str) -> pl.Expr:
    return (pl.col(microseconds) // 1000).cast(pl.Int64).cast(pl.Duration("ms"))

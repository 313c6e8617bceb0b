"""Backlog: what came in, came back and was completed in every period, and how old what is open is."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import polars as pl

from crmmining import summaries
from crmmining.analyses.cutting import cut_of, withheld
from crmmining.definitions.segments import OUTCOME
from crmmining.errors import CrmMiningError
from crmmining.eventlog import EventLog
from crmmining.kernels.merge import add
from crmmining.kernels.traces import first_of_run
from crmmining.measure import tallies
from crmmining.periods import Period

_FLOWS = ("arrivals", "reopened", "completed", "backlog")
_AGES = ("age", "business_age", "since_touch")


def backlog(
    log: EventLog,
    *,
    period: Period = "day",
    by: Sequence[str] = (),
    time_zone: str = "UTC",
    fiscal_year_start: int = 1,
) -> pl.DataFrame:
    """What came in, came back and was completed in every period, and what was open at its end.

    Columns: period_start (Date), `by`, arrivals (cases that opened for the first time), reopened (that opened
    again), completed (that closed; a case closed twice counts twice), backlog (open at the end of the period,
    of the last one at as_of), all Int64, sorted by period and `by`. In every cell backlog is that of the
    period before + arrivals + reopened - completed. Every period from the first arrival to as_of has a row,
    zeros included. Closing a closed case and reopening an open one move nothing; a case whose creation is no
    event opens with its first event. Segments are as they are now, `word@milestone` as then, so that no case
    moves between cells. Raises `UnknownNameError` for unknown words.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> days = analyses.backlog(cm.connect("data/sample").event_log("case"), period="year")
    >>> days.select("arrivals", "reopened", "completed", "backlog").rows()
    [(67, 4, 67, 4), (124, 15, 133, 10), (225, 25, 245, 15)]
    """
    cut = cut_of(log, by, period, time_zone=time_zone, fiscal_year_start=fiscal_year_start)

    def tallied(part: EventLog) -> pl.DataFrame:
        moves = tallies.moves(part, cut)
        opens, first = pl.col("change") == 1, pl.col("first")
        firsts = pl.Series("first", first_of_run(moves["case_ix"].to_numpy()), dtype=pl.Boolean)
        counts = {"arrivals": opens & first, "reopened": opens & ~first, "completed": ~opens}
        flows = [flag.cast(pl.Int64).sum().alias(name) for name, flag in counts.items()]
        return (
            moves.with_columns(firsts).group_by(cut.keys).agg(*flows, pl.col("change").sum().alias("backlog"))
        )

    found = tallies.every_period(add(log.each(tallied), cut.keys), cut, log.as_of)
    _, *segments = cut.keys
    running = pl.col("backlog").cum_sum()
    found = cut.named(found.with_columns(running.over(segments) if segments else running))
    cells = ["period_start", *cut.by]
    return withheld(log, found.sort(cells, nulls_last=True), cells, pl.min_horizontal(_FLOWS))


def ageing(
    log: EventLog,
    *,
    by: Sequence[str] = (),
    buckets: Sequence[int] = (1, 3, 7, 14, 30, 90),
    touches: str = "touches",
) -> pl.DataFrame:
    """How old the open cases are as of the log's moment, and how long nobody has touched them.

    `buckets` are the days of 24 hours at which a new bucket begins. Columns: `by`, from_days and to_days
    (Int64; an age is at least the first and below the second, which is null in the last bucket), n (open
    cases), untouched (without an event of the activity set `touches`), and medians (Duration; null without
    any): age since creation, business_age, what of it lies in the opening hours that hold for the case at its
    creation (null where the log has no calendars), and since_touch, the time since the last touch of those
    that have one. Every bucket has a row in every cell, sorted by `by` and from_days. A reopened case is as
    old as its creation. Raises `CrmMiningError` for buckets that do not rise from 1 on, `UnknownNameError`
    for unknown words.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> found = analyses.ageing(cm.connect("data/sample").event_log("case"), buckets=[7, 30])
    >>> found.select("from_days", "to_days", "n").rows()
    [(0, 7, 3), (7, 30, 4), (30, None, 8)]
    """
    edges = [0, *buckets]
    whole = all(isinstance(edge, int) for edge in edges)
    if not buckets or not whole or any(high <= low for low, high in pairwise(edges)):
        raise CrmMiningError(
            f"buckets is {list(buckets)}, but must be whole numbers of days that rise from 1 on"
        )
    cut = cut_of(log, by)
    codes = log.process.codes(log.process.activity_set(touches), log.activities)
    keys = [*cut.keys, "from_days"]

    def tallied(part: EventLog) -> list[summaries.Tally]:
        events = part.only.among(codes, "case_ix", "occurred_at")
        last = events.group_by("case_ix").agg(touched_at=pl.col("occurred_at").max())
        cases = part.only.of_cases("case_ix", "open", "created_at").with_columns(*cut.segments(part))
        if part.calendars is None:
            business: pl.Series | pl.Expr = pl.lit(None, pl.Int64)
        else:
            business = part.spans("created", OUTCOME, part.clocks)[summaries.seconds("business")]
        cases = cases.with_columns(business_age=business, truncated=False)
        cases = cases.join(last, on="case_ix", how="left", maintain_order="left").filter("open")
        now = pl.lit(part.as_of, pl.Datetime("us", "UTC"))
        age = now - pl.col("created_at")
        steps = [
            pl.when(age >= timedelta(days=high)).then(high - low).otherwise(0)
            for low, high in pairwise(edges)
        ]
        cases = cases.with_columns(
            from_days=pl.sum_horizontal(steps).cast(pl.Int64),
            age=age.dt.total_seconds(),
            since_touch=(now - pl.col("touched_at")).dt.total_seconds(),
        )
        who = summaries.members(pl.col("open"), ~pl.col("open"), whole_only=False)
        never = pl.col("touched_at").is_null()
        return [summaries.tally(cases, keys, who, hit=never, value=pl.col(name)) for name in _AGES]

    parts = list(log.each(tallied))
    added = {name: summaries.add((part[at] for part in parts), keys) for at, name in enumerate(_AGES)}
    counts = added["age"].counts
    found = pl.DataFrame(
        {"from_days": edges, "to_days": [*buckets, None]}, schema_overrides={"to_days": pl.Int64}
    )
    if cut.keys:
        found = counts.select(cut.keys).unique().join(found, how="cross")
    tables = [counts.select(*keys, "n", untouched="hits")]
    tables += [
        summaries.with_values(one, keys, "median").select(*keys, _duration("median").alias(name))
        for name, one in added.items()
    ]
    for table in tables:
        found = found.join(table, on=keys, how="left", nulls_equal=True)
    found = found.with_columns(pl.col("n", "untouched").fill_null(0))
    found = cut.named(found).sort(*cut.by, "from_days", nulls_last=True)
    return withheld(log, found, [*cut.by, "from_days", "to_days"])


def _duration(seconds: str) -> pl.Expr:
    """Seconds as a Duration of whole seconds."""
    return (pl.col(seconds).round().cast(pl.Int64) * 1_000_000).cast(pl.Duration("us"))

"""Role models: what cases of one age have in common that are soon resolved, and right the first time."""

import re
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import NamedTuple

import polars as pl

from crmmining import summaries
from crmmining.definitions import Process
from crmmining.definitions.segments import EVENT
from crmmining.errors import CrmMiningError, UnknownNameError
from crmmining.eventlog import EventLog
from crmmining.kernels import milestones
from crmmining.kernels.merge import Sum

Span = str | timedelta

_MANY = 2
# Which answer was the first is known in the end only: one that a milestone tells (by the row that tells its
# completion) gives way to any real answer later on, so "responded by the landmark" would tell what came after
# it. `replied` counts answers, whichever was first, but not that of a milestone.
_RETOLD = "responded"
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_COUNTS = ("n", "open", "excluded", "hits")
_TABLE = (
    *("trait", "value", "values", "n", "open", "excluded", "hits", "share", "share_low", "share_high"),
    *("peers_n", "peers_share", "difference", "low", "high"),
)


class _Question(NamedTuple):
    landmark: timedelta
    within: timedelta
    follow_up: timedelta
    goal: str
    attributes: tuple[str, ...]
    behaviours: tuple[str, ...]


def role_models(
    log: EventLog,
    *,
    landmark: Span = "1d",
    within: Span = "7d",
    follow_up: Span = "14d",
    goal: str | None = None,
    fixed: Sequence[str] = (),
    least: int = 20,
) -> pl.DataFrame:
    """Groups of cases by what was known of them at one age, and how many of each were soon resolved for good.

    Compared are cases that reached the age `landmark` without ever having been closed. Such a case is a hit
    when its first end is `goal` (a milestone; null: the first of the process's ends), not later than `within`
    after the landmark, and it was not reopened in the `follow_up` after that. Only cases count (n) whose time
    for all of this has passed by as_of, decided or not; younger ones are `open`. Spans are texts such as 6h,
    1d, 2w, or timedeltas.

    Traits are what a case was and what had happened to it by the landmark, nothing later: segment words whose
    attributes have a history (other attributes are known as of now only, and left out unless named in
    `fixed`: then they are taken for what they were all along), and how often each milestone was passed, by
    events that had happened and were recorded by then: 0, 1, "2 or more", or 0, "1 or more" where one of the
    three is too rare. `responded` is none of them, and no other counts a first response that only a completed
    milestone tells: it stands as long as no real answer comes later. Whoever wants an attribute without
    history vouches for it. What was done to a record that was merged into the case counts as the case's from
    when it was done, even where the merge came after the landmark: a log does not tell of which record an
    event was.

    Columns: trait, value (null: not filled, or several), values (how many the row stands for), n, open,
    excluded, hits, share of n with its 95 % interval (share_low, share_high: Wilson), peers_n and peers_share
    (all other cases compared), difference of the shares and its 95 % interval (low, high: Newcombe's hybrid
    score). Values of fewer than `least` cases (and than the log's minimum group) stand in one row; with it,
    if that is still too small, the next smaller value. A trait that all cases share has no row. The first
    row, without a trait, is all cases: n + open + excluded of it are the cases of the log; excluded are those
    ended before the landmark and truncated ones.

    Next come the rows whose interval lies farthest from 0, or reaches least beyond it; ties: larger n, then
    trait and value. These are comparisons and no more: of twenty rows that mean nothing one interval leaves
    out 0 by chance, and a trait may go with another one that matters.

    Raises `UnknownNameError` for an unknown word, `CrmMiningError` for a span that is none and for a process
    that no case ends.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> log = cm.connect("data/sample").event_log("case")
    >>> first, *rows = analyses.role_models(log, fixed=["product"]).select("trait", "n", "open").rows()
    >>> first
    (None, 386, 18)
    """
    process = log.process
    asked = _Question(
        landmark=_span("landmark", landmark),
        within=_span("within", within),
        follow_up=_span("follow_up", follow_up),
        goal=_goal(process, goal),
        attributes=_attributes(log, fixed),
        behaviours=tuple(
            sorted(set(process.milestones) - {"created", _RETOLD, *process.ends, *process.reopens})
        ),
    )
    counts = Sum(["trait", "value"])
    for tally in log.each(partial(_tally, asked=asked)):
        counts.put(tally)
    bound = max(least, log.minimum_group or 0)
    known = counts.tally.with_columns(values=pl.when(pl.col("trait").is_not_null()).then(pl.lit(1, pl.Int64)))
    every = known.filter(pl.col("trait").is_null())
    told = _told_apart(known.filter(pl.col("trait").is_not_null()), asked.behaviours, bound)
    groups = _pooled(told, bound)
    total = every.select(all_n="n", all_hits="hits")
    compared = groups.join(total, how="cross").filter(pl.col("n") < pl.col("all_n"))
    rows = _with_peers(pl.concat([every.join(total, how="cross"), compared]))
    evidence = pl.max_horizontal("low", -pl.col("high"))
    order = [pl.col("trait").is_not_null(), -evidence, -pl.col("n"), "trait", "value"]
    return rows.sort(order, nulls_last=True).select(_TABLE)


def _goal(process: Process, goal: str | None) -> str:
    if not process.ends:
        raise CrmMiningError(f"process '{process.name}' has no ends: no case of it is ever resolved")
    if goal is not None and goal not in process.ends:
        raise UnknownNameError("end", goal, process.ends)
    return goal or process.ends[0]


def _attributes(log: EventLog, fixed: Sequence[str]) -> tuple[str, ...]:
    """The segment words whose attributes have a history, and those that are vouched for."""
    vouched = [fixed] if isinstance(fixed, str) else list(fixed)
    for word in vouched:
        if word not in log.process.segments:
            raise UnknownNameError("segment", word, log.process.segments)
    told = [word for word in log.process.segments if log.segment(word, EVENT).basis == EVENT]
    return tuple(sorted({*told, *vouched}))


def _span(name: str, span: Span) -> timedelta:
    if isinstance(span, timedelta):
        found = span
    else:
        read = re.fullmatch(r"(\d+)([mhdw])", span)
        if read is None:
            raise CrmMiningError(f"{name} is '{span}', but must be a span such as 30m, 6h, 1d or 2w")
        found = timedelta(**{_UNITS[read[2]]: int(read[1])})
    if found <= timedelta(0):
        raise CrmMiningError(f"{name} is {found}, but must be longer than nothing")
    return found


def _tally(log: EventLog, asked: _Question) -> pl.DataFrame:
    """What one partition counts: trait, value, n, open, excluded, hits; without a trait all its cases."""
    ends = [code for word in log.process.ends for code in log.codes(word)]
    reopens = [code for word in log.process.reopens for code in log.codes(word)]
    words = {"goal": log.codes(asked.goal), "end": ends, "reopen": reopens}
    events = _lasting(log)
    passed = milestones.instants(events, words)
    cases = (
        log.instants("created")
        .with_columns(
            log.only.of_cases("truncated").to_series().fill_null(value=False),
            at=pl.col("at") + asked.landmark,
        )
        .join(passed, on="case_ix", how="left", maintain_order="left")
    )
    by = pl.col("goal_at")
    decided = pl.col("at") + asked.within + asked.follow_up <= log.as_of
    ended = pl.min_horizontal("end_at", "reopen_at") <= pl.min_horizontal("at", pl.lit(log.as_of))
    excluded = pl.col("truncated") | pl.col("at").is_null() | ended.fill_null(value=False)
    right = (by == pl.col("end_at")) & (by <= pl.col("at") + asked.within)
    again = (pl.col("reopen_at") <= by + asked.follow_up).fill_null(value=False)
    counted = ~excluded & decided
    fates = cases.select(
        "case_ix",
        "at",
        reached=~excluded & (pl.col("at") <= log.as_of),
        n=counted,
        open=~excluded & ~decided,
        excluded=excluded,
        hits=counted & right.fill_null(value=False) & ~again,
    )
    whole = fates.select(pl.col(_COUNTS).cast(pl.Int64).sum())
    nothing = pl.lit(None, pl.String)
    rows = [whole.select(nothing.alias("trait"), nothing.alias("value"), *_COUNTS)]
    known = fates.filter("reached")
    for trait in _traits(log, events, known, asked):
        each = known.select(trait.alias("value"), *_COUNTS)
        tally = each.group_by("value").agg(pl.col(_COUNTS).cast(pl.Int64).sum())
        rows.append(tally.select(pl.lit(trait.name).alias("trait"), "value", *_COUNTS))
    return pl.concat(rows)


def _lasting(log: EventLog) -> pl.DataFrame:
    """The events of a partition, less first responses whose row tells something else: they may not last."""
    columns = ("case_ix", "activity", "occurred_at", "recorded_at")
    if _RETOLD not in log.process.milestones:
        return log.only.columns(*columns)
    events = log.only.columns(*columns, "source_id").with_row_index("row")
    first = pl.col("activity").is_in(log.codes(_RETOLD))
    again = events.filter(first).join(events.filter(~first), on=["case_ix", "source_id"], how="semi")
    return events.filter(~pl.col("row").is_in(again["row"].implode())).select(columns)


def _traits(log: EventLog, events: pl.DataFrame, cases: pl.DataFrame, asked: _Question) -> list[pl.Series]:
    """What was known of `cases` (case_ix, at) at their landmarks, a series of texts per trait."""
    landmarks = cases.select("case_ix", occurred_at="at")
    attributes = log.cells(asked.attributes, EVENT, landmarks) if asked.attributes else pl.DataFrame()
    then = events.join(
        cases.select("case_ix", "at"), on="case_ix", how="inner", maintain_order="left"
    ).filter(pl.max_horizontal("occurred_at", "recorded_at") <= pl.col("at"))
    codes = {word: log.codes(word) for word in asked.behaviours}
    times = cases.select("case_ix").join(
        milestones.instants(then, codes), on="case_ix", how="left", maintain_order="left"
    )
    often = pl.col(f"{word}_n" for word in asked.behaviours).fill_null(0)
    text = pl.when(often < _MANY).then(often.cast(pl.String)).otherwise(pl.lit("2 or more"))
    counted = times.select(text.name.map(lambda name: name.removesuffix("_n")))
    return [
        *(column.cast(pl.String) for column in attributes.get_columns()),
        *(column for column in counted.get_columns()),
    ]


def _told_apart(groups: pl.DataFrame, behaviours: Sequence[str], bound: int) -> pl.DataFrame:
    """Once and more often are told apart only where all that can be is often enough."""
    rare = (pl.col("n") < bound).any().over("trait") & pl.col("trait").is_in(behaviours)
    joint = pl.when(rare & (pl.col("value") != "0")).then(pl.lit("1 or more")).otherwise("value")
    return (
        groups.with_columns(joint.alias("value"))
        .group_by("trait", "value")
        .agg(pl.col(_COUNTS).sum(), pl.col("values").max())
    )


def _pooled(groups: pl.DataFrame, bound: int) -> pl.DataFrame:
    """The values of every trait, those too small together in one row that is not."""
    ordered = groups.sort("trait", "n", "value", nulls_last=True)
    before = pl.col("n").cum_sum().over("trait") - pl.col("n")
    small = (pl.col("n") < bound).any().over("trait")
    pooled = (pl.col("n") < bound) | (small & (before < bound))
    marked = ordered.with_columns(pooled=pooled)
    total = pl.col("values", *_COUNTS).sum()
    few = marked.filter("pooled").group_by("trait", maintain_order=True).agg(total)
    named = few.with_columns(value=pl.lit(None, pl.String))
    return pl.concat([marked.filter(~pl.col("pooled")).drop("pooled"), named.select(groups.columns)])


def _with_peers(rows: pl.DataFrame) -> pl.DataFrame:
    """Shares, those of all other cases, and the interval of the difference (Newcombe 1998, method 10)."""
    own = summaries.with_share(summaries.Tally(rows, rows), "share")
    rest = own.select(n=pl.col("all_n") - pl.col("n"), hits=pl.col("all_hits") - pl.col("hits"))
    peers = summaries.with_share(summaries.Tally(rest, rest), "share")
    both = own.hstack(peers.select(pl.all().name.prefix("peers_")))
    mine, theirs = pl.col("share"), pl.col("peers_share")
    below = ((mine - pl.col("share_low")) ** 2 + (pl.col("peers_share_high") - theirs) ** 2).sqrt()
    above = ((pl.col("share_high") - mine) ** 2 + (theirs - pl.col("peers_share_low")) ** 2).sqrt()
    difference = mine - theirs
    return both.with_columns(difference=difference, low=difference - below, high=difference + above)

"""Which way cases end, and by when: curves of competing ends, beside what counting closed cases only says."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import polars as pl

from crmmining import disclosure
from crmmining.analyses.cutting import cut_of
from crmmining.errors import CrmMiningError, UnknownNameError
from crmmining.eventlog import EventLog
from crmmining.kernels import competing
from crmmining.kernels.merge import add
from crmmining.measure import Cut

ACCOUNT = "account"
_DAY = 86_400_000_000  # microseconds
_COUNTS = ("n", "closed", "by_day", "excluded", "truncated")
_FIGURES = ("at_risk", "incidence", "low", "high")


class _Asked(NamedTuple):
    """Which ends are asked for, from when on, and how cases belong together."""

    start: str
    ends: tuple[str, ...]
    first: bool
    cluster: str | None


def curves(
    log: EventLog,
    start: str = "created",
    *,
    ends: Sequence[str] | None = None,
    by: Sequence[str] = (),
    cluster: str | None = None,
    first: bool = False,
) -> pl.DataFrame:
    """Which share of the cases has ended in which way by which day: the curves of Aalen and Johansen.

    A case starts when it first passes `start`. Its outcome is what it is as of the log's moment, dated by the
    latest closing: one that was reopened and not closed again is open, whatever it was before. With `first`
    it is the first end after the start instead, whatever followed. `ends` are milestones, by default those
    that end cases of the process; others may be named (`opportunity_won` of a lead), and then a case that
    ends in none of them is open.

    Days are 24 hours since the start: an end counts on the first day whose end it does not lie after (0 for
    one at the start itself), and a case is followed as many whole days as have passed. So the curve at day d
    asks, of every case, whether d days are over. An end in a day that is not over yet is not seen.

    Columns: `by`, outcome (those of `ends` in their order, then `open`), day (Int64: those on which something
    ended, and the last one), at_risk (Int64: cases not ended just before and followed to that day), incidence
    (Float64, 0..1; of all outcomes they add up to 1), low and high (95 %; null where it is 0 or 1), sorted by
    `by`, outcome, day. Segments are as they were at `start`, `word@milestone` as then. Who is left out is
    counted in `outcomes`.

    Cases of one account are not decided each on its own: with `cluster` (`account`, or another column of
    `cases`, as it is now) intervals take cases with one value as one draw; those without a value are their
    own. It takes a dozen clusters and more to tell. A lead has the account that its conversion made: cluster
    leads by another column.

    Raises `CrmMiningError` for `ends` that name some of the process's ends and leave out others (a case that
    ended so would seem open), `UnknownNameError` for unknown words.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> log = cm.connect("data/sample").event_log("opportunity")
    >>> steps = analyses.curves(log, cluster="account").filter(outcome="won")
    >>> steps.select("day", "at_risk", "incidence").row(0)
    (0, 246, 0.0040650406504065045)
    """
    asked = _asked(log, start, ends, cluster, first=first)
    cut = cut_of(log, by, basis=start)
    cases, counts = _tallied(log, asked, cut)
    steps = competing.curves(cases, asked.ends, clustered=cluster is not None)
    keys = counts.select("cell", *cut.keys)
    named = cut.named(keys.join(steps, on="cell", how="inner", maintain_order="left_right"))
    hidden = _hidden(log, cut.named(counts), cut)
    few = named.filter(pl.col("cell").is_in(hidden.implode()))
    days = ("day", *_FIGURES)
    few = few.unique(["cell", "outcome"], keep="first", maintain_order=True).with_columns(
        pl.lit(None, few.schema[name]).alias(name) for name in days
    )
    shown = named.filter(~pl.col("cell").is_in(hidden.implode()))
    return pl.concat([shown, few]).sort("cell", maintain_order=True).select(*cut.by, "outcome", *days)


def outcomes(
    log: EventLog,
    start: str = "created",
    *,
    ends: Sequence[str] | None = None,
    by: Sequence[str] = (),
    at: Sequence[int] = (30, 90, 180, 365),
    cluster: str | None = None,
    first: bool = False,
) -> pl.DataFrame:
    """What `curves` say at some days, beside what counting closed cases only says and how far that is off.

    Columns: `by`, outcome, day (Int64, each of `at`), n (cases that started), ended (of n, with this outcome;
    of `open` those without any), closed (of n, with any), by_day (of closed: those whose end is known by its
    day only; the hour is the last that it can have been), excluded (cases that never started, or had ended
    before), truncated (cases whose start may lie before their history is covered, for another `start` than
    creation; left out too), at_risk (Int64: cases not ended just before and followed for so many days),
    incidence, low, high (see `curves`; null where nobody is followed so long), closed_only (ended / closed)
    and bias (closed_only - incidence), both null for `open`. n, excluded and truncated are all cases of the
    cell.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> log = cm.connect("data/sample").event_log("opportunity")
    >>> won = analyses.outcomes(log, at=[90], cluster="account").row(0, named=True)
    >>> won["outcome"], won["n"], won["ended"], won["closed"]
    ('won', 246, 87, 182)
    """
    days = sorted(set(at))
    if not days or days[0] < 0:
        raise CrmMiningError(f"at is {list(at)}, but must be whole numbers of days, 0 or more")
    asked = _asked(log, start, ends, cluster, first=first)
    cut = cut_of(log, by, basis=start)
    cases, counts = _tallied(log, asked, cut)
    steps = competing.curves(cases, asked.ends, clustered=cluster is not None)
    names = (*asked.ends, competing.OPEN)
    grid = counts.select("cell", *cut.keys, *_COUNTS, *map(_of, names))
    grid = grid.join(pl.DataFrame({"outcome": names, "place": range(len(names))}), how="cross")
    grid = grid.join(pl.DataFrame({"day": days}, schema={"day": pl.Int64}), how="cross").sort("day")
    ended = pl.coalesce(pl.when(pl.col("outcome") == name).then(pl.col(_of(name))) for name in names)
    grid = grid.with_columns(ended=ended)
    steps = steps.sort("day")
    last = steps.group_by("cell").agg(last=pl.col("day").max())
    keys = ["cell", "outcome"]
    so_far = steps.select(*keys, "day", "incidence", "low", "high")
    found = grid.join_asof(so_far, on="day", by=keys, check_sortedness=False)
    followed = cases.select("cell", "day", "cases").sort("cell", "day", descending=[False, True])
    followed = followed.with_columns(at_risk=pl.col("cases").cum_sum().over("cell"))
    followed = followed.unique(["cell", "day"], keep="last").sort("day").drop("cases")
    found = found.join_asof(followed, on="day", by="cell", strategy="forward", check_sortedness=False)
    over = steps.filter(outcome=competing.OPEN).group_by("cell").agg(all=pl.col("incidence").min() <= 0)
    found = found.join(last, on="cell", how="left").join(over, on="cell", how="left")
    known = (pl.col("day") <= pl.col("last")) | pl.col("all")
    none_yet = pl.when(pl.col("outcome") == competing.OPEN).then(1.0).otherwise(0.0)
    closed_only = pl.when(pl.col("outcome") != competing.OPEN).then(pl.col("ended") / pl.col("closed"))
    found = found.with_columns(
        *(pl.when(known).then(pl.col(name)).alias(name) for name in ("low", "high")),
        at_risk=pl.col("at_risk").fill_null(0),
        incidence=pl.when(known).then(pl.col("incidence").fill_null(none_yet)),
        closed_only=pl.when(pl.col("closed") > 0).then(closed_only),
    ).with_columns(bias=pl.col("closed_only") - pl.col("incidence"))
    found = cut.named(found).sort("cell", "place", "day")
    hidden = _hidden(log, cut.named(counts), cut)
    figures = ("n", "ended", *_COUNTS[1:], *_FIGURES, "closed_only", "bias")
    few = pl.col("cell").is_in(hidden.implode())
    return found.select(
        *(*cut.by, "outcome", "day"), *(pl.when(~few).then(pl.col(name)).alias(name) for name in figures)
    )


def _asked(
    log: EventLog, start: str, ends: Sequence[str] | None, cluster: str | None, *, first: bool
) -> _Asked:
    """What is asked for, every word of it known."""
    own = tuple(log.process.ends)
    named = own if ends is None else tuple(dict.fromkeys([ends] if isinstance(ends, str) else ends))
    for word in (start, *named):
        log.codes(word)
    lacking = [word for word in own if word not in named]
    if not named or (lacking and set(named) < set(own)):
        raise CrmMiningError(
            f"ends names {list(named)} and leaves out {lacking}: a case that ended so would count as open; "
            "name all of them, or none for those of the process"
        )
    columns = log.blank.only.cases.columns
    column = "account_id" if cluster == ACCOUNT and "account_id" in columns else cluster
    if column is not None and column not in columns:
        raise UnknownNameError("cluster", column, columns)
    return _Asked(start, named, first, column)


def _tallied(log: EventLog, asked: _Asked, cut: Cut) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What `competing.curves` asks, and per cell its number, keys and counts, sorted by keys."""
    parts = list(log.each(partial(_counted, asked=asked, cut=cut)))
    cases = add((one for one, _ in parts), [*cut.keys, "cluster", "day", "outcome"])
    counts = pl.concat([two for _, two in parts])
    counts = counts.group_by(cut.keys).agg(pl.all().sum()) if cut.keys else counts.sum()
    counts = counts.sort(cut.keys, nulls_last=True) if cut.keys else counts
    counts = counts.with_row_index("cell")
    if not cut.keys:
        return cases.with_columns(cell=pl.lit(0, pl.UInt32)), counts
    numbers = counts.select("cell", *cut.keys)
    return cases.join(numbers, on=cut.keys, how="left", nulls_equal=True, maintain_order="left"), counts


def _counted(part: EventLog, asked: _Asked, cut: Cut) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What one partition counts: cases by cell, cluster, day and outcome; and who they are."""
    cases = _cases(part, asked).with_columns(*cut.segments(part))
    counted, outcome = pl.col("counted"), pl.col("outcome")
    cases_of = cases.filter("counted").group_by(*cut.keys, "cluster", "day", outcome="seen")
    tally = cases_of.agg(cases=pl.len().cast(pl.Int64))
    flags = {
        "n": counted,
        "closed": counted & outcome.is_not_null(),
        "by_day": counted & outcome.is_not_null() & pl.col("date_only"),
        "excluded": ~counted & ~pl.col("cut_off"),
        "truncated": pl.col("cut_off"),
        **{_of(word): counted & (outcome == word).fill_null(value=False) for word in asked.ends},
        _of(competing.OPEN): counted & outcome.is_null(),
    }
    sums = [flag.sum().cast(pl.Int64).alias(name) for name, flag in flags.items()]
    return tally, (cases.group_by(cut.keys).agg(sums) if cut.keys else cases.select(sums))


def _of(outcome: str) -> str:
    """The column that counts an outcome: a word of the process, which may be the name of another count."""
    return f"ended: {outcome}"


def _cases(part: EventLog, asked: _Asked) -> pl.DataFrame:
    """The cases of a partition in their order: outcome, date_only, day and what is seen of it, who counts."""
    ends = {code: word for word in asked.ends for code in part.codes(word)}
    reopens = [code for word in part.process.reopens for code in part.codes(word)]
    began = part.instants(asked.start).rename({"at": "start"})
    names = ("case_ix", "activity", "occurred_at", "date_only")
    events = part.only.among([*ends, *reopens], *names).join(
        began, on="case_ix", how="left", maintain_order="left"
    )
    word = pl.col("activity").replace_strict(
        list(ends), list(ends.values()), default=None, return_dtype=pl.String
    )
    events = events.with_columns(outcome=word, later=pl.col("occurred_at") >= pl.col("start"))
    state = events.group_by("case_ix", maintain_order=True).last()
    before = state.filter(pl.col("outcome").is_not_null() & ~pl.col("later")).select("case_ix", before=True)
    if asked.first:
        later = events.filter(pl.col("outcome").is_not_null() & pl.col("later"))
        state = later.group_by("case_ix", maintain_order=True).first()
    state = state.filter(pl.col("outcome").is_not_null() & pl.col("later"))
    cluster = pl.lit(None, pl.String) if asked.cluster is None else pl.col(asked.cluster).cast(pl.String)
    columns = [] if asked.cluster is None else [asked.cluster]
    cases = part.only.of_cases("case_ix", "truncated", *columns).with_columns(began["start"], cluster=cluster)
    cases = cases.join(
        state.select("case_ix", "outcome", "date_only", ended_at="occurred_at"),
        on="case_ix",
        how="left",
        maintain_order="left",
    ).join(before, on="case_ix", how="left", maintain_order="left")
    lasted = (pl.col("ended_at") - pl.col("start")).dt.total_microseconds()
    until = (pl.lit(part.as_of, pl.Datetime("us", "UTC")) - pl.col("start")).dt.total_microseconds() // _DAY
    cases = cases.with_columns(ends_on=-((-lasted) // _DAY), followed=until)
    seen = (pl.col("ends_on") <= pl.col("followed")).fill_null(value=False)
    cut_off = pl.col("truncated").fill_null(value=False) & pl.lit(asked.start != "created")
    past = pl.col("before").fill_null(value=False) & pl.col("outcome").is_null()
    started = pl.col("start").is_not_null() & ~past
    return cases.select(
        *("cluster", "outcome"),
        pl.col("date_only").fill_null(value=False),
        day=pl.when(seen).then("ends_on").otherwise("followed"),
        seen=pl.when(seen).then("outcome"),
        counted=started & ~cut_off,
        cut_off=cut_off,
    )


def _hidden(log: EventLog, cells: pl.DataFrame, cut: Cut) -> pl.Series:
    """The numbers of the cells that name people and stand for too few cases."""
    told = cells.select(*cut.by, "n")
    shown = disclosure.withhold_cells(told, log.minimum_group, by=cut.by, people=log.process.people)
    return cells.filter(shown["n"].is_null())["cell"]

"""Funnels: how far the cases of a cohort get, step by step; and the two rates that are called conversion."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from itertools import accumulate
from typing import NamedTuple

import polars as pl

from crmmining import summaries
from crmmining.analyses.cutting import cut_of, withheld
from crmmining.definitions.segments import OUTCOME
from crmmining.errors import CrmMiningError, UnknownNameError
from crmmining.eventlog import EventLog
from crmmining.kernels.merge import add
from crmmining.measure import Cut
from crmmining.periods import Period

_MONEY = "amount_reporting"
_SCALE = 10_000
_CREATED = "created"
_NARROW = ("decided", "decided_so", "narrow", "narrow_low", "narrow_high", "narrow_value")
_BROAD = ("created", "created_so", "open", "broad", "broad_low", "broad_high", "broad_value")


class _Steps(NamedTuple):
    """What a funnel asks: its steps, how long cases are followed, what they are worth, who is left out."""

    words: tuple[str, ...]
    within: timedelta | None
    value: str | None
    whole_only: bool


def funnel(
    log: EventLog,
    steps: Sequence[str],
    *,
    by: Sequence[str] = (),
    period: Period | None = None,
    within_days: int | None = None,
    value: str | None = None,
    keep_truncated: bool = False,
    time_zone: str = "UTC",
    fiscal_year_start: int = 1,
) -> pl.DataFrame:
    """How far the cases that passed the first step get: a row per cohort, cell and step.

    `steps` are milestones or activities (`Stage: Proposal`) in their order. A case enters with the first
    one; it reaches a later one when it passes that or one behind it, then or later, for stages are skipped.
    A step that ends cases of the process counts while it is the closing in force. A step of the attribute
    that [waiting] names, such as `Stage: Proposal`, counts also for a case that was created so.

    With `within_days` each case is followed for so many times 24 hours: what it reaches later does not
    count, and who is not followed so long is in `open` alone, however far. `value` names a number of
    `cases`, as it is now; default: amount_reporting, where the process has it.

    Columns: period_start (Date; with `period`, in which cases entered), `by`, step (Int64, from 0), milestone
    (String), entered (cases), reached (of entered), skipped (of reached: without the step itself), open (with
    a window: cases that are not followed to its end, in no other column; else of entered: not there and still
    open), truncated (cases whose history is cut, so that it does not show what they passed; left out, but
    where all steps are creation and ends of the process, which the record tells, or with `keep_truncated`),
    rate, low, high (reached / entered, 95 %), step_rate, step_low, step_high (reached / reached of the step
    before; null at the first), value (Float64, of those who reached it), value_rate (of the value of all that
    entered), unvalued (of entered: without a value, taken as 0). Value columns are null where there is none.
    Sorted by period, `by` and step. Segments are as they were at the first step.

    Raises `CrmMiningError` for fewer than two steps or a window of no days, `UnknownNameError` for unknown
    words.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> log = cm.connect("data/sample").event_log("lead")
    >>> way = ["created", "converted", "opportunity_created", "opportunity_won"]
    >>> analyses.funnel(log, way, within_days=180).select("milestone", "entered", "reached").rows()[1:]
    [('converted', 307, 61), ('opportunity_created', 307, 48), ('opportunity_won', 307, 14)]
    """
    words = tuple(steps)
    if len(words) < 2:  # noqa: PLR2004 - from somewhere to somewhere
        raise CrmMiningError(f"steps is {list(words)}, but must be two milestones or more, in their order")
    if within_days is not None and within_days < 1:
        raise CrmMiningError(f"within_days is {within_days}, but must be a number of days, 1 or more")
    for word in words:
        log.codes(word)
    told = {_CREATED, *log.process.ends}
    window = None if within_days is None else timedelta(days=within_days)
    asked = _Steps(words, window, _value(log, value), not keep_truncated and not set(words) <= told)
    cut = cut_of(log, by, period, basis=words[0], time_zone=time_zone, fiscal_year_start=fiscal_year_start)
    keys = [*cut.keys, "step"]
    sums = add(log.each(partial(_counted, asked=asked, cut=cut)), keys)
    # as plain columns: by a column of one repeated value polars divides by way of its reciprocal
    plain = pl.DataFrame(sums.sort(keys, nulls_last=True).get_columns())
    found = plain.with_columns(
        before=pl.col("reached").shift(1), milestone=pl.col("step").replace_strict(dict(enumerate(words)))
    )
    found = _share(found, "rate", "reached", "entered")
    found = _share(found, "step_rate", "reached", pl.when(pl.col("step") > 0).then("before"))
    worth = pl.col("value").cast(pl.Float64) / _SCALE if asked.value else pl.lit(None, pl.Float64)
    whole = pl.col("entered_value").cast(pl.Float64) / _SCALE
    found = found.with_columns(
        value=worth,
        value_rate=pl.when(whole != 0).then(worth / whole),
        unvalued="unvalued" if asked.value else pl.lit(None, pl.Int64),
    )
    place = [*cut.named(found.select(cut.keys)).columns, "step", "milestone"]
    shares = [f"{name}{bound}" for name in ("rate", "step_rate") for bound in ("", "_low", "_high")]
    figures = ["entered", "reached", "skipped", "open", "truncated", *shares]
    table = cut.named(found).select(*place, *figures, "value", "value_rate", "unvalued")
    names = {
        "rate_low": "low",
        "rate_high": "high",
        "step_rate_low": "step_low",
        "step_rate_high": "step_high",
    }
    return withheld(log, table.rename(names), place, pl.min_horizontal("entered", "reached"))


def _counted(part: EventLog, asked: _Steps, cut: Cut) -> pl.DataFrame:
    """What one partition adds to every cell and step."""
    entry = part.instants(asked.words[0]).rename({"at": "start"})
    passed = [_passed(part, entry, word) for word in asked.words[1:]]
    columns = ["truncated", "open", *([asked.value] if asked.value else [])]
    cases = part.only.of_cases(*columns).with_columns(entry["start"], *cut.segments(part))
    cases = cases.with_columns(*cut.start(pl.col("start")))
    cases = cases.with_columns(one.alias(f"at {at}") for at, one in enumerate(passed, start=1))
    entered = pl.col("start").is_not_null()
    cut_off = pl.col("truncated").fill_null(value=False) & pl.lit(asked.whole_only)
    over = pl.lit(value=True)
    until = pl.lit(part.as_of, pl.Datetime("us", "UTC"))
    if asked.within is not None:
        until = pl.col("start") + asked.within
        over = (until <= pl.lit(part.as_of, pl.Datetime("us", "UTC"))).fill_null(value=False)
    counted = entered & ~cut_off & over
    own = [(pl.col(f"at {at}") <= until).fill_null(value=False) for at in range(1, len(asked.words))]
    further = list(accumulate(reversed(own), lambda one, other: one | other))[::-1]
    worth = _worth(asked.value)
    found = []
    for at, (itself, reached) in enumerate(
        zip([pl.lit(value=True), *own], [pl.lit(value=True), *further], strict=True)
    ):
        there = counted & reached
        waits = entered & ~cut_off & ~over if asked.within else counted & ~reached & pl.col("open")
        flags = {
            "entered": counted,
            "reached": there,
            "skipped": there & ~itself,
            "open": waits,
            "truncated": entered & cut_off,
            "unvalued": counted & worth.is_null(),
        }
        sums = [flag.sum().cast(pl.Int64).alias(name) for name, flag in flags.items()]
        sums += [
            pl.when(flag).then(worth).sum().cast(pl.Int128).alias(name)
            for name, flag in {"value": there, "entered_value": counted}.items()
        ]
        among = cases.filter(entered)
        tally = among.group_by(cut.keys).agg(sums) if cut.keys else among.select(sums)
        found.append(tally.with_columns(step=pl.lit(at, pl.Int64)))
    return pl.concat(found)


def _passed(part: EventLog, entry: pl.DataFrame, word: str) -> pl.Series:
    """When the cases of a partition passed a step after they entered, in their order; null where not."""
    if word in part.process.ends:
        state = part.only.of_cases("outcome", "outcome_at").with_columns(entry["start"])
        holds = (pl.col("outcome") == word) & (pl.col("outcome_at") >= pl.col("start"))
        return state.select(pl.when(holds).then("outcome_at")).to_series()
    events = part.only.among(part.codes(word), "case_ix", "occurred_at")
    events = events.join(entry, on="case_ix", how="left", maintain_order="left")
    later = events.filter(pl.col("occurred_at") >= pl.col("start"))
    first = later.group_by("case_ix").agg(at=pl.col("occurred_at").min())
    found = entry.join(first, on="case_ix", how="left", maintain_order="left")
    born = _born_so(part, word)
    if born is None:
        return found["at"]
    there = born & (pl.col("created_at") >= pl.col("start"))
    created = part.only.of_cases("created_at")
    return found.hstack(created).select(pl.when(there).then("created_at").otherwise("at")).to_series()


def _born_so(part: EventLog, word: str) -> pl.Series | None:
    """Which cases were created in what `Stage: Proposal` or the like changes to; null for other words."""
    waiting = part.process.waiting
    name, _, asked = word.partition(": ")
    if waiting is None or not asked or name.lower() != waiting.attribute:
        return None
    return part.at(_CREATED, waiting.attribute).to_series().cast(pl.String) == asked


def narrow_and_broad(
    log: EventLog,
    outcome: str | None = None,
    *,
    of: Sequence[str] | None = None,
    by: Sequence[str] = (),
    period: Period | None = None,
    within_days: int | None = None,
    value: str | None = None,
    time_zone: str = "UTC",
    fiscal_year_start: int = 1,
) -> pl.DataFrame:
    """Two rates that go by one name: of what was decided in a period, and of what was created in it.

    Narrow: of the cases whose closing in force lies in the period and has an outcome among `of` (default: the
    ends of the process), those with `outcome` (default: the first end). Broad: of the cases created in the
    period, those that have this outcome now; with `within_days`, that had it within so many times 24 hours,
    of those that are followed so long.

    Columns: period_start (Date; with `period`), `by`, decided, decided_so (cases of the narrow rate), narrow,
    narrow_low, narrow_high, narrow_value (by value: see `funnel`), created, created_so, open (not decided;
    with a window: not followed to its end, no part of created), broad, broad_low, broad_high, broad_value.
    Segments are as they were at the closing (narrow) and at creation (broad). A rate of no case is null.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> log = cm.connect("data/sample").event_log("opportunity")
    >>> found = analyses.narrow_and_broad(log)
    >>> found.select("decided_so", "decided", "created_so", "created", "open").row(0)
    (87, 182, 87, 246, 64)
    """
    ends = log.process.ends
    so = ends[0] if outcome is None else outcome
    decided = tuple(ends if of is None else of)
    for word in (so, *decided):
        if word not in ends:
            raise UnknownNameError("outcome", word, ends)
    if so not in decided:
        raise CrmMiningError(f"outcome is '{so}', but 'of' names only {list(decided)}")
    calendar = {"time_zone": time_zone, "fiscal_year_start": fiscal_year_start}
    cut = cut_of(log, by, period, basis=OUTCOME, **calendar)  # type: ignore[arg-type]
    worth = _value(log, value)
    sums = list(log.each(partial(_decided, so=so, decided=decided, value=worth, cut=cut)))
    narrow = add(sums, cut.keys) if cut.keys else pl.concat(sums).sum()
    narrow = _share(narrow, "narrow", "decided_so", "decided")
    names = {"rate": "broad", "low": "broad_low", "high": "broad_high", "value_rate": "broad_value"}
    names |= {"entered": "created", "reached": "created_so", "open": "open"}
    asked = {"by": by, "period": period, "within_days": within_days, "value": value}
    cohorts = funnel(log, [_CREATED, so], **asked, **calendar)  # type: ignore[arg-type]
    place = cut.named(narrow.select(cut.keys)).columns
    broad = cohorts.filter(step=1).select(*place, *names).rename(names)
    narrow = cut.named(narrow)
    narrow = (
        narrow.with_columns(pl.col("value", "value_so").cast(pl.Float64))
        .with_columns(narrow_value=pl.when(pl.col("value") != 0).then(pl.col("value_so") / pl.col("value")))
        .select(*place, *_NARROW)
    )
    narrow = withheld(log, narrow, place, pl.col("decided"))
    if not place:
        return narrow.hstack(broad).select(*_NARROW, *_BROAD)
    both = narrow.join(broad, on=place, how="full", coalesce=True, nulls_equal=True)
    return both.sort(place, nulls_last=True).select(*place, *_NARROW, *_BROAD)


def _decided(part: EventLog, so: str, decided: Sequence[str], value: str | None, cut: Cut) -> pl.DataFrame:
    """What was decided in one partition, by cell: cases and, in ten thousandths, what they are worth."""
    columns = ["outcome", "outcome_at", *([value] if value else [])]
    cases = part.only.of_cases(*columns).with_columns(*cut.segments(part))
    cases = cases.with_columns(*cut.start(pl.col("outcome_at"))).filter(pl.col("outcome").is_in(decided))
    hit, worth = pl.col("outcome") == so, _worth(value)
    sums = [
        pl.len().cast(pl.Int64).alias("decided"),
        hit.sum().cast(pl.Int64).alias("decided_so"),
        worth.sum().alias("value"),
        worth.filter(hit).sum().alias("value_so"),
    ]
    return cases.group_by(cut.keys).agg(sums) if cut.keys else cases.select(sums)


def _value(log: EventLog, value: str | None) -> str | None:
    """The column that says what a case is worth, if there is one."""
    schema = log.blank.only.cases.schema
    if value is None:
        return _MONEY if _MONEY in schema else None
    if value not in schema or not schema[value].is_numeric():
        raise UnknownNameError(
            "number of cases", value, [name for name in schema if schema[name].is_numeric()]
        )
    return value


def _worth(value: str | None) -> pl.Expr:
    """What cases are worth in whole ten thousandths, so that their order never matters; null without any."""
    if value is None:
        return pl.lit(None, pl.Int128)
    number = (pl.col(value).cast(pl.Float64) * _SCALE).round()
    return pl.when(number.is_finite()).then(number).cast(pl.Int128)


def _share(table: pl.DataFrame, name: str, hits: str, of: str | pl.Expr) -> pl.DataFrame:
    """The table with a share and its 95 % interval: see `summaries.with_share`."""
    n = pl.col(of) if isinstance(of, str) else of
    counts = table.select(hits=hits, n=n)
    shares = summaries.with_share(summaries.Tally(counts, counts.clear()), name)
    return table.hstack(shares.select(name, f"{name}_low", f"{name}_high"))

"""Waterfall: what moved the pipeline between two moments, and where its cases went."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import polars as pl

from crmmining.analyses.pipelines import (
    Currency,
    Window,
    flips_of,
    known_at,
    moves,
    question,
    shown,
    unit,
)
from crmmining.definitions.segments import EVENT
from crmmining.errors import CrmMiningError, UnknownNameError
from crmmining.eventlog import EventLog, standing
from crmmining.kernels.merge import add
from crmmining.kernels.pipeline import minor_units
from crmmining.kernels.standing import last_rows
from crmmining.moments import Moment, instant

BEGIN, END = "begin", "end"
OPEN, NOT_CREATED = "open", "not created"
_ENTERS: Final = ("created", "reopened", "transferred_in", "increased", "pulled_in")
_LEAVES: Final = ("decreased", "pushed_out", "transferred_out")
_COUNTS: Final = ("n", "amount", "nulls", "unconverted")


def waterfall(
    log: EventLog,
    start: Moment,
    end: Moment,
    *,
    by: Sequence[str] = (),
    currency: Currency = "reporting",
    window: Window = None,
    time_zone: str = "UTC",
) -> pl.DataFrame:
    """What moved the open pipeline between two moments, by cell: every row of a cell adds up to its `end`.

    Columns: `by`, unit, step, n, amount, nulls, unconverted (Int64). Steps, in this order: begin (what
    `pipeline` says of `start`), created, reopened, transferred_in (from another cell), increased, pulled_in
    (the close date moved into the window, from either side), decreased, pushed_out (moved out of it, to
    either side), transferred_out, a step per ending of the process (won, lost, closed_unknown), currency, and
    end (what `pipeline` says of `end`). `amount` is in minor units of `unit`, as in `pipeline`, and signed:
    what leaves is negative, so that in every cell begin and all steps add up to end, exactly. n counts open
    cases in begin and end and moves in the others: all that happened after `start` and until `end`, in the
    order of the log, so that what rose and fell again is in both. nulls and unconverted say how many of the
    n had no amount or no rate and count as 0. Every cell that held anything has all its steps.

    What one opportunity does in one instant is one save: one that opens brings what the opportunity is after
    it, one that closes takes what it was before, so that changes of amount and close date in the closing save
    belong to won or lost, and so do pushes and pulls across the window. Without a window both are 0.
    `currency` is what another rate changes: that of a moved close date, or of another currency of the record.
    Segments are as they were then; a change of one is transferred, also a change of stage where stage is a
    word. Deleted opportunities are unknowable: none is in the log, so what was deleted never was in begin,
    and no step is called deleted or undeleted. Raises `CrmMiningError` for moments that are not known
    (see `pipeline`) or in the wrong order, `UnknownNameError` for unknown words.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> log = cm.connect("data/sample").event_log("opportunity")
    >>> found = analyses.waterfall(log, "2025-01-01", "2025-04-01").filter(pl.col("n") > 0)
    >>> found.select("step", "n", "amount").rows()[:2]
    [('begin', 31, 66465528), ('created', 20, 42256254)]
    """
    asked = question(log, by, currency, window)
    since, until = _between(log, start, end, time_zone)
    steps = [BEGIN, *_ENTERS, *_LEAVES, *log.process.ends, "currency"]

    def tallied(part: EventLog) -> pl.DataFrame:
        rows = moves(part, asked).filter(pl.col("at") <= until)
        begun = pl.col("at") <= since
        rows = rows.with_columns(step=pl.when(begun).then(pl.lit(BEGIN)).otherwise("kind"))
        return rows.group_by(*asked.keys, "step").agg(
            pl.col("weight").sum(),
            amount=pl.col("change").sum(),
            **{name: pl.col(name).sum() for name in ("cases", "nulls", "unconverted")},
            **{f"{name} moved": pl.col(name).abs().sum() for name in ("nulls", "unconverted")},
        )

    keys = [*asked.keys, "step"]
    sums = add(log.each(tallied), keys)
    begin = pl.col("step") == BEGIN
    told = [pl.when(begin).then("cases").otherwise("weight").alias("n"), pl.col("amount")]
    told += [pl.when(begin).then(n).otherwise(f"{n} moved").alias(n) for n in ("nulls", "unconverted")]
    last = sums.group_by(asked.keys).agg(
        n=pl.col("cases").sum(), **{name: pl.col(name).sum() for name in _COUNTS[1:]}
    )
    last = last.select(*asked.keys, pl.lit(END).alias("step"), *_COUNTS)
    cells = last.select(asked.keys)
    if cells.is_empty() and not asked.cut.by:
        cells = unit(log, asked).alias(asked.keys[-1]).to_frame()
    every = cells.join(pl.DataFrame({"step": [*steps, END]}).with_row_index("place"), how="cross")
    counts = pl.concat([sums.select(*keys, *told), last])
    found = every.join(counts, on=keys, how="left", nulls_equal=True).with_columns(
        pl.col(*_COUNTS).fill_null(0)
    )
    held = pl.any_horizontal(pl.col(*_COUNTS) != 0).any().over(asked.keys)
    found = asked.named(found.filter(held) if asked.cut.by else found)
    ordered = shown(log, found.select(*asked.cells, "step", *_COUNTS, "place"), [*asked.cells, "place"], "n")
    return ordered.drop("place")


def flows(
    log: EventLog,
    start: Moment,
    end: Moment,
    *,
    by: Sequence[str] = (),
    time_zone: str = "UTC",
) -> pl.DataFrame:
    """Where opportunities stood at two moments: from which stage or state to which, with what they are worth.

    Columns: `by`, unit, from_state, from_stage, to_state, to_stage, cases, amount_start, amount_end, nulls,
    unconverted (Int64). A state is `not created`, `open` or how it was closed (won, lost, ...); the stage is
    that of open ones. Amounts are in minor units of `unit`, the reporting currency: what the cases of the row
    were worth at each moment, 0 before they were created; nulls and unconverted count those that had no
    amount or no rate at `end` (0 there). All that were open at `start` have a row, and all others whose state
    changed. Segments are those at `end` (`word@milestone`: as then). Sorted by all names. Raises as
    `waterfall`, and `UnknownNameError` for a process without stages.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> found = analyses.flows(cm.connect("data/sample").event_log("opportunity"), "2025-01-01", "2025-04-01")
    >>> won = found.filter(pl.col("to_state") == "won", pl.col("from_state") == "open")
    >>> won.select("from_stage", "cases", "amount_start", "amount_end").rows()[1]
    ('Perception Analysis', 1, 1600000, 1280000)
    """
    if "stage" not in log.process.segments:
        raise UnknownNameError("segment", "stage", log.process.segments)
    asked = question(log, by, "reporting", None)
    since, until = _between(log, start, end, time_zone)
    keys = [*asked.keys, "from_state", "from_stage", "to_state", "to_stage"]

    def tallied(part: EventLog) -> pl.DataFrame:
        flips = flips_of(part)
        then, now = (stands(part, flips, moment) for moment in (since, until))
        at = part.only.of_cases("case_ix").with_columns(occurred_at=pl.lit(until, pl.Datetime("us", "UTC")))
        rows = at.with_columns(
            *asked.cut.segments_of(part, at),
            now["unit"].alias(asked.keys[-1]),
            from_state=then["state"],
            from_stage=then["stage"],
            to_state=now["state"],
            to_stage=now["stage"],
            amount_start=then["amount"],
            amount_end=now["amount"],
            nulls=now["nulls"],
            unconverted=now["unconverted"],
        )
        moved = (pl.col("from_state") == OPEN) | (pl.col("from_state") != pl.col("to_state"))
        sums = [pl.col("amount_start", "amount_end").cast(pl.Int128).sum()]
        counts = [pl.len().cast(pl.Int64).alias("cases"), pl.col("nulls", "unconverted").sum()]
        return rows.filter(moved).group_by(keys).agg(*counts, *sums)

    found = asked.named(add(log.each(tallied), keys))
    cells = [*asked.cells, "from_state", "from_stage", "to_state", "to_stage"]
    return shown(
        log, found.select(*cells, "cases", "amount_start", "amount_end", "nulls", "unconverted"), cells
    )


def stands(part: EventLog, flips: pl.DataFrame, moment: datetime) -> pl.DataFrame:
    """What each case was at a moment: state, stage, close_date, unit, amount, nulls, unconverted."""
    at = part.only.of_cases("case_ix").with_columns(at=pl.lit(moment, pl.Datetime("us", "UTC")))
    place = pl.Series(last_rows(flips, at), dtype=pl.Int64)
    row = pl.select(pl.when(place >= 0).then(place)).to_series()
    last = flips.select("kind", "opens").select(pl.all().gather(row))
    segment = part.segment("stage", EVENT)
    money = ["amount", "amount_reporting", "reporting_currency", "close_date"]
    was = standing.attributes(part.only, at, [str(segment.column), *money])
    states = was.select(pl.col(str(segment.column)).alias("stage"), *money).hstack(last)
    created = pl.col("kind").is_not_null()
    lacks = pl.col("amount").is_null()
    return states.select(
        state=pl.when("opens").then(pl.lit(OPEN)).otherwise("kind").fill_null(NOT_CREATED),
        stage=pl.when("opens").then("stage"),
        close_date="close_date",
        unit="reporting_currency",
        amount=pl.when(created)
        .then(minor_units(pl.col("amount_reporting"), pl.col("reporting_currency")))
        .fill_null(0),
        nulls=(created & lacks).cast(pl.Int64),
        unconverted=(created & ~lacks & pl.col("amount_reporting").is_null()).cast(pl.Int64),
    )


def _between(log: EventLog, start: Moment, end: Moment, time_zone: str) -> tuple[datetime, datetime]:
    since, until = instant(start, time_zone), instant(end, time_zone)
    known_at(log, (since, until))
    if since > until:
        raise CrmMiningError(f"start ({start}) is after end ({end}): name the earlier moment first")
    return since, until

"""Pipeline: what was open at any moment, day by day, and every move of it."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Final, Literal, NamedTuple

import numpy as np
import polars as pl

from crmmining.analyses.cutting import cut_of, withheld
from crmmining.definitions.segments import EVENT
from crmmining.errors import CrmMiningError, UnknownNameError
from crmmining.eventlog import EventLog
from crmmining.kernels import pipeline as kernel
from crmmining.kernels import timeline
from crmmining.kernels.merge import add
from crmmining.measure import Cut
from crmmining.moments import Moment, instant
from crmmining.periods import Period, every_start

Currency = Literal["reporting", "record"]
Window = tuple[date, date] | None
COUNTS: Final = ("cases", "nulls", "unconverted")
_UNIT, _BUCKET = "cell: unit", "bucket"
_MONEY: Final = ("amount", "amount_reporting", "currency", "reporting_currency", "close_date")


class Question(NamedTuple):
    """What a pipeline is asked by: the cut, in which currency, and which close dates count."""

    cut: Cut
    currency: Currency
    window: Window

    @property
    def keys(self) -> list[str]:
        """Columns that name one cell while counting."""
        return [*self.cut.keys, _UNIT] if self.cut.period is None else [*self.cut.keys[1:], _UNIT]

    def named(self, wide: pl.DataFrame) -> pl.DataFrame:
        """The cells under the names people use."""
        return self.cut.named(wide)

    @property
    def cells(self) -> list[str]:
        """The names people use, in their order."""
        return [*self.cut.by, "unit"]


def question(  # noqa: PLR0917  what callers are asked
    log: EventLog,
    by: Sequence[str],
    currency: Currency,
    window: Window,
    period: Period | None = None,
    time_zone: str = "UTC",
    fiscal_year_start: int = 1,
) -> Question:
    """The question, checked: words, currency, window, and that cases have money at all."""
    if currency not in ("reporting", "record"):
        raise UnknownNameError("currency", currency, ("reporting", "record"))
    if window is not None and window[0] > window[1]:
        raise CrmMiningError(f"window is {window[0]} to {window[1]}, but must not end before it begins")
    if lacking := [name for name in _MONEY if name not in log.blank.only.cases.columns]:
        raise CrmMiningError(
            f"process '{log.process.name}' has no pipeline: its cases lack {', '.join(lacking)}; "
            "ask the log of opportunities"
        )
    words = [by] if isinstance(by, str) else list(by)
    words = [word for word in words if currency == "reporting" or word != "currency"]  # `unit` tells it
    cut = cut_of(log, words, period, basis=EVENT, time_zone=time_zone, fiscal_year_start=fiscal_year_start)
    return Question(cut, currency, window)


def flips_of(part: EventLog) -> pl.DataFrame:
    """When the cases of a partition open and close, see `kernels.pipeline.flips`."""
    closings = {word: part.codes(word) for word in part.process.ends}
    begins = part.codes("created")
    reopens = [code for word in part.process.reopens for code in part.codes(word)]
    asked = [*begins, *reopens, *(code for codes in closings.values() for code in codes)]
    events = part.only.among(asked, "case_ix", "activity", "occurred_at")
    return kernel.flips(events, begins, closings, reopens)


def moves(part: EventLog, asked: Question) -> pl.DataFrame:
    """The ledger of a partition, see `kernels.pipeline.ledger`, with the cells asked for.

    `change` and `weight` are what a row adds to the amount (Int128 minor units of its unit) and to the moves.
    """
    flips = flips_of(part)
    segments = [part.segment(word, EVENT) for word in asked.cut.by]
    over_time = {str(s.column) for s in segments if s.basis == EVENT} | set(_MONEY)
    values = part.only.values
    changed = values.filter(values["attribute"].is_in(sorted(over_time)))
    points, changes, places = timeline.timeline(changed, flips)
    cases = part.only.of_cases(*sorted(over_time))
    attribute = changes["attribute"]
    was = {
        name: timeline.in_force(cases[name], points, changes.filter(attribute == name))
        for name in cases.columns
    }
    states = points.with_columns(was[name].alias(name) for name in _MONEY)
    cells = [
        was[str(s.column)]
        if s.basis == EVENT
        else part.cells([s.asked], EVENT).to_series()[points["case_ix"]]
        for s in segments
    ]
    names = asked.cut.keys[-len(cells) :] if cells else []
    states = states.with_columns(cell.alias(name) for name, cell in zip(names, cells, strict=True))
    within = pl.lit(value=True) if asked.window is None else pl.col("close_date").is_between(*asked.window)
    states = states.with_columns(within=within.fill_null(value=False))
    rows = kernel.ledger(states, flips.with_columns(places.alias("place")), names)
    if asked.currency == "record":
        unit, before, after = pl.col("currency"), pl.col("before"), pl.col("after")
        nothing = (pl.col("kind") == "currency") & (pl.col("cases") == 0)
        rows = rows.filter(~nothing)
    else:
        known = part.only.of_cases("reporting_currency").to_series()
        rows = rows.with_columns(known.gather(rows["case_ix"]).alias("reporting_currency"))
        unit, before, after = (
            pl.col(n) for n in ("reporting_currency", "before_reporting", "after_reporting")
        )
    twice = (pl.col("kind") == "currency") & (pl.col("cases") < 0) & (asked.currency == "reporting")
    return rows.with_columns(
        unit.alias(_UNIT),
        change=after.cast(pl.Int128) - before.cast(pl.Int128),
        weight=(~twice).cast(pl.Int64),
    )


def pipeline(
    log: EventLog,
    *,
    at: Moment | Sequence[Moment] | None = None,
    by: Sequence[str] = (),
    currency: Currency = "reporting",
    window: Window = None,
    time_zone: str = "UTC",
) -> pl.DataFrame:
    """The open pipeline as of one or several moments (default: the log's own), these included.

    Columns: at (Datetime UTC), `by`, unit (the currency of the amounts: the reporting currency, or that of
    the record), cases (open opportunities, Int64), amount (Int64, in minor units of `unit`: cents, but yen
    have none), nulls and unconverted: cases without an amount, and cases with one but without a rate on
    their close date; both count as 0 in `amount`. Sorted by at and `by`; cells without an open case have no
    row, unless there are no words. Segments, stages, amounts and close dates are as they were then
    (`word@milestone`: as then); an unknown one is null. With `window`, first and last day, only those count
    whose close date lay in it; one without a close date lies in none. With currency="record" the word
    `currency` is what `unit` tells.

    What was deleted before the log was told is not in it and was never open here: no history tells it.
    Opportunities whose own history is cut stand with the oldest values known. Raises `CrmMiningError` for a
    moment after the log's or before its first opportunity, since nothing is known of either, and for a
    process without amounts, `UnknownNameError` for unknown words.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> log = cm.connect("data/sample").event_log("opportunity")
    >>> analyses.pipeline(log, at=["2024-01-01", "2025-01-01"]).select("unit", "cases", "amount").rows()
    [('USD', 22, 58561586), ('USD', 31, 66465528)]
    """
    asked = question(log, by, currency, window)
    several = [at] if at is None or isinstance(at, (str, date)) else list(at)
    wanted = [log.as_of if one is None else instant(one, time_zone) for one in several]
    known_at(log, wanted)
    moments = pl.Series("at", sorted(set(wanted)), dtype=pl.Datetime("us", "UTC"))

    def bucket(rows: pl.DataFrame) -> pl.Series:
        place = np.searchsorted(moments.to_physical().to_numpy(), rows["at"].to_physical().to_numpy())
        return pl.Series(_BUCKET, place, dtype=pl.Int64)

    sums = add(log.each(lambda part: _tally(moves(part, asked), asked, bucket)), [*asked.keys, _BUCKET])
    grid = moments.to_frame().with_row_index(_BUCKET).with_columns(pl.col(_BUCKET).cast(pl.Int64))
    found = _running(log, sums, grid, asked)
    if asked.cut.by or currency == "record":
        found = found.filter(pl.col("cases") != 0)
    return shown(log, found, ["at", *asked.cells])


def pipeline_series(
    log: EventLog,
    *,
    period: Period = "day",
    by: Sequence[str] = (),
    currency: Currency = "reporting",
    window: Window = None,
    time_zone: str = "UTC",
    fiscal_year_start: int = 1,
) -> pl.DataFrame:
    """The open pipeline at the end of every period, of the last one at the log's moment, in one pass.

    Columns: period_start (Date), then those of `pipeline`, which says the same of each of these moments.
    Every period from that of the first opportunity has a row in every cell, zeros included.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> log = cm.connect("data/sample").event_log("opportunity")
    >>> analyses.pipeline_series(log, period="year").select("cases", "amount").rows()
    [(22, 58561586), (31, 66465528), (64, 148554340)]
    """
    asked = question(log, by, currency, window, period, time_zone, fiscal_year_start)
    start = asked.cut.start(pl.col("at"))[0].alias(_BUCKET)

    def bucket(rows: pl.DataFrame) -> pl.Series:
        return rows.select(start).to_series()

    sums = add(log.each(lambda part: _tally(moves(part, asked), asked, bucket)), [*asked.keys, _BUCKET])
    last = pl.select(at=pl.lit(log.as_of, pl.Datetime("us", "UTC"))).select(start).item()
    first = sums[_BUCKET].min()
    days = every_start(first if isinstance(first, date) else last, last, period)
    grid = pl.DataFrame({_BUCKET: days, "period_start": days})
    return shown(log, _running(log, sums, grid, asked), ["period_start", *asked.cells])


def pipeline_moves(
    log: EventLog,
    *,
    by: Sequence[str] = (),
    currency: Currency = "reporting",
    window: Window = None,
) -> pl.DataFrame:
    """Every move of the open pipeline: the rows behind `waterfall`, which explains the steps.

    Columns: case_id, at (Datetime UTC), step, `by`, unit, before and after (Int64, minor units of `unit`).
    Sorted by case and time; within one save what leaves comes before what enters, and that before changes of
    amount.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> moves = analyses.pipeline_moves(cm.connect("data/sample").event_log("opportunity"))
    >>> moves.filter(pl.col("step") == "reopened").height
    6
    """
    asked = question(log, by, currency, window)
    before, after = ("before", "after") if currency == "record" else ("before_reporting", "after_reporting")

    def told(part: EventLog) -> pl.DataFrame:
        rows = moves(part, asked).filter(pl.col("kind") != "recounted")
        ids = part.only.of_cases("case_id").to_series().gather(rows["case_ix"])
        order = pl.when(pl.col("cases") < 0).then(0).when(pl.col("cases") > 0).then(1).otherwise(2)
        opens = pl.col("kind").is_in([kernel.CREATED, kernel.REOPENED])
        first = pl.when(opens).then(-1).otherwise(order).alias("order")
        return rows.select(ids, "at", first, "kind", *asked.keys, pl.col(before, after))

    found = asked.named(pl.concat(log.each(told))).rename({"kind": "step", before: "before", after: "after"})
    ordered = found.sort("case_id", "at", "order", maintain_order=True)
    return ordered.select("case_id", "at", "step", *asked.cells, "before", "after")


def known_at(log: EventLog, moments: Sequence[datetime]) -> None:
    """Raise `CrmMiningError` for moments of which the log knows nothing."""
    if late := [moment for moment in moments if moment > log.as_of]:
        raise CrmMiningError(
            f"{max(late):%Y-%m-%dT%H:%M:%SZ} is after the log's moment, {log.as_of:%Y-%m-%dT%H:%M:%SZ}: "
            "nothing is known of it. Ask for an earlier moment, or tell the log as of a later one."
        )
    born = pl.concat(log.each(lambda part: part.only.of_cases("created_at").min()))["created_at"].min()
    if isinstance(born, datetime) and (early := [moment for moment in moments if moment < born]):
        raise CrmMiningError(
            f"{min(early):%Y-%m-%dT%H:%M:%SZ} is before the first case of process '{log.process.name}' was "
            f"created ({born:%Y-%m-%dT%H:%M:%SZ}): what was open then is not in the data, which is not the "
            "same as nothing. Ask for a later moment."
        )


def shown(log: EventLog, found: pl.DataFrame, cells: Sequence[str], count: str = "cases") -> pl.DataFrame:
    """The table in order, its amounts Int64, without what names too few people."""
    exact = found.with_columns(pl.col(n).cast(pl.Int64, strict=False) for n in found.columns if "amount" in n)
    if exact.null_count().equals(found.null_count()):
        return withheld(
            log, exact.sort(cells, nulls_last=True), cells, None if count == "n" else pl.col(count)
        )
    raise CrmMiningError(
        "amounts add up to more than 9.2e18 minor units of a currency, more than a table can hold: "
        "look for amounts that cannot be, or ask by segments"
    )


def _tally(rows: pl.DataFrame, asked: Question, bucket: Callable[[pl.DataFrame], pl.Series]) -> pl.DataFrame:
    placed = rows.with_columns(bucket(rows))
    sums = [pl.col(name).sum() for name in COUNTS]
    return placed.group_by(*asked.keys, _BUCKET).agg(*sums, amount=pl.col("change").sum())


def _running(log: EventLog, sums: pl.DataFrame, grid: pl.DataFrame, asked: Question) -> pl.DataFrame:
    """Sums of every cell up to each row of `grid`: the buckets in order, and what they are called."""
    cells = sums.select(asked.keys).unique()
    if cells.is_empty() and not asked.cut.by:
        cells = unit(log, asked).alias(_UNIT).to_frame()
    full = cells.join(grid, how="cross").join(sums, on=[*asked.keys, _BUCKET], how="left", nulls_equal=True)
    full = full.with_columns(pl.col(*COUNTS, "amount").fill_null(0)).sort(*asked.keys, _BUCKET)
    running = full.with_columns(pl.col(*COUNTS, "amount").cum_sum().over(asked.keys))
    name = grid.columns[-1]
    return asked.named(running).select(name, *asked.cells, "cases", "amount", "nulls", "unconverted")


def unit(log: EventLog, asked: Question) -> pl.Series:
    """The reporting currency, of a pipeline that never held anything."""
    if asked.currency == "record":
        return pl.Series(dtype=pl.String)
    known = pl.concat(log.each(lambda part: part.only.of_cases("reporting_currency").unique()))
    return known.to_series().unique().sort(nulls_last=True).head(1)

"""Slippage: what became of the opportunities that were due in a period."""

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from crmmining.analyses.pipelines import flips_of, known_at, question, shown
from crmmining.analyses.waterfalls import OPEN, stands
from crmmining.eventlog import EventLog
from crmmining.kernels.merge import add
from crmmining.moments import instant


def slippage(
    log: EventLog, first: date, last: date, *, by: Sequence[str] = (), time_zone: str = "UTC"
) -> pl.DataFrame:
    """What became of what was due: opportunities open when the period began, with a close date in it.

    The period is the days from `first` to `last`, both included; how things stand at its end, or at the log's
    moment if that is earlier. Columns: `by`, unit, fate, cases, amount, nulls, unconverted (Int64), share. A
    fate is an ending of the process (won, lost, ...: as it stands at the end of the period), slipped (open,
    the close date moved beyond the period), still due (open, the close date not after the period) or undated
    (open, no close date any more). amount is what they were worth when the period began, in minor units of
    the reporting currency; nulls had no amount and unconverted no rate then, and count as 0. share is that of
    the cases of the cell. Segments are as they were when the period began. Sorted by `by` and fate; raises as
    `pipeline`, for a period that begins after the log's moment too.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> log = cm.connect("data/sample").event_log("opportunity")
    >>> found = analyses.slippage(log, date(2025, 10, 1), date(2025, 12, 31))
    >>> found.select("fate", "cases").rows()
    [('lost', 1), ('slipped', 1), ('still due', 5), ('won', 7)]
    """
    asked = question(log, by, "reporting", (first, last))
    begin = instant(first, time_zone)
    known_at(log, [begin])
    end = min(instant(last + timedelta(days=1), time_zone) - timedelta(microseconds=1), log.as_of)
    keys = [*asked.keys, "fate"]

    def tallied(part: EventLog) -> pl.DataFrame:
        flips = flips_of(part)
        was, now = (stands(part, flips, moment) for moment in (begin, end))
        at = part.only.of_cases("case_ix").with_columns(occurred_at=pl.lit(begin, pl.Datetime("us", "UTC")))
        due = was.select((pl.col("state") == OPEN) & pl.col("close_date").is_between(first, last)).to_series()
        day, is_open = pl.col("close_date"), pl.col("state") == OPEN
        still = (
            pl.when(day > last)
            .then(pl.lit("slipped"))
            .when(day.is_null())
            .then(pl.lit("undated"))
            .otherwise(pl.lit("still due"))
        )
        fate = now.select(fate=pl.when(is_open).then(still).otherwise("state"))
        rows = at.with_columns(
            *asked.cut.segments_of(part, at),
            *fate,
            was["unit"].alias(asked.keys[-1]),
            *was.select("amount", "nulls", "unconverted"),
        ).filter(due.fill_null(value=False))
        cases = pl.len().cast(pl.Int64).alias("cases")
        amount = pl.col("amount").cast(pl.Int128).sum()
        return rows.group_by(keys).agg(cases, amount, pl.col("nulls", "unconverted").sum())

    found = add(log.each(tallied), keys)
    found = found.with_columns(share=pl.col("cases") / pl.col("cases").sum().over(asked.keys))
    cells = [*asked.cells, "fate"]
    counts = ("cases", "amount", "nulls", "unconverted", "share")
    return shown(log, asked.named(found).select(*cells, *counts), cells)

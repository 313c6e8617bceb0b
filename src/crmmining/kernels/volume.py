"""Volume: how many events fall into each period, per group of cases."""

import polars as pl


def volume(events: pl.DataFrame, groups: pl.Series, periods: pl.Series) -> pl.DataFrame:
    """Tally events: `group` (UInt32), `period` (Date), `n` (Int64), sorted by group and period.

    `groups` holds the group of every `case_ix`, `periods` the period of every event; an event of a null
    group or period is not counted.
    """
    return (
        pl.DataFrame({"group": groups.gather(events["case_ix"]), "period": periods})
        .drop_nulls()
        .group_by("group", "period")
        .agg(n=pl.len().cast(pl.Int64))
        .sort("group", "period")
    )

"""Labels: the activities of a log by name, and what stands around them."""

import polars as pl

from crmmining.eventlog import EventLog
from crmmining.kernels import merge


def labels_of(log: EventLog) -> pl.DataFrame:
    """The activities of a log: code, label, family (null: none), n, cases, first, last."""

    def counted(one: EventLog) -> pl.DataFrame:
        events = one.only.columns("case_ix", "activity", "occurred_at")
        return events.group_by("activity").agg(
            n=pl.len().cast(pl.Int64),
            cases=pl.col("case_ix").n_unique().cast(pl.Int64),
            first=pl.col("occurred_at").min(),
            last=pl.col("occurred_at").max(),
        )

    merged = (
        pl.concat(log.each(counted))
        .group_by("activity")
        .agg(pl.sum("n", "cases"), first=pl.col("first").min(), last=pl.col("last").max())
    )
    names = pl.DataFrame(
        {"activity": range(len(log.activities)), "label": log.activities},
        schema={"activity": pl.UInt16, "label": pl.String},
    )
    head = pl.col("label").str.split_exact(": ", 1)
    family = pl.when(head.struct.field("field_1").is_not_null()).then(head.struct.field("field_0"))
    return merged.join(names, on="activity", how="inner").with_columns(family=family).sort("activity")


def neighbours(log: EventLog, by: list[str]) -> pl.DataFrame:
    """What most often comes before and after the activities of core: label, `by`, before, after, cases.

    -1 stands for the beginning and the end of a case; of several the first by code.
    """
    core = log.process.codes(log.process.activity_set("core"), log.activities)
    keys, sides = ["code", *by], ("before", "after")

    def counted(one: EventLog) -> list[pl.DataFrame]:
        events = one.only.among(core, "case_ix", "activity")
        shown = [one.only.cases[name].gather(events["case_ix"]).alias(name) for name in by]
        code = pl.col("code")
        same_before = pl.col("case_ix") == pl.col("case_ix").shift()
        same_after = pl.col("case_ix") == pl.col("case_ix").shift(-1)
        steps = events.select("case_ix", code=pl.col("activity").cast(pl.Int32)).with_columns(
            *shown,
            before=pl.when(same_before).then(code.shift()).otherwise(-1),
            after=pl.when(same_after).then(code.shift(-1)).otherwise(-1),
        )
        cases = steps.group_by(keys).agg(cases=pl.col("case_ix").n_unique().cast(pl.Int64))
        return [cases, *(steps.group_by(*keys, side).agg(n=pl.len().cast(pl.Int64)) for side in sides)]

    found, *steps = zip(*log.each(counted), strict=True)
    around = merge.add(found, keys)
    for side, tallies in zip(sides, steps, strict=True):
        ranked = merge.add(tallies, [*keys, side]).sort("n", side, descending=[True, False])
        most = ranked.unique(keys, keep="first", maintain_order=True).select(*keys, side)
        around = around.join(most, on=keys, how="left", nulls_equal=True)
    names = pl.DataFrame(
        {"code": range(len(log.activities)), "label": log.activities},
        schema={"code": pl.Int32, "label": pl.String},
    )
    return around.join(names, on="code", how="inner").drop("code").sort("label", *by)


def record_types(log: EventLog) -> int:
    """How many record types the cases have."""
    return pl.concat(log.each(lambda one: one.only.cases["record_type"].drop_nulls().unique())).n_unique()

"""Filtering: which cases of a partition meet every condition; what is left is picked when it is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial, reduce
from operator import and_

import polars as pl

from crmmining.eventlog.partition import Kept, Lazy, Partition
from crmmining.kernels import transitions


@dataclass(frozen=True)
class Conditions:
    """What the cases of a log must meet, in activity codes; see `EventLog.filter`."""

    core: Sequence[int]
    where: Sequence[pl.Expr] = ()
    since: datetime | None = None
    until: datetime | None = None
    having: Sequence[Sequence[int]] = ()
    lacking: Sequence[Sequence[int]] = ()
    starting: Sequence[int] | None = None
    ending: Sequence[int] | None = None
    variants: Sequence[Sequence[int]] | None = None


def keep(partition: Partition, facts: pl.DataFrame, asked: Conditions) -> pl.Series:
    """Which cases meet all that is asked, a flag per case; `facts` are theirs, in order."""
    tests = list(asked.where)
    if asked.since is not None:
        tests.append(pl.col("created_at") >= _utc(asked.since))
    if asked.until is not None:
        tests.append(pl.col("created_at") < _utc(asked.until))
    core = partition.among(asked.core, "case_ix", "activity")
    marks = [pl.repeat(value=True, n=facts.height, eager=True)]
    marks += [facts.select(test.fill_null(value=False)).to_series() for test in tests]
    marks += [_has(partition, partition.among(codes, "case_ix")) for codes in asked.having]
    marks += [~_has(partition, partition.among(codes, "case_ix")) for codes in asked.lacking]
    ends = transitions.endpoints(core)
    for side, codes in (("first", asked.starting), ("last", asked.ending)):
        if codes is not None:
            marks.append(_has(partition, ends.filter(pl.col(side).is_in(codes))))
    if asked.variants is not None:
        wanted = pl.DataFrame({"activity": asked.variants}, schema={"activity": pl.List(pl.UInt16)})
        traces = core.group_by("case_ix", maintain_order=True).agg("activity")
        marks.append(_has(partition, traces.join(wanted, on="activity", how="semi")))
    return reduce(and_, marks)


def kept(partitions: Sequence[Partition], marks: Sequence[pl.Series]) -> Sequence[Partition]:
    """The partitions with only the marked cases; those of a stored log are read when they are asked for."""
    if isinstance(partitions, Lazy):
        return Lazy(len(partitions), partial(_kept, partitions, marks))
    return tuple(map(Kept, partitions, marks))


def accounted(quality: pl.DataFrame, process: str, lost: int) -> pl.DataFrame:
    """The account of a log of which a filter took `lost` events away."""
    name = f"{process} events"
    used = (pl.col("table") == name) & (pl.col("disposition") == "used")
    left = quality.with_columns(rows=pl.when(used).then(pl.col("rows") - lost).otherwise("rows"))
    row = {
        "table": name,
        "disposition": "filtered",
        "reason": "not in the filter",
        "rows": lost,
        "examples": [],
    }
    return pl.concat([left, pl.DataFrame([row], schema=quality.schema)])


def _utc(moment: datetime) -> datetime:
    """A moment without a zone is UTC."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _kept(partitions: Sequence[Partition], marks: Sequence[pl.Series], at: int) -> Partition:
    return Kept(partitions[at], marks[at])


def _has(partition: Partition, rows: pl.DataFrame) -> pl.Series:
    """Which cases have one of `rows`."""
    return partition.cases["case_ix"].is_in(rows["case_ix"].unique().implode())

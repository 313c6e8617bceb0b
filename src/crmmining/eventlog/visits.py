"""Visits: the stages that the cases of a partition were in, one after the other."""

from typing import Final

import polars as pl

from crmmining.errors import CrmMiningError
from crmmining.eventlog import standing, waiting
from crmmining.eventlog.log import EventLog
from crmmining.kernels import visits as kernel

_INSTANT = pl.Datetime("us", "UTC")
_MOVE: Final = ("case_ix", "activity", "occurred_at", "direction", "old_value", "new_value")


def stage(log: EventLog) -> str:
    """The column of `cases` that holds the stage; raises `CrmMiningError` where the process states none."""
    process = waiting.stated(log.process)
    if not process.moves:
        raise CrmMiningError(
            f"process '{log.process.name}' does not say how its cases move from stage to stage: state under "
            "[waiting] as 'moves' which milestones tell a change of its attribute"
        )
    return log.process.segments[process.attribute]


def visits(log: EventLog) -> pl.DataFrame:
    """The visits of a partition's cases: see `kernels.visits.visits`, and `in_hours`.

    Without `entered_at` are the first visit of a case whose history is cut, or of all cases where none has a
    history, and visits begun before what is covered. `in_hours` (Int64): open microseconds of the calendar in
    force when the visit began, from then until its end or `as_of`; null without calendars.
    """
    column, part = stage(log), log.only
    moves = _moves(log, column)
    found = kernel.visits(moves.drop("old_value"), _births(log, column, moves))
    cut = part.of_cases("truncated").to_series().fill_null(value=False).gather(found["case_ix"])
    since = waiting.covered_from(log)["covered_from"].gather(found["case_ix"])
    early = (pl.col("entered_at") < since).fill_null(value=False)
    known = ~(pl.col("born") & (pl.lit(cut) | (column not in log.tracked))) & ~(pl.lit(cut) & early)
    found = found.with_columns(pl.when(known).then("entered_at")).drop("born")
    lasting = found.select(
        "case_ix", start="entered_at", end=pl.coalesce("left_at", pl.lit(log.as_of, _INSTANT))
    )
    hours = waiting.clocking(log)
    was = standing.attributes(
        part, lasting.select("case_ix", at="start"), list(dict.fromkeys(hours.values()))
    )
    return found.with_columns(waiting.worked(log, lasting, was, hours))


def _moves(log: EventLog, column: str) -> pl.DataFrame:
    """What moves cases, in log order: see `kernels.visits.visits`; and `old_value`."""
    part, process = log.only, log.process
    ends = {code: word for word in process.ends for code in log.codes(word)}
    reopens = [code for word in process.reopens for code in log.codes(word)]
    stated = [code for word in waiting.stated(process).moves for code in log.codes(word)]
    moves = part.among([*ends, *reopens, *stated], *_MOVE)
    in_force = standing.attributes(part, standing.own_times(moves), [column]).to_series().cast(pl.String)
    return moves.select(
        "case_ix",
        "old_value",
        "direction",
        pl.col("occurred_at").alias("at"),
        pl.coalesce("new_value", in_force).alias("stage"),
        pl.col("activity")
        .replace_strict(list(ends), list(ends.values()), default=None, return_dtype=pl.String)
        .alias("end"),
        pl.col("activity").is_in(reopens).alias("reopens"),
    )


def _births(log: EventLog, column: str, moves: pl.DataFrame) -> pl.DataFrame:
    """When each case was created, and in which stage: what its first move leaves, else what is on record."""
    part = log.only
    cases = part.of_cases("case_ix", "created_at")
    began = standing.attributes(part, cases.select("case_ix", at="created_at"), [column]).to_series()
    left = moves.unique("case_ix", keep="first", maintain_order=True)
    left = cases.join(left.select("case_ix", "old_value"), on="case_ix", how="left", maintain_order="left")
    return cases.select("created_at", pl.coalesce(left["old_value"], began.cast(pl.String)).alias("stage"))

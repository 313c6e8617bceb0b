"""A process with stages for tests made by hand, and its logs."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from crmmining.definitions import Process
from crmmining.eventlog import EventLog, Partition

from ..conftest import DEAL, day, log_of  # noqa: TID252 - what all tests share

STATED = DEAL.model_dump() | {
    "segments": {"region": "region", "stage": "stage", "owner": "owner"},
    "people": ["owner"],
    "waiting": {"attribute": "stage", "touches": ["touched"], "moves": ["staged"]},
}
STAGED = Process.model_validate(STATED)
Row = tuple[str, str, float] | tuple[str, str, float, int]


def staged(
    events: Sequence[Row],
    cases: Mapping[str, Mapping[str, Any]],
    *,
    process: Process = STAGED,
    as_of: float = 100,
    partitions: int = 1,
    changes: Sequence[tuple[str, str, float, str | None]] = (),
    **columns: Mapping[tuple[str, float], Any],
) -> EventLog:
    """A log whose stages change from `old_value` to `new_value` as their events are called.

    Win and Lose lead to Won and Lost, a reopening to Offer. `changes` of the stage make its history; without
    any, what it began with is the stage in `cases`. `columns` are further ones of events, by case and day.
    """
    first = [(case, "stage", 1.0, given.get("stage")) for case, given in cases.items()]
    log = log_of(
        events, cases, process=process, as_of=as_of, partitions=partitions, changes=[*first, *changes]
    )
    leads_to = {"Win": "Won", "Lose": "Lost", "Reopen": "Offer"}
    parts = []
    for part in log.partitions:
        names = [log.activities[code] for code in part.events["activity"]]
        ids = part.cases["case_id"].gather(part.events["case_ix"]).to_list()
        new = [leads_to.get(name, name.removeprefix("Stage: ")) for name in names]
        told = part.events.with_columns(
            pl.Series("new_value", new, dtype=pl.String),
            pl.lit(None, pl.String).alias("old_value"),
            date_only=pl.lit(value=False),
            actor=pl.lit("somebody"),
            delta=pl.lit(None, pl.Float64),
        )
        for name, values in columns.items():
            given = {(case, day(when)): value for (case, when), value in values.items()}
            rows = zip(ids, part.events["occurred_at"], told[name], strict=True)
            own = [given.get((case, at), before) for case, at, before in rows]
            told = told.with_columns(pl.Series(name, own, dtype=told.schema[name]))
        parts.append(Partition(told, part.cases, part.values))
    return EventLog(process, log.as_of, log.activities, tuple(parts), log.quality)

"""Handovers: how often a case changed hands, between whom, and how often it came back."""

from typing import Final

import numpy as np
import polars as pl

from crmmining.kernels.traces import first_of_run

COUNTS: Final = (
    "handovers",
    "person_handovers",
    "queue_to_person",
    "person_to_queue",
    "ping_pongs",
    "queue_ping_pongs",
    "indirect_ping_pongs",
    "queue_indirect_ping_pongs",
)


def handovers(owners: pl.DataFrame) -> pl.DataFrame:
    """Count each case's handovers: `case_ix` and `COUNTS` (Int64), a row for every case there is.

    `owners` has case_ix, owner (UInt32; null: unknown) and is_queue (Boolean), sorted by case and time; the
    first row of a case is who it began with. A handover is a row with another owner than the one before;
    person_handovers, queue_to_person and person_to_queue are those between two known owners of these kinds. A
    handover to an owner who had the case before is a ping-pong: direct with one owner in between since,
    indirect with more; the counts that begin with queue_ are the part that comes back to a queue.

    >>> ours, schema = {"case_ix": [0] * 5, "owner": [7, 8, 7, 9, 8]}, {"case_ix": pl.UInt32}
    >>> told = pl.DataFrame(ours, schema_overrides=schema)
    >>> found = handovers(told.with_columns(is_queue=pl.col("owner") == 7))
    >>> found.select("handovers", "queue_ping_pongs", "indirect_ping_pongs").row(0)
    (4, 1, 1)
    """
    known = owners["owner"].is_not_null().to_numpy()
    queue = owners["is_queue"].to_numpy() & known
    code = owners["owner"].fill_null(0).to_numpy().astype(np.int64)
    who = np.where(known, code * 2 + queue + 1, 0)
    case = owners["case_ix"].to_numpy()
    stint = np.flatnonzero(first_of_run(case) | first_of_run(who))
    case, who, queue, known = case[stint], who[stint], queue[stint], known[stint]

    begins = first_of_run(case)
    change = ~begins
    was_queue, was_known = np.roll(queue, 1), np.roll(known, 1)
    told = change & known & was_known
    order = np.lexsort((who, case))  # stable: stints of one owner stay in the order of time
    same = ~first_of_run(case[order]) & ~first_of_run(who[order])
    since = np.zeros(len(order), dtype=np.int64)  # stints since the owner last had the case
    since[order] = np.where(same, order - np.roll(order, 1), 0)
    direct, indirect = (since == 2) & known, (since > 2) & known  # noqa: PLR2004 - itself and the other one
    marks = {
        "handovers": change,
        "person_handovers": told & ~queue & ~was_queue,
        "queue_to_person": told & ~queue & was_queue,
        "person_to_queue": told & queue & ~was_queue,
        "ping_pongs": direct,
        "queue_ping_pongs": direct & queue,
        "indirect_ping_pongs": indirect,
        "queue_indirect_ping_pongs": indirect & queue,
    }
    first = np.flatnonzero(begins)
    counts = {
        name: np.add.reduceat(mark, first, dtype=np.int64) if len(first) else np.zeros(0, dtype=np.int64)
        for name, mark in marks.items()
    }
    return pl.DataFrame({"case_ix": case[first], **counts})

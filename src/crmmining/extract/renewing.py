"""A log of which some cases were told again: what is new about it, and how that is put in."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import polars as pl

from crmmining.eventlog import Partition, standing
from crmmining.eventlog.replacing import Replaced, appended, recoded
from crmmining.extract.building import Told


class Renewed(NamedTuple):
    """What became of a log: cases with Ids in `gone` go, those of `told` come; without `gone` it is all.

    `told` says what the whole log is from now on: moment, account, what is switched off, fates of rows.
    """

    told: Told
    gone: pl.Series | None


def put_in(before: Told, renewed: Renewed) -> Told:
    """The whole log, in memory."""
    log, fates = renewed.told
    if renewed.gone is None:
        return renewed.told
    if renewed.gone.is_empty():
        return Told(replace(before.log, as_of=log.as_of, quality=log.quality), fates)
    names, codes = appended(before.log.activities, log.activities)
    merged = Replaced(before.log.only, renewed.gone, recoded(log.only, codes))
    whole = Partition(merged.events, merged.cases, merged.values)
    tracked = standing.tracked([whole])
    return Told(replace(log, activities=names, partitions=(whole,), tracked=tracked), fates)


def events_of(partitions: Sequence[Partition], cases: pl.Series) -> int:
    """How many events some cases have (their Ids)."""
    found = 0
    for partition in partitions:
        theirs = partition.of_cases("case_id").to_series().is_in(cases.implode())
        if theirs.any():
            place = np.flatnonzero(theirs.to_numpy())
            of_case = partition.columns("case_ix").to_series().to_numpy()
            found += int(
                (np.searchsorted(of_case, place, side="right") - np.searchsorted(of_case, place)).sum()
            )
    return found

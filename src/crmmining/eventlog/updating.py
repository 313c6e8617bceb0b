"""Updating a stored log: only files of partitions whose cases changed are written, and little of those."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from crmmining.errors import CrmMiningError
from crmmining.eventlog import standing, stored
from crmmining.eventlog.log import EventLog
from crmmining.eventlog.partition import Kept, Partition, split
from crmmining.eventlog.replacing import Replaced, appended, recoded
from crmmining.eventlog.stored import Patch, Patched, StoredPartition

_MOST = 0.1  # of the cases of a partition may stand beside its files; with more it is written anew


def update(folder: str | Path, fresh: EventLog, gone: pl.Series, *, events: int = 2_000_000) -> None:
    """Replace cases of a stored log: those with an Id in `gone` go, those of `fresh` come.

    `fresh` is the log of the new cases alone (one partition), and states what the whole log is from now on:
    as_of, quality, off. `gone` holds the Ids of all cases that change or end, whether the log has them or
    not. Cases keep the order of their Ids: the stored log is the one that `fresh.process` would give anew. A
    partition that changes by up to 10 % keeps its files and gets others beside them; with more it is written
    anew, in pieces of about `events`. The new log takes the old one's place in one step.
    """
    place = Path(folder)
    manifest, partitions, _ = stored.read(place)
    if manifest["definition"] != fresh.process.fingerprint:
        raise CrmMiningError(f"{folder} was stored under other definitions: store the whole log again")
    activities, codes = appended(manifest["activities"], fresh.activities)
    filled = [at for at, part in enumerate(manifest["partitions"]) if part["first"] is not None] or [0]
    kept = [partitions[at] for at in filled]
    firsts = [manifest["partitions"][at]["first"] for at in filled]
    seen: set[str] = set()

    def parts() -> Iterator[Partition | Patch]:
        nobody: Partition | None = fresh.blank.only
        for part in _parts(kept, firsts, gone, recoded(fresh.only, codes), events):
            whole = Replaced(*part) if isinstance(part, Patch) else part
            seen.update(standing.tracked([whole]))
            if whole.sizes[0]:
                nobody = None
                yield part
        if nobody is not None:
            yield nobody

    def facts() -> dict[str, object]:
        return replace(fresh, activities=activities, tracked=frozenset(seen)).described

    stored.save(place, facts, parts(), fresh.quality, base=manifest)


def _parts(
    partitions: Sequence[Partition],
    firsts: Sequence[str | None],
    gone: pl.Series,
    fresh: Partition,
    events: int,
) -> Iterator[Partition | Patch]:
    """The partitions as they will be; each takes new cases from its first Id up to that of the next one."""
    ids = fresh.of_cases("case_id").to_series()
    for at, partition in enumerate(partitions):
        above = [] if at == 0 else [firsts[at]]
        below = firsts[at + 1 : at + 2]
        ends, comes = _within(gone, above, below), _within(ids, above, below)
        if not ends.any() and not comes.any():
            yield partition
            continue
        yield from _changed(partition, gone.filter(ends), Kept(fresh, comes), events)


def _within(ids: pl.Series, above: Sequence[str | None], below: Sequence[str | None]) -> pl.Series:
    """Which Ids lie in a range; without bounds all do."""
    marks = pl.repeat(value=True, n=len(ids), eager=True)
    for bound in above:
        marks &= ids >= bound
    for bound in below:
        marks &= ids < bound
    return marks


def _changed(
    partition: Partition, gone: pl.Series, fresh: Partition, events: int
) -> Iterator[Partition | Patch]:
    base, beside = partition, fresh
    if isinstance(partition, Patched):
        base, beside = partition.base, Replaced(partition.delta, gone, fresh)
        gone = pl.concat([partition.gone, gone]).unique().sort()
    if isinstance(base, StoredPartition):
        gone = gone.filter(gone.is_in(base.of_cases("case_id").to_series().implode()))
        if max(len(gone), beside.sizes[0]) <= _MOST * base.sizes[0]:
            yield Patch(base, gone, beside)
            return
    yield from split(Replaced(base, gone, beside), events)

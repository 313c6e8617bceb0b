"""Buckets: a log told from kept tables range of case Ids by range, so that only one range is in memory.

Every bucket is told by itself, wherever the file of the tables can be read: `tell_bucket` takes and gives
what can be pickled. What it writes lies in a folder: events, cases and values of its cases, the rows that
told no event of them (`silent`), and the events that are in no log (`lost`). Rows that lead to no record of
the root are a bucket of their own. `crmmining.extract.adding` makes one account of all.
"""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import local
from typing import NamedTuple

import duckdb
import polars as pl

from crmmining.definitions import Process
from crmmining.eventlog import Partition
from crmmining.eventlog.replacing import recoded
from crmmining.extract import rows, telling
from crmmining.extract.building import coded
from crmmining.extract.phases import show, transaction
from crmmining.tables import KEPT, SourceSpec, Tables, attach, database, reopen
from crmmining.tables.paths import BROADCAST, Part
from crmmining.tables.sql import identifier

_MINE = local()  # what a thread has opened: some engines tell several buckets at once in one process
EVENTS, CASES, VALUES, SILENT_ROWS, LOST = "events", "cases", "values", "silent", "lost"
_RANGES = """
SELECT min(id) AS first, max(id) AS last
FROM (SELECT {key} AS id, (row_number() OVER (ORDER BY {key}) - 1) // {share} AS place FROM {root})
GROUP BY place ORDER BY place
"""
_EVENT = ["reason", "name", "source_id", "activity", "occurred_at", "at", "case_id", "ours_id"]


class Bucket(NamedTuple):
    """Records of the root from the Id `first` to `last`; without these, all there are, or rows astray."""

    number: int
    first: str | None = None
    last: str | None = None
    astray: bool = False


@dataclass(frozen=True)
class Order:
    """What is to be told, of which tables, into which folder: the same for all buckets."""

    tables: Path
    spec: SourceSpec
    process: Process
    as_of: datetime
    stages: pl.DataFrame
    folder: Path
    memory: str
    spill: Path | None = None  # where files of the database lie meanwhile; default: the system's folder


class Written(NamedTuple):
    """What was written of a bucket."""

    number: int
    cases: int
    events: int
    activities: tuple[str, ...]
    tracked: tuple[str, ...]
    traced: bool


def buckets(tables: Tables, process: Process, as_of: datetime, size: int) -> list[Bucket]:
    """Ranges of Ids that take about so many rows of the process's own tables each, and what leads to none.

    As of an earlier moment than the clock there is one bucket for all, since paths lead where they lead
    today; and so where all fits into one.
    """
    con, place = tables.connection, f"{tables.home}.crm"
    if process.root not in tables.columns or tables.clock is None or as_of < tables.clock:
        return [Bucket(0)]
    counted = [name for name, path in process.paths.items() if path != BROADCAST and name in tables.columns]
    union = " UNION ALL ".join(f"SELECT count(*) AS n FROM {place}.{identifier(name)}" for name in counted)
    lines = con.sql(f"SELECT sum(n)::BIGINT FROM ({union})").pl().item()
    root = f"{place}.{identifier(process.root)}"
    records = con.sql(f"SELECT count(*) FROM {root}").pl().item()
    share = max(1, records * size // max(lines, 1))
    if records <= share:
        return [Bucket(0)]
    key = identifier(tables.spec.tables[process.root].key)
    ranges = con.sql(_RANGES.format(key=key, root=root, share=share)).pl()
    found = [Bucket(number, first, last) for number, (first, last) in enumerate(ranges.iter_rows())]
    return [*found, Bucket(len(found), astray=True)]


def tell_bucket(order: Order, bucket: Bucket) -> Written:
    """Tell one bucket and write it into the folder of the order; raises what `build` raises."""
    con, process = _opened(order.tables, order.memory, order.spill), order.process
    tables = reopen(con, KEPT, order.spec)
    part = _part(tables, process, bucket)
    show(tables, process, order.as_of, order.stages, part)
    with transaction(con, process.name, process.sql, "READ ONLY", keep=False):
        telling.tell(con, process, order.as_of, None if part is None else part.cases)
        told = _settled(tables, process, telling.events(con, process, "case_id"), part)
        silent = rows.silences(con, tables, process, told) if rows.own(tables, process) else None
        lost, traced = _lost(con, told, part), rows.traced(told)
        whole, names = coded(tables, process, order.as_of, told.drop("case_id"))
    frames = {EVENTS: whole.events, CASES: whole.cases, VALUES: whole.values, SILENT_ROWS: silent, LOST: lost}
    for kind, frame in frames.items():
        if frame is not None:
            frame.write_parquet(file(order.folder, kind, bucket.number))
    tracked = whole.values["attribute"].cast(pl.String).unique().sort()
    return Written(bucket.number, whole.cases.height, whole.events.height, names, tuple(tracked), traced)


def read(folder: Path, written: Written, activities: tuple[str, ...]) -> Partition:
    """What was written of a bucket as a partition, its activities coded as places in `activities`."""
    found = Partition(
        *(pl.read_parquet(file(folder, kind, written.number), glob=False) for kind in (EVENTS, CASES, VALUES))
    )
    places = [activities.index(name) for name in written.activities]
    return recoded(found, pl.Series(places, dtype=pl.UInt16))


def file(folder: Path, kind: str, number: int) -> Path:
    """Where one kind of rows of a bucket is."""
    return folder / f"{kind}-{number}.parquet"


def files(folder: Path, kind: str) -> list[Path]:
    """Where one kind of rows of all buckets is."""
    return sorted(folder.glob(f"{kind}-*.parquet"))


@contextmanager
def tables_shut() -> Iterator[None]:
    """At the end, close the tables that buckets were told from in this thread."""
    try:
        yield
    finally:
        vars(_MINE).clear()


def _opened(kept: Path, memory: str, spill: Path | None) -> duckdb.DuckDBPyConnection:
    """A connection to kept tables, the same for all buckets that are told in this thread."""
    if vars(_MINE).get("asked") != (kept, memory, spill):
        opened = database(memory, spill=spill)
        attach(opened, kept)
        _MINE.connection, _MINE.asked = opened, (kept, memory, spill)
    connection: duckdb.DuckDBPyConnection = _MINE.connection
    return connection


def _part(tables: Tables, process: Process, bucket: Bucket) -> Part | None:
    ids = pl.Series([], dtype=pl.String)
    if bucket.first is None and not bucket.astray:
        return None
    if not bucket.astray:
        key = identifier(tables.spec.tables[process.root].key)
        place = f"{tables.home}.crm.{identifier(process.root)}"
        text = f"SELECT {key} AS id FROM {place} WHERE {key} BETWEEN $first AND $last ORDER BY id"
        ends = {"first": bucket.first, "last": bucket.last}
        ids = tables.connection.sql(text, params=ends).pl().to_series()
    return Part(tables.spec, tables.columns, process.root, process.paths, ids, astray=bucket.astray)


def _settled(tables: Tables, process: Process, told: pl.DataFrame, part: Part | None) -> pl.DataFrame:
    """The events, those of records of other buckets left out: these tell them, or why they do not."""
    if part is None:
        return told
    others = told.select(pl.col("case_id").unique()).drop_nulls()
    others = others.filter(~pl.col("case_id").is_in(part.cases.implode()))
    key = identifier(tables.spec.tables[process.root].key)
    place = f"{tables.home}.crm.{identifier(process.root)}"
    tables.connection.register("others told", others)
    known = tables.connection.sql(
        f'SELECT {key} FROM {place} WHERE {key} IN (SELECT case_id FROM "others told")'
    ).pl()
    tables.connection.unregister("others told")
    return told.filter(~pl.col("case_id").is_in(known.to_series().implode()).fill_null(value=False))


def _lost(con: duckdb.DuckDBPyConnection, told: pl.DataFrame, part: Part | None) -> pl.DataFrame:
    """Events in no log, alike ones counted: reason, name, source_id, activity, ..., n, and whether `ours`.

    Those of no record of the root may be told in several buckets. `at` is when an event can be known,
    `ours_id` the case it would be of.
    """
    ours = pl.col("reason").is_in(["no case Id", "case deleted or unknown"]).not_()
    if part is None:
        ours = pl.lit(value=True)
    else:
        ours |= pl.col("case_id").is_in(part.cases.implode()).fill_null(value=False)
    lost = told.filter(pl.col("reason").is_not_null()).rename({"source_table": "name"})
    return (
        lost.with_columns(rows.KNOWN_AT, ours_id=rows.case_of(con, lost["case_ix"]))
        .group_by(*_EVENT, ours.alias("ours"))
        .agg(n=pl.len().cast(pl.Int64))
        .sort(*_EVENT)
    )

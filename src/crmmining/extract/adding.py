"""Adding up: the account of all buckets of a log, which is that of all cases at once."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import polars as pl

from crmmining.definitions import Process
from crmmining.eventlog import Engine, Partition
from crmmining.extract import rows
from crmmining.extract.buckets import (
    EVENTS,
    LOST,
    SILENT,
    Bucket,
    Order,
    files,
    read,
    tables_shut,
    tell_bucket,
)
from crmmining.extract.building import refuse_lacking
from crmmining.tables import Tables
from crmmining.tables.sql import file_literal, identifier, literal

# A row may be seen in several buckets: it is silent when none tells it, for all the reasons they give.
_REASONS = """
WITH told AS (
  SELECT DISTINCT source_table::VARCHAR AS called, source_id FROM read_parquet({events})
  WHERE source_id IS NOT NULL
),
silent AS (
  SELECT name, id, min(own) AS own, min(event) AS event, min(general) AS general
  FROM read_parquet({silent}) GROUP BY name, id
)
SELECT s.name, coalesce(s.own, s.event, s.general, {no_rule}) AS reason, count(*) AS "rows",
  min(s.id, 3) AS examples
FROM (SELECT s.*, n.called FROM silent AS s JOIN "tables told" AS n ON n.name = s.name) AS s
ANTI JOIN told AS t ON t.source_id = s.id AND coalesce(t.called, s.called) = s.called
GROUP BY ALL
"""
_KNOWN = """
SELECT {name}::USMALLINT AS name, count(*) AS "rows", count(*) FILTER ({visible}) AS known FROM {table}
"""


class Told(NamedTuple):
    """A log in buckets: what `EventLog` holds, its partitions read one by one from a folder."""

    activities: tuple[str, ...]
    partitions: Iterable[Partition]
    quality: pl.DataFrame
    tracked: frozenset[str]


def tell(tables: Tables, order: Order, asked: Sequence[Bucket], engine: Engine) -> Told:
    """Tell all buckets and make one log of them: that of `build`, in several partitions."""
    refuse_lacking(tables, order.process)
    with tables_shut():
        written = list(engine.map(partial(tell_bucket, order), asked))
    activities = tuple(sorted({name for one in written for name in one.activities}))
    filled = [one for one in written if one.cases] or written[:1]
    return Told(
        activities,
        (read(order.folder, one, activities) for one in filled),
        account(tables, order.process, order.as_of, order.folder, sum(one.events for one in written)),
        frozenset(name for one in written for name in one.tracked),
    )


def account(tables: Tables, process: Process, as_of: datetime, folder: Path, events: int) -> pl.DataFrame:
    """What `crmmining.extract.rows.account` gives for all cases, from what buckets left in a folder.

    `events` is how many events are in the log.
    """
    lost = _lost(pl.read_parquet(files(folder, LOST), glob=False))
    lines = [rows.events_line(process, events, lost)]
    mine = rows.own(tables, process)
    if not mine:
        return lines[0]
    names = {list(process.paths).index(name): name for name in mine}
    con = tables.connection
    con.register("tables told", pl.DataFrame(list(names.items()), schema=["name", "called"], orient="row"))
    reasons = con.sql(
        _REASONS.format(
            events=_listed(files(folder, EVENTS)),
            silent=_listed(files(folder, SILENT)),
            no_rule=literal(rows.NO_RULE),
        )
    ).pl()
    con.unregister("tables told")
    counts = " UNION ALL ".join(
        _KNOWN.format(
            name=at,
            visible=tables.visible(name, tables.spec.tables[name], as_of),
            table=f"{tables.home}.crm.{identifier(name)}",
        )
        for at, name in names.items()
    )
    silent = reasons.group_by("name").agg(silent=pl.col("rows").sum())
    known = (
        con.sql(counts).pl().join(silent, on="name", how="left").with_columns(pl.col("silent").fill_null(0))
    )
    lines.append(rows.rows_lines(process, names, known, reasons))
    return pl.concat(lines)


def _listed(paths: Sequence[Path]) -> str:
    return f"[{', '.join(map(file_literal, paths))}]"


def _lost(found: pl.DataFrame) -> pl.DataFrame:
    """One row per event that is in no log; one that several buckets tell is one."""
    ours, others = found.filter("ours"), found.filter(~pl.col("ours"))
    what = [name for name in found.columns if name not in {"ours", "n"}]
    once = pl.concat([ours.select(*what, "n"), others.group_by(what).agg(pl.col("n").max())])
    return once.select("name", "source_id", "reason", pl.lit(1).repeat_by("n").alias("n")).explode("n")

"""Adding up: the account of all buckets of a log, which is that of all cases at once."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import polars as pl

from crmmining.eventlog import Engine, Partition
from crmmining.extract import rows
from crmmining.extract.buckets import (
    EVENTS,
    LOST,
    SILENT_ROWS,
    Bucket,
    Order,
    files,
    read,
    tables_shut,
    tell_bucket,
)
from crmmining.extract.building import refuse_lacking
from crmmining.extract.silence import SILENT, Layer, Silent, silent
from crmmining.tables import Tables
from crmmining.tables.sql import file_literal, identifier, literal

# A row may be seen in several buckets: it is silent when none tells it, for all the reasons they give.
_SILENT = """
COPY (
  WITH told AS (
    SELECT DISTINCT source_table::VARCHAR AS called, source_id FROM read_parquet({events})
    WHERE source_id IS NOT NULL
  ),
  silent AS (
    SELECT name, id, min(own) AS own, min(event) AS event, min(general) AS general
    FROM read_parquet({silent}) GROUP BY name, id
  )
  SELECT s.name, s.id, coalesce(s.own, s.event, s.general, {no_rule}) AS reason
  FROM (SELECT s.*, n.called FROM silent AS s JOIN "tables told" AS n ON n.name = s.name) AS s
  ANTI JOIN told AS t ON t.source_id = s.id AND coalesce(t.called, s.called) = s.called
) TO {file} (FORMAT parquet, COMPRESSION lz4_raw)
"""
_REASONS = """
SELECT name, reason, count(*) AS "rows", min(id, 3) AS examples FROM read_parquet({file})
GROUP BY ALL ORDER BY name, reason
"""
_LOST_COLUMNS = ["name", "source_id", "reason", "ours_id", "at"]
_KNOWN = """
SELECT {name}::USMALLINT AS name, count(*) FILTER ({visible}) AS known, count(*) AS "rows" FROM {table}
"""


class Told(NamedTuple):
    """A log in buckets: what `EventLog` holds, its partitions read one by one from a folder."""

    activities: tuple[str, ...]
    partitions: Iterable[Partition]
    quality: pl.DataFrame
    tracked: frozenset[str]
    fates: rows.Fates


def tell(tables: Tables, order: Order, asked: Sequence[Bucket], engine: Engine) -> Told:
    """Tell all buckets and make one log of them: that of `build`, in several partitions."""
    refuse_lacking(tables, order.process)
    with tables_shut():
        written = list(engine.map(partial(tell_bucket, order), asked))
    activities = tuple(sorted({name for one in written for name in one.activities}))
    found = fates(tables, order, traced=all(one.traced for one in written))
    filled = [one for one in written if one.cases] or written[:1]
    return Told(
        activities,
        (read(order.folder, one, activities) for one in filled),
        rows.account(tables, order.process, found, sum(one.events for one in written)),
        frozenset(name for one in written for name in one.tracked),
        found,
    )


def fates(tables: Tables, order: Order, *, traced: bool) -> rows.Fates:
    """What `crmmining.extract.rows.fates` gives for all cases, from what buckets left in a folder."""
    con, folder, process = tables.connection, order.folder, order.process
    lost = _lost(pl.read_parquet(files(folder, LOST), glob=False))
    names = {at: name for name, at in rows.places(tables, process).items()}
    if not names:
        nothing = pl.DataFrame(schema=SILENT)
        none = pl.DataFrame(schema={"name": pl.UInt16, "known": pl.Int64, "rows": pl.Int64})
        return rows.Fates(silent(nothing), rows.smallest(nothing), lost, none, traced)
    con.register("tables told", pl.DataFrame(list(names.items()), schema=["name", "called"], orient="row"))
    whole = folder / "silent.parquet"
    con.execute(
        _SILENT.format(
            events=_listed(files(folder, EVENTS)),
            silent=_listed(files(folder, SILENT_ROWS)),
            no_rule=literal(rows.NO_RULE),
            file=literal(str(whole)),  # where files are written nothing stands for several
        )
    )
    con.unregister("tables told")
    reasons = con.sql(_REASONS.format(file=file_literal(whole))).pl()
    counts = " UNION ALL ".join(
        _KNOWN.format(
            name=at,
            visible=tables.visible(name, tables.spec.tables[name], order.as_of),
            table=f"{tables.home}.crm.{identifier(name)}",
        )
        for at, name in names.items()
    )
    height = int(reasons["rows"].sum())
    kept = Silent(Layer(whole, height), Layer(pl.DataFrame(schema=SILENT), 0))
    return rows.Fates(kept, reasons, lost, con.sql(counts).pl(), traced)


def _listed(paths: Sequence[Path]) -> str:
    return f"[{', '.join(map(file_literal, paths))}]"


def _lost(found: pl.DataFrame) -> pl.DataFrame:
    """One row per event that is in no log; one that several buckets tell is one."""
    ours, others = found.filter("ours"), found.filter(~pl.col("ours"))
    what = [name for name in found.columns if name not in {"ours", "n"}]
    once = pl.concat([ours.select(*what, "n"), others.group_by(what).agg(pl.col("n").max())])
    every = once.select(*_LOST_COLUMNS, pl.lit(1).repeat_by("n").alias("n")).explode("n").drop("n")
    return every.rename({"ours_id": "case_id"})

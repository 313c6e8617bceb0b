"""The account of rows: what became of every row of every table of a process, and of every event it told."""

import duckdb
import polars as pl

from crmmining.definitions import Process
from crmmining.tables import Tables
from crmmining.tables.paths import BROADCAST
from crmmining.tables.sql import identifier, literal

NO_RULE = "NO RULE tells it"
LATER = "not known yet"

_EVENTS = """
SELECT {label} AS "table", CASE WHEN reason IS NULL THEN 'used' ELSE 'filtered' END AS disposition, reason,
       count(*) AS "rows", coalesce(min(source_id, 3) FILTER (reason IS NOT NULL), []) AS examples
FROM log_events GROUP BY reason ORDER BY reason NULLS FIRST
"""
_KNOWN = """
SELECT name, (SELECT count(*) FROM as_of.{table}) AS known, (SELECT count(*) FROM whole.{table}) AS "rows"
FROM (SELECT {name} AS name)
"""
# Rows that tell no event of the log; each has a reason, the process's own or that of an event set aside.
_SILENT = """
CREATE TEMP TABLE log_silent AS
SELECT r.name, r.id FROM ({rows}) AS r
ANTI JOIN ({told}) AS t ON t.name = r.name AND t.source_id = r.id
"""
_ROW = "SELECT {name}::{names} AS name, {key} AS id FROM as_of.{table}"
# An event that names no table may be told by any.
_TOLD = """
SELECT source_table AS name, source_id, reason FROM log_events
WHERE reason {which} AND source_id IS NOT NULL AND source_table IS NOT NULL
UNION ALL
SELECT n.name, e.source_id, e.reason
FROM log_events AS e CROSS JOIN (SELECT unnest(enum_range(NULL::{names})) AS name) AS n
WHERE e.reason {which} AND e.source_id IS NOT NULL AND e.source_table IS NULL
"""
_REASONS = """
SELECT name::VARCHAR AS name, reason, count(*) AS "rows", min(id, 3) AS examples
FROM (
  SELECT s.name, s.id, {reason} AS reason
  FROM log_silent AS s
  LEFT JOIN (SELECT try_cast(source_table AS {names}) AS name, source_id, reason FROM unused) AS u
    ON u.name = s.name AND u.source_id = s.id
  LEFT JOIN ({lost}) AS e ON e.name = s.name AND e.source_id = s.id
  {each}
) AS found
GROUP BY ALL
"""


def account(con: duckdb.DuckDBPyConnection, tables: Tables, process: Process) -> pl.DataFrame:
    """What the log leaves of the process's events and of the rows of its own tables.

    Columns: table, disposition (used, filtered), reason, rows, examples (three Ids). Per table the rows add
    up to those there are. A row is used when it tells an event of the log; what the process's SQL says of it
    in view `unused` is the reason when it tells none (of several the first by name), else why its event is
    not in the log.
    """
    events: pl.DataFrame = con.sql(_EVENTS.format(label=literal(f"{process.name} events"))).pl()
    mine = own(tables, process)
    if not mine:
        return events
    names = tables_type(process)
    keys = {name: identifier(tables.spec.tables[name].key) for name in mine}
    every = [
        _ROW.format(name=literal(name), names=names, key=key, table=identifier(name))
        for name, key in keys.items()
    ]
    told = _TOLD.format(which="IS NULL", names=names)
    con.execute(_SILENT.format(rows=" UNION ALL ".join(every), told=told))
    counts = [_KNOWN.format(table=identifier(name), name=literal(name)) for name in mine]
    known = con.sql(" UNION ALL ".join(counts)).pl()
    silent = con.sql("SELECT name::VARCHAR AS name, count(*) AS silent FROM log_silent GROUP BY name").pl()
    known = known.join(silent, on="name", how="left").with_columns(pl.col("silent").fill_null(0))
    reasons = _reasons(con, names, known["silent"].sum())
    none = pl.lit([], pl.List(pl.String))
    parts = [
        known.select(
            "name", pl.lit(None, pl.String).alias("reason"), pl.col("known") - pl.col("silent"), none
        ),
        reasons,
        known.select("name", pl.lit(LATER).alias("reason"), pl.col("rows") - pl.col("known"), none),
    ]
    columns = ["name", "reason", "rows", "examples"]
    lines: pl.DataFrame = pl.concat(
        [part.rename(dict(zip(part.columns, columns, strict=True))) for part in parts]
    )
    place = pl.col("name").replace_strict(mine, range(len(mine)))
    lines = lines.filter(pl.col("rows") > 0).sort(place, pl.col("reason"), nulls_last=False)
    used = pl.col("reason").is_null()
    named = lines.select(
        (pl.lit(f"{process.name}: ") + pl.col("name")).alias("table"),
        pl.when(used).then(pl.lit("used")).otherwise(pl.lit("filtered")).alias("disposition"),
        "reason",
        "rows",
        "examples",
    )
    account: pl.DataFrame = pl.concat([events, named], how="vertical_relaxed")
    return account


def own(tables: Tables, process: Process) -> list[str]:
    """The tables whose rows the process accounts for: those that lead to cases and can be told apart."""
    return [
        name
        for name, path in process.paths.items()
        if path != BROADCAST and tables.has(f"{name}.{tables.spec.tables[name].key}")
    ]


def tables_type(process: Process) -> str:
    """The SQL type of the names of a process's tables."""
    return f"ENUM ({', '.join(map(literal, process.paths))})"


def _reasons(con: duckdb.DuckDBPyConnection, names: str, silent: int) -> pl.DataFrame:
    """Silent rows by table and reason; where a row has several, what is first by name counts."""
    words = {"names": names, "lost": _TOLD.format(which="IS NOT NULL", names=names)}
    otherwise = literal(NO_RULE)
    reason = f"coalesce(u.reason, e.reason, {otherwise})"
    found: pl.DataFrame = con.sql(_REASONS.format(**words, reason=reason, each="")).pl()
    if found["rows"].sum() > silent:
        reason = f"coalesce(min(u.reason), min(e.reason), {otherwise})"
        found = con.sql(_REASONS.format(**words, reason=reason, each="GROUP BY s.name, s.id")).pl()
    return found

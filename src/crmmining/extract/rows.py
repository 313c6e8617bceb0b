"""The account of rows: what became of every row of every table of a process, and of every event it told."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import duckdb
import polars as pl

from crmmining.definitions import Process
from crmmining.tables import Tables
from crmmining.tables.paths import BROADCAST
from crmmining.tables.sql import identifier, literal

NO_RULE = "NO RULE tells it"
LATER = "not known yet"
_NONE = pl.lit([], pl.List(pl.String))

# Rows that tell no event of the log; each has a reason, the process's own or that of an event set aside. An
# event that names no table may be told by any; a reason without a row is that of all rows without another.
_SILENT = """
CREATE TEMP TABLE log_silent AS
SELECT r.name, r.id FROM ({rows}) AS r
ANTI JOIN "events told" AS t ON coalesce(t.name, r.name) = r.name AND t.source_id = r.id
"""
_ROW = "SELECT {name}::USMALLINT AS name, {key} AS id FROM as_of.{table}"
_EXPLAINED = """
CREATE TEMP TABLE log_explained AS
SELECT enum_code(try_cast(source_table AS {names}))::USMALLINT AS name, source_id, reason FROM unused
WHERE reason IS NOT NULL
"""
_WHY = """
SELECT s.name, s.id, {reason}
FROM log_silent AS s
LEFT JOIN (FROM log_explained WHERE source_id IS NOT NULL) AS u ON u.name = s.name AND u.source_id = s.id
LEFT JOIN "events lost" AS e ON coalesce(e.name, s.name) = s.name AND e.source_id = s.id
LEFT JOIN (
  SELECT name, min(reason) AS reason FROM log_explained WHERE source_id IS NULL GROUP BY name
) AS d ON d.name = s.name
{each}
"""
_REASONS = """
SELECT name, reason, count(*) AS "rows", min(id, 3) AS examples FROM ({why}) AS found GROUP BY ALL
"""
_EACH = "GROUP BY s.name, s.id"
_KNOWN = """
SELECT {name}::USMALLINT AS name, (SELECT count(*) FROM as_of.{table}) AS known,
  (SELECT count(*) FROM whole.{table}) AS "rows"
"""


def account(
    con: duckdb.DuckDBPyConnection, tables: Tables, process: Process, events: pl.DataFrame
) -> pl.DataFrame:
    """What the log leaves of the process's `events` and of the rows of its own tables.

    Columns: table, disposition (used, filtered), reason, rows, examples (three Ids). Per table the rows add
    up to those there are. A row is used when it tells an event of the log; what the process's SQL says of it
    in view `unused` is the reason when it tells none (of several the first by name), else why its event is
    not in the log, else what `unused` says of all rows of its table.
    """
    lost = _lost(events)
    lines = [events_line(process, events.height - lost.height, lost)]
    mine = own(tables, process)
    if not mine:
        return lines[0]
    place = {name: list(process.paths).index(name) for name in mine}
    counts = " UNION ALL ".join(_KNOWN.format(name=at, table=identifier(name)) for name, at in place.items())
    with _silent(con, tables, process, events, lost):
        known = con.sql(counts).pl()
        silent = con.sql("SELECT name, count(*) AS silent FROM log_silent GROUP BY name").pl()
        known = known.join(silent, on="name", how="left").with_columns(pl.col("silent").fill_null(0))
        reasons = _reasons(con, known["silent"].sum())
    names = dict(zip(place.values(), place, strict=True))
    lines.append(rows_lines(process, names, known, reasons))
    return pl.concat(lines)


def silent(
    con: duckdb.DuckDBPyConnection, tables: Tables, process: Process, events: pl.DataFrame
) -> pl.DataFrame:
    """The rows of its own tables that told no event of the log, and what each kind of reason says of them.

    Columns: name (place among the paths), id, own (of the row itself), event (of events not in the log),
    general (of all rows of the table); null where there is none, of several the first by name.
    """
    columns = "min(u.reason) AS own, min(e.reason) AS event, min(d.reason) AS general"
    with _silent(con, tables, process, events, _lost(events)):
        found: pl.DataFrame = con.sql(_WHY.format(reason=columns, each=_EACH)).pl()
    return found


def _lost(events: pl.DataFrame) -> pl.DataFrame:
    """Events that are not in the log."""
    lost = events.filter(pl.col("reason").is_not_null())
    return lost.select(pl.col("source_table").alias("name"), "source_id", "reason")


@contextmanager
def _silent(
    con: duckdb.DuckDBPyConnection,
    tables: Tables,
    process: Process,
    events: pl.DataFrame,
    lost: pl.DataFrame,
) -> Iterator[None]:
    """Show SQL the rows that told no event, and all that may be the reason."""
    with_id = pl.col("source_id").is_not_null()
    told = events.filter(pl.col("reason").is_null() & with_id)
    con.register("events told", told.select(pl.col("source_table").alias("name"), "source_id"))
    con.register("events lost", lost.filter(with_id))
    every = " UNION ALL ".join(
        _ROW.format(
            name=list(process.paths).index(name),
            key=identifier(tables.spec.tables[name].key),
            table=identifier(name),
        )
        for name in own(tables, process)
    )
    con.execute(_SILENT.format(rows=every))
    con.execute(_EXPLAINED.format(names=tables_type(process)))
    yield
    con.unregister("events told")
    con.unregister("events lost")


def rows_lines(
    process: Process, names: Mapping[int, str], known: pl.DataFrame, reasons: pl.DataFrame
) -> pl.DataFrame:
    """The account of the rows of tables, called by `names`.

    `known`: name, rows (all there are), known (as of the moment), silent (of these); `reasons`: name, reason,
    rows, examples of the silent ones.
    """
    used, later = pl.lit(None, pl.String), pl.lit(LATER)
    parts = [
        known.select("name", used.alias("reason"), rows=pl.col("known") - pl.col("silent"), examples=_NONE),
        reasons,
        known.select("name", later.alias("reason"), rows=pl.col("rows") - pl.col("known"), examples=_NONE),
    ]
    found = pl.concat(parts).filter(pl.col("rows") > 0).sort("name", "reason", nulls_last=False)
    called = pl.col("name").replace_strict(list(names), list(names.values()), return_dtype=pl.String)
    return _lines((pl.lit(f"{process.name}: ") + called).alias("table"), found)


def events_line(process: Process, told: int, lost: pl.DataFrame) -> pl.DataFrame:
    """How many events are in the log, and why others are not."""
    examples = pl.col("source_id").drop_nulls().sort().head(3).alias("examples")
    why = lost.group_by("reason").agg(pl.len().cast(pl.Int64).alias("rows"), examples).sort("reason")
    used = pl.DataFrame({"reason": [None], "rows": [told], "examples": [[]]}, schema=why.schema)
    return _lines(pl.lit(f"{process.name} events").alias("table"), pl.concat([used, why]))


def _lines(table: pl.Expr, found: pl.DataFrame) -> pl.DataFrame:
    used = pl.col("reason").is_null()
    disposition = pl.when(used).then(pl.lit("used")).otherwise(pl.lit("filtered")).alias("disposition")
    return found.select(table, disposition, "reason", "rows", "examples")


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


def _reasons(con: duckdb.DuckDBPyConnection, silent: int) -> pl.DataFrame:
    """Silent rows by table and reason; where a row has several, what is first by name counts."""
    otherwise = f"d.reason, {literal(NO_RULE)}"
    why = _WHY.format(reason=f"coalesce(u.reason, e.reason, {otherwise}) AS reason", each="")
    found: pl.DataFrame = con.sql(_REASONS.format(why=why)).pl()
    if found["rows"].sum() > silent:
        first = f"coalesce(min(u.reason), min(e.reason), min(d.reason), {literal(NO_RULE)}) AS reason"
        found = con.sql(_REASONS.format(why=_WHY.format(reason=first, each=_EACH))).pl()
    return found

"""The account of rows: what became of every row of every table of a process, and of every event it told."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import duckdb
import polars as pl

from crmmining.definitions import Process
from crmmining.extract.silence import SILENT, Silent, silent
from crmmining.tables import Tables
from crmmining.tables.parts import seen
from crmmining.tables.paths import BROADCAST
from crmmining.tables.sql import identifier, literal

NO_RULE = "NO RULE tells it"
LATER = "not known yet"
AFTER = "after as_of"  # as the SQL of telling says
_NONE = pl.lit([], pl.List(pl.String))
KNOWN_AT = pl.max_horizontal("occurred_at", "recorded_at").alias("at")  # since when an event can be known

# Rows that tell no event of the log; each has a reason, the process's own or that of an event set aside. An
# event that names no table may be told by any; a reason without a row is that of all rows without another.
_SILENT = """
CREATE TEMP TABLE log_silent AS
SELECT r.name, r.id FROM ({rows}) AS r
ANTI JOIN "events told" AS t ON coalesce(t.name, r.name) = r.name AND t.source_id = r.id
"""
_ROW = "SELECT {name}::USMALLINT AS name, {key} AS id FROM as_of.{table}"
_CHOSEN = " WHERE {key} IN (SELECT key FROM {seen})"
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
_EACH = "GROUP BY s.name, s.id"
_REASONS = "CREATE OR REPLACE TEMP TABLE log_reasons AS "
_KNOWN = """
SELECT {name}::USMALLINT AS name, (SELECT count(*) FROM as_of.{table}) AS known,
  (SELECT count(*) FROM whole.{table}) AS "rows"
"""


class Fates(NamedTuple):
    """What became of rows, tables by their place among the paths of the process.

    silent: every known row that tells no event of the log, with its reason; reasons: name, reason, rows and
    examples (the three first Ids) of these. lost: name, source_id, reason, case_id and at (when it can be
    known) of events that are not in the log. counts: name, known, rows per table. `traced`: every event told
    names its row and the table.
    """

    silent: Silent
    reasons: pl.DataFrame
    lost: pl.DataFrame
    counts: pl.DataFrame
    traced: bool


def fates(
    con: duckdb.DuckDBPyConnection,
    tables: Tables,
    process: Process,
    events: pl.DataFrame,
    *,
    chosen: bool = False,
) -> Fates:
    """What became of the rows shown, or only those `chosen` for the process, and of the `events` they told.

    A row is used when it tells an event of the log; what the process's SQL says of it in view `unused` is the
    reason when it tells none (of several the first by name), else why its event is not in the log, else what
    `unused` says of all rows of its table.
    """
    lost = events.filter(pl.col("reason").is_not_null())
    lost = lost.select(
        pl.col("source_table").alias("name"),
        "source_id",
        pl.col("reason").cast(pl.String),
        case_of(con, lost["case_ix"]).alias("case_id"),
        KNOWN_AT,
    )
    place = places(tables, process)
    if not place:
        counts = pl.DataFrame(schema={"name": pl.UInt16, "known": pl.Int64, "rows": pl.Int64})
        nothing = pl.DataFrame(schema=SILENT)
        return Fates(silent(nothing), smallest(nothing), lost, counts, traced(events))
    with _shown(con, tables, process, events, lost, chosen=chosen):
        found, reasons = _reasons(con)
    known = " UNION ALL ".join(_KNOWN.format(name=at, table=identifier(name)) for name, at in place.items())
    return Fates(silent(found), reasons, lost, con.sql(known).pl(), traced(events))


def traced(events: pl.DataFrame) -> bool:
    """Whether every event told names its row and the table."""
    return not events.select((pl.col("source_id").is_null() | pl.col("source_table").is_null()).any()).item()


def case_of(con: duckdb.DuckDBPyConnection, places: pl.Series) -> pl.Series:
    """The Ids of cases of the log, given their places."""
    ids: pl.Series = con.sql("SELECT case_id FROM log_cases ORDER BY case_ix").pl().to_series()
    return ids.cast(pl.String).gather(places)


def silences(
    con: duckdb.DuckDBPyConnection, tables: Tables, process: Process, events: pl.DataFrame
) -> pl.DataFrame:
    """The rows of its own tables that told no event of the log, and what each kind of reason says of them.

    Columns: name (place among the paths), id, own (of the row itself), event (of events not in the log),
    general (of all rows of the table); null where there is none, of several the first by name.
    """
    lost = events.filter(pl.col("reason").is_not_null())
    columns = "min(u.reason) AS own, min(e.reason) AS event, min(d.reason) AS general"
    with _shown(con, tables, process, events, lost.rename({"source_table": "name"})):
        found: pl.DataFrame = con.sql(_WHY.format(reason=columns, each=_EACH)).pl()
    return found


@contextmanager
def _shown(
    con: duckdb.DuckDBPyConnection,
    tables: Tables,
    process: Process,
    events: pl.DataFrame,
    lost: pl.DataFrame,
    *,
    chosen: bool = False,
) -> Iterator[None]:
    """Show SQL the rows that told no event, and all that may be the reason."""
    with_id = pl.col("source_id").is_not_null()
    told = events.filter(pl.col("reason").is_null() & with_id)
    con.register("events told", told.select(pl.col("source_table").alias("name"), "source_id"))
    con.register("events lost", lost.filter(with_id).select("name", "source_id", "reason"))
    every = []
    for name, at in places(tables, process).items():
        key = identifier(tables.spec.tables[name].key)
        some = _CHOSEN.format(key=key, seen=seen(process.name, name)) if chosen else ""
        every.append(_ROW.format(name=at, key=key, table=identifier(name)) + some)
    con.execute(_SILENT.format(rows=" UNION ALL ".join(every)))
    con.execute(_EXPLAINED.format(names=tables_type(process)))
    yield
    con.unregister("events told")
    con.unregister("events lost")


def smallest(silent: pl.DataFrame) -> pl.DataFrame:
    """How many rows have a reason, and the first three: name, reason, rows, examples."""
    return (
        silent.group_by("name", pl.col("reason").cast(pl.String))
        .agg(rows=pl.len().cast(pl.Int64), examples=pl.col("id").bottom_k(3).sort())
        .sort("name", "reason")
    )


def revised(before: Fates, looked_at: pl.DataFrame, fresh: Fates) -> Fates:
    """Fates in which those of the rows that were looked at again (name, id) are the `fresh` ones.

    `fresh` holds no other rows, but `counts` of all.
    """
    met, theirs = before.silent.of(looked_at), fresh.silent.rows()
    silent = before.silent.renewed(met, theirs)
    rows, row = ["name", "source_id"], ["name", "id"]
    lost = pl.concat(
        [
            before.lost.join(looked_at, how="anti", left_on=rows, right_on=row),
            fresh.lost.join(looked_at, how="semi", left_on=rows, right_on=row),
        ]
    )
    reasons = _reasons_after(before.reasons, silent, looked_at, met, theirs)
    return Fates(silent, reasons, lost, fresh.counts, fresh.traced)


def mute(found: Fates) -> pl.DataFrame:
    """Tables none of whose rows tells an event, all for the same reason: name, reason."""
    silent = found.reasons.group_by("name").agg(pl.len(), pl.col("rows").sum(), pl.col("reason").first())
    both = found.counts.select("name", "known").join(silent, on="name")
    return both.filter(len=1, rows=pl.col("known")).select("name", "reason").sort("name")


def speaks(quiet: pl.DataFrame, fresh: Fates, events: pl.DataFrame) -> bool:
    """Whether a table that was `quiet` tells an event now, or has a row with another reason."""
    others = fresh.reasons.join(quiet.rename({"reason": "so far"}), on="name").filter(
        pl.col("reason") != pl.col("so far")
    )
    told = events["source_table"].to_physical().is_in(quiet["name"].cast(pl.UInt32).implode())
    return not others.is_empty() or bool(told.any())


def _reasons_after(
    before: pl.DataFrame, now: Silent, looked_at: pl.DataFrame, met: pl.DataFrame, theirs: pl.DataFrame
) -> pl.DataFrame:
    """The reasons when silent rows that were `met` are `theirs` now; other examples where one is gone."""
    what = ["name", "reason"]
    less, more = smallest(met), smallest(theirs)
    counted = pl.concat(
        [before.select(*what, "rows"), more.select(*what, "rows"), less.select(*what, -pl.col("rows"))]
    )
    counted = counted.group_by(what).agg(pl.col("rows").sum()).filter(pl.col("rows") > 0)
    old = before.select(*what, id="examples").explode("id", empty_as_null=False)
    stay = old.join(looked_at, on=["name", "id"], how="anti")
    new = more.select(*what, id="examples").explode("id", empty_as_null=False)
    seen = pl.concat([stay, new]).group_by(what).agg(examples=pl.col("id").bottom_k(3).sort())
    poorer = old.join(looked_at, on=["name", "id"], how="semi").select(what).unique()
    if not poorer.is_empty():
        renewed = smallest(now.because(poorer)).select(*what, "examples")
        seen = pl.concat([seen.join(poorer, on=what, how="anti"), renewed])
    return counted.join(seen, on=what, how="left").sort(what)


def account(tables: Tables, process: Process, found: Fates, told: int) -> pl.DataFrame:
    """What a log of so many events leaves of the rows of the process's own tables.

    Columns: table, disposition (used, filtered), reason, rows, examples (three Ids). Per table the rows add
    up to those there are.
    """
    lines = [events_line(process, told, found.lost)]
    place = places(tables, process)
    if not place:
        return lines[0]
    silent = found.reasons.group_by("name").agg(silent=pl.col("rows").sum())
    known = found.counts.join(silent, on="name", how="left").with_columns(pl.col("silent").fill_null(0))
    names = {at: name for name, at in place.items()}
    return pl.concat([*lines, rows_lines(process, names, known, found.reasons)])


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


def places(tables: Tables, process: Process) -> dict[str, int]:
    """The process's own tables with their places among its paths."""
    return {name: list(process.paths).index(name) for name in own(tables, process)}


def tables_type(process: Process) -> str:
    """The SQL type of the names of a process's tables."""
    return f"ENUM ({', '.join(map(literal, process.paths))})"


def _reasons(con: duckdb.DuckDBPyConnection) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Silent rows with their reason, and the reasons; of several the first by name counts."""
    otherwise = f"d.reason, {literal(NO_RULE)}"
    con.execute(
        _REASONS + _WHY.format(reason=f"coalesce(u.reason, e.reason, {otherwise}) AS reason", each="")
    )
    counted = "SELECT (SELECT count(*) FROM log_reasons) > (SELECT count(*) FROM log_silent)"
    if con.sql(counted).pl().item():
        reason = f"coalesce(min(u.reason), min(e.reason), min(d.reason), {literal(NO_RULE)}) AS reason"
        con.execute(_REASONS + _WHY.format(reason=reason, each=_EACH))
    reasons: pl.DataFrame = con.sql(
        'SELECT name, reason, count(*) AS "rows", min(id, 3) AS examples FROM log_reasons GROUP BY ALL '
        "ORDER BY name, reason"
    ).pl()
    words = reasons["reason"].unique().sort() if reasons.height else pl.Series([NO_RULE])
    kind = f"ENUM ({', '.join(map(literal, words))})"
    rows: pl.DataFrame = con.sql(
        f"SELECT name, id, enum_code(reason::{kind})::USMALLINT AS reason FROM log_reasons"  # noqa: S608
    ).pl()
    return rows.with_columns(rows["reason"].cat.to(pl.Enum(words)).cast(pl.Categorical())), reasons

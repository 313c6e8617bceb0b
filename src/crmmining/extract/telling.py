"""What a process's SQL tells: its views, held against their contract.

Table `log_cases`: case_ix (place among the sorted Ids) and the columns of view `cases`. View `log_events`:
every row of view `events` with the case_ix of its case and, where it is not in the log, its case_id and the
reason. Both are gone when the transaction ends.
"""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

from collections.abc import Mapping, Sequence
from datetime import datetime

import duckdb
import polars as pl

from crmmining.definitions import Process
from crmmining.errors import DefinitionError
from crmmining.extract.rows import tables_type
from crmmining.tables.sql import identifier, literal

Types = Mapping[str, pl.DataType]

_INSTANT = pl.Datetime("us", "UTC")
_TEXT = pl.String()
_SQL_TYPES = {_TEXT: "VARCHAR", _INSTANT: "TIMESTAMPTZ"}
_CASES: Types = {"case_id": _TEXT, "created_at": _INSTANT, "truncated": pl.Boolean()}
_EVENTS: Types = {
    "case_id": _TEXT,
    "activity": _TEXT,
    "occurred_at": _INSTANT,
    "recorded_at": _INSTANT,
    "actor": _TEXT,
    "record_id": _TEXT,
    "source_table": _TEXT,
    "source_id": _TEXT,
}
_LEVELS: Types = {"field": _TEXT, "word": _TEXT, "level": pl.Int64()}  # as the process states them
_REQUIRED = ("case_id", "activity", "occurred_at")
_CAST = {  # further columns of events: type, and what stands in where the view has none
    "rank": ("UTINYINT", "0"),
    "seq": ("USMALLINT", "0"),
    "old_value": ("VARCHAR", "NULL"),
    "new_value": ("VARCHAR", "NULL"),
    "direction": ("TINYINT", "NULL"),
    "delta": ("DOUBLE", "NULL"),
    "date_only": ("BOOLEAN", "false"),
}
_OPTIONAL: Mapping[str, Types] = {  # views a process may do without
    "attributes": {
        "case_id": _TEXT,
        "attribute": _TEXT,
        "since": _INSTANT,
        "seq": pl.UInt16(),
        "value": _TEXT,
    },
    "unused": {"source_table": _TEXT, "source_id": _TEXT, "reason": _TEXT},
}

VIEWS = ("cases", "events", *_OPTIONAL)
# How the types that views must have are called in DuckDB.
_PLAIN: Types = {
    "VARCHAR": _TEXT,
    "TIMESTAMP WITH TIME ZONE": _INSTANT,
    "BOOLEAN": pl.Boolean(),
    "BIGINT": pl.Int64(),
    "DOUBLE": pl.Float64(),
    "INTEGER": pl.Int32(),
    "TINYINT": pl.Int8(),
    "UTINYINT": pl.UInt8(),
    "USMALLINT": pl.UInt16(),
    "UINTEGER": pl.UInt32(),
    "DATE": pl.Date(),
}

_LOG_CASES = """
CREATE TEMP TABLE log_cases AS
SELECT (row_number() OVER (ORDER BY case_id) - 1)::UINTEGER AS case_ix, * FROM cases {which}
"""
_LOG_EVENTS = """
CREATE TEMP VIEW log_events AS
SELECT c.case_ix, e.* EXCLUDE (case_id), CASE WHEN c.case_ix IS NULL THEN e.case_id END AS case_id,
       CASE WHEN e.case_id IS NULL THEN 'no case Id'
            {others}
            WHEN c.case_ix IS NULL THEN 'case deleted or unknown'
            WHEN e.activity IS NULL THEN 'no activity'
            WHEN e.occurred_at IS NULL THEN 'no time'
            WHEN greatest(e.occurred_at, e.recorded_at) > {as_of} THEN 'after as_of'
       END AS reason
FROM (SELECT {columns} FROM events) AS e
LEFT JOIN (SELECT case_ix, case_id FROM log_cases) AS c ON c.case_id = e.case_id
"""

_TOLD = """
SELECT case_ix, activity, occurred_at, recorded_at, actor, rank, seq, record_id,
       enum_code(source_table)::USMALLINT AS source_table, source_id, old_value, new_value, direction, delta,
       date_only, reason {more}
FROM log_events
"""


def tell(
    con: duckdb.DuckDBPyConnection, process: Process, as_of: datetime, only: pl.Series | None = None
) -> None:
    """Run the SQL of `process` and show what it tells, of all cases or only those with these Ids.

    Raises `DefinitionError` with its views' faults.
    """
    con.register("levels given", pl.DataFrame(process.ranked, schema=_LEVELS, orient="row"))
    con.execute('CREATE OR REPLACE TEMP TABLE levels AS FROM "levels given"')
    con.unregister("levels given")
    con.execute(process.sql)
    _add(con)
    there = _views(con)
    for view, types in _OPTIONAL.items():
        if view not in there:
            nulls = ", ".join(
                f"NULL::{_SQL_TYPES.get(kind, 'USMALLINT')} AS {name}" for name, kind in types.items()
            )
            con.execute(f"CREATE TEMP VIEW {view} AS SELECT {nulls} FROM (SELECT 1 WHERE false)")
    wanted = {"cases": _CASES, "events": _EVENTS, **_OPTIONAL}
    emitted = {view: _schema(con, view) for view in wanted}
    faults = [fault for view, types in wanted.items() for fault in _faults(view, emitted[view], types)]
    taken = sorted(process.derived & set(emitted["cases"]))
    faults += [f"view 'cases' has the derived column '{name}'" for name in taken]
    refuse(process, faults)
    which, others = "", ""
    if only is not None:
        con.register("cases asked for", pl.DataFrame({"id": only.cast(pl.String)}))
        con.execute('CREATE TEMP TABLE log_asked AS FROM "cases asked for"')
        con.unregister("cases asked for")
        which = "WHERE case_id IN (FROM log_asked)"
        others = "WHEN c.case_ix IS NULL AND e.case_id IN (SELECT case_id FROM cases) THEN 'another case'"
    con.execute(_LOG_CASES.format(which=which))
    columns = _columns(emitted["events"], tables_type(process))
    moment = f"{literal(as_of.isoformat())}::TIMESTAMPTZ"
    con.execute(_LOG_EVENTS.format(others=others, columns=columns, as_of=moment))


def events(con: duckdb.DuckDBPyConnection, process: Process, *more: str) -> pl.DataFrame:
    """All events told, `source_table` by its place among the paths; raises `DefinitionError` for all faults.

    Columns: those of the log in the types of DuckDB, `reason` why an event is not in the log, and what `more`
    of view `log_events` is asked for.
    """
    found: pl.DataFrame = con.sql(_TOLD.format(more="".join(f", {name}" for name in more))).pl()
    told = pl.col("reason").is_null()
    unranked = found.select((told & pl.col("rank").is_null()).sum()).item()
    faults = _case_faults(con, process)
    faults += [f"column 'rank' of view 'events' has {unranked} nulls"] if unranked else []
    names = found.select(pl.col("activity").filter(told).unique().sort()).to_series()
    undeclared = [name for name in names if not process.declares(name)]
    faults += [f"activities not declared in the TOML: {', '.join(undeclared)}"] if undeclared else []
    refuse(process, faults)
    return found


def _add(con: duckdb.DuckDBPyConnection) -> None:
    """Let views `more_cases`, `more_events`, ... of further SQL files add to the process's own views."""
    there = _views(con)
    for view in VIEWS:
        if f"more_{view}" not in there:
            continue
        con.execute(f"ALTER VIEW {view} RENAME TO own_{view}")
        rows = f"FROM own_{view} UNION ALL BY NAME FROM more_{view}"
        if view == "cases":
            more = "own_cases AS o LEFT JOIN more_cases AS m USING (case_id)"
            rows = f"SELECT o.*, m.* EXCLUDE (case_id) FROM {more}"
        con.execute(f"CREATE TEMP VIEW {view} AS {rows}")


def refuse(process: Process, faults: Sequence[str]) -> None:
    """Raise the faults of a process's SQL, if there are any."""
    if faults:
        raise DefinitionError([f"{process.name}.sql: {fault}" for fault in faults])


def _columns(emitted: Mapping[str, pl.DataType], tables: str) -> str:
    """The columns of view `events`, all of them, in the types of the log."""
    found = {name: name if name in emitted else "NULL::VARCHAR" for name in _EVENTS}
    found["recorded_at"] = "coalesce(recorded_at, occurred_at)" if "recorded_at" in emitted else "occurred_at"
    if "source_table" in emitted:
        stranger = "error('view ''events'' names the table ' || source_table || ', which has no path')"
        refused = f"CASE WHEN source_table IS NOT NULL THEN {stranger} END"
        found["source_table"] = f"coalesce(try_cast(source_table AS {tables}), {refused})"
    else:
        found["source_table"] = f"NULL::{tables}"
    for name, (kind, stand_in) in _CAST.items():
        found[name] = f"{name}::{kind}" if name in emitted else f"{stand_in}::{kind}"
    found["seq"] = f"coalesce({found['seq']}, 0)"
    return ", ".join(f"{text} AS {name}" for name, text in found.items())


def _faults(view: str, emitted: Mapping[str, pl.DataType], wanted: Types) -> list[str]:
    required = _REQUIRED if view == "events" else tuple(wanted)
    found = [f"view '{view}' lacks the column '{name}'" for name in required if name not in emitted]
    found += [
        f"column '{name}' of view '{view}' is {emitted[name]}, it must be {kind}"
        for name, kind in wanted.items()
        if name in emitted and emitted[name] not in (kind, pl.Null) and not _integer(emitted[name], kind)
    ]
    return found


def _integer(emitted: pl.DataType, wanted: pl.DataType) -> bool:
    return emitted.is_integer() and wanted.is_integer()


def _case_faults(con: duckdb.DuckDBPyConnection, process: Process) -> list[str]:
    columns = _schema(con, "log_cases")
    nulls, doubled = (
        con.sql("SELECT count(*) - count(case_id), count(case_id) - count(DISTINCT case_id) FROM log_cases")
        .pl()
        .row(0)
    )
    found = [f"column 'case_id' of view 'cases' has {nulls} nulls"] if nulls else []
    found += [f"view 'cases' repeats {doubled} case Ids"] if doubled else []
    found += [
        f"segments.{word}: view 'cases' has no column '{column}'"
        for word, column in process.segments.items()
        if column not in columns
    ]
    return found


def _views(con: duckdb.DuckDBPyConnection) -> set[str]:
    return set(con.sql("SELECT view_name FROM duckdb_views() WHERE temporary").pl().to_series())


def _schema(con: duckdb.DuckDBPyConnection, view: str) -> Mapping[str, pl.DataType]:
    empty = con.sql(f"FROM {identifier(view)} LIMIT 0")
    kinds = [str(kind) for kind in empty.types]
    if all(kind in _PLAIN for kind in kinds):  # known without a plan
        return {name: _PLAIN[kind] for name, kind in zip(empty.columns, kinds, strict=True)}
    frame: pl.DataFrame = empty.pl()
    return frame.schema

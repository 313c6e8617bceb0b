"""Tables + Process + as_of -> EventLog: runs the SQL on the as-of views, codes it, counts every row."""

from datetime import datetime

import duckdb
import polars as pl

from crmmining.availability import process_lacks, switched_off
from crmmining.definitions import Process
from crmmining.errors import DefinitionError, SourceError
from crmmining.eventlog import EventLog, partition
from crmmining.kernels import coding
from crmmining.tables import Tables
from crmmining.tables.sql import identifier, literal

_INSTANT = pl.Datetime("us", "UTC")
_CASE_TYPES = {"case_id": pl.String(), "created_at": _INSTANT, "truncated": pl.Boolean()}
_EVENT_TYPES = {
    "case_id": pl.String(),
    "activity": pl.String(),
    "occurred_at": _INSTANT,
    "recorded_at": _INSTANT,
    "actor": pl.String(),
    "rank": pl.UInt8(),
    "source_id": pl.String(),
    "old_value": pl.String(),
    "new_value": pl.String(),
    "direction": pl.Int8(),
    "date_only": pl.Boolean(),
}

_FRESH = "DROP VIEW IF EXISTS temp.cases; DROP VIEW IF EXISTS temp.events"
_CASES = "CREATE OR REPLACE TEMP TABLE log_cases AS FROM cases"
_EVENTS = """
CREATE OR REPLACE TEMP TABLE log_events AS
SELECT e.*,
       CASE WHEN e.case_id IS NULL THEN 'no case Id'
            WHEN c.case_id IS NULL THEN 'case deleted or unknown'
            WHEN e.activity IS NULL THEN 'no activity'
            WHEN e.occurred_at IS NULL THEN 'no time'
            WHEN greatest(e.occurred_at, e.recorded_at) > $as_of THEN 'after as_of'
       END AS reason
FROM events e LEFT JOIN log_cases c USING (case_id)
"""
_QUALITY = """
SELECT $name AS "table", CASE WHEN reason IS NULL THEN 'used' ELSE 'filtered' END AS disposition, reason,
       count(*) AS "rows",
       coalesce(min(source_id, 3) FILTER (reason IS NOT NULL), []) AS examples
FROM log_events GROUP BY reason ORDER BY reason NULLS FIRST
"""


# Every row of a source table tells an event of this process, or none, or was not known yet.
_ROWS = """
WITH seen AS (
  SELECT t.Id, t.Id IN (SELECT source_id FROM log_events WHERE reason IS NULL) AS told FROM as_of.{table} t
),
counted AS (
  SELECT {label} AS "table", 'used' AS disposition, NULL AS reason, count(*) FILTER (told) AS "rows",
         []::VARCHAR[] AS examples FROM seen
  UNION ALL
  SELECT {label}, 'filtered', 'tells no event of this process', count(*) FILTER (NOT told),
         coalesce(min(Id, 3) FILTER (NOT told), []) FROM seen
  UNION ALL
  SELECT {label}, 'filtered', 'not known yet', (SELECT count(*) FROM crm.{table}) - count(*), [] FROM seen
)
FROM counted WHERE "rows" > 0
"""


def build(tables: Tables, process: Process, as_of: datetime, stages: pl.DataFrame) -> EventLog:
    """The log of one process as of a moment; `stages` as `Catalogue.stages` gives them.

    Raises `SourceError` when the process's root table or required columns are missing and `DefinitionError`
    when its SQL fails or emits what its TOML does not declare.
    """
    missing = process_lacks(tables, process)
    if missing:
        raise SourceError(f"process '{process.name}' cannot be built: the source lacks {', '.join(missing)}")
    tables.view_as_of(as_of, stages)
    connection = tables.connection
    try:
        connection.execute(_FRESH)
        connection.execute("SET VARIABLE time_zone = $zone", {"zone": tables.spec.org.time_zone})
        connection.execute(process.sql)
        connection.execute(_CASES)
        connection.execute(_EVENTS, {"as_of": as_of})
        cases = connection.sql("FROM log_cases ORDER BY case_id").pl()
        used = "FROM log_events WHERE reason IS NULL"
        flat = connection.sql(f"SELECT {', '.join(_EVENT_TYPES)} {used}").pl()
        quality = connection.sql(_QUALITY, params={"name": f"{process.name} events"}).pl()
        account = pl.concat([quality, *_row_accounts(tables, process)], how="vertical_relaxed")
    except duckdb.Error as error:
        raise DefinitionError([f"{process.name}.sql: {error}"]) from error
    finally:
        connection.execute("DROP TABLE IF EXISTS log_events; DROP TABLE IF EXISTS log_cases")
    _check(process, cases, flat)
    currency = pl.col("currency") if "currency" in cases.columns else pl.lit(None, pl.String)
    cases = cases.with_columns(currency=currency.fill_null(tables.spec.org.currency))
    coded = coding.code(flat, cases=cases["case_id"])
    whole = partition(process, coded, cases)
    return EventLog(process, as_of, coded.activities, (whole,), account, switched_off(tables, process))


def _row_accounts(tables: Tables, process: Process) -> list[pl.DataFrame]:
    """Per source table of the process: rows that tell an event, rows that tell none, rows not known yet."""
    owned = [name for name, path in process.paths.items() if path != "broadcast" and tables.has(f"{name}.Id")]
    texts = [_ROWS.format(label=literal(f"{process.name}: {name}"), table=identifier(name)) for name in owned]
    return [tables.connection.sql(text).pl() for text in texts]


def _check(process: Process, cases: pl.DataFrame, flat: pl.DataFrame) -> None:
    faults = [
        f"{process.name}.sql: column '{name}' of view '{view}' is {frame.schema[name]}, it must be {dtype}"
        for view, frame, wanted in (("cases", cases, _CASE_TYPES), ("events", flat, _EVENT_TYPES))
        for name, dtype in wanted.items()
        if name in frame.columns and frame.schema[name] not in (dtype, pl.Null)
    ]
    faults += [
        f"{process.name}.sql: view 'cases' lacks the column '{name}'"
        for name in _CASE_TYPES
        if name not in cases.columns
    ]
    faults += [
        f"{process.name}.sql: column '{name}' of view '{view}' has {frame[name].null_count()} nulls"
        for view, frame, name in (("cases", cases, "case_id"), ("events", flat, "rank"))
        if name in frame.columns and frame[name].null_count()
    ]
    taken = sorted(process.derived & set(cases.columns))
    faults += [f"{process.name}.sql: view 'cases' has the derived column '{name}'" for name in taken]
    if faults:
        raise DefinitionError(faults)
    doubled = cases.height - cases["case_id"].n_unique()
    if doubled:
        faults.append(f"{process.name}.sql: view 'cases' repeats {doubled} case Ids")
    undeclared = [a for a in flat["activity"].unique().sort() if not process.declares(a)]
    if undeclared:
        faults.append(f"{process.name}.sql: activities not declared in the TOML: {', '.join(undeclared)}")
    faults += [
        f"{process.name}.toml: segments.{word}: view 'cases' has no column '{column}'"
        for word, column in process.segments.items()
        if column not in cases.columns
    ]
    if faults:
        raise DefinitionError(faults)

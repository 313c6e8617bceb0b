"""Tables + Process + as_of -> EventLog: runs the SQL on the as-of views, codes it, counts every row."""

from datetime import datetime

import duckdb
import polars as pl

from crmmining.definitions import Process, Stages
from crmmining.errors import DefinitionError, SourceError
from crmmining.eventlog import EventLog, partition
from crmmining.kernels import coding
from crmmining.tables import Tables

EVENT_COLUMNS = (
    "case_id", "activity", "occurred_at", "recorded_at", "actor", "rank", "source_id",
    "old_value", "new_value", "direction", "date_only",
)  # fmt: skip

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


def build(tables: Tables, process: Process, as_of: datetime) -> EventLog:
    """The log of one process as of a moment.

    Raises `SourceError` when the process's root table or required columns are missing and `DefinitionError`
    when its SQL fails or emits what its TOML does not declare.
    """
    missing = unmet(tables, (process.root, *process.requires))
    if missing:
        raise SourceError(f"process '{process.name}' cannot be built: the source lacks {', '.join(missing)}")
    tables.view_as_of(as_of, _stage_rows(process.stages))
    connection = tables.connection
    try:
        connection.execute(process.sql)
        connection.execute(_CASES)
        connection.execute(_EVENTS, {"as_of": as_of})
        cases = connection.sql("FROM log_cases ORDER BY case_id").pl()
        used = "FROM log_events WHERE reason IS NULL"
        flat = connection.sql(f"SELECT {', '.join(EVENT_COLUMNS)} {used}").pl()
        quality = connection.sql(_QUALITY, params={"name": f"{process.name} events"}).pl()
    except duckdb.Error as error:
        raise DefinitionError([f"{process.name}.sql: {error}"]) from error
    finally:
        connection.execute("DROP TABLE IF EXISTS log_events; DROP TABLE IF EXISTS log_cases")
    _check(process, cases, flat)
    if "currency" in cases.columns:
        cases = cases.with_columns(pl.col("currency").fill_null(tables.spec.org.currency))
    coded = coding.code(flat, cases=cases["case_id"])
    whole = partition(process, coded, cases)
    return EventLog(process, as_of, coded.activities, (whole,), quality, switched_off(tables, process))


def unmet(tables: Tables, needs: tuple[str, ...]) -> list[str]:
    """Needs (tables or Table.Column, `|` between alternatives) that the source does not meet, once each."""
    return [
        need.replace("|", " or ")
        for need in dict.fromkeys(needs)
        if not any(tables.has(alternative) for alternative in need.split("|"))
    ]


def switched_off(tables: Tables, process: Process) -> tuple[str, ...]:
    """Activities and milestones this source cannot show, each with the tables or columns it would take."""
    lines = []
    lacking = {name: unmet(tables, activity.needs) for name, activity in process.activities.items()}
    for name, missing in lacking.items():
        if missing:
            lines.append(f"activity '{name}': needs {', '.join(missing)}")
    for word in off_milestones(tables, process):
        needed = sorted({need for name in process.milestones[word] for need in lacking.get(name, [])})
        lines.append(f"milestone '{word}': needs {', '.join(needed)}")
    return tuple(lines)


def off_milestones(tables: Tables, process: Process) -> dict[str, list[str]]:
    """Milestones none of whose activities this source can show, with what is missing."""
    off: dict[str, list[str]] = {}
    for word, names in process.milestones.items():
        missing = [
            unmet(tables, process.activities[name].needs) for name in names if name in process.activities
        ]
        if missing and all(missing) and len(missing) == len(names):
            off[word] = sorted({need for needs in missing for need in needs})
    return off


def _stage_rows(stages: Stages) -> pl.DataFrame:
    rows = [(value, False, False) for value in stages.open]
    rows += [(value, True, True) for value in stages.won]
    rows += [(value, True, False) for value in stages.lost]
    schema = {"value": pl.String, "is_closed": pl.Boolean, "is_won": pl.Boolean}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(position=pl.int_range(pl.len(), dtype=pl.Int64))


def _check(process: Process, cases: pl.DataFrame, flat: pl.DataFrame) -> None:
    faults = []
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

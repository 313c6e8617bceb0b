"""Evidence: from an event to the row that tells it, and from any row to its events or the reason for none."""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

from dataclasses import replace
from datetime import datetime

import polars as pl
import pyarrow as pa

from crmmining.definitions import Process
from crmmining.errors import CrmMiningError
from crmmining.extract.phases import show, transaction
from crmmining.extract.rows import LATER, NO_RULE, own
from crmmining.extract.telling import tell
from crmmining.tables import Tables
from crmmining.tables.ids import normalise
from crmmining.tables.paths import BROADCAST, Part
from crmmining.tables.sql import identifier, literal

_SCHEMA = pl.Schema(
    {
        "table": pl.String(),
        "id": pl.String(),
        "disposition": pl.String(),
        "reason": pl.String(),
        "case_id": pl.String(),
        "activity": pl.String(),
        "occurred_at": pl.Datetime("us", "UTC"),
    }
)
_TOLD = """
WITH event AS (
  SELECT coalesce(e.case_id, c.case_id) AS case_id, e.activity, e.occurred_at, e.reason
  FROM log_events AS e LEFT JOIN log_cases AS c ON c.case_ix = e.case_ix
  WHERE e.source_id = {row} AND (e.source_table = {name} OR e.source_table IS NULL)
),
silence AS (
  SELECT CASE WHEN {row} NOT IN (SELECT {key} FROM as_of.{table}) THEN {later}
    ELSE (SELECT min(reason) FROM unused WHERE source_table = {name} AND source_id = {row}) END AS own,
    (SELECT min(reason) FROM unused WHERE source_table = {name} AND source_id IS NULL) AS general
)
SELECT {name} AS "table", {row} AS id, reason, case_id, activity, occurred_at,
  CASE WHEN reason IS NULL THEN 'used' ELSE 'filtered' END AS disposition
FROM (
  FROM event
  UNION ALL BY NAME
  SELECT coalesce(own, general, {no_rule}) AS reason FROM silence
  WHERE NOT EXISTS (FROM event WHERE reason IS NULL) AND (own IS NOT NULL OR NOT EXISTS (FROM event))
) AS found
"""


def evidence(
    tables: Tables, process: Process, row: str, as_of: datetime, stages: pl.DataFrame
) -> pl.DataFrame:
    """What became of the row with this Id in one process: every event it tells, or why it tells none.

    Columns: table, id, disposition (used, filtered, quarantined), reason (null: used), case_id, activity,
    occurred_at; sorted by table, time, case and activity. An event's `source_id` is the Id to give. Where the
    row leads to cases, only these are built. Raises `CrmMiningError` when no row has this Id, and the errors
    of `build`.
    """
    con = tables.connection
    if tables.spec.id_format == "salesforce":  # 15 characters stand for the 18 they make
        row = normalise(pa.array([row]))[0].as_py() or row
    keys = {name: tables.spec.tables[name].key for name in tables.columns}
    keyed = {name: key for name, key in keys.items() if key in tables.columns[name]}
    union = " UNION ALL ".join(
        f"SELECT {literal(name)} AS name FROM {tables.home}.crm.{identifier(name)} "
        f"WHERE {identifier(key)} = {literal(row)}"
        for name, key in keyed.items()
    )
    places = con.sql(union).pl()["name"].to_list() if union else []
    mine = own(tables, process)
    found = [
        tables.quarantine.filter(pl.col("id") == row).select(
            "table", "id", pl.lit("quarantined").alias("disposition"), "reason"
        )
    ]
    for name in places:
        if name in mine:
            found.append(_told(tables, process, name, row, as_of, stages))
            continue
        known = process.paths.get(name) == BROADCAST
        reason = (
            "known to every case, tells no event" if known else f"process '{process.name}' does not read it"
        )
        line = {"table": [name], "id": [row], "disposition": ["filtered"], "reason": [reason]}
        found.append(pl.DataFrame(line))
    lines = pl.concat([pl.DataFrame(schema=_SCHEMA), *found], how="diagonal_relaxed")
    if lines.is_empty():
        raise CrmMiningError(f"no row of any table has the Id '{row}'")
    return (
        lines.select(_SCHEMA.names())
        .cast(_SCHEMA)
        .sort("table", "occurred_at", "case_id", "activity", "reason")
    )


def _told(  # noqa: PLR0917  what `evidence` is asked, and where the row was found
    tables: Tables, process: Process, name: str, row: str, as_of: datetime, stages: pl.DataFrame
) -> pl.DataFrame:
    con = tables.connection
    every = Part(tables.spec, tables.columns, process.root, process.paths, pl.Series([], dtype=pl.String))
    cases = every.led_to(con, name, row, f"{tables.home}.crm")
    # A row that leads to no case may stand beside others that are the reason why, and as of an earlier moment
    # it may have led elsewhere, for paths are those of today: then all are shown.
    earlier = tables.clock is not None and as_of < tables.clock
    part = None if earlier or cases.is_empty() else replace(every, cases=cases, row=row)
    show(tables, process, as_of, stages, part)
    with transaction(con, process.name, process.sql, "READ ONLY", keep=False):
        tell(con, process, as_of, None if part is None else part.cases)
        words = {"row": row, "name": name, "no_rule": NO_RULE, "later": LATER}
        key = identifier(tables.spec.tables[name].key)
        query = _TOLD.format(
            **{word: literal(text) for word, text in words.items()}, table=identifier(name), key=key
        )
        told: pl.DataFrame = con.sql(query).pl()
    return told

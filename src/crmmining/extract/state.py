"""Records as they were at a moment, and how far back the histories reach that tell it."""

from datetime import datetime

import polars as pl

from crmmining.definitions import Process
from crmmining.errors import UnknownNameError
from crmmining.extract.phases import show, transaction
from crmmining.tables import Tables
from crmmining.tables.sql import identifier, literal

_STATE = """
SELECT {columns}, coalesce(list_filter(u.columns, lambda c: list_contains({supplied}, c)), []) AS not_as_of
FROM {table} AS t LEFT JOIN state_unknown AS u ON u."table" = {name} AND u.Id = {id}
WHERE {standing}
ORDER BY ALL
"""


def state(tables: Tables, process: Process, table: str, at: datetime, stages: pl.DataFrame) -> pl.DataFrame:
    """The records of `table` at a moment, deleted ones left out: the declared columns, and `not_as_of`.

    Rows are sorted by all columns in their order, which begins with the Id.
    `not_as_of` (List[String], sorted) names the supplied columns whose value is only known as of now. Of
    `process`, whichever, only what all processes share is run. Raises `UnknownNameError` for a table that is
    not declared.
    """
    if table not in tables.spec.tables:
        raise UnknownNameError("table", table, tables.spec.tables)
    show(tables, process, at, stages)
    spec = tables.spec.tables[table]
    supplied = ", ".join(literal(name) for name in tables.columns.get(table, ()))
    text = _STATE.format(
        columns=", ".join(f"t.{identifier(name)}" for name in spec.columns),
        supplied=f"[{supplied}]::VARCHAR[]",
        table=identifier(table),
        name=literal(table),
        id="t.Id" if "Id" in spec.columns else "NULL",
        standing="t.IsDeleted IS NOT TRUE" if "IsDeleted" in spec.columns else "true",
    )
    with transaction(tables.connection, "state", text, "READ ONLY", keep=False):
        records: pl.DataFrame = tables.connection.sql(text).pl()
    return records


def coverage(tables: Tables, process: Process, at: datetime, stages: pl.DataFrame) -> pl.DataFrame:
    """Since when changes are kept, as known at a moment: table, field, rows, first, last, since, basis.

    Sorted by table and field; `field` is the record's column or a mark of the CRM, `*` the table; `rows` are
    changes told; `since` (UTC) is 'stated' or 'estimated' by the first row.
    """
    show(tables, process, at, stages)
    text = """
    SELECT k.source_table AS "table", k.field, count(c.moment) AS "rows", min(c.moment) AS first,
      max(c.moment) AS last, k.since, k.basis
    FROM coverage AS k
    LEFT JOIN changes AS c ON c.source_table = k.source_table
      AND k.field IN (c.column_name, c.field, '*')
    GROUP BY ALL ORDER BY ALL
    """
    with transaction(tables.connection, "coverage", text, "READ ONLY", keep=False):
        found: pl.DataFrame = tables.connection.sql(text).pl()
    return found

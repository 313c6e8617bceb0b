"""The account of a CRM: what became of every row, what was noticed, what is switched off."""

from collections.abc import Sequence

import polars as pl

from crmmining.availability import kpi_lacks, process_lacks
from crmmining.definitions import Catalogue
from crmmining.eventlog import EventLog
from crmmining.tables import Tables

SCHEMA: dict[str, pl.DataType] = {
    "scope": pl.String(),
    "table": pl.String(),
    "disposition": pl.String(),
    "reason": pl.String(),
    "rows": pl.Int64(),
    "examples": pl.List(pl.String()),
}


def account(
    tables: Tables, catalogue: Catalogue, logs: Sequence[EventLog], by: Sequence[str] = ()
) -> pl.DataFrame:
    """One frame of `SCHEMA`: scopes table (source to tables), log (to events) and event (to the log).

    Per scope and table the rows of used, quarantined and filtered add up to the rows that came in; `finding`
    (something noticed) and `off` (something the source cannot show, or a segment word of `by` that a process
    does not know) move no row.
    """
    found = tables.findings.select("table", pl.lit("finding").alias("disposition"), reason="finding")
    found = found.hstack(tables.findings.select("rows", "examples"))
    parts = [_scoped(tables.quality, "table"), _scoped(found, "table")]
    parts += [_scoped(log.quality, "log") for log in logs]
    lines: list[tuple[str, str, str, int | None]] = [
        (name, "off", f"process: needs {', '.join(lacking)}", None)
        for name, process in catalogue.processes.items()
        if (lacking := process_lacks(tables, process))
    ]
    for log in logs:
        name = log.process.name
        lines += [(name, "off", line, None) for line in log.off]
        for kpi in catalogue.kpis_of(name):
            lacking = kpi_lacks(tables, log.process, kpi)
            lines += [(name, "off", f"KPI '{kpi.name}': needs {', '.join(lacking)}", None)] if lacking else []
        unknown = [word for word in by if word not in log.process.segments]
        lines += [
            (name, "off", f"segment '{w}': not known in this process, null in every row", None)
            for w in unknown
        ]
        if tables.clock is not None and log.as_of < tables.clock:
            reason = (
                f"attributes of cases are as they were at {tables.clock:%Y-%m-%d %H:%M} UTC, not at as_of"
            )
            lines.append((name, "finding", reason, log.cases.height))
    said = pl.DataFrame(
        [("log", *line, []) for line in lines],
        schema=SCHEMA,
        orient="row",
    )
    order = pl.col("scope").replace_strict(["table", "log", "event"], [0, 1, 2])
    return pl.concat([*parts, said]).sort(order, maintain_order=True)


def _scoped(quality: pl.DataFrame, scope: str) -> pl.DataFrame:
    """`quality` with its scope: what it says of events stands apart from what it says of rows."""
    of_events = pl.col("table").str.ends_with(" events")
    named = pl.when(of_events).then(pl.lit("event")).otherwise(pl.lit(scope)).alias("scope")
    return quality.with_columns(named).select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())

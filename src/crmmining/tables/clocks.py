"""When tables were last written to: their clocks, which of them lag, which rows lie in the future."""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import duckdb
import polars as pl

from crmmining.errors import SourceError
from crmmining.tables.model import CLOCK_COLUMNS
from crmmining.tables.rows import Finding
from crmmining.tables.spec import SourceSpec
from crmmining.tables.sql import identifier, literal

_DAY = timedelta(days=1)
LATER = "stamped after extracted_at"  # begin what is said of clocks
LAGGING = "the newest row is of"


def read_clocks(
    connection: duckdb.DuckDBPyConnection,
    spec: SourceSpec,
    columns: Mapping[str, Collection[str]],
    extracted_at: datetime | None,
) -> tuple[pl.DataFrame, datetime | None, list[Finding]]:
    """The clock of every table that has one, in declared order; the newest; what is odd about them.

    Columns: table, clock (newest CreatedDate or SystemModstamp that is not after `extracted_at`; null when
    there is none), behind (Duration to the newest clock of all). SourceError when every row is stamped
    after `extracted_at`.
    """
    ends = "'infinity'" if extracted_at is None else literal(extracted_at.isoformat())
    asked = [_asked(name, spec, columns[name], ends) for name in spec.tables if name in columns]
    texts = [text for text in asked if text]
    rows = connection.sql(" UNION ALL ".join(texts)).pl().rows() if texts else []
    newest = max((clock for _, clock, _, _ in rows if clock is not None), default=None)
    if newest is None and any(future for *_, future, _ in rows):
        raise SourceError(
            f"extracted_at is {extracted_at}, but every row of the source is stamped later: state the moment "
            "when the data was taken from the CRM"
        )
    tolerance = timedelta(days=spec.org.clock_tolerance)
    findings = []
    for name, clock, future, examples in rows:
        if future:
            text = f"{LATER} ({extracted_at:%Y-%m-%d %H:%M} UTC): not known at any as_of, or changed since"
            findings.append(Finding(table=name, finding=text, rows=future, examples=tuple(examples)))
        lag = timedelta() if clock is None else newest - clock
        if (
            spec.tables[name].visible_from
            and lag > tolerance
            and lag > _longest_pause(connection, name, spec, columns)
        ):
            text = (
                f"{LAGGING} {clock:%Y-%m-%d %H:%M} UTC, {lag / _DAY:.1f} days before the newest "
                "of all tables, a longer pause than ever"
            )
            findings.append(Finding(table=name, finding=text))
    frame = pl.DataFrame(
        [(name, clock, None if clock is None else newest - clock) for name, clock, _, _ in rows],
        schema={"table": pl.String(), "clock": pl.Datetime("us", "UTC"), "behind": pl.Duration("us")},
        orient="row",
    )
    return frame, newest, findings


def _asked(name: str, spec: SourceSpec, supplied: Collection[str], ends: str) -> str | None:
    """SQL for the clock of a table, and its rows stamped later with three of their keys."""
    table = spec.tables[name]
    stamps = _stamps(name, spec, supplied)
    if not stamps:
        return None
    newest = ", ".join(f"max({stamp}) FILTER ({stamp} <= {ends}::TIMESTAMPTZ)" for stamp in stamps)
    later = f"greatest({', '.join(stamps)}) > {ends}::TIMESTAMPTZ"
    key = identifier(table.key) if table.key in supplied else "NULL::VARCHAR"
    return (
        f"SELECT {literal(name)}, greatest({newest}), count(*) FILTER ({later}), "
        f"coalesce(min({key}, 3) FILTER ({later}), []) FROM crm.{identifier(name)}"
    )


def _longest_pause(
    connection: duckdb.DuckDBPyConnection, name: str, spec: SourceSpec, columns: Mapping[str, Collection[str]]
) -> timedelta:
    """Most days that ever lay between two rows of a table, for quiet tables lag behind without harm.

    Where all rows are of one day nothing can be told: any pause is as long as those before.
    """
    days = ", ".join(f"{stamp}::DATE" for stamp in _stamps(name, spec, columns[name]))
    pause = connection.sql(
        f"SELECT max(day - before) FROM (SELECT day, lag(day) OVER (ORDER BY day) AS before "
        f"FROM (SELECT DISTINCT unnest([{days}]) AS day FROM crm.{identifier(name)}))"
    ).pl()
    return timedelta.max if pause.item() is None else timedelta(days=pause.item())


def _stamps(name: str, spec: SourceSpec, supplied: Collection[str]) -> list[str]:
    types = spec.tables[name].columns
    return [identifier(c) for c in CLOCK_COLUMNS if c in supplied and types[c] == "datetime"]

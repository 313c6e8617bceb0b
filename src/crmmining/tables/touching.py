"""Which cases a change of rows touches, and which rows a change of the moment."""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import polars as pl

from crmmining.tables.model import INCOMING, Tables
from crmmining.tables.paths import BROADCAST, Part
from crmmining.tables.sql import identifier, literal

Relations = Mapping[str, Sequence[str]]


def touched(tables: Tables, part: Part, rows: Relations) -> pl.Series:
    """Ids of the cases that rows (relations per table) lead to in the tables as they are; sorted.

    Records that rows of the root speak of count even where they are no longer there.
    """
    place = f"{tables.home}.crm"
    found = part.reached(tables.connection, rows, place)
    return _records(tables, part, found, rows)


def _records(tables: Tables, part: Part, found: pl.Series, rows: Relations) -> pl.Series:
    """Those that are, or were, records of the root: others have no case."""
    key = identifier(part.key(part.root))
    known = [f"{tables.home}.crm.{identifier(part.root)}", *rows.get(part.root, ())]
    every = " UNION ALL ".join(f"SELECT {key} FROM {relation}" for relation in known)
    con = tables.connection
    con.register("cases found", found.to_frame("id"))
    try:
        there: pl.Series = (
            con.sql(f'SELECT id FROM "cases found" WHERE id IN ({every}) ORDER BY id').pl().to_series()
        )
    finally:
        con.unregister("cases found")
    return there.cast(pl.String)


def kin(tables: Tables, part: Part, rows: Relations, names: Collection[str]) -> dict[str, pl.Series]:
    """Keys of rows of tables (`names`) that are to be looked at with `rows`, whatever they lead to.

    These are the records that the ways of rows pass through, and all rows whose ways pass through these: what
    a row tells, or why it tells nothing, may depend on others of its record, even where that is of no case.
    """
    con, place = tables.connection, f"{tables.home}.crm"
    passed = {}
    for hop, queries in part.passed(rows, place).items():
        relation = f"{INCOMING}.moves.{identifier(f'{hop} passed for {part.root}')}"
        none = f"SELECT * FROM {place}.{identifier(hop)} WHERE false"
        con.execute(f"CREATE OR REPLACE TABLE {relation} AS {' UNION BY NAME '.join([none, *queries])}")
        passed[hop] = relation
    found: dict[str, pl.Series] = {}
    for name in names:
        key, source = identifier(part.key(name)), f"{place}.{identifier(name)}"
        several = [f"SELECT {key} FROM {source} WHERE {way}" for way in part.passing(name, passed, place)]
        if name in passed:
            several.append(f"SELECT {key} FROM {passed[name]}")
        several += [f"SELECT {key} FROM {relation}" for relation in rows.get(name, ())]
        if several:
            keys: pl.Series = con.sql(" UNION ".join(several)).pl().to_series()
            found[name] = keys.cast(pl.String)
    return found


def due(
    tables: Tables, read: Mapping[str, Collection[str]], after: datetime, until: datetime, known: Relations
) -> dict[str, str]:
    """Rows of tables that a moment between two could make known or due: a relation per table that has any.

    Rows with an instant in (after, until] in a column that is `read`, but for those that are `known` to be
    touched. A day, and midnight, may stand for any time of the org's day.
    """
    con, found = tables.connection, {}
    for name, columns in sorted(read.items()):
        condition = _due(tables, name, columns, after, until)
        if condition is None:
            continue
        key = tables.spec.tables[name].key
        for relation in known.get(name, ()) if key in tables.columns[name] else ():
            condition = (
                f"({condition}) AND {identifier(key)} NOT IN (SELECT {identifier(key)} FROM {relation})"
            )
        place = f"{INCOMING}.moves.{identifier(f'due {name}')}"
        con.execute(
            f"CREATE OR REPLACE TABLE {place} AS FROM {tables.home}.crm.{identifier(name)} WHERE {condition}"
        )
        if con.sql(f"SELECT count(*) FROM {place}").pl().item():
            found[name] = place
    return found


def _due(tables: Tables, name: str, columns: Collection[str], after: datetime, until: datetime) -> str | None:
    types = tables.spec.tables[name].columns
    low, high = (f"{literal(moment.isoformat())}::TIMESTAMPTZ" for moment in (after, until))
    tests = []
    for column in tables.columns.get(name, ()):
        value = identifier(column)
        if column not in columns:
            continue
        if types[column] == "datetime":
            near = f"{value} > {low} - INTERVAL '2 days' AND {value} <= {high} + INTERVAL '1 day'"
            tests += [
                f"({value} > {low} AND {value} <= {high})",
                f"({near} AND {value} = date_trunc('day', {value}))",
            ]
        elif types[column] == "date":
            tests.append(f"({value} >= {low}::DATE - 2 AND {value} <= {high}::DATE + 1)")
    return " OR ".join(tests) or None


def newly_visible(
    tables: Tables, read: Mapping[str, Collection[str]], after: datetime, until: datetime
) -> list[str]:
    """Those of the tables that have rows with an instant between two moments in a column that is `read`."""
    found = []
    low, high = (f"{literal(moment.isoformat())}::TIMESTAMPTZ" for moment in (after, until))
    for name, columns in read.items():
        types, supplied = tables.spec.tables[name].columns, tables.columns.get(name, ())
        stamps = [identifier(c) for c in supplied if types[c] == "datetime" and c in columns]
        tests = " OR ".join(f"({stamp} > {low} AND {stamp} <= {high})" for stamp in stamps)
        query = f"SELECT count(*) FROM {tables.home}.crm.{identifier(name)} WHERE {tests}"
        if tests and tables.connection.sql(query).pl().item():
            found.append(name)
    return found


def counts(tables: Tables, names: Mapping[str, int], as_of: datetime) -> pl.DataFrame:
    """How many rows tables have: name (their number), known (at a moment), rows."""
    lines = []
    for name, place in names.items():
        since = tables.spec.tables[name].visible_from
        known = "count(*)"
        if since in tables.columns[name]:
            shown = f"coalesce({identifier(str(since))} <= {literal(as_of.isoformat())}::TIMESTAMPTZ, true)"
            known = f"count(*) FILTER ({shown})"
        source = f"{tables.home}.crm.{identifier(name)}"
        lines.append(f'SELECT {place}::USMALLINT AS name, {known} AS known, count(*) AS "rows" FROM {source}')
    if not lines:
        return pl.DataFrame(schema={"name": pl.UInt16, "known": pl.Int64, "rows": pl.Int64})
    found: pl.DataFrame = tables.connection.sql(" UNION ALL ".join(lines)).pl()
    return found


def broadcast(paths: Mapping[str, str]) -> list[str]:
    """Tables of which every case needs all rows."""
    return [name for name, path in paths.items() if path == BROADCAST]

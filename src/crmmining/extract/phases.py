"""Phases: the CRM made visible to a process's SQL, at a moment and for some cases; nothing is made twice.

First comes the census of all records; then `whole`, with what the history SQL makes of it; then `as_of`, with
what the shared SQL makes of that. Each leaves a mark that says what it was made from: a phase whose mark is
not the one wanted is made anew, and so is all that comes after it.

SQL of definitions runs in transactions that cannot write the canonical tables: history SQL in one that has
already written `whole`, since a transaction writes one database only, all other SQL in one that is read-only
but for temporary tables, views and macros.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import duckdb
import polars as pl

from crmmining.definitions import Process
from crmmining.definitions.process import text_hash
from crmmining.errors import CrmMiningError, DefinitionError
from crmmining.tables import Tables
from crmmining.tables.parts import Joint
from crmmining.tables.paths import Part
from crmmining.tables.sql import identifier, literal

_CENSUS = 'temp."census made from"'  # blanks: no definition's SQL names these by accident
_WHOLE = 'whole."made from"'
_AS_OF = 'temp."as_of made from"'
_MADE = 'temp."made in"'
_ALLOWED = {
    duckdb.StatementType.__members__[name]
    for name in ("SELECT", "CREATE", "INSERT", "UPDATE", "DELETE", "MERGE_INTO", "ALTER", "DROP", "SET")
}
_TEMPORARY = """
SELECT 'VIEW' AS kind, view_name AS name FROM duckdb_views() WHERE temporary AND NOT internal
UNION SELECT 'TABLE', table_name FROM duckdb_tables() WHERE temporary
UNION SELECT CASE function_type WHEN 'macro' THEN 'MACRO' ELSE 'MACRO TABLE' END, function_name
FROM duckdb_functions()
WHERE database_name = 'temp' AND NOT internal AND function_type IN ('macro', 'table_macro')
"""


def show(
    tables: Tables, process: Process, as_of: datetime, stages: pl.DataFrame, part: Part | Joint | None = None
) -> None:
    """Let the SQL of `process` see the CRM as it was known at `as_of`; with a part, only what its cases take.

    Raises `DefinitionError` when the SQL that processes share fails or writes where it must not.
    """
    con = tables.connection
    census = _take_census(tables, process)
    whole = text_hash([census, process.history, None if part is None else part.facts])
    if _mark(con, _WHOLE) != whole:
        _forget(con, "census")
        tables.view_whole(part)
        _run_history(con, process.history)
        con.execute(_marked(_WHOLE, whole))
        _note(con, "history")
    known = text_hash([whole, process.shared, as_of.isoformat(), stages.write_csv()])
    if _mark(con, _AS_OF) != known or con.sql("SELECT getvariable('as_of')").pl().item() != as_of:
        _forget(con, "census", "history")
        tables.view_as_of(as_of, stages)
        with transaction(con, "shared", process.shared, "READ ONLY"):
            con.execute(process.shared)
            con.execute(_marked(_AS_OF, known))
    con.execute(f"USE {tables.desk}.as_of")


def _take_census(tables: Tables, process: Process) -> str:
    """Know of all records what must be known, unless it is; the mark of what it was made from."""
    con, org = tables.connection, tables.spec.org
    variables = {"time_zone": org.time_zone, **org.money}
    for name, value in variables.items():
        con.execute(f"SET VARIABLE {name} = $value", {"value": value})
    census = text_hash([process.census, variables])
    if _mark(con, _CENSUS) != census:
        _forget(con)
        tables.view_whole()
        with transaction(con, "census", process.census, "READ ONLY"):
            con.execute(process.census)
            con.execute(_marked(_CENSUS, census))
            _note(con, "census")
    return census


def census(tables: Tables, process: Process) -> dict[str, pl.DataFrame]:
    """What must be known of all records: every table and view the census makes, rows in order."""
    _take_census(tables, process)
    con = tables.connection
    made = con.sql(f"FROM {_MADE} WHERE phase = 'census' AND kind IN ('TABLE', 'VIEW') ORDER BY ALL").pl()
    names = [name for name in made["name"] if f'temp."{name}"' not in {_CENSUS, _MADE}]
    return {name: con.sql(f"FROM temp.{identifier(name)} ORDER BY ALL").pl() for name in names}


def forget(tables: Tables) -> None:
    """Forget all that phases made, for the tables are others now."""
    con = tables.connection
    con.execute(f"USE {tables.home}")
    _forget(con)
    con.execute("DETACH DATABASE IF EXISTS whole")
    con.execute(f"DROP SCHEMA IF EXISTS {tables.desk}.as_of CASCADE")


def _run_history(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Run history SQL, every statement in a transaction of its own.

    What a transaction made and deletes from in part is written anew when it ends: large tables pay for that.
    """
    with transaction(connection, "history", sql):
        statements = [statement.query for statement in connection.extract_statements(sql)]
    for statement in statements:
        with transaction(connection, "history", statement):
            connection.execute(_marked(_WHOLE, "not finished"))
            connection.execute(statement)


@contextmanager
def transaction(
    connection: duckdb.DuckDBPyConnection, name: str, sql: str, mode: str = "", *, keep: bool = True
) -> Iterator[None]:
    """A transaction for `sql` of definitions, kept or undone at the end; `name` says in errors whose it is.

    Raises `DefinitionError` for what DuckDB refuses and for SQL that would end the transaction by itself.
    """
    label = f"{name}.sql"
    try:
        types = {statement.type for statement in connection.extract_statements(sql)}
        if refused := sorted(kind.name for kind in types - _ALLOWED):
            raise DefinitionError(
                [f"{label}: SQL of definitions must not hold {', '.join(refused)} statements"]
            )
        connection.execute(f"BEGIN TRANSACTION {mode}")
    except duckdb.Error as error:
        raise DefinitionError([f"{label}: {error}"]) from error
    try:
        yield
        connection.execute("COMMIT" if keep else "ROLLBACK")
    except duckdb.TransactionException as error:
        connection.execute("ROLLBACK")
        allowed = "SQL of definitions may make temporary tables, views and macros and change nothing else"
        raise DefinitionError([f"{label}: {allowed}: {error}"]) from error
    except duckdb.OutOfMemoryException as error:
        connection.execute("ROLLBACK")
        raise CrmMiningError(
            f"{label}: the database ran out of memory; give it more: {str(error).splitlines()[0]}"
        ) from error
    except duckdb.Error as error:
        connection.execute("ROLLBACK")
        raise DefinitionError([f"{label}: {error}"]) from error
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _marked(place: str, mark: str) -> str:
    temporary = "TEMP" if place.startswith("temp.") else ""
    return f"CREATE OR REPLACE {temporary} TABLE {place} AS SELECT {literal(mark)} AS mark"


def _mark(connection: duckdb.DuckDBPyConnection, place: str) -> str | None:
    try:
        return str(connection.sql(f"FROM {place}").pl().item())
    except (duckdb.CatalogException, duckdb.BinderException):
        return None


def _forget(connection: duckdb.DuckDBPyConnection, *but: str) -> None:
    """Drop temporary tables, views and macros, but for those made in certain phases."""
    found = connection.sql(f"FROM ({_TEMPORARY}) ORDER BY ALL DESC").pl()
    if but:
        kept = connection.sql(f"FROM {_MADE}").pl().filter(pl.col("phase").is_in(but))
        found = found.filter(pl.col("name") != "made in").join(kept, on=["kind", "name"], how="anti")
        _replace(connection, kept)
    for kind, name in found.iter_rows():
        connection.execute(f"DROP {kind} IF EXISTS temp.{identifier(name)}")


def _note(connection: duckdb.DuckDBPyConnection, phase: str) -> None:
    """Note what a phase made beside what was there."""
    made = connection.sql(_TEMPORARY).pl().select(pl.lit(phase).alias("phase"), "kind", "name")
    if phase != "census":
        known = connection.sql(f"FROM {_MADE}").pl()
        made = pl.concat([known, made.join(known, on=["kind", "name"], how="anti")])
    _replace(connection, made)


def _replace(connection: duckdb.DuckDBPyConnection, made: pl.DataFrame) -> None:
    connection.register("made by phases", made)
    connection.execute(f'CREATE OR REPLACE TEMP TABLE {_MADE} AS FROM "made by phases"')
    connection.unregister("made by phases")

"""Which columns of the tables the SQL of a process reads: the database is asked, which knows."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import duckdb
import polars as pl

from crmmining.definitions import Process
from crmmining.extract.phases import show
from crmmining.extract.telling import VIEWS
from crmmining.tables import Tables
from crmmining.tables.casts import SQL_TYPES
from crmmining.tables.sql import identifier, literal

_SOME_TIME = datetime(2000, 1, 1, tzinfo=UTC)
_PRUNES = {"unused_columns", "deliminator", "cte_inlining"}  # steps that drop columns, whatever the data


Columns = dict[str, set[str]]


def columns_read(tables: Tables, processes: Sequence[Process], stages: pl.DataFrame) -> dict[str, Columns]:
    """Columns per process and table that decide what its log holds; other columns may change unnoticed.

    The SQL is run on tables that have these columns and no rows, and every statement is first explained. Of a
    statement that cannot be explained every column of every table that it names counts as read.
    """
    database = duckdb.connect(":memory:")
    try:
        steps = [name for (name,) in database.execute("SELECT name FROM duckdb_optimizers()").fetchall()]
        others = ",".join(name for name in steps if name not in _PRUNES)
        database.execute("SET TimeZone = 'UTC'")
        database.execute("SET python_enable_replacements = false")
        database.execute(f"SET disabled_optimizers = {literal(others)}")
        database.execute("CREATE SCHEMA crm")
        database.execute("CREATE SCHEMA crm_load")
        database.execute("CREATE TABLE crm_load.automated (Id VARCHAR)")
        for name, columns in tables.columns.items():
            types = tables.spec.tables[name].columns
            typed = ", ".join(f"{identifier(column)} {SQL_TYPES[types[column]]}" for column in columns)
            database.execute(f"CREATE TABLE crm.{identifier(name)} ({typed})")
        database.execute("CREATE TEMP TABLE levels (field VARCHAR, word VARCHAR, level BIGINT)")
        asking = _Asking(database, tables.columns)
        nobody = Tables(
            connection=cast("duckdb.DuckDBPyConnection", asking),
            spec=tables.spec,
            clock=_SOME_TIME,
            quality=tables.quality,
            findings=tables.findings,
            inputs=[],
            columns=tables.columns,
            clocks=tables.clocks,
            extracted_at=None,
            pseudonymised=False,
        )
        found = {}
        for process in processes:
            show(nobody, process, _SOME_TIME, stages)  # shared by all of them: nothing, the second time
            shared = {name: set(columns) for name, columns in asking.read.items()}
            database.execute("BEGIN")
            asking.execute(process.sql)
            for view in asking.views():
                asking.note(f"FROM {view}")
            database.execute("ROLLBACK")
            found[process.name], asking.read = asking.read, shared
        return found
    finally:
        database.close()


class _Asking:
    """A connection that notes what every statement reads before it runs."""

    def __init__(self, database: duckdb.DuckDBPyConnection, columns: Mapping[str, Sequence[str]]) -> None:
        self._database = database
        self._columns = columns
        self.read: Columns = {name: set() for name in columns}

    def execute(self, text: str, *given: object) -> duckdb.DuckDBPyConnection:
        """Run statements, each explained first."""
        if given:
            return self._database.execute(text, *given)
        for statement in self._database.extract_statements(text):
            self.note(statement.query)
            self._database.execute(statement.query)
        return self._database

    def sql(self, text: str, **given: Any) -> duckdb.DuckDBPyRelation:  # noqa: ANN401  whatever DuckDB takes
        """A relation, explained first."""
        if "params" not in given:
            self.note(text)
        return self._database.sql(text, **given)

    def views(self) -> list[str]:
        """The views that make a log, those of further files included, as far as they are there."""
        found = self._database.sql("SELECT view_name FROM duckdb_views() WHERE temporary").pl()["view_name"]
        return [f"{more}{view}" for view in VIEWS for more in ("", "more_") if f"{more}{view}" in found]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  all else is the connection's own
        return getattr(self._database, name)

    def note(self, query: str) -> None:
        """Note what a statement reads."""
        if re.match(r"\s*(BEGIN|COMMIT|ROLLBACK|USE|ATTACH|DETACH|DROP|ALTER)\b", query, re.IGNORECASE):
            return
        try:
            plan = self._database.execute(f"EXPLAIN (FORMAT json) {query}").fetchall()
        except duckdb.Error:
            for name in self._columns:
                if re.search(rf"\b{name}\b", query):
                    self.read[name] |= set(self._columns[name])
            return
        for node in _nodes(json.loads(plan[0][-1])):
            table = re.fullmatch(r"\w+\.crm\.(\w+)", str(node.get("Table", "")).replace('"', ""))
            if table and table[1] in self.read:
                found = node.get("Projections", [])
                self.read[table[1]] |= {found} if isinstance(found, str) else set(found)


def _nodes(plan: object) -> Iterator[Mapping[str, Any]]:
    """What a plan says of each of its steps."""
    if isinstance(plan, list):
        for one in plan:
            yield from _nodes(one)
    elif isinstance(plan, dict):
        yield plan.get("extra_info", {})
        yield from _nodes(plan.get("children", []))

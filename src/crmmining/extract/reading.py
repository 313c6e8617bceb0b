"""Which columns of the tables the SQL of a process reads: the database is asked, which knows."""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import duckdb
import polars as pl

from crmmining.definitions import Process
from crmmining.errors import DefinitionError
from crmmining.extract.phases import census, show
from crmmining.extract.telling import VIEWS
from crmmining.tables import Tables
from crmmining.tables.casts import SQL_TYPES
from crmmining.tables.sql import identifier, literal

_SOME_TIME = datetime(2000, 1, 1, tzinfo=UTC)
_PRUNES = {"unused_columns", "deliminator", "cte_inlining"}  # steps that drop columns, whatever the data
_NAME = r'(?:"[^"]+"|\w+)'
_MAKES = re.compile(
    r"(?:\s|--[^\n]*\n)*CREATE\s+(?:OR\s+REPLACE\s+)?(?:TEMP\s+|TEMPORARY\s+)?(TABLE|VIEW|MACRO|FUNCTION)\s+"
    rf"(?:IF\s+NOT\s+EXISTS\s+)?((?:{_NAME}\.)*)({_NAME})(?:\s+AS\b(.*))?",
    re.IGNORECASE | re.DOTALL,
)
_GOES = re.compile(r"USE\s+(.*)", re.IGNORECASE)
_SAYS_NOTHING = re.compile(r"(?:\s|--[^\n]*\n)*(BEGIN|COMMIT|ROLLBACK|USE|ATTACH|DETACH)\b", re.IGNORECASE)
_CHANGES = re.compile(
    rf"(?:\s|--[^\n]*\n)*(?:ALTER|DROP)\s+\w+\s+(?:IF\s+EXISTS\s+)?((?:{_NAME}\.)*)({_NAME})", re.IGNORECASE
)
_END = re.compile(r"(?:\s|;|--[^\n]*(?:\n|$))*$")
_SETS = re.compile(r"(?:\s|--[^\n]*\n)*SET\s+VARIABLE\s+\w+\s*=(.*)", re.IGNORECASE | re.DOTALL)
_NO_NAMES = re.compile(r"--[^\n]*|'(?:[^']|'')*'")
_WORD = re.compile(rf"(\.\s*)?({_NAME})")
_GIVEN = re.compile(r"\bquery\s*\(\s*getvariable\s*\(\s*'(\w+)'\s*\)\s*\)", re.IGNORECASE)

Columns = dict[str, set[str]]


def columns_read(tables: Tables, processes: Sequence[Process], stages: pl.DataFrame) -> dict[str, Columns]:
    """Columns per process and table that decide what its log holds; other columns may change unnoticed.

    The SQL is run on tables that have these columns and no rows, and the database explains what the views of
    a process read. Of a table that was made on the way only the columns count that are read of it later on;
    those of the census count as nothing, for all that it tells is compared. Where a statement cannot be
    explained every column counts as read.
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
            with asking.silence():
                census(nobody, process)
            show(nobody, process, _SOME_TIME, stages)  # shared by all of them: nothing, the second time
            database.execute("BEGIN")
            with asking.apart():
                asking.execute(process.sql)
                found[process.name] = asking.read_by(asking.views())
            database.execute("ROLLBACK")
    except (duckdb.Error, DefinitionError):
        every = {name: set(columns) for name, columns in tables.columns.items()}
        return {process.name: every for process in processes}
    else:
        return found
    finally:
        database.close()


@dataclass(eq=False)
class _Made:
    """A table that SQL of definitions makes on the way; `settled` when all that it takes counts as read."""

    name: str
    query: str
    place: str  # where bare names are looked for
    words: set[str]  # whatever it may name, be it through views and macros
    settled: bool = False


@dataclass
class _Noted:
    """What is read: columns of the source's tables, and of tables made on the way."""

    read: Columns
    live: Columns = field(default_factory=dict)

    def add(self, other: "_Noted") -> None:
        """Note what another one holds as well."""
        for mine, theirs in ((self.read, other.read), (self.live, other.live)):
            for name, columns in theirs.items():
                mine.setdefault(name, set()).update(columns)


class _Asking:
    """A connection that notes what statements read, before they run or when it is known what of it counts."""

    def __init__(self, database: duckdb.DuckDBPyConnection, columns: Mapping[str, Sequence[str]]) -> None:
        self._database = database
        self._columns = columns
        self._noted = _Noted({name: set() for name in columns})
        self._made: list[_Made] = []
        self._words: dict[str, set[str]] = {}  # of views and macros
        self._explained: dict[tuple[_Made, frozenset[str]], _Noted] = {}
        self._silent = False
        keywords = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'"
        self._reserved = {word for (word,) in database.execute(keywords).fetchall()}
        self._place = "memory.main"

    def execute(self, text: str, *given: object) -> duckdb.DuckDBPyConnection:
        """Run statements, each looked at first."""
        if given or self._silent:
            return self._database.execute(text, *given)
        for statement in self._database.extract_statements(text):
            query = _END.sub("", statement.query)
            self._look_at(query)
            self._database.execute(statement.query)
            if goes := _GOES.match(query):
                self._place = goes[1]
        return self._database

    def views(self) -> list[str]:
        """The views that make a log, those of further files included, as far as they are there."""
        found = self._database.sql("SELECT view_name FROM duckdb_views() WHERE temporary").pl()["view_name"]
        return [f"{more}{view}" for view in VIEWS for more in ("", "more_") if f"{more}{view}" in found]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  all else is the connection's own
        return getattr(self._database, name)

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Look at nothing meanwhile."""
        self._silent = True
        yield
        self._silent = False

    @contextmanager
    def apart(self) -> Iterator[None]:
        """In the end, forget what was made and noted meanwhile."""
        noted, made, words = deepcopy(self._noted), list(self._made), dict(self._words)
        settled = [one.settled for one in made]
        yield
        self._noted, self._made, self._words = noted, made, words
        for one, was in zip(made, settled, strict=True):
            one.settled = was

    def read_by(self, views: Sequence[str]) -> Columns:
        """The columns of the source's tables that decide what views show."""
        for view in views:
            self._noted.add(self._explain(f"FROM {view}"))
        for one in reversed(self._made):
            if not one.settled and one.name in self._noted.live:
                live = frozenset(self._noted.live[one.name])
                if (one, live) not in self._explained:
                    columns = ", ".join(map(identifier, sorted(live))) or "1"
                    self._explained[one, live] = self._explain_of(
                        one, f"SELECT {columns} FROM ({one.query}\n)"
                    )
                self._noted.add(self._explained[one, live])
        return self._noted.read

    def _look_at(self, query: str) -> None:
        if _SAYS_NOTHING.match(query):
            return
        made, changed, given = _MAKES.match(query), _CHANGES.match(query), _SETS.match(query)
        if made is not None:
            self._look_at_made(query, made)
        elif changed is not None:
            self._end(changed[1], changed[2])
        else:
            self._noted.add(self._explain(query if given is None else f"SELECT {given[1]}"))

    def _look_at_made(self, query: str, made: re.Match[str]) -> None:
        self._end(made[2], made[3])
        name, words = made[3].strip('"').lower(), self._named_in(query)
        if made[1].upper() != "TABLE":
            self._words[name] = words
        elif made[4] is not None:
            self._words.pop(name, None)
            self._made.append(_Made(name, made[4], self._place, words))
            if words & {"query", "query_table"}:  # SQL that SQL makes may name anything
                self._settle(self._made[-1])

    def _end(self, place: str, name: str) -> None:
        """From here on a name means another thing: what names it so far cannot be explained later on."""
        word = name.strip('"').lower()
        for one in self._made if place.lower() in {"", "temp."} else ():
            if word in one.words or word == one.name:
                self._settle(one)

    def _settle(self, one: _Made) -> None:
        if not one.settled:
            one.settled = True
            self._noted.add(self._explain_of(one, one.query))

    def _named_in(self, query: str) -> set[str]:
        """The bare names in a statement and in all that it names, in lower case."""
        given = {
            name: str(self._database.sql(f"SELECT getvariable({literal(name)})").pl().item())
            for name in set(_GIVEN.findall(query))
        }
        query = _GIVEN.sub(lambda match: f"({given[str(match[1])]})", query)
        plain = _NO_NAMES.sub(" ", query)
        bare = {name.lower() for dot, name in _WORD.findall(plain) if not dot} - self._reserved
        words = {name.strip('"') for name in bare}
        return words.union(*(self._words[word] for word in words & self._words.keys()))

    def _explain_of(self, one: _Made, query: str) -> _Noted:
        """What a statement reads where a table was made."""
        if one.place == self._place:
            return self._explain(query)
        self._database.execute(f"USE {one.place}")
        found = self._explain(query)
        self._database.execute(f"USE {self._place}")
        return found

    def _explain(self, query: str) -> _Noted:
        """What a statement reads."""
        noted = _Noted({})
        plan = self._database.execute(f"EXPLAIN (FORMAT json) {query}").fetchall()
        made = {one.name for one in self._made}
        for node in _nodes(json.loads(plan[0][-1])):
            place = [part.strip('"') for part in re.findall(_NAME, str(node.get("Table", "")))]
            found = node.get("Projections", [])
            columns = {name for name in ([found] if isinstance(found, str) else found) if name}
            if place[1:2] == ["crm"] and place[-1] in self._columns:
                noted.read.setdefault(place[-1], set()).update(columns)
            elif place and place[-1].lower() in made:
                noted.live.setdefault(place[-1].lower(), set()).update(columns)
        return noted


def _nodes(plan: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    """What a plan says of each of its steps."""
    left = [*plan]
    while left:
        one = left.pop()
        yield one.get("extra_info", {})
        left += one.get("children", [])

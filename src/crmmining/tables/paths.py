"""Paths: how rows of tables lead to the cases of a process, so that its SQL can run on a part of them.

A path is `broadcast` (every case needs all rows) or one or more ways with `|` between them. A way begins with
a column of the table. Alone, that column holds the Id of the case. `Column -> Table.Other` goes on: the
column holds the key of a row of Table, whose column Other holds the case Id, or the key of the next table.
Where Table is the process's own root, the way ends there and is read from the case: a row belongs to the
cases whose column Other holds what the row has in Column.

The root's ways beyond its own key gather the records that a case cannot be told without, and these lead to
further ones: merged records, records that share a touch.
"""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import duckdb
import polars as pl

from crmmining.tables.spec import SourceSpec
from crmmining.tables.sql import identifier, literal

BROADCAST = "broadcast"
CHOSEN = 'whole."chosen records"'  # holds a blank, so that no declared table can have this name

_WAY = re.compile(r"[A-Za-z_]\w*(\s*->\s*[A-Za-z_]\w*\.[A-Za-z_]\w*)*", re.ASCII)


class Way(NamedTuple):
    """A column and what it leads on to: (table, column) each."""

    column: str
    hops: tuple[tuple[str, str], ...]


def ways(path: str) -> tuple[Way, ...]:
    """The ways of a path; none when it is broadcast. Raises ValueError for what is no path.

    >>> ways("WhatId | WhatId -> Opportunity.AccountId")[1]
    Way(column='WhatId', hops=(('Opportunity', 'AccountId'),))
    """
    if path == BROADCAST:
        return ()
    found = []
    for text in path.split("|"):
        if not _WAY.fullmatch(text.strip()):
            raise ValueError(f"'{text.strip()}' is neither 'Column' nor 'Column -> Table.Column'")
        column, *hops = (part.strip() for part in text.split("->"))
        pairs = [hop.split(".") for hop in hops]
        found.append(Way(column, tuple((table, other) for table, other in pairs)))
    return tuple(found)


def faults(paths: Mapping[str, str], root: str) -> list[str]:
    """What is wrong with the paths of a process whose cases are the rows of `root`, one line each."""
    found = []
    for table, path in paths.items():
        try:
            hops = [way.hops for way in ways(path)]
        except ValueError as error:
            found.append(f"paths.{table}: {error}")
            continue
        passed = {name for chain in hops for name, _ in chain}
        found += [f"paths.{table}: '{name}' has no path itself" for name in sorted(passed - set(paths))]
        if any(name == root for chain in hops for name, _ in chain[:-1]):
            found.append(f"paths.{table}: a way ends where it meets {root}")
    return found


def named(paths: Mapping[str, str]) -> dict[str, list[str]]:
    """Every column (Table.Column) that the path of a table names; paths that cannot be read name none."""
    found: dict[str, list[str]] = {}
    for table, path in paths.items():
        with suppress(ValueError):
            chains = [((table, way.column), *way.hops) for way in ways(path)]
            found[table] = [f"{name}.{column}" for chain in chains for name, column in chain]
    return found


@dataclass(frozen=True)
class Part:
    """Some cases of a process, and what of each table it takes to tell them."""

    spec: SourceSpec
    columns: Mapping[str, Sequence[str]]  # that were supplied, per table
    root: str
    paths: Mapping[str, str]
    cases: pl.Series
    row: str | None = None  # a row to be seen whatever case it leads to
    astray: bool = False  # instead, the rows that lead to no record of the root at all

    @property
    def facts(self) -> list[object]:
        """All that decides which rows are shown, in a form that JSON knows."""
        return [self.root, dict(self.paths), self.cases.sort().to_list(), self.row, self.astray]

    def choose(self, connection: duckdb.DuckDBPyConnection, place: str) -> None:
        """Gather the Ids of the records of the root that the cases cannot be told without."""
        key = identifier(self._key(self.root))
        if self.astray:
            everybody = f"{place}.{identifier(self.root)}"
            connection.execute(f"CREATE TABLE {CHOSEN} AS SELECT {key} AS id FROM {everybody}")
            return
        connection.register("cases asked for", pl.DataFrame({"id": self.cases.cast(pl.String)}))
        try:
            connection.execute(f'CREATE TABLE {CHOSEN} AS SELECT DISTINCT id FROM "cases asked for"')
        finally:
            connection.unregister("cases asked for")
        itself = Way(self._key(self.root), ())
        more = [self._leads(way, place) for way in self._ways(self.root) if way != itself]
        if not more:
            return
        step = (
            f"INSERT INTO {CHOSEN} SELECT {key} FROM {place}.{identifier(self.root)} "
            f"WHERE ({' OR '.join(more)}) AND {key} NOT IN (SELECT id FROM {CHOSEN}) RETURNING id"
        )
        while not connection.sql(step).pl().is_empty():
            pass

    def condition(self, table: str, place: str) -> str:
        """Which rows of a table to show; `place` is the schema that holds all of them."""
        path = self.paths.get(table)
        if path == BROADCAST:
            return "true"
        found = [] if path is None else [self._leads(way, place) for way in self._ways(table)]
        if self.row is not None and self._key(table) in self.columns.get(table, ()):
            found.append(f"{identifier(self._key(table))} = {literal(self.row)}")
        # Row by row first, way by way: all columns of the few that are left are read then.
        source = f"{place}.{identifier(table)}"
        rows = " UNION ALL ".join(f"SELECT rowid FROM {source} WHERE {way}" for way in found)
        if self.astray and path is not None:
            return f"rowid NOT IN ({rows})" if rows else "true"
        return f"rowid IN ({rows})" if rows else "false"

    def led_to(self, connection: duckdb.DuckDBPyConnection, table: str, key: str, place: str) -> pl.Series:
        """Ids of all records of the root that the row of `table` with this key leads to, even itself."""
        found = self._reached(connection, table, pl.Series([key], dtype=pl.String), place)
        if table == self.root:
            found = found.append(pl.Series([key]))
        while True:
            further = self._reached(connection, self.root, found, place)
            both = pl.concat([found, further]).unique().sort()
            if len(both) == len(found.unique()):
                return both
            found = both

    def _reached(
        self, connection: duckdb.DuckDBPyConnection, table: str, keys: pl.Series, place: str
    ) -> pl.Series:
        key, source = identifier(self._key(table)), f"{place}.{identifier(table)}"
        queries = []
        for way in self._ways(table):
            query = f"SELECT {identifier(way.column)} FROM {source} WHERE {key} IN (SELECT id FROM known)"
            for hop, column in way.hops:
                sought, given = self._key(hop), column
                if hop == self.root:
                    sought, given = given, sought
                query = (
                    f"SELECT {identifier(given)} FROM {place}.{identifier(hop)} "
                    f"WHERE {identifier(sought)} IN ({query})"
                )
            queries.append(query)
        if not queries:
            return keys.clear()
        connection.register("known", pl.DataFrame({"id": keys}))
        try:
            rows: pl.Series = connection.sql(" UNION ".join(queries)).pl().to_series()
        finally:
            connection.unregister("known")
        return rows.drop_nulls().cast(pl.String).alias("id").sort()

    def _key(self, table: str) -> str:
        return self.spec.tables[table].key

    def _ways(self, table: str) -> list[Way]:
        """The ways of a table whose columns were all supplied: no other can lead anywhere."""
        path = self.paths.get(table, BROADCAST)
        there = [
            (way, [(table, way.column), *way.hops, *((hop, self._key(hop)) for hop, _ in way.hops)])
            for way in ways(path)
        ]
        return [
            way
            for way, needed in there
            if all(column in self.columns.get(name, ()) for name, column in needed)
        ]

    def _leads(self, way: Way, place: str) -> str:
        """Whether a way leads from a row to a chosen record."""
        value = identifier(way.column)
        if not way.hops:
            return f"{value} IN (SELECT id FROM {CHOSEN})"
        (table, column), *further = way.hops
        key = identifier(self._key(table))
        source = f"{place}.{identifier(table)}"
        if table == self.root:
            ours = f"SELECT {identifier(column)} FROM {source} WHERE {key} IN (SELECT id FROM {CHOSEN})"
            return f"{value} IN ({ours})"
        on = self._leads(Way(column, tuple(further)), place)
        return f"{value} IN (SELECT {key} FROM {source} WHERE {on})"

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
from collections.abc import Collection, Mapping, Sequence
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
    chosen: str = CHOSEN  # where the records are noted that the cases cannot be told without

    @property
    def facts(self) -> list[object]:
        """All that decides which rows are shown, in a form that JSON knows."""
        return [self.root, dict(self.paths), self.cases.sort().to_list(), self.row, self.astray]

    def choose(self, connection: duckdb.DuckDBPyConnection, place: str) -> None:
        """Gather the Ids of the records of the root that the cases cannot be told without."""
        key = identifier(self.key(self.root))
        if self.astray:
            everybody = f"{place}.{identifier(self.root)}"
            connection.execute(f"CREATE TABLE {self.chosen} AS SELECT {key} AS id FROM {everybody}")
            return
        connection.register("cases asked for", pl.DataFrame({"id": self.cases.cast(pl.String)}))
        try:
            connection.execute(f'CREATE TABLE {self.chosen} AS SELECT DISTINCT id FROM "cases asked for"')
        finally:
            connection.unregister("cases asked for")
        itself = Way(self.key(self.root), ())
        more = [self._leads(way, place) for way in self.ways(self.root) if way != itself]
        if not more:
            return
        step = (
            f"INSERT INTO {self.chosen} SELECT {key} FROM {place}.{identifier(self.root)} "
            f"WHERE ({' OR '.join(more)}) AND {key} NOT IN (SELECT id FROM {self.chosen}) RETURNING id"
        )
        while not connection.sql(step).pl().is_empty():
            pass

    def condition(self, table: str, place: str) -> str:
        """Which rows of a table to show; `place` is the schema that holds all of them."""
        found = self.leading(table, place)
        if found is None:
            return "true"
        # Row by row first, way by way: all columns of the few that are left are read then.
        source = f"{place}.{identifier(table)}"
        rows = " UNION ALL ".join(f"SELECT rowid FROM {source} WHERE {way}" for way in found)
        if self.astray and table in self.paths:
            return f"rowid NOT IN ({rows})" if rows else "true"
        return f"rowid IN ({rows})" if rows else "false"

    def leading(self, table: str, place: str) -> list[str] | None:
        """Conditions on rows of a table, way by way, that lead to a chosen record; null: all rows do."""
        path = self.paths.get(table)
        if path == BROADCAST:
            return None
        found = [] if path is None else [self._leads(way, place) for way in self.ways(table)]
        if self.row is not None and self.key(table) in self.columns.get(table, ()):
            found.append(f"{identifier(self.key(table))} = {literal(self.row)}")
        return found

    def led_to(self, connection: duckdb.DuckDBPyConnection, table: str, key: str, place: str) -> pl.Series:
        """Ids of all records of the root that the row of `table` with this key leads to, even itself."""
        row = (
            f"SELECT * FROM {place}.{identifier(table)} WHERE {identifier(self.key(table))} = {literal(key)}"
        )
        return self.reached(connection, {table: [f"({row})"]}, place)

    def reached(
        self, connection: duckdb.DuckDBPyConnection, rows: Mapping[str, Sequence[str]], place: str
    ) -> pl.Series:
        """Ids of all records of the root that rows lead to, in the state of the tables in `place`; sorted.

        `rows` are relations per table, in its columns. Rows of the root lead to themselves; rows that other
        rows' ways pass through lead where the rest of the way does.
        """
        queries = [
            self._follow(f"SELECT {identifier(column)} FROM {relation}", hops, place)
            for table, column, hops in self._tails(rows)
            for relation in rows[table]
        ]
        if not queries:
            return pl.Series("id", [], dtype=pl.String)
        found: pl.Series = connection.sql(" UNION ".join(queries)).pl().to_series()
        return self.closed(connection, found, place)

    def closed(self, connection: duckdb.DuckDBPyConnection, found: pl.Series, place: str) -> pl.Series:
        """`found` and all records of the root that cannot be told without them; sorted, once each."""
        key = identifier(self.key(self.root))
        found = found.drop_nulls().cast(pl.String).alias("id").unique().sort()
        more = [way for way in self.ways(self.root) if way != Way(self.key(self.root), ())]
        start = "SELECT {} FROM {}.{} WHERE {} IN (SELECT id FROM known)"
        queries = [
            self._follow(
                start.format(identifier(way.column), place, identifier(self.root), key), way.hops, place
            )
            for way in more
        ]
        while queries:
            connection.register("known", found.to_frame())
            try:
                further: pl.Series = connection.sql(" UNION ".join(queries)).pl().to_series()
            finally:
                connection.unregister("known")
            both = pl.concat([found, further.drop_nulls().cast(pl.String).alias("id")]).unique().sort()
            if len(both) == len(found):
                break
            found = both
        return found

    def passing(self, table: str, rows: Mapping[str, str], place: str) -> list[str]:
        """Conditions on rows of a table whose ways pass through `rows`, a relation per table they pass."""
        found = []
        for way in self.ways(table):
            before = [way.column, *(column for _, column in way.hops)]
            for at, (hop, column) in enumerate(way.hops):
                if hop not in rows:
                    continue
                value = column if hop == self.root else self.key(hop)
                inside = f"SELECT {identifier(value)} FROM {rows[hop]}"
                for (link, _), given in reversed(list(zip(way.hops[:at], before[1:], strict=False))):
                    inside = (
                        f"SELECT {identifier(self.key(link))} FROM {place}.{identifier(link)} "
                        f"WHERE {identifier(given)} IN ({inside})"
                    )
                found.append(f"{identifier(way.column)} IN ({inside})")
        return found

    def passed(self, rows: Mapping[str, Sequence[str]], place: str) -> dict[str, list[str]]:
        """Queries per table for the records that the ways of rows pass through, and those among the rows.

        Of the root, whose columns are looked into, they give the values looked for, whoever has them.
        """
        found: dict[str, list[str]] = {}
        for table in self.paths:
            for way in self.ways(table):
                for at, (hop, column) in enumerate(way.hops):
                    queries = found.setdefault(hop, [f"SELECT * FROM {one}" for one in rows.get(hop, ())])
                    for relation in rows.get(table, ()):
                        start = f"SELECT {identifier(way.column)} AS value FROM {relation}"
                        values = self._follow(start, way.hops[:at], place)
                        queries.append(
                            f"SELECT value AS {identifier(column)} FROM ({values}) AS found (value)"
                            if hop == self.root
                            else f"SELECT * FROM {place}.{identifier(hop)} "
                            f"WHERE {identifier(self.key(hop))} IN ({values})"
                        )
        return {hop: list(dict.fromkeys(queries)) for hop, queries in found.items() if queries}

    def _tails(self, rows: Collection[str]) -> list[tuple[str, str, tuple[tuple[str, str], ...]]]:
        """(table, column, what it leads on to) of every way that begins in or passes through these tables."""
        found: dict[tuple[str, str, tuple[tuple[str, str], ...]], None] = {}
        if self.root in rows:
            found[self.root, self.key(self.root), ()] = None
        for table in self.paths:
            for way in self.ways(table):
                if table in rows:
                    found[table, way.column, way.hops] = None
                for at, (hop, column) in enumerate(way.hops):
                    if hop in rows and hop != self.root:
                        found[hop, column, way.hops[at + 1 :]] = None
        return list(found)

    def _follow(self, query: str, hops: Sequence[tuple[str, str]], place: str) -> str:
        """SQL for where the values of a query lead."""
        for hop, column in hops:
            sought, given = self.key(hop), column
            if hop == self.root:
                sought, given = given, sought
            query = (
                f"SELECT {identifier(given)} FROM {place}.{identifier(hop)} "
                f"WHERE {identifier(sought)} IN ({query})"
            )
        return query

    def key(self, table: str) -> str:
        """The key column of a table."""
        return self.spec.tables[table].key

    def ways(self, table: str) -> list[Way]:
        """The ways of a table whose columns were all supplied: no other can lead anywhere."""
        path = self.paths.get(table, BROADCAST)
        there = [
            (way, [(table, way.column), *way.hops, *((hop, self.key(hop)) for hop, _ in way.hops)])
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
            return f"{value} IN (SELECT id FROM {self.chosen})"
        (table, column), *further = way.hops
        key = identifier(self.key(table))
        source = f"{place}.{identifier(table)}"
        if table == self.root:
            ours = f"SELECT {identifier(column)} FROM {source} WHERE {key} IN (SELECT id FROM {self.chosen})"
            return f"{value} IN ({ours})"
        on = self._leads(Way(column, tuple(further)), place)
        return f"{value} IN (SELECT {key} FROM {source} WHERE {on})"

"""Parts of several processes seen at once: what each of them takes, looked for together and told apart."""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

from collections.abc import Mapping
from dataclasses import dataclass, replace

import duckdb
import polars as pl

from crmmining.tables.paths import BROADCAST, Part
from crmmining.tables.sql import identifier


@dataclass(frozen=True)
class Joint:
    """Parts by the name of their process, and rows (keys per table) that each sees whatever they lead to."""

    parts: Mapping[str, Part]
    also: Mapping[str, Mapping[str, pl.Series]]

    @property
    def facts(self) -> list[object]:
        """All that decides which rows are shown, in a form that JSON knows."""
        more = {
            name: {table: keys.sort().to_list() for table, keys in rows.items()}
            for name, rows in self.also.items()
        }
        return [{name: part.facts for name, part in self.parts.items()}, more]

    def choose(self, connection: duckdb.DuckDBPyConnection, place: str) -> None:
        """Note which rows of every table each part sees."""
        for name, given in self.parts.items():
            part = replace(given, chosen=f"whole.{identifier(f'chosen for {name}')}")
            part.choose(connection, place)
            for table, path in part.paths.items():
                if path == BROADCAST or table not in part.columns:
                    continue
                ways = part.leading(table, place) or []
                key = identifier(part.key(table)) if part.key(table) in part.columns[table] else "NULL::VARCHAR"
                rows = self.also.get(name, {}).get(table)
                if rows is not None and not rows.is_empty():
                    connection.register("rows asked for", pl.DataFrame({"key": rows}))
                    ways.append(f'{key} IN (FROM "rows asked for")')
                source = f"{place}.{identifier(table)}"
                found = " UNION ".join(f"SELECT rowid AS place, {key} AS key FROM {source} WHERE {way}" for way in ways)
                nothing = f"SELECT rowid AS place, {key} AS key FROM {source} WHERE false"
                connection.execute(f"CREATE TABLE {seen(name, table)} AS {found or nothing}")
                if rows is not None and not rows.is_empty():
                    connection.unregister("rows asked for")

    def condition(self, table: str, place: str) -> str:
        """Which rows of a table to show: those that any part sees."""
        del place
        paths = {name: part.paths.get(table) for name, part in self.parts.items()}
        if BROADCAST in paths.values():
            return "true"
        found = [
            f"SELECT place FROM {seen(name, table)}"
            for name, path in paths.items()
            if path is not None and table in self.parts[name].columns
        ]
        return f"rowid IN ({' UNION ALL '.join(found)})" if found else "false"


def seen(process: str, table: str) -> str:
    """Where it is noted which rows of a table the part of a process sees: place (row id), key."""
    return f"whole.{identifier(f'{table} for {process}')}"

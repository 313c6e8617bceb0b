"""Parts of several processes seen at once: what each of them takes, looked for together and told apart."""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import duckdb
import polars as pl

from crmmining.tables.paths import BROADCAST, Part
from crmmining.tables.sql import identifier


@dataclass(frozen=True)
class Joint:
    """Parts by the name of their process, and rows (keys per table) that each sees whatever they lead to."""

    parts: Mapping[str, Part]
    also: Mapping[str, Mapping[str, pl.Series]]
    mute: Mapping[str, Collection[str]]  # tables whose rows tell nothing, all for the same reason
    further: dict[str, pl.Series] = field(default_factory=dict)  # found when the rows are chosen

    @property
    def facts(self) -> list[object]:
        """All that decides which rows are shown, in a form that JSON knows."""
        more = {
            name: {table: keys.sort().to_list() for table, keys in rows.items()}
            for name, rows in self.also.items()
        }
        return [{name: part.facts for name, part in self.parts.items()}, more]

    def choose(self, connection: duckdb.DuckDBPyConnection, place: str) -> None:
        """Note which rows of every table each part sees, and which cases these lead to besides.

        A row tells in all its cases what it tells, or why it tells nothing: so where rows of tables that are
        not mute lead to further cases, these are seen, too.
        """
        for name, part in self.parts.items():
            self._choose(connection, place, name, part, "direct")
            known = f"SELECT id FROM {_chosen(name)}"
            several = {
                table: rows
                for table, rows in self._seen(part, name, place)
                if table not in self.mute.get(name, ()) and _may_lead_on(part, table)
            }
            found = part.reached(connection, several, place)
            connection.register("cases found", found.to_frame("id"))
            there = f"SELECT {identifier(part.key(part.root))} FROM {place}.{identifier(part.root)}"
            further: pl.Series = (
                connection.sql(
                    f'SELECT id FROM "cases found" WHERE id IN ({there}) AND id NOT IN ({known}) ORDER BY id'
                )
                .pl()
                .to_series()
            )
            connection.unregister("cases found")
            self.further[name] = further.cast(pl.String)
            if len(further):
                self._choose(connection, place, name, replace(part, cases=self.further[name]), "further")

    def _choose(
        self, connection: duckdb.DuckDBPyConnection, place: str, name: str, given: Part, step: str
    ) -> None:
        part = replace(given, chosen=_chosen(name, step))
        part.choose(connection, place)
        for table, path in part.paths.items():
            if path == BROADCAST or table not in part.columns:
                continue
            ways = part.leading(table, place) or []
            key = identifier(part.key(table)) if part.key(table) in part.columns[table] else "NULL::VARCHAR"
            rows = self.also.get(name, {}).get(table) if step == "direct" else None
            if rows is not None and not rows.is_empty():
                connection.register("rows asked for", pl.DataFrame({"key": rows}))
                ways.append(f'{key} IN (FROM "rows asked for")')
            columns = f"SELECT rowid AS place, {key} AS key FROM {place}.{identifier(table)}"
            found = " UNION ".join(f"{columns} WHERE {way}" for way in ways) or f"{columns} WHERE false"
            connection.execute(f"CREATE TABLE {seen(name, table, step)} AS {found}")
            connection.unregister("rows asked for")

    def _seen(self, part: Part, name: str, place: str) -> list[tuple[str, list[str]]]:
        """The rows of every table that a part sees by itself, as relations."""
        rows = "(SELECT * FROM {}.{} WHERE rowid IN (SELECT place FROM {}))"
        return [
            (table, [rows.format(place, identifier(table), seen(name, table))])
            for table, path in part.paths.items()
            if path != BROADCAST and table in part.columns
        ]

    def condition(self, table: str, place: str) -> str:
        """Which rows of a table to show: those that any part sees."""
        del place
        steps = {
            name: ("direct", "further") if len(self.further[name]) else ("direct",) for name in self.parts
        }
        paths = {name: part.paths.get(table) for name, part in self.parts.items()}
        if BROADCAST in paths.values():
            return "true"
        found = [
            f"SELECT place FROM {seen(name, table, step)}"
            for name, path in paths.items()
            for step in steps[name]
            if path is not None and table in self.parts[name].columns
        ]
        return f"rowid IN ({' UNION ALL '.join(found)})" if found else "false"


def seen(process: str, table: str, step: str = "direct") -> str:
    """Where it is noted which rows of a table the part of a process sees: place (row id), key."""
    return f"whole.{identifier(f'{table} for {process}, {step}')}"


def _chosen(process: str, step: str = "direct") -> str:
    return f"whole.{identifier(f'chosen for {process}, {step}')}"


def _may_lead_on(part: Part, table: str) -> bool:
    """Whether a row of a table may lead to several cases."""
    ways = part.ways(table)
    return len(ways) > 1 or any(part.root in {hop for hop, _ in way.hops} for way in ways)

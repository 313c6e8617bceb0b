"""What there is to do for the log of one process when rows have changed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from crmmining.definitions import Process
from crmmining.extract import Told
from crmmining.extract.reading import Columns, columns_read
from crmmining.tables import Tables
from crmmining.tables.merging import Merge
from crmmining.tables.moving import Moved, concerning
from crmmining.tables.paths import Part, named
from crmmining.tables.touching import broadcast, touched


@dataclass(frozen=True)
class Reads:
    """The columns that processes read; the database is asked when somebody wants to know, once."""

    tables: Tables
    processes: Sequence[Process]
    stages: pl.DataFrame
    known: dict[str, Columns]

    def of(self, process: Process) -> Columns:
        """The columns that one of the processes reads, per table."""
        if process.name not in self.known:
            self.known.update(columns_read(self.tables, self.processes, self.stages))
        return self.known[process.name]


@dataclass(kw_only=True)
class Task:
    """What there is to do for one log; `reason` says why all of its cases are told again."""

    process: Process
    before: Told
    part: Part
    touched: pl.Series
    reads: Reads
    moved: dict[str, Moved] = field(default_factory=dict)  # rows that are others in what the process reads
    reason: str | None = None
    also: dict[str, pl.Series] = field(default_factory=dict)  # keys of rows to be looked at besides

    def prepare(self, merge: Merge) -> None:
        """Find the cases that rows led to so far which go or are replaced, or what concerns all cases."""
        self.reason = self._concerns_all(merge)
        if self.reason is None:
            self.touched = touched(merge.tables, self.part, self.relations("gone"))

    def relations(self, kind: str) -> dict[str, list[str]]:
        """The relations of rows that are `gone`, or `fresh`, per table."""
        both = {name: getattr(one, kind) for name, one in self.moved.items()}
        return {name: [relation] for name, relation in both.items() if relation}

    def _concerns_all(self, merge: Merge) -> str | None:
        if merge.new_tables:
            return f"{', '.join(merge.new_tables)} was not there before"
        process, paths = self.process, self.process.paths
        self.moved = concerning(merge.tables, merge.moved, self.read, process.name)
        if every := [name for name in broadcast(paths) if name in self.moved]:
            return f"every case needs {', '.join(every)}"
        if strays := [name for name in self.moved if name not in paths and _names(process, name)]:
            return f"no path leads from {', '.join(strays)} to the cases"
        return None if self.before.fates.traced else "events do not name their rows"

    def read(self, table: str) -> set[str]:
        """The columns of a table that decide what the process tells, and of which cases."""
        spec = self.part.spec.tables[table]
        ways = {column for chain in named(self.process.paths).values() for column in chain}
        led = {name for name in self.part.columns.get(table, ()) if f"{table}.{name}" in ways}
        return {*self.reads.of(self.process).get(table, ()), *led, spec.key, str(spec.visible_from)}


def _names(process: Process, table: str) -> bool:
    """Whether the SQL of a process itself names a table."""
    text = re.sub(r"--[^\n]*|'[^']*'", " ", process.sql)
    word = rf'"{table}"' if table.upper() in {"CASE", "GROUP", "USER"} else rf"\b{table}\b"
    return re.search(word, text) is not None

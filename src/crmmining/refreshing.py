"""Logs brought up to date: changed rows are merged in, and only the cases that they touch are told again.

What a case tells depends on the rows that its paths lead to, on what all cases need (`broadcast` tables, the
census of all records, definitions) and on the moment. So a case is touched when a row that leads to it, or
did before, is another, or when the moment makes something known or due; and every case is when something is
another that all of them need.
"""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from crmmining import calendars
from crmmining.definitions import Catalogue, Process
from crmmining.eventlog import Partition, standing
from crmmining.eventlog.replacing import Replaced, appended, recoded
from crmmining.extract import Told, told_log
from crmmining.extract.phases import census, forget, show
from crmmining.extract.reading import Columns, columns_read
from crmmining.extract.rows import AFTER, account, mute, places, revised, speaks
from crmmining.sources import Reading
from crmmining.tables import RawTable, Tables
from crmmining.tables.merging import Merge, read_changes
from crmmining.tables.parts import Joint, seen
from crmmining.tables.paths import Part
from crmmining.tables.sql import identifier
from crmmining.tables.touching import broadcast, counts, due, kin, newly_visible, touched

MOST, MANY = 0.5, 1_000  # share of the cases, and number, beyond which telling all of them again is less work
ACCOUNT = pl.Schema(
    {
        "scope": pl.String(),
        "name": pl.String(),
        "new": pl.Int64(),
        "changed": pl.Int64(),
        "unchanged": pl.Int64(),
        "deleted": pl.Int64(),
        "quarantined": pl.Int64(),
        "cases": pl.Int64(),
        "rebuilt": pl.String(),
    }
)
_DAY = timedelta(days=1)


class Refreshed(NamedTuple):
    """Tables and logs as they are now, and the account of what was done (columns `ACCOUNT`)."""

    tables: Tables
    logs: dict[str, Told]
    account: pl.DataFrame


def refresh(
    tables: Tables,
    catalogue: Catalogue,
    logs: Mapping[str, Told],
    changes: Sequence[RawTable],
    *,
    deleted: Mapping[str, Sequence[str]],
    reading: Reading,
    extracted_at: datetime | None,
    read: dict[str, Columns],
) -> Refreshed:
    """Merge changes into the tables and bring `logs`, which are as of the clock, up to date.

    `read` remembers which columns processes read. Raises `SourceError` and `DefinitionError`, and then leaves
    the tables as they were.
    """
    roots = {process.root for process in catalogue.processes.values()}
    with read_changes(
        tables, changes, deleted=deleted, datetime_format=reading.datetime_format, roots=roots
    ) as merge:
        work = _Refresh(merge, catalogue, logs, read)
        work.prepare()
        fresh = merge.apply(max_quarantine=reading.max_quarantine, roots=roots, extracted_at=extracted_at)
        if merge.new_tables:
            read.clear()
        try:
            told, lines = work.finish(fresh)
            calendars.read(fresh)  # impossible ones are refused while there is a way back
        except BaseException:
            merge.undo()
            forget(tables)
            raise
        return Refreshed(fresh, told, pl.concat([_table_lines(merge.account), lines]))


@dataclass(kw_only=True)
class _Task:
    """What there is to do for the log of one process."""

    process: Process
    before: Told
    part: Part
    touched: pl.Series
    reason: str | None = None  # why all cases are told again
    also: dict[str, pl.Series] | None = None


class _Refresh:
    """Brings logs up to date: `prepare` before the tables are changed, `finish` after."""

    def __init__(
        self, merge: Merge, catalogue: Catalogue, logs: Mapping[str, Told], read: dict[str, Columns]
    ) -> None:
        self._merge = merge
        self._catalogue = catalogue
        self._stages = catalogue.stages
        none = pl.Series("id", [], dtype=pl.String)
        tables = merge.tables
        self._tasks = {
            name: _Task(
                process=process,
                before=logs[name],
                part=Part(tables.spec, tables.columns, process.root, process.paths, none),
                touched=none,
            )
            for name, process in catalogue.processes.items()
            if name in logs
        }
        self._census: dict[str, pl.DataFrame] = {}
        self._read = read

    def prepare(self) -> None:
        """Find the cases that rows led to so far which go, or are replaced."""
        moved, tables = self._merge.moved, self._merge.tables
        gone = {name: [one.gone] for name, one in moved.items() if one.gone}
        for task in self._tasks.values():
            task.reason = self._concerns_all(task)
            if task.reason is None:
                task.touched = touched(tables, task.part, gone)
        if self._partly():
            self._census = census(tables, self._tasks[next(iter(self._tasks))].process)

    def finish(self, tables: Tables) -> tuple[dict[str, Told], pl.DataFrame]:
        """The logs from the tables as they are now, and the account of what was done for each process."""
        forget(tables)
        if self._partly():
            self._compare(tables)
        if self._partly():
            self._find(tables)
        logs = self._replace_cases(tables)
        for name, task in self._tasks.items():
            if task.reason is not None:
                logs[name] = self._anew(tables, task)
        lines = [self._line(name, logs) for name in self._catalogue.processes]
        return logs, pl.DataFrame(lines, schema=ACCOUNT, orient="row")

    def _partly(self) -> list[_Task]:
        return [task for task in self._tasks.values() if task.reason is None]

    def _concerns_all(self, task: _Task) -> str | None:
        """Why a change of rows concerns every case of a process; none where it does not."""
        if self._merge.new_tables:
            return f"{', '.join(self._merge.new_tables)} was not there before"
        moved, paths = self._merge.moved, task.process.paths
        every = [name for name in broadcast(paths) if name in moved]
        if every := [name for name in every if self._matters(task.process, name)]:
            return f"every case needs {', '.join(every)}"
        if strays := [name for name in moved if name not in paths and _reads(task.process, name)]:
            return f"no path leads from {', '.join(strays)} to the cases"
        if not task.before.fates.traced:
            return "events do not name their rows"
        return None

    def _matters(self, process: Process, name: str) -> bool:
        """Whether a table that every case needs has changed in what the process reads of it."""
        tables, one = self._merge.tables, self._merge.moved[name]
        key = tables.spec.tables[name].key
        if not one.gone or not one.fresh or key not in tables.columns[name]:
            return True
        if process.name not in self._read:
            processes = [task.process for task in self._tasks.values()]
            self._read |= columns_read(tables, processes, self._stages)
        read = [column for column in tables.columns[name] if column in self._read[process.name][name]]
        columns = ", ".join(identifier(column) for column in dict.fromkeys([key, *read]))
        old, new = (f"SELECT {columns} FROM {relation}" for relation in (one.gone, one.fresh))
        differ = f"SELECT count(*) FROM (({old} EXCEPT {new}) UNION ALL ({new} EXCEPT {old}))"
        return bool(tables.connection.sql(differ).pl().item())

    def _compare(self, tables: Tables) -> None:
        """Look for what concerns every case in what is known of all records, and in the moment."""
        after, until = self._window(tables)
        task = self._partly()[0]
        fresh = census(tables, task.process)
        known = fresh.keys() == self._census.keys() and all(
            frame.equals(self._census[name]) for name, frame in fresh.items() if name != "tracking"
        )
        reason = None if known else "what is known of all records has changed"
        if reason is None and after < until:
            reason = self._falls_due(tables, fresh, after, until)
        for one in self._partly():
            one.reason = reason
            if reason is None and after < until:
                shown = newly_visible(tables, broadcast(one.process.paths), after, until)
                shown = [name for name in shown if name not in self._merge.moved]
                if shown:
                    one.reason = f"every case needs {', '.join(shown)}, where time has come"

    def _falls_due(
        self, tables: Tables, fresh: Mapping[str, pl.DataFrame], after: datetime, until: datetime
    ) -> str | None:
        if any(one.retention_months is not None for one in tables.spec.tracking.values()):
            return "what is still kept of the histories depends on the clock"
        zone = ZoneInfo(tables.spec.org.time_zone)
        for day in pl.concat([self._stages["since"], self._stages["until"]]).drop_nulls().unique().sort():
            begins = datetime.combine(day, time(), zone).astimezone(UTC)
            if after - _DAY < begins <= until + _DAY:
                return f"another list of stages holds from {day} on"
        between = [
            name
            for name, frame in fresh.items()
            if name != "tracking"
            for column, kind in frame.schema.items()
            if isinstance(kind, pl.Datetime)
            and frame.select(((pl.col(column) > after) & (pl.col(column) <= until)).any()).item()
        ]
        return "what is known of all records is of later than the clock was" if between else None

    def _window(self, tables: Tables) -> tuple[datetime, datetime]:
        """The clocks before and after, the earlier one first."""
        before, now = self._merge.tables.clock, tables.clock
        if before is None or now is None:
            return datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
        return min(before, now), max(before, now)

    def _find(self, tables: Tables) -> None:
        """Complete the touched cases, and note the rows to be looked at whatever they lead to."""
        after, until = self._window(tables)
        moved = self._merge.moved
        gone = {name: [one.gone] for name, one in moved.items() if one.gone}
        fresh = {name: [one.fresh] for name, one in moved.items() if one.fresh}
        paths = [task.part.paths for task in self._partly()]
        names = {name for path in paths for name in path if name not in broadcast(path)} & set(tables.columns)
        timely: dict[str, str] = {}
        if after < until:
            timely = due(tables, sorted(names), after, until, fresh)
        rows = {
            name: [*fresh.get(name, ()), *([timely[name]] if name in timely else [])]
            for name in {*fresh, *timely}
        }
        for task in self._partly():
            mine = {name: relations for name, relations in rows.items() if name in task.part.paths}
            lost = task.before.fates.lost.filter(
                (pl.col("reason") == AFTER) & (pl.col("at") > after) & (pl.col("at") <= until)
            )
            backwards = self._no_longer(task, tables)
            task.touched = (
                pl.concat(
                    [task.touched, touched(tables, task.part, mine), lost["case_id"].drop_nulls(), backwards]
                )
                .unique()
                .sort()
            )
            known = {name: [*mine.get(name, ()), *gone.get(name, ())] for name in task.part.paths}
            task.also = kin(tables, task.part, known, places(tables, task.process))
            if len(task.touched) > max(MANY, MOST * task.before.log.partitions[0].cases.height):
                task.reason = "more than half of the cases are touched"

    def _no_longer(self, task: _Task, tables: Tables) -> pl.Series:
        """Cases with events that are not known yet at a clock which has gone back."""
        before, now = self._merge.tables.clock, tables.clock
        none = pl.Series("id", [], dtype=pl.String)
        if before is None or now is None or now >= before:
            return none
        found = [none]
        for one in task.before.log.partitions:
            late = one.events.filter(pl.max_horizontal("occurred_at", "recorded_at") > now)[
                "case_ix"
            ].unique()
            found.append(one.cases["case_id"].gather(late).alias("id"))
        return pl.concat(found)

    def _replace_cases(self, tables: Tables) -> dict[str, Told]:
        """The logs in which only some cases are told again."""
        tasks = {task.process.name: task for task in self._partly()}
        moment = tables.clock
        if not tasks or moment is None:
            return {}
        idle = {name for name, task in tasks.items() if task.touched.is_empty() and not task.also}
        logs = {name: self._still(tables, tasks[name], moment) for name in idle}
        busy = {name: task for name, task in tasks.items() if name not in idle}
        if not busy:
            return logs
        first = next(iter(busy.values())).process
        quiet = {name: mute(task.before.fates) for name, task in busy.items()}
        joint = self._joint(busy, quiet)
        show(tables, first, moment, self._stages, joint)
        looked_at = {name: self._seen(tables, task) for name, task in busy.items()}
        for name, task in busy.items():
            task.touched = pl.concat([task.touched, joint.further[name]]).unique().sort()
        for name, task in busy.items():
            fresh = told_log(tables, task.process, moment, self._stages, joint, task.touched)
            if speaks(quiet[name], fresh.fates, looked_at[name], fresh.log.partitions[0].events):
                task.reason = "a table tells something for the first time"
            else:
                logs[name] = self._told_again(tables, task, fresh, looked_at[name])
        return logs

    def _joint(self, tasks: Mapping[str, _Task], quiet: Mapping[str, pl.DataFrame]) -> Joint:
        paths = {name: list(task.process.paths) for name, task in tasks.items()}
        return Joint(
            {name: replace(task.part, cases=task.touched) for name, task in tasks.items()},
            {name: task.also or {} for name, task in tasks.items()},
            {name: [paths[name][place] for place in found["name"]] for name, found in quiet.items()},
        )

    def _seen(self, tables: Tables, task: _Task) -> pl.DataFrame:
        """The rows of the process's own tables that are looked at again, or are gone: name, id."""
        found = [pl.DataFrame(schema={"name": pl.UInt16, "id": pl.String})]
        for table, place in places(tables, task.process).items():
            one = self._merge.moved.get(table)
            noted = seen(task.process.name, table)
            keys = [tables.connection.sql(f"SELECT key FROM {noted}").pl()["key"]]
            if one is not None and one.gone:
                keys.append(self._keys(tables, task.part, table, one.gone))
            ids = pl.concat([key.cast(pl.String) for key in keys]).unique().alias("id")
            found.append(ids.to_frame().select(pl.lit(place, pl.UInt16).alias("name"), "id"))
        return pl.concat(found)

    def _told_again(self, tables: Tables, task: _Task, fresh: Told, looked_at: pl.DataFrame) -> Told:
        """The log with its touched cases replaced, and the fates of the rows that were looked at."""
        before, log = task.before, fresh.log
        (old,), (new,) = before.log.partitions, log.partitions
        names, codes = appended(before.log.activities, log.activities)
        merged = Replaced(old, task.touched, recoded(new, codes))
        whole = Partition(merged.events, merged.cases, merged.values)
        number = counts(tables, places(tables, task.process), log.as_of)
        fates = revised(before.fates, looked_at, fresh.fates._replace(counts=number))
        rows = account(tables, task.process, fates, whole.events.height)
        return Told(
            replace(
                before.log,
                as_of=log.as_of,
                activities=names,
                partitions=(whole,),
                quality=rows,
                off=log.off,
                tracked=standing.tracked([whole]),
            ),
            fates,
        )

    def _still(self, tables: Tables, task: _Task, moment: datetime) -> Told:
        """The log as it was, at another moment."""
        before = task.before
        fates = before.fates._replace(counts=counts(tables, places(tables, task.process), moment))
        rows = account(tables, task.process, fates, before.log.partitions[0].events.height)
        return Told(replace(before.log, as_of=moment, quality=rows), fates)

    def _anew(self, tables: Tables, task: _Task) -> Told:
        moment = tables.clock
        if moment is None:
            return task.before
        told = told_log(tables, task.process, moment, self._stages)
        return Told(replace(told.log, minimum_group=task.before.log.minimum_group), told.fates)

    def _line(self, name: str, logs: Mapping[str, Told]) -> tuple[object, ...]:
        task, nothing = self._tasks.get(name), [None] * 5
        if task is None:
            return ("process", name, *nothing, 0, "none: not built yet")
        if task.reason is not None:
            return ("process", name, *nothing, logs[name].log.cases.height, f"all: {task.reason}")
        return ("process", name, *nothing, len(task.touched), "cases" if len(task.touched) else "none")

    def _keys(self, tables: Tables, part: Part, table: str, relation: str) -> pl.Series:
        found: pl.Series = (
            tables.connection.sql(f"SELECT {identifier(part.key(table))} FROM {relation}").pl().to_series()
        )
        return found.cast(pl.String)


def _reads(process: Process, table: str) -> bool:
    """Whether the SQL of a process itself names a table."""
    text = re.sub(r"--[^\n]*|'[^']*'", " ", process.sql)
    word = rf'"{table}"' if table.upper() in {"CASE", "GROUP", "USER"} else rf"\b{table}\b"
    return re.search(word, text) is not None


def _table_lines(moves: pl.DataFrame) -> pl.DataFrame:
    """The account of tables in the form of the account of a refresh."""
    nothing = [pl.lit(None, ACCOUNT[name]).alias(name) for name in ("cases", "rebuilt")]
    lines = moves.rename({"table": "name"}).with_columns(pl.lit("table").alias("scope"), *nothing)
    return lines.select(ACCOUNT.names())

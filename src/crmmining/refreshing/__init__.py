"""Logs brought up to date: changed rows are merged in, and only the cases that they touch are told again.

What a case tells depends on the rows that its paths lead to, on what all cases need (`broadcast` tables, the
census of all records, definitions) and on the moment. So a case is touched when a row that leads to it, or
did before, is another, or when the moment makes something known or due; and every case is when something is
another that all of them need.
"""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from crmmining import calendars
from crmmining.definitions import Catalogue
from crmmining.extract import Told, told_log
from crmmining.extract.phases import census, forget, show
from crmmining.extract.reading import Columns
from crmmining.extract.renewing import Renewed, events_of, put_in
from crmmining.extract.rows import AFTER, account, mute, places, revised, speaks
from crmmining.refreshing.task import Reads, Task
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
    """Tables as they are now, what is new about logs, and the account of it all (columns `ACCOUNT`)."""

    tables: Tables
    logs: dict[str, Renewed]
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
    stored: bool = False,
) -> Refreshed:
    """Merge changes into the tables and bring `logs`, which are as of the clock, up to date.

    Of logs that are `stored` only the cases that were told again are given, and of one whose cases are all
    touched nothing. `read` remembers which columns processes read. Raises `SourceError` and
    `DefinitionError`, and then leaves the tables as they were.
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
            told, lines = work.finish(fresh, stored=stored)
            calendars.read(fresh)  # impossible ones are refused while there is a way back
        except BaseException:
            merge.undo()
            forget(tables)
            raise
        return Refreshed(fresh, told, pl.concat([_table_lines(merge.account), lines]))


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
        processes = {name: process for name, process in catalogue.processes.items() if name in logs}
        reads = Reads(tables, list(processes.values()), self._stages, read)
        self._tasks = {
            name: Task(
                process=process,
                before=logs[name],
                part=Part(tables.spec, tables.columns, process.root, process.paths, none),
                touched=none,
                reads=reads,
            )
            for name, process in processes.items()
        }
        self._census: dict[str, pl.DataFrame] = {}

    def prepare(self) -> None:
        """Find the cases that rows led to so far which go, or are replaced."""
        for task in self._tasks.values():
            task.prepare(self._merge)
        if partly := self._partly():
            self._census = census(self._merge.tables, partly[0].process)

    def finish(self, tables: Tables, *, stored: bool) -> tuple[dict[str, Renewed], pl.DataFrame]:
        """What is new about the logs, from the tables as they are now, and the account of what was done."""
        forget(tables)
        if self._partly():
            self._compare(tables)
        if self._partly():
            self._find(tables)
        found = self._replace_cases(tables)
        for name, task in self._tasks.items():
            if not stored and task.reason is not None:
                found[name] = self._anew(tables, task)
            elif not stored and name in found:
                found[name] = Renewed(put_in(task.before, found[name]), None)
        lines = [self._line(name, found) for name in self._catalogue.processes]
        return found, pl.DataFrame(lines, schema=ACCOUNT, orient="row")

    def _partly(self) -> list[Task]:
        return [task for task in self._tasks.values() if task.reason is None]

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
                asked = {name: one.read(name) for name in broadcast(one.process.paths)}
                if shown := newly_visible(tables, asked, after, until):
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
        timely = self._due(tables, after, until) if after < until else {}
        for task in self._partly():
            gone, fresh = task.relations("gone"), task.relations("fresh")
            mine = {
                name: [*fresh.get(name, ()), *([timely[name]] if name in timely else [])]
                for name in {*fresh, *timely} & set(task.part.paths)
            }
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
            if len(task.touched) > max(MANY, MOST * task.before.log.sizes[0]):
                task.reason = "more than half of the cases are touched"

    def _due(self, tables: Tables, after: datetime, until: datetime) -> dict[str, str]:
        """Rows of tables that time has come for, in whatever any process reads."""
        read: dict[str, set[str]] = {}
        for task in self._partly():
            every = broadcast(task.part.paths)
            for name in task.part.paths:
                if name not in every and name in tables.columns:
                    read.setdefault(name, set()).update(task.read(name))
        known = {
            name: [one.fresh]
            for name, one in self._merge.moved.items()
            if one.fresh and one.differs.is_empty()  # of others some process may know nothing yet
        }
        return due(tables, read, after, until, known)

    def _no_longer(self, task: Task, tables: Tables) -> pl.Series:
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

    def _replace_cases(self, tables: Tables) -> dict[str, Renewed]:
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
            if speaks(quiet[name], fresh.fates, fresh.log.only.events):
                task.reason = "a table tells something for the first time"
            else:
                logs[name] = self._told_again(tables, task, fresh, looked_at[name])
        return logs

    def _joint(self, tasks: Mapping[str, Task], quiet: Mapping[str, pl.DataFrame]) -> Joint:
        paths = {name: list(task.process.paths) for name, task in tasks.items()}
        return Joint(
            {name: replace(task.part, cases=task.touched) for name, task in tasks.items()},
            {name: task.also for name, task in tasks.items()},
            {name: [paths[name][place] for place in found["name"]] for name, found in quiet.items()},
        )

    def _seen(self, tables: Tables, task: Task) -> pl.DataFrame:
        """The rows of the process's own tables that are looked at again, or are gone: name, id."""
        found = [pl.DataFrame(schema={"name": pl.UInt16, "id": pl.String})]
        for table, place in places(tables, task.process).items():
            one = task.moved.get(table)
            noted = seen(task.process.name, table)
            keys = [tables.connection.sql(f"SELECT key FROM {noted}").pl()["key"]]
            if one is not None and one.gone:
                keys.append(self._keys(tables, task.part, table, one.gone))
            ids = pl.concat([key.cast(pl.String) for key in keys]).unique().alias("id")
            found.append(ids.to_frame().select(pl.lit(place, pl.UInt16).alias("name"), "id"))
        return pl.concat(found)

    def _told_again(self, tables: Tables, task: Task, fresh: Told, looked_at: pl.DataFrame) -> Renewed:
        """The touched cases, and the fates of rows where those that were looked at have theirs."""
        before, log = task.before, fresh.log
        number = counts(tables, places(tables, task.process), log.as_of)
        fates = revised(before.fates, looked_at, fresh.fates._replace(counts=number))
        left = before.log.sizes[1] - events_of(before.log.partitions, task.touched)
        rows = account(tables, task.process, fates, left + log.sizes[1])
        hidden = before.log.minimum_group
        return Renewed(Told(replace(log, quality=rows, minimum_group=hidden), fates), task.touched)

    def _still(self, tables: Tables, task: Task, moment: datetime) -> Renewed:
        """No cases: the log is as it was, at another moment."""
        before = task.before
        fates = before.fates._replace(counts=counts(tables, places(tables, task.process), moment))
        rows = account(tables, task.process, fates, before.log.sizes[1])
        return Renewed(Told(replace(before.log.blank, as_of=moment, quality=rows), fates), task.touched)

    def _anew(self, tables: Tables, task: Task) -> Renewed:
        if tables.clock is None:
            return Renewed(task.before, None)
        told = told_log(tables, task.process, tables.clock, self._stages)
        return Renewed(Told(replace(told.log, minimum_group=task.before.log.minimum_group), told.fates), None)

    def _line(self, name: str, found: Mapping[str, Renewed]) -> tuple[object, ...]:
        task, nothing = self._tasks.get(name), [None] * 5
        if task is None:
            return ("process", name, *nothing, 0, "none: not built yet")
        if task.reason is not None:
            cases = found[name].told.log.sizes[0] if name in found else 0
            return ("process", name, *nothing, cases, f"all: {task.reason}")
        return ("process", name, *nothing, len(task.touched), "cases" if len(task.touched) else "none")

    def _keys(self, tables: Tables, part: Part, table: str, relation: str) -> pl.Series:
        found: pl.Series = (
            tables.connection.sql(f"SELECT {identifier(part.key(table))} FROM {relation}").pl().to_series()
        )
        return found.cast(pl.String)


def _table_lines(moves: pl.DataFrame) -> pl.DataFrame:
    """The account of tables in the form of the account of a refresh."""
    nothing = [pl.lit(None, ACCOUNT[name]).alias(name) for name in ("cases", "rebuilt")]
    lines = moves.rename({"table": "name"}).with_columns(pl.lit("table").alias("scope"), *nothing)
    return lines.select(ACCOUNT.names())

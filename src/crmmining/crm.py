"""Crm: the one handle a person holds; thin methods over the floors below."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import duckdb
import polars as pl

from crmmining import availability, disclosure, extract, measure, quality, show, tables
from crmmining import calendars as hours
from crmmining.definitions import Catalogue, Kpi, Layers, read_catalogue
from crmmining.errors import CrmMiningError, OutputError, SourceError, UnknownNameError
from crmmining.eventlog import Engine, EventLog
from crmmining.imperfections import imperfections
from crmmining.moments import Moment, instant, known_by
from crmmining.opening import Opened, opened, refreshed
from crmmining.periods import PERIODS, Period
from crmmining.sources import Reading

Words = str | Sequence[str] | None


def connect(
    source: str | Path | duckdb.DuckDBPyConnection,
    *,
    crm: str = "salesforce",
    extractors: Layers = (),
    kpis: Layers = (),
    table_names: str = "{}",
    datetime_format: str | Sequence[str] | None = None,
    max_quarantine: float = 0.01,
    pseudonymise: str | bytes | None = None,
    minimum_group: int | None = None,
    extracted_at: Moment | None = None,
    store: str | Path | None = None,
    memory: str = tables.MEMORY,
    engine: Engine | None = None,
) -> "Crm":
    """Load a CRM: a folder of CSV or Parquet files, a `.duckdb` file, an open DuckDB connection or a store.

    `extractors` and `kpis` are folders, one or several, laid over the shipped definitions. `table_names`
    tells how the tables are called, `{}` standing for the table's own name (`sf_{}_data`). `datetime_format`
    states one or several strptime formats for timestamps and dates that are not ISO; they are never guessed.
    Past `max_quarantine` (share of a root table's rows) the input is refused. Raises `SourceError` and
    `DefinitionError`.

    `pseudonymise` is a secret key of 16 bytes or more: people are replaced by pseudonyms, the same ones for
    the same key. `minimum_group` withholds figures about people that fewer cases stand for. `extracted_at` is
    when the data was taken from the CRM, where the definitions do not state it: nothing is as of later.

    `store` is a folder that keeps the tables and every log that is asked for. What it holds is opened, not
    loaded again, where the source (by the hashes of its tables), its definitions and all options of reading
    are the same; otherwise it is replaced, in one step, unless it was refreshed. Given as the source itself,
    a store is opened without what it was made from. The database is held to `memory`, and what does not fit
    lies in files that go with it; with a store, logs are told for ranges of cases that fit, by `engine`, one
    after the other by default.

    >>> connect("data/sample")
    Crm(clock=2025-12-31T23:14:29Z, processes=account, case, lead, opportunity)
    >>> from tempfile import mkdtemp
    >>> kept = connect("data/sample", store=(folder := mkdtemp())).event_log("lead")
    >>> connect(folder).event_log("lead").events.equals(kept.events)
    True
    """
    if minimum_group is not None and minimum_group < 1:
        raise CrmMiningError(f"minimum_group is {minimum_group}, but must be a number of cases, 1 or more")
    catalogue = read_catalogue(crm, extractors=extractors, kpis=kpis)
    reading = Reading(table_names, datetime_format, max_quarantine)
    found = opened(
        source, catalogue, reading, key=pseudonymise, extracted_at=extracted_at, store=store, memory=memory
    )
    return Crm(found, catalogue, minimum_group=minimum_group, engine=engine)


class Crm:
    """A loaded CRM and the definitions in force; every figure is as of `as_of`, by default `clock`."""

    def __init__(
        self,
        found: Opened,
        catalogue: Catalogue,
        *,
        minimum_group: int | None = None,
        engine: Engine | None = None,
    ) -> None:
        self.tables, self.source, self._reading, self._store = found
        self.minimum_group = minimum_group
        self.definitions = catalogue
        self._engine = engine
        self._logs: dict[tuple[str, datetime], EventLog] = {}
        self._read: dict[str, dict[str, set[str]]] = {}  # columns that matter, once it was asked
        self._told: dict[tuple[str, datetime], extract.Told] = {}
        self._hours: hours.Read | None = None

    def __repr__(self) -> str:
        clock = "none" if self.tables.clock is None else f"{self.tables.clock:%Y-%m-%dT%H:%M:%SZ}"
        return f"Crm(clock={clock}, processes={', '.join(self.processes) or 'none'})"

    @property
    def clock(self) -> datetime:
        """Newest system timestamp of the data (UTC)."""
        if self.tables.clock is None:
            raise SourceError("no table holds a CreatedDate or SystemModstamp: state as_of")
        return self.tables.clock

    @property
    def clocks(self) -> pl.DataFrame:
        """How recent tables are: table, clock (newest system timestamp, UTC), behind (the newest of all).

        >>> connect("data/sample").clocks.row(0, named=True)["behind"]
        datetime.timedelta(0)
        """
        return self.tables.clocks

    @property
    def calendars(self) -> hours.Calendars | None:
        """The business calendars; null where the source has no BusinessHours and the definitions state none.

        >>> connect("data/sample").calendars
        Calendars(Help desk (default), Office hours)
        """
        return self._read_hours.calendars

    @property
    def _read_hours(self) -> hours.Read:
        self._hours = hours.read(self.tables) if self._hours is None else self._hours
        return self._hours

    def _with(self, log: EventLog) -> EventLog:
        return replace(log, minimum_group=self.minimum_group, calendars=self.calendars)

    @property
    def processes(self) -> tuple[str, ...]:
        """Processes this source can show."""
        return tuple(name for name in self.definitions.processes if not self._lacks(name))

    def event_log(self, process: str, *, as_of: Moment | None = None) -> EventLog:
        """The event log of one process as of a moment (default: `clock`).

        Raises `UnknownNameError` for an unknown process and `SourceError` when its root table is not there.

        >>> log = connect("data/sample").event_log("lead", as_of="2024-06-30")
        >>> log.as_of.isoformat(), log.events["occurred_at"].max() <= log.as_of
        ('2024-06-30T00:00:00+00:00', True)
        """
        key = (process, self.known_at(as_of))
        definition, stages = self.definitions.process(process), self.definitions.stages
        if self._store is not None:
            if key not in self._logs:
                self._logs[key] = self._with(self._store.log(definition, key[1], stages, self._engine))
            return self._logs[key]
        if key not in self._told:
            told = extract.told_log(self.tables, definition, key[1], stages)
            self._told[key] = told._replace(log=self._with(told.log))
        return self._told[key].log

    def refresh(
        self,
        changes: str | Path | duckdb.DuckDBPyConnection | None = None,
        *,
        deleted: Mapping[str, Sequence[str]] | None = None,
        extracted_at: Moment | None = None,
    ) -> pl.DataFrame:
        """Merge changed rows in, and tell the cases that they touch again; the rest stays as it was.

        `changes` is a source as `connect` takes it, read with the same options: rows that are new or have
        changed, of some tables or all. A row takes the place of what was known of its key, a table without a
        key is replaced as a whole; whole tables do no harm. `deleted` holds the keys, per table, of rows that
        are gone. Where `extracted_at` was stated, state it anew for rows that came later.

        Afterwards all is as if `connect` had read the merged source; logs handed out before stay what they
        were. Of a store the tables are changed in one step, and its logs, also those handed out before, are
        gone: they are told anew when they are asked for. Load its source again only into another store.
        Columns: scope (table, process), name; per table rows new, changed, unchanged, deleted and
        quarantined; per process cases (told again) and rebuilt (`cases`, `none` or `all: <reason>`). Raises
        `SourceError` and `DefinitionError`, and then everything is as it was.

        >>> crm = connect("data/sample")
        >>> _, task = crm.event_log("case"), crm.state("Task").filter(pl.col("WhatId").str.starts_with("500"))
        >>> done = crm.refresh(deleted={"Task": [task["Id"][0]]})
        >>> done.filter(pl.col("cases") > 0).select("name", "cases", "rebuilt").rows()
        [('case', 1, 'cases')]
        """
        zone, taken = self.definitions.source.org.time_zone, self.tables.extracted_at
        found, done = refreshed(
            Opened(self.tables, self.source, self._reading, self._store),
            self.definitions,
            {name: told for (name, moment), told in self._told.items() if moment == self.tables.clock},
            changes,
            deleted=deleted or {},
            extracted_at=taken if extracted_at is None else instant(extracted_at, zone),
            read=self._read,
        )
        self.tables, self.source, self._reading, self._store = found
        self._hours, self._logs = None, {}
        told = [one.told for one in done.logs.values() if one.gone is None]
        ours = [one._replace(log=self._with(one.log)) for one in told]
        self._told = {(one.log.process.name, one.log.as_of): one for one in ours}
        return done.account

    def state(self, table: str, *, at: Moment | None = None) -> pl.DataFrame:
        """The records of a table as they were at a moment (default: `clock`), deleted ones left out.

        Its declared columns as they were then, in order of the first, and `not_as_of` (List[String]): the
        names of those whose value is only known as of now, sorted. Raises `UnknownNameError` for a table that
        is not declared.

        >>> deals = connect("data/sample").state("Opportunity", at="2024-06-30")
        >>> deals.height, deals["StageName"].n_unique()
        (84, 10)
        """
        process = next(iter(self.definitions.processes.values()))
        return extract.state(self.tables, process, table, self.known_at(at), self.definitions.stages)

    def evidence(self, process: str, row: str, *, as_of: Moment | None = None) -> pl.DataFrame:
        """What became of one row of the source in a process, given its Id: for an event, its `source_id`.

        Columns: table, id, disposition (used, filtered, quarantined), reason (null: used), case_id, activity,
        occurred_at; a line for every event the row tells, or why it tells none. Raises `CrmMiningError` when
        no row has this Id.

        >>> crm = connect("data/sample")
        >>> event = crm.event_log("lead").events.row(0, named=True)
        >>> told = crm.evidence("lead", event["source_id"]).row(0, named=True)
        >>> told["table"], told["activity"], told["case_id"] == event["case_id"]
        ('Lead', 'Create Lead', True)
        """
        definition, stages = self.definitions.process(process), self.definitions.stages
        return extract.evidence(self.tables, definition, row, self.known_at(as_of), stages)

    def coverage(self, *, as_of: Moment | None = None) -> pl.DataFrame:
        """Since when changes are kept: table, field, rows, first, last, since, basis (stated, estimated).

        `field` is the column that changes, a mark of the CRM's own, or `*` for the whole table; `rows`,
        `first` and `last` are of the changes told by `as_of`. Sorted by table and field.

        >>> connect("data/sample").coverage().filter(field="StageName")["basis"].to_list()
        ['estimated', 'estimated']
        """
        process = next(iter(self.definitions.processes.values()))
        return extract.coverage(self.tables, process, self.known_at(as_of), self.definitions.stages)

    def scorecard(
        self,
        process: Words = None,
        *,
        by: Words = None,
        period: Period | None = None,
        as_of: Moment | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        kpis: Words = None,
    ) -> pl.DataFrame:
        """KPIs as tidy rows (see `crmmining.measure.scorecard`): all of them, or those named.

        `process`: one or several, default all that the source can show. `by`: segment words; a process
        without such a segment gives null. `period`: day, week, month, quarter or year of the org's calendar.
        since/until: count only what is dated in [since, until), by each KPI's own date.

        >>> rows = connect("data/sample").scorecard("opportunity", by=["region"], kpis=["win_rate"])
        >>> rows["region"].to_list(), rows.columns[:4]
        (['APAC', 'EMEA', 'LATAM', 'North America', None], ['kpi', 'process', 'grain', 'period_start'])
        """
        named = None if kpis is None else _words(kpis)
        chosen = availability.chosen(self.tables, self.definitions, self.select(process), named)
        words = _words(by)
        self.definitions.check_segments(words)
        if period is not None and period not in PERIODS:
            raise UnknownNameError("period", period, PERIODS)
        cut = measure.Cut(
            self.definitions.source.org,
            by=tuple(words),
            period=period,
            since=None if since is None else self.moment(since),
            until=None if until is None else self.moment(until),
        )
        logs = {name: self.event_log(name, as_of=as_of) for name in {kpi.process for kpi in chosen}}
        return disclosure.withhold_rows(
            measure.scorecard(logs, self.definitions, chosen, cut),
            self.minimum_group,
            by=cut.by,
            people={name: log.process.people for name, log in logs.items()},
        )

    def catalogue(self) -> pl.DataFrame:
        """Every KPI with its definition; `needs` names what this source lacks for it (null: nothing).

        >>> catalogue = connect("data/sample").catalogue()
        >>> catalogue["needs"].null_count() == catalogue.height
        True
        """
        lacking = {kpi.name: ", ".join(self.kpi_lacks(kpi)) for kpi in self.definitions.kpis.values()}
        needs = pl.col("kpi").replace_strict(lacking, return_dtype=pl.String)
        return self.definitions.frame().with_columns(needs=pl.when(needs != "").then(needs))

    def quality(
        self,
        process: Words = None,
        *,
        by: Words = None,
        period: Period | None = None,
        as_of: Moment | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
    ) -> pl.DataFrame:
        """What became of every row, what was noticed and what is switched off.

        Columns: scope (table, log, event), table, disposition, reason, rows, examples (Ids), effect (on
        figures), done (about it; both null for used rows). Per scope and table the rows of used,
        quarantined and filtered add up to the rows that came in; `finding` and `off` move no row. Findings
        stand together per process, the heaviest first. With a `minimum_group`, what `scorecard` withholds
        when it is cut alike is counted too.

        >>> quality = connect("data/sample").quality("lead")
        >>> quality.filter(pl.col("disposition") == "quarantined").height
        0
        """
        names, words = self.select(process), _words(by)
        logs = [self.event_log(name, as_of=as_of) for name in names]
        withheld: dict[str, int] = {}
        if self.minimum_group is not None and words:
            rows = self.scorecard(names, by=words, period=period, as_of=as_of, since=since, until=until)
            withheld = disclosure.withheld(rows)
        noticed = extract.findings(self.tables, self.definitions, self.known_at(as_of))
        return quality.account(
            self.tables,
            self.definitions,
            logs,
            words,
            noticed=pl.concat([noticed, self._read_hours.findings]),
            patterns={log.process.name: imperfections(log) for log in logs},
            withheld=withheld,
            minimum_group=self.minimum_group,
        )

    def report(
        self,
        path: str | Path,
        *,
        process: Words = None,
        period: Period | None = "month",
        as_of: Moment | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
    ) -> Path:
        """Write the report, one self-contained HTML file, to `path` and return it."""
        names = self.select(process)
        page = show.build_page(
            {name: self.event_log(name, as_of=as_of) for name in names},
            scorecard=self.scorecard(names, period=period, as_of=as_of, since=since, until=until),
            kpis=self.catalogue(),
            quality=self.quality(names, as_of=as_of),
            source=self.source,
            period=period,
            time_zone=self.definitions.source.org.time_zone,
            version=version("crmmining"),
        )
        target = Path(path)
        try:
            target.write_text(show.render(page), encoding="utf-8")
        except OSError as error:
            raise OutputError(f"cannot write the report to {target}: {error.strerror or error}") from error
        return target

    def kpi_lacks(self, kpi: Kpi) -> list[str]:
        """Tables and columns this source would need for a KPI; empty when it can be computed."""
        return availability.kpi_lacks(self.tables, self.definitions.process(kpi.process), kpi)

    def select(self, process: Words) -> list[str]:
        """Process names asked for (default: all that the source can show), checked."""
        names = _words(process) or list(self.processes)
        for name in names:
            lacking = self._lacks(name)
            if lacking:
                raise SourceError(f"process '{name}' cannot be shown: the source lacks {', '.join(lacking)}")
        return names

    def moment(self, value: Moment | None) -> datetime:
        """An instant in UTC: a date is its midnight in the org's zone, a time without a zone is UTC."""
        if value is None:
            return self.clock
        return instant(value, self.definitions.source.org.time_zone)

    def known_at(self, as_of: Moment | None) -> datetime:
        """The instant figures are as of; raises `SourceError` when it is later than the data was taken."""
        return known_by(self.moment(as_of), self.tables.extracted_at)

    def _lacks(self, process: str) -> list[str]:
        return availability.process_lacks(self.tables, self.definitions.process(process))


def _words(value: Words) -> list[str]:
    """The words asked for, once each."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(dict.fromkeys(value))

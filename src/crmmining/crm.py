"""Crm: the one handle a person holds; thin methods over the floors below."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from importlib.metadata import version
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import polars as pl

from crmmining import availability, extract, measure, quality, show, sources, tables
from crmmining.definitions import Catalogue, Kpi, read_catalogue
from crmmining.errors import CrmMiningError, OutputError, SourceError, UnknownNameError
from crmmining.eventlog import EventLog
from crmmining.periods import PERIODS, Period

_FIRST_YEAR, _LAST_YEAR = 1900, 2199

Moment = datetime | date | str
Words = str | Sequence[str] | None


def connect(
    source: str | Path | duckdb.DuckDBPyConnection,
    *,
    crm: str = "salesforce",
    extractors: Sequence[str | Path] = (),
    kpis: Sequence[str | Path] = (),
    table_names: str = "{}",
    datetime_format: str | Sequence[str] | None = None,
    max_quarantine: float = 0.01,
) -> "Crm":
    """Load a CRM: a folder of CSV or Parquet files, a `.duckdb` file or an open DuckDB connection.

    `extractors` and `kpis` are folders laid over the shipped definitions. `table_names` tells how the tables
    are called, `{}` standing for the table's own name (`sf_{}_data`). `datetime_format` states one or several
    strptime formats for timestamps and dates that are not ISO; they are never guessed. Past `max_quarantine`
    (share of a root table's rows) the input is refused. Raises `SourceError` and `DefinitionError`.

    >>> connect("data/sample")
    Crm(clock=2025-12-31T23:14:29Z, processes=account, case, lead, opportunity)
    """
    catalogue = read_catalogue(crm, extractors=extractors, kpis=kpis)
    database = duckdb.connect(":memory:")
    loaded = tables.load(
        sources.read(source, table_names=table_names),
        catalogue.source,
        database,
        max_quarantine=max_quarantine,
        datetime_format=datetime_format,
        roots={process.root for process in catalogue.processes.values()},
    )
    name = Path(source).resolve().name if isinstance(source, str | Path) else "DuckDB connection"
    return Crm(loaded, catalogue, name)


class Crm:
    """A loaded CRM and the definitions in force; every figure is as of `as_of`, by default `clock`."""

    def __init__(self, loaded: tables.Tables, catalogue: Catalogue, source: str) -> None:
        self.source = source
        self.tables = loaded
        self.definitions = catalogue
        self._logs: dict[tuple[str, datetime], EventLog] = {}

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
        key = (process, self.moment(as_of))
        if key not in self._logs:
            definition, stages = self.definitions.process(process), self.definitions.stages
            self._logs[key] = extract.build(self.tables, definition, key[1], stages)
        return self._logs[key]

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
        (['APAC', 'EMEA', 'LATAM', 'North America'], ['kpi', 'process', 'grain', 'period_start'])
        """
        chosen = self._chosen(self.select(process), kpis)
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
        return measure.scorecard(logs, self.definitions, chosen, cut)

    def _chosen(self, processes: list[str], kpis: Words) -> list[Kpi]:
        """The KPIs named, or all that the source can show; a named one that cannot be is an error."""
        if kpis is None:
            every = [kpi for name in processes for kpi in self.definitions.kpis_of(name)]
            return [kpi for kpi in every if not self.kpi_lacks(kpi)]
        chosen = [self.definitions.kpi(name) for name in _words(kpis)]
        for kpi in chosen:
            if lacking := self.kpi_lacks(kpi):
                raise SourceError(f"KPI '{kpi.name}' cannot be shown: the source lacks {', '.join(lacking)}")
            if kpi.process not in processes:
                asked = ", ".join(processes)
                raise CrmMiningError(
                    f"KPI '{kpi.name}' is one of process '{kpi.process}', but {asked} was asked for"
                )
        return chosen

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
        self, process: Words = None, *, by: Words = None, as_of: Moment | None = None
    ) -> pl.DataFrame:
        """What became of every row, what was noticed and what is switched off.

        Columns: scope (table, log, event), table, disposition, reason, rows, examples. Per scope and table
        the rows of used, quarantined and filtered add up to the rows that came in; `finding` and `off` move
        no row.

        >>> quality = connect("data/sample").quality("lead")
        >>> quality.filter(pl.col("disposition") == "quarantined").height
        0
        """
        logs = [self.event_log(name, as_of=as_of) for name in self.select(process)]
        return quality.account(self.tables, self.definitions, logs, _words(by))

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
        wrong = CrmMiningError(
            f"'{value}' is no moment from 1900 to 2199; write it as 2024-06-30 or 2024-06-30T12:00:00+00:00"
        )
        if isinstance(value, str):
            try:
                value = (
                    datetime.fromisoformat(value)
                    if len(value) > len("2024-06-30")
                    else date.fromisoformat(value)
                )
            except ValueError as error:
                raise wrong from error
        if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
            raise wrong
        if not isinstance(value, datetime):
            value = datetime.combine(value, time(), ZoneInfo(self.definitions.source.org.time_zone))
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def _lacks(self, process: str) -> list[str]:
        return availability.process_lacks(self.tables, self.definitions.process(process))


def _words(value: Words) -> list[str]:
    """The words asked for, once each."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(dict.fromkeys(value))

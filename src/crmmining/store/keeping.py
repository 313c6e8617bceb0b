"""What a store keeps: the tables of a CRM, and a log for every process and moment that was asked for."""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from crmmining.availability import switched_off
from crmmining.definitions import Process
from crmmining.definitions.process import text_hash
from crmmining.errors import CrmMiningError, OutputError
from crmmining.eventlog import Engine, EventLog, Here, stored
from crmmining.eventlog.partition import split
from crmmining.eventlog.updating import update
from crmmining.extract import Told, adding, buckets, filing
from crmmining.extract.renewing import Renewed
from crmmining.store import folder as place
from crmmining.tables import KEPT, SourceSpec, Tables, attach, database, held_to, reopen
from crmmining.tables import keep as keep_tables
from crmmining.tables.sql import identifier, literal

_BYTES_PER_ROW = 800  # of memory, for the rows of one bucket
_FILE = 2_000_000  # events of a file, at most

_NO_WRITING = ("could not write", "cannot write", "failed to write", "no space left")  # as DuckDB says it
LOADED = "loaded"  # the database that tables are loaded into

_FATES = "fates"

Load = Callable[[duckdb.DuckDBPyConnection], Tables]
Change = Callable[[Tables], tuple[Tables, Mapping[str, Renewed]]]


@dataclass(frozen=True)
class Store:
    """An open store; `source` is what the tables were loaded from, as reports call it."""

    folder: Path
    said: dict[str, Any]
    tables: Tables
    memory: str

    @property
    def source(self) -> str:
        """The name of what was loaded."""
        return str(self.said["source"])

    def log(
        self, process: Process, as_of: datetime, stages: pl.DataFrame, engine: Engine | None = None
    ) -> EventLog:
        """The log of a process as of a moment: as it is stored, else told bucket by bucket and stored first.

        Raises the errors of `crmmining.extract.build`, and `OutputError` when the folder cannot be written.
        """
        asked = Here() if engine is None else engine
        home = self.folder / place.LOGS / called(self.said, process, as_of, stages)
        with suppress(CrmMiningError):  # not there, or damaged: it is told again
            return _read(home, process, asked)
        with place.writing(self.folder) as fresh:
            with suppress(CrmMiningError):  # whoever wrote until now may have told it
                return _read(home, process, asked)
            _unchanged(self)
            self._tell(home, fresh, process, as_of, stages, asked)
        return _read(home, process, asked)

    def told(self, process: Process, stages: pl.DataFrame) -> Told | None:
        """The log of a process as of the clock with the fates of rows, where both are stored."""
        if self.tables.clock is None:
            return None
        home = self.folder / place.LOGS / called(self.said, process, self.tables.clock, stages)
        fates = filing.read(home / _FATES)
        try:
            return None if fates is None else Told(_read(home, process, Here()), fates)
        except CrmMiningError:
            return None

    def _tell(  # noqa: PLR0917  what is to be told, and where to
        self,
        home: Path,
        fresh: Path,
        process: Process,
        as_of: datetime,
        stages: pl.DataFrame,
        engine: Engine,
    ) -> None:
        rows = max(1, held_to(self.tables.connection) // _BYTES_PER_ROW)
        order = buckets.Order(
            self.folder.absolute() / self.said["tables"],
            self.tables.spec,
            process,
            as_of,
            stages,
            fresh,
            self.memory,
            None if engine.elsewhere else self.folder,  # workers have disks of their own
        )
        asked = buckets.buckets(self.tables, process, as_of, rows)
        told = adding.tell(self.tables, order, asked, engine)
        facts = {
            "process": process.name,
            "definition": process.fingerprint,
            "activities": told.activities,
            "off": switched_off(self.tables, process),
            "minimum_group": None,
            "as_of": as_of.isoformat(),
            "tracked": sorted(told.tracked),
            "calendars": None,  # those of the tables and definitions of whoever asks
        }
        shutil.rmtree(home, ignore_errors=True)  # of a damaged log, files that are whole would stay
        home.parent.mkdir(exist_ok=True)
        parts = (part for bucket in told.partitions for part in split(bucket, min(rows, _FILE)))
        stored.save(home, lambda: facts, parts, told.quality)
        shutil.rmtree(home / _FATES, ignore_errors=True)
        filing.write(home / _FATES, told.fates)


def open_store(folder: Path, spec: SourceSpec, memory: str) -> Store:
    """Open a store without the source that it was made from.

    Raises `CrmMiningError` when it is of another format, of other definitions of tables, or damaged.
    """
    said = place.manifest(folder)
    wrong = "is no store" if said is None else place.damage(folder, said)
    if said is None or wrong:
        raise CrmMiningError(
            f"{folder} {wrong}: make it again from its source, with connect(SOURCE, store=...)"
        )
    if said["definitions"] != definitions(spec):
        raise CrmMiningError(
            f"{folder} was made under other definitions of the tables of '{said['crm']}' "
            f"(source.toml: {said['definitions']}, here '{spec.name}': {definitions(spec)}): "
            "name the same `crm` and `extractors`, or make it again from its source"
        )
    return _opened(folder, said, spec, memory)


def keep(
    folder: Path,
    spec: SourceSpec,
    *,
    memory: str,
    made_from: list[object],
    source: str,
    reading: Sequence[object],
    load: Load,
) -> Store:
    """The store in a folder, made anew by `load` unless it holds what is `made_from` the very same.

    `reading` says how changes are to be read. Raises `OutputError` when the folder holds something else or
    cannot be written to, and what `load` raises; then it is as it was.
    """
    mark = text_hash([*made_from, definitions(spec), version("crmmining")])
    if (said := _fitting(folder, mark)) is None:
        with place.writing(folder) as fresh:
            if (said := _fitting(folder, mark)) is None:
                if (place.manifest(folder) or {}).get("refreshed"):
                    raise OutputError(
                        f"{folder} holds changes that were merged in since it was loaded, which {source} "
                        f"need not have: open {folder} itself, or name another folder. Nothing was changed."
                    )
                about = {
                    "made_from": mark,
                    "source": source,
                    "reading": list(reading),
                    "crm": spec.name,
                    "definitions": definitions(spec),
                    "version": version("crmmining"),
                }
                said = place.replace(folder, fresh, _write(folder, fresh, memory, load), about)
    return _opened(folder, said, spec, memory)


def change(store: Store, work: Change, what: list[object], stages: pl.DataFrame) -> Store:
    """The store with other tables and logs: `work` changes a copy, which then takes its place in one step.

    `work` gives what is new about logs as of the clock; others are told anew when they are asked for. `what`
    is told apart by name. Where the tables are what they were, nothing is written. Raises `OutputError` when
    the folder cannot be written to, and what `work` raises; then the store is as it was.
    """
    folder, before = store.folder, store.tables
    done: list[tuple[Tables, Mapping[str, Renewed]]] = []
    with place.writing(folder) as fresh:
        _unchanged(store)

        def changed(connection: duckdb.DuckDBPyConnection) -> Tables:
            done.append(work(reopen(connection, identifier(LOADED), before.spec)))
            return done[0][0]

        shutil.copyfile(folder / store.said["tables"], fresh / f"{LOADED}.duckdb")
        file = _write(folder, fresh, store.memory, changed)
        tables, logs = done[0]
        if _same(before, tables):
            return store
        about = {key: value for key, value in store.said.items() if key not in {"format", "tables", "bytes"}}
        about["made_from"] = text_hash([store.said["made_from"], *what])
        about["refreshed"] = store.said.get("refreshed", 0) + 1
        (fresh / place.LOGS).mkdir()
        for renewed in logs.values():
            process, moment = renewed.told.log.process, renewed.told.log.as_of
            old = folder / place.LOGS / called(store.said, process, _clock(before), stages)
            _carry(old, fresh / place.LOGS / called(about, process, moment, stages), renewed)
        said = place.replace(folder, fresh, file, about)
    return _opened(folder, said, before.spec, store.memory)


def _carry(old: Path, new: Path, renewed: Renewed) -> None:
    """Store a log that was renewed; files of it that stay are linked."""
    log, fates = renewed.told
    shutil.copytree(old, new, copy_function=stored.link, ignore=shutil.ignore_patterns("lock", _FATES))
    if renewed.gone is not None:
        update(new, log, renewed.gone, events=_FILE)
    filing.write(new / _FATES, fates)


def called(said: Mapping[str, Any], process: Process, as_of: datetime, stages: pl.DataFrame) -> str:
    """The name of a log, which tells what it was made from."""
    made_from = [
        said["made_from"],
        process.fingerprint,
        as_of.isoformat(),
        stages.write_csv(),
        version("crmmining"),
    ]
    return f"{process.name}-{as_of.astimezone(UTC):%Y%m%dT%H%M%SZ}-{text_hash(made_from)}"


def _clock(tables: Tables) -> datetime:
    if tables.clock is None:
        raise ValueError("tables without a clock have no log as of it")
    return tables.clock


def _same(before: Tables, now: Tables) -> bool:
    """Whether no row came or went, and nothing else is said of the tables; the account counts every row."""
    facts = [(one.clock, one.extracted_at, one.columns) for one in (before, now)]
    return facts[0] == facts[1] and all(
        getattr(before, name).equals(getattr(now, name)) for name in ("quality", "findings", "clocks")
    )


def _unchanged(store: Store) -> None:
    if place.manifest(store.folder) != store.said:
        raise OutputError(f"{store.folder} was changed by somebody else since it was opened: open it again")


def definitions(spec: SourceSpec) -> str:
    """Hash of what says how tables are read: 12 hex digits."""
    return text_hash(spec.model_dump(mode="json", exclude={"calendars"}))


def _fitting(folder: Path, mark: str) -> dict[str, Any] | None:
    said = place.manifest(folder)
    fits = said is not None and place.damage(folder, said) is None and said["made_from"] == mark
    return said if fits else None


def _opened(folder: Path, said: dict[str, Any], spec: SourceSpec, memory: str) -> Store:
    spill = folder if os.access(folder, os.W_OK) else None  # a store that cannot be written can be read
    connection = database(memory, spill=spill)
    attach(connection, folder / said["tables"])
    return Store(folder, said, reopen(connection, KEPT, spec), memory)


def _write(folder: Path, fresh: Path, memory: str, load: Load) -> Path:
    """Load tables into a new file; where people were replaced, nothing of them is left in it."""
    loaded, clean = fresh / f"{LOADED}.duckdb", fresh / "clean.duckdb"
    connection: duckdb.DuckDBPyConnection | None = None
    try:
        connection = database(memory, spill=folder, file=loaded)
        tables = load(connection)
        keep_tables(tables)
        if tables.pseudonymised:  # blocks that are no longer used still hold who they were
            connection.execute(
                f"ATTACH {literal(str(clean))} AS clean; COPY FROM DATABASE {LOADED} TO clean; DETACH clean"
            )
        connection.execute("CHECKPOINT")
    except (duckdb.Error, CrmMiningError) as error:
        if (said := _refused(error)) is not None:
            raise OutputError(
                f"{folder} cannot be written: {said}. What was stored there is unchanged."
            ) from error
        raise
    finally:
        if connection is not None:
            connection.close()
    return clean if tables.pseudonymised else loaded


def _refused(error: BaseException | None) -> str | None:
    """What the operating system said when the database could not write, if that is the cause."""
    while error is not None:
        said = str(error).lower()
        if isinstance(error, duckdb.Error) and any(words in said for words in _NO_WRITING):
            return str(error).splitlines()[0]
        error = error.__cause__
    return None


def _read(home: Path, process: Process, engine: Engine) -> EventLog:
    said, partitions, quality = stored.read(home)
    return EventLog(
        process=process,
        as_of=datetime.fromisoformat(said["as_of"]),
        activities=tuple(said["activities"]),
        partitions=partitions,
        quality=quality,
        off=tuple(said["off"]),
        tracked=frozenset(said["tracked"]),
        engine=engine,
    )

"""Opening a CRM: its tables loaded into memory, or kept in a store and opened from there."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import duckdb

from crmmining import sources, tables
from crmmining import store as kept
from crmmining.definitions import Catalogue
from crmmining.errors import CrmMiningError
from crmmining.extract import Told
from crmmining.extract.phases import forget
from crmmining.extract.reading import Columns
from crmmining.extract.renewing import Renewed
from crmmining.moments import Moment, instant
from crmmining.refreshing import Refreshed, refresh
from crmmining.sources import AS_IT_IS, Reading


class Opened(NamedTuple):
    """The tables of a CRM, what their source is called, how it was read, and the store that keeps them."""

    tables: tables.Tables
    source: str
    reading: Reading
    store: kept.Store | None


def opened(
    source: sources.Source,
    catalogue: Catalogue,
    reading: Reading,
    *,
    key: str | bytes | None,
    extracted_at: Moment | None,
    store: str | Path | None,
    memory: str,
) -> Opened:
    """Load a source, or open the store that it is or that keeps it; see `crmmining.connect`."""
    spec, org = catalogue.source, catalogue.source.org
    if kept.is_store(source, store):
        if reading != AS_IT_IS or key is not None or extracted_at is not None:
            raise CrmMiningError(
                f"{source} is a store, whose tables were read already: table_names, datetime_format, "
                "max_quarantine, pseudonymise and extracted_at belong to its source"
            )
        found = kept.open_store(Path(str(source)).expanduser().absolute(), spec, memory)
        return Opened(found.tables, found.source, Reading(*found.said["reading"]), found)
    if kept.is_store(source):
        raise CrmMiningError(f"{source} is a store itself: open it without another one")
    extracted = org.extracted_at if extracted_at is None else extracted_at
    taken = None if extracted is None else instant(extracted, org.time_zone)
    roots = {process.root for process in catalogue.processes.values()}
    supplied = sources.read(source, table_names=reading.table_names)
    name = Path(source).resolve().name if isinstance(source, str | Path) else "DuckDB connection"

    def load(
        what: Sequence[tables.RawTable] | tables.Supply, connection: duckdb.DuckDBPyConnection
    ) -> tables.Tables:
        return tables.load(
            what,
            spec,
            connection,
            max_quarantine=reading.max_quarantine,
            datetime_format=reading.datetime_format,
            roots=roots,
            key=key,
            extracted_at=taken,
        )

    if store is None:
        return Opened(load(supplied, tables.database(memory)), name, reading, None)
    supply = tables.judge(supplied, spec, roots)
    formats = reading.datetime_format or ()
    made_from = [
        *supply.facts,
        sorted(roots),
        reading.max_quarantine,
        [formats] if isinstance(formats, str) else list(formats),
        None if key is None else tables.key_mark(key),
        None if taken is None else taken.isoformat(),
    ]
    folder, read = Path(store).expanduser().absolute(), partial(load, supply)
    made = kept.keep(
        folder, spec, memory=memory, made_from=made_from, source=name, reading=reading, load=read
    )
    return Opened(made.tables, name, reading, made)


def refreshed(
    found: Opened,
    catalogue: Catalogue,
    logs: Mapping[str, Told],
    changes: sources.Source | None,
    *,
    deleted: Mapping[str, Sequence[str]],
    extracted_at: datetime | None,
    read: dict[str, Columns],
) -> tuple[Opened, Refreshed]:
    """A CRM with changed rows merged into its tables, and what was done; see `crmmining.refreshing.refresh`.

    Of a store a changed copy takes the place of what was there: the tables, and the logs as of their clock of
    which some cases were told again; others are told anew when they are asked for.
    """
    raw = [] if changes is None else sources.read(changes, table_names=found.reading.table_names)

    def work(before: tables.Tables, logs: Mapping[str, Told], *, stored: bool) -> Refreshed:
        return refresh(
            before,
            catalogue,
            logs,
            raw,
            deleted=deleted,
            reading=found.reading,
            extracted_at=extracted_at,
            read=read,
            stored=stored,
        )

    store, stages = found.store, catalogue.stages
    if store is None:
        done = work(found.tables, logs, stored=False)
        return found._replace(tables=done.tables), done
    asked = {name: store.told(process, stages) for name, process in catalogue.processes.items()}
    kept_logs = {name: told for name, told in asked.items() if told is not None}
    results: list[Refreshed] = []

    def changed(before: tables.Tables) -> tuple[tables.Tables, Mapping[str, Renewed]]:
        results.append(work(before, kept_logs, stored=True))
        forget(results[0].tables)
        return results[0].tables, results[0].logs

    facts = tables.judge(raw, catalogue.source).facts if raw else []
    keys = {name: sorted(gone) for name, gone in deleted.items()}
    stated = None if extracted_at is None else extracted_at.isoformat()
    fresh = kept.change(store, changed, [facts, keys, stated], stages)
    return found._replace(tables=fresh.tables, store=fresh), results[0]

"""The command line. Exit codes: 0 all is good, 1 a target is missed, 2 the input is unusable."""

import os
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

from crmmining.errors import CrmMiningError
from crmmining.progress import Steps, progress

if TYPE_CHECKING:
    from crmmining.crm import Crm
    from crmmining.eventlog import Engine

# The modules that load polars and duckdb are imported inside the commands, so that --help answers at once.

Period = Literal["day", "week", "month", "quarter", "year"]
Several = Parameter(negative=(), consume_multiple=False)
Paths = Annotated[tuple[Path, ...], Several]
Words = Annotated[tuple[str, ...], Several]
KEY_VARIABLE = "CRMMINING_KEY"

app = App(
    name="crmmining",
    help="Process insight from CRM history: event logs, KPIs and a report from Salesforce-shaped tables.",
    version_flags=["--version"],
)


@Parameter(name="*")
@dataclass(frozen=True)
class Definitions:
    """Folders laid over the shipped definitions.

    Parameters
    ----------
    crm
        Folder of the CRM among the extractors.
    extractors
        Folder laid over the shipped extractors (repeatable).
    kpis
        Folder laid over the shipped KPIs (repeatable).
    """

    crm: str = "salesforce"
    extractors: Paths = ()
    kpis: Paths = ()


@Parameter(name="*")
@dataclass(frozen=True)
class Reading:
    """How the source is to be read.

    Parameters
    ----------
    table_names
        How tables are called, {} standing for the table's own name, as in sf_{}_data.
    datetime_format
        strptime format of timestamps and dates that are not ISO (repeatable); never guessed.
    max_quarantine
        Share of a root table's rows that may be quarantined before the input is refused.
    extracted_at
        When the data was taken from the CRM (ISO, UTC): nothing is as of later.
    """

    table_names: str = "{}"
    datetime_format: Words = ()
    max_quarantine: float = 0.01
    extracted_at: str | None = None


@Parameter(name="*")
@dataclass(frozen=True)
class Keeping:
    """What is kept for the next time, and how much memory there is.

    Parameters
    ----------
    store
        Folder that keeps tables and logs for the next time: new, empty or an earlier store.
    memory
        What the database is held to (1.5GiB); what does not fit lies in files.
    engine
        Where logs are told and asked: local, or with a store that all workers find, spark://..., sc://...
    """

    store: Path | None = None
    memory: str = "1.5GiB"
    engine: str = "local"

    def asked(self, source: Path, step: Steps) -> "Engine":
        """The engine; here it shows a bar."""
        if self.engine == "local":
            return step
        from crmmining.scale import engine  # noqa: PLC0415
        from crmmining.store import is_store  # noqa: PLC0415

        if self.store is None and not is_store(source):
            raise CrmMiningError(
                f"--engine {self.engine} needs --store, a folder that all workers find under its path"
            )
        step(f"connect to {self.engine}")
        return engine(self.engine)


@Parameter(name="*")
@dataclass(frozen=True)
class People:
    """How people are protected.

    Parameters
    ----------
    pseudonymise
        Replace people by pseudonyms, with the key in --key-file or in the environment variable CRMMINING_KEY.
    key_file
        File that holds the key, 16 bytes or more; the same key gives the same pseudonyms.
    minimum_group
        Withhold figures about people that fewer cases stand for.
    """

    pseudonymise: Annotated[bool, Parameter(negative=())] = False
    key_file: Path | None = None
    minimum_group: int | None = None

    def key(self) -> bytes | None:
        """The key for pseudonyms, null when none are wanted."""
        if not self.pseudonymise:
            if self.key_file is not None:
                raise CrmMiningError("--key-file is only of use with --pseudonymise")
            return None
        if self.key_file is None:
            key = os.environ.get(KEY_VARIABLE, "").encode(errors="surrogateescape")
        else:
            try:
                key = self.key_file.read_bytes()
            except OSError as error:
                raise CrmMiningError(f"{self.key_file} cannot be read: {error.strerror}") from error
        if not key.strip():
            raise CrmMiningError(
                f"--pseudonymise needs a key: name a file with --key-file, or set {KEY_VARIABLE}"
            )
        return key.strip()


@app.command
def run(
    source: Path,
    *,
    out: Path,
    as_of: str | None = None,
    period: Period = "month",
    since: str | None = None,
    until: str | None = None,
    process: Words = (),
    by: Words = (),
    report: bool = True,
    definitions: Definitions = Definitions(),
    reading: Reading = Reading(),
    keeping: Keeping = Keeping(),
    people: People = People(),
) -> int:
    """Compute everything and write it to a folder, whole or not at all.

    Parameters
    ----------
    source
        Folder of CSV or Parquet files, a .duckdb file, or a store.
    out
        Folder for the results: new, empty or an earlier run's.
    as_of
        Moment the figures are as of (ISO, UTC); default: the data's own clock.
    period
        Period of the scorecard, cut in the org's time zone and fiscal year.
    since
        Count only what is dated at or after this moment.
    until
        Count only what is dated before this moment.
    process
        Process to show (repeatable); default: all that the source can show.
    by
        Segment to split the scorecard by (repeatable).
    report
        Write report.html.
    """
    from crmmining import batch  # noqa: PLC0415

    batch.check_folder(out)
    order = batch.Order(process, by, period, as_of, since, until, report)
    with progress() as step:
        crm = _connect(source, definitions, reading, keeping, people, step)
        batch.run(crm, out, order, step=step)
    print(f"wrote {out}" + (f"; open {out / 'report.html'}" if report else ""))  # noqa: T201
    return 0


@app.command
def check(
    source: Path,
    *,
    targets: Path,
    as_of: str | None = None,
    definitions: Definitions = Definitions(),
    reading: Reading = Reading(),
    keeping: Keeping = Keeping(),
    people: People = People(),
) -> int:
    """Hold KPIs and data against targets: exit 0 all met, 1 one is missed, 2 the input is unusable.

    Parameters
    ----------
    source
        Folder of CSV or Parquet files, a .duckdb file, or a store.
    targets
        TOML: tables [targets.NAME] (kpi, part, clock, min, max, segment), [data] (require, max_quarantined).
    as_of
        Moment the figures are as of (ISO, UTC); default: the data's own clock.
    """
    from crmmining import targets as judged  # noqa: PLC0415

    with progress() as step:
        crm = _connect(source, definitions, reading, keeping, people, step)
        step("check")
        verdict = judged.check(crm, targets, as_of=as_of)
    for line in verdict.lines():
        print(line)  # noqa: T201
    return 0 if verdict.met else 1


@app.command
def refresh(
    store: Path,
    changes: Path,
    *,
    extracted_at: str | None = None,
    memory: str = "1.5GiB",
    definitions: Definitions = Definitions(),
) -> int:
    """Merge changed rows into a store, in one step; its logs are told anew when they are asked for.

    Parameters
    ----------
    store
        Folder that --store has made.
    changes
        Folder of CSV or Parquet files, or a .duckdb file, with rows that are new or have changed.
    extracted_at
        When the changes were taken from the CRM (ISO, UTC), where it was stated for the store.
    memory
        What the database is held to; what does not fit lies in files.
    """
    from crmmining.crm import connect  # noqa: PLC0415
    from crmmining.store import is_store  # noqa: PLC0415

    if not is_store(store):
        raise CrmMiningError(
            f"{store} is no store: make one with crmmining run SOURCE --out DIR --store STORE"
        )
    with progress() as step:
        step("refresh")
        crm = connect(
            store,
            crm=definitions.crm,
            extractors=definitions.extractors,
            kpis=definitions.kpis,
            memory=memory,
            engine=step,
        )
        account = crm.refresh(changes, extracted_at=extracted_at).filter(scope="table")
    what = ("new", "changed", "unchanged", "deleted", "quarantined")
    for name, *rows in account.select("name", *what).iter_rows():
        counts = ", ".join(f"{count} {word}" for count, word in zip(rows, what, strict=True))
        print(f"{name}: {counts}")  # noqa: T201
    return 0


@app.command
def catalogue(
    *,
    format: Literal["table", "json", "markdown"] = "table",  # noqa: A002 - the word users know
    definitions: Definitions = Definitions(),
) -> int:
    """Print every process and KPI with its definition.

    Parameters
    ----------
    format
        table for people, json for programs, markdown for documents.
    """
    from crmmining.definitions import read_catalogue  # noqa: PLC0415
    from crmmining.show.catalogue import written  # noqa: PLC0415

    catalogue = read_catalogue(definitions.crm, extractors=definitions.extractors, kpis=definitions.kpis)
    print(written(catalogue, format))  # noqa: T201
    return 0


@app.command
def simulate(
    folder: Path,
    *,
    accounts: int = 2000,
    seed: int = 7,
    format: Literal["csv", "parquet"] = "csv",  # noqa: A002 - the word users know
    until: str | None = None,
    quirks: Words = (),
) -> int:
    """Write a simulated CRM with known truth (truth.json) to a folder.

    Parameters
    ----------
    folder
        Folder for the tables: new or empty.
    accounts
        Size of the CRM.
    seed
        Same seed, same bytes.
    format
        csv or parquet.
    until
        Stop the CRM at this moment (ISO, UTC) and write its tables as they stood then.
    quirks
        Dirt of real CRMs to add, by name (repeatable), or all.
    """
    from crmmining.simulator import simulate as write  # noqa: PLC0415

    dirt = quirks == ("all",) or quirks
    write(folder, accounts=accounts, seed=seed, format=format, until=until, quirks=dirt)
    print(f"wrote {folder}")  # noqa: T201
    return 0


def main(arguments: list[str] | None = None) -> None:
    """Run the `crmmining` command."""
    try:
        code = app(arguments, exit_on_error=False, result_action="return_value")
    except CycloptsError:
        code = 2
    except CrmMiningError as error:
        print("\n".join([f"crmmining: {error}", *getattr(error, "__notes__", [])]), file=sys.stderr)  # noqa: T201
        code = 2
    except BrokenPipeError:  # whoever read along has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception:  # noqa: BLE001 - a fault of ours must not look like a missed target
        traceback.print_exc()
        code = 2
    sys.exit(code or 0)


def _connect(  # noqa: PLR0917  what the command line says, part by part
    source: Path,
    definitions: Definitions,
    reading: Reading,
    keeping: Keeping,
    people: People,
    step: Steps,
) -> "Crm":
    from crmmining.crm import connect  # noqa: PLC0415

    key, engine = people.key(), keeping.asked(source, step)
    step("load")
    return connect(
        source,
        crm=definitions.crm,
        extractors=definitions.extractors,
        kpis=definitions.kpis,
        table_names=reading.table_names,
        datetime_format=reading.datetime_format or None,
        max_quarantine=reading.max_quarantine,
        extracted_at=reading.extracted_at,
        pseudonymise=key,
        minimum_group=people.minimum_group,
        store=keeping.store,
        memory=keeping.memory,
        engine=engine,
    )

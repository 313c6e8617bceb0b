"""One process's log: what its SQL tells, coded, with an account of every row."""

from datetime import datetime
from typing import NamedTuple

import duckdb
import polars as pl

from crmmining.availability import process_lacks, switched_off
from crmmining.definitions import Process
from crmmining.errors import SourceError
from crmmining.eventlog import VALUES, EventLog, Partition, partition
from crmmining.extract import rows, telling
from crmmining.extract.phases import show, transaction
from crmmining.kernels import coding, saves
from crmmining.tables import Tables
from crmmining.tables.parts import Joint
from crmmining.tables.paths import Part
from crmmining.tables.sql import literal

_VALUES = """
SELECT c.case_ix, enum_code(try_cast(a.attribute AS {columns}))::USMALLINT AS attribute, a.since,
       a.seq::USMALLINT AS seq, a.value
FROM attributes AS a JOIN log_cases AS c ON c.case_id = a.case_id
WHERE a.since <= $as_of
"""


def build(
    tables: Tables,
    process: Process,
    as_of: datetime,
    stages: pl.DataFrame,
    only: pl.Series | None = None,
) -> EventLog:
    """The log of one process as of a moment; `stages` as `Catalogue.stages` gives them.

    With `only`, Ids of cases, the log holds these cases, exactly as they are among all others, and the
    account counts the rows that the paths of the process find for them; as of an earlier moment than the
    clock, records that have moved to another case since are missing, for paths lead where they lead today.
    Raises `SourceError` when the process's root table or required columns are missing and `DefinitionError`
    when its SQL fails, writes to the source's tables or emits what its TOML does not declare.
    """
    part = None if only is None else Part(tables.spec, tables.columns, process.root, process.paths, only)
    return told_log(tables, process, as_of, stages, part, only).log


class Told(NamedTuple):
    """A log, and what became of the rows that are not in it."""

    log: EventLog
    fates: rows.Fates


def told_log(  # noqa: PLR0917  what `build` is asked, and what is shown
    tables: Tables,
    process: Process,
    as_of: datetime,
    stages: pl.DataFrame,
    part: Part | Joint | None = None,
    only: pl.Series | None = None,
) -> Told:
    """The log of one process, of all cases or of `only` those of the `part` shown, with the fates of rows.

    Where the part is one of several processes, these are the rows that were chosen for this one.
    """
    refuse_lacking(tables, process)
    con = tables.connection
    show(tables, process, as_of, stages, part)
    with transaction(con, process.name, process.sql, "READ ONLY", keep=False):
        telling.tell(con, process, as_of, only)
        told = telling.events(con, process)
        fates = rows.fates(con, tables, process, told, chosen=isinstance(part, Joint))
        whole, names = coded(tables, process, as_of, told)
    account = rows.account(tables, process, fates, whole.sizes[1])
    log = EventLog(process, as_of, names, (whole,), account, switched_off(tables, process))
    return Told(log, fates)


def refuse_lacking(tables: Tables, process: Process) -> None:
    """Raise `SourceError` when the process cannot be built from these tables."""
    if missing := process_lacks(tables, process):
        raise SourceError(f"process '{process.name}' cannot be built: the source lacks {', '.join(missing)}")


def coded(
    tables: Tables, process: Process, as_of: datetime, told: pl.DataFrame
) -> tuple[Partition, tuple[str, ...]]:
    """The cases told, their events that are in the log and their values; and the activities, by code."""
    con = tables.connection
    told = told.filter(pl.col("reason").is_null()).drop("reason").rechunk()
    cases = con.sql("SELECT * EXCLUDE (case_ix) FROM log_cases ORDER BY case_ix").pl()
    values = _values(con, process, cases, as_of)
    names = tuple(told["activity"].unique().sort())
    currency = pl.col("currency") if "currency" in cases.columns else pl.lit(None, pl.String)
    cases = cases.with_columns(currency=currency.fill_null(tables.spec.org.currency))
    events = coding.Coded(_coded(process, told, names), cases["case_id"], names)
    return partition(process, events, cases, values), names


def _coded(process: Process, told: pl.DataFrame, names: tuple[str, ...]) -> pl.DataFrame:
    """Events in log order, in the columns of the log."""
    code = pl.col("activity").cast(pl.Enum(names)).to_physical().cast(pl.UInt16)
    events = coding.order(told.with_columns(code), names)
    tables = pl.Enum(list(process.paths))
    return events.select(
        "case_ix",
        "activity",
        "occurred_at",
        "recorded_at",
        pl.col("actor").cast(pl.Categorical()),
        pl.col("source_table").cat.to(tables),
        "source_id",
        saves.change_sets(events, "record_id"),
        "old_value",
        "new_value",
        "direction",
        "delta",
        "date_only",
    )


def _values(
    con: duckdb.DuckDBPyConnection, process: Process, cases: pl.DataFrame, as_of: datetime
) -> pl.DataFrame:
    """How attributes changed, in order."""
    names = sorted(cases.columns)
    columns = f"ENUM ({', '.join(map(literal, names))})"
    found = con.sql(_VALUES.format(columns=columns), params={"as_of": as_of}).pl()
    if found["attribute"].null_count():
        strangers = con.sql("SELECT DISTINCT attribute FROM attributes ORDER BY attribute").pl()["attribute"]
        unknown = [name for name in strangers if name not in names]
        no_column = "no column of view 'cases'"
        telling.refuse(process, [f"view 'attributes' names '{name}', {no_column}" for name in unknown])
    keys = ["case_ix", "attribute", "since", "seq"]
    ordered = found.sort(keys)
    same = ordered.select(pl.struct(keys) == pl.struct(keys).shift()).to_series()
    if same.any():  # only what is twice at once is told apart by its text
        ordered = found.sort(*keys, "value")
    named = ordered["attribute"].cat.to(pl.Enum(names)).cast(pl.Categorical())
    values: pl.DataFrame = ordered.with_columns(named).select(
        pl.col(name).cast(kind) for name, kind in VALUES.items()
    )
    return values

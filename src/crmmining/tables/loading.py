"""Supplied tables into canonical ones: all of them, or nothing at all."""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

import duckdb
import polars as pl

from crmmining.errors import SourceError
from crmmining.tables.automated import list_automated
from crmmining.tables.casts import stated_formats
from crmmining.tables.clocks import read_clocks
from crmmining.tables.contents import validate
from crmmining.tables.identities import key_bytes, keyed, pseudonymise
from crmmining.tables.model import Tables
from crmmining.tables.plan import Assignment, Plan, make_plan
from crmmining.tables.raw import Evidence, InputFile, RawTable
from crmmining.tables.rows import Finding, Loaded, RowLoader
from crmmining.tables.spec import SourceSpec
from crmmining.tables.sql import identifier

QUALITY = pl.Schema(
    {
        "table": pl.String(),
        "disposition": pl.String(),
        "reason": pl.String(),
        "rows": pl.Int64(),
        "examples": pl.List(pl.String()),
    }
)
_FINDINGS = pl.Schema(
    {"table": pl.String(), "finding": pl.String(), "rows": pl.Int64(), "examples": pl.List(pl.String())}
)


@dataclass(frozen=True)
class Supply:
    """Supplied tables that were judged, none of which was read yet."""

    plan: Plan
    evidence: Mapping[str, Evidence]

    @property
    def facts(self) -> list[object]:
        """What there is to be read, down to the hash of every table, in a form that JSON knows."""
        read = [
            input_file(table, 0, self.evidence[table.name].sha256)
            for table in sorted(self.plan.assignments, key=lambda one: one.name)
        ]
        return [*(asdict(one) for one in [*read, *self.plan.unused]), *self.plan.remarks]


def judge(raw_tables: Sequence[RawTable], spec: SourceSpec, roots: Collection[str] = ()) -> Supply:
    """Say what is read as which table, judge and hash it; raises SourceError for all faults at once."""
    plan = make_plan(raw_tables, spec, roots)
    return Supply(plan, inspect(plan.assignments))


def load(
    supplied: Sequence[RawTable] | Supply,
    spec: SourceSpec,
    connection: duckdb.DuckDBPyConnection,
    *,
    max_quarantine: float = 0.01,
    datetime_format: str | Sequence[str] | None = None,
    roots: Collection[str] = (),
    key: str | bytes | None = None,
    extracted_at: datetime | None = None,
) -> Tables:
    """Read supplied tables into schema `crm` of a private connection, in one transaction.

    Rows that cannot be trusted go to quarantine with a reason; when more than `max_quarantine` of a table in
    `roots` would, the whole input is refused. `datetime_format` states strptime formats for dates that are
    not ISO text, which are never guessed. With a `key` people are replaced by pseudonyms. No clock is later
    than `extracted_at`. Raises SourceError, and then leaves the connection as it was.
    """
    if not 0 <= max_quarantine <= 1:
        raise SourceError(
            f"max_quarantine is {max_quarantine}, but must be a share from 0 to 1, such as 0.01"
        )
    formats = stated_formats(connection, datetime_format)
    secret = None if key is None else key_bytes(key)
    if not isinstance(supplied, Supply):
        supplied = judge(supplied, spec, roots)
    connection.execute("SET TimeZone = 'UTC'")
    with keyed(connection, secret):
        connection.execute("BEGIN")
        try:
            tables = _load(
                supplied.plan,
                supplied.evidence,
                spec,
                connection,
                max_quarantine=max_quarantine,
                formats=formats,
                roots=roots,
                hidden=secret is not None,
                extracted_at=extracted_at,
            )
            connection.execute("COMMIT")
        except BaseException as error:
            connection.execute("ROLLBACK")
            if isinstance(error, duckdb.Error):
                said = "(its words may quote a row and are withheld)" if secret else str(error)
                raise SourceError(f"the database refused the input: {said}") from (None if secret else error)
            if secret is not None and isinstance(error, SourceError):
                raise SourceError(str(error)) from None  # what lies beneath may quote a row
            raise
    return tables


def inspect(assignments: Sequence[Assignment]) -> dict[str, Evidence]:
    """Judge every table before any is read, so that all that cannot be read is named at once."""
    evidence: dict[str, Evidence] = {}
    faults = []
    for table in assignments:
        try:
            evidence[table.name] = table.raw.inspect(table.positions)
        except SourceError as error:
            faults.append(str(error))
    if faults:
        raise SourceError("the input cannot be used:\n  " + "\n  ".join(faults))
    return evidence


def make_room(connection: duckdb.DuckDBPyConnection) -> None:
    """Make schema `crm` for rows that can be trusted, and `crm_load` for what else is kept of a load."""
    connection.execute("CREATE SCHEMA crm")
    connection.execute("CREATE SCHEMA crm_load")
    connection.execute(
        'CREATE TABLE crm_load.quarantine ("table" VARCHAR, source_row BIGINT, id VARCHAR, reason VARCHAR, '
        '"value" VARCHAR, "row" VARCHAR)'
    )


def _load(
    plan: Plan,
    evidence: Mapping[str, Evidence],
    spec: SourceSpec,
    connection: duckdb.DuckDBPyConnection,
    *,
    max_quarantine: float,
    formats: tuple[str, ...],
    roots: Collection[str],
    hidden: bool,
    extracted_at: datetime | None,
) -> Tables:
    make_room(connection)
    findings = [Finding(table=table, finding=text, examples=names) for table, text, names in plan.remarks]
    inputs = list(plan.unused)
    loaded: dict[str, Loaded] = {}
    columns: dict[str, tuple[str, ...]] = {}
    for table in plan.assignments:
        loader = RowLoader(
            connection,
            table,
            salesforce_ids=spec.id_format == "salesforce",
            formats=formats,
            parents=_parents(table, spec, columns),
        )
        loaded[table.name] = loader.load()
        refuse_lost_rows(table, loaded[table.name].rows, evidence[table.name].rows)
        columns[table.name] = tuple(table.columns)
        validate(
            connection,
            table.name,
            table.spec,
            tuple(table.columns),
            salesforce_ids=spec.id_format == "salesforce",
        )
        findings += [Finding(table=table.name, finding=text) for text in evidence[table.name].remarks]
        inputs.append(input_file(table, loaded[table.name].rows, evidence[table.name].sha256))
    unknown = list_automated(connection, spec, columns)
    if hidden:
        loaded, said = pseudonymise(connection, spec, columns, loaded)
        unknown = [*said, *(replace(one, examples=()) for one in unknown)]
    findings += [*unknown, *(one for name in loaded for one in loaded[name].findings)]
    counts = [
        (
            table.name,
            table.raw.origin,
            loaded[table.name].fates.filter(disposition="quarantined").height,
            loaded[table.name].rows,
        )
        for table in plan.assignments
        if table.name in roots
    ]
    refuse_spoilt(connection, counts, max_quarantine)
    clocks, newest, odd = read_clocks(connection, spec, columns, extracted_at)
    findings += odd
    order = {name: at for at, name in enumerate(spec.tables)}
    return Tables(
        connection=connection,
        spec=spec,
        clock=newest,
        clocks=clocks,
        extracted_at=extracted_at,
        pseudonymised=hidden,
        quality=_quality({name: loaded[name] for name in order if name in loaded}),
        findings=finding_rows(findings, order),
        inputs=sorted(
            inputs, key=lambda file: (file.name is None, order.get(file.name or "", 0), file.origin)
        ),
        columns={name: columns[name] for name in order if name in columns},
    )


def _parents(table: Assignment, spec: SourceSpec, loaded: Collection[str]) -> str | None:
    """SQL for the keys of a table's parents, when these were loaded."""
    parent = table.spec.parent
    if parent is None or parent.table not in loaded:
        return None
    return f"SELECT {identifier(spec.tables[parent.table].key)} FROM crm.{identifier(parent.table)}"


def input_file(table: Assignment, rows: int, sha256: str) -> InputFile:
    """A table that was read, for the record."""
    return InputFile(
        name=table.name,
        origin=table.raw.origin,
        rows=rows,
        sha256=sha256,
        missing=tuple(name for name in table.spec.columns if name not in table.columns),
        ignored=table.ignored,
    )


def refuse_lost_rows(table: Assignment, rows: int, expected: int | None) -> None:
    """Refuse a table of which other rows were read than its source counts."""
    if expected is not None and rows != expected:
        raise SourceError(
            f"{table.raw.origin}: {rows:,} rows were read where its line ends and quotes make {expected:,}. "
            "Values that hold a quote must be quoted, and quotes in them doubled; export it again."
        )


def refuse_spoilt(
    connection: duckdb.DuckDBPyConnection,
    counts: Iterable[tuple[str, str, int, int]],
    max_quarantine: float,
) -> None:
    """Refuse the input when of a table (name, origin, rows set aside, rows) too much would be set aside."""
    faults = []
    for name, origin, aside, rows in counts:
        if aside <= max_quarantine * rows:
            continue
        faults.append(
            f"{name} ({origin}): {aside:,} of {rows:,} rows cannot be trusted, "
            f"more than max_quarantine={max_quarantine:g} allows"
        )
        faults.extend(_reasons(connection, name))
    if faults:
        raise SourceError("too many rows would be set aside:\n  " + "\n  ".join(faults) + _advice(faults))


def _reasons(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    reasons = connection.sql(
        "SELECT reason, count(*) AS rows, "
        "list(coalesce(id, 'row ' || source_row) || coalesce(' (' || \"value\"[:40] || ')', '') "
        "ORDER BY source_row)[:3] AS examples "
        'FROM crm_load.quarantine WHERE "table" = ? GROUP BY reason ORDER BY rows DESC, reason',
        params=[table],
    ).pl()
    return [f"  {rows:,} x {reason}: {', '.join(examples)}" for reason, rows, examples in reasons.iter_rows()]


def _advice(faults: Sequence[str]) -> str:
    advice = "\nRepair the export, or allow more with max_quarantine (0 to 1)."
    if any(" is not a date" in fault for fault in faults):
        advice += "\nOnly ISO dates are read unasked: state others, as datetime_format='%m/%d/%Y %I:%M %p'."
        advice += "\nYears go from 1900 to 2199."
    if any(" is not a number" in fault or " is not a whole number" in fault for fault in faults):
        advice += "\nNumbers are plain decimals of less than 1e15 in size."
    return advice


def _quality(loaded: dict[str, Loaded]) -> pl.DataFrame:
    parts = []
    for name, result in loaded.items():
        parts.append(
            pl.DataFrame(
                [(name, "used", None, result.rows - result.fates.height, [])], schema=QUALITY, orient="row"
            )
        )
        parts.append(
            result.fates.group_by("disposition", "reason")
            .agg(
                rows=pl.len().cast(pl.Int64),
                examples=pl.col("key").drop_nulls().sort().unique(maintain_order=True).head(3),
            )
            .sort("disposition", "reason")
            .select(pl.lit(name).alias("table"), "disposition", "reason", "rows", "examples")
        )
    return pl.concat(parts) if parts else pl.DataFrame(schema=QUALITY)


def finding_rows(findings: Sequence[Finding], order: Mapping[str, int]) -> pl.DataFrame:
    """Findings as a frame, by table in the order given."""
    ordered = sorted(findings, key=lambda one: (order.get(one.table, len(order)), one.table, one.finding))
    rows = [(one.table, one.finding, one.rows, list(one.examples)) for one in ordered]
    return pl.DataFrame(rows, schema=_FINDINGS, orient="row")

"""Changed rows into loaded tables, by key: each takes the place of what was known of its record before.

A batch is read by the loader that read the source, into a database of its own (`incoming`). There is settled,
parents first, which rows go and which come, in whatever way: replaced, deleted, parted from their parent or
brought back by it. Then the tables are changed in one transaction, which can be undone as a whole.
"""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

import duckdb
import polars as pl
import pyarrow as pa

from crmmining.errors import SourceError, UnknownNameError
from crmmining.tables.automated import NOBODY, list_automated
from crmmining.tables.casts import stated_formats
from crmmining.tables.clocks import LAGGING, LATER, read_clocks
from crmmining.tables.contents import complete, validate
from crmmining.tables.ids import normalise
from crmmining.tables.loading import (
    finding_rows,
    input_file,
    inspect,
    make_room,
    refuse_lost_rows,
    refuse_spoilt,
)
from crmmining.tables.model import INCOMING, Tables
from crmmining.tables.plan import Assignment, Plan, make_plan
from crmmining.tables.raw import Evidence, InputFile, RawTable
from crmmining.tables.rows import Finding, RowLoader, waiting
from crmmining.tables.settling import Settled, Settler
from crmmining.tables.sql import identifier, literal

ACCOUNT = pl.Schema(
    {
        "table": pl.String(),
        "new": pl.Int64(),
        "changed": pl.Int64(),
        "unchanged": pl.Int64(),
        "deleted": pl.Int64(),
        "quarantined": pl.Int64(),
    }
)
REPLACED = "replaced by a newer row"
DELETED = "deleted since"
COPY = "identical copy"


@dataclass(kw_only=True)
class Merge:
    """A batch that was read and settled; `apply` changes the tables, `undo` takes that back.

    `tables` are those before. `settled` says per table what goes and what comes; `new_tables` were not there
    before. Close it when the rows that went and came are no longer needed.
    """

    tables: Tables
    settled: dict[str, Settled] = field(default_factory=dict)
    new_tables: dict[str, tuple[str, ...]] = field(default_factory=dict)
    inputs: list[InputFile] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    _quarantine: pl.DataFrame = field(default_factory=pl.DataFrame)
    _automated: pl.DataFrame = field(default_factory=pl.DataFrame)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def moved(self) -> dict[str, Settled]:
        """The tables whose rows are others than before."""
        return {name: one for name, one in self.settled.items() if one.gone or one.fresh}

    @property
    def account(self) -> pl.DataFrame:
        """What became of the rows supplied: table, new, changed, unchanged, deleted, quarantined.

        Deleted are rows that were there. Tables of which nothing is to be told have no line.
        """
        lines = [
            (name, *numbers)
            for name, one in self.settled.items()
            if any(numbers := (one.new, one.changed, one.same, one.deleted, one.aside))
        ]
        return pl.DataFrame(lines, schema=ACCOUNT, orient="row")

    def apply(
        self, *, max_quarantine: float, roots: Collection[str], extracted_at: datetime | None
    ) -> Tables:
        """Change the tables in one transaction; raises `SourceError`, and then leaves them as they were."""
        con, home = self.tables.connection, self.tables.home
        self._quarantine = self.tables.quarantine
        self._automated = con.sql(f"FROM {home}.crm_load.automated").pl()
        columns = {**self.tables.columns, **self.new_tables}
        columns = {name: columns[name] for name in self.tables.spec.tables if name in columns}
        con.execute(f"USE {home}")
        con.execute("BEGIN")
        try:
            for name, one in self.settled.items():
                self._move(name, gone=one.gone, fresh=one.fresh)
                self._let_wait(name, one.waiting)
            self._set_quarantine(self._next_quarantine())
            con.execute("DROP TABLE crm_load.automated")
            unknown = list_automated(con, self.tables.spec, columns)
            quality = self._quality(columns)
            refuse_spoilt(con, self._spoilt(quality, roots), max_quarantine)
            clocks, newest, odd = read_clocks(con, self.tables.spec, columns, extracted_at)
            con.execute("COMMIT")
        except BaseException as error:
            con.execute("ROLLBACK")
            if isinstance(error, duckdb.Error):
                raise SourceError(f"the database refused the changes: {error}") from error
            raise
        order = {name: at for at, name in enumerate(self.tables.spec.tables)}
        return replace(
            self.tables,
            clock=newest,
            clocks=clocks,
            extracted_at=extracted_at,
            quality=quality,
            findings=finding_rows([*self._standing_findings(), *self.findings, *unknown, *odd], order),
            inputs=[*self.tables.inputs, *self.inputs],
            columns=columns,
        )

    def undo(self) -> None:
        """Make the tables again what they were before `apply`."""
        con = self.tables.connection
        con.execute(f"USE {self.tables.home}")
        con.execute("BEGIN")
        for name, one in self.settled.items():
            if name in self.new_tables:
                con.execute(f"DROP TABLE crm.{identifier(name)}")
            else:
                self._move(name, gone=one.fresh, fresh=one.gone)
            self._let_wait(name, one.waiting_before)
        self._set_quarantine(self._quarantine)
        con.register("automated before", self._automated)
        con.execute('CREATE OR REPLACE TABLE crm_load.automated AS FROM "automated before"')
        con.unregister("automated before")
        con.execute("COMMIT")

    def close(self) -> None:
        """Forget the batch."""
        con = self.tables.connection
        con.execute(f"USE {self.tables.home}")
        con.execute(f"DETACH DATABASE IF EXISTS {INCOMING}")

    def _move(self, name: str, *, gone: str | None, fresh: str | None) -> None:
        con, table = self.tables.connection, f"crm.{identifier(name)}"
        columns = self.new_tables.get(name) or self.tables.columns[name]
        key = self.tables.spec.tables[name].key
        if name in self.new_tables:
            con.execute(f"CREATE TABLE {table} AS FROM {fresh}")
            return
        if gone:
            by = [key] if key in columns else columns
            same = " AND ".join(f"o.{identifier(c)} IS NOT DISTINCT FROM g.{identifier(c)}" for c in by)
            if key in columns:
                con.execute(
                    f"DELETE FROM {table} WHERE {identifier(key)} IN (SELECT {identifier(key)} FROM {gone})"
                )
            else:
                con.execute(f"DELETE FROM {table} AS o USING {gone} AS g WHERE {same}")
        if fresh:
            con.execute(f"INSERT INTO {table} BY NAME FROM {fresh}")

    def _let_wait(self, name: str, rows: str | None) -> None:
        con = self.tables.connection
        con.execute(f"DROP TABLE IF EXISTS {waiting(name)}")
        if rows:
            con.execute(f"CREATE TABLE {waiting(name)} AS FROM {rows}")

    def _set_quarantine(self, rows: pl.DataFrame) -> None:
        con = self.tables.connection
        con.register("quarantine given", rows)
        con.execute("DELETE FROM crm_load.quarantine")
        con.execute('INSERT INTO crm_load.quarantine BY NAME FROM "quarantine given"')
        con.unregister("quarantine given")

    def _next_quarantine(self) -> pl.DataFrame:
        others = self._quarantine.filter(~pl.col("table").is_in(list(self.settled)))
        return pl.concat([others, *(one.quarantine for one in self.settled.values())])

    def _quality(self, columns: Collection[str]) -> pl.DataFrame:
        """The account of all rows that ever came in."""
        before, con, parts = self.tables.quality, self.tables.connection, []
        count = "SELECT {} AS name, count(*) AS used FROM crm.{}"
        every = " UNION ALL ".join(count.format(literal(name), identifier(name)) for name in self.settled)
        used = dict(con.sql(every).pl().iter_rows()) if every else {}
        for name in columns:
            mine = before.filter(table=name)
            if name not in self.settled:
                parts.append(mine)
                continue
            one = self.settled[name]
            schema = before.schema
            lines: list[tuple[object, ...]] = [(name, "used", None, used[name], [])]
            more = [
                (name, "filtered", reason, rows, examples)
                for reason, (rows, examples) in (
                    (COPY, one.copies),
                    (REPLACED, one.replaced),
                    (DELETED, one.lost),
                )
                if rows
            ]
            filtered = pl.concat(
                [mine.filter(disposition="filtered"), pl.DataFrame(more, schema=schema, orient="row")]
            )
            smallest = pl.col("examples").list.explode().drop_nulls().unique().sort().head(3)
            aside = one.quarantine.group_by("reason").agg(
                rows=pl.len().cast(pl.Int64), examples=pl.col("id").drop_nulls().unique().sort().head(3)
            )
            parts += [
                pl.DataFrame(lines, schema=schema, orient="row"),
                filtered.group_by("table", "disposition", "reason")
                .agg(pl.col("rows").sum(), smallest)
                .sort("reason")
                .select(schema.names()),
                aside.sort("reason").select(
                    pl.lit(name).alias("table"),
                    pl.lit("quarantined").alias("disposition"),
                    "reason",
                    "rows",
                    "examples",
                ),
            ]
        return pl.concat(parts)

    def _spoilt(self, quality: pl.DataFrame, roots: Collection[str]) -> list[tuple[str, str, int, int]]:
        """Tables as they would be: name, what they are, rows set aside, rows there are."""
        rows = {
            (table, disposition): count
            for table, disposition, count in quality.group_by("table", "disposition")
            .agg(pl.col("rows").sum())
            .iter_rows()
        }
        counts = []
        for name in self.settled:
            if name in roots:
                aside = rows.get((name, "quarantined"), 0)
                counts.append((name, "with the changes", aside, aside + rows[name, "used"]))
        return counts

    def _standing_findings(self) -> list[Finding]:
        """What was found before and is not found out anew."""
        return [
            Finding(table=table, finding=text, rows=rows, examples=tuple(examples))
            for table, text, rows, examples in self.tables.findings.iter_rows()
            if not text.startswith((LATER, LAGGING, NOBODY))
        ]


def read_changes(
    tables: Tables,
    raw_tables: Sequence[RawTable],
    *,
    deleted: Mapping[str, Sequence[str]],
    datetime_format: str | Sequence[str] | None,
    roots: Collection[str],
) -> Merge:
    """Read a batch of changed rows and settle what becomes of every row; the tables are not changed yet.

    A row takes the place of all rows that were known of its key, also of those in quarantine; a table without
    a key is replaced as a whole. `deleted` holds the keys of records that are gone, per table. Raises
    `SourceError`, also where a table has other columns than it was loaded with.
    """
    if tables.pseudonymised:
        raise SourceError(
            "people are replaced by pseudonyms here, and neither the key nor their names were kept: "
            "changes cannot be told from what is there. Connect to the whole source again."
        )
    con = tables.connection
    formats = stated_formats(con, datetime_format)
    gone = _keys_of(tables, deleted)
    plan = make_plan(raw_tables, tables.spec, roots, partial=True)
    _refuse_other_columns(tables, plan, gone)
    evidence = inspect(plan.assignments)
    merge = Merge(tables=tables)
    merge.inputs += plan.unused
    merge.findings += [Finding(table=name, finding=text, examples=some) for name, text, some in plan.remarks]
    home = tables.home
    con.execute(f"USE {home}")
    con.execute(f"DETACH DATABASE IF EXISTS {INCOMING}")
    con.execute(f"ATTACH ':memory:' AS {INCOMING}")
    con.execute(f"USE {INCOMING}")
    try:
        con.execute("BEGIN")
        make_room(con)
        con.execute("CREATE SCHEMA moves")
        _settle(merge, plan, evidence, gone, formats, home)
        con.execute("COMMIT")
    except BaseException as error:
        con.execute("ROLLBACK")
        merge.close()
        if isinstance(error, duckdb.Error):
            raise SourceError(f"the database refused the changes: {error}") from error
        raise
    con.execute(f"USE {home}")
    return merge


def _settle(  # noqa: PLR0917  what a batch is
    merge: Merge,
    plan: Plan,
    evidence: Mapping[str, Evidence],
    gone: Mapping[str, pl.Series],
    formats: tuple[str, ...],
    home: str,
) -> None:
    tables, spec = merge.tables, merge.tables.spec
    salesforce = spec.id_format == "salesforce"
    supplied = {one.name: one for one in plan.assignments}
    merge.new_tables |= {
        name: tuple(one.columns) for name, one in supplied.items() if name not in tables.columns
    }
    settler = Settler(tables, home, merge.new_tables)
    for name in spec.parents_first:
        one, loaded = supplied.get(name), None
        if one is not None:
            parents = settler.parents(name)
            loaded = RowLoader(
                tables.connection, one, salesforce_ids=salesforce, formats=formats, parents=parents
            ).load()
            refuse_lost_rows(one, loaded.rows, evidence[name].rows)
            if name in merge.new_tables:
                validate(tables.connection, name, one.spec, tuple(one.columns), salesforce_ids=salesforce)
            else:
                complete(tables.connection, name, one.spec, tuple(one.columns))
            merge.findings += [Finding(table=name, finding=text) for text in evidence[name].remarks]
            merge.findings += loaded.findings
            merge.inputs.append(input_file(one, loaded.rows, evidence[name].sha256))
        settled = settler.settle(name, loaded, gone.get(name))
        if settled is not None:
            merge.settled[name] = settled
    merge.settled = {name: merge.settled[name] for name in spec.tables if name in merge.settled}


def _keys_of(tables: Tables, deleted: Mapping[str, Sequence[str]]) -> dict[str, pl.Series]:
    """The keys of deleted records as they are kept, of the tables that are there."""
    found = {}
    for name, given in deleted.items():
        if name not in tables.spec.tables:
            raise UnknownNameError("table", name, tables.spec.tables)
        spec = tables.spec.tables[name]
        if spec.key not in spec.columns:
            raise SourceError(f"deleted names {name}, whose rows have no key: supply the table as a whole")
        keys = pl.Series("key", [given] if isinstance(given, str) else list(given), dtype=pl.String)
        if tables.spec.id_format == "salesforce" and spec.columns[spec.key] == "id":
            whole = normal(keys)
            if whole.null_count():
                odd = keys.filter(whole.is_null())[0]
                raise SourceError(f"deleted names {odd!r} of {name}, which is no Salesforce Id")
            keys = whole
        if name in tables.columns:
            found[name] = keys.unique().sort()
    return found


def normal(keys: pl.Series) -> pl.Series:
    """Salesforce Ids in 18 characters; null for what is none."""
    return pl.Series("key", normalise(pa.array(keys.to_list(), pa.string())), dtype=pl.String)


def _refuse_other_columns(tables: Tables, plan: Plan, gone: Mapping[str, pl.Series]) -> None:
    faults = [f"{name}: {reason}" for name, reason, _ in plan.remarks if "skipped" in reason]
    if plan.unused and not plan.assignments and not gone:
        origins = ", ".join(file.origin for file in plan.unused)
        faults.append(f"no table of source '{tables.spec.name}' is called like {origins} (see table_names)")
    faults += [fault for one in plan.assignments for fault in _other_columns(tables, one)]
    faults += [
        f"deleted names {name}, which was loaded without a key"
        for name in gone
        if tables.spec.tables[name].key not in tables.columns[name]
    ]
    if faults:
        raise SourceError(
            "the changes do not fit what was loaded; supply the columns that the source had, "
            "or connect to the whole source again:\n  " + "\n  ".join(faults)
        )


def _other_columns(tables: Tables, one: Assignment) -> list[str]:
    if one.name not in tables.columns:
        return []
    before = tables.columns[one.name]
    lacking = [name for name in before if name not in one.columns]
    more = [name for name in one.columns if name not in before]
    found = [f"{one.name} ({one.raw.origin}) lacks {', '.join(lacking)}"] if lacking else []
    return found + (
        [f"{one.name} ({one.raw.origin}) has {', '.join(more)}, not loaded before"] if more else []
    )

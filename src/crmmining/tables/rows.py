"""One supplied table into schema `crm`: typed and keyed, with every row used, filtered or quarantined."""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import polars as pl
import pyarrow as pa

from crmmining.tables.casts import cast, keep, keeps, time_of_day
from crmmining.tables.ids import irregular, normalise
from crmmining.tables.plan import Assignment
from crmmining.tables.spec import ColumnType, ParentSpec
from crmmining.tables.sql import identifier, literal

_BATCH = 1 << 20  # rows whose Ids are looked at together
_FAULT = '"row fault"'  # holds a blank, so that no declared column can have this name
_TIMED = '"row time of day in %d"'
_FATES = '"row fates"'
_NOUNS: dict[ColumnType, str] = {
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "date": "a date",
    "datetime": "a datetime",
}
_FATE = pl.Schema(
    {
        "row": pl.Int64,
        "key": pl.String,
        "disposition": pl.String,
        "reason": pl.String,
        "column": pl.String,
    }
)


def waiting(table: str) -> str:
    """Where the rows of a table wait whose parent is not known, typed; there is none where no row does."""
    return f"crm_load.{identifier(f'waiting {table}')}"


def orphaned(parent: ParentSpec) -> str:
    """Why such a row is in quarantine."""
    return f"{parent.column} names no known {parent.table}"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something noticed that moves no row; `rows` is null where it is not about rows."""

    table: str
    finding: str
    rows: int | None = None
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What became of a table's rows: `fates` (row, key, disposition, reason, column) lists those not used."""

    rows: int
    fates: pl.DataFrame
    findings: list[Finding]


class RowLoader:
    """Loads one table; rules apply in the order of `load`, and the first that hits a row decides its fate.

    `parents` is SQL for the keys of all parents there are; none where the parents' table was not supplied.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: Assignment,
        *,
        salesforce_ids: bool,
        formats: tuple[str, ...],
        parents: str | None,
    ) -> None:
        self._connection = connection
        self._table = table
        self._target = f"crm.{identifier(table.name)}"
        self._types = {name: table.spec.columns[name] for name in table.columns}
        self._native = self._kept(table.raw.native())
        self._key = table.spec.key if table.spec.key in table.columns else None
        self._key_sql = identifier(self._key) if self._key else "NULL::VARCHAR"
        self._salesforce_ids = salesforce_ids
        self._formats = formats
        self._parents = parents
        self._fates = pl.DataFrame(schema=_FATE)
        self._findings: list[Finding] = []
        self._first = 0

    def load(self) -> Loaded:
        """Create `crm.<table>` from the rows that pass; those that do not are copied into quarantine."""
        rows = self._create()
        self._fault_rows()
        if self._salesforce_ids:
            for column in (name for name, kind in self._types.items() if kind == "id"):
                self._normalise_ids(column)
        self._settle_duplicates()
        self._part_orphans()
        self._keep_the_others()
        self._note_times_of_day()
        self._note_empty_texts()
        return Loaded(rows=rows, fates=self._fates.sort("row"), findings=self._findings)

    def _faults(self) -> list[tuple[str, str, str]]:
        """(condition on raw r and typed t, reason, column) of every fault of a value, the key's first."""
        faults = []
        for at, (name, kind) in enumerate(self._types.items()):
            if name in self._table.spec.mandatory and (kind != "text" or name == self._key):
                empty = f"t{at} IS NULL" if kind == "id" else f"r{at} IS NULL"
                faults.append((empty, f"{name} is empty", name))
            if kind in _NOUNS:
                faults.append((f"r{at} IS NOT NULL AND t{at} IS NULL", f"{name} is not {_NOUNS[kind]}", name))
        return sorted(faults, key=lambda fault: fault[2] != self._key)

    def _raw(self, name: str) -> str:
        return f"coalesce({', '.join(f'c{at}' for at in self._table.columns[name])}, NULL)"

    def _kept(self, native: Mapping[int, str]) -> dict[str, str]:
        """The columns that need not become text first, each with the type it has in the source."""
        found = {}
        for name, kind in self._types.items():
            places = self._table.columns[name]
            if len(places) == 1 and keeps(native.get(places[0], ""), kind):
                found[name] = native[places[0]]
        return found

    def _cast(self, at: int, name: str, kind: ColumnType) -> str:
        if name in self._native:
            return keep(f"r{at}", self._native[name], kind)
        return cast(self._unless_no_id(f"r{at}", kind), kind, self._formats)

    def _time_of_day(self, at: int, name: str) -> str:
        return "false" if name in self._native else time_of_day(f"r{at}", self._formats)

    def _unless_no_id(self, raw: str, kind: ColumnType) -> str:
        """Some Salesforce exports write a reference to nothing as an Id of zeros."""
        if kind != "id" or not self._salesforce_ids:
            return raw
        return f"CASE WHEN {raw} NOT IN ('000000000000000', '000000000000000AAA') THEN {raw} END"

    def _create(self) -> int:
        inner = ", ".join(f"{self._raw(name)} AS r{at}" for at, name in enumerate(self._types))
        typed = ", ".join(
            f"{self._cast(at, name, kind)} AS t{at}" for at, (name, kind) in enumerate(self._types.items())
        )
        outer = ", ".join(f"t{at} AS {identifier(name)}" for at, name in enumerate(self._types))
        timed = "".join(
            f", t{at} IS NOT NULL AND {self._time_of_day(at, name)} AS {_TIMED % at}"
            for at, name in self._dates.items()
        )
        faults = self._faults()
        whens = " ".join(f"WHEN {fault[0]} THEN {at}" for at, fault in enumerate(faults, start=1))
        fault = f"CASE {whens} ELSE 0 END" if whens else "0"
        kept = {self._table.columns[name][0] for name in self._native}
        with self._table.raw.scan(self._connection, self._table.positions, kept) as relation:
            self._connection.execute(
                f"CREATE TABLE {self._target} AS SELECT {outer}, ({fault})::USMALLINT AS {_FAULT}{timed} "
                f"FROM (SELECT *, {typed} FROM (SELECT {inner} FROM {relation}))"
            )
        # Rows that are not committed yet have high row ids, so that places are counted from the first.
        count, first = self._query(f"SELECT count(*), coalesce(min(rowid), 0) FROM {self._target}").row(0)
        self._first = int(first)
        return int(count)

    def _fault_rows(self) -> None:
        faults = self._faults()
        found = self._query(
            f"SELECT rowid AS row, {self._key_sql} AS key, {_FAULT}::BIGINT AS fault "
            f"FROM {self._target} WHERE {_FAULT} > 0"
        )
        names = pl.DataFrame(
            {
                "fault": range(1, len(faults) + 1),
                "reason": [reason for _, reason, _ in faults],
                "column": [column for _, _, column in faults],
            },
            schema={"fault": pl.Int64, "reason": pl.String, "column": pl.String},
        )
        self._condemn(found.join(names, on="fault", how="inner"), "quarantined")

    def _normalise_ids(self, column: str) -> None:
        values = self._connection.sql(f"SELECT {identifier(column)} FROM {self._target}")
        odd: list[pl.DataFrame] = []
        start = self._first
        for batch in values.to_arrow_reader(_BATCH):
            chunk = batch.column(0)
            if len(at := irregular(chunk)):
                old = chunk.take(pa.array(at))
                odd.append(
                    pl.DataFrame({"row": at + start, "old": pl.Series(old), "new": pl.Series(normalise(old))})
                )
            start += len(chunk)
        if not odd:
            return
        changes = pl.concat(odd).with_columns(pl.col("row").cast(pl.Int64))
        with self._shown('"id changes"', changes):
            self._connection.execute(
                f'UPDATE {self._target} AS t SET {identifier(column)} = c.new FROM "id changes" AS c '
                "WHERE t.rowid = c.row"
            )
        broken = changes.filter(pl.col("new").is_null())
        if broken.is_empty():
            return
        keyed = self._with_keys(broken.select("row", "old"), column)
        if column in self._table.spec.mandatory:
            reason = f"{column} is not a Salesforce Id"
            self._condemn(keyed.with_columns(reason=pl.lit(reason), column=pl.lit(column)), "quarantined")
        else:
            self._find(f"{column} is not a Salesforce Id: set to null", keyed)

    def _with_keys(self, rows: pl.DataFrame, column: str) -> pl.DataFrame:
        """`rows` (row, old) with each row's key; a broken key is shown as it was supplied."""
        if column == self._key:
            return rows.rename({"old": "key"})
        with self._shown('"keyless rows"', rows):
            return self._query(
                f'SELECT r.row, {self._key_sql} AS key FROM "keyless rows" AS r '
                f"JOIN {self._target} AS t ON t.rowid = r.row"
            )

    def _settle_duplicates(self) -> None:
        """Identical copies of a row collapse into the first; rows that contradict each other all go."""
        pairs = ", ".join(f"{literal(name)}: {identifier(name)}" for name in self._types)
        content = f"to_json({{{pairs}}})::VARCHAR"
        by = self._key_sql if self._key else content
        with self._standing() as standing:
            twins = self._query(f"SELECT {by} AS twin {standing} GROUP BY twin HAVING count(*) > 1")
            if twins.is_empty():
                return
            with self._shown('"twin keys"', twins):
                rows = self._query(
                    f"SELECT t.rowid AS row, {self._key_sql} AS key, {by} AS twin, {content} AS content "
                    f'{standing} SEMI JOIN "twin keys" AS k ON {by} = k.twin'
                )
        same = pl.col("content").n_unique().over("twin") == 1
        first = pl.col("row") == pl.col("row").min().over("twin")
        rows = rows.with_columns(same=same, first=first)
        self._condemn(rows.filter("same", ~pl.col("first")), "filtered", "identical copy")
        self._condemn(rows.filter(~pl.col("same")), "quarantined", f"same {self._key}, different values")

    def _part_orphans(self) -> None:
        """Set rows aside whose parent is not known, and keep them as they would be read: it may yet come."""
        parent = self._table.spec.parent
        if parent is None or self._parents is None or parent.column not in self._types:
            return
        column = identifier(parent.column)
        with self._standing() as standing:
            orphans = self._query(
                f"SELECT t.rowid AS row, {self._key_sql} AS key {standing} "
                f"WHERE {column} IS NOT NULL AND {column} NOT IN ({self._parents})"
            )
        if orphans.is_empty():
            return
        self._condemn(orphans, "quarantined", orphaned(parent), parent.column)
        columns = ", ".join(identifier(name) for name in self._types)
        with self._shown(_FATES, orphans):
            self._connection.execute(
                f"CREATE TABLE {waiting(self._table.name)} AS "
                f"SELECT {columns} FROM {self._target} WHERE rowid IN (SELECT row FROM {_FATES})"
            )

    def _keep_the_others(self) -> None:
        if not self._fates.is_empty():
            self._quarantine()
            with self._shown(_FATES, self._fates):
                self._connection.execute(
                    f"DELETE FROM {self._target} WHERE rowid IN (SELECT row FROM {_FATES})"
                )
        self._connection.execute(f"ALTER TABLE {self._target} DROP COLUMN {_FAULT}")

    @property
    def _dates(self) -> dict[int, str]:
        """The columns that hold dates, by their place among all."""
        return {at: name for at, (name, kind) in enumerate(self._types.items()) if kind == "date"}

    def _note_times_of_day(self) -> None:
        for at, name in self._dates.items():
            timed = self._query(f"SELECT {self._key_sql} AS key FROM {self._target} WHERE {_TIMED % at}")
            self._find(f"{name} holds times of day: their day (UTC) is read", timed)
            self._connection.execute(f"ALTER TABLE {self._target} DROP COLUMN {_TIMED % at}")

    def _quarantine(self) -> None:
        """Copy the raw rows as they were supplied, every column of them, with what offends in `value`."""
        positions = range(len(self._table.raw_columns))
        pairs = ", ".join(f"{literal(self._table.raw_columns[at])}, c{at}" for at in positions)
        whens = " ".join(f"WHEN {literal(name)} THEN {self._raw(name)}" for name in self._types)
        kept = self._fates.filter(disposition="quarantined")
        if kept.is_empty():
            return
        with self._shown(_FATES, kept), self._table.raw.scan(self._connection, positions) as relation:
            self._connection.execute(
                f"INSERT INTO crm_load.quarantine SELECT {literal(self._table.name)}, s.place, f.key, "
                f'f.reason, CASE f."column" {whens} END, json_object({pairs})::VARCHAR '
                f"FROM (SELECT row_number() OVER () AS place, * FROM {relation}) AS s "
                f"JOIN {_FATES} AS f ON f.row = s.place + {self._first - 1}"
            )

    def _note_empty_texts(self) -> None:
        for name in self._table.spec.required:
            if self._types.get(name) == "text" and name != self._key:
                column = identifier(name)
                empty = self._query(
                    f"SELECT {self._key_sql} AS key FROM {self._target} WHERE {column} IS NULL"
                )
                self._find(f"{name} is empty", empty)

    def _find(self, finding: str, rows: pl.DataFrame) -> None:
        if not rows.is_empty():
            keys = rows["key"].drop_nulls().sort().head(3)
            self._findings.append(
                Finding(table=self._table.name, finding=finding, rows=rows.height, examples=tuple(keys))
            )

    def _condemn(
        self, rows: pl.DataFrame, disposition: str, reason: str | None = None, column: str | None = None
    ) -> None:
        """Add `rows` (row, key, and reason and column unless given) to the fates, unless already there."""
        given = {
            name: pl.lit(text, pl.String) for name, text in (("reason", reason), ("column", column)) if text
        }
        fresh = rows.with_columns(disposition=pl.lit(disposition), **given)
        if "column" not in fresh.columns:
            fresh = fresh.with_columns(column=pl.lit(None, pl.String))
        fresh = fresh.select(pl.col(name).cast(kind) for name, kind in _FATE.items()).join(
            self._fates, on="row", how="anti"
        )
        self._fates = pl.concat([self._fates, fresh])

    @contextmanager
    def _standing(self) -> Iterator[str]:
        """A FROM clause over the rows that no rule has hit so far."""
        if self._fates.is_empty():
            yield f"FROM {self._target} AS t"
            return
        with self._shown(_FATES, self._fates.select("row")):
            yield f"FROM {self._target} AS t ANTI JOIN {_FATES} AS f ON t.rowid = f.row"

    @contextmanager
    def _shown(self, name: str, frame: pl.DataFrame) -> Iterator[None]:
        """Let SQL see a frame under a quoted name for as long as the context is open."""
        self._connection.register(name.strip('"'), frame)
        try:
            yield
        finally:
            self._connection.unregister(name.strip('"'))

    def _query(self, sql: str) -> pl.DataFrame:
        rows: pl.DataFrame = self._connection.sql(sql).pl()
        return rows

"""Tables: a source's records in canonical form, in one private DuckDB database."""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

import duckdb
import polars as pl

from crmmining.tables import tracking
from crmmining.tables.casts import SQL_TYPES
from crmmining.tables.parts import Joint
from crmmining.tables.paths import Part
from crmmining.tables.raw import InputFile
from crmmining.tables.spec import SourceSpec, TableSpec
from crmmining.tables.sql import identifier, literal

CLOCK_COLUMNS = ("CreatedDate", "SystemModstamp")
INCOMING = "incoming"  # the database of rows that are about to be merged in


@dataclass(frozen=True, kw_only=True)
class Tables:
    """What a load left behind: schema `crm` in a database of `connection`, with the account of every row.

    `clock` is the newest CreatedDate or SystemModstamp (UTC) over all tables, null when there is none.
    `quality` (table, disposition used|quarantined|filtered, reason, rows, examples) adds up to the rows that
    came in, per table; `findings` (table, finding, rows, examples) moves no row; `quarantine` (table,
    source_row, id, reason, value, row) holds every quarantined row as JSON text of its raw columns, with
    its 1-based place in the source. `clocks` (table, clock, behind) says how recent each table is;
    `extracted_at` is when the data was taken, where stated, and no clock is later; where people are
    `pseudonymised`, quarantine has neither value nor row. `crm_load.automated` (Id) lists users that
    the definition states to be programs.
    """

    connection: duckdb.DuckDBPyConnection
    spec: SourceSpec
    clock: datetime | None
    quality: pl.DataFrame
    findings: pl.DataFrame
    inputs: list[InputFile]
    columns: dict[str, tuple[str, ...]] = field(repr=False)
    clocks: pl.DataFrame
    extracted_at: datetime | None
    pseudonymised: bool

    @property
    def quarantine(self) -> pl.DataFrame:
        """The rows that did not pass, in source order per table."""
        text = f"SELECT * FROM {self.home}.crm_load.quarantine ORDER BY ALL"
        rows: pl.DataFrame = self.connection.sql(text).pl()
        return rows

    def has(self, need: str) -> bool:
        """Whether a table ("LeadHistory") or column ("LeadHistory.Field") was supplied and read."""
        table, _, column = need.partition(".")
        return table in self.columns and (not column or column in self.columns[table])

    def view_whole(self, part: Part | Joint | None = None) -> None:
        """Make database `whole` show every declared table, all its rows or those of a part, and select it.

        Each table has every declared column: what was not supplied is a typed null, and a table that was not
        supplied has no rows. What else was in `whole` is gone. It is a database of its own, so that whoever
        writes there can write nowhere else in the same transaction. The temporary table `tracking` says
        what is stated of histories (see `crmmining.tables.tracking`).
        """
        con, home = self.connection, self.home
        con.execute(f"USE {self.desk}")
        con.execute("DETACH DATABASE IF EXISTS whole")
        con.execute("ATTACH ':memory:' AS whole")
        if part is not None:
            part.choose(con, f"{home}.crm")
        for name, table in self.spec.tables.items():
            rows = self._whole(name, table, home)
            where = "true" if part is None else part.condition(name, f"{home}.crm")
            kind = "VIEW" if where in {"true", "false"} or name not in self.columns else "TABLE"
            con.execute(f"CREATE {kind} whole.{identifier(name)} AS {rows} WHERE {where}")
        tracking.tell(con, self.spec, self.clock)
        con.execute("USE whole")

    def view_as_of(self, as_of: datetime, stages: pl.DataFrame) -> None:
        """Make schema `as_of` show the tables of `whole` as they were known at `as_of`, and select it.

        Rows whose `visible_from` is later are hidden; without one they always show. `stages` (root,
        record_type, since, until, value, position, is_closed, is_won) becomes the table of that name. A naive
        `as_of` is UTC.
        """
        moment = as_of.replace(tzinfo=UTC) if as_of.tzinfo is None else as_of.astimezone(UTC)
        con = self.connection
        if con.sql("FROM duckdb_databases() WHERE database_name = 'whole'").pl().is_empty():
            self.view_whole()
        before = ".".join(
            identifier(name) for name in con.sql("SELECT current_database(), current_schema()").pl().row(0)
        )
        con.execute(f"USE {self.desk}")
        con.execute("BEGIN")
        try:
            con.execute("CREATE SCHEMA IF NOT EXISTS as_of")
            for name, table in self.spec.tables.items():
                known = self._known(name, table, moment)
                con.execute(f"CREATE OR REPLACE VIEW as_of.{identifier(name)} AS {known}")
            con.execute(
                "CREATE OR REPLACE TABLE as_of.stages "
                "(root VARCHAR, record_type VARCHAR, since DATE, until DATE, value VARCHAR, position BIGINT, "
                "is_closed BOOLEAN, is_won BOOLEAN)"
            )
            con.register("stages given", stages)
            con.execute(
                "INSERT INTO as_of.stages SELECT root, record_type, since, until, value, position, "
                'is_closed, is_won FROM "stages given"'
            )
            con.execute(
                "CREATE OR REPLACE VIEW as_of.stated_automated AS "
                f"SELECT Id AS value FROM {self.home}.crm_load.automated"
            )
            con.execute("COMMIT")
        except BaseException:
            con.execute("ROLLBACK")
            con.execute(f"USE {before}")
            raise
        finally:
            con.unregister("stages given")
        con.execute("SET VARIABLE as_of = $moment", {"moment": moment})
        con.execute(f"USE {self.desk}.as_of")

    @cached_property
    def home(self) -> str:
        """The database that holds the canonical tables."""
        schemas = self.connection.sql(
            f"FROM duckdb_schemas() WHERE schema_name = 'crm' AND database_name <> {literal(INCOMING)}"
        ).pl()
        return identifier(schemas["database_name"].item())

    @cached_property
    def desk(self) -> str:
        """The database where views of the tables are made: their own, or `memory` where that is only read."""
        text = (
            "SELECT readonly FROM duckdb_databases() WHERE database_name IN "
            "(SELECT database_name FROM duckdb_schemas() "
            f"WHERE schema_name = 'crm' AND database_name <> {literal(INCOMING)})"
        )
        return "memory" if self.connection.sql(text).pl().item() else self.home

    def _whole(self, name: str, table: TableSpec, home: str) -> str:
        supplied = self.columns.get(name, ())
        columns = ", ".join(
            identifier(column) if column in supplied else f"NULL::{SQL_TYPES[kind]} AS {identifier(column)}"
            for column, kind in table.columns.items()
        )
        if name not in self.columns:
            return f"SELECT {columns} FROM (SELECT 1 WHERE false)"
        return f"SELECT {columns} FROM {home}.crm.{identifier(name)}"

    def _known(self, name: str, table: TableSpec, moment: datetime) -> str:
        return f"SELECT * FROM whole.{identifier(name)} WHERE {self.visible(name, table, moment)}"

    def visible(self, name: str, table: TableSpec, moment: datetime) -> str:
        """Which rows of a table are known at a moment, as an SQL condition."""
        if table.visible_from not in self.columns.get(name, ()):
            return "true"
        since = identifier(str(table.visible_from))
        return f"coalesce({since} <= {literal(moment.isoformat())}::TIMESTAMPTZ, true)"

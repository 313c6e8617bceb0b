"""Tables: a source's records in canonical form, in one private DuckDB database."""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

from dataclasses import dataclass, field
from datetime import UTC, datetime

import duckdb
import polars as pl

from crmmining.tables.casts import SQL_TYPES
from crmmining.tables.raw import InputFile
from crmmining.tables.spec import SourceSpec, TableSpec
from crmmining.tables.sql import identifier, literal

CLOCK_COLUMNS = ("CreatedDate", "SystemModstamp")


@dataclass(frozen=True, kw_only=True)
class Tables:
    """What a load left behind: schema `crm` of `connection`, with the account of every row that came in.

    `clock` is the newest CreatedDate or SystemModstamp (UTC) over all tables, null when there is none.
    `quality` (table, disposition used|quarantined|filtered, reason, rows, examples) adds up to the rows that
    came in, per table; `findings` (table, finding, rows, examples) moves no row; `quarantine` (table,
    source_row, id, reason, value, row) holds every quarantined row as JSON text of its raw columns, with
    its 1-based place in the source.
    """

    connection: duckdb.DuckDBPyConnection
    spec: SourceSpec
    clock: datetime | None
    quality: pl.DataFrame
    findings: pl.DataFrame
    inputs: list[InputFile]
    columns: dict[str, tuple[str, ...]] = field(repr=False)

    @property
    def quarantine(self) -> pl.DataFrame:
        """The rows that did not pass, in source order per table."""
        rows: pl.DataFrame = self.connection.sql("SELECT * FROM crm_load.quarantine ORDER BY ALL").pl()
        return rows

    def has(self, need: str) -> bool:
        """Whether a table ("LeadHistory") or column ("LeadHistory.Field") was supplied and read."""
        table, _, column = need.partition(".")
        return table in self.columns and (not column or column in self.columns[table])

    def view_as_of(self, as_of: datetime, stages: pl.DataFrame) -> None:
        """Make schema `as_of` show every declared table as it was known at `as_of`, and select it.

        Each view has every declared column: what was not supplied is a typed null, and a table that was not
        supplied has no rows. Rows whose `visible_from` is later are hidden; without one they always show.
        `stages` (root, value, position, is_closed, is_won) becomes the table of that name. A naive `as_of`
        is UTC.
        """
        moment = as_of.replace(tzinfo=UTC) if as_of.tzinfo is None else as_of.astimezone(UTC)
        con = self.connection
        con.execute("BEGIN")
        try:
            con.execute("CREATE SCHEMA IF NOT EXISTS as_of")
            for name, table in self.spec.tables.items():
                view = self._view(name, table, moment)
                con.execute(f"CREATE OR REPLACE VIEW as_of.{identifier(name)} AS {view}")
            con.execute(
                "CREATE OR REPLACE TABLE as_of.stages "
                "(root VARCHAR, value VARCHAR, position BIGINT, is_closed BOOLEAN, is_won BOOLEAN)"
            )
            con.register("stages given", stages)
            con.execute(
                'INSERT INTO as_of.stages SELECT root, value, position, is_closed, is_won FROM "stages given"'
            )
            con.execute("COMMIT")
        except BaseException:
            con.execute("ROLLBACK")
            raise
        finally:
            con.unregister("stages given")
        con.execute("SET schema = 'as_of'")

    def _view(self, name: str, table: TableSpec, moment: datetime) -> str:
        supplied = self.columns.get(name, ())
        columns = ", ".join(
            identifier(column) if column in supplied else f"NULL::{SQL_TYPES[kind]} AS {identifier(column)}"
            for column, kind in table.columns.items()
        )
        if name not in self.columns:
            return f"SELECT {columns} WHERE false"
        where = ""
        if table.visible_from in supplied:
            since = identifier(str(table.visible_from))
            where = f" WHERE coalesce({since} <= {literal(moment.isoformat())}::TIMESTAMPTZ, true)"
        return f"SELECT {columns} FROM crm.{identifier(name)}{where}"

"""Tables and views of another DuckDB database, which is only ever read."""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

import duckdb

from crmmining.errors import SourceError
from crmmining.tables import Evidence
from crmmining.tables.names import table_name
from crmmining.tables.sql import identifier, literal

_BATCH = 1 << 17
_ZONED = "TIMESTAMP WITH TIME ZONE"
_SHOWN = "foreign rows"

Opener = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]


@dataclass(frozen=True)
class Relation:
    """One table or view of a foreign database as a raw table; its timestamps without a zone are UTC.

    `opened` gives the connection to it for as long as it is needed.
    """

    opened: Opener = field(repr=False)
    catalog: str
    schema: str
    table: str
    name: str
    place: str

    @property
    def origin(self) -> str:
        """Schema and table, behind the file's name when there is one."""
        return f"{self.place}{self.schema}.{self.table}"

    def columns(self) -> list[str]:
        """The column names in their order."""
        return [name for name, _ in self._described()]

    def inspect(self, positions: Sequence[int]) -> Evidence:
        """Hash the columns at `positions` as text, whatever the order of the rows."""
        described = self._described()
        names = [described[at][0] for at in positions]
        texts = ", ".join(f"'c{at}': {self._text(described[at])}" for at in positions)
        digest = hashlib.sha256(repr(names).encode())
        with self._reading() as source:
            rows = source.sql(
                f"SELECT md5(to_json({{{texts}}})::VARCHAR) AS row FROM {self._qualified} ORDER BY row"
            )
            for batch in rows.to_arrow_reader(_BATCH):
                digest.update("".join(batch.column(0).to_pylist()).encode())
        return Evidence(sha256=digest.hexdigest())

    def native(self) -> Mapping[int, str]:
        """None: all is text."""
        return {}

    @contextmanager
    def scan(
        self,
        connection: duckdb.DuckDBPyConnection,
        positions: Sequence[int],
        native: Collection[int] = (),  # noqa: ARG002 - none is offered
    ) -> Iterator[str]:
        """Hand the rows over in batches, in the order in which the source gives them."""
        described = self._described()
        wanted = ", ".join(f"{self._text(described[at])} AS c{at}" for at in positions)
        with self._reading() as source:
            connection.register(
                _SHOWN, source.sql(f"SELECT {wanted} FROM {self._qualified}").to_arrow_reader(_BATCH)
            )
            try:
                yield identifier(_SHOWN)
            finally:
                connection.unregister(_SHOWN)

    @property
    def _qualified(self) -> str:
        return ".".join(identifier(part) for part in (self.catalog, self.schema, self.table))

    @staticmethod
    def _text(column: tuple[str, str]) -> str:
        """A column as text; a zoned timestamp is shown in UTC whatever the foreign session's zone."""
        name, kind = identifier(column[0]), column[1]
        text = f"(({name} AT TIME ZONE 'UTC')::VARCHAR || '+00')" if kind == _ZONED else f"{name}::VARCHAR"
        return f"nullif({text}, '')"

    def _described(self) -> list[tuple[str, str]]:
        with self._reading() as source:
            found = source.sql(
                "SELECT column_name, data_type FROM duckdb_columns() "
                f"WHERE database_name = {literal(self.catalog)} AND schema_name = {literal(self.schema)} "
                f"AND table_name = {literal(self.table)} ORDER BY column_index"
            ).pl()
        return [(str(name), str(kind)) for name, kind in found.iter_rows()]

    @contextmanager
    def _reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            with self.opened() as source:
                yield source
        except duckdb.Error as error:
            raise SourceError(f"{self.origin} cannot be read: {error}") from error


def relations(opened: Opener, *, place: str, pattern: str) -> list[Relation]:
    """The tables and views of a database whose name fits `pattern`, in name order.

    A pattern with a dot is matched against schema and table, otherwise against the table alone.
    """
    with opened() as source:
        try:
            found = source.sql(
                "SELECT table_catalog, table_schema, table_name FROM information_schema.tables "
                "WHERE table_catalog IN (current_database(), 'temp') ORDER BY ALL"
            ).pl()
        except duckdb.Error as error:
            raise SourceError(f"the connection cannot be read: {error}") from error
    fitting = []
    for catalog, schema, table in found.iter_rows():
        name = table_name(f"{schema}.{table}" if "." in pattern else table, pattern)
        if name is not None:
            fitting.append(
                Relation(opened=opened, catalog=catalog, schema=schema, table=table, name=name, place=place)
            )
    return fitting

"""The seam between sources and tables: one supplied table, not yet read."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import duckdb


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a source says about one table's content before it is read.

    `rows`, where the source can count them by other means than reading them, is what reading must yield.
    """

    sha256: str
    rows: int | None = None
    remarks: tuple[str, ...] = ()


class RawTable(Protocol):
    """One table as its source offers it; every call may raise SourceError naming the origin."""

    @property
    def name(self) -> str:
        """The table's name in the source, without what `table_names` puts around it."""

    @property
    def origin(self) -> str:
        """File name or relation, as messages and reports show it; never an absolute path."""

    def columns(self) -> list[str]:
        """Column names as the source spells them; twins are possible."""

    def inspect(self, positions: Sequence[int]) -> Evidence:
        """Judge and hash the content; `positions` are the columns that will be read."""

    def native(self) -> Mapping[int, str]:
        """The columns, by position, that `scan` can hand over as they are, each with its DuckDB type.

        TIMESTAMP (of UTC), TIMESTAMPTZ, DATE, DOUBLE, BIGINT or BOOLEAN: what their text would be read as.
        """

    def scan(
        self,
        connection: duckdb.DuckDBPyConnection,
        positions: Sequence[int],
        native: Collection[int] = (),
    ) -> AbstractContextManager[str]:
        """A relation for a FROM clause, in the source's row order, while the context is open.

        Its columns are called c0, c1, ... by position, all VARCHAR, with empty text as null, but for those
        asked for as they are.
        """


@dataclass(frozen=True, kw_only=True)
class InputFile:
    """One supplied table in the record of a load; `name` is null when no declared table has its name."""

    name: str | None
    origin: str
    rows: int | None = None
    sha256: str | None = None
    missing: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

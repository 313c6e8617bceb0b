"""Parquet files; values are read as text, so that every source passes the same casts."""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from crmmining.errors import SourceError
from crmmining.sources.paths import refuse_undecodable, shown
from crmmining.tables import Evidence
from crmmining.tables.sql import file_literal, identifier


@dataclass(frozen=True)
class ParquetFile:
    """One Parquet file as a raw table; its timestamps without a zone are UTC."""

    path: Path
    name: str

    @property
    def origin(self) -> str:
        """The file's name."""
        return shown(self.path)

    def columns(self) -> list[str]:
        """The names in the file's own schema."""
        refuse_undecodable(self.path)
        try:
            return list(pq.read_schema(self.path).names)
        except (pa.ArrowException, OSError) as error:
            raise SourceError(
                f"{self.origin} cannot be read as Parquet (cut or damaged?): {error}"
            ) from error

    def inspect(self, positions: Sequence[int]) -> Evidence:  # noqa: ARG002 - a file is judged as a whole
        """Hash the file's bytes."""
        try:
            with self.path.open("rb") as file:
                return Evidence(sha256=hashlib.file_digest(file, "sha256").hexdigest())
        except OSError as error:
            raise SourceError(f"{self.origin} cannot be read: {error.strerror}") from error

    def native(self) -> Mapping[int, str]:
        """Columns whose text would read back as exactly what they are."""
        found = ((at, _native(kind)) for at, kind in enumerate(pq.read_schema(self.path).types))
        return {at: kind for at, kind in found if kind}

    @contextmanager
    def scan(
        self,
        connection: duckdb.DuckDBPyConnection,
        positions: Sequence[int],
        native: Collection[int] = (),
    ) -> Iterator[str]:
        """Read the file in its own order."""
        del connection
        names = self.columns()
        wanted = ", ".join(
            f"{name} AS c{at}" if at in native else f"nullif({name}::VARCHAR, '') AS c{at}"
            for at, name in ((at, identifier(names[at])) for at in positions)
        )
        try:
            yield f"(SELECT {wanted} FROM read_parquet({file_literal(self.path)}))"
        except duckdb.Error as error:
            raise SourceError(
                f"{self.origin} cannot be read as Parquet (cut or damaged?): {error}"
            ) from error


def _native(kind: pa.DataType) -> str | None:
    if pa.types.is_timestamp(kind) and kind.unit in {"s", "ms", "us"}:
        return "TIMESTAMPTZ" if kind.tz else "TIMESTAMP"
    if pa.types.is_integer(kind):
        return "BIGINT" if kind != pa.uint64() else None
    plain = {pa.date32(): "DATE", pa.float64(): "DOUBLE", pa.bool_(): "BOOLEAN"}
    return plain.get(kind)

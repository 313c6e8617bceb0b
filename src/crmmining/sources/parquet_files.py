"""Parquet files; values are read as text, so that every source passes the same casts."""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

import hashlib
from collections.abc import Iterator, Sequence
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

    @contextmanager
    def scan(self, connection: duckdb.DuckDBPyConnection, positions: Sequence[int]) -> Iterator[str]:
        """Read the file in its own order."""
        del connection
        names = self.columns()
        wanted = ", ".join(f"nullif({identifier(names[at])}::VARCHAR, '') AS c{at}" for at in positions)
        try:
            yield f"(SELECT {wanted} FROM read_parquet({file_literal(self.path)}))"
        except duckdb.Error as error:
            raise SourceError(
                f"{self.origin} cannot be read as Parquet (cut or damaged?): {error}"
            ) from error

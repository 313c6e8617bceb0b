"""Where tables come from: a folder of CSV or Parquet files, a DuckDB file, an open DuckDB connection."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

import duckdb

from crmmining.errors import SourceError
from crmmining.sources.csv_files import CsvFile
from crmmining.sources.parquet_files import ParquetFile
from crmmining.sources.paths import refuse_undecodable, shown
from crmmining.sources.relations import relations
from crmmining.tables import RawTable
from crmmining.tables.names import table_name

__all__ = ["AS_IT_IS", "Reading", "Source", "read"]

Source = str | Path | duckdb.DuckDBPyConnection
_KINDS: dict[str, type[CsvFile] | type[ParquetFile]] = {".csv": CsvFile, ".parquet": ParquetFile}
_OFFERED = "Give a folder of .csv or .parquet files, one DuckDB file, or an open DuckDB connection."


class Reading(NamedTuple):
    """How a source is read: the options of `connect` that changes of it are read with, too."""

    table_names: str = "{}"
    datetime_format: str | Sequence[str] | None = None
    max_quarantine: float = 0.01


AS_IT_IS = Reading()


def read(source: Source, *, table_names: str = "{}") -> list[RawTable]:
    """The tables that `source` offers, in name order; names are read now, and rows when they are scanned.

    `source` is a folder of `.csv` and `.parquet` files, one DuckDB file, or an open DuckDB connection, which
    is read and never changed. `table_names` says how the source calls its tables, with `{}` for a table's own
    name: "sf_{}_data" for files, "salesforce.{}" for one schema of a database. Raises SourceError.
    """
    if table_names.count("{}") != 1:
        raise SourceError(f"table_names is {table_names!r}, but must hold {{}} once, for a table's own name")
    if isinstance(source, duckdb.DuckDBPyConnection):
        return _some(_relations_of(source, table_names), "the connection", "table", table_names)
    if not isinstance(source, str | Path):
        raise SourceError(f"the source is of type {type(source).__name__}. {_OFFERED}")
    if not str(source).strip():
        raise SourceError(f"source {source!r} names no place. {_OFFERED}")
    try:
        return _tables_at(Path(source).expanduser(), table_names)
    except (OSError, RuntimeError) as error:  # RuntimeError: ~ and a user that nobody knows
        reason = error.strerror if isinstance(error, OSError) else error
        raise SourceError(f"{str(source)!r} cannot be read: {reason}. {_OFFERED}") from error


def _tables_at(path: Path, pattern: str) -> list[RawTable]:
    if path.is_dir():
        return _some(_files(path, pattern), shown(path), ".csv or .parquet file", pattern)
    if not path.exists():
        raise SourceError(f"there is no {str(path)!r}. {_OFFERED}")
    if path.suffix.lower() in _KINDS:
        raise SourceError(
            f"{shown(path)} is one file. Give the folder that holds it; its name says which table it is."
        )
    return _some(_relations_in(path, pattern), shown(path), "table", pattern)


def _some(tables: list[RawTable], where: str, what: str, pattern: str) -> list[RawTable]:
    if not tables:
        named = "" if pattern == "{}" else f" whose name fits table_names={pattern!r}"
        raise SourceError(f"{where} holds no {what}{named}. {_OFFERED}")
    return tables


def _files(folder: Path, pattern: str) -> list[RawTable]:
    tables: list[RawTable] = []
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        kind = _KINDS.get(path.suffix.lower())
        name = table_name(path.stem, pattern)
        if kind and name and path.is_file() and not path.name.startswith("."):
            tables.append(kind(path=path, name=name))
    return tables


def _relations_of(connection: duckdb.DuckDBPyConnection, pattern: str) -> list[RawTable]:
    return list(relations(lambda: nullcontext(connection), place="", pattern=pattern))


def _relations_in(path: Path, pattern: str) -> list[RawTable]:
    refuse_undecodable(path)

    @contextmanager
    def opened() -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            connection = duckdb.connect(path, read_only=True)
        except duckdb.Error as error:
            reason = str(error).replace(str(path), path.name).splitlines()[0]
            raise SourceError(
                f"{path.name} cannot be opened as a DuckDB file ({reason}). {_OFFERED}"
            ) from error
        with connection:
            yield connection

    return list(relations(opened, place=f"{path.name}/", pattern=pattern))

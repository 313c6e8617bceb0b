"""The contract of every canonical table, as a pandera schema built from its definition."""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb
import polars as pl

from crmmining.errors import SourceError
from crmmining.tables.spec import ColumnType, TableSpec
from crmmining.tables.sql import identifier

if TYPE_CHECKING:
    import pandera.polars as pa

_SLICE = 1 << 20
_EXAMPLES = 3
_TYPES: dict[ColumnType, pl.DataType] = {
    "id": pl.String(),
    "text": pl.String(),
    "number": pl.Float64(),
    "integer": pl.Int64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "datetime": pl.Datetime("us", "UTC"),
    "time": pl.String(),
}


def schema_of(
    name: str, spec: TableSpec, columns: Sequence[str], *, salesforce_ids: bool
) -> "pa.DataFrameSchema":
    """The pandera schema of a canonical table that has `columns`."""
    with _without_spark():
        import pandera.polars as pa  # noqa: PLC0415 - slow to import, and only loading needs it

    ids = [pa.Check.str_matches(r"^[0-9A-Za-z]{15}[A-Z0-5]{3}$", n_failure_cases=_EXAMPLES)]
    return pa.DataFrameSchema(
        {
            column: pa.Column(
                _TYPES[spec.columns[column]],
                checks=ids if salesforce_ids and spec.columns[column] == "id" else [],
                nullable=_may_be_null(column, spec),
            )
            for column in columns
        },
        strict=True,
        name=name,
    )


def validate(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    spec: TableSpec,
    columns: Sequence[str],
    *,
    salesforce_ids: bool,
) -> None:
    """Check the types of `crm.<name>`, and slice by slice every column that must not be empty.

    Ids were all read for their checksum when they were loaded. SourceError says what does not hold.
    """
    target = f"crm.{identifier(name)}"
    restricted = [column for column in columns if not _may_be_null(column, spec)]
    _check(
        schema_of(name, spec, columns, salesforce_ids=salesforce_ids), connection, f"FROM {target} LIMIT 0"
    )
    schema = schema_of(name, spec, restricted, salesforce_ids=False)
    bounds = connection.sql(f"SELECT min(rowid), max(rowid) FROM {target}").pl().row(0)
    if not restricted or bounds[0] is None:
        return
    for start in range(bounds[0], bounds[1] + 1, _SLICE):
        rows = f"FROM {target} WHERE rowid BETWEEN {start} AND {start + _SLICE - 1}"
        _check(schema, connection, rows)


def complete(
    connection: duckdb.DuckDBPyConnection, name: str, spec: TableSpec, columns: Sequence[str]
) -> None:
    """Check that no column of `crm.<name>` is empty that must not be; a checked table has its types."""
    restricted = [column for column in columns if not _may_be_null(column, spec)]
    counts = ", ".join(f"count(*) - count({identifier(column)})" for column in restricted)
    if not restricted:
        return
    nulls = connection.sql(f"SELECT {counts} FROM crm.{identifier(name)}").pl().row(0)
    if empty := [column for column, number in zip(restricted, nulls, strict=True) if number]:
        raise SourceError(f"{name} breaks its schema after loading: {', '.join(empty)} is empty in some rows")


def _may_be_null(column: str, spec: TableSpec) -> bool:
    return column not in spec.mandatory or (spec.columns[column] == "text" and column != spec.key)


def _check(schema: "pa.DataFrameSchema", connection: duckdb.DuckDBPyConnection, rows: str) -> None:
    import pandera.errors  # noqa: PLC0415 - slow to import, and only loading needs it

    columns = ", ".join(identifier(column) for column in schema.columns)
    try:
        schema.validate(connection.sql(f"SELECT {columns} {rows}").pl(), lazy=True)
    except pandera.errors.SchemaErrors as error:
        raise SourceError(f"{schema.name} breaks its schema after loading:\n{error}") from error


@contextmanager
def _without_spark() -> Iterator[None]:
    """Where pandera finds Spark, it loads it, and keeps it from speaking to any other machine."""
    new = {"SPARK_LOCAL_IP", "PYARROW_IGNORE_TIMEZONE"} - os.environ.keys()
    hidden = "pyspark.pandas" not in sys.modules
    if hidden:
        sys.modules["pyspark.pandas"] = None  # type: ignore[assignment]  # Python's way to say: not there
    try:
        yield
    finally:
        if hidden:
            del sys.modules["pyspark.pandas"]
        for name in new:
            os.environ.pop(name, None)

"""The contract of every canonical table, as a pandera schema built from its definition."""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

from collections.abc import Iterable

import duckdb
import polars as pl

from crmmining.errors import SourceError
from crmmining.tables.spec import ColumnType, TableSpec
from crmmining.tables.sql import identifier

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


def validate(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    spec: TableSpec,
    columns: Iterable[str],
    *,
    salesforce_ids: bool,
) -> None:
    """Check `crm.<name>` against its schema, slice by slice; SourceError counts what does not hold."""
    import pandera.errors  # noqa: PLC0415 - slow to import, and only loading needs it
    import pandera.polars as pa  # noqa: PLC0415

    schema = pa.DataFrameSchema(
        {
            column: pa.Column(
                _TYPES[spec.columns[column]],
                checks=[pa.Check.str_matches(r"^[0-9A-Za-z]{15}[A-Z0-5]{3}$", n_failure_cases=_EXAMPLES)]
                if salesforce_ids and spec.columns[column] == "id"
                else [],
                nullable=column not in spec.mandatory or spec.columns[column] == "text",
            )
            for column in columns
        },
        strict=True,
        name=name,
    )
    target = f"crm.{identifier(name)}"
    first, last = (
        connection.sql(f"SELECT coalesce(min(rowid), 0), coalesce(max(rowid), 0) FROM {target}").pl().row(0)
    )
    for start in range(first, last + 1, _SLICE):
        slice_ = connection.sql(
            f"SELECT * FROM {target} WHERE rowid BETWEEN {start} AND {start + _SLICE - 1}"
        ).pl()
        try:
            schema.validate(slice_, lazy=True)
        except pandera.errors.SchemaErrors as error:
            raise SourceError(f"{name} breaks its schema after loading:\n{error}") from error

"""What the quality SQL of a CRM notices about its data, as of a moment."""

from datetime import datetime

import polars as pl

from crmmining.definitions import Catalogue
from crmmining.errors import DefinitionError
from crmmining.extract.phases import show, transaction
from crmmining.tables import Tables

_SCHEMA = pl.Schema(
    {
        "root": pl.String(),
        "table": pl.String(),
        "finding": pl.String(),
        "rows": pl.Int64(),
        "examples": pl.List(pl.String()),
        "effect": pl.String(),
        "done": pl.String(),
        "weight": pl.Int8(),
    }
)
_ORDER = ("root", "table", "finding", "examples")


def findings(tables: Tables, catalogue: Catalogue, as_of: datetime) -> pl.DataFrame:
    """What is odd about the data: root, table, finding, rows, examples, effect, done, weight.

    `root` is the table whose process it concerns (null: every process), `effect` what it does to figures,
    `done` what was done about it. `weight`: 3 figures may be wrong, 2 a bound or a guess stands in, 1
    repaired. Heaviest first, then by rows. Empty where the CRM has no quality SQL. Raises `DefinitionError`
    when that fails, or its table `findings` lacks a column.
    """
    if not catalogue.quality:
        return pl.DataFrame(schema=_SCHEMA)
    show(tables, next(iter(catalogue.processes.values())), as_of, catalogue.stages)
    con = tables.connection
    with transaction(con, "quality", catalogue.quality, "READ ONLY", keep=False):
        con.execute(catalogue.quality)
        found: pl.DataFrame = con.sql("FROM findings").pl()
    if lacking := [name for name in _SCHEMA if name not in found.columns]:
        raise DefinitionError(
            [f"quality.sql: table 'findings' lacks the column '{name}'" for name in lacking]
        )
    typed = found.select(pl.col(name).cast(kind) for name, kind in _SCHEMA.items())
    return typed.sort(-pl.col("weight"), -pl.col("rows"), *_ORDER)

"""Expressions over case facts, as filters and KPIs state them: Polars SQL with one value per case."""

from typing import Literal

import polars as pl

from crmmining.errors import CrmMiningError, UnknownNameError

_TOGETHER = ('"Agg"', '"Len"', '"Over"')  # how polars writes what takes cases together


def expression(text: str, facts: pl.DataFrame, kind: Literal["condition", "number"]) -> pl.Expr:
    """`text` as an expression over `facts`.

    Raises `UnknownNameError` for columns `facts` lacks and `CrmMiningError` for what cannot be read, is
    no `kind` or takes several cases together.
    """
    try:
        read = pl.sql_expr(text)
        for column in read.meta.root_names():
            if column not in facts.columns:
                raise UnknownNameError("fact", column, facts.columns)
        tried = facts.clear().select(read.alias("tried"))["tried"]
    except pl.exceptions.PolarsError as error:
        raise CrmMiningError(f"'{text}' cannot be read as an SQL {kind}: {error}") from error
    fits = tried.dtype == pl.Boolean or (kind == "number" and tried.dtype.is_numeric())
    if not fits:
        raise CrmMiningError(f"'{text}' is no {kind}: it gives {tried.dtype}")
    if len(tried) or any(mark in read.meta.serialize(format="json") for mark in _TOGETHER):
        raise CrmMiningError(f"'{text}' gives one value for many cases; state one per case")
    return read

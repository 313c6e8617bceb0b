"""Boolean Polars SQL, as definitions state it: whether it can be read."""

import polars as pl


def expression_fault(expression: str | None) -> str | None:
    """Why Polars cannot read a boolean expression, in its own words; null when it can."""
    if expression is None:
        return None
    try:
        pl.sql_expr(expression)
    except (pl.exceptions.PolarsError, ValueError, TypeError) as error:
        return str(error).splitlines()[0]
    return None

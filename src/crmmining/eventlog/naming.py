"""Naming: activity codes in results become the names that people know."""

from collections.abc import Sequence

import polars as pl

from crmmining.errors import UnknownNameError
from crmmining.kernels import variants

SEPARATOR = " > "


def named(column: str, activities: Sequence[str]) -> pl.Expr:
    """A column of activity codes as names."""
    return _names(pl.col(column), activities)


def named_variants(ranked: variants.Ranked, activities: Sequence[str]) -> pl.DataFrame:
    """Variants by name, most frequent first, ties by name: see `EventLog.variants`."""
    codes = variants.sequences(ranked.top["sequence"]).alias("activities")
    texts = pl.col("activities").list.eval(_names(pl.element(), activities))
    found = (
        pl.DataFrame([codes, ranked.top["cases"]])
        .with_columns(texts)
        .with_columns(variant=pl.col("activities").list.join(SEPARATOR))
        .sort("cases", "variant", descending=[True, False])
        .select("variant", "activities", "cases", n_variants=pl.lit(1, pl.Int64))
    )
    if ranked.others:
        rest = {"variant": None, "activities": None, "cases": ranked.cases, "n_variants": ranked.others}
        found = pl.concat([found, pl.DataFrame([rest], schema=found.schema)])
    cases = found["cases"].to_numpy()  # polars would multiply by a rounded reciprocal
    return found.with_columns(
        share=pl.Series(cases / cases.sum()), cumulative=pl.Series(cases.cumsum() / cases.sum())
    )


def sequences(known: pl.DataFrame, wanted: Sequence[str] | int, activities: Sequence[str]) -> list[list[int]]:
    """The activity codes of the `known` variants: of those `wanted` by text, or of so many of the first."""
    named = known.select("variant", "activities").drop_nulls()
    texts = named["variant"].head(wanted).to_list() if isinstance(wanted, int) else list(wanted)
    for text in texts:
        if text not in named["variant"]:
            raise UnknownNameError("variant", text, named["variant"].head(10))
    code = {name: i for i, name in enumerate(activities)}
    return [
        [code[name] for name in names]
        for names in named.filter(pl.col("variant").is_in(texts))["activities"].to_list()
    ]


def _names(codes: pl.Expr, activities: Sequence[str]) -> pl.Expr:
    names = pl.Series(activities, dtype=pl.String)
    return codes.replace_strict(range(len(names)), names, return_dtype=pl.String)

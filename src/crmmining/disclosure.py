"""How few cases a figure about people may stand for; the one rule, on frames."""

from collections.abc import Mapping, Sequence

import polars as pl
import polars.selectors as cs


def withhold(
    frame: pl.DataFrame, minimum: int, *, people: Sequence[str], within: Sequence[str], figures: Sequence[str]
) -> pl.DataFrame:
    """The frame with `figures` null in every cell of people that stands for fewer than `minimum` cases.

    A cell is a row; `n` (Int64) is what it counts, `people` are the columns that name people and `within`
    the other columns that name it. Cells of one `within` add up to a total that may be known: where those
    withheld together stand for fewer than `minimum`, the smallest of the others is withheld as well (ties:
    the first by name), so that no subtraction gives them away.

    >>> cells = pl.DataFrame({"owner": ["Ann", "Bob", "Eve"], "n": [20, 3, 12]})
    >>> withhold(cells, 5, people=["owner"], within=[], figures=["n"])["n"].to_list()
    [20, None, None]
    """
    total = [pl.lit(0), *map(pl.col, within)]
    small = pl.col("n").fill_null(0) < minimum
    hidden = pl.col("n").filter(small).sum().over(total)
    smallest = pl.struct(small.alias("cell: small"), "n", *people).rank("ordinal").over(total) == 1
    also = small.any().over(total) & (hidden < minimum) & smallest
    shown = ~(small | also)
    return frame.with_columns(pl.when(shown).then(pl.col(name)).alias(name) for name in figures)


def withhold_cells(
    table: pl.DataFrame, minimum: int | None, *, by: Sequence[str], people: Sequence[str]
) -> pl.DataFrame:
    """A table of one row per cell of `by`, with nulls where a cell of `people` stands for too few cases."""
    named = naming(by, people)
    if minimum is None or not named:
        return table
    others = [word for word in by if word not in named]
    figures = [name for name in table.columns if name not in by]
    return withhold(table, minimum, people=named, within=others, figures=figures)


def withhold_rows(
    scorecard: pl.DataFrame, minimum: int | None, *, by: Sequence[str], people: Mapping[str, Sequence[str]]
) -> pl.DataFrame:
    """A scorecard in which no figure about people stands for fewer than `minimum` cases.

    `by` are its segment words, `people` says per process which words name people; processes whose cut names
    none stay as they are. Withheld rows have null in value, low, high, n, open, excluded and truncated.
    """
    if minimum is None or scorecard.is_empty():
        return scorecard
    parts = []
    for (process,), rows in scorecard.partition_by("process", as_dict=True, maintain_order=True).items():
        named = naming(by, people.get(str(process), ()))
        within = ["kpi", "part", "clock", "unit", "period_start", *(word for word in by if word not in named)]
        figures = [name for name in rows.select(cs.numeric()).columns if name not in by]
        parts.append(withhold(rows, minimum, people=named, within=within, figures=figures) if named else rows)
    return pl.concat(parts)


def withheld(scorecard: pl.DataFrame) -> dict[str, int]:
    """How many rows of a scorecard are withheld, per process that has any."""
    return dict(scorecard.filter(pl.col("n").is_null()).group_by("process").len().sort("process").iter_rows())


def naming(by: Sequence[str], people: Sequence[str]) -> list[str]:
    """The segment words of `by` that name people, whatever their basis: owner, owner@created."""
    return [word for word in by if word.partition("@")[0] in people]

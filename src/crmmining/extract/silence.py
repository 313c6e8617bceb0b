"""The rows that tell no event, in two layers, so that little is written when little changes."""

from pathlib import Path
from typing import NamedTuple

import polars as pl

ROW = ["name", "id"]
SILENT = pl.Schema({"name": pl.UInt16(), "id": pl.String(), "reason": pl.Categorical()})
_MOST = 0.1  # of the rows may lie in the upper layer; with more both are made one


class Layer(NamedTuple):
    """Rows (name, id, reason), in memory or in a file."""

    rows: pl.DataFrame | Path
    height: int

    @property
    def lazy(self) -> pl.LazyFrame:
        """The rows, read when they are needed."""
        return (
            self.rows.lazy()
            if isinstance(self.rows, pl.DataFrame)
            else pl.scan_parquet(self.rows, glob=False)
        )


class Silent(NamedTuple):
    """Rows with the reason why they tell no event: those in `base` unless `beside` knows better, and its own.

    A row without a reason in `beside` is none any more: it tells an event, or is gone.

    >>> few = pl.DataFrame({"name": [0, 0], "id": ["a", "b"], "reason": ["late", "odd"]}, schema=SILENT)
    >>> now = silent(few).renewed(few.head(1), few.clear())
    >>> now.rows()["id"].to_list(), now.of(few.select(ROW))["reason"].to_list()
    (['b'], ['odd'])
    """

    base: Layer
    beside: Layer

    def rows(self) -> pl.DataFrame:
        """All of them."""
        return self._now(self.base.lazy).collect()

    def of(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Those of some rows (name, id)."""
        ids, asked = rows.lazy().select("id"), rows.lazy()
        found = self.base.lazy.join(ids, on="id", how="semi").join(asked, on=ROW, how="semi")
        return self._now(found).join(asked, on=ROW, how="semi").collect()

    def because(self, reasons: pl.DataFrame) -> pl.DataFrame:
        """Those that have one of these reasons (name, reason as text)."""
        text = pl.col("reason").cast(pl.String)
        rows = self._now(self.base.lazy)
        return rows.filter(
            pl.any_horizontal(
                pl.lit(value=False),
                *((pl.col("name") == name) & (text == why) for name, why in reasons.iter_rows()),
            )
        ).collect()

    def renewed(self, before: pl.DataFrame, now: pl.DataFrame) -> "Silent":
        """With those that were looked at again as they are `now`; `before` is what they were."""
        both = before.join(now, on=ROW, how="full", coalesce=True, suffix=" now")
        others = both.filter(pl.col("reason").ne_missing(pl.col("reason now")))
        upper = others.select(*ROW, pl.col("reason now").alias("reason"))
        lower = self.beside.lazy.join(upper.lazy(), on=ROW, how="anti").collect()
        beside = pl.concat([lower, upper])
        found = Silent(self.base, Layer(beside, beside.height))
        if beside.height <= _MOST * self.base.height:
            return found
        whole = found.rows()
        return Silent(Layer(whole, whole.height), Layer(beside.clear(), 0))

    def _now(self, base: pl.LazyFrame) -> pl.LazyFrame:
        if not self.beside.height:
            return base
        left = base.join(self.beside.lazy, on=ROW, how="anti")
        return pl.concat([left, self.beside.lazy.filter(pl.col("reason").is_not_null())])


def silent(rows: pl.DataFrame) -> Silent:
    """Rows in one layer."""
    return Silent(Layer(rows, rows.height), Layer(rows.clear(), 0))

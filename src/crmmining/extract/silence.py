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
    >>> now = silent(few).renewed(few.select(ROW).head(1), few.clear())
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
        asked = rows.lazy()
        return (
            self._now(self.base.lazy.join(asked, on=ROW, how="semi"))
            .join(asked, on=ROW, how="semi")
            .collect()
        )

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

    def renewed(self, rows: pl.DataFrame, silent: pl.DataFrame) -> "Silent":
        """With some rows (name, id) looked at again: `silent` has those of them that tell nothing now."""
        upper = rows.join(silent, on=ROW, how="left").select(SILENT.names())
        others = self.beside.lazy.join(rows.lazy(), on=ROW, how="anti").collect()
        both = pl.concat([others, upper])
        found = Silent(self.base, Layer(both, both.height))
        if both.height <= _MOST * self.base.height:
            return found
        whole = found.rows()
        return Silent(Layer(whole, whole.height), Layer(both.clear(), 0))

    def _now(self, base: pl.LazyFrame) -> pl.LazyFrame:
        if not self.beside.height:
            return base
        left = base.join(self.beside.lazy, on=ROW, how="anti")
        return pl.concat([left, self.beside.lazy.filter(pl.col("reason").is_not_null())])


def silent(rows: pl.DataFrame) -> Silent:
    """Rows in one layer."""
    return Silent(Layer(rows, rows.height), Layer(rows.clear(), 0))

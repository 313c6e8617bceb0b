"""Field history as Salesforce keeps it: one row per changed field, two for a look-up, second precision."""

from typing import Literal, NamedTuple

import polars as pl

from crmmining.simulator.arrays import Ints, moments, pick
from crmmining.simulator.columns import blank, flag
from crmmining.simulator.ids import numbered

DataType = Literal[
    "Text", "DynamicEnum", "EntityId", "Currency", "Percent", "DateOnly", "Boolean", "TextArea"
]


class Saves(NamedTuple):
    """Which records were saved, when, and by whom."""

    record: Ints
    at: Ints
    actor: Ints


class History:
    """Collects the history rows of one object, save by save."""

    def __init__(self) -> None:
        self._parts: list[pl.DataFrame] = []

    def add(self, saves: Saves, field: str, kind: DataType, old: pl.Series, new: pl.Series) -> None:
        """Rows of a changed field."""
        self._parts.append(
            pl.DataFrame({**saves._asdict(), "OldValue": old, "NewValue": new}).select(
                pl.col("record", "actor").cast(pl.Int32),
                "at",
                pl.lit(len(self._parts), dtype=pl.Int16).alias("save"),
                pl.lit(field).alias("Field"),
                pl.lit(kind).alias("DataType"),
                "OldValue",
                "NewValue",
            )
        )

    def mark(self, saves: Saves, field: str, kind: DataType = "Text") -> None:
        """Rows without values: `created` and its like."""
        empty = blank(len(saves.record))
        self.add(saves, field, kind, empty, empty)

    def look_up(
        self, saves: Saves, field: str, old: Ints, new: Ints, *, names: pl.Series, ids: pl.Series
    ) -> None:
        """Pairs of rows of a changed look-up: names first, then Ids."""
        self.add(saves, field, "Text", pick(names, old), pick(names, new))
        self.add(saves, field, "EntityId", pick(ids, old), pick(ids, new))

    def rows(self) -> pl.DataFrame:
        """All rows in the order in which they were saved."""
        return pl.concat(self._parts).sort("at", "record", "save", maintain_order=True)

    def table(self, name: str, parent: str, records: pl.Series, users: pl.Series) -> pl.DataFrame:
        """Render the history table."""
        rows = self.rows()
        return pl.DataFrame(
            {
                "Id": numbered(name, rows.height),
                "IsDeleted": flag(rows.height),
                parent: records.gather(rows["record"]),
                "CreatedById": users.gather(rows["actor"]),
                "CreatedDate": moments(rows["at"].to_numpy()),
                "Field": rows["Field"],
                "DataType": rows["DataType"],
                "OldValue": rows["OldValue"],
                "NewValue": rows["NewValue"],
            }
        )

"""What quirks work with: the tables of a CRM, the same tables clean and complete, and chance that stays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import polars as pl

from crmmining.simulator.dice import Dice
from crmmining.simulator.ids import make_ids, serials
from crmmining.simulator.org import ADMINISTRATOR, AUTOMATION

OFFSHOOTS: Final = 62**6
"""Rows that quirks add are numbered from here on."""
_NTH: Final = 62**5


@dataclass
class Mess:
    """The tables of a CRM as quirks change them.

    What happens to a row depends on nothing but the seed, its Id and what the clean tables at the end of time
    (`full`) tell of it. So a CRM that is stopped early is as messy as the same rows of the one that goes on.
    """

    tables: dict[str, pl.DataFrame]
    full: Mapping[str, pl.DataFrame]
    until: datetime
    seed: int
    quirk: str = ""
    number: int = 0
    told: dict[str, object] = field(default_factory=dict)
    """What else the truth has to tell of the quirk at work."""

    def lots(self, table: str, ids: pl.Series) -> pl.Series:
        """Give every record a number from 0 to below 1 that is its own, whatever else there is."""
        numbers = serials(table, ids)
        many = int(numbers.max()) + 1 if len(numbers) else 0
        return pl.Series(Dice(self.seed, f"quirks {self.quirk} {table}").uniform(many)[numbers])

    def some(self, table: str, share: float, where: pl.Expr | None = None) -> pl.DataFrame:
        """Pick a share of the rows that the simulation itself wrote."""
        rows = self.tables[table] if where is None else self.tables[table].filter(where)
        rows = rows.filter(serials(table, rows["Id"]) < OFFSHOOTS)
        return rows.filter(self.lots(table, rows["Id"]) < share)

    def records(self, table: str, share: float, where: pl.Expr | None = None) -> pl.Series:
        """Pick a share of the records of the complete table; Ids."""
        rows = self.full[table] if where is None else self.full[table].filter(where)
        return rows["Id"].filter(self.lots(table, rows["Id"]) < share)

    def offshoots(self, table: str, of: str, ids: pl.Series, nth: int = 0) -> pl.Series:
        """New Ids of a table, one for each of the Ids of a table; `nth` tells several from each other."""
        return make_ids(table, serials(of, ids) + (1 + self.number) * OFFSHOOTS + nth * _NTH)

    def add(self, table: str, rows: pl.DataFrame) -> None:
        """Add the rows that are created by `until`."""
        known = rows.filter(pl.col("CreatedDate") <= self.until).select(self.tables[table].columns)
        self.tables[table] = pl.concat([self.tables[table], known])

    def drop(self, table: str, where: pl.Expr) -> pl.DataFrame:
        """Take rows out and give them back."""
        gone = self.tables[table].filter(where)
        self.tables[table] = self.tables[table].filter(~where.fill_null(value=False))
        return gone

    def change(self, table: str, where: pl.Expr, **columns: object) -> None:
        """Give columns other values where the condition holds; a column that is new is null elsewhere."""
        known = self.tables[table].columns
        self.tables[table] = self.tables[table].with_columns(
            pl.when(where)
            .then(value if isinstance(value, pl.Expr) else pl.lit(value))
            .otherwise(pl.col(name) if name in known else None)
            .alias(name)
            for name, value in columns.items()
        )

    def swap(self, places: Mapping[str, Sequence[str]], old: pl.Series, new: pl.Series) -> None:
        """Replace Ids in columns of tables."""
        for table, columns in places.items():
            self.tables[table] = self.tables[table].with_columns(pl.col(*columns).replace(old, new))

    def user(self, number: int) -> str:
        """Id of a user."""
        return str(self.tables["User"]["Id"][number])

    @property
    def administrator(self) -> str:
        """Id of the administrator."""
        return self.user(ADMINISTRATOR)

    @property
    def automation(self) -> str:
        """Id of the automated-process user."""
        return self.user(AUTOMATION)


def isin(column: str, ids: pl.Series) -> pl.Expr:
    """Hold where a column has one of these Ids."""
    return pl.col(column).is_in(ids.implode())


def saved(at: pl.Expr | datetime, by: str) -> dict[str, pl.Expr]:
    """System columns of a record after one more save, unless a later one stands there already."""
    moment = at if isinstance(at, pl.Expr) else pl.lit(at)
    later = moment >= pl.col("LastModifiedDate")
    return {
        "LastModifiedDate": pl.max_horizontal("LastModifiedDate", moment),
        "LastModifiedById": pl.when(later).then(pl.lit(by)).otherwise("LastModifiedById"),
        "SystemModstamp": pl.max_horizontal("SystemModstamp", moment),
    }


def history_rows(
    parent: str, ids: pl.Series, records: pl.Series, at: pl.Series, *, by: str | pl.Series, mark: str
) -> pl.DataFrame:
    """Rows of field history without values, as `mark` says."""
    count = len(ids)
    return pl.DataFrame(
        {
            "Id": ids,
            "IsDeleted": pl.repeat(value=False, n=count, eager=True),
            parent: records,
            "CreatedById": pl.repeat(by, count, eager=True) if isinstance(by, str) else by,
            "CreatedDate": at,
            "Field": pl.repeat(mark, count, eager=True),
            "DataType": pl.repeat("Text", count, eager=True),
            "OldValue": pl.repeat(None, count, dtype=pl.String, eager=True),
            "NewValue": pl.repeat(None, count, dtype=pl.String, eager=True),
        }
    )


def latest(*moments: pl.DataFrame) -> pl.DataFrame:
    """Last of several moments per record: frames with columns Id and at."""
    together = pl.concat([frame.select("Id", "at") for frame in moments])
    return together.group_by("Id", maintain_order=True).agg(pl.col("at").max())


def moments_of(rows: pl.DataFrame, record: str = "Id", at: str = "CreatedDate") -> pl.DataFrame:
    """Records and moments of rows, as `latest` takes them."""
    return rows.select(Id=record, at=at)

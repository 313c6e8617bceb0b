"""Columns that many tables share: who saved what when, and people's names."""

import numpy as np
import polars as pl

from crmmining.simulator.arrays import END, Ints, moments
from crmmining.simulator.dice import Dice
from crmmining.simulator.words import FIRST_NAMES, LAST_NAMES


def flag(count: int, *, value: bool = False) -> pl.Series:
    """One boolean for all rows."""
    return pl.repeat(value, count, eager=True)


def text(value: str, count: int) -> pl.Series:
    """One text for all rows."""
    return pl.repeat(value, count, dtype=pl.String, eager=True)


def blank(count: int, dtype: pl.DataType | type[pl.DataType] = pl.String) -> pl.Series:
    """Nulls for all rows."""
    return pl.repeat(None, count, dtype=dtype, eager=True)


def audit(
    users: pl.Series, created: Ints, creator: Ints, modified: Ints, modifier: Ints
) -> dict[str, pl.Series]:
    """Give the system columns; the last change is never before the creation nor after the end."""
    changed = moments(np.minimum(np.maximum(created, modified), END))
    return {
        "CreatedDate": moments(created),
        "CreatedById": users.gather(creator),
        "LastModifiedDate": changed,
        "LastModifiedById": users.gather(modifier),
        "SystemModstamp": changed,
    }


def set_up(users: pl.Series, count: int, at: int) -> dict[str, pl.Series]:
    """System columns of what an administrator set up once."""
    then = np.full(count, at, dtype=np.int64)
    administrator = np.ones(count, dtype=np.int64)
    return audit(users, then, administrator, then, administrator)


def person_names(dice: Dice, count: int) -> tuple[pl.Series, pl.Series]:
    """First and last names."""
    first = pl.Series(FIRST_NAMES).gather(dice.choice(count, [1] * len(FIRST_NAMES)))
    last = pl.Series(LAST_NAMES).gather(dice.choice(count, [1] * len(LAST_NAMES)))
    return first, last


def joined(template: str, *parts: pl.Series) -> pl.Series:
    """Fill a template such as `{} {}` with columns."""
    return pl.select(pl.format(template, *[pl.lit(part) for part in parts])).to_series()


def first_of(first: pl.Series, second: pl.Series) -> pl.Series:
    """Give the first value, or the second where there is none."""
    return pl.select(pl.coalesce(pl.lit(first), pl.lit(second))).to_series()

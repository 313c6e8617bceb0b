"""The rows that go and come with a batch, as far as what is another about them is read by somebody."""

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

import polars as pl

from crmmining.tables.model import INCOMING, Tables
from crmmining.tables.settling import KEY, Settled
from crmmining.tables.sql import identifier


class Moved(NamedTuple):
    """Relations of the rows of a table that go and that come; none where there are no such."""

    gone: str | None
    fresh: str | None


def concerning(
    tables: Tables, moved: Mapping[str, Settled], read: Callable[[str], Collection[str]], whom: str
) -> dict[str, Moved]:
    """The rows of every table that move for somebody (`whom`) who reads the columns `read` of it.

    A row that takes the place of another one and differs from it in other columns only is left out, and so
    is a table of which nothing is left then. `read` is asked only for tables with rows in others' places.
    """
    found = {}
    for name, one in moved.items():
        idle = pl.Series("key", [], dtype=pl.String)
        if one.differs.height:
            asked = read(name)
            seen = [column for column in one.differs.columns if column in asked]
            same = one.differs.select(~pl.any_horizontal(pl.lit(value=False), *seen)).to_series()
            idle = one.differs.filter(same)[KEY].alias("key")
        if idle.is_empty():
            found[name] = Moved(one.gone, one.fresh)
            continue
        tables.connection.register("rows of no concern", idle.to_frame())
        key = identifier(tables.spec.tables[name].key)
        kept = {}
        for kind, relation, rows in (("gone", one.gone, one.goes), ("fresh", one.fresh, one.comes)):
            if rows > len(idle):
                kept[kind] = f"{INCOMING}.moves.{identifier(f'{kind} {name} for {whom}')}"
                tables.connection.execute(
                    f"CREATE TABLE {kept[kind]} AS FROM {relation} "
                    f'WHERE {key} NOT IN (FROM "rows of no concern")'
                )
        tables.connection.unregister("rows of no concern")
        if kept:
            found[name] = Moved(kept.get("gone"), kept.get("fresh"))
    return found

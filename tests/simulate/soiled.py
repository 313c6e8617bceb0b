"""CRMs with quirks: what happened is simulated once, each quirk is applied to it alone."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import numpy as np
import polars as pl

from crmmining.simulator.arrays import END
from crmmining.simulator.dice import Dice
from crmmining.simulator.effects import Effects
from crmmining.simulator.org import build_org
from crmmining.simulator.quirks import soil
from crmmining.simulator.tables import Happened, run, tables
from crmmining.simulator.world import World

from .conftest import Tables

SEED = 11
ACCOUNTS = 250
AUTOMATION, ADMINISTRATOR = "0055e0000000001AAA", "0055e0000000002AAA"


@dataclass(frozen=True)
class Soiled:
    """Tables with one quirk, the same tables without, and what the truth tells of it."""

    tables: Tables
    clean: Tables
    truth: dict[str, object]

    @property
    def listed(self) -> list[str]:
        ids = self.truth["rows"] if "rows" in self.truth else self.truth["records"]
        assert isinstance(ids, list)
        assert ids == sorted(set(ids))
        return ids

    def texts(self, key: str) -> list[str]:
        """A list of texts that the truth tells besides."""
        told = self.truth[key]
        assert isinstance(told, list)
        return told

    def rows(self, table: str) -> pl.DataFrame:
        """Rows of a table that the truth lists."""
        return self.tables[table].filter(pl.col("Id").is_in(self.listed))

    def new(self, table: str) -> pl.DataFrame:
        """Rows of a table that are not in the clean one."""
        return self.tables[table].join(self.clean[table], on="Id", how="anti", maintain_order="left")

    def gone(self, table: str) -> pl.DataFrame:
        """Rows of the clean table that are no longer there."""
        return self.clean[table].join(self.tables[table], on="Id", how="anti", maintain_order="left")

    def touched(self) -> set[str]:
        """Tables that differ from the clean ones."""
        return {name for name, table in self.clean.items() if not table.equals(self.tables[name])}


@cache
def happened(until: int) -> Happened:
    """Everything that happens, with the state at an instant kept aside."""
    return run(World(SEED, ACCOUNTS, Effects.of(effects=True), build_org(Dice(SEED, "org"), ACCOUNTS), until))


@cache
def clean(until: int = END) -> Tables:
    """Tables without any quirk."""
    return dict(tables(happened(until), until))


@cache
def soiled(*quirks: str, until: datetime | None = None) -> Soiled:
    """Tables with quirks; the truth of the first."""
    stop = END if until is None else int(until.replace(tzinfo=UTC).timestamp())
    dirty, truth = soil(list(quirks), clean(stop), clean(), seed=SEED, until=stop)
    return Soiled(dirty, clean(stop), truth[quirks[0]])


def number_of(ids: pl.Series) -> pl.Series:
    """Running numbers in the Ids, read the slow way."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    letters = ids.str.slice(6, 9).str.split("").to_list()
    powers = 62 ** np.arange(8, -1, -1)
    return pl.Series(
        [int(sum(digits.index(c) * p for c, p in zip(word, powers, strict=True))) for word in letters]
    )

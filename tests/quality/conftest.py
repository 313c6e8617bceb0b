"""CRMs that are simulated with some dirt, and clean ones in which a hand has changed a few rows."""

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import duckdb
import polars as pl
import pytest

import crmmining as cm
from crmmining import extract

ACCOUNTS, SEED = 120, 11


class Dirty:
    """A simulated CRM, what its truth says of every quirk, and what the quality SQL found in it."""

    def __init__(self, folder: Path) -> None:
        self.crm = cm.connect(folder)
        truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
        self.quirks: dict[str, dict[str, Any]] = truth.get("quirks", {})
        self.found = findings(self.crm)

    def listed(self, quirk: str, prefix: str = "") -> list[str]:
        """Ids of the truth that begin alike."""
        told = self.quirks[quirk]
        ids: list[str] = told["rows"] if "rows" in told else told["records"]
        return [one for one in ids if one.startswith(prefix)]

    def rows(self, words: str, table: str | None = None) -> int:
        return rows_of(self.found, words, table)


def findings(crm: cm.Crm, at: str | None = None) -> pl.DataFrame:
    return extract.findings(crm.tables, crm.definitions, crm.known_at(at))


def rows_of(found: pl.DataFrame, words: str, table: str | None = None) -> int:
    """Rows of the findings that begin with these words, in all tables or one."""
    mine = found.filter(pl.col("finding").str.contains(words, literal=True))
    return int((mine if table is None else mine.filter(pl.col("table") == table))["rows"].sum())


@cache
def simulated(*quirks: str, accounts: int = ACCOUNTS, seed: int = SEED) -> Path:
    folder = Path(mkdtemp()) / "crm"
    return cm.simulate(folder, accounts=accounts, seed=seed, quirks=list(quirks), format="parquet")


@cache
def with_quirks(*quirks: str) -> Dirty:
    return Dirty(simulated(*quirks))


@pytest.fixture(scope="session")
def dirty() -> Callable[..., Dirty]:
    """CRMs with quirks, each made once."""
    return with_quirks


@pytest.fixture
def edited() -> Callable[[Sequence[str]], cm.Crm]:
    """A clean CRM of a few accounts after some SQL statements."""

    def after(statements: Sequence[str]) -> cm.Crm:
        folder = simulated(accounts=30)
        with duckdb.connect() as database:
            database.execute("SET TimeZone = 'UTC'")
            for file in sorted(folder.glob("*.parquet")):
                database.execute(f"CREATE TABLE \"{file.stem}\" AS FROM read_parquet('{file}')")
            for statement in statements:
                database.execute(statement)
            return cm.connect(database)

    return after

"""Simulated CRMs that the tests of this folder share."""

from pathlib import Path

import polars as pl
import pytest

from crmmining.simulator import simulate

Tables = dict[str, pl.DataFrame]


def read(folder: Path) -> Tables:
    """All tables of a folder; CSV as text, an empty field as null."""
    return {
        path.stem: pl.read_csv(path, infer_schema=False) if path.suffix == ".csv" else pl.read_parquet(path)
        for path in sorted(folder.iterdir())
        if path.suffix != ".json"
    }


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """A CRM of the size of the sample, with another seed."""
    return read(simulate(tmp_path_factory.mktemp("small") / "crm", accounts=200, seed=11))


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """A CRM large enough to measure its effects."""
    folder = tmp_path_factory.mktemp("planted") / "crm"
    return read(simulate(folder, accounts=8000, seed=5, format="parquet"))


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """The same CRM with all effects switched off."""
    folder = tmp_path_factory.mktemp("plain") / "crm"
    return read(simulate(folder, accounts=8000, seed=5, format="parquet", effects=False))

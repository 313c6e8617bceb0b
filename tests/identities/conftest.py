"""The small CRM of named people, with and without pseudonyms."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

import crmmining as cm
from crmmining import sources, tables

from .named import FILES, KEY, ROOTS, Hidden


@pytest.fixture
def folder(write: Callable[..., Path]) -> Path:
    return write(**FILES)


@pytest.fixture
def hidden(spec: tables.SourceSpec) -> Hidden:
    """Load a source with pseudonyms."""

    def loaded(
        source: Path,
        key: str | bytes = KEY,
        *,
        spec: tables.SourceSpec = spec,
    ) -> tables.Tables:
        return tables.load(
            sources.read(source),
            spec,
            duckdb.connect(":memory:"),
            roots=ROOTS,
            key=key,
        )

    return loaded


@pytest.fixture(scope="package")
def hidden_sample(sample_folder: Path) -> cm.Crm:
    return cm.connect(sample_folder, pseudonymise=KEY)

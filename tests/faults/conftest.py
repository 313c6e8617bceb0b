"""Loading as `connect` does it, from small files that a test writes itself."""

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import pytest

from crmmining import sources, tables

SOURCE = Path(__file__).parents[2] / "extractors" / "salesforce" / "source.toml"
ROOTS = {"Account", "Lead", "Opportunity", "Case"}
Write = Callable[..., Path]
Load = Callable[..., tables.Tables]


@pytest.fixture(scope="session")
def spec() -> tables.SourceSpec:
    return tables.SourceSpec.model_validate(tomllib.loads(SOURCE.read_text(encoding="utf-8")))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write files given as text, lines or bytes into a folder and return it."""

    def written(folder: str = "crm", **files: str | bytes | Sequence[str]) -> Path:
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        for name, content in files.items():
            if isinstance(content, bytes):
                data = content
            elif isinstance(content, str):
                data = content.encode()
            else:
                data = "".join(f"{line}\n" for line in content).encode()
            (place / f"{name}.csv").write_bytes(data)
        return place

    return written


@pytest.fixture
def load(spec: tables.SourceSpec) -> Load:
    def loaded(
        source: sources.Source,
        *,
        table_names: str = "{}",
        spec: tables.SourceSpec = spec,
        connection: duckdb.DuckDBPyConnection | None = None,
        max_quarantine: float = 0.01,
        datetime_format: str | Sequence[str] | None = None,
    ) -> tables.Tables:
        database = connection or duckdb.connect(":memory:")
        raw = sources.read(source, table_names=table_names)
        return tables.load(
            raw,
            spec,
            database,
            max_quarantine=max_quarantine,
            datetime_format=datetime_format,
            roots=ROOTS,
        )

    return loaded

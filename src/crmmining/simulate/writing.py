"""Files of a simulated CRM: one per table, put in place only when all are written."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import polars as pl

from crmmining.errors import OutputError

Format = Literal["csv", "parquet"]
TRUTH: Final = "truth.json"
_INSTANT: Final = "%Y-%m-%dT%H:%M:%S.000Z"


def write_table(folder: Path, name: str, table: pl.DataFrame, file_format: Format) -> None:
    """Write one table, sorted by its Id."""
    ordered = table.sort("Id") if "Id" in table.columns else table
    if file_format == "csv":
        ordered.write_csv(folder / f"{name}.csv", datetime_format=_INSTANT, line_terminator="\n")
    else:
        ordered.write_parquet(folder / f"{name}.parquet", compression="zstd", statistics=True)


def write_truth(folder: Path, truth: Mapping[str, object]) -> None:
    """Write what is true of the CRM."""
    text = json.dumps(truth, indent=2, ensure_ascii=False)
    (folder / TRUTH).write_text(text + "\n", encoding="utf-8", newline="\n")


class Staging:
    """A folder beside the target that takes its place at the end, or vanishes when something fails."""

    def __init__(self, target: Path, tables: frozenset[str]) -> None:
        own = {f"{table}.{suffix}" for table in tables for suffix in ("csv", "parquet")} | {TRUTH}
        if target.exists():
            foreign = (
                sorted(entry.name for entry in target.iterdir() if entry.name not in own)
                if target.is_dir()
                else ["a file"]
            )
            if foreign:
                raise OutputError(
                    f"{target} holds other things ({', '.join(foreign[:5])}); name a new or empty folder, "
                    "or one that holds nothing but an earlier simulation."
                )
        self.target = target

    def __enter__(self) -> Path:
        self.target.parent.mkdir(parents=True, exist_ok=True)
        self._place = Path(tempfile.mkdtemp(prefix=f".{self.target.name}-", dir=self.target.parent))
        fresh = self._place / "new"
        fresh.mkdir()
        return fresh

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                if self.target.exists():
                    self.target.rename(self._place / "old")
                (self._place / "new").rename(self.target)
        finally:
            shutil.rmtree(self._place)

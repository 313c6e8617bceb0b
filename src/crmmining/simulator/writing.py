"""Files of a simulated CRM: one per table, put in place only when all are written."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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


@contextmanager
def staging(target: Path, tables: frozenset[str]) -> Iterator[Path]:
    """A folder beside `target` that takes its place at the end, or vanishes when something fails.

    OutputError when `target` is neither new nor empty nor an earlier simulation, or cannot be written.
    """
    try:
        _refuse_foreign(target, tables)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=f".{target.name}-", dir=target.parent, ignore_cleanup_errors=True
        ) as place:
            fresh, earlier = Path(place, "new"), Path(place, "old")
            fresh.mkdir()
            yield fresh
            _refuse_foreign(target, tables)  # writing takes its time, and others may have used it
            if target.exists():
                target.rename(earlier)
            try:
                fresh.rename(target)
            except OSError:
                if earlier.exists():
                    earlier.rename(target)
                raise
    except OSError as error:
        raise OutputError(f"cannot write to {target}: {error.strerror or error}") from error


def _refuse_foreign(target: Path, tables: frozenset[str]) -> None:
    """Raise OutputError unless `target` is new, empty, or holds `truth.json` and otherwise only tables."""
    if not target.exists():
        return
    if not target.is_dir():
        raise OutputError(f"{target} is a file; name a folder for the tables.")
    own = {f"{table}.{suffix}" for table in tables for suffix in ("csv", "parquet")} | {TRUTH}
    entries = sorted(target.iterdir())
    files = {entry.name for entry in entries if entry.is_file() and not entry.is_symlink()}
    foreign = [entry.name for entry in entries if entry.name not in own & files]
    if foreign or (entries and TRUTH not in files):
        found = ", ".join(foreign[:5]) or f"tables without {TRUTH}, which every simulation writes"
        raise OutputError(
            f"{target} holds other things ({found}); name a new or empty folder, or one that holds nothing "
            "but an earlier simulation. Nothing was changed."
        )

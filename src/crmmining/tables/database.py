"""The databases that tables live in: in memory or a file; what does not fit into memory goes to a folder."""

import shutil
import tempfile
import weakref
from pathlib import Path

import duckdb

from crmmining.errors import CrmMiningError, OutputError
from crmmining.tables.sql import identifier, literal

MEMORY = "1.5GiB"
KEPT = identifier("kept tables")  # holds a blank, so that no definition's SQL names it by accident

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "python_enable_replacements": False,  # a name in SQL is a table, never what Python calls so
}


def database(
    memory: str = MEMORY, *, spill: Path | None = None, file: Path | None = None
) -> duckdb.DuckDBPyConnection:
    """A connection that holds tables in up to so much `memory` ("1.5GiB"), and what is more in files.

    These stand in a folder of their own below `spill` (default: the system's for temporary files), which goes
    with the connection. `file` is a new database file, for tables that shall be kept; else there is none.
    Raises `CrmMiningError` for what is no amount of memory and `OutputError` when the folder cannot be made.
    """
    try:
        folder = tempfile.mkdtemp(prefix="crmmining-", dir=spill)
    except OSError as error:
        raise OutputError(
            f"no files can be written to {spill or tempfile.gettempdir()}: {error.strerror}"
        ) from error
    config = _CONFIG | {"memory_limit": memory, "temp_directory": folder}
    if file is None:
        config["checkpoint_threshold"] = "1TB"  # what lives in memory gains nothing from being written out
    try:
        opened = duckdb.connect(":memory:" if file is None else str(file), config=config)
    except duckdb.Error as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, duckdb.IOException):
            raise OutputError(f"{file} cannot be written: {str(error).splitlines()[0]}") from error
        raise CrmMiningError(
            f"memory is '{memory}', but must be an amount such as 1.5GiB or 800MB"
        ) from error
    weakref.finalize(opened, shutil.rmtree, folder, ignore_errors=True)
    return opened


def attach(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    """Show kept tables as database `KEPT`, for reading only; raises `CrmMiningError` when there are none."""
    try:
        connection.execute(f"ATTACH {literal(str(file))} AS {KEPT} (READ_ONLY)")
    except duckdb.Error as error:
        raise CrmMiningError(f"{file} cannot be read as kept tables: {str(error).splitlines()[0]}") from error

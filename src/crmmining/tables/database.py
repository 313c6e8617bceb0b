"""The databases that tables live in: in memory or a file; what does not fit into memory goes to a folder."""

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import IO

import duckdb

from crmmining.errors import CrmMiningError, OutputError
from crmmining.locks import locked
from crmmining.tables.sql import identifier, literal

MEMORY = "1.5GiB"
KEPT = identifier("kept tables")  # holds a blank, so that no definition's SQL names it by accident
_SPILLED = "spilled-"  # begins the name of a folder for what does not fit into memory
_IN_USE = "in-use"  # a file in it, locked by whoever it belongs to
_UNITS = {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_BYTES_PER_THREAD = 384 << 20

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
    wrong = f"memory is '{memory}', but must be an amount such as 1.5GiB or 800MB"
    if memory.strip().startswith("-"):  # to DuckDB, that is without limit
        raise CrmMiningError(wrong)
    try:
        folder = tempfile.mkdtemp(prefix=_SPILLED, dir=spill)
    except OSError as error:
        raise OutputError(
            f"no files can be written to {spill or tempfile.gettempdir()}: {error.strerror}"
        ) from error
    held = locked(Path(folder) / _IN_USE)
    config = _CONFIG | {"memory_limit": memory, "temp_directory": str(Path(folder) / "spilled")}
    if file is None:
        config["checkpoint_threshold"] = "1TB"  # what lives in memory gains nothing from being written out
    try:
        opened = duckdb.connect(":memory:" if file is None else str(file), config=config)
    except duckdb.Error as error:
        _discard(folder, held)
        if isinstance(error, duckdb.IOException):
            raise OutputError(f"{file} cannot be written: {str(error).splitlines()[0]}") from error
        raise CrmMiningError(wrong) from error
    weakref.finalize(opened, _discard, folder, held)
    if file is not None:
        _spare(opened)
    return opened


def held_to(connection: duckdb.DuckDBPyConnection) -> int:
    """The bytes of memory that a database is held to."""
    amount, unit = str(connection.sql("SELECT current_setting('memory_limit')").pl().item()).split()
    return int(float(amount) * _UNITS[unit])


def _spare(connection: duckdb.DuckDBPyConnection) -> None:
    """Work with as many threads as the memory is enough for: each holds rows that cannot be moved out."""
    threads = connection.sql("SELECT current_setting('threads')").pl().item()
    connection.execute(f"SET threads = {max(1, min(threads, held_to(connection) // _BYTES_PER_THREAD))}")


def clear_spilled(spill: Path) -> None:
    """Remove what connections left below a folder whose process was killed; those in use stay."""
    for folder in spill.glob(f"{_SPILLED}*"):
        if (folder / _IN_USE).exists() and (held := locked(folder / _IN_USE)) is not None:
            _discard(str(folder), held)


def _discard(folder: str, held: IO[bytes] | None) -> None:
    if held is not None:
        held.close()
    shutil.rmtree(folder, ignore_errors=True)


def attach(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    """Show kept tables as database `KEPT`, for reading only; raises `CrmMiningError` when there are none."""
    try:
        connection.execute(f"ATTACH {literal(str(file))} AS {KEPT} (READ_ONLY)")
    except duckdb.Error as error:
        raise CrmMiningError(f"{file} cannot be read as kept tables: {str(error).splitlines()[0]}") from error
    _spare(connection)

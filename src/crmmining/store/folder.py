"""The folder of a store: what stands in it, who may write to it, how one state takes the place of another.

`store.json` names the file of the tables and what they were made from. It is replaced in one step, when all
that it names is there: whoever is killed on the way leaves the old store as it was, and what he left is
cleared away by the next who writes. One process writes at a time; whoever reads waits for nobody.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from crmmining.errors import OutputError
from crmmining.locks import locked
from crmmining.tables import clear_spilled

FORMAT = 1
LOGS = "logs"
_MANIFEST, _LOCK = "store.json", "lock"
_TABLES = "tables-"  # begins the name of the file of tables
_WRITING = "writing-"  # begins the name of a folder that was not finished, or not yet
_OURS = (_TABLES, _WRITING, "spilled-")


def is_store(source: object, store: str | Path | None = None) -> bool:
    """Whether a source is the folder of a store, of whatever format, and `store` no other one."""
    if not isinstance(source, str | Path):
        return False
    place = Path(source).expanduser()
    other = store is not None and Path(store).expanduser().resolve() != place.resolve()
    return not other and manifest(place) is not None


def manifest(folder: Path) -> dict[str, Any] | None:
    """What is said of a store, whatever its format; null where there is none, or another program's."""
    try:
        found = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    ours = isinstance(found, dict) and "format" in found and str(found.get("tables")).startswith(_TABLES)
    return found if ours else None


def damage(folder: Path, said: Mapping[str, Any]) -> str | None:
    """What keeps a store from being used as it stands; null when nothing does."""
    if said["format"] != FORMAT:
        return f"is a store of format {said['format']}; this version reads {FORMAT}"
    file = folder / said["tables"]
    size = file.stat().st_size if file.is_file() else None
    if size != said["bytes"]:
        what = "is missing" if size is None else f"has {size:,} bytes, not {said['bytes']:,}"
        return f"is a damaged store: {file.name} {what}"
    return None


@contextmanager
def writing(folder: Path) -> Iterator[Path]:
    """A new folder inside, to write to and gone in the end; nobody else writes meanwhile.

    Raises `OutputError` when somebody else does, when the folder holds something else than a store, and for
    what the operating system refuses.
    """
    fresh = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        foreign = sorted(path.name for path in folder.iterdir() if not _is_ours(path))
        if foreign and manifest(folder) is None:
            raise OutputError(
                f"{folder} holds something that is no store ({', '.join(foreign[:3])}); "
                "name an empty or a new folder. Nothing was changed."
            )
        held = locked(folder / _LOCK)
        if held is None:
            raise OutputError(
                f"{folder} is being written to by somebody else: wait until that is done, or name another"
            )
        with held:
            for leftover in folder.glob(f"{_WRITING}*"):
                shutil.rmtree(leftover, ignore_errors=True)
            clear_spilled(folder)
            fresh = Path(tempfile.mkdtemp(prefix=_WRITING, dir=folder))
            yield fresh
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written: {error.strerror or error}. What was stored there is unchanged."
        ) from error
    finally:
        if fresh is not None:
            shutil.rmtree(fresh, ignore_errors=True)


def replace(folder: Path, fresh: Path, tables: Path, said: Mapping[str, object]) -> dict[str, Any]:
    """Put a new file of tables and what is said of it in the place of what was there.

    Logs of before go, those in `fresh` come.
    """
    name = f"{_TABLES}{said['made_from']}.duckdb"
    whole = {"format": FORMAT, "tables": name, "bytes": tables.stat().st_size, **said}
    text = json.dumps(whole, ensure_ascii=False, indent=1) + "\n"
    (fresh / _MANIFEST).write_text(text, encoding="utf-8")
    logs = sorted((fresh / LOGS).iterdir()) if (fresh / LOGS).is_dir() else []
    for log in logs:  # nobody looks for them before the manifest says what they were made from
        (folder / LOGS).mkdir(exist_ok=True)
        shutil.rmtree(folder / LOGS / log.name, ignore_errors=True)
        log.rename(folder / LOGS / log.name)
    tables.replace(folder / name)
    (fresh / _MANIFEST).replace(folder / _MANIFEST)
    for path in folder.glob(f"{_TABLES}*"):
        if path.name != name:
            with suppress(OSError):  # where somebody has it open, it goes with the next one
                path.unlink()
    kept = {log.name for log in logs}
    for path in (folder / LOGS).iterdir() if (folder / LOGS).is_dir() else ():
        if path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)
    found: dict[str, Any] = json.loads(text)
    return found


def _is_ours(path: Path) -> bool:
    return path.name in {_MANIFEST, _LOCK, LOGS} or path.name.startswith(_OURS)

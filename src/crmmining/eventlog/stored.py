"""Stored logs: whole cases in Parquet files that any tool reads, and a manifest that says what they are.

The manifest names a folder of files that are never written to again. A new log gets a folder of its own, and
only then takes the manifest's place in one step: whoever is killed on the way leaves the old log as it was.
"""

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import polars as pl

from crmmining.definitions import Process
from crmmining.errors import CrmMiningError, OutputError
from crmmining.eventlog.partition import Partition, split

FORMAT = 1
_MANIFEST = "manifest.json"
_KINDS = Partition._fields
_QUALITY = "quality.parquet"
_FOLDER = re.compile("log-[0-9a-f]{12}")
_WRITING = "writing-"  # begins the name of a folder that was not finished, or not yet


class Stored(Sequence[Partition]):
    """The partitions of a stored log: each is read whenever it is asked for, and none is kept."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> Partition: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Partition]: ...
    def __getitem__(self, at: int | slice) -> Partition | Sequence[Partition]:
        if isinstance(at, slice):
            return [self[place] for place in range(*at.indices(self._count))]
        if not -self._count <= at < self._count:
            raise IndexError(at)
        return Partition(*(_read(self._folder / _name(kind, at % self._count)) for kind in _KINDS))


def save(  # noqa: PLR0917  what there is of a log
    folder: Path,
    process: Process,
    facts: Mapping[str, object],
    partitions: Iterable[Partition],
    quality: pl.DataFrame,
    events: int,
) -> None:
    """Store a log, about so many `events` per partition, in the place of what was stored there before."""
    if events < 1:
        raise CrmMiningError(f"events is {events}, but must be a number of events per file, 1 or more")
    facts = {"process": process.name, "definition": process.fingerprint, **facts}
    parts = (part for partition in partitions for part in split(partition, events))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        others = any(not path.name.startswith(_WRITING) for path in folder.iterdir())
        before = _manifest(folder)
        if others and before is None:
            raise OutputError(
                f"{folder} holds something that is no stored log; name an empty or a new folder"
            )
        fresh = Path(tempfile.mkdtemp(prefix=_WRITING, dir=folder))
        fresh.chmod(folder.stat().st_mode)
        try:
            manifest = {"format": FORMAT, **facts, **_write_files(fresh, parts, quality)}
            name = _folder_of(manifest)
            if not (folder / name).exists():  # the very same log may be there already
                fresh.rename(folder / name)
            (folder / f"{name}.json").write_text(_text({**manifest, "folder": name}), encoding="utf-8")
            (folder / f"{name}.json").replace(folder / _MANIFEST)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written: {error.strerror}. What was stored there is unchanged."
        ) from error
    if before is not None and before["folder"] != name:
        shutil.rmtree(folder / before["folder"], ignore_errors=True)


def read(folder: Path) -> tuple[dict[str, Any], Stored, pl.DataFrame]:
    """What is known of a stored log, its partitions and its account of rows.

    Raises `CrmMiningError` for what is no stored log, for one of another format and for damaged files.
    """
    manifest = _manifest(folder)
    if manifest is None:
        raise CrmMiningError(f"{folder} is no stored log: {_MANIFEST} is missing or damaged")
    if manifest["format"] != FORMAT:
        raise CrmMiningError(
            f"{folder} is stored in format {manifest['format']}; this version reads {FORMAT}: store it again"
        )
    if manifest["folder"] != _folder_of({key: manifest[key] for key in manifest if key != "folder"}):
        raise CrmMiningError(f"{folder / _MANIFEST} was changed by hand or is damaged; store the log again")
    place = folder / manifest["folder"]
    for name, size in manifest["files"].items():
        there = (place / name).stat().st_size if (place / name).is_file() else None
        if there != size["bytes"]:
            what = "is missing" if there is None else f"has {there:,} bytes, not {size['bytes']:,}"
            raise CrmMiningError(f"{place / name} {what}: the stored log is damaged; store it again")
    return manifest, Stored(place, len(manifest["partitions"])), _read(place / _QUALITY)


def _write_files(folder: Path, partitions: Iterable[Partition], quality: pl.DataFrame) -> dict[str, object]:
    listed = []
    for at, partition in enumerate(partitions):
        for kind, frame in zip(_KINDS, partition, strict=True):
            frame.write_parquet(folder / _name(kind, at))
        ids = partition.cases["case_id"]
        listed.append(
            {"cases": len(ids), "events": partition.events.height, "first": ids.min(), "last": ids.max()}
        )
    quality.write_parquet(folder / _QUALITY)
    files = {path.name: _digest(path) for path in sorted(folder.iterdir())}
    return {"partitions": listed, "files": files}


def _digest(path: Path) -> dict[str, object]:
    with path.open("rb") as file:
        return {
            "bytes": path.stat().st_size,
            "sha256": hashlib.file_digest(file, "sha256").hexdigest(),
        }


def _manifest(folder: Path) -> dict[str, Any] | None:
    """What the manifest says, whatever its format; null where there is none, or another program's."""
    try:
        found = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    ours = isinstance(found, dict) and "format" in found and _FOLDER.fullmatch(str(found.get("folder")))
    return found if ours else None


def _folder_of(manifest: Mapping[str, object]) -> str:
    """The name of the folder of the files that a manifest lists: it changes with every byte of them."""
    return f"log-{hashlib.sha256(_text(manifest).encode()).hexdigest()[:12]}"


def _name(kind: str, at: int) -> str:
    return f"{kind}-{at:05}.parquet"


def _read(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise CrmMiningError(f"{path} cannot be read: the stored log is damaged; store it again") from error


def _text(manifest: Mapping[str, object]) -> str:
    return json.dumps(manifest, ensure_ascii=False, indent=1) + "\n"

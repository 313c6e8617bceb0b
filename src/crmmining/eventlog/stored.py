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
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import polars as pl

from crmmining.definitions import Process
from crmmining.errors import CrmMiningError, OutputError
from crmmining.eventlog.partition import Lazy, Partition, split

FORMAT = 1
_MANIFEST = "manifest.json"
_KINDS = ("events", "cases", "values")
_QUALITY = "quality.parquet"
_FOLDER = re.compile("log-[0-9a-f]{12}")
_WRITING = "writing-"  # begins the name of a folder that was not finished, or not yet


class StoredPartition(Partition):
    """A partition in files: frames and columns are read when they are asked for, once each.

    `sizes` are its cases and events. It is pickled as the place of its files.
    """

    def __init__(self, folder: Path, at: int, sizes: tuple[int, int]) -> None:
        self._folder, self._at, self._sizes = folder, at, sizes
        self._known: dict[str, dict[str, pl.Series]] = {"events": {}, "cases": {}}

    def __reduce__(self) -> tuple[Any, ...]:
        return StoredPartition, (self._folder, self._at, self._sizes)

    @cached_property
    def events(self) -> pl.DataFrame:
        """All columns of the events."""
        return _read(self._file("events"))

    @cached_property
    def cases(self) -> pl.DataFrame:
        """The cases."""
        return _read(self._file("cases"))

    @cached_property
    def values(self) -> pl.DataFrame:
        """How their attributes changed."""
        return _read(self._file("values"))

    @property
    def sizes(self) -> tuple[int, int]:
        """How many cases and events there are."""
        return self._sizes

    def columns(self, *names: str) -> pl.DataFrame:
        """The events with some of their columns."""
        return self._some("events", names)

    def of_cases(self, *names: str) -> pl.DataFrame:
        """The cases with some of their columns."""
        return self._some("cases", names)

    def _some(self, kind: str, names: Sequence[str]) -> pl.DataFrame:
        known = self._known[kind]
        if missing := [name for name in dict.fromkeys(names) if name not in known]:
            known |= {column.name: column for column in _read(self._file(kind), columns=missing)}
        return pl.DataFrame([known[name] for name in names])

    @property
    def blank(self) -> Partition:
        """The columns without a row."""
        return Partition(*(_read(self._file(kind), n_rows=0) for kind in _KINDS))

    def _file(self, kind: str) -> Path:
        return self._folder / _name(kind, self._at)


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


def read(folder: Path) -> tuple[dict[str, Any], Lazy, pl.DataFrame]:
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
    sizes = [(part["cases"], part["events"]) for part in manifest["partitions"]]
    partitions = Lazy(len(sizes), partial(_partition, place, sizes))
    return manifest, partitions, _read(place / _QUALITY)


def _partition(place: Path, sizes: Sequence[tuple[int, int]], at: int) -> Partition:
    return StoredPartition(place, at, sizes[at])


def _write_files(folder: Path, partitions: Iterable[Partition], quality: pl.DataFrame) -> dict[str, object]:
    listed = []
    for at, partition in enumerate(partitions):
        for kind in _KINDS:
            frame: pl.DataFrame = getattr(partition, kind)
            frame.write_parquet(folder / _name(kind, at), compression="lz4")  # as quick to read as none
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


def _read(path: Path, *, columns: list[str] | None = None, n_rows: int | None = None) -> pl.DataFrame:
    try:
        return pl.read_parquet(path, columns=columns, n_rows=n_rows)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise CrmMiningError(f"{path} cannot be read: the stored log is damaged; store it again") from error


def _text(manifest: Mapping[str, object]) -> str:
    return json.dumps(manifest, ensure_ascii=False, indent=1) + "\n"

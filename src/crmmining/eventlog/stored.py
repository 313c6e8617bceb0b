"""Stored logs: whole cases in Parquet files that any tool reads, and a manifest that says what they are.

The manifest names a folder of files that are never written to again. A new log gets a folder of its own, and
only then takes the manifest's place in one step: whoever is killed on the way leaves the old log as it was.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from crmmining.errors import CrmMiningError, OutputError
from crmmining.eventlog.partition import Lazy, Partition
from crmmining.eventlog.replacing import Replaced
from crmmining.locks import locked

FORMAT = 3
KINDS = ("events", "cases", "values")
_MANIFEST, _LOCK = "manifest.json", "lock"
_DELTA, _GONE = "delta", "gone"  # what begins the names of files beside those of a partition
_QUALITY = "quality.parquet"
_FOLDER = re.compile("log-[0-9a-f]{12}")
_WRITING = "writing-"  # begins the name of a folder that was not finished, or not yet


class StoredPartition(Partition):
    """A partition in files: frames and columns are read when they are asked for, once each.

    `sizes` are its cases and events. It is pickled as the place of its files.
    """

    def __init__(self, folder: Path, name: str, sizes: Sequence[int]) -> None:
        self.folder, self.name, self._sizes = folder, name, sizes
        self._known: dict[str, dict[str, pl.Series]] = {"events": {}, "cases": {}}

    def __reduce__(self) -> tuple[Any, ...]:
        return StoredPartition, (self.folder.absolute(), self.name, self._sizes)

    @cached_property
    def events(self) -> pl.DataFrame:
        """All columns of the events."""
        return _read(self.file("events"))

    @cached_property
    def cases(self) -> pl.DataFrame:
        """The cases."""
        return _read(self.file("cases"))

    @cached_property
    def values(self) -> pl.DataFrame:
        """How their attributes changed."""
        return _read(self.file("values"))

    @property
    def sizes(self) -> tuple[int, int]:
        """How many cases and events there are."""
        cases, events = self._sizes
        return cases, events

    def columns(self, *names: str) -> pl.DataFrame:
        """The events with some of their columns."""
        return self._some("events", names)

    def of_cases(self, *names: str) -> pl.DataFrame:
        """The cases with some of their columns."""
        return self._some("cases", names)

    @property
    def blank(self) -> Partition:
        """The columns without a row."""
        return Partition(*(_read(self.file(kind), n_rows=0) for kind in KINDS))

    def file(self, kind: str) -> Path:
        """The file of its events, cases or values."""
        return self.folder / f"{kind}-{self.name}.parquet"

    def _some(self, kind: str, names: Sequence[str]) -> pl.DataFrame:
        known = self._known[kind]
        if missing := [name for name in dict.fromkeys(names) if name not in known]:
            known |= {column.name: column for column in _read(self.file(kind), columns=missing)}
        return pl.DataFrame([known[name] for name in names])


class Patched(Replaced):
    """A stored partition beside which some whole cases are stored anew, and which Ids of it they replace."""

    def __init__(self, base: StoredPartition, delta: StoredPartition, sizes: Sequence[int]) -> None:
        gone = _read(base.file(_GONE)).to_series()
        super().__init__(base, gone, delta)
        self.base, self.gone, self.delta, self._sizes = base, gone, delta, sizes

    def __reduce__(self) -> tuple[Any, ...]:
        return Patched, (self.base, self.delta, self._sizes)

    @property
    def sizes(self) -> tuple[int, int]:
        """How many cases and events there are."""
        cases, events = self._sizes
        return cases, events


class Patch(NamedTuple):
    """What is to be stored of a partition that changed little: its files, and cases beside them."""

    base: StoredPartition
    gone: pl.Series
    delta: Partition


def save(
    folder: Path,
    facts: Callable[[], Mapping[str, object]],
    partitions: Iterable[Partition | Patch],
    quality: pl.DataFrame,
    *,
    base: Mapping[str, Any] | None = None,
) -> None:
    """Store a log in the place of what was stored there before; files of stored partitions are linked.

    `facts` are asked for when all partitions are written. `base` is the manifest of the log that the new one
    was made from, which must still be there. Raises `OutputError`, and then what was stored is as it was.
    """
    made: Path | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if _manifest(folder) is None and not all(_is_ours(path.name) for path in folder.iterdir()):
            raise OutputError(
                f"{folder} holds something that is no stored log; name an empty or a new folder"
            )
        held = locked(folder / _LOCK)
        if held is None:
            raise OutputError(f"{folder} is being written to by somebody else: wait until that is done")
        with held:
            if base is not None and _manifest(folder) != base:
                raise OutputError(f"{folder} was changed by somebody else meanwhile: open it again")
            for leftover in folder.glob(f"{_WRITING}*"):
                shutil.rmtree(leftover, ignore_errors=True)
            fresh = Path(tempfile.mkdtemp(prefix=_WRITING, dir=folder))
            fresh.chmod(folder.stat().st_mode)
            try:
                written = _write_files(fresh, partitions, quality)
                manifest = {"format": FORMAT, **facts(), **written}
                name = _folder_of(manifest)
                if not _whole(folder / name, written["files"]):  # the very same log may be there already
                    shutil.rmtree(folder / name, ignore_errors=True)
                    made = fresh.rename(folder / name)
                said = folder / f"{name}.json"
                said.write_text(_text({**manifest, "folder": name}), encoding="utf-8")
                said.replace(folder / _MANIFEST)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
            _clear(folder, name)
    except OSError as error:
        if made is not None:
            _clear(folder, str((_manifest(folder) or {}).get("folder")))
        raise OutputError(
            f"{folder} cannot be written: {error.strerror}. What was stored there is unchanged."
        ) from error


def _is_ours(name: str) -> bool:
    """Whether a file or folder is one that storing a log makes, whatever became of it."""
    log = _FOLDER.fullmatch(name.removesuffix(".json")) is not None
    return log or name == _LOCK or name.startswith(_WRITING)


def _whole(place: Path, files: Mapping[str, Mapping[str, object]]) -> bool:
    """Whether a folder holds these files, byte for byte."""
    return all((place / name).is_file() and _digest(place / name) == size for name, size in files.items())


def _clear(folder: Path, name: str) -> None:
    """Remove the logs that are stored no longer, all but `name`."""
    for path in folder.iterdir():
        if _FOLDER.fullmatch(path.name.removesuffix(".json")) and path.name != name:
            shutil.rmtree(path, ignore_errors=True)
            path.unlink(missing_ok=True)


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
    listed = manifest["partitions"]
    return manifest, Lazy(len(listed), partial(_partition, place, listed)), _read(place / _QUALITY)


def _partition(place: Path, listed: Sequence[Mapping[str, Any]], at: int) -> Partition:
    entry, name = listed[at], f"{at:05}"
    if "delta" not in entry:
        return StoredPartition(place, name, entry["sizes"])
    base = StoredPartition(place, name, entry["base"])
    return Patched(base, StoredPartition(place, f"{_DELTA}-{name}", entry["delta"]), entry["sizes"])


def _write_files(
    folder: Path, partitions: Iterable[Partition | Patch], quality: pl.DataFrame
) -> dict[str, Any]:
    listed = [_write(folder, f"{at:05}", partition) for at, partition in enumerate(partitions)]
    quality.write_parquet(folder / _QUALITY)
    files = {path.name: _digest(path) for path in sorted(folder.iterdir())}
    return {"partitions": listed, "files": files}


def _write(folder: Path, name: str, partition: Partition | Patch) -> dict[str, object]:
    """Write or link the files of a partition: what the manifest says of it."""
    if isinstance(partition, Patched):
        partition = Patch(partition.base, partition.gone, partition.delta)
    if isinstance(partition, Patch):
        entry = {"base": _write(folder, name, partition.base)["sizes"]}
        entry["delta"] = _write(folder, f"{_DELTA}-{name}", partition.delta)["sizes"]
        _write_frame(partition.gone.alias("case_id").to_frame(), folder / f"{_GONE}-{name}.parquet")
        partition = Replaced(partition.base, partition.gone, partition.delta)
    else:
        entry = {}
        for kind in KINDS:
            file = folder / f"{kind}-{name}.parquet"
            if isinstance(partition, StoredPartition):
                link(partition.file(kind), file)
            else:
                _write_frame(getattr(partition, kind), file)
    ids = partition.of_cases("case_id").to_series()
    return {"sizes": list(partition.sizes), "first": ids.min(), "last": ids.max(), **entry}


def _write_frame(frame: pl.DataFrame, file: Path) -> None:
    frame.write_parquet(file, compression="lz4")  # as quick to read as none


def link(source: str | Path, file: str | Path) -> None:
    """The same file under another name; a copy where the file system has no links."""
    try:
        os.link(source, file)
    except OSError:
        shutil.copyfile(source, file)


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


def _read(path: Path, *, columns: list[str] | None = None, n_rows: int | None = None) -> pl.DataFrame:
    try:
        return pl.read_parquet(path, columns=columns, n_rows=n_rows, glob=False)
    except FileNotFoundError as error:
        raise CrmMiningError(
            f"{path} is there no longer: another log took its place, or files were lost; open it again"
        ) from error
    except (OSError, pl.exceptions.PolarsError) as error:
        raise CrmMiningError(f"{path} cannot be read: the stored log is damaged; store it again") from error


def _text(manifest: Mapping[str, object]) -> str:
    return json.dumps(manifest, ensure_ascii=False, indent=1) + "\n"

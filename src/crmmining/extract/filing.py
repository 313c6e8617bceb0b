"""The fates of rows beside a stored log, for whoever brings it up to date."""

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from crmmining.eventlog.stored import link
from crmmining.extract.rows import Fates
from crmmining.extract.silence import Layer, Silent

_ABOUT = "fates.json"
_FRAMES = ("reasons", "lost", "counts")
_LAYERS = Silent._fields


def write(folder: Path, fates: Fates) -> None:
    """Write fates into a new folder; files of theirs that are there already are linked."""
    folder.mkdir()
    for name, layer in zip(_LAYERS, fates.silent, strict=True):
        if isinstance(layer.rows, Path):
            link(layer.rows, folder / f"{name}.parquet")
        else:
            layer.rows.write_parquet(folder / f"{name}.parquet", compression="lz4")
    for name in _FRAMES:
        getattr(fates, name).write_parquet(folder / f"{name}.parquet")
    about = {
        "traced": fates.traced,
        "heights": [layer.height for layer in fates.silent],
        "bytes": {path.name: path.stat().st_size for path in _files(folder)},
    }
    (folder / _ABOUT).write_text(json.dumps(about), encoding="utf-8")


def read(folder: Path) -> Fates | None:
    """The fates that were written into a folder; null where they are not there as they were written."""
    try:
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        if about["bytes"] != {path.name: path.stat().st_size for path in _files(folder)}:
            return None
        reasons, lost, counts = (pl.read_parquet(folder / f"{name}.parquet", glob=False) for name in _FRAMES)
        base, beside = (
            Layer(folder / f"{name}.parquet", height)
            for name, height in zip(_LAYERS, about["heights"], strict=True)
        )
        return Fates(Silent(base, beside), reasons, lost, counts, bool(about["traced"]))
    except (OSError, ValueError, KeyError, pl.exceptions.PolarsError):
        return None


def _files(folder: Path) -> Iterator[Path]:
    return (folder / f"{name}.parquet" for name in (*_LAYERS, *_FRAMES))

"""Names of files: shown as valid text whatever their bytes are, and refused where the database needs them."""

import os
from pathlib import Path

from crmmining.errors import SourceError


def shown(path: Path) -> str:
    r"""A file's or folder's own name, its bytes that are not UTF-8 as backslash escapes.

    >>> print(shown(Path("crm") / "Lead\udcff.csv"))
    Lead\xff.csv
    """
    return _escaped(path.name or str(path))


def refuse_undecodable(path: Path) -> None:
    """Raise SourceError when the path is no UTF-8 text, the only one DuckDB can be asked for."""
    for part in path.parts:
        if _escaped(part) != part:
            raise SourceError(
                f"{shown(path)} cannot be read: the name {_escaped(part)} is not UTF-8; rename it"
            )


def _escaped(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace")

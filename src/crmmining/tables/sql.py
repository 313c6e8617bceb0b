"""Quoting: the only way a name, a text or a path gets into a statement."""

import re
from pathlib import Path


def identifier(name: str) -> str:
    """`name` as a quoted SQL identifier, harmless whatever it holds.

    >>> print(identifier('t"; drop table x; --'))
    "t""; drop table x; --"
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` as a quoted SQL string.

    >>> print(literal("it's"))
    'it''s'
    """
    return "'" + text.replace("'", "''") + "'"


def file_literal(path: Path) -> str:
    """`path` as a quoted SQL string that fits this file only, because DuckDB takes a path for a pattern.

    >>> print(file_literal(Path("data [old]/Lead.csv")))
    'data [[]old]/Lead.csv'
    """
    return literal(re.sub(r"([*?\[])", r"[\1]", str(path)))

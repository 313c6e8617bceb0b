"""The same input gives the same bytes: neither engine nor definitions ask the computer for the time.

The only exception is how long a run took, which goes into a file of its own.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PYTHON = sorted((ROOT / "src").rglob("*.py"))
TEXTS = sorted(path for folder in ("extractors", "kpis") for path in (ROOT / folder).rglob("*.*ql")) + sorted(
    path for folder in ("extractors", "kpis") for path in (ROOT / folder).rglob("*.toml")
)

# Dotted ends of names. A stop watch tells how long something took, never when it was.
CLOCK = {
    *(f"{kind}.{name}" for kind in ("datetime", "date", "dt") for name in ("now", "utcnow", "today")),
    *(
        f"time.{name}"
        for name in ("time", "time_ns", "localtime", "gmtime", "ctime", "strftime", "monotonic")
    ),
    *(f"time.{name}" for name in ("monotonic_ns", "process_time", "thread_time")),
}
STOP_WATCH = {"time.perf_counter", "time.perf_counter_ns"}
STOP_WATCH_PLACE = {"batch.py"}
CHANCE = {"uuid.uuid1", "uuid.uuid4", "os.urandom", "secrets", "random", "hash"}
METHODS = {"now", "utcnow", "today"}

# DuckDB's own words for the present moment and for chance, in any spelling that its parser takes.
SQL = re.compile(
    r"""\b(?:now|today|get_current_time(?:stamp)?|transaction_timestamp)\s*\(\s*\)
      | \b(?:random|uuid|uuidv[47]|gen_random_uuid)\s*\(\s*\)
      | \bage\s*\([^(),]*\)
      | \b(?:current|local)_?(?:date|time|timestamp|localtime|localtimestamp)\b
      | '(?:now|today|tomorrow|yesterday)'\s*::
      | \b(?:date|timestamp|timestamptz)\s*'(?:now|today|tomorrow|yesterday)'
      | \busing\s+sample\b
    """,
    re.IGNORECASE | re.VERBOSE,
)


def dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def docstrings(tree: ast.AST) -> set[ast.AST]:
    """The string statements: words about code, not code."""
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def faults_in_python(code: str, file: str = "crm.py") -> Iterator[str]:
    tree = ast.parse(code)
    words = docstrings(tree)
    forbidden = CLOCK | CHANCE | (set() if file in STOP_WATCH_PLACE else STOP_WATCH)
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names] + [node.module or ""]
        elif isinstance(node, ast.Attribute):
            names = [
                ".".join(dotted(node).split(".")[-2:]),
                *(["datetime.now"] if node.attr in METHODS else []),
            ]
        elif isinstance(node, ast.Call) and dotted(node.func) == "hash":
            names = ["hash"]
        elif isinstance(node, ast.Call) and dotted(node.func).endswith("default_rng") and not node.args:
            names = ["random"]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in words:
            yield from (f"line {node.lineno}: {found[0]}" for found in SQL.finditer(node.value))
        yield from (f"line {getattr(node, 'lineno', 0)}: {name}" for name in names if name in forbidden)


def faults_in_text(text: str) -> list[str]:
    lines = (re.sub(r"(--|#).*", "", line) for line in text.splitlines())
    return [
        f"line {number}: {line.strip()}" for number, line in enumerate(lines, start=1) if SQL.search(line)
    ]


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_engine_has_no_clock(path: Path) -> None:
    assert list(faults_in_python(path.read_text(encoding="utf-8"), path.name)) == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_definitions_have_no_clock(path: Path) -> None:
    assert faults_in_text(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "code",
    [
        "from datetime import datetime\nx = datetime.now(UTC)",
        "import datetime as d\nx = d.datetime.utcnow()",
        "x = date.today()",
        "f = made_later.today",
        "import time\nx = time.time()",
        "from time import time",
        "from time import perf_counter",
        "import time\nx = time.perf_counter()",
        "import random",
        "from uuid import uuid4",
        "x = np.random.default_rng()",
        "x = hash('abc')",
        "con.sql('SELECT now() AS t')",
        "con.sql(f'SELECT {x} WHERE d < current_date')",
    ],
)
def test_the_law_sees_a_clock_in_python(code: str) -> None:
    assert list(faults_in_python(code))


@pytest.mark.parametrize(
    ("code", "file"),
    [
        ('def f():\n    """Never `now()`."""', "crm.py"),
        ("rng = np.random.default_rng(seed)", "simulate.py"),
        ("from time import perf_counter\nx = perf_counter()", "batch.py"),
        ("x = column.hash(0)", "crm.py"),
        ("reason = 'known only now (as it is today)'", "crm.py"),
    ],
)
def test_the_law_lets_the_rest_be(code: str, file: str) -> None:
    assert list(faults_in_python(code, file)) == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT now()",
        "SELECT NOW ( )",
        "WHERE d <= today()",
        "WHERE d <= CURRENT_DATE",
        "WHERE t < current_timestamp",
        "WHERE t < localtimestamp",
        "SELECT age(created_at)",
        "SELECT 'now'::TIMESTAMP",
        "SELECT date 'today'",
        "SELECT get_current_timestamp()",
        "ORDER BY random()",
        "SELECT gen_random_uuid()",
    ],
)
def test_the_law_sees_a_clock_in_sql(sql: str) -> None:
    assert faults_in_text(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT age(closed_at, created_at)",
        "-- never now()",
        "SELECT unknown(x)",
        "SELECT date '2024-01-01'",
        "nowadays",
    ],
)
def test_the_law_lets_other_sql_be(sql: str) -> None:
    assert faults_in_text(sql) == []

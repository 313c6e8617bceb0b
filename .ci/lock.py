"""Resolve the dependencies anew in throw-away environments and write them down as constraints."""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
HEADER = """\
# Written by `make lock` from the bounds in pyproject.toml: change those, not this file.
# {}
"""
NEWEST = "Every package of the runtime, test and bench environments, at the newest version allowed."
LOWEST = "The direct runtime dependencies at their lowest version, with what the core tests need."


def lower_bounds() -> list[str]:
    """`name==lowest` of each direct runtime dependency."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needs = [Requirement(need) for need in project["dependencies"]]
    return [f"{need.name}=={b.version}" for need in needs for b in need.specifier if b.operator == ">="]


def resolved(group: str, pins: list[str]) -> str:
    """All packages of a new environment into which the project and one dependency group were installed."""
    with tempfile.TemporaryDirectory() as folder:
        python = str(Path(folder, "venv", "bin", "python"))
        pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet", "--quiet"]
        held = Path(folder, "pins.txt")
        held.write_text("\n".join(pins), encoding="utf-8")
        subprocess.run([sys.executable, "-m", "venv", Path(python).parent.parent], check=True)
        subprocess.run([*pip, "install", "--upgrade", "pip", "hatchling"], check=True)
        install = [*pip, "install", "--constraint", str(held)]
        subprocess.run([*install, "--no-build-isolation", "--editable", "."], check=True, cwd=ROOT)
        # Some packages of a group build with tools of their own.
        subprocess.run([*install, "--group", group], check=True, cwd=ROOT)
        freeze = [*pip, "freeze", "--all", "--exclude-editable", "--exclude", "setuptools"]
        return subprocess.run(freeze, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    for name, what, group, pins in (
        ("constraints.txt", NEWEST, "bench", []),
        ("constraints-min.txt", LOWEST, "test-core", lower_bounds()),
    ):
        (ROOT / name).write_text(HEADER.format(what) + resolved(group, pins), encoding="utf-8")

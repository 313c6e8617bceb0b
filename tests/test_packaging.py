"""However the project is installed, it holds its definitions and its sample, and counts the same."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NEEDS = [Requirement(need) for need in PYPROJECT["project"]["dependencies"]]
SHIPPED = ("extractors", "kpis", "data/sample")
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--no-input"]

# Whatever the machine is set to, the bytes are the same: each install runs in surroundings of its own.
SURROUNDINGS = {
    "editable": {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "1", "POLARS_MAX_THREADS": "1"},
    "wheel": {"TZ": "Pacific/Chatham", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "2", "POLARS_MAX_THREADS": "2"},
    "sdist": {"TZ": "America/St_Johns", "LC_ALL": "C", "PYTHONHASHSEED": "3", "POLARS_MAX_THREADS": "3"},
}


def run(*command: str | Path, cwd: Path, **surroundings: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        command, cwd=cwd, env=inherited | surroundings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def project_files(*folders: str) -> set[str]:
    """Files of the project, committed or about to be; those that git ignores are none."""
    git = ["git", "-c", f"safe.directory={ROOT}"]
    listing = run(*git, "ls-files", "--cached", "--others", "--exclude-standard", *folders, cwd=ROOT)
    return {name for name in listing.splitlines() if (ROOT / name).is_file()}


def pins(name: str) -> dict[str, Version]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(package): Version(version) for package, version in pairs}


@dataclass(frozen=True)
class Built:
    sdist: Path
    wheel: Path


@dataclass(frozen=True)
class Installed:
    bin: Path
    cwd: Path
    surroundings: dict[str, str]

    def __call__(self, command: str, *arguments: str | Path) -> str:
        return run(self.bin / command, *arguments, cwd=self.cwd, **self.surroundings)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The sdist, and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return Built(next(folder.glob("*.tar.gz")), next(folder.glob("*.whl")))


@pytest.fixture(scope="module", params=SURROUNDINGS)
def installed(
    request: pytest.FixtureRequest, built: Built, tmp_path_factory: pytest.TempPathFactory
) -> Installed:
    """The project, installed one way into an environment that borrows the libraries of this one."""
    kind: str = request.param
    folder = tmp_path_factory.mktemp(kind)
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    # A path that a .pth file adds is not searched for further .pth files: our own install is not borrowed.
    Path(site, "borrowed.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    origin = {"editable": f"--editable={ROOT}", "wheel": str(built.wheel), "sdist": str(built.sdist)}[kind]
    offline = ["--no-deps", "--no-index", "--no-build-isolation"]
    run(*PIP, "--python", python, "install", *offline, origin, cwd=folder)
    return Installed(python.parent, folder, SURROUNDINGS[kind])


@pytest.fixture(scope="module")
def results() -> dict[str, bytes]:
    """Files of the first demo run; the others are held against them."""
    return {}


@pytest.mark.packaging
def test_there_is_something_to_ship() -> None:
    for folder in SHIPPED:
        assert len(project_files(folder)) > 1, folder


@pytest.mark.packaging
def test_sdist_and_wheel_hold_every_file_of_the_project(built: Built) -> None:
    definitions = project_files(*SHIPPED)
    package = project_files("src/crmmining")
    assert "src/crmmining/py.typed" in package
    with tarfile.open(built.sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    with zipfile.ZipFile(built.wheel) as archive:
        in_wheel = set(archive.namelist())
    assert sorted((definitions | package) - in_sdist) == []
    assert sorted({f"crmmining/{name}" for name in definitions} - in_wheel) == []
    assert sorted({name.removeprefix("src/") for name in package} - in_wheel) == []


@pytest.mark.packaging
def test_wheel_holds_nothing_else(built: Built) -> None:
    expected = {f"crmmining/{name}" for name in project_files(*SHIPPED)}
    expected |= {name.removeprefix("src/") for name in project_files("src/crmmining")}
    with zipfile.ZipFile(built.wheel) as archive:
        extra = {name for name in archive.namelist() if ".dist-info/" not in name} - expected
    assert sorted(extra) == []


@pytest.mark.packaging
def test_wheel_says_what_it_is(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        info = f"crmmining-{PYPROJECT['project']['version']}.dist-info"
        metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
        licence = archive.read(f"{info}/licenses/LICENSE").decode()
        entry_points = archive.read(f"{info}/entry_points.txt").decode()
    assert metadata["License-Expression"] == "Apache-2.0"
    assert licence == (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "crmmining = crmmining.cli:main" in entry_points
    core = [need for need in metadata.get_all("Requires-Dist", []) if "extra ==" not in need]
    assert not [need for need in core if need.startswith("pm4py")]
    assert len(core) == len(NEEDS)


@pytest.mark.packaging
def test_every_install_runs_the_demo_with_the_same_bytes(
    installed: Installed, results: dict[str, bytes]
) -> None:
    where = "from crmmining.definitions import shipped; print(shipped('data/sample'))"
    sample = installed("python", "-c", where).strip()
    editable = sample == str(ROOT / "data" / "sample")
    assert editable or Path(sample).is_relative_to(installed.cwd)
    assert "lead" in installed("crmmining", "catalogue")
    installed("crmmining", "run", sample, "--out", installed.cwd / "out", "--period", "quarter")
    out = installed.cwd / "out"
    files = {
        str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()
    }
    assert files.pop("timings.json")
    assert {"scorecard.parquet", "scorecard.csv", "quality.parquet", "report.html", "run.json"} <= set(files)
    for name, content in files.items():
        results.setdefault(name, content)
    assert sorted(files) == sorted(results)
    assert [name for name in files if files[name] != results[name]] == []


@pytest.mark.parametrize("need", NEEDS, ids=lambda need: need.name)
def test_every_dependency_is_bounded_locked_and_tested_at_its_lowest(need: Requirement) -> None:
    package = canonicalize_name(need.name)
    lowest = [Version(bound.version) for bound in need.specifier if bound.operator == ">="]
    assert lowest == [pins("constraints-min.txt")[package]]
    assert need.specifier.contains(pins("constraints.txt")[package])

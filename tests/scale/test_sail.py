"""Every law on Sail, through Spark Connect, and the page that shows how."""

import doctest
import re
from pathlib import Path

import polars as pl
import pytest

from crmmining import cli
from crmmining.definitions import shipped
from crmmining.scale import Spark
from crmmining.store import keeping

from .laws import Laws

PAGE = (Path(__file__).parents[2] / "docs" / "scale.md").read_text(encoding="utf-8")


@pytest.fixture
def engine(sail: Spark) -> Spark:
    return sail


@pytest.fixture
def processes() -> tuple[str, ...]:
    return ("account", "case", "lead")


class TestSail(Laws):
    """On Sail."""


def files(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "timings.json"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.usefixtures("sail")
def test_a_run_tells_and_asks_logs_there(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows taken for very large make several buckets: workers tell them from the tables of the store."""
    monkeypatch.setattr(keeping, "_BYTES_PER_ROW", 1 << 19)
    order = ["--process", "lead", "--period", "quarter", "--by", "region"]
    for name, more in {"here": [], "there": ["--engine", address, "--store", str(tmp_path / "kept")]}.items():
        source = str(shipped("data/sample"))
        with pytest.raises(SystemExit) as done:
            cli.main(["run", source, "--out", str(tmp_path / name), *order, *more])
        assert done.value.code == 0
    assert len(list((tmp_path / "kept" / "logs").glob("lead-*/log-*/events-*.parquet"))) > 1
    assert files(tmp_path / "there") == files(tmp_path / "here")


def test_workers_need_a_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        cli.main(["run", str(shipped("data/sample")), "--out", str(tmp_path / "out"), "--engine", "sc://a:1"])
    assert done.value.code == 2
    assert "--engine sc://a:1 needs --store, a folder that all workers find" in capsys.readouterr().err


@pytest.mark.usefixtures("sail")
def test_the_page_shows_what_happens(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sample").symlink_to(shipped("data/sample"))
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    text = "\n".join(blocks).replace("sc://localhost:50051", address)
    text = text.replace("/shared", str(tmp_path / "shared"))
    test = doctest.DocTestParser().get_doctest(text, {}, "scale.md", None, 0)
    assert len(test.examples) == PAGE.count("\n>>> ") > 5
    with pl.Config(restore_defaults=True):
        assert doctest.DocTestRunner().run(test).failed == 0

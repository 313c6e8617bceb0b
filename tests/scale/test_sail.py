"""Every law on Sail, through Spark Connect, and the page that shows how."""

import doctest
import re
from pathlib import Path

import polars as pl
import pytest

from crmmining.definitions import shipped
from crmmining.scale import Spark

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

"""Pages whose code is run: a `>>>` line gives the output that the page shows."""

import doctest
import re
from pathlib import Path

import polars as pl
import pytest

from crmmining.definitions import shipped

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str, language: str) -> list[str]:
    """The code of a page in one language."""
    return re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)


def run(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the Python of a page in `folder`, beside its TOML files, the sample and the examples."""
    page = (DOCS / name).read_text(encoding="utf-8")
    for text in blocks(page, "toml"):
        file = folder / text.splitlines()[0].removeprefix("# ")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    (folder / "data").mkdir()
    (folder / "data" / "sample").symlink_to(shipped("data/sample"))
    (folder / "examples").symlink_to(DOCS.parent / "examples")
    monkeypatch.chdir(folder)
    test = doctest.DocTestParser().get_doctest("\n".join(blocks(page, "python")), {}, name, None, 0)
    assert len(test.examples) == page.count("\n>>> ")
    with pl.Config(restore_defaults=True):
        assert doctest.DocTestRunner().run(test).failed == 0

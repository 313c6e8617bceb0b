"""The page on the pipeline cannot drift: its code is run."""

from pathlib import Path

import pytest

from .conftest import run


def test_the_code_gives_the_output_that_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("pipeline.md", tmp_path, monkeypatch)

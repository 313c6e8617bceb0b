"""Every notebook runs from top to bottom and shows something."""

from pathlib import Path
from typing import Any

import jupytext
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.py"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path: Path) -> None:
    notebook: Any = jupytext.read(path)
    NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert len(outputs) >= 5
    assert [output for output in outputs if output.output_type in ("error", "stream")] == []


def test_there_is_a_first_look() -> None:
    assert NOTEBOOKS[0].stem == "01_first_look"

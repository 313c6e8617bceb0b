"""The command line with a store: the same files, loaded once."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from crmmining import cli
from crmmining.progress import Steps

Make = Callable[..., Path]


def run(*arguments: str | Path) -> object:
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", *map(str, arguments)])
    return ended.value.code


def contents(folder: Path) -> dict[str, bytes]:
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name != "timings.json"}


def test_a_run_with_a_store_and_one_from_it_write_the_same_files(crm: Make, tmp_path: Path) -> None:
    source, store = crm("a", "b"), tmp_path / "store"
    assert run(source, "--out", tmp_path / "plain") == 0
    assert run(source, "--out", tmp_path / "kept", "--store", store, "--memory", "500MB") == 0
    assert run(store, "--out", tmp_path / "opened") == 0
    plain = contents(tmp_path / "plain")
    assert "events/opportunity.parquet" in plain
    assert contents(tmp_path / "kept") == plain
    assert contents(tmp_path / "opened") == plain


def test_a_store_that_cannot_be_is_said_in_one_line(
    crm: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert run(crm("a"), "--out", tmp_path / "out", "--store", tmp_path) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"crmmining: {tmp_path} holds something that is no store (")


def test_items_that_are_worked_on_move_a_bar() -> None:
    shown = io.StringIO()
    with Progress(console=Console(file=shown, force_terminal=True, width=60), auto_refresh=False) as progress:
        steps = Steps(progress)
        steps("log of lead")
        answers = steps.map(lambda number: number * 2, [1, 2, 3, 4])
        assert next(answers) == 2
        assert next(answers) == 4
        progress.refresh()
        assert list(answers) == [6, 8]
    assert "log of lead" in shown.getvalue()
    assert "25%" in shown.getvalue()

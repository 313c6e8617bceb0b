"""The command `crmmining simulate` hands its options on."""

import json
from pathlib import Path

import pytest

from crmmining.cli import main
from crmmining.simulator import QUIRKS, simulate


def call(*words: object) -> int:
    with pytest.raises(SystemExit) as end:
        main(["simulate", *map(str, words)])
    assert isinstance(end.value.code, int)
    return end.value.code


def test_until_and_quirks_reach_the_simulator(tmp_path: Path) -> None:
    options = ["--until", "2024-05-01", "--quirks", "marks", "--quirks", "doubled_rows"]
    assert call(tmp_path / "crm", "--accounts", 12, "--seed", 4, *options) == 0
    same = simulate(
        tmp_path / "same", accounts=12, seed=4, until="2024-05-01", quirks=["marks", "doubled_rows"]
    )
    for path in same.iterdir():
        assert (tmp_path / "crm" / path.name).read_bytes() == path.read_bytes()


def test_all_quirks_by_one_word(tmp_path: Path) -> None:
    assert call(tmp_path / "crm", "--accounts", 2, "--quirks", "all") == 0
    truth = json.loads((tmp_path / "crm" / "truth.json").read_text())
    assert list(truth["quirks"]) == list(QUIRKS)


def test_a_wrong_word_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(tmp_path / "crm", "--quirks", "double_rows") == 2
    assert "unknown quirk 'double_rows'. Did you mean 'doubled_rows'?" in capsys.readouterr().err
    assert call(tmp_path / "crm", "--until", "soon") == 2
    assert "until ('soon') must be a moment like 2024-06-30" in capsys.readouterr().err

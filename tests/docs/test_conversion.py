"""The page on conversion cannot drift: its code is run, and what its sentences say is in its tables."""

from pathlib import Path

import pytest

from .conftest import DOCS, run


def test_the_code_gives_the_output_that_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("conversion.md", tmp_path, monkeypatch)


def test_the_sentences_say_what_the_tables_show() -> None:
    page = (DOCS / "conversion.md").read_text(encoding="utf-8")
    assert (
        "| won     | 365 | 246 | 87    | 24      | 0.399     | 0.339 | 0.467 | 0.478       | 0.079 |" in page
    )
    assert (
        "39.9 % of the deals are won (95 %: 33.9 to 46.7), 40.7 % are lost and 19.4 % are still open" in page
    )
    assert "47.8 %: **7.9 points too many**" in page
    assert "| 124 | 45    | 93     | 0.39      | 0.308 | 0.485 | 0.484       |" in page
    assert "| 124 | 51    | 100    | 0.411     |" in page
    assert "The curve said 39 %, closed deals 48.4 %; it became 41.1 %" in page
    assert 61 - 48 == 13  # conversions without an opportunity of their own

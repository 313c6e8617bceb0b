"""The page on time cannot drift: its code is run, and its case is added up by hand."""

from datetime import timedelta
from pathlib import Path

import pytest

from .conftest import DOCS, run


def test_the_code_gives_the_output_that_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("how-long.md", tmp_path, monkeypatch)


def test_the_hours_that_are_added_up_by_hand_are_those_of_the_table() -> None:
    page = (DOCS / "how-long.md").read_text(encoding="utf-8")
    spans = [("15:54:36", "17:00:00"), ("09:00:00", "11:23:40"), ("14:53:02", "17:00:00")]
    spans += [
        ("09:00:00", "11:18:31"),
        ("15:02:30", "17:00:00"),
        ("09:00:00", "12:48:41"),
        ("09:00:00", "14:03:19"),
    ]
    total = sum((_clock(end) - _clock(start) for start, end in spans), timedelta())
    assert total == timedelta(hours=18, minutes=44, seconds=3)
    assert "| touched                 | 18h 44m 3s |" in page


def _clock(text: str) -> timedelta:
    hours, minutes, seconds = map(int, text.split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)

"""A store is refreshed in one step: as if it had been made from the merged source, or not at all."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

import crmmining as cm
from crmmining import cli, refreshing

Make = Callable[..., Path]
Write = Callable[..., Path]
WON = "017q000000Hd0ovAAB,006q000000Hd0ovAAB,2024-03-01,StageName,New,Closed Won"
HISTORY = "Id,OpportunityId,CreatedDate,Field,OldValue,NewValue"


def merged(source: Path, write: Write) -> Path:
    folder = write("merged")
    shutil.copytree(source, folder, dirs_exist_ok=True)
    with (folder / "OpportunityFieldHistory.csv").open("a", encoding="utf-8") as file:
        file.write(f"\n{WON}\n")
    return folder


def same(one: cm.Crm, other: cm.Crm) -> None:
    ours, theirs = one.event_log("opportunity"), other.event_log("opportunity")
    for name in ("events", "cases", "quality"):
        assert_frame_equal(getattr(ours, name), getattr(theirs, name))
    assert_frame_equal(one.scorecard("opportunity"), other.scorecard("opportunity"))


def test_a_refreshed_store_is_one_of_the_merged_source(crm: Make, write: Write, tmp_path: Path) -> None:
    source = crm("Ann", "Bob")
    kept = cm.connect(source, store=tmp_path / "store")
    before = kept.event_log("opportunity").events
    account = kept.refresh(write("changes", OpportunityFieldHistory=[HISTORY, WON]))
    assert account.row(0, named=True) | {"cases": None, "rebuilt": None} == {
        "scope": "table", "name": "OpportunityFieldHistory", "new": 1, "changed": 0, "unchanged": 0,
        "deleted": 0, "quarantined": 0, "cases": None, "rebuilt": None,
    }  # fmt: skip
    assert kept.event_log("opportunity").events.height == before.height + 1
    expected = cm.connect(merged(source, write))
    same(kept, expected)
    same(cm.connect(tmp_path / "store"), expected)


def test_the_command_line_says_what_was_merged(
    crm: Make, write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, store = crm("Ann", "Bob"), tmp_path / "store"
    cm.connect(source, store=store)
    changes = write("changes", OpportunityFieldHistory=[HISTORY, WON])
    with pytest.raises(SystemExit) as done:
        cli.main(["refresh", str(store), str(changes)])
    assert done.value.code == 0
    said = "OpportunityFieldHistory: 1 new, 0 changed, 0 unchanged, 0 deleted, 0 quarantined\n"
    assert capsys.readouterr().out == said
    same(cm.connect(store), cm.connect(merged(source, write)))
    with pytest.raises(SystemExit) as done:
        cli.main(["refresh", str(source), str(changes)])
    assert done.value.code == 2
    assert "is no store: make one with crmmining run SOURCE" in capsys.readouterr().err


def test_a_refresh_that_fails_leaves_the_store(
    crm: Make, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, store = crm("Ann", "Bob"), tmp_path / "store"
    kept = cm.connect(source, store=store)
    files = {path.name: path.read_bytes() for path in store.iterdir() if path.is_file()}
    changes = write("changes", OpportunityFieldHistory=[HISTORY, WON])

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(refreshing._Refresh, "finish", killed)
    with pytest.raises(KeyboardInterrupt):
        kept.refresh(changes)
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in store.iterdir() if path.is_file()} == files
    same(kept, cm.connect(source))
    with pytest.raises(cm.SourceError):
        kept.refresh(write("bad", OpportunityFieldHistory=["Id,OpportunityId", "x,y"]))
    same(cm.connect(store), cm.connect(source))


def test_who_opened_a_store_before_another_refresh_opens_it_again(
    crm: Make, write: Write, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    first, second = cm.connect(crm("Ann"), store=store), cm.connect(store)
    changes = write("changes", OpportunityFieldHistory=[HISTORY, WON])
    first.refresh(changes)
    with pytest.raises(cm.OutputError, match="was changed by somebody else since it was opened"):
        second.refresh(changes)

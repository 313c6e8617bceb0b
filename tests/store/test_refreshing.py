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

    def killed(*_: object, **__: object) -> None:
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


def test_a_refreshed_store_is_not_loaded_over(crm: Make, write: Write, tmp_path: Path) -> None:
    source, store = crm("Ann", "Bob"), tmp_path / "store"
    cm.connect(source, store=store).refresh(write("changes", OpportunityFieldHistory=[HISTORY, WON]))
    with pytest.raises(cm.OutputError, match="holds changes that were merged in since it was loaded"):
        cm.connect(source, store=store)
    same(cm.connect(store), cm.connect(merged(source, write)))


def test_options_of_reading_are_kept(crm: Make, write: Write, tmp_path: Path) -> None:
    kept = cm.connect(crm("Ann", "Bob"), store=tmp_path / "store", datetime_format=("%d.%m.%Y", "%Y"))
    german = WON.replace("2024-03-01", "01.03.2024")
    kept.refresh(write("changes", OpportunityFieldHistory=[HISTORY, german]))
    again = cm.connect(tmp_path / "store")
    again.refresh(write("more", OpportunityFieldHistory=[HISTORY, german.replace("New,Closed", "New,Half")]))
    assert "Stage: Half Won" in again.event_log("opportunity").events["activity"].to_list()
    with pytest.raises(
        cm.CrmMiningError, match="max_quarantine, pseudonymise and extracted_at belong to its"
    ):
        cm.connect(tmp_path / "store", max_quarantine=0.5)


def test_changes_that_name_no_table_are_refused(crm: Make, write: Write, tmp_path: Path) -> None:
    kept = cm.connect(crm("Ann"), store=tmp_path / "store")
    with pytest.raises(
        cm.SourceError, match=r"no table of source 'salesforce' is called like .*sf_data\.csv"
    ):
        kept.refresh(write("changes", sf_data=[HISTORY, WON]))


def test_people_are_hidden_whatever_the_folder_is_called(crm: Make, tmp_path: Path) -> None:
    kept = cm.connect(crm("Ann"), store=tmp_path / "o'brien", pseudonymise="0123456789abcdef")
    assert kept.event_log("opportunity").cases.height == 1


def test_who_has_a_store_open_is_told_that_it_changed(crm: Make, write: Write, tmp_path: Path) -> None:
    store = tmp_path / "store"
    first, second = cm.connect(crm("Ann"), store=store), cm.connect(store)
    log = first.event_log("opportunity")
    first.refresh(write("changes", OpportunityFieldHistory=[HISTORY, WON]))
    with pytest.raises(cm.CrmMiningError, match="is there no longer: another log took its place"):
        _ = log.events
    with pytest.raises(
        cm.OutputError, match="was changed by somebody else since it was opened: open it again"
    ):
        second.event_log("opportunity")


def test_a_place_is_remembered_whole(crm: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = crm("Ann").absolute()
    monkeypatch.chdir(tmp_path)
    kept = cm.connect(source, store="store")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert kept.event_log("opportunity").cases.height == 1
    assert list((tmp_path / "elsewhere").iterdir()) == []

"""Whoever is stopped while he writes leaves the old store; what he left is cleared away by the next."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import crmmining as cm
from crmmining.locks import locked

Make = Callable[..., Path]
Run = Callable[[str, Path, Path], subprocess.CompletedProcess[str]]
KILLED = """
import os, signal
import crmmining as cm
from crmmining.{module} import {place} as place
die = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
place.{function} = die
cm.connect(SOURCE, store=STORE).event_log("opportunity")
"""
FULL = """
import resource, signal
import crmmining as cm
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))  # every file is full beyond this
try:
    cm.connect(SOURCE, store=STORE).event_log("opportunity")
except cm.OutputError as error:
    print(error)
"""


def names(store: Path) -> set[str]:
    return {path.name.split("-")[0] for path in store.iterdir()}


@pytest.mark.parametrize(
    ("module", "place", "function"),
    [
        ("store", "keeping", "keep_tables"),  # tables were loaded
        ("store", "folder", "clear_spilled"),  # nothing was begun
        ("store.keeping", "place", "replace"),  # all is written, nothing is in its place
    ],
)
def test_a_killed_writer_leaves_the_old_tables(  # noqa: PLR0917  where it dies
    crm: Make, program: Run, tmp_path: Path, module: str, place: str, function: str
) -> None:
    store = tmp_path / "store"
    cm.connect(crm("a"), store=store).event_log("opportunity")
    ended = program(KILLED.format(module=module, place=place, function=function), crm("a", "b"), store)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert cm.connect(store).event_log("opportunity").cases.height == 1
    assert cm.connect(crm("a", "b"), store=store).event_log("opportunity").cases.height == 2
    assert names(store) == {"lock", "logs", "store.json", "tables"}


@pytest.mark.parametrize(
    ("place", "function"), [("buckets", "tell_bucket"), ("adding", "fates"), ("stored", "save")]
)
def test_a_killed_writer_leaves_the_tables_without_the_log(
    crm: Make, program: Run, tmp_path: Path, place: str, function: str
) -> None:
    store = tmp_path / "store"
    text = KILLED.format(module="store.keeping", place=place, function=function)
    if place == "buckets":
        text = text.replace(
            "place.tell_bucket", "import crmmining.extract.adding as adding\nadding.tell_bucket"
        )
    ended = program(text, crm("a"), store)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert names(store) >= {"store.json", "tables", "writing"}
    assert cm.connect(store).event_log("opportunity").cases.height == 1
    assert "writing" not in names(store)


@pytest.mark.parametrize("size", [4096, 1 << 18])
def test_a_full_disk_leaves_the_old_store(crm: Make, program: Run, tmp_path: Path, size: int) -> None:
    store = tmp_path / "store"
    cm.connect(crm("a"), store=store).event_log("opportunity")
    ended = program(FULL.format(size=size), crm("a", "b"), store)
    assert f"{store} cannot be written" in ended.stdout, ended.stderr
    assert "What was stored there is unchanged" in ended.stdout
    assert cm.connect(store).event_log("opportunity").cases.height == 1


def test_two_do_not_write_at_once(crm: Make, tmp_path: Path) -> None:
    store = tmp_path / "store"
    cm.connect(crm("a"), store=store)
    held = locked(store / "lock")
    assert held is not None
    with held:
        said = "is being written to by somebody else: wait until that is done, or name another"
        with pytest.raises(cm.OutputError, match=said):
            cm.connect(crm("a", "b"), store=store)
        reading = cm.connect(store)  # whoever reads waits for nobody
        assert reading.clock.year == 2024
        with pytest.raises(cm.OutputError, match=said):
            reading.event_log("opportunity")
    assert reading.event_log("opportunity").cases.height == 1


def test_what_is_no_store_is_not_written_over(crm: Make, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    (store / "thesis.txt").write_text("mine")
    with pytest.raises(cm.OutputError, match=r"holds something that is no store \(thesis.txt\)"):
        cm.connect(crm("a"), store=store)
    assert [path.read_text() for path in store.iterdir()] == ["mine"]


def test_what_stands_beside_a_store_stays(crm: Make, tmp_path: Path) -> None:
    store = tmp_path / "store"
    cm.connect(crm("a"), store=store)
    (store / "notes.txt").write_text("mine")
    cm.connect(crm("a", "b"), store=store)
    assert (store / "notes.txt").read_text() == "mine"


def test_a_file_is_no_folder(crm: Make, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("mine")
    with pytest.raises(cm.OutputError, match="store cannot be written"):
        cm.connect(crm("a"), store=tmp_path / "store")


def test_a_refused_source_leaves_the_old_store(crm: Make, tmp_path: Path) -> None:
    store, other = tmp_path / "store", crm("b")
    cm.connect(crm("a"), store=store)
    (other / "Opportunity.csv").write_text("Id,CreatedDate,StageName\nno Id,2024-01-01,New\n")
    with pytest.raises(cm.SourceError, match="too many rows would be set aside"):
        cm.connect(other, store=store)
    assert cm.connect(store).event_log("opportunity").cases.height == 1
    assert not any(path.name.startswith("writing-") for path in store.iterdir())


def test_a_store_is_opened_where_nothing_can_be_written(
    crm: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cm.connect(crm("a"), store=tmp_path / "store").event_log("opportunity")
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert cm.connect(tmp_path / "store").event_log("opportunity").cases.height == 1
    assert "spilled" not in names(tmp_path / "store")

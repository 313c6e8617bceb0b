"""Stored logs: the same answers from files, however many; the old log stands until a new one is whole."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import crmmining as cm
from crmmining.definitions import shipped
from crmmining.locks import locked

PROCESSES = ("account", "case", "lead", "opportunity")
ENDS = {
    "account": ("created", "opportunity_won"), "case": ("created", "closed"),
    "lead": ("created", "converted"), "opportunity": ("created", "won"),
}  # fmt: skip
QUESTIONS: dict[str, Callable[[cm.EventLog], Any]] = {
    "events": lambda log: log.events,
    "cases": lambda log: log.cases,
    "quality": lambda log: log.quality,
    "facts": lambda log: log.facts,
    "variants": lambda log: log.variants(),
    "transitions": lambda log: log.transitions(),
    "rework": lambda log: log.rework(),
    "endpoints": lambda log: log.endpoints(),
    "throughput": lambda log: log.throughput(*ENDS[log.process.name], by=["region", "owner@now"]),
    "conversion": lambda log: log.conversion(*ENDS[log.process.name], by=["record_type"]),
    "as they were": lambda log: log.at(ENDS[log.process.name][1]),
    "scan": lambda log: log.scan("owner").collect(),
    "filter": lambda log: log.filter(having=[ENDS[log.process.name][1]], variants=3).events,
}


@pytest.fixture(scope="module")
def logs() -> dict[str, cm.EventLog]:
    crm = cm.connect(shipped("data/sample"))
    return {name: crm.event_log(name) for name in PROCESSES}


@pytest.mark.parametrize("events", [2_000_000, 400])
@pytest.mark.parametrize("process", PROCESSES)
def test_files_answer_as_memory_does(
    logs: dict[str, cm.EventLog], tmp_path: Path, process: str, events: int
) -> None:
    log = logs[process]
    log.save(tmp_path / "log", events=events)
    again = cm.open_log(tmp_path / "log")
    assert (len(again.partitions) == 1) == (events == 2_000_000)
    assert repr(again) == repr(log)
    for ask in QUESTIONS.values():
        assert_frame_equal(ask(again), ask(log), check_exact=True)


def test_no_case_is_in_two_files_and_each_is_about_as_large_as_asked(
    logs: dict[str, cm.EventLog], tmp_path: Path
) -> None:
    log = logs["case"]
    most = log.events.group_by("case_id").len()["len"].max()
    assert isinstance(most, int)
    log.save(tmp_path, events=500)
    files = json.loads((tmp_path / "manifest.json").read_text())["partitions"]
    assert [one["first"] for one in files[1:]] > [one["last"] for one in files[:-1]]
    assert sum(one["sizes"][1] for one in files) == log.events.height
    assert all(500 - most <= one["sizes"][1] <= 500 + most for one in files[:-1])


def test_any_tool_reads_the_files(logs: dict[str, cm.EventLog], tmp_path: Path) -> None:
    logs["lead"].save(tmp_path, events=900)
    with duckdb.connect() as con:
        rows = con.execute(f"SELECT count(*) FROM '{tmp_path}/*/events-*.parquet'").fetchall()  # noqa: S608
    assert rows == [(logs["lead"].events.height,)]


def test_a_new_log_takes_the_place_of_the_old_one(logs: dict[str, cm.EventLog], tmp_path: Path) -> None:
    logs["lead"].save(tmp_path)
    logs["lead"].save(tmp_path)
    once = sorted(path.name for path in tmp_path.iterdir())
    logs["case"].save(tmp_path)
    assert cm.open_log(tmp_path).process.name == "case"
    twice = sorted(path.name for path in tmp_path.iterdir())
    assert [name[:4] for name in once] == [name[:4] for name in twice] == ["lock", "log-", "mani"]
    assert once != twice


def test_the_same_log_is_stored_in_the_same_bytes(logs: dict[str, cm.EventLog], tmp_path: Path) -> None:
    for name in ("one", "two"):
        logs["account"].save(tmp_path / name, events=700)
    assert (tmp_path / "one" / "manifest.json").read_bytes() == (
        tmp_path / "two" / "manifest.json"
    ).read_bytes()


def test_a_full_disk_leaves_the_old_log(
    logs: dict[str, cm.EventLog], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs["lead"].save(tmp_path, events=900)
    before = sorted(path.name for path in tmp_path.iterdir())
    write, calls = pl.DataFrame.write_parquet, []

    def full(frame: pl.DataFrame, file: Path, *, compression: Literal["lz4"]) -> None:
        calls.append(file)
        if len(calls) > 4:
            raise OSError(28, "No space left on device")
        write(frame, file, compression=compression)

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    with pytest.raises(cm.OutputError, match=r"No space left on device\. What was stored there is unchanged"):
        logs["case"].save(tmp_path, events=900)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert cm.open_log(tmp_path).variants().equals(logs["lead"].variants())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("thesis.txt", "mine"),
        ("manifest.json", '{"name": "an app of another kind"}'),
        ("manifest.json", '{"format": 1, "folder": ".."}'),
        ("manifest.json", "[]"),
    ],
)
def test_other_things_are_not_written_over(
    logs: dict[str, cm.EventLog], tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / "keep").mkdir()
    (tmp_path / "keep" / name).write_text(text)
    with pytest.raises(cm.OutputError, match="holds something that is no stored log"):
        logs["lead"].save(tmp_path / "keep")
    assert [path.read_text() for path in (tmp_path / "keep").iterdir()] == [text]


def test_what_a_killed_writer_left_goes(logs: dict[str, cm.EventLog], tmp_path: Path) -> None:
    (tmp_path / "writing-abc").mkdir()
    (tmp_path / "log-0123456789ab").mkdir()
    (tmp_path / "log-0123456789ab.json").write_text("{}")
    logs["lead"].save(tmp_path)
    assert cm.open_log(tmp_path).cases.equals(logs["lead"].cases)
    assert sorted(path.name[:4] for path in tmp_path.iterdir()) == ["lock", "log-", "mani"]


def test_a_disk_that_is_full_at_the_last_moment_leaves_nothing(
    logs: dict[str, cm.EventLog], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, target: Path) -> None:
        raise OSError(28, f"No space left on device for {path} or {target}")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(cm.OutputError, match="No space left on device"):
        logs["lead"].save(tmp_path)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
    logs["lead"].save(tmp_path)
    assert cm.open_log(tmp_path).cases.equals(logs["lead"].cases)


def test_storing_again_mends_what_is_damaged(logs: dict[str, cm.EventLog], tmp_path: Path) -> None:
    logs["lead"].save(tmp_path, events=900)
    spoil(tmp_path, "cut")
    logs["lead"].save(tmp_path, events=900)
    assert cm.open_log(tmp_path).events.equals(logs["lead"].events)


def test_one_writes_at_a_time(logs: dict[str, cm.EventLog], tmp_path: Path) -> None:
    logs["lead"].save(tmp_path)
    held = locked(tmp_path / "lock")
    assert held is not None
    with held, pytest.raises(cm.OutputError, match="is being written to by somebody else: wait until"):
        logs["case"].save(tmp_path)
    assert cm.open_log(tmp_path).process.name == "lead"


def test_a_log_whose_place_was_taken_says_so(logs: dict[str, cm.EventLog], tmp_path: Path) -> None:
    logs["lead"].save(tmp_path)
    earlier = cm.open_log(tmp_path)
    logs["lead"].save(tmp_path, events=900)
    with pytest.raises(cm.CrmMiningError, match="is there no longer: another log took its place"):
        earlier.variants()


def test_a_file_holds_events(logs: dict[str, cm.EventLog], tmp_path: Path) -> None:
    with pytest.raises(cm.CrmMiningError, match="events is 0, but must be a number of events per file"):
        logs["lead"].save(tmp_path / "log", events=0)


def spoil(folder: Path, what: str) -> None:
    manifest = folder / "manifest.json"
    (place,) = folder.glob("log-*")
    file = place / "events-00001.parquet"
    if what == "no manifest":
        manifest.unlink()
    elif what == "no JSON":
        manifest.write_text("{")
    elif what == "format":
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": 4}))
    elif what == "edited":
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "tracked": ["owner"]}))
    elif what == "gone":
        file.unlink()
    elif what == "cut":
        os.truncate(file, file.stat().st_size - 10)
    else:
        file.write_bytes(b"?" * file.stat().st_size)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("no manifest", "is no stored log: manifest.json is missing or damaged"),
        ("no JSON", "is no stored log: manifest.json is missing or damaged"),
        ("format", "is stored in format 4; this version reads 3: store it again"),
        ("edited", "manifest.json was changed by hand or is damaged; store the log again"),
        ("gone", "events-00001.parquet is missing: the stored log is damaged; store it again"),
        ("cut", r"events-00001.parquet has [\d,]+ bytes, not [\d,]+: the stored log is damaged"),
        ("overwritten", "events-00001.parquet cannot be read: the stored log is damaged; store it again"),
    ],
)
def test_what_is_damaged_is_refused(
    logs: dict[str, cm.EventLog], tmp_path: Path, what: str, said: str
) -> None:
    logs["lead"].save(tmp_path, events=900)
    spoil(tmp_path, what)
    with pytest.raises(cm.CrmMiningError, match=said):
        cm.open_log(tmp_path).variants()


def test_a_log_of_other_definitions_is_refused(logs: dict[str, cm.EventLog], tmp_path: Path) -> None:
    logs["case"].save(tmp_path / "log")
    own = tmp_path / "own" / "salesforce"
    own.mkdir(parents=True)
    (own / "case.toml").write_text('[levels]\nPriority = [["low"], ["high"]]\n')
    with pytest.raises(cm.CrmMiningError, match="was stored under other definitions of process 'case'"):
        cm.open_log(tmp_path / "log", extractors=[own.parent])

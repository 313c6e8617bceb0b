"""Updating stored logs: the same as storing the new log, whatever changed; other files are kept."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import crmmining as cm
from crmmining.definitions import shipped
from crmmining.eventlog import stored
from crmmining.eventlog.partition import Kept, Partition
from crmmining.eventlog.stored import Patched
from crmmining.eventlog.updating import update


@pytest.fixture(scope="module")
def crm() -> cm.Crm:
    return cm.connect(shipped("data/sample"))


def picked(log: cm.EventLog, marks: pl.Series) -> cm.EventLog:
    return replace(log, partitions=(Kept(log.only, marks),))


def earlier(log: cm.EventLog, changed: pl.Series, unknown: pl.Series) -> cm.EventLog:
    """The log as it may have been: `unknown` cases not there, the `changed` ones without their last event."""
    whole = log.only
    last = whole.events["case_ix"].to_numpy()
    last = np.append(last[1:] != last[:-1], True)
    cut = changed.gather(whole.events["case_ix"]) & pl.Series(last)
    cases = whole.cases.with_columns(
        pl.when(changed).then(pl.lit("Elsewhere")).otherwise("region").alias("region")
    )
    values = whole.values.filter(~changed.gather(whole.values["case_ix"]))
    return picked(replace(log, partitions=(Partition(whole.events.filter(~cut), cases, values),)), ~unknown)


def marked(log: cm.EventLog, *places: int) -> pl.Series:
    cases = pl.int_range(log.sizes[0], eager=True)
    return cases.is_in(list(places)).alias("marked")


def assert_same(folder: Path, log: cm.EventLog) -> None:
    found = cm.open_log(folder)
    assert repr(found) == repr(log)
    assert found.tracked == log.tracked
    text = pl.col("activity").cast(pl.String)
    assert_frame_equal(found.events.with_columns(text), log.events.with_columns(text), check_exact=True)
    assert_frame_equal(found.cases, log.cases, check_exact=True)
    values = [pl.concat([p.values.drop("case_ix") for p in one.partitions]) for one in (found, log)]
    assert_frame_equal(*values, check_exact=True, categorical_as_str=True)
    assert_frame_equal(found.quality, log.quality)
    assert_frame_equal(found.transitions(), log.transitions(), check_exact=True)
    assert_frame_equal(found.facts, log.facts, check_exact=True)


@settings(max_examples=6)
@given(st.data())
def test_an_update_equals_storing_the_new_log(
    crm: cm.Crm, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder, log = tmp_path_factory.mktemp("log"), crm.event_log("account")
    places = st.lists(st.integers(0, log.sizes[0] - 1), max_size=40)
    gone = marked(log, *data.draw(places, "gone"))
    steps = [marked(log, *data.draw(places, "changed")) & ~gone for _ in range(data.draw(st.integers(1, 3)))]
    nothing = marked(log)
    unknown = steps[-1] & marked(log, *data.draw(places, "unknown"))
    first = earlier(log, steps[0] | steps[-1], unknown)
    first.save(folder, events=data.draw(st.sampled_from([300, 900, 10_000])))
    for step in steps[:-1]:
        fresh = picked(earlier(log, step, nothing), step & ~unknown)
        update(folder, fresh, log.cases["case_id"].filter(step & ~unknown), events=900)
    last = steps[0] | steps[-1] | gone
    for step in steps[:-1]:
        last |= step
    fresh = picked(log, last & ~gone)
    update(folder, fresh, log.cases["case_id"].filter(last), events=900)
    assert_same(folder, picked(log, ~gone))


def entries(folder: Path) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = json.loads((folder / "manifest.json").read_text())["partitions"]
    return listed


def test_little_change_stands_beside_the_files_and_much_is_written_anew(crm: cm.Crm, tmp_path: Path) -> None:
    log = crm.event_log("case")
    log.save(tmp_path, events=1500)
    old = cm.open_log(tmp_path)
    sizes = [part.sizes[0] for part in old.partitions]
    assert len(sizes) == 4
    second = range(sizes[0], sizes[0] + sizes[1])
    few, many = list(second)[: sizes[1] // 20], list(second)[: sizes[1] // 4]
    kept = {place.name: place.stat().st_ino for place in tmp_path.glob("log-*/*.parquet")}
    step = earlier(log, marked(log, *few), marked(log))
    update(tmp_path, picked(step, marked(log, *few)), log.cases["case_id"].gather(few))
    assert [sorted(entry) for entry in entries(tmp_path)] == [
        ["first", "last", "sizes"],
        ["base", "delta", "first", "last", "sizes"],
        *([["first", "last", "sizes"]] * 2),
    ]
    assert entries(tmp_path)[1]["delta"] == [
        len(few),
        step.filter().sizes[1] - log.sizes[1] + picked(log, marked(log, *few)).sizes[1],
    ]
    (place,) = tmp_path.glob("log-*")
    now = {file.name: file.stat().st_ino for file in place.glob("*.parquet")}
    assert {name: now[name] for name in kept if name != "quality.parquet"} == {
        name: inode for name, inode in kept.items() if name != "quality.parquet"
    }  # all files of all partitions are the old ones
    assert isinstance(cm.open_log(tmp_path).partitions[1], Patched)
    assert_same(tmp_path, step)
    update(tmp_path, picked(log, marked(log, *many)), log.cases["case_id"].gather(many))
    assert all("delta" not in entry for entry in entries(tmp_path))
    assert_same(tmp_path, log)


def test_new_names_of_activities_stand_behind_the_old_ones(crm: cm.Crm, tmp_path: Path) -> None:
    log = crm.event_log("case")
    reopened = log.filter(having=["reopened"]).cases["case_id"]
    has = log.cases["case_id"].is_in(reopened.implode())
    names = tuple(name for name in log.activities if name != "Reopen Case")
    code = {old: names.index(name) for old, name in enumerate(log.activities) if name in names}
    few = picked(log, ~has).only
    recoded = few.events.with_columns(pl.col("activity").replace_strict(code, return_dtype=pl.UInt16))
    replace(log, activities=names, partitions=(Partition(recoded, few.cases, few.values),)).save(tmp_path)
    update(tmp_path, picked(log, has), reopened)
    assert cm.open_log(tmp_path).activities == (*names, "Reopen Case")
    assert_same(tmp_path, log)


def test_all_cases_may_go_and_come_again(crm: cm.Crm, tmp_path: Path) -> None:
    log = crm.event_log("account")
    log.save(tmp_path, events=700)
    ids = log.cases["case_id"]
    update(tmp_path, picked(log, marked(log)), ids)
    assert cm.open_log(tmp_path).sizes == (0, 0)
    update(tmp_path, log, ids.head(0), events=700)
    assert_same(tmp_path, log)


def test_partitions_without_a_case_are_passed_over(crm: cm.Crm, tmp_path: Path) -> None:
    log = crm.event_log("account")
    log.save(tmp_path / "whole", events=300)
    ids = log.cases["case_id"]
    cm.open_log(tmp_path / "whole").filter(where=f"case_id < '{ids[20]}' or case_id >= '{ids[120]}'").save(
        tmp_path / "few", events=300
    )
    assert None in [entry["first"] for entry in entries(tmp_path / "few")]
    middle = marked(log, *range(20, 120))
    update(tmp_path / "few", replace(picked(log, middle), quality=log.quality), ids[20:120])
    assert_same(tmp_path / "few", log)


def test_an_update_of_what_somebody_else_changed_is_refused(
    crm: cm.Crm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = crm.event_log("lead")
    log.save(tmp_path)
    read = stored.read

    def slow(folder: Path) -> object:
        found = read(folder)
        log.save(tmp_path, events=700)
        return found

    monkeypatch.setattr(stored, "read", slow)
    with pytest.raises(cm.OutputError, match="was changed by somebody else meanwhile: open it again"):
        update(tmp_path, picked(log, marked(log, 7)), log.cases["case_id"].gather([7]))


def test_a_killed_update_leaves_the_old_log(
    crm: cm.Crm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = crm.event_log("case")
    old = earlier(log, marked(log, 3, 5), marked(log))
    old.save(tmp_path, events=1500)
    monkeypatch.setattr(pl.DataFrame, "write_parquet", killer(pl.DataFrame.write_parquet))
    with pytest.raises(KeyboardInterrupt):
        update(tmp_path, picked(log, marked(log, 3, 5)), log.cases["case_id"].gather([3, 5]))
    monkeypatch.undo()
    assert_same(tmp_path, old)


def killer(write: Callable[..., None]) -> Callable[..., None]:
    calls: list[Path] = []

    def killed(frame: pl.DataFrame, file: Path, *, compression: Literal["lz4"]) -> None:
        calls.append(file)
        if len(calls) == 3:
            raise KeyboardInterrupt
        write(frame, file, compression=compression)

    return killed


def test_a_log_of_other_definitions_is_not_updated(crm: cm.Crm, tmp_path: Path) -> None:
    crm.event_log("lead").save(tmp_path)
    log = crm.event_log("case")
    with pytest.raises(cm.CrmMiningError, match="was stored under other definitions: store the whole log"):
        update(tmp_path, log, log.cases["case_id"])


def test_files_are_copied_where_there_are_no_links(
    crm: cm.Crm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(source: Path, target: Path) -> None:
        raise OSError(f"no link from {source} to {target} here")

    log = crm.event_log("lead")
    earlier(log, marked(log, 7), marked(log)).save(tmp_path, events=900)
    monkeypatch.setattr(os, "link", refused)
    update(tmp_path, picked(log, marked(log, 7)), log.cases["case_id"].gather([7]))
    assert_same(tmp_path, log)

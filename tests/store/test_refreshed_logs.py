"""Logs of a refreshed store: replaced case by case, in one step with the tables, or left as they were."""

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import crmmining as cm
from crmmining.eventlog.stored import Patched
from crmmining.extract import adding, filing
from crmmining.store import keeping

Write = Callable[..., Path]
DEALS, DAY = 60, "2024-02-01"
HEAD = "Id,CreatedDate,StageName,OwnerId,Name"
HISTORY = "Id,OpportunityId,CreatedDate,Field,OldValue,NewValue"


def deal(at: int, stage: str = "New") -> str:
    return f"006q00000000{at:03},2024-01-02T10:{at % 60:02}:00Z,{stage},005q00000000001,Deal {at}"


def won(at: int, number: int, day: str = DAY) -> str:
    return f"017q00000000{number:03},006q00000000{at:03},{day}T09:00:00Z,StageName,New,Closed Won"


BASE = {
    "Opportunity": [HEAD, *(deal(at) for at in range(DEALS))],
    "OpportunityFieldHistory": [
        HISTORY,
        *(won(at, at, "2024-02-03" if at == 57 else DAY) for at in range(0, DEALS, 3)),
        won(99, 99),
    ],
    "User": ["Id,Name", "005q00000000001,Grace Hopper"],
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> cm.Crm:
    """Sixty opportunities, kept in a store and told in buckets of about 30 rows."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("stores")
    for name, lines in BASE.items():
        (source / f"{name}.csv").write_text("\n".join(lines), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keeping, "_BYTES_PER_ROW", int(1.5 * 2**30) // 30)
        made = cm.connect(source, store=folder / "store")
        assert len(made.event_log("opportunity").partitions) > 2
    return made


@pytest.fixture
def store(base: cm.Crm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the store; from now on nothing is told in whole."""
    assert base._store is not None
    folder = tmp_path / "store"
    shutil.copytree(base._store.folder, folder, ignore=shutil.ignore_patterns("spilled-*"))
    monkeypatch.setattr(adding, "tell", None)
    return folder


def merged(write: Write, batch: dict[str, list[str]], *gone: str) -> cm.Crm:
    """What the whole source gives after a batch."""
    tables = {}
    for name, (head, *lines) in BASE.items():
        fresh = batch.get(name, [head])[1:]
        keys = {line.split(",")[0] for line in fresh} | set(gone)
        tables[name] = [head, *(line for line in lines if line.split(",")[0] not in keys), *fresh]
    return cm.connect(write("merged", **tables))


def same(found: cm.Crm, wanted: cm.Crm) -> None:
    ours, theirs = found.event_log("opportunity"), wanted.event_log("opportunity")
    text = pl.col("activity").cast(pl.String)
    assert_frame_equal(ours.events.with_columns(text), theirs.events.with_columns(text))
    assert_frame_equal(ours.cases, theirs.cases)
    assert_frame_equal(ours.quality, theirs.quality)
    assert (ours.as_of, ours.tracked, ours.off) == (theirs.as_of, theirs.tracked, theirs.off)
    assert_frame_equal(found.scorecard("opportunity"), wanted.scorecard("opportunity"))


def files(store: Path) -> dict[str, int]:
    """What stands in a store, and which file it is."""
    there = [path for path in store.rglob("*") if path.is_file() and path.name != "in-use"]
    return {str(path.relative_to(store)): path.stat().st_ino for path in there}


def parts(store: Path) -> set[int]:
    """The files of events of all partitions."""
    return {place for name, place in files(store).items() if "/events-" in name}


BATCHES: dict[str, tuple[dict[str, list[str]], list[str]]] = {
    "a late row, and one that goes": (
        {"OpportunityFieldHistory": [HISTORY, won(1, 70, "2024-02-02")]},
        ["017q00000000003"],
    ),
    "a case that comes and one that goes": ({"Opportunity": [HEAD, deal(61)]}, ["006q00000000005"]),
    "an orphan's parent, and the clock goes on": (
        {"Opportunity": [HEAD, deal(99)], "OpportunityFieldHistory": [HISTORY, won(2, 71, "2024-03-01")]},
        [],
    ),
}


@pytest.mark.parametrize("name", BATCHES)
def test_a_stored_log_is_that_of_the_merged_source(name: str, store: Path, write: Write) -> None:
    batch, gone = BATCHES[name]
    before, crm = parts(store), cm.connect(store)
    deleted = {
        table: [key for key in gone if key.startswith(prefix)]
        for table, prefix in (("Opportunity", "006"), ("OpportunityFieldHistory", "017"))
    }
    account = crm.refresh(write("batch", **batch) if batch else None, deleted=deleted)
    line = account.filter(scope="process", name="opportunity").row(0, named=True)
    assert line["rebuilt"] in {"cases", "none"}
    assert line["cases"] <= 2
    same(crm, merged(write, batch, *gone))
    same(cm.connect(store), crm)
    assert len(before & parts(store)) >= len(before) - 2  # most are the same files


def test_one_refresh_after_the_other(store: Path, write: Write) -> None:
    crm, together = cm.connect(store), {"OpportunityFieldHistory": [HISTORY]}
    for step, at in enumerate((4, 40, 5)):
        row = won(at, 80 + step, f"2024-02-0{3 + step}")
        crm.refresh(write(f"batch {step}", OpportunityFieldHistory=[HISTORY, row]))
        together["OpportunityFieldHistory"].append(row)
        crm = cm.connect(store) if step else crm
    same(crm, merged(write, together))
    assert any(isinstance(part, Patched) for part in crm.event_log("opportunity").partitions)


def test_a_refresh_that_changes_nothing_leaves_everything_untouched(
    base: cm.Crm, store: Path, write: Write
) -> None:
    before, crm = files(store), cm.connect(store)
    log = crm.event_log("opportunity")
    account = crm.refresh(deleted={"Opportunity": ["006q00000000088"]})
    assert set(account["rebuilt"].drop_nulls()) <= {"none", "none: not built yet"}
    assert files(store) == before
    assert log.cases.height == DEALS
    events = parts(store)
    crm.refresh(write("copies", Opportunity=[HEAD, deal(1), deal(2)]))  # counted, and that is all
    assert parts(store) == events
    same(cm.connect(store), base)
    copies = crm.tables.quality.filter(table="Opportunity", reason="identical copy")
    assert copies["rows"].to_list() == [2]


def test_a_log_all_of_whose_cases_are_touched_is_told_when_it_is_asked_for(
    store: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    crm = cm.connect(store)
    batch = {"User": ["Id,Name", "005q00000000001,Grace Murray Hopper"]}
    account = crm.refresh(write("batch", **batch))
    line = account.filter(scope="process", name="opportunity").row(0, named=True)
    assert (line["cases"], line["rebuilt"]) == (0, "all: every case needs User")
    assert list((store / "logs").iterdir()) == []
    monkeypatch.undo()
    same(crm, merged(write, batch))


def test_a_log_whose_fates_are_lost_is_told_when_it_is_asked_for(
    store: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    (lost,) = store.rglob("counts.parquet")
    lost.unlink()
    crm = cm.connect(store)
    batch = {"OpportunityFieldHistory": [HISTORY, won(1, 70)]}
    assert "none: not built yet" in crm.refresh(write("batch", **batch))["rebuilt"].to_list()
    monkeypatch.undo()
    same(crm, merged(write, batch))


DEATHS: list[tuple[object, str, int]] = [  # at which call of what
    (keeping, "update", 1),
    (filing, "write", 1),
    (Path, "rename", 2),  # a log, into its place
    (Path, "replace", 2),  # the tables, into theirs
    (Path, "replace", 3),  # what is said of them
]


@pytest.mark.parametrize(("where", "what", "at"), DEATHS)
def test_a_killed_refresh_leaves_tables_and_logs_as_they_were(  # noqa: PLR0917  where it dies
    where: object,
    what: str,
    at: int,
    base: cm.Crm,
    store: Path,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch = {"OpportunityFieldHistory": [HISTORY, won(1, 70)]}
    changes, calls, real = write("batch", **batch), [0], getattr(where, what)

    def killed(*given: object, **more: object) -> object:
        calls[0] += 1
        if calls[0] == at:
            raise KeyboardInterrupt
        return real(*given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(where, what, killed)
        with pytest.raises(KeyboardInterrupt):
            cm.connect(store).refresh(changes)
    same(cm.connect(store), base)
    crm = cm.connect(store)
    crm.refresh(changes)
    same(crm, merged(write, batch))
    assert len(list((store / "logs").iterdir())) == 1

"""A simulated CRM that goes on: refreshed day by day, it is what it would be if loaded at the end."""

import csv
from itertools import pairwise
from pathlib import Path

import pytest

import crmmining as cm

from .conftest import Row, Tables, Write, merged, rebuilt, same_figures, same_logs, same_tables

SIZE = 400
MOMENTS = ("2025-06-01", "2025-06-04", "2025-06-08")


def read(folder: Path) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            found[path.stem] = [dict(row) for row in csv.DictReader(file)]
    return found


def stopped(place: Path, until: str, *, quirks: bool) -> Path:
    return cm.simulate(place / until, accounts=SIZE, seed=5, until=until, quirks=quirks)


def difference(before: Tables, after: Tables) -> dict[str, list[Row]]:
    """Rows that are new, or other than before."""
    found = {}
    for name, lines in after.items():
        known = {tuple(row.values()) for row in before.get(name, ())}
        if fresh := [row for row in lines if tuple(row.values()) not in known]:
            found[name] = fresh
    return found


@pytest.mark.parametrize("quirks", [False, True])
def test_days_that_follow_one_another(quirks: bool, tmp_path: Path, write_tables: Write) -> None:  # noqa: FBT001
    folders = [stopped(tmp_path, moment, quirks=quirks) for moment in MOMENTS]
    crm = cm.connect(folders[0], max_quarantine=1)
    for name in crm.processes:
        crm.event_log(name)
    how: set[str] = set()
    for before, after in pairwise(folders):
        batch = difference(read(before), read(after))
        shuffled = {name: [*reversed(lines), lines[0]] for name, lines in batch.items()}
        account = rebuilt(crm.refresh(write_tables(f"to {after.name}", shuffled)))
        how |= {line for _, line in account.values()}
    whole = cm.connect(folders[-1], max_quarantine=1)
    same_tables(crm, whole)
    same_logs(crm, whole)
    same_figures(crm, whole)
    assert "cases" in how


def test_some_of_what_changed_comes_late(tmp_path: Path, write_tables: Write) -> None:
    first, last = (read(stopped(tmp_path, moment, quirks=True)) for moment in MOMENTS[::2])
    batch = difference(first, last)
    some: dict[str, list[Row]] = {name: lines[::2] for name, lines in batch.items()}
    rest: dict[str, list[Row]] = {name: lines[1::2] for name, lines in batch.items() if len(lines) > 1}
    crm = cm.connect(tmp_path / MOMENTS[0], max_quarantine=1)
    for name in crm.processes:
        crm.event_log(name)
    crm.refresh(write_tables("some", some))
    half = cm.connect(write_tables("half", keyed(merged(first, some), last)), max_quarantine=1)
    same_tables(crm, half)
    same_logs(crm, half)
    crm.refresh(write_tables("rest", rest))
    whole = cm.connect(write_tables("whole", keyed(merged(first, batch), last)), max_quarantine=1)
    same_tables(crm, whole)
    same_logs(crm, whole)


def keyed(tables: Tables, whole: Tables) -> Tables:
    """The tables, those without Ids as they are at the end."""
    return {name: lines if "Id" in whole[name][0] else whole[name] for name, lines in tables.items()}

"""The four event logs against a second, naive implementation, written from the words of the definitions.

`naive_log` knows the TOML and the reference of Salesforce, not the SQL: loops over the rows of the CSV files.
Events are compared as multisets first, then in log order; cases by what was seen of their beginning.
"""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

import crmmining as cm

from . import naive_log
from .naive_log.mangle import mangle

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
PROCESSES = ["opportunity", "lead", "case", "account"]
Key = tuple[object, ...]


class World(NamedTuple):
    crm: cm.Crm
    tables: naive_log.Tables


def quirky(folder: Path) -> Path:
    return cm.simulate(folder / "quirky", accounts=30, seed=5, quirks=True)


def forgetful(folder: Path) -> Path:
    return cm.simulate(folder / "forgetful", accounts=30, seed=6, retention_months=12)


def snapshots_only(folder: Path) -> Path:
    return cm.simulate(
        folder / "snapshots", accounts=20, seed=3, quirks=True, without=["OpportunityFieldHistory"]
    )


def fields_only(folder: Path) -> Path:
    return cm.simulate(
        folder / "fields",
        accounts=20,
        seed=4,
        quirks=True,
        without=["OpportunityHistory"],
        retention_months=15,
    )


def mangled(folder: Path) -> Path:
    return mangle(naive_log.load(quirky(folder)), folder / "mangled", seed=1)


def mangled_again(folder: Path) -> Path:
    return mangle(naive_log.load(forgetful(folder)), folder / "mangled", seed=2)


def sample(_: Path) -> Path:
    return SAMPLE


MADE: list[Callable[[Path], Path]] = [
    sample, quirky, forgetful, snapshots_only, fields_only, mangled, mangled_again,
]  # fmt: skip


@pytest.fixture(scope="module", params=MADE, ids=lambda made: made.__name__)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = request.param(tmp_path_factory.mktemp("naive"))
    return World(cm.connect(folder, max_quarantine=1.0), naive_log.load(folder))


def keys_of(events: list[naive_log.Event]) -> list[Key]:
    return [
        (e.case_id, e.activity, e.occurred_at, e.recorded_at, e.source_table, e.source_id, e.direction,
         None if e.delta is None else round(e.delta, 6), e.date_only)
        for e in events
    ]  # fmt: skip


def keys_of_log(log: cm.EventLog) -> list[Key]:
    return [
        (e["case_id"], str(e["activity"]), e["occurred_at"], e["recorded_at"], e["source_table"],
         e["source_id"], e["direction"], None if e["delta"] is None else round(e["delta"], 6), e["date_only"])
        for e in log.events.iter_rows(named=True)
    ]  # fmt: skip


def cases_of_log(log: cm.EventLog) -> dict[str, tuple[datetime, bool]]:
    columns = log.cases.select("case_id", "created_at", "truncated")
    return {case: (created, truncated) for case, created, truncated in columns.iter_rows()}


def differences(mine: list[Key], theirs: list[Key]) -> list[tuple[str, Key]]:
    """Events that only one of the two tells, those of one case together."""
    one, other = Counter(mine), Counter(theirs)
    found = [("words", key) for key in (one - other).elements()]
    found += [("engine", key) for key in (other - one).elements()]
    return sorted(found, key=lambda said: (str(said[1][0]), str(said[1][2]), said[0]))[:20]


@pytest.mark.parametrize("as_of", [None, datetime(2024, 8, 1, tzinfo=UTC)], ids=["clock", "past"])
@pytest.mark.parametrize("process", PROCESSES)
def test_same_log(world: World, process: str, as_of: datetime | None) -> None:
    log = world.crm.event_log(process, as_of=as_of)
    mine, theirs = keys_of(naive_log.events(process, world.tables, log.as_of)), keys_of_log(log)
    assert len(mine) >= 40
    assert differences(mine, theirs) == []
    assert mine == theirs
    cases = naive_log.cases(process, world.tables, log.as_of)
    assert cases_of_log(log) == cases
    created = {key[0]: key[2] for key in mine if key[1] == f"Create {process.capitalize()}"}
    assert created == {case: moment for case, (moment, _) in cases.items()}


# Days stated for the whole of some histories, for fields of others, and for both.
STATED = {
    "AccountHistory": {"Rating": date(2024, 1, 1)},
    "CaseHistory": {"since": date(2024, 1, 1), "Status": date(2024, 9, 1)},
    "LeadHistory": {"since": date(2024, 9, 1), "Status": date(2024, 6, 1)},
    "OpportunityFieldHistory": {"since": date(2024, 6, 1), "Amount": date(2024, 1, 1)},
}


def test_same_truncated_cases_where_tracking_is_stated(tmp_path: Path) -> None:
    folder, overlay = fields_only(tmp_path), tmp_path / "overlay" / "salesforce"
    overlay.mkdir(parents=True)
    tracking = [
        f"[tracking.{table}]\n" + "".join(f"{word} = {day}\n" for word, day in days.items())
        for table, days in STATED.items()
    ]
    (overlay / "source.toml").write_text("\n".join(tracking), encoding="utf-8")
    crm, tables = cm.connect(folder, extractors=[overlay.parent]), naive_log.load(folder)
    for process in PROCESSES:
        log = crm.event_log(process)
        cases = naive_log.cases(process, tables, log.as_of, STATED)
        assert cases_of_log(log) == cases
        assert {cut for _, cut in cases.values()} == {True, False}, process

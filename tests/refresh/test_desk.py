"""Laws of refreshing on a small help desk: whatever comes in what steps, it is the merged source rebuilt."""

from typing import Any

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import crmmining as cm
from crmmining import refreshing

from .conftest import adds_up, same_figures, same_logs, same_tables
from .desk import Desk, connected, minute, refreshed, together

SMALL: Desk = {
    "Ticket": [
        ("t1", 1, "c1", None, "blue"),  # midnight could be any time of that day
        ("t2", 10, "c1", None, "blue"),
        ("t3", 20, "c2", "t1", "red"),
        ("t4", 25, "c3", None, "red"),
        ("t5", 26, "c4", None, "red"),
        ("t6", 27, "c5", None, "red"),
        ("t7", 28, "c6", None, "red"),
        ("t8", 29, "c7", None, "red"),
    ],
    "Change": [
        ("h1", "t1", 5, "ann", "Team", "red", "blue"),
        ("h2", "t4", 60, "ann", "Status", "new", "open"),
    ],
    "Note": [("n1", "t2", None, 15, 12, "ann", None), ("n2", None, "c1", 16, 16, "bob", None)],
}


def test_a_late_row_touches_its_case_alone() -> None:
    crm = connected(SMALL)
    before = crm.event_log("ticket")
    events = before.events
    assert refreshed(crm, {"Change": [("h3", "t5", 70, "bob", "Status", "new", "done")]}) == (1, "cases")
    assert before.events.equals(events)
    fresh = crm.event_log("ticket")
    assert (before.as_of, fresh.as_of) == (minute(60), minute(70))
    assert fresh.events.filter(pl.col("case_id") == "t5")["activity"].to_list() == ["Open", "Solve"]
    assert fresh.activities == (*before.activities, "Solve")  # codes stay what they were
    assert fresh.cases.filter(pl.col("case_id") == "t5")["outcome"].to_list() == ["solved"]


def test_a_note_that_moves_touches_both_tickets() -> None:
    crm = connected(SMALL)
    assert refreshed(crm, {"Note": [("n1", "t4", None, 15, 12, "ann", None)]}) == (4, "cases")
    after = connected(together(SMALL, {"Note": [("n1", "t4", None, 15, 12, "ann", None)]}))
    same_logs(crm, after)  # t2, t4; t1 shares a customer with t2, t3 went into t1


def test_a_ticket_that_is_merged_touches_both() -> None:
    crm, batch = connected(SMALL), {"Ticket": [("t6", 27, "c5", "t5", "red")]}
    assert refreshed(crm, batch) == (2, "cases")
    same_logs(crm, connected(together(SMALL, batch)))


def test_a_deleted_ticket_leaves_its_rows_behind() -> None:
    crm, gone = connected(SMALL), {"Ticket": ["t4"]}
    assert refreshed(crm, {}, gone) == (1, "cases")
    after = connected(together(SMALL, {}, gone))
    same_tables(crm, after)
    same_logs(crm, after)


def test_what_is_known_of_all_records_touches_every_case() -> None:
    crm, batch = connected(SMALL), {"Change": [("h0", "t4", 2, "ann", "Status", "new", "open")]}
    assert refreshed(crm, batch) == (7, "all: what is known of all records has changed")
    same_logs(crm, connected(together(SMALL, batch)))


def test_the_clock_alone_makes_known_what_was_not_yet() -> None:
    late: Desk = {**SMALL, "Note": [*SMALL["Note"], ("n9", "t5", None, 30, 65, "ann", None)]}
    crm, batch = connected(late), {"Change": [("h3", "t6", 70, "bob", "Status", "new", "done")]}
    assert "n9" not in crm.event_log("ticket").events["source_id"]
    assert refreshed(crm, batch) == (2, "cases")
    assert "n9" in crm.event_log("ticket").events["source_id"]
    same_logs(crm, connected(together(late, batch)))


def test_the_same_rows_again_change_nothing() -> None:
    crm = connected(SMALL)
    events = crm.event_log("ticket").events
    assert refreshed(crm, SMALL) == (0, "none")
    assert crm.event_log("ticket").events.equals(events)
    account = crm.tables.quality.filter(table="Note").select("disposition", "reason", "rows").rows()
    assert account == [("used", None, 2), ("filtered", "identical copy", 2)]


TICKETS = [f"t{at}" for at in range(7)]
WHEN = st.integers(0, 8).map(lambda number: number * 10)
WHO = st.sampled_from(["ann", "bob", None])
CUSTOMER = st.sampled_from(["c1", "c2", "c3", None])


@st.composite
def batches(draw: st.DrawFn) -> Desk:
    """Some rows of a desk, a few of them twice, some unreadable; nothing is merged in a circle."""
    names = draw(st.lists(st.sampled_from(TICKETS), max_size=4, unique=True))
    tickets = []
    for name in names:
        later = [other for other in TICKETS if other > name]
        into = draw(st.none() | st.sampled_from(later)) if later else None
        tickets.append((name, draw(WHEN), draw(CUSTOMER), into, draw(st.sampled_from(["red", "blue"]))))
    field, value = st.sampled_from(["Team", "Status"]), st.sampled_from(["new", "done", None])
    ids = st.sampled_from([f"h{at}" for at in range(8)])
    one = st.tuples(ids, st.sampled_from([*TICKETS, "t99"]), WHEN, WHO, field, value, value)
    ids = st.sampled_from([f"n{at}" for at in range(6)])
    flag = st.sampled_from([None, "true", "perhaps"])
    note = st.tuples(ids, st.none() | st.sampled_from(TICKETS), CUSTOMER, WHEN, WHEN, WHO, flag)
    twice: dict[str, list[Any]] = {
        "Ticket": tickets,
        "Change": draw(st.lists(one, max_size=5)),
        "Note": draw(st.lists(note, max_size=4)),
    }
    return {name: draw(st.permutations([*lines, *lines[:1]])) for name, lines in twice.items() if lines}


@st.composite
def deletions(draw: st.DrawFn) -> dict[str, list[str]]:
    some = st.lists(st.sampled_from(["t1", "t2", "t5", "h1", "h3", "n2", "n9"]), max_size=2, unique=True)
    found = draw(some)
    named = {"Ticket": "t", "Change": "h", "Note": "n"}
    return {
        name: keys for name, first in named.items() if (keys := [key for key in found if key[0] == first])
    }


@settings(max_examples=6, phases=[Phase.generate])
@given(start=batches(), steps=st.lists(st.tuples(batches(), deletions()), min_size=1, max_size=2))
def test_law_a_refresh_is_a_rebuild(start: Desk, steps: list[tuple[Desk, dict[str, list[str]]]]) -> None:
    anchor: Desk = {
        "Ticket": [("t0", 0, "c1", None, "red")],
        "Change": [("h9", "t0", 0, "ann", "Team", None, "red")],
    }
    now = together(start, anchor)
    crm = connected(now)
    supplied = {name: len(lines) for name, lines in now.items()}
    for batch, deleted in steps:
        named = {name: {line[0] for line in lines} for name, lines in batch.items()}
        gone = {
            name: [key for key in keys if key not in named.get(name, ())] for name, keys in deleted.items()
        }
        refreshed(crm, batch, gone)
        now = together(now, batch, gone)
        for name, lines in batch.items():
            supplied[name] += len(lines)
        after = connected(now)
        same_tables(crm, after)
        same_logs(crm, after)
        adds_up(crm, supplied)
    same_figures(crm, after)


def broken(*_: object, **__: object) -> None:
    raise cm.DefinitionError(["ticket.sql: broken"])


@pytest.mark.parametrize("where", ["told_log", "revised", "show", "census", "due"])
def test_a_refresh_that_fails_leaves_everything_as_it_was(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    crm, batch = connected(SMALL), {"Change": [("h3", "t5", 70, "bob", "Status", "new", "done")]}
    log, clock = crm.event_log("ticket"), crm.clock
    with monkeypatch.context() as patch:
        calls = iter([broken] * 3)
        patch.setattr(refreshing, where, lambda *_, **__: next(calls)())
        with pytest.raises(cm.DefinitionError, match="broken"):
            refreshed(crm, batch, {"Ticket": ["t4"]})
    assert crm.event_log("ticket") is log
    assert crm.clock == clock
    before = connected(SMALL)
    same_tables(crm, before)
    same_figures(crm, before)  # built anew where the moment is another
    assert refreshed(crm, batch) == (1, "cases")
    same_logs(crm, connected(together(SMALL, batch)))


def test_logs_that_were_not_asked_for_are_not_built() -> None:
    crm = connected(SMALL, log=False)
    crm.event_log("ticket", as_of=minute(30))
    assert refreshed(crm, {"Change": [("h3", "t5", 70, "bob", "Status", "new", "done")]}) == (
        0,
        "none: not built yet",
    )
    assert crm.event_log("ticket", as_of=minute(30)).as_of == minute(30)
    same_logs(crm, connected(together(SMALL, {"Change": [("h3", "t5", 70, "bob", "Status", "new", "done")]})))

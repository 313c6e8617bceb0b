"""From the rows of a small help desk to its log, by hand: every event, and what became of every row."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import crmmining as cm
from crmmining import EventLog

from .conftest import HERE, SMALL, Desk, Rows, account, told

MakeDesk = Callable[..., Desk]


def test_every_event_names_its_row_and_its_save(small: Desk) -> None:
    assert told(small.log(), "source_table", "source_id", "actor", "change_set") == [
        ("t1", 0, "Open", "Ticket", "t1", None, 0),
        ("t1", 16, "Note", "Note", "n2", "bob", 1),
        ("t1", 60, "Set: Team", "Change", "h1", "ann", 2),
        ("t1", 60, "Set: Status", "Change", "h2", "ann", 2),
        ("t1", 60, "Solve", "Change", "h3", "bob", 4),
        ("t1", 80, "Set: Status", "Change", "h5", "ann", 5),
        ("t2", 10, "Open", "Ticket", "t2", None, 0),
        ("t2", 12, "Note", "Note", "n1", "ann", 1),
    ]


def test_the_log_has_its_columns_whatever_the_sql_leaves_out(small: Desk) -> None:
    instant = pl.Datetime("us", "UTC")
    assert dict(small.log().events.schema) == {
        "case_id": pl.String(),
        "activity": pl.Enum(["Note", "Open", "Set: Status", "Set: Team", "Solve"]),
        "occurred_at": instant,
        "recorded_at": instant,
        "actor": pl.String(),
        "source_table": pl.Enum(["Ticket", "Change", "Note", "Person"]),
        "source_id": pl.String(),
        "change_set": pl.UInt32(),
        "old_value": pl.String(),
        "new_value": pl.String(),
        "direction": pl.Int8(),
        "delta": pl.Float64(),
        "date_only": pl.Boolean(),
    }
    assert small.log().events["date_only"].to_list() == [False] * 8
    assert small.log().events["delta"].to_list() == [None] * 8


def test_every_row_tells_an_event_or_has_a_reason(small: Desk) -> None:
    log = small.log()
    assert account(log, "Ticket") == {None: 2, "merged into another": 1}
    assert account(log, "Change") == {
        None: 4,
        "case deleted or unknown": 1,
        "old and new value are the same": 1,
    }
    assert account(log, "Note") == {
        None: 2,
        "NO RULE tells it": 1,
        "a draft": 1,
        "after as_of": 1,
        "not known yet": 1,
    }
    events = log.quality.filter(pl.col("table") == "ticket events").select("reason", "rows", "examples")
    assert events.rows() == [
        (None, 8, []),
        ("after as_of", 1, ["n6"]),
        ("case deleted or unknown", 1, ["h6"]),
    ]
    no_rule = log.quality.filter(pl.col("reason") == "NO RULE tells it")
    assert no_rule["examples"].to_list() == [["n4"]]


def test_edges_inside_a_save_are_left_out_unless_asked_for(small: Desk) -> None:
    edges = small.log().transitions().select("source", "target", "n").rows()
    assert edges == [("Open", "Set: Team", 1), ("Set: Status", "Solve", 1), ("Solve", "Set: Status", 1)]
    inside = small.log().transitions(same_save=True).select("source", "target", "n").rows()
    assert sorted(set(inside) - set(edges)) == [("Set: Team", "Set: Status", 1)]
    assert small.log().variants()["variant"].to_list() == [
        "Open",
        "Open > Set: Team > Set: Status > Solve > Set: Status",
    ]


def test_attributes_remember_what_they_were(small: Desk) -> None:
    (whole,) = small.log().partitions
    minutes = (pl.col("since").dt.epoch("s") - 1_704_067_200) // 60
    assert whole.values.select("case_ix", "attribute", minutes, "seq", "value").rows() == [
        (0, "team", 0, 0, "red"),
        (0, "team", 60, 0, "blue"),
    ]
    (early,) = small.log(as_of=59).partitions
    assert early.values.height == 0  # nothing has changed yet
    (filtered,) = small.log().filter(lacking=["Note"]).partitions
    assert (filtered.cases.height, filtered.values.height) == (0, 0)
    (kept,) = small.log().filter(where="case_id = 't2'").partitions
    assert (kept.cases["case_id"].to_list(), kept.values.height) == (["t2"], 0)


def test_evidence_leads_from_events_to_rows_and_from_rows_to_events(small: Desk) -> None:
    assert small.evidence("h1") == [("Change", "used", None, "t1", "Set: Team", 60)]
    assert small.evidence("t1") == [("Ticket", "used", None, "t1", "Open", 0)]
    assert small.evidence("h5") == [("Change", "used", None, "t1", "Set: Status", 80)]
    assert small.evidence("n2") == [("Note", "used", None, "t1", "Note", 16)]


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ("t3", ("Ticket", "filtered", "merged into another", None, None, None)),
        ("h4", ("Change", "filtered", "old and new value are the same", None, None, None)),
        ("h6", ("Change", "filtered", "case deleted or unknown", "t9", "Set: Status", 90)),
        ("n3", ("Note", "filtered", "a draft", None, None, None)),
        ("n4", ("Note", "filtered", "NO RULE tells it", None, None, None)),
        ("n5", ("Note", "filtered", "not known yet", None, None, None)),
        ("n6", ("Note", "filtered", "after as_of", "t2", "Note", 1500)),
    ],
)
def test_evidence_says_why_a_row_tells_nothing(small: Desk, row: str, line: tuple[Any, ...]) -> None:
    assert small.evidence(row) == [line]


def test_evidence_of_an_id_nobody_has_is_an_error(small: Desk) -> None:
    with pytest.raises(cm.CrmMiningError, match="no row of any table has the Id 'n99'"):
        small.evidence("n99")


def test_evidence_of_rows_in_quarantine_and_of_other_tables(desk: MakeDesk) -> None:
    odd = desk({"Ticket": SMALL["Ticket"], "Note": [("n1", "t1", None, 1, 1, "ann", "perhaps")]})
    assert odd.evidence("n1") == [("Note", "quarantined", "Draft is not true or false", None, None, None)]


def test_rows_that_tell_and_are_set_aside_count_as_used(desk: MakeDesk, tmp_path: Path) -> None:
    sql = (HERE / "desk" / "ticket.sql").read_text()
    unused = "CREATE TEMP VIEW unused AS\n"
    more = "SELECT 'Note' AS source_table, Id AS source_id, 'x' AS reason FROM Note UNION ALL\n"
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / "ticket.sql").write_text(sql.replace(unused, unused + more))
    log = desk(SMALL, [tmp_path]).log()
    assert account(log, "Note") == {None: 2, "a draft": 1, "not known yet": 1, "x": 2}


PARTS: Sequence[tuple[list[str], list[str]]] = [(["t1"], ["t2"]), (["t2", "t1"], []), ([], ["t1", "t2"])]


@pytest.mark.parametrize(("one", "other"), PARTS)
def test_some_cases_are_told_as_they_are_among_all(small: Desk, one: list[str], other: list[str]) -> None:
    same(small.log(), [small.log(one), small.log(other)])


def test_a_part_accounts_for_the_rows_it_was_shown(small: Desk) -> None:
    log = small.log(["t2"])
    assert account(log, "Note") == {
        None: 1,
        "a draft": 1,
        "after as_of": 1,
        "another case": 1,
        "not known yet": 1,
    }
    assert account(log, "Change") == {"another case": 4, "old and new value are the same": 1}
    assert log.cases["truncated"].to_list() == [True]  # the first change of all, though t2 has none


def test_a_merged_case_is_none_to_ask_for(small: Desk) -> None:
    log = small.log(["t3", "t99"])
    assert (log.cases.height, log.events.height) == (0, 0)


def same(whole: EventLog, parts: Sequence[EventLog]) -> None:
    """The logs of parts make the whole log."""
    plain = pl.col("activity").cast(pl.String)
    events = pl.concat([part.events.with_columns(plain) for part in parts]).sort(
        "case_id", maintain_order=True
    )
    assert_frame_equal(events, whole.events.with_columns(plain))
    assert_frame_equal(pl.concat([part.cases for part in parts]).sort("case_id"), whole.cases)
    values = [
        part.values.with_columns(part.cases["case_id"].gather(part.values["case_ix"])).drop("case_ix")
        for log in (*parts, whole)
        for part in log.partitions
    ]
    assert_frame_equal(pl.concat(values[:-1]).sort("case_id", maintain_order=True), values[-1])


TICKETS = st.integers(1, 6).map(lambda n: [f"t{i}" for i in range(n)])


@st.composite
def desks(draw: st.DrawFn) -> Mapping[str, Rows]:
    names = draw(TICKETS)
    maybe = st.none() | st.sampled_from(names)
    when = st.integers(0, 5).map(lambda n: n * 10)
    who = st.sampled_from(["ann", "bob", None])
    customer = st.sampled_from(["c1", "c2", None])
    tickets = []
    for at, name in enumerate(names):  # merged into later ones only: nothing is merged in a circle
        merged = draw(st.none() | st.sampled_from(names[at + 1 :])) if names[at + 1 :] else None
        tickets.append((name, draw(when), draw(customer), merged, "red"))
    field, value = st.sampled_from(["Team", "Status"]), st.sampled_from(["new", "done", None])
    changes = draw(
        st.lists(st.tuples(st.sampled_from([*names, "t99"]), when, who, field, value, value), max_size=8)
    )
    notes = draw(
        st.lists(st.tuples(maybe, customer, when, when, who, st.sampled_from([None, "true"])), max_size=8)
    )
    return {
        "Ticket": tickets,
        "Change": [(f"h{i}", *row) for i, row in enumerate(changes)],
        "Note": [(f"n{i}", *row) for i, row in enumerate(notes)],
    }


LAW = settings(max_examples=6)


@LAW
@given(tables=desks(), chance=st.randoms(use_true_random=False), as_of=st.sampled_from([25, 100]))
def test_law_the_order_of_rows_and_rows_sent_twice_change_nothing(
    tables: Mapping[str, Rows], chance: Random, as_of: int
) -> None:
    one = Desk(tables).log(as_of=as_of)
    shuffled = {name: chance.sample([*rows, *rows], 2 * len(rows)) for name, rows in tables.items()}
    other = Desk(shuffled).log(as_of=as_of)
    same(one, [other])
    assert_frame_equal(other.quality, one.quality)


@LAW
@given(tables=desks(), as_of=st.sampled_from([25, 100]), data=st.data())
def test_law_cases_apart_are_the_cases_together(
    tables: Mapping[str, Rows], as_of: int, data: st.DataObject
) -> None:
    desk = Desk(tables)
    whole = desk.log(as_of=as_of)
    cases = whole.cases["case_id"].to_list()
    cut = data.draw(st.integers(0, len(cases)))
    same(whole, [desk.log(cases[:cut], as_of), desk.log(cases[cut:], as_of)])


@LAW
@given(tables=desks(), as_of=st.sampled_from([25, 100]))
def test_law_every_row_is_accounted_for(tables: Mapping[str, Rows], as_of: int) -> None:
    desk = Desk(tables)
    log = desk.log(as_of=as_of)
    for name, rows in tables.items():
        assert sum(account(log, name).values()) == len(rows)
        for row in rows:
            lines = desk.evidence(row[0], as_of)
            used = log.events.filter(pl.col("source_id") == row[0])
            assert {line[1] for line in lines} == ({"used"} if used.height else {"filtered"})
            assert len([line for line in lines if line[1] == "used"]) == used.height

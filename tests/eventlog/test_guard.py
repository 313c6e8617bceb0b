"""SQL of definitions can make what is temporary, and change nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest

import crmmining as cm

from .conftest import HERE, SMALL, Desk

MakeDesk = Callable[..., Desk]
CASES = (
    "CREATE TEMP VIEW cases AS SELECT Id AS case_id, CreatedDate AS created_at, FALSE AS truncated, "
    "Team AS team FROM Ticket;"
)
OPENED = "SELECT Id AS case_id, 'Open' AS activity, CreatedDate AS occurred_at FROM Ticket"
WRITES = "SQL of definitions may make temporary tables, views and macros and change nothing else"


@pytest.fixture
def overlaid(desk: MakeDesk, tmp_path: Path) -> Callable[[str, str], Desk]:
    """The small desk with a statement added before one of its SQL files."""

    def made(file: str, statement: str) -> Desk:
        (tmp_path / "desk").mkdir()
        sql = (HERE / "desk" / file).read_text()
        (tmp_path / "desk" / file).write_text(f"{statement};\n{sql}")
        return desk(SMALL, [tmp_path])

    return made


@pytest.mark.parametrize("file", ["first.sql", "changes.sql", "merged.sql", "ticket.sql"])
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM memory.crm.Ticket",
        "UPDATE memory.crm.Ticket SET Team = 'red'",
        "DROP TABLE memory.crm.Note",
        "CREATE TABLE memory.crm.More AS SELECT 1 AS a",
        "ALTER TABLE memory.crm.Ticket ADD COLUMN More INTEGER",
    ],
)
def test_the_source_tables_cannot_be_written(
    overlaid: Callable[[str, str], Desk], file: str, statement: str
) -> None:
    changed = overlaid(file, statement)
    tickets = changed.crm.tables.connection.sql("FROM crm.Ticket ORDER BY ALL").pl()
    with pytest.raises(cm.DefinitionError, match=WRITES):
        changed.log()
    assert changed.crm.tables.connection.sql("FROM memory.crm.Ticket ORDER BY ALL").pl().equals(tickets)


@pytest.mark.parametrize(
    "statement", ["COMMIT", "ROLLBACK; BEGIN", "ATTACH ':memory:' AS other", "DETACH whole"]
)
def test_statements_that_could_get_round_it_are_refused(
    overlaid: Callable[[str, str], Desk], statement: str
) -> None:
    with pytest.raises(
        cm.DefinitionError, match=r"ticket\.sql: SQL of definitions must not hold (TRANS|AT|DE)"
    ):
        overlaid("ticket.sql", statement).log()


def test_what_one_process_makes_is_gone_before_the_next(overlaid: Callable[[str, str], Desk]) -> None:
    desk = overlaid("ticket.sql", "CREATE TEMP TABLE mine AS SELECT 1 AS a")
    assert desk.log().events.equals(desk.log().events)
    made = desk.crm.tables.connection.sql("SELECT table_name FROM duckdb_tables() WHERE temporary").pl()
    assert "mine" not in made["table_name"]


def test_a_failure_leaves_the_next_log_unharmed(overlaid: Callable[[str, str], Desk]) -> None:
    broken = overlaid("ticket.sql", "SELECT nothing FROM nowhere")
    for _ in range(2):
        with pytest.raises(cm.DefinitionError, match=r"ticket\.sql: Catalog Error"):
            broken.log()
    assert broken.crm.tables.connection.sql("SELECT count(*) FROM memory.crm.Ticket").pl().item() == 3


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ("SELECT 't1' AS case_id, 'Open' AS activity", "view 'events' lacks the column 'occurred_at'"),
        (
            "SELECT *, 'Person' AS source_table FROM told UNION ALL SELECT *, 'Elsewhere' FROM told",
            "view 'events' names the table Elsewhere, which has no path",
        ),
        ("SELECT *, 'high' AS rank FROM told", "Could not convert string 'high'"),
        ("SELECT *, 1 AS actor FROM told", "column 'actor' of view 'events' is Int32, it must be String"),
    ],
)
def test_events_must_keep_their_contract(desk: MakeDesk, tmp_path: Path, made: str, message: str) -> None:
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / "ticket.sql").write_text(
        f"{CASES} CREATE TEMP VIEW told AS "  # noqa: S608  our own words
        "SELECT Id AS case_id, 'Open' AS activity, CreatedDate AS occurred_at FROM Ticket; "
        f"CREATE TEMP VIEW events AS {made}"
    )
    with pytest.raises(cm.DefinitionError) as caught:
        desk(SMALL, [tmp_path]).log()
    assert message in str(caught.value)


def test_a_process_may_be_short(desk: MakeDesk, tmp_path: Path) -> None:
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / "ticket.sql").write_text(
        f"{CASES} CREATE TEMP VIEW events AS "  # noqa: S608  our own words
        "SELECT Id AS case_id, 'Open' AS activity, CreatedDate AS occurred_at FROM Ticket"
    )
    log = desk(SMALL, [tmp_path]).log()
    assert log.events["case_id"].to_list() == ["t1", "t2", "t3"]
    assert log.events["recorded_at"].to_list() == log.events["occurred_at"].to_list()


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("Ticket Id", "'Ticket Id' is neither 'Column' nor 'Column -> Table.Column'"),
        ("TicketId | ", "'' is neither 'Column' nor 'Column -> Table.Column'"),
        ("TicketId -> Ticket", "'TicketId -> Ticket' is neither 'Column' nor 'Column -> Table.Column'"),
        ("TicketId -> Ticket.CustomerId -> Note.TicketId", "a way ends where it meets Ticket"),
        ("TicketId -> Person.Name | Nothing", "'Note.Nothing' is not declared in source.toml"),
        ("TicketId -> Elsewhere.Id", "'Elsewhere' has no path itself"),
    ],
)
def test_paths_are_checked_when_they_are_read(desk: MakeDesk, tmp_path: Path, path: str, fault: str) -> None:
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / "ticket.toml").write_text(f'[paths]\nNote = "{path}"\n')
    with pytest.raises(cm.DefinitionError) as caught:
        desk(SMALL, [tmp_path])
    assert f"paths.Note: {fault}" in str(caught.value)

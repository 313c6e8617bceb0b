"""The SQL files in a stranger's shell: source.sql, then a process, on tables straight from CSV files."""

import csv
from pathlib import Path

import duckdb
import pytest

from crmmining import Crm
from crmmining.definitions import Catalogue, read_catalogue, shipped

PROCESSES = ("account", "case", "lead", "opportunity")
FOLDER = shipped("extractors") / "salesforce"


@pytest.fixture
def shell(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> duckdb.DuckDBPyConnection:
    for name in catalogue.source.tables:
        file = shipped("data/sample") / f"{name}.csv"
        if file.exists():  # the other tables stay empty
            with file.open(encoding="utf-8", newline="") as lines:
                header = next(csv.reader(lines))
            columns = ", ".join(f'"{c}"' for c in header if c in catalogue.source.tables[name].columns)
            connection.execute(
                f'INSERT INTO "{name}" ({columns}) SELECT {columns} FROM read_csv(?, all_varchar = true)',  # noqa: S608
                [str(file)],
            )
    return connection


@pytest.mark.parametrize("process", PROCESSES)
def test_a_shell_tells_as_much_as_the_engine(
    shell: duckdb.DuckDBPyConnection, sample: Crm, process: str
) -> None:
    shell.execute((FOLDER / "source.sql").read_text(encoding="utf-8"))
    shell.execute((FOLDER / f"{process}.sql").read_text(encoding="utf-8"))
    log = sample.event_log(process)
    told = shell.sql("FROM events").pl()
    counted = log.quality.filter(table=f"{process} events")
    assert told.height == counted["rows"].sum()  # the used and the filtered ones
    assert told.height >= log.events.height > 2000
    assert set(told["source_id"]) >= set(log.events["source_id"])
    assert set(shell.sql("SELECT case_id FROM cases").pl()["case_id"]) == set(log.cases["case_id"])


def test_what_is_shared_takes_no_name_that_is_taken(
    connection: duckdb.DuckDBPyConnection, catalogue: Catalogue
) -> None:
    connection.execute((FOLDER / "source.sql").read_text(encoding="utf-8"))
    views = connection.sql("SELECT view_name FROM duckdb_views() WHERE temporary AND NOT internal").pl()
    assert set(views["view_name"]) == {"people", "field_history", "touches"}
    taken = {"cases", "events", "stages", *(name.lower() for name in catalogue.source.tables)}
    assert taken.isdisjoint(views["view_name"])


def test_an_overlay_of_the_shared_sql_reaches_every_process(tmp_path: Path, catalogue: Catalogue) -> None:
    folder = tmp_path / "salesforce"
    folder.mkdir()
    (folder / "source.sql").write_text("SELECT 'ours';\n")
    ours = read_catalogue(extractors=[tmp_path])
    for name in PROCESSES:
        own = (FOLDER / f"{name}.sql").read_text(encoding="utf-8")
        assert ours.process(name).sql == f"SELECT 'ours';\n\n{own}"
        assert ours.process(name).fingerprint != catalogue.process(name).fingerprint

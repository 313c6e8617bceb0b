"""The SQL files in a stranger's shell: those of [sql], then a process, on tables straight from CSV files."""

import csv
from pathlib import Path

import duckdb
import polars as pl
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


def read_shared(shell: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    files = catalogue.source.sql
    for name in (*files.census, *files.history, *files.shared):
        shell.execute((FOLDER / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("process", PROCESSES)
def test_a_shell_tells_as_much_as_the_engine(
    shell: duckdb.DuckDBPyConnection, sample: Crm, catalogue: Catalogue, process: str
) -> None:
    read_shared(shell, catalogue)
    for level in catalogue.process(process).ranked:  # what the TOML states, a shell must be told
        shell.execute("INSERT INTO levels VALUES (?, ?, ?)", level)
    shell.execute((FOLDER / f"{process}.sql").read_text(encoding="utf-8"))
    log = sample.event_log(process)
    told = shell.sql("FROM events").pl().filter(pl.col("occurred_at") <= log.as_of)
    assert told.height >= log.events.height > 2000
    keys = ["activity", "occurred_at", "source_id"]
    assert set(log.events.select(pl.col(keys).cast(pl.String)).rows()) <= set(
        told.select(pl.col(keys).cast(pl.String)).rows()
    )
    assert set(shell.sql("SELECT case_id FROM cases").pl()["case_id"]) == set(log.cases["case_id"])


def test_reading_the_files_twice_changes_nothing(
    shell: duckdb.DuckDBPyConnection, catalogue: Catalogue
) -> None:
    def told() -> list[pl.DataFrame]:
        return [shell.sql(f"FROM {name} ORDER BY ALL").pl() for name in ("changes", "coverage", '"Case"')]

    shell.execute("SET VARIABLE as_of = TIMESTAMPTZ '2024-06-30'")
    read_shared(shell, catalogue)
    first = told()
    read_shared(shell, catalogue)
    assert all(again.equals(before) for again, before in zip(told(), first, strict=True))


def test_what_is_shared_takes_a_table_s_name_only_to_show_it_as_it_was(
    connection: duckdb.DuckDBPyConnection, catalogue: Catalogue
) -> None:
    read_shared(connection, catalogue)
    temporary = connection.sql("""
        SELECT view_name AS name FROM duckdb_views() WHERE temporary AND NOT internal
        UNION ALL SELECT table_name FROM duckdb_tables() WHERE temporary
    """).pl()
    names = {name.lower() for name in temporary["name"]}
    assert names.isdisjoint({"cases", "events", "unused", "attributes", "stages"})
    state = {name for name in catalogue.source.tables if name.lower() in names}
    assert {"Account", "Case", "Lead", "Opportunity", "Task", "Contact"} <= state
    for name in state:  # all its columns, in their order
        columns = [connection.sql(f'FROM {place}."{name}" LIMIT 0').columns for place in ("temp", "as_of")]
        assert columns[0] == columns[1]


def test_an_overlay_of_the_shared_sql_reaches_every_process(tmp_path: Path, catalogue: Catalogue) -> None:
    folder = tmp_path / "salesforce"
    folder.mkdir()
    (folder / "people.sql").write_text("SELECT 'ours';\n")
    ours = read_catalogue(extractors=[tmp_path])
    before = (FOLDER / "people.sql").read_text(encoding="utf-8")
    for name in PROCESSES:
        shared = catalogue.process(name).shared
        assert shared.count(before) == 1
        assert ours.process(name).shared == shared.replace(before, "SELECT 'ours';\n")
        assert ours.process(name).fingerprint != catalogue.process(name).fingerprint


def test_an_overlay_may_add_files_of_its_own(tmp_path: Path, catalogue: Catalogue) -> None:
    folder = tmp_path / "salesforce"
    folder.mkdir()
    (folder / "ours.sql").write_text("SELECT 'ours';\n")
    files = [*catalogue.source.sql.shared, "ours.sql"]
    (folder / "source.toml").write_text(f"[sql]\nshared = {files}\n")
    ours = read_catalogue(extractors=[tmp_path])
    for name in PROCESSES:
        assert ours.process(name).shared == f"{catalogue.process(name).shared}\nSELECT 'ours';\n"

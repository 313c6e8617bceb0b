"""The page on event logs cannot drift: its code is run, its tables are the rows of the sample."""

import csv
import re
from pathlib import Path

import pytest

from crmmining.definitions import shipped

from .conftest import DOCS, run

PAGE = (DOCS / "event-logs.md").read_text(encoding="utf-8")
COMMENT = "tells"  # a column of the tables that is no column of the data


def rows_shown() -> list[dict[str, str]]:
    """The rows of all tables of the page that stand outside of code."""
    prose = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
    shown: list[dict[str, str]] = []
    for table in re.findall(r"(?:^\|.*\n)+", prose, flags=re.MULTILINE):
        header, _, *rows = [
            [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()
        ]
        shown += [dict(zip(header, row, strict=True)) for row in rows]
    return shown


def test_the_code_gives_the_output_that_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("event-logs.md", tmp_path, monkeypatch)


def test_the_rows_in_the_tables_are_the_sample_s() -> None:
    found: dict[str, dict[str, str]] = {}
    for file in shipped("data/sample").glob("*.csv"):
        with file.open(encoding="utf-8", newline="") as opened:
            lines = list(csv.DictReader(opened))
        found |= {line["Id"]: line for line in lines if "Id" in line}
        found |= {line["ApiName"]: line for line in lines if file.stem == "OpportunityStage"}
    shown = rows_shown()
    assert len(shown) == 26 + 10 + 1
    for row in shown:
        source = found[row.get("Id") or row["ApiName"]]
        assert {name: source[name] for name in row if name != COMMENT} == {
            name: cell for name, cell in row.items() if name != COMMENT
        }


def test_all_rows_of_the_opportunity_are_shown() -> None:
    lines = [
        line
        for file in shipped("data/sample").glob("*.csv")
        for line in file.read_text(encoding="utf-8").splitlines()
        if "0065e000000003LAAQ" in line
    ]
    assert len(lines) == 26
    assert {line.split(",")[0] for line in lines} <= {row.get("Id") for row in rows_shown()}

"""A file that ends too early, wherever it does.

A cut is either refused or told, with one exception that no reader can see: a cut exactly between two
rows leaves a perfect shorter file. Only a count or hash from whoever exported it can tell.
"""

import csv
import io
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from crmmining.errors import SourceError
from crmmining.sources.csv_files import CsvFile


def forty_rows(line_end: str) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=line_end)
    writer.writerow(["Id", "Name", "Stage"])
    for at in range(40):
        name = ("Ada", 'said "hi"', "two\nlines", "\u00e9\u20ac", "a,b", "")[at % 6]
        writer.writerow([f"k{at}", name, f"s{at % 4}"])
    return text.getvalue().encode()


def outcome(data: bytes, path: Path, connection: duckdb.DuckDBPyConnection) -> tuple[str, int]:
    """What happens, and how many rows are read."""
    path.write_bytes(data)
    file = CsvFile(path=path, name="Lead")
    try:
        header = file.columns()
        evidence = file.inspect(range(len(header)))
        with file.scan(connection, range(len(header))) as relation:
            rows = connection.sql(f"SELECT count(c0) FROM {relation}").pl().item()  # noqa: S608 - our own
    except SourceError:
        return "refused", 0
    assert rows == evidence.rows
    if header != ["Id", "Name", "Stage"]:
        return "a column is missing", rows
    return ("told" if evidence.remarks else "silent"), rows


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_every_byte(line_end: str, tmp_path: Path) -> None:
    whole = forty_rows(line_end)
    records = [whole[:end] for end in ends_of_records(whole, line_end)]
    assert len(records) == 41
    connection = duckdb.connect(":memory:")
    seen: Counter[str] = Counter()
    for size in range(len(whole)):
        how, rows = outcome(whole[:size], tmp_path / "Lead.csv", connection)
        seen[how] += 1
        if how == "silent":
            assert whole[:size] in records
            assert rows == records.index(whole[:size])
    assert seen["silent"] == 40
    assert seen["refused"] > seen["told"] > 0
    assert outcome(whole, tmp_path / "Lead.csv", connection) == ("silent", 40)


def ends_of_records(data: bytes, line_end: str) -> list[int]:
    """Where a line end stands outside quotes, by walking through the text."""
    ends, quoted = [], False
    for at in range(len(data)):
        quoted ^= data[at : at + 1] == b'"'
        if not quoted and data[: at + 1].endswith(line_end.encode()):
            ends.append(at + 1)
    return ends

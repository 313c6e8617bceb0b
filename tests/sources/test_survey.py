import csv
import hashlib
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmmining.sources import survey as module
from crmmining.sources.survey import survey

CELL = st.text(st.sampled_from(list('ab,"\n\r \u00e9\U0001f600')), max_size=6)


@pytest.mark.parametrize(
    ("data", "rows", "ended"),
    [
        (b"a,b\n", 0, True),
        (b"a,b", 0, False),
        (b"a,b\n1,2\n3,4\n", 2, True),
        (b"a,b\n1,2\n3,4", 2, False),
        (b"a,b\r\n1,2\r\n3,4\r\n", 2, True),
        (b"a,b\r1,2\r3,4", 2, False),
        (b'a,b\n1,"x\ny\n"\n', 1, True),
        (b'a,b\n1,"say ""hi""\n"\n3,4\n', 2, True),
        (b"a,b\n\n1,2\n\n\n", 1, True),
        (b"a,b\r\n\r\n1,2\r\n", 1, True),
        (b"\xef\xbb\xbfa,b\n1,2\n", 1, True),
    ],
)
def test_rows_behind_the_header(tmp_path: Path, data: bytes, rows: int, *, ended: bool) -> None:
    (tmp_path / "x.csv").write_bytes(data)
    found = survey(tmp_path / "x.csv", single_column=False)
    assert (found.rows, found.ended, found.balanced, found.nul) == (rows, ended, True, False)
    assert found.sha256 == hashlib.sha256(data).hexdigest()


def test_quotes_that_never_close_and_nuls(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b'a,b\n1,"2\n3,\x004\n')
    found = survey(tmp_path / "x.csv", single_column=False)
    assert (found.balanced, found.nul) == (False, True)


def test_a_blank_line_is_a_value_in_a_single_column(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"a\n1\n\n3\n")
    assert survey(tmp_path / "x.csv", single_column=True).rows == 3
    assert survey(tmp_path / "x.csv", single_column=False).rows == 2


@given(
    rows=st.lists(st.tuples(CELL, CELL), max_size=8),
    line_end=st.sampled_from(["\n", "\r\n"]),
    size=st.integers(1, 9),
)
def test_what_python_writes_is_counted_whatever_the_chunks(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], line_end: str, size: int
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=line_end).writerows([("a", "b"), *rows])
    path = tmp_path_factory.mktemp("survey") / "x.csv"
    path.write_bytes(text.getvalue().encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CHUNK", size)
        found = survey(path, single_column=False)
    assert (found.rows, found.ended, found.balanced) == (len(rows), True, True)

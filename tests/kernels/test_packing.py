"""Rows of integers sort and count as one packed integer each, or as they are when they are too wide."""

from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmmining.kernels import packing

SCHEMA = {"a": pl.UInt32, "b": pl.Int64, "c": pl.Int8}
NARROW = st.tuples(st.integers(0, 5), st.integers(-3, 3), st.integers(-128, 127))
WIDE = st.tuples(st.integers(0, 2**32 - 1), st.integers(-(2**63), 2**63 - 1), st.integers(-128, 127))


@given(st.one_of(st.lists(NARROW, max_size=30), st.lists(WIDE, max_size=30)))
def test_rows_sort_and_count_as_in_plain_python(rows: list[tuple[int, int, int]]) -> None:
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    assert packing.sort_rows(frame).equals(pl.DataFrame(sorted(rows), schema=SCHEMA, orient="row"))
    expected = [(*row, n) for row, n in sorted(Counter(rows).items())]
    assert packing.tally_rows(frame).equals(
        pl.DataFrame(expected, schema=SCHEMA | {"n": pl.Int64}, orient="row")
    )


@pytest.mark.parametrize("top", [2**60 - 1, 2**60])
def test_sixty_three_bits_are_packed_and_sixty_four_are_not(top: int) -> None:
    rows = [(0, top, 4), (7, 0, 4), (0, 0, 4), (7, top, 4), (7, top, 4)]
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    assert packing.sort_rows(frame).rows() == sorted(rows)
    assert packing.tally_rows(frame).rows() == [
        (0, 0, 4, 1),
        (0, top, 4, 1),
        (7, 0, 4, 1),
        (7, top, 4, 2),
    ]

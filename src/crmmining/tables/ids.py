"""Salesforce Ids: 15 case-sensitive characters, or 18 with a checksum of their capitals."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_SHORT, _LONG, _BLOCK = 15, 18, 5
_LETTERS = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", dtype=np.uint8)
_NONE, _PLAIN, _CAPITAL = 2, 0, 1
_KIND = np.full(256, _NONE, dtype=np.uint8)
_KIND[list(b"0123456789abcdefghijklmnopqrstuvwxyz")] = _PLAIN
_KIND[list(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")] = _CAPITAL

Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


def normalise(values: pa.StringArray) -> pa.StringArray:
    """Every Id in 18 characters; null for what is none: wrong length, foreign characters, wrong checksum.

    >>> normalise(pa.array(["006q000000Hddoh", "0011i000007K2LEAA0", "0011i000007k2LEAA0", "x"])).to_pylist()
    ['006q000000HddohAAB', '0011i000007K2LEAA0', None, None]
    """
    result = np.full(len(values), None, dtype=object)
    for length in (_SHORT, _LONG):
        rows, columns = _characters(values, length)
        suffix, valid = _checksum(columns)
        if length == _LONG:
            valid &= (suffix == columns[_SHORT:]).all(axis=0)
        whole = np.ascontiguousarray(np.concatenate([columns[:_SHORT], suffix])[:, valid].T)
        result[rows[valid]] = whole.view(f"S{_LONG}").ravel().astype(f"U{_LONG}")
    return pa.array(result, type=pa.string())


def irregular(values: pa.StringArray) -> npt.NDArray[np.int64]:
    """Positions of values that are neither null nor a valid Id of 18 characters."""
    rows, columns = _characters(values, _LONG)
    suffix, valid = _checksum(columns)
    valid &= (suffix == columns[_SHORT:]).all(axis=0)
    odd: Mask = np.asarray(values.is_valid())
    odd[rows[valid]] = False
    return np.flatnonzero(odd)


def _characters(values: pa.StringArray, length: int) -> tuple[npt.NDArray[np.int64], Bytes]:
    """Rows whose value has `length` bytes, and their bytes: one line per character, one column per row."""
    fits = pc.equal(pc.binary_length(values), length).fill_null(False)  # noqa: FBT003 - pyarrow's signature
    chosen = values.filter(fits)
    start = chosen.offset * length
    text = chosen.buffers()[2]
    flat = np.frombuffer(text, dtype=np.uint8) if text else np.empty(0, dtype=np.uint8)
    matrix = flat[start : start + len(chosen) * length].reshape(-1, length)
    return np.flatnonzero(np.asarray(fits)), np.ascontiguousarray(matrix.T)


def _checksum(columns: Bytes) -> tuple[Bytes, Mask]:
    kinds = _KIND[columns]
    valid: Mask = (kinds != _NONE).all(axis=0)
    capitals = (
        (kinds[:_SHORT] == _CAPITAL).astype(np.uint8).reshape(_SHORT // _BLOCK, _BLOCK, columns.shape[1])
    )
    codes = np.zeros((_SHORT // _BLOCK, columns.shape[1]), dtype=np.uint8)
    for place in range(_BLOCK):
        codes |= capitals[:, place] << place
    return _LETTERS[codes], valid

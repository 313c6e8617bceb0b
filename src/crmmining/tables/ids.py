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

# Two characters at once: which of them are capitals (bits 1 and 2), and whether one belongs in no Id (bit 4).
_TWO = np.stack([np.tile(_KIND, 256), np.repeat(_KIND, 256)])
_PAIRS = ((_TWO[0] == _CAPITAL) | (_TWO[1] == _CAPITAL) << 1 | (_TWO == _NONE).any(axis=0) << 2).astype(
    np.uint8
)
_FOREIGN = 4
_STRETCH = 1 << 14  # Ids whose characters stay in the processor's cache

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
    fits = pc.equal(pc.binary_length(values), _LONG).fill_null(False)  # noqa: FBT003 - pyarrow's signature
    matrix = _matrix(values.filter(fits), _LONG)
    valid = np.empty(len(matrix), dtype=np.bool_)
    for start in range(0, len(matrix), _STRETCH):
        pairs = np.ascontiguousarray(matrix[start : start + _STRETCH].view("<u2").T)
        kinds = _PAIRS[pairs[:-1]].astype(np.uint16)
        capitals = np.zeros(kinds.shape[1], dtype=np.uint16)
        for place, kind in enumerate(kinds):
            capitals |= (kind & 3) << (2 * place)
        expected = [_LETTERS[(capitals >> (_BLOCK * block)) & 31] for block in range(3)]
        last = pairs[-2] >> 8, pairs[-1] & 255, pairs[-1] >> 8
        good = ~(kinds & _FOREIGN).any(axis=0)
        for letter, found in zip(expected, last, strict=True):
            good &= letter == found
        valid[start : start + _STRETCH] = good
    odd: Mask = np.asarray(values.is_valid())
    odd[np.flatnonzero(np.asarray(fits))[valid]] = False
    return np.flatnonzero(odd)


def _characters(values: pa.StringArray, length: int) -> tuple[npt.NDArray[np.int64], Bytes]:
    """Rows whose value has `length` bytes, and their bytes: one line per character, one column per row."""
    fits = pc.equal(pc.binary_length(values), length).fill_null(False)  # noqa: FBT003 - pyarrow's signature
    chosen = values.filter(fits)
    return np.flatnonzero(np.asarray(fits)), np.ascontiguousarray(_matrix(chosen, length).T)


def _matrix(values: pa.StringArray, length: int) -> Bytes:
    """The bytes of values that all have `length`: one line per value."""
    start = values.offset * length
    text = values.buffers()[2]
    flat = np.frombuffer(text, dtype=np.uint8) if text else np.empty(0, dtype=np.uint8)
    return flat[start : start + len(values) * length].reshape(-1, length)


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

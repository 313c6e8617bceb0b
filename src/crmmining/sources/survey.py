"""One pass over a CSV file's bytes: its hash, its encoding, and how many rows a reader must find."""

import codecs
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crmmining.errors import SourceError

_CHUNK = 4 * 1024 * 1024
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_QUOTE, _LF, _CR = b'"\n\r'


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What the bytes of a CSV file tell, whatever reads it.

    `rows` counts the records behind the header, an unfinished last one included and blank lines not; quotes
    are taken as RFC 4180 has them, and `balanced` is false when the last one never closes. `ended` is false
    when the last record has no line end.
    """

    sha256: str
    rows: int
    ended: bool
    balanced: bool
    nul: bool


def survey(path: Path, *, single_column: bool) -> Survey:
    """Read the file once; SourceError when it is not UTF-8. In a single column a blank line is a value."""
    digest = hashlib.sha256()
    decoder = codecs.getincrementaldecoder("utf-8")()
    records = _Records(keep_blank=single_column)
    nul = False
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                decoder.decode(chunk)
                records.feed(chunk)
                nul = nul or b"\0" in chunk
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise SourceError(encoding_fault(path)) from error
    except OSError as error:
        raise SourceError(f"{path.name} cannot be read: {error.strerror}") from error
    return Survey(
        sha256=digest.hexdigest(),
        rows=records.count() - 1,
        ended=records.ended,
        balanced=records.balanced,
        nul=nul,
    )


def encoding_fault(path: Path) -> str:
    """Which line of a file is no UTF-8, and what the file probably is instead."""
    with path.open("rb") as file:
        if file.read(2) in _UTF16:
            return f"{path.name} is not UTF-8 (its first bytes say UTF-16): export it again as UTF-8"
        file.seek(0)
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                if error.reason == "unexpected end of data" and not line.endswith(b"\n"):
                    return f"{path.name}, line {number}: the file ends inside a character; export it again"
                return (
                    f"{path.name}, line {number}: byte 0x{line[error.start]:02X} is not UTF-8 "
                    "(the file looks like ISO-8859-1 or Windows-1252): export it again as UTF-8"
                )
    return f"{path.name} is not UTF-8"


class _Records:
    """Counts the records of a CSV file that arrives in chunks."""

    def __init__(self, *, keep_blank: bool) -> None:
        self._keep_blank = keep_blank
        self._line_end: int | None = None
        self._records = 0
        self._quoted = False
        self._pending = 0  # bytes since the last line end, a final carriage return not counted
        self._last = _LF

    @property
    def ended(self) -> bool:
        return self._pending == 0

    @property
    def balanced(self) -> bool:
        return not self._quoted

    def count(self) -> int:
        return self._records + (not self.ended)

    def feed(self, chunk: bytes) -> None:
        text = np.frombuffer(chunk, dtype=np.uint8)
        quotes = np.flatnonzero(text == _QUOTE)
        if self._line_end is None and b"\n" in chunk:
            self._line_end = _LF
        elif self._line_end is None and b"\r" in chunk[:-1]:
            self._line_end = _CR
        ends = np.flatnonzero(text == (self._line_end or _LF))
        outside = (np.searchsorted(quotes, ends) + self._quoted) % 2 == 0
        ends = ends[outside]
        self._records += len(ends) if self._keep_blank else self._filled(text, ends)
        self._quoted ^= bool(len(quotes) % 2)
        rest = text[int(ends[-1]) + 1 :] if len(ends) else text
        self._pending = len(rest) + (0 if len(ends) else self._pending)
        self._last = int(text[-1])

    def _filled(self, text: npt.NDArray[np.uint8], ends: npt.NDArray[np.intp]) -> int:
        """How many of the records that end in this chunk hold anything."""
        if not len(ends):
            return 0
        lengths = np.diff(ends, prepend=-1) - 1
        lengths[0] += self._pending
        before = text[ends - 1]
        before[0] = text[ends[0] - 1] if ends[0] else self._last
        return int(np.count_nonzero(lengths > (before == _CR)))

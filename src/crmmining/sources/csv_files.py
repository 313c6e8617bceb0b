"""CSV as RFC 4180 says and nothing else: comma, double quote, one header line, UTF-8; never sniffed."""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

import csv
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import duckdb

from crmmining.errors import SourceError
from crmmining.sources.paths import refuse_undecodable, shown
from crmmining.sources.survey import Survey, encoding_fault, survey
from crmmining.tables import Evidence
from crmmining.tables.sql import file_literal

MAX_ROW_BYTES = 16 * 1024 * 1024
_DIALECT = (
    "auto_detect = false, header = true, skip = 0, delim = ',', quote = '\"', escape = '\"', comment = '', "
    "nullstr = '', all_varchar = true, strict_mode = true, null_padding = false, ignore_errors = false, "
    f"encoding = 'utf-8', max_line_size = {MAX_ROW_BYTES}"
)
_CUT = "The file may have been cut; export it again."
_ENDING = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True)
class CsvFile:
    """One CSV file as a raw table; a row may have up to `MAX_ROW_BYTES` bytes."""

    path: Path
    name: str

    @property
    def origin(self) -> str:
        """The file's name."""
        return shown(self.path)

    def columns(self) -> list[str]:
        """The header's names, read by Python's own CSV reader."""
        return self._header

    def inspect(self, positions: Sequence[int]) -> Evidence:  # noqa: ARG002 - a file is judged as a whole
        """Hash the file's bytes and count its rows; SourceError when they are not UTF-8."""
        found = self._survey
        remarks = []
        if not found.ended:
            remarks.append(f"{self.origin} has no final newline: it may have been cut")
        if found.nul:
            remarks.append(f"{self.origin} holds NUL characters: removed")
        return Evidence(sha256=found.sha256, rows=found.rows, remarks=tuple(remarks))

    def native(self) -> Mapping[int, str]:
        """None: all is text."""
        return {}

    @contextmanager
    def scan(
        self,
        connection: duckdb.DuckDBPyConnection,
        positions: Sequence[int],
        native: Collection[int] = (),  # noqa: ARG002 - none is offered
    ) -> Iterator[str]:
        """Read the file in its own order; SourceError names the line that breaks the dialect."""
        del connection
        types = ", ".join(f"'c{at}': 'VARCHAR'" for at in range(len(self._header)))
        wanted = ", ".join(
            f"nullif(replace(c{at}, chr(0), ''), '') AS c{at}" if self._survey.nul else f"c{at}"
            for at in positions
        )
        try:
            file = file_literal(self.path)
            yield f"(SELECT {wanted} FROM read_csv({file}, columns = {{{types}}}, {_DIALECT}))"
        except duckdb.Error as error:
            raise SourceError(self._fault(str(error))) from error
        if not self._survey.balanced:
            raise SourceError(f"{self.origin}: it holds an odd number of quotes. {_CUT}")

    @cached_property
    def _survey(self) -> Survey:
        return survey(self.path, single_column=len(self._header) == 1)

    @cached_property
    def _header(self) -> list[str]:
        refuse_undecodable(self.path)
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                header = next(csv.reader(file, strict=True), None)
        except UnicodeDecodeError as error:
            raise SourceError(encoding_fault(self.path)) from error
        except csv.Error as error:
            raise SourceError(
                f"{self.origin}, line 1: the header cannot be read ({error}). {_CUT}"
            ) from error
        except OSError as error:
            raise SourceError(f"{self.origin} cannot be read: {error.strerror}") from error
        if not header:
            raise SourceError(f"{self.origin} is empty: it has not even a header line")
        if any("\0" in name for name in header):
            raise SourceError(f"{self.origin} is not UTF-8 (it looks like UTF-16): export it again as UTF-8")
        if len(header) == 1 and (other := re.search(r"[;\t|]", header[0])):
            raise SourceError(
                f"{self.origin}: the header is separated by {other[0]!r} instead of commas "
                f"({header[0][:60]!r}). Export it again with commas between values."
            )
        return header

    def _fault(self, message: str) -> str:
        """What DuckDB's CSV message comes down to for the person who exported the file."""
        line = re.search(r"CSV Error on Line: (\d+)", message)
        where = f"{self.origin}, line {line[1]}" if line else self.origin
        if ragged := re.search(r"Expected Number of Columns: \d+ Found: (\d+)", message):
            return f"{where}: {ragged[1]} values where the header has {len(self._header)} columns. {_CUT}"
        if "unterminated quote" in message:
            return f"{where}: a quoted value does not end where it should. {_CUT}"
        if "Maximum line size" in message:
            return f"{where}: a row is longer than {MAX_ROW_BYTES // 1024 // 1024} MiB, the most that is read"
        if other := self._other_ending():
            return (
                f"{self.origin}, line {other}: the line ends differently from the first one. "
                "Use one line ending throughout."
            )
        return f"{where}: {message.splitlines()[0].removeprefix('Invalid Input Error: ')}"

    def _other_ending(self) -> int | None:
        with self.path.open("rb") as file:
            first = None
            for number, line in enumerate(file, start=1):
                ending = _ENDING.findall(line)
                first = first or (ending[-1] if ending else None)
                if ending and ending[-1] != first:
                    return number
        return None

"""Text to typed values, as SQL: what does not read in exactly one way becomes null."""

from collections.abc import Sequence

import duckdb

from crmmining.errors import SourceError
from crmmining.tables.spec import ColumnType
from crmmining.tables.sql import literal

SQL_TYPES: dict[ColumnType, str] = {
    "id": "VARCHAR",
    "text": "VARCHAR",
    "number": "DOUBLE",
    "integer": "BIGINT",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "datetime": "TIMESTAMPTZ",
    "time": "VARCHAR",
}
_DAY = r"\d{4}-\d{2}-\d{2}"
_ZONE = r"(Z|UTC|[+-]\d{2}(:?\d{2})?)"
_ISO_DATETIME = rf"{_DAY}([T ]\d{{2}}:\d{{2}}(:\d{{2}}(\.\d+)?)?( ?{_ZONE})?)?"
_ISO_MIDNIGHT = rf"{_DAY}([T ]00:00(:00(\.0+)?)?( ?{_ZONE})?)?"
_NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_TRUE = "('true', '1', 'yes', 't', 'y')"
_FALSE = "('false', '0', 'no', 'f', 'n')"
_DATES = "DATE '1900-01-01' AND DATE '2199-12-31'"
_DATETIMES = "TIMESTAMPTZ '1900-01-01 00:00:00+00' AND TIMESTAMPTZ '2199-12-31 23:59:59.999999+00'"


def cast(raw: str, kind: ColumnType, formats: Sequence[str]) -> str:
    """SQL that reads the text expression `raw` as `kind`; null when it cannot be read in exactly one way.

    Datetimes and dates are ISO text (no zone means UTC) or fit one of the stated strptime `formats`, and lie
    in the years 1900 to 2199 (UTC). A date may carry midnight; with another time of day its day in UTC is
    read, which `time_of_day` tells.
    Numbers are plain decimals of less than 1e15 in size; an integer may be written as a whole decimal.
    """
    match kind:
        case "id" | "text" | "time":
            return raw
        case "number":
            number = f"try_cast({raw} AS DOUBLE)"
            shaped = f"regexp_full_match({raw}, '{_NUMBER}')"
            return f"CASE WHEN abs({number}) < 1e15 AND {shaped} THEN {number} END"
        case "integer":
            number = cast(raw, "number", formats)
            return f"CASE WHEN {number} = trunc({number}) THEN try_cast({number} AS BIGINT) END"
        case "boolean":
            return f"CASE WHEN lower({raw}) IN {_TRUE} THEN true WHEN lower({raw}) IN {_FALSE} THEN false END"
        case "date":
            midnight = f"regexp_full_match({raw}, '{_ISO_MIDNIGHT}')"
            later = f"NOT {midnight} AND regexp_full_match({raw}, '{_ISO_DATETIME}')"
            utc_day = f"(try_cast({raw} AS TIMESTAMPTZ) AT TIME ZONE 'UTC')::DATE"
            iso = _within(_DATES, (f"try_cast({raw}[:10] AS DATE)", midnight), (utc_day, later))
            return _either(_within(_DATES, (f"{_stated(raw, formats)}::DATE", "true")), iso, formats)
        case "datetime":
            shaped = f"regexp_full_match({raw}, '{_ISO_DATETIME}')"
            iso = _within(_DATETIMES, (f"try_cast({raw} AS TIMESTAMPTZ)", shaped))
            stated = f"({_stated(raw, formats)} AT TIME ZONE 'UTC')"
            return _either(_within(_DATETIMES, (stated, "true")), iso, formats)


_KEPT: dict[tuple[str, ColumnType], str] = {
    ("TIMESTAMPTZ", "datetime"): f"CASE WHEN {{0}} BETWEEN {_DATETIMES} THEN {{0}} END",
    (
        "TIMESTAMP",
        "datetime",
    ): f"CASE WHEN {{0}}::TIMESTAMPTZ BETWEEN {_DATETIMES} THEN {{0}}::TIMESTAMPTZ END",
    ("DATE", "date"): f"CASE WHEN {{0}} BETWEEN {_DATES} THEN {{0}} END",
    # isnan says so itself: DuckDB takes the statistics of a Parquet file for bounds, which know no NaN
    ("DOUBLE", "number"): "CASE WHEN abs({0}) < 1e15 AND NOT isnan({0}) THEN {0} END",
    ("BIGINT", "number"): "CASE WHEN {0} BETWEEN -999999999999999 AND 999999999999999 THEN {0}::DOUBLE END",
    ("BIGINT", "integer"): "CASE WHEN {0} BETWEEN -999999999999999 AND 999999999999999 THEN {0}::BIGINT END",
    ("BOOLEAN", "boolean"): "{0}",
}


def keeps(native: str, kind: ColumnType) -> bool:
    """Whether a column of the DuckDB type `native` can be read as `kind` without becoming text first."""
    return (native, kind) in _KEPT


def keep(raw: str, native: str, kind: ColumnType) -> str:
    """SQL that reads `raw`, of type `native`, as `kind`: what `cast` would make of its text.

    >>> keep("r", "DOUBLE", "number")
    'CASE WHEN abs(r) < 1e15 AND NOT isnan(r) THEN r END'
    """
    return _KEPT[native, kind].format(raw)


def time_of_day(raw: str, formats: Sequence[str]) -> str:
    """SQL that tells whether the text expression `raw`, which reads as a date, holds more than midnight."""
    more = f"NOT regexp_full_match({raw}, '{_ISO_MIDNIGHT}')"
    if not formats:
        return f"length({raw}) > 10 AND {more}"
    moment = cast(raw, "datetime", formats)
    return f"{more} AND {moment} <> date_trunc('day', {moment})"


def stated_formats(
    connection: duckdb.DuckDBPyConnection, stated: str | Sequence[str] | None
) -> tuple[str, ...]:
    """The stated strptime formats as a tuple; SourceError names those that are none."""
    formats = (stated,) if isinstance(stated, str) else tuple(stated or ())
    for text in formats:
        try:
            connection.sql(f"SELECT try_strptime('', {literal(text)})").pl()
        except duckdb.Error as error:
            raise SourceError(
                f"datetime_format {text!r} is no strptime format. "
                "Write for example '%m/%d/%Y %I:%M %p' for 02/23/2026 08:55 PM."
            ) from error
    return formats


def _stated(raw: str, formats: Sequence[str]) -> str:
    """The one moment that the formats read; null when none fits or two of them disagree."""
    if not formats:
        return "NULL::TIMESTAMP"
    readings = ", ".join(f"try_strptime({raw}, {literal(text)})::TIMESTAMP" for text in formats)
    if len(formats) == 1:
        return readings
    return f"CASE WHEN least({readings}) = greatest({readings}) THEN least({readings}) END"


def _within(bounds: str, *readings: tuple[str, str]) -> str:
    """The first of (value, condition) that lies in bounds and whose condition holds.

    The value goes first: then DuckDB computes it once for both of its places.
    """
    whens = (f"WHEN {value} BETWEEN {bounds} AND {condition} THEN {value}" for value, condition in readings)
    return f"CASE {' '.join(whens)} END"


def _either(stated: str, iso: str, formats: Sequence[str]) -> str:
    """ISO text stays readable beside stated formats, unless one of them gives its shape another meaning."""
    if not formats:
        return iso
    if any(text.startswith("%Y-%d") for text in formats):
        return stated
    return f"coalesce({stated}, {iso})"

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


def cast(raw: str, kind: ColumnType, formats: Sequence[str]) -> str:
    """SQL that reads the text expression `raw` as `kind`; null when it cannot be read in exactly one way.

    Datetimes and dates are ISO text (no zone means UTC), or fit one of the stated strptime `formats`; a
    date may carry midnight. Numbers are plain decimals; an integer may be written as a whole decimal.
    """
    match kind:
        case "id" | "text" | "time":
            return raw
        case "number":
            return f"CASE WHEN regexp_full_match({raw}, '{_NUMBER}') THEN try_cast({raw} AS DOUBLE) END"
        case "integer":
            number = cast(raw, "number", formats)
            digits = f"CASE WHEN regexp_full_match({raw}, '[+-]?\\d+') THEN try_cast({raw} AS BIGINT) END"
            whole = f"CASE WHEN {number} = trunc({number}) THEN try_cast({number} AS BIGINT) END"
            return f"coalesce({digits}, {whole})"
        case "boolean":
            return f"CASE WHEN lower({raw}) IN {_TRUE} THEN true WHEN lower({raw}) IN {_FALSE} THEN false END"
        case "date":
            iso = (
                f"CASE WHEN regexp_full_match({raw}, '{_ISO_MIDNIGHT}') THEN try_cast({raw}[:10] AS DATE) END"
            )
            stated = _stated(raw, formats)
            return _either(
                f"CASE WHEN {stated} = date_trunc('day', {stated}) THEN {stated}::DATE END", iso, formats
            )
        case "datetime":
            shaped = f"regexp_full_match({raw}, '{_ISO_DATETIME}')"
            iso = f"CASE WHEN {shaped} THEN try_cast({raw} AS TIMESTAMPTZ) END"
            return _either(f"{_stated(raw, formats)}::TIMESTAMPTZ", iso, formats)


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


def _either(stated: str, iso: str, formats: Sequence[str]) -> str:
    """ISO text stays readable beside stated formats, unless one of them gives its shape another meaning."""
    if not formats:
        return iso
    if any(text.startswith("%Y-%d") for text in formats):
        return stated
    return f"coalesce({stated}, {iso})"

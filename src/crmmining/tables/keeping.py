"""Tables kept in a DuckDB file: what a load left behind is written beside them and read back from there."""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

import json
from dataclasses import asdict
from datetime import datetime

import duckdb
import polars as pl
from pydantic import TypeAdapter

from crmmining.errors import CrmMiningError
from crmmining.tables.model import Tables
from crmmining.tables.raw import InputFile
from crmmining.tables.spec import SourceSpec

_FRAMES = ("quality", "findings", "clocks")
_DERIVED = "behind"  # DuckDB's intervals are none of Polars'


def keep(tables: Tables) -> None:
    """Write what is known of the tables into their own database, from which `reopen` reads it."""
    con, place = tables.connection, f"{tables.home}.crm_load"
    for name in _FRAMES:
        con.register("kept", getattr(tables, name).drop(_DERIVED, strict=False))
        con.execute(f"CREATE OR REPLACE TABLE {place}.{name} AS FROM kept")
        con.unregister("kept")
    about = {
        "clock": _text(tables.clock),
        "extracted_at": _text(tables.extracted_at),
        "pseudonymised": tables.pseudonymised,
        "inputs": [asdict(file) for file in tables.inputs],
        "columns": tables.columns,
    }
    con.execute(f"CREATE OR REPLACE TABLE {place}.about AS SELECT $text AS text", {"text": json.dumps(about)})


def reopen(connection: duckdb.DuckDBPyConnection, home: str, spec: SourceSpec) -> Tables:
    """The tables that `keep` left in the database `home` (quoted), which were read by `spec`.

    Raises `CrmMiningError` when they are not there.
    """
    place = f"{home}.crm_load"
    connection.execute("SET TimeZone = 'UTC'")
    try:
        about = json.loads(connection.sql(f"SELECT text FROM {place}.about").pl().item())
        frames = {name: connection.sql(f"FROM {place}.{name}").pl() for name in _FRAMES}
    except duckdb.Error as error:
        raise CrmMiningError(f"the kept tables cannot be read: {str(error).splitlines()[0]}") from error
    behind = (pl.col("clock").max() - pl.col("clock")).alias(_DERIVED)
    frames["clocks"] = frames["clocks"].with_columns(behind)
    return Tables(
        connection=connection,
        spec=spec,
        clock=_moment(about["clock"]),
        extracted_at=_moment(about["extracted_at"]),
        pseudonymised=about["pseudonymised"],
        inputs=TypeAdapter(list[InputFile]).validate_python(about["inputs"]),
        columns={name: tuple(columns) for name, columns in about["columns"].items()},
        **frames,
    )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)

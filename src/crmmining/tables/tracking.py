"""What the source definition states of histories, for SQL to read."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import duckdb

from crmmining.tables.spec import SourceSpec


def tell(connection: duckdb.DuckDBPyConnection, spec: SourceSpec, clock: datetime | None) -> None:
    """Make the temporary table `tracking` from `[tracking]` of the definition, and set the variable `clock`.

    `tracking` (source_table, field, since, kept_since): one row per table or field that is stated, with a
    null field for the whole table; `kept_since` is where retention cuts it off, by the clock.
    """
    zone = ZoneInfo(spec.org.time_zone)
    connection.execute("SET VARIABLE clock = $clock::TIMESTAMPTZ", {"clock": clock})
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE tracking "
        "(source_table VARCHAR, field VARCHAR, since TIMESTAMPTZ, kept_since TIMESTAMPTZ)"
    )
    for table, stated in spec.tracking.items():
        whole: list[tuple[str | None, date | None]] = [(None, stated.since)]
        for field, since in [*whole, *stated.fields.items()]:
            connection.execute(
                "INSERT INTO tracking VALUES "
                "($table, $field, $since, $clock::TIMESTAMPTZ - to_months($months::INTEGER))",
                {
                    "table": table,
                    "field": field,
                    "since": None if since is None else datetime.combine(since, time(), zone),
                    "clock": clock,
                    "months": stated.retention_months,
                },
            )

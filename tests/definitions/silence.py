"""Rows that tell no event, and what view `unused` says of each."""
# ruff: noqa: S608 - names of tables stand in this folder, not in data

import duckdb


def silent(connection: duckdb.DuckDBPyConnection, *tables: str) -> list[tuple[str, str, str | None]]:
    """Table, Id and reason of these tables' rows without an event: the row's own reason, else its table's."""
    rows = " UNION ALL ".join(
        f"SELECT '{name}' AS source_table, Id AS source_id FROM \"{name}\"" for name in tables
    )
    query = f"""
    SELECT s.source_table, s.source_id, coalesce(own.reason, general.reason)
    FROM ({rows}) AS s
    ANTI JOIN (FROM events SEMI JOIN cases USING (case_id)) AS e
      ON e.source_table = s.source_table AND e.source_id = s.source_id
    LEFT JOIN (SELECT DISTINCT source_table, source_id, reason FROM unused) AS own
      ON own.source_table = s.source_table AND own.source_id = s.source_id
    LEFT JOIN unused AS general ON general.source_table = s.source_table AND general.source_id IS NULL
    ORDER BY ALL
    """
    return connection.sql(query).fetchall()

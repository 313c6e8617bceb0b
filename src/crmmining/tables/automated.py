"""Users that are programs because the definition states them; others show it by their type."""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

from collections.abc import Collection, Mapping

import duckdb
import polars as pl
import pyarrow as pa

from crmmining.tables.ids import normalise
from crmmining.tables.rows import Finding
from crmmining.tables.spec import PeopleSpec, SourceSpec
from crmmining.tables.sql import identifier, literal

NOBODY = "[people] automated states who is no user of the source"


def list_automated(
    connection: duckdb.DuckDBPyConnection, spec: SourceSpec, columns: Mapping[str, Collection[str]]
) -> list[Finding]:
    """Make the table `crm_load.automated` (Id, once each) of the users that are stated to be programs.

    A stated Id counts in 15 or 18 characters, and even where no such user was supplied; a finding names the
    other stated words that fit no user.
    """
    people = spec.people
    listed, unknown = (
        (set[str](), list[str]()) if people is None else _found(connection, spec, people, columns)
    )
    connection.register("automated given", pl.DataFrame({"Id": sorted(listed)}, schema={"Id": pl.String}))
    connection.execute('CREATE TABLE crm_load.automated AS FROM "automated given"')
    connection.unregister("automated given")
    if people is None or not unknown:
        return []
    return [Finding(table=people.table, finding=NOBODY, examples=tuple(unknown[:3]))]


def _found(
    connection: duckdb.DuckDBPyConnection,
    spec: SourceSpec,
    people: PeopleSpec,
    columns: Mapping[str, Collection[str]],
) -> tuple[set[str], list[str]]:
    """Ids of the users that are programs, and the stated words that are neither an Id nor known, sorted."""
    words = sorted(set(people.automated))
    ids: dict[str, str] = {}
    if people.prefix is not None:
        whole = normalise(pa.array(words, pa.string())).to_pylist()
        ids = {
            word: one for word, one in zip(words, whole, strict=True) if one and one.startswith(people.prefix)
        }
    supplied = columns.get(people.table, ())
    key, users = identifier(spec.tables[people.table].key), f"crm.{identifier(people.table)}"
    listed, known = set(ids.values()), set(ids)
    among = ", ".join(literal(word) for word in words)
    asked = people.known_by if words and spec.tables[people.table].key in supplied else ()
    for name in (column for column in asked if column in supplied):
        found = connection.sql(
            f"SELECT {key} AS id, {identifier(name)} AS word FROM {users} "
            f"WHERE {identifier(name)} IN ({among})"
        ).pl()
        listed |= set(found["id"])
        known |= set(found["word"])
    return listed, [word for word in words if word not in known]

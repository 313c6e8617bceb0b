"""People behind keyed pseudonyms: HMAC-SHA256 of their Ids, names and free text."""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import duckdb
import polars as pl

from crmmining.errors import SourceError
from crmmining.tables.rows import Finding, Loaded, waiting
from crmmining.tables.spec import SourceSpec, TableSpec
from crmmining.tables.sql import identifier, literal

SHORTEST_KEY = 16
_BLOCK = 64  # bytes that SHA-256 takes at once
_CHANGE = ("Field", "OldValue", "NewValue")
_SHORT_ID = 15  # the other three characters of 18 tell where the capitals are


def key_bytes(key: str | bytes) -> bytes:
    """A key for pseudonyms as bytes; SourceError when it is too short to keep anything secret."""
    secret = key.encode() if isinstance(key, str) else key
    if len(secret) < SHORTEST_KEY:
        raise SourceError(
            f"the key for pseudonyms has {len(secret)} bytes, but must have {SHORTEST_KEY} or more"
        )
    return secret


def key_mark(key: str | bytes) -> str:
    """What tells one key from another and not what it is: 12 hex digits."""
    return hashlib.sha256(b"which key: " + key_bytes(key)).hexdigest()[:12]


@contextmanager
def keyed(connection: duckdb.DuckDBPyConnection, key: bytes | None) -> Iterator[None]:
    """While open, SQL has the macro `keyed_token(kind, text)`: 12 hex digits of HMAC-SHA256 (RFC 2104).

    The key leaves the connection when the context ends, and no statement ever holds it.
    """
    if key is None:
        yield
        return
    block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    for name, pad in (("keyed_inner", 0x36), ("keyed_outer", 0x5C)):
        connection.execute(f"SET VARIABLE {name} = $pad", {"pad": bytes(byte ^ pad for byte in block)})
    connection.execute(
        "CREATE TEMP MACRO keyed_token(kind, v) AS sha256(getvariable('keyed_outer') || "
        "unhex(sha256(getvariable('keyed_inner') || encode(kind || ':' || v))))[:12]"
    )
    try:
        yield
    finally:
        connection.execute("DROP MACRO keyed_token")
        connection.execute("RESET VARIABLE keyed_inner")
        connection.execute("RESET VARIABLE keyed_outer")


def pseudonymise(
    connection: duckdb.DuckDBPyConnection,
    spec: SourceSpec,
    columns: Mapping[str, tuple[str, ...]],
    loaded: Mapping[str, Loaded],
) -> tuple[dict[str, Loaded], list[Finding]]:
    """Replace people in schema `crm`, in quarantine and among examples; needs an open `keyed` context.

    The same text always gives the same pseudonym, so that what was equal stays equal and every figure stays
    the same. Of a quarantined row only its table, place, Id and reason are kept: where a row cannot be read,
    a name may stand in any column. SourceError when the definition does not say who the people are.
    """
    people = _People(connection, spec, columns)
    people.name_ids()
    # Whether a value of a history is a person's Id may be asked of the people's own table: it comes last.
    for name in sorted(columns, key=lambda name: name == people.stated.table):
        people.replace_in(name)
        connection.execute(
            f'UPDATE crm_load.quarantine SET id = {people.shown_key(name, "id")}, "value" = NULL, '
            f'"row" = NULL WHERE "table" = {literal(name)}'
        )
        connection.execute(f"DROP TABLE IF EXISTS {waiting(name)}")
    connection.execute(f"UPDATE crm_load.automated SET Id = {people.shown_key(people.stated.table, 'Id')}")
    everyone = connection.sql("SELECT count(*) FROM crm_load.people").pl().item()
    connection.execute("DROP TABLE crm_load.people")
    said = [
        Finding(table=people.stated.table, finding="people are replaced by keyed pseudonyms", rows=everyone)
    ]
    said += [
        Finding(
            table=name,
            finding=f"nothing tells people from others ({unknown} is missing): every name is replaced",
        )
        for name in columns
        if (unknown := people.missing(name))
    ]
    return {name: people.shown(name, one) for name, one in loaded.items()}, said


class _People:
    """What stands for people in the loaded tables, as SQL."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        spec: SourceSpec,
        columns: Mapping[str, tuple[str, ...]],
    ) -> None:
        if spec.people is None:
            raise SourceError(
                f"source '{spec.name}' does not say who its people are: state [people] in source.toml"
            )
        self.stated = spec.people
        self._connection = connection
        self._spec = spec
        self._columns = columns
        self._pointers: dict[str, list[str]] = {}

    def name_ids(self) -> None:
        """Find the columns that hold people's Ids and make `crm_load.people` (person, pseudonym) of them."""
        several = []
        for name in self._columns:
            found = self._pointing(name)
            self._pointers[name] = found
            several += [
                f"SELECT {self._person(identifier(column))} AS person FROM crm.{identifier(name)} "
                f"WHERE {self._is_person(identifier(column))}"
                for column in found
            ]
        everyone = " UNION ".join(several) or "SELECT NULL::VARCHAR AS person WHERE false"
        self._connection.execute(
            f"CREATE TABLE crm_load.people AS SELECT person, {self._pseudonym('person')} AS pseudonym "
            f"FROM ({everyone})"
        )

    def replace_in(self, name: str) -> None:
        """Write `crm.<name>` anew, in its order, with pseudonyms in the place of people."""
        table, spec = f"crm.{identifier(name)}", self._spec.tables[name]
        new = {column: self._replaced_text(name, column) for column in self._columns[name]}
        if set(_CHANGE) <= set(self._columns[name]):
            looked_up = self._people_fields(name)
            new |= {column: self._replaced_value(spec, column, looked_up) for column in _CHANGE[1:]}
        joins = ""
        for at, column in enumerate(self._pointers[name]):
            value = f"t.{identifier(column)}"
            new[column] = (
                f"CASE WHEN {self._is_person(value)} THEN p{at}.pseudonym{self._ending(value)} "
                f"ELSE {value} END"
            )
            joins += f" LEFT JOIN crm_load.people AS p{at} ON p{at}.person = {self._person(value)}"
        changed = ", ".join(f"{sql} AS {identifier(column)}" for column, sql in new.items() if sql)
        if not changed:
            return
        self._connection.execute(
            f"CREATE TABLE crm_load.replaced AS SELECT t.* REPLACE ({changed}) FROM {table} AS t{joins} "
            f"ORDER BY t.rowid"
        )
        self._connection.execute(f"DROP TABLE {table}")
        self._connection.execute(f"CREATE TABLE {table} AS FROM crm_load.replaced")
        self._connection.execute("DROP TABLE crm_load.replaced")

    def missing(self, name: str) -> str:
        """The columns that would say which rows of a table are about people, when none of them is there."""
        told = self._spec.tables[name].people.only_if
        return "" if set(told) & set(self._columns[name]) else " or ".join(told)

    def shown(self, name: str, loaded: Loaded) -> Loaded:
        """What a load says of a table, with its keys as they may be shown."""
        fates = loaded.fates.with_columns(key=self._shown_keys(name, loaded.fates["key"]))
        findings = [
            replace(
                one,
                examples=tuple(self._shown_keys(name, pl.Series(one.examples, dtype=pl.String)).drop_nulls()),
            )
            for one in loaded.findings
        ]
        return replace(loaded, fates=fates, findings=findings)

    def shown_key(self, name: str, value: str) -> str:
        """A row's key as people may see it: a pseudonym for a person, null for what is no key at all."""
        spec = self._spec.tables[name]
        if spec.columns.get(spec.key, "id") != "id":
            return "NULL" if spec.key in self._naming(spec) else value
        if self.stated.prefix is None:
            return self._pseudonym(value) if name == self.stated.table else value
        return (
            f"CASE WHEN {self._is_person_in_text(value)} THEN {self._pseudonym(self._person(value))}"
            f"{self._ending(value)} WHEN {_is_id(value)} THEN {value} END"
        )

    def _shown_keys(self, name: str, keys: pl.Series) -> pl.Series:
        if keys.is_empty():
            return keys
        self._connection.register("keys given", pl.DataFrame({"place": range(len(keys)), "key": keys}))
        shown: pl.DataFrame = self._connection.sql(
            f'SELECT {self.shown_key(name, "key")} AS key FROM "keys given" ORDER BY place'
        ).pl()
        self._connection.unregister("keys given")
        return shown["key"].cast(pl.String)

    def _pointing(self, name: str) -> list[str]:
        """Columns of a table that hold an Id of a person; with a prefix every Id column is looked into."""
        types, supplied = self._spec.tables[name].columns, self._columns[name]
        if self.stated.prefix is None:
            own = (self._spec.tables[name].key,) if name == self.stated.table else ()
            return [column for column in supplied if column in (*own, *self.stated.ids)]
        ids = [column for column in supplied if types[column] == "id"]
        if not ids:
            return []
        some = ", ".join(f"coalesce(bool_or({self._is_person(identifier(column))}), false)" for column in ids)
        held = self._connection.sql(f"SELECT {some} FROM crm.{identifier(name)}").pl().row(0)
        return [column for column, holds in zip(ids, held, strict=True) if holds]

    def _people_fields(self, name: str) -> dict[tuple[str, ...], list[str]]:
        """Look-ups of people in a history, stated or told by their Ids, by the tables whose names stay."""
        fields: dict[tuple[str, ...], list[str]] = {}
        for field, kept in self.stated.fields.items():
            fields.setdefault(kept, []).append(field)
        prefixes = "|".join(t.people.prefix for t in self._spec.tables.values() if t.people.prefix)
        if prefixes:
            shape = literal(f"({prefixes})[0-9A-Za-z]{{12}}([0-9A-Za-z]{{3}})?")
            rows = self._connection.sql(
                f"SELECT DISTINCT Field FROM crm.{identifier(name)} "
                f"WHERE regexp_full_match(OldValue, {shape}) OR regexp_full_match(NewValue, {shape})"
            ).pl()
            known = {field for several in fields.values() for field in several}
            fields[()] = fields.get((), []) + sorted(set(rows["Field"].drop_nulls()) - known)
        return fields

    def _replaced_text(self, name: str, column: str) -> str | None:
        spec, value = self._spec.tables[name], f"t.{identifier(column)}"
        if spec.columns[column] != "text":
            return None
        if column in spec.people.names:
            return f"CASE WHEN {self._about_a_person(name)} THEN {_name(value)} ELSE {value} END"
        if column in self.stated.names:
            return _name(value)
        return _text(value) if column in (*spec.people.texts, *self.stated.texts) else None

    def _replaced_value(
        self, spec: TableSpec, column: str, looked_up: Mapping[tuple[str, ...], list[str]]
    ) -> str:
        """One side of a change: Ids, then names that may stay, then names, then free text."""
        value = f"t.{identifier(column)}"
        whens = [
            (self._is_person_in_text(value), f"{self._pseudonym(self._person(value))}{self._ending(value)}")
        ]
        for kept, fields in looked_up.items():
            of_field = _field_in(fields)
            whens += [(f"{of_field} AND {value} IN ({self._staying(table)})", value) for table in kept]
            if self.stated.prefix is not None:
                whens.append((f"{of_field} AND {_is_id(value)}", value))
            whens.append((of_field, _name(value)))
        parent = self._spec.tables[spec.parent.table].people if spec.parent else None
        if parent and spec.parent:
            whose = self._about_a_person(spec.parent.table, row="r")
            key = identifier(self._spec.tables[spec.parent.table].key)
            own = (
                f"t.{identifier(spec.parent.column)} IN "
                f"(SELECT {key} FROM crm.{identifier(spec.parent.table)} AS r WHERE {whose})"
            )
            whens.append((f"{_field_in(parent.names)} AND {own}", _name(value)))
            whens.append((_field_in(parent.texts), _text(value)))
        whens.append((_field_in(self.stated.names), _name(value)))
        whens.append((_field_in(self.stated.texts), _text(value)))
        return f"CASE {' '.join(f'WHEN {test} THEN {then}' for test, then in whens)} ELSE {value} END"

    def _about_a_person(self, name: str, row: str = "t") -> str:
        """Whether a row of a table is about a person; where nothing tells, it may be."""
        spec = self._spec.tables[name]
        supplied = [column for column in spec.people.only_if if column in self._columns.get(name, ())]
        tests = [
            f"coalesce({row}.{identifier(c)}, false)"
            if spec.columns[c] == "boolean"
            else f"{row}.{identifier(c)} IS NOT NULL"
            for c in supplied
        ]
        return f"({' OR '.join(tests)})" if tests else "true"

    def _staying(self, name: str) -> str:
        """The Ids of a table's rows, and the names of those that are not about a person."""
        supplied, spec = self._columns.get(name, ()), self._spec.tables[name]
        nobody = f"NOT {self._about_a_person(name)}" if spec.people.names else "true"
        table = f"crm.{identifier(name)} AS t"
        several = [f"SELECT t.{identifier(spec.key)} FROM {table}"] if spec.key in supplied else []
        several += [f"SELECT t.Name FROM {table} WHERE {nobody}"] if "Name" in supplied else []
        return " UNION ALL ".join(several) or "SELECT NULL WHERE false"

    def _naming(self, spec: TableSpec) -> set[str]:
        return {*spec.people.names, *spec.people.texts, *self.stated.names, *self.stated.texts}

    def _is_person(self, value: str) -> str:
        """Whether a canonical Id is a person's."""
        if self.stated.prefix is not None:
            return f"starts_with({value}, {literal(self.stated.prefix)})"
        spared = sorted(
            {table for kept in self.stated.fields.values() for table in kept} & set(self._columns)
        )
        others = "".join(
            f" AND {value} NOT IN "
            f"(SELECT {identifier(self._spec.tables[table].key)} FROM crm.{identifier(table)})"
            for table in spared
        )
        return f"{value} IS NOT NULL{others}"

    def _is_person_in_text(self, value: str) -> str:
        """Whether a text is a person's Id."""
        if self.stated.prefix is not None:
            shape = f"{self.stated.prefix}[0-9A-Za-z]{{12}}([0-9A-Za-z]{{3}})?"
            return f"regexp_full_match({value}, {literal(shape)})"
        return f"{value} IN (SELECT person FROM crm_load.people)"

    def _person(self, value: str) -> str:
        return value if self.stated.prefix is None else f"left({value}, {_SHORT_ID})"

    def _pseudonym(self, person: str) -> str:
        return f"{literal(self.stated.prefix or 'person-')} || keyed_token('id', {person})"

    def _ending(self, value: str) -> str:
        """The checksum of 18 characters: pseudonyms hold no capitals."""
        return (
            ""
            if self.stated.prefix is None
            else f" || CASE WHEN length({value}) > {_SHORT_ID} THEN 'AAA' ELSE '' END"
        )


def _name(value: str) -> str:
    return f"'Person ' || keyed_token('name', {value})"


def _text(value: str) -> str:
    return f"'Text ' || keyed_token('text', {value})"


def _field_in(fields: Iterable[str]) -> str:
    listed = ", ".join(literal(field) for field in fields)
    return f"t.Field IN ({listed})" if listed else "false"


def _is_id(value: str) -> str:
    """Whether a text is the Id of a standard Salesforce object, whose Ids begin with a digit."""
    return f"regexp_full_match({value}, '[0-9][0-9A-Za-z]{{14}}([0-9A-Za-z]{{3}})?')"

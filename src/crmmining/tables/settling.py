"""Which rows of one table go and which come when a batch of changed rows is merged in."""
# ruff: noqa: S608 - names and texts enter statements only through crmmining.tables.sql

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from crmmining.errors import SourceError
from crmmining.tables.ids import normalise
from crmmining.tables.model import INCOMING, Tables
from crmmining.tables.rows import Loaded, orphaned, waiting
from crmmining.tables.spec import ParentSpec
from crmmining.tables.sql import identifier, literal

KEY = "the key"  # of a row, in frames that have a column for every column of its table
_NONE: tuple[int, list[str]] = (0, [])
_QUARANTINE = ("table", "source_row", "id", "reason", "value", "row")


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What becomes of a table: relations of the rows that go and that come, none where there are no such.

    `quarantine` is what the table has there then, `waiting` the rows whose parent is not known. `goes`,
    `comes`, `new`, `changed`, `same`, `deleted` and `aside` count rows; `differs` (`KEY`, and per column
    whether it is another one) has a row for every key that goes and comes. `copies`, `replaced` and `lost`
    are (rows, three keys) of rows that are filtered from now on.
    """

    gone: str | None
    fresh: str | None
    quarantine: pl.DataFrame
    waiting: str | None
    waiting_before: str | None
    others: bool
    goes: int
    comes: int
    new: int
    changed: int
    same: int
    deleted: int
    aside: int
    copies: tuple[int, list[str]]
    replaced: tuple[int, list[str]]
    lost: tuple[int, list[str]]
    differs: pl.DataFrame


class Settler:
    """Settles table by table, parents first."""

    def __init__(self, tables: Tables, home: str, new: Mapping[str, tuple[str, ...]]) -> None:
        self._tables = tables
        self._con = tables.connection
        self._home = home
        self._new = new
        self._settled: dict[str, Settled] = {}
        self._made: set[str] = set()  # what was written down so far
        self._before = tables.quarantine
        self._waiting = self._all_waiting(home)

    def parents(self, name: str) -> str | None:
        """SQL for the keys that the parents of a table's new rows have then; none without such a table."""
        parent = self._tables.spec.tables[name].parent
        if parent is None:
            return None
        key = identifier(self._tables.spec.tables[parent.table].key)
        one = self._settled.get(parent.table)
        if parent.table in self._new:
            return f"SELECT {key} FROM {_place('crm', parent.table)}"
        if parent.table not in self._tables.columns:
            return None
        asked = f"{key} IN (SELECT {identifier(parent.column)} FROM {_place('crm', name)})"
        known = f"SELECT {key} FROM {self._there(parent.table)} WHERE {asked}"
        if one is not None and one.gone:
            known += f" AND {key} NOT IN (SELECT {key} FROM {one.gone})"
        return known + (f" UNION ALL SELECT {key} FROM {one.fresh}" if one is not None and one.fresh else "")

    def settle(self, name: str, loaded: Loaded | None, deleted: pl.Series | None) -> Settled | None:
        """What becomes of a table: `loaded` says how its batch was read; null when nothing changes."""
        if name not in self._tables.columns and loaded is None:
            return None
        self._name = name
        self._columns = self._new.get(name) or self._tables.columns[name]
        spec = self._tables.spec.tables[name]
        self._key = identifier(spec.key) if spec.key in self._columns else None
        if loaded is None and deleted is None and not self._parents_moved():
            return None
        old = self._before.filter(pl.col("table") == name)
        self._old_aside = old.with_columns(key=self._normal(old["id"]))
        self._new_aside = self._read_aside(loaded)
        before = f"{self._home}.{waiting(name)}" if name in self._waiting else None
        if name not in self._new:
            self._create("gone", f"SELECT * FROM {self._there(name)} WHERE false")
        self._came = loaded is not None
        self._differs = pl.DataFrame(schema={KEY: pl.String})
        if loaded is not None:
            self._create("fresh", f"FROM {_place('crm', name)}")
        replaced, lost, same = self._replace(loaded, deleted)
        orphans, found = self._follow_parents(before)
        return self._result(name, loaded, deleted, replaced, lost, same, orphans, found, before)

    def _result(  # noqa: PLR0917  all that was found out
        self,
        name: str,
        loaded: Loaded | None,
        deleted: pl.Series | None,
        replaced: pl.Series,
        lost: pl.Series,
        same: pl.Series,
        orphans: pl.DataFrame,
        found: pl.Series,
        before: str | None,
    ) -> Settled:
        keys = self._keys()
        aside, paired = self._pair()
        gone_key = pl.col("key").is_in(keys.implode())
        if self._key is None and loaded is not None:
            gone_key = pl.lit(value=True)
        back = pl.lit(value=False)
        parent = self._tables.spec.tables[name].parent
        if parent is not None:
            back = (pl.col("reason") == orphaned(parent)) & pl.col("key").is_in(found.implode())
        stays = pl.col("paired") | ~(gone_key.fill_null(value=False) | back.fill_null(value=False))
        kept = paired.filter(stays)
        dropped = paired.filter(~stays & ~back.fill_null(value=False))
        by_hand = pl.col("key").is_in([] if deleted is None else deleted.implode()).fill_null(value=False)
        added = aside.filter(~pl.col("paired"))
        copies = pl.concat(
            [
                same,
                aside.filter("paired")["key"],
                *([] if loaded is None else [loaded.fates.filter(disposition="filtered")["key"]]),
            ]
        )
        replaced = pl.concat([replaced, dropped.filter(~by_hand)["key"]])
        lost = pl.concat([lost, dropped.filter(by_hand)["key"]])
        gone, fresh = self._count("gone"), self._count("fresh")
        changed = self._differs.height
        columns = list(_QUARANTINE)
        waits = self._wait(before)
        self._settled[name] = Settled(
            gone=_place("moves", f"gone {name}") if gone else None,
            fresh=_place("moves", f"fresh {name}") if fresh or name in self._new else None,
            quarantine=pl.concat([kept.select(columns), added.select(columns), orphans.select(columns)]),
            waiting=waits,
            waiting_before=self._copy_waiting(before),
            others=fresh != changed or gone != changed,
            goes=gone,
            comes=fresh,
            new=fresh - changed,
            changed=changed,
            same=len(same),
            deleted=len(lost),
            aside=added.height + orphans.height,
            copies=_summary(copies),
            replaced=_summary(replaced),
            lost=_summary(lost),
            differs=self._differs,
        )
        return self._settled[name]

    def _replace(
        self, loaded: Loaded | None, deleted: pl.Series | None
    ) -> tuple[pl.Series, pl.Series, pl.Series]:
        """Fill gone and fresh from the batch; the keys of replaced, deleted and unchanged rows."""
        name, none = self._name, pl.Series("key", [], dtype=pl.String)
        if name in self._new:
            return none, none, none
        gone, fresh = _place("moves", f"gone {name}"), _place("moves", f"fresh {name}")
        there, came = self._there(name), _place("crm", name)
        if self._key is None:
            if loaded is None:
                return none, none, none
            columns = ", ".join(identifier(column) for column in self._columns)
            self._con.execute(
                f"INSERT INTO {gone} SELECT {columns} FROM {there} EXCEPT SELECT {columns} FROM {came}"
            )
            rows = self._number(f"SELECT count(*) FROM {came}")
            others = f"SELECT {columns} FROM {came} EXCEPT SELECT {columns} FROM {there}"
            self._con.execute(f"CREATE OR REPLACE TABLE {fresh} AS {others}")
            same = rows - self._count("fresh")
            left = self._count("gone")
            return (
                pl.Series("key", [None] * left, dtype=pl.String),
                none,
                pl.Series("key", [None] * same, dtype=pl.String),
            )
        if loaded is not None and deleted is not None:
            supplied = pl.concat([self._series(f"SELECT {self._key} FROM {came}"), self._new_aside["key"]])
            if len(both := deleted.filter(deleted.is_in(supplied.implode()))):
                raise SourceError(f"{name}: {both[0]} is supplied and deleted at once; leave it out of one")
        keys = [self._new_aside["key"], *([] if deleted is None else [deleted])]
        self._con.register("keys given", pl.DataFrame({"key": pl.concat(keys).drop_nulls()}))
        more = f"SELECT {self._key} FROM {came} UNION " if loaded is not None else ""
        self._create("keys", f'{more} SELECT DISTINCT key FROM "keys given"')
        self._con.unregister("keys given")
        known = f"SELECT * FROM {_place('moves', f'keys {name}')}"
        # The key first: all columns of the few that are met are read then.
        met = f"SELECT rowid FROM {there} WHERE {self._key} IN ({known})"
        self._con.execute(f"INSERT INTO {gone} BY NAME SELECT * FROM {there} WHERE rowid IN ({met})")
        same_keys = none
        if loaded is not None:
            flags = ", ".join(
                f"n.{identifier(column)} IS DISTINCT FROM o.{identifier(column)} AS c{at}"
                for at, column in enumerate(self._columns)
            )
            pairs = self._con.sql(
                f"SELECT n.{self._key} AS key, {flags} FROM {came} AS n JOIN {gone} AS o "
                f"ON o.{self._key} = n.{self._key}"
            ).pl()
            pairs.columns = [KEY, *self._columns]
            others = pairs.select(pl.any_horizontal(*self._columns)).to_series()
            self._differs = pairs.filter(others).with_columns(pl.col(KEY).cast(pl.String))
            same_keys = pairs.filter(~others)[KEY].cast(pl.String).alias("key")
            if len(same_keys):
                self._con.register("same keys", pl.DataFrame({"key": same_keys}))
                for relation in (gone, fresh):
                    self._con.execute(f'DELETE FROM {relation} WHERE {self._key} IN (FROM "same keys")')
                self._con.unregister("same keys")
        left_keys = self._series(f"SELECT {self._key} FROM {gone}")
        by_hand = left_keys.is_in([] if deleted is None else deleted.implode())
        return left_keys.filter(~by_hand), left_keys.filter(by_hand), same_keys

    def _follow_parents(self, before: str | None) -> tuple[pl.DataFrame, pl.Series]:
        """Rows that lost their parent go into quarantine, those whose parent has come return: their keys."""
        orphans = self._before.clear()
        none = pl.Series("key", [], dtype=pl.String)
        parent = self._tables.spec.tables[self._name].parent
        if parent is None or not self._parents_moved() or self._key is None or self._name in self._new:
            return orphans, none
        column = identifier(parent.column)
        gone, fresh = _place("moves", f"gone {self._name}"), _place("moves", f"fresh {self._name}")
        keys = _place("moves", f"keys {self._name}")
        settled = f"SELECT * FROM {keys}" if self._exists(keys) else "SELECT NULL WHERE false"
        there, one = self._there(self._name), self._settled[parent.table]
        if (ended := self._ended(parent, one)) is not None:
            lost = f"{column} IN ({ended}) AND {self._key} NOT IN ({settled})"
            pairs = ", ".join(f"{literal(name)}, {identifier(name)}" for name in self._columns)
            parted = self._create("orphans", f"SELECT * FROM {there} WHERE {lost}")
            orphans = self._con.sql(
                f'SELECT {literal(self._name)} AS "table", NULL::BIGINT AS source_row, {self._key} AS id, '
                f'{literal(orphaned(parent))} AS reason, {column} AS "value", '
                f'json_object({pairs})::VARCHAR AS "row" FROM {parted} ORDER BY id'
            ).pl()
            self._con.execute(f"INSERT INTO {gone} BY NAME FROM {parted}")
        if before is None or one.fresh is None:
            return orphans, none
        key = identifier(self._tables.spec.tables[parent.table].key)
        back = f"{column} IN (SELECT {key} FROM {one.fresh}) AND {self._key} NOT IN ({settled})"
        found = self._series(f"SELECT {self._key} FROM {before} WHERE {back}")
        if len(found):
            if self._exists(fresh):
                self._con.execute(f"INSERT INTO {fresh} BY NAME SELECT * FROM {before} WHERE {back}")
            else:
                self._create("fresh", f"SELECT * FROM {before} WHERE {back}")
        return orphans, found

    def _ended(self, parent: ParentSpec, one: Settled) -> str | None:
        """SQL for the keys that rows may have as their parent's and that are no parent's any more."""
        key, column = identifier(self._tables.spec.tables[parent.table].key), identifier(parent.column)
        if parent.table in self._new:  # nobody has looked yet whether there are such parents
            known = f"SELECT {key} FROM {one.fresh}"
            return f"SELECT {column} FROM {self._there(self._name)} WHERE {column} NOT IN ({known})"
        if one.goes == one.differs.height:
            return None
        stays = f" WHERE {key} NOT IN (SELECT {key} FROM {one.fresh})" if one.fresh else ""
        return f"SELECT {key} FROM {one.gone}{stays}"

    def _parents_moved(self) -> bool:
        """Whether there are other parents than before."""
        parent = self._tables.spec.tables[self._name].parent
        if parent is None or parent.column not in self._columns:
            return False
        one = self._settled.get(parent.table)
        return one is not None and one.others

    def _wait(self, before: str | None) -> str | None:
        """All rows that wait for their parent from now on."""
        name = self._name
        parts = []
        if before is not None and self._key is not None:
            settled = _place("moves", f"keys {name}")
            gone = [f"SELECT * FROM {settled}"] if self._exists(settled) else []
            if self._exists(_place("moves", f"fresh {name}")):
                gone.append(f"SELECT {self._key} FROM {_place('moves', f'fresh {name}')}")
            where = " AND ".join(f"{self._key} NOT IN ({query})" for query in gone) or "true"
            parts.append(f"SELECT * FROM {before} WHERE {where}")
        if self._came and name in self._all_waiting(INCOMING):
            parts.append(f"SELECT * FROM {INCOMING}.{waiting(name)}")
        orphans = _place("moves", f"orphans {name}")
        parts += [f"SELECT * FROM {orphans}"] if self._exists(orphans) else []
        if not parts:
            return None
        target = self._create("waiting", " UNION ALL BY NAME ".join(parts))
        return target if self._number(f"SELECT count(*) FROM {target}") else None

    def _copy_waiting(self, before: str | None) -> str | None:
        return None if before is None else self._create("waiting before", f"FROM {before}")

    def _pair(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Rows set aside now, and those from before, with whether the other side has the very same row."""
        same = ["reason", "row", "nth"]
        nth = pl.int_range(pl.len()).over("reason", "row").alias("nth")
        new, old = self._new_aside.with_columns(nth), self._old_aside.with_columns(nth)
        flag = pl.lit(value=True).alias("paired")

        def marked(rows: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
            found = rows.join(
                others.select(*same, flag), on=same, how="left", maintain_order="left", nulls_equal=True
            )
            return found.with_columns(pl.col("paired").fill_null(value=False))

        return marked(new, old), marked(old, new)

    def _read_aside(self, loaded: Loaded | None) -> pl.DataFrame:
        rows = self._before.clear()
        if loaded is not None and "quarantined" in loaded.fates["disposition"]:
            rows = self._con.sql(
                f"SELECT * FROM {INCOMING}.crm_load.quarantine "
                f'WHERE "table" = {literal(self._name)} ORDER BY ALL'
            ).pl()
        return rows.with_columns(key=self._normal(rows["id"]))

    def _normal(self, ids: pl.Series) -> pl.Series:
        keys = ids.cast(pl.String)
        spec = self._tables.spec.tables[self._name]
        if self._tables.spec.id_format == "salesforce" and spec.columns.get(spec.key) == "id":
            return pl.Series("key", normalise(pa.array(keys.to_list(), pa.string())), dtype=pl.String)
        return keys.alias("key")

    def _keys(self) -> pl.Series:
        place = _place("moves", f"keys {self._name}")
        return self._series(f"FROM {place}") if self._exists(place) else pl.Series("key", [], dtype=pl.String)

    def _count(self, kind: str) -> int:
        place = _place("moves", f"{kind} {self._name}")
        return self._number(f"SELECT count(*) FROM {place}") if self._exists(place) else 0

    def _there(self, name: str) -> str:
        return f"{self._home}.crm.{identifier(name)}"

    def _exists(self, relation: str) -> bool:
        return relation in self._made

    def _all_waiting(self, database: str) -> set[str]:
        """The tables of which rows wait for their parents in a database."""
        found = self._con.sql(
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'crm_load' "
            f"AND database_name = {_text(database)} AND starts_with(table_name, 'waiting ')"
        ).pl()
        return {name.removeprefix("waiting ") for name in found["table_name"]}

    def _create(self, kind: str, query: str) -> str:
        place = _place("moves", f"{kind} {self._name}")
        self._con.execute(f"CREATE TABLE {place} AS {query}")
        self._made.add(place)
        return place

    def _series(self, query: str) -> pl.Series:
        found: pl.DataFrame = self._con.sql(query).pl()
        return found.to_series().cast(pl.String).alias("key")

    def _number(self, query: str) -> int:
        return int(self._con.sql(query).pl().item())


def _place(schema: str, name: str) -> str:
    return f"{INCOMING}.{schema}.{identifier(name)}"


def _summary(keys: pl.Series) -> tuple[int, list[str]]:
    return len(keys), keys.drop_nulls().unique().sort().head(3).to_list()


def _text(database: str) -> str:
    """The name of a database, given as an identifier, as a text."""
    return literal(database[1:-1].replace('""', '"') if database.startswith('"') else database)

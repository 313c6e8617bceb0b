"""What a source definition says about its tables: columns, types, keys, parents and the org."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from crmmining.tables.names import canonical

ColumnType = Literal["id", "text", "number", "integer", "boolean", "date", "datetime", "time"]
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ParentSpec(_Frozen):
    """The record a row belongs to: rows whose `column` names no row of `table` are quarantined."""

    column: Identifier
    table: Identifier


class TableSpec(_Frozen):
    """One canonical table: its columns with their types, and what it cannot do without.

    `required` columns must be supplied, or the table is of no use; `key` identifies a row when it is
    declared (a table without it is keyed by all its columns); `visible_from` is the column that says since
    when a row is known, and is left out for look-up tables that are only known as they are now.
    """

    columns: dict[Identifier, ColumnType] = Field(min_length=1)
    key: Identifier = "Id"
    required: tuple[Identifier, ...] = ()
    parent: ParentSpec | None = None
    visible_from: Identifier | None = None

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        wanted = {
            "required": self.required,
            "parent.column": (self.parent.column,) if self.parent else (),
            "visible_from": (self.visible_from,) if self.visible_from else (),
        }
        for where, names in wanted.items():
            for name in names:
                if name not in self.columns:
                    raise ValueError(f"{where} names '{name}', which is no column of this table")
        if self.visible_from and self.columns[self.visible_from] != "datetime":
            raise ValueError(f"visible_from '{self.visible_from}' must be a datetime column")
        _refuse_twins("columns", self.columns)
        return self

    @property
    def mandatory(self) -> tuple[str, ...]:
        """The key, when declared, and the required columns, in this order."""
        key = (self.key,) if self.key in self.columns else ()
        return (*key, *(name for name in self.required if name not in key))


class OrgSpec(_Frozen):
    """The organisation behind the data: where periods are cut and what money is counted in."""

    time_zone: str = "UTC"
    fiscal_year_start: int = Field(default=1, ge=1, le=12)
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"'{value}' is no IANA time zone such as 'Europe/Berlin'") from error
        return value


class SourceSpec(_Frozen):
    """A CRM's tables in canonical names, as `source.toml` declares them."""

    name: Identifier
    id_format: Literal["salesforce", "opaque"] = "opaque"
    org: OrgSpec = OrgSpec()
    tables: dict[Identifier, TableSpec] = Field(min_length=1)

    @model_validator(mode="after")
    def _parents_exist(self) -> Self:
        for name, table in self.tables.items():
            if table.parent and table.parent.table not in self.tables:
                raise ValueError(f"tables.{name}: parent table '{table.parent.table}' is not declared")
        _refuse_twins("tables", self.tables)
        _ = self.parents_first
        return self

    @property
    def parents_first(self) -> tuple[str, ...]:
        """Every table after its parent, otherwise in declared order."""
        order: dict[str, None] = {}

        def place(name: str, waiting: tuple[str, ...]) -> None:
            if name in waiting:
                raise ValueError(f"tables.{name}: parents go in a circle: {' > '.join((*waiting, name))}")
            parent = self.tables[name].parent
            if parent and parent.table != name and name not in order:
                place(parent.table, (*waiting, name))
            order.setdefault(name)

        for name in self.tables:
            place(name, ())
        return tuple(order)


def _refuse_twins(what: str, names: Iterable[str] | Mapping[str, object]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        twin = seen.setdefault(canonical(name), name)
        if twin != name:
            raise ValueError(f"{what} '{twin}' and '{name}' cannot be told apart in data")

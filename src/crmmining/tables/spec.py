"""What a source definition says about its tables: columns, types, keys, parents and the org."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from crmmining.tables import hours
from crmmining.tables.names import canonical

ColumnType = Literal["id", "text", "number", "integer", "boolean", "date", "datetime", "time"]
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ParentSpec(_Frozen):
    """The record a row belongs to: rows whose `column` names no row of `table` are quarantined."""

    column: Identifier
    table: Identifier


class PersonSpec(_Frozen):
    """Which columns of a table, and tracked fields of its history, name people or may do so in free text.

    Rows are about a person only where one of the columns `only_if` is true or filled; where none of them is
    supplied, all rows may be. `prefix` begins the Ids of such a table.
    """

    names: tuple[Identifier, ...] = ()
    texts: tuple[Identifier, ...] = ()
    only_if: tuple[Identifier, ...] = ()
    prefix: str | None = None


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
    people: PersonSpec = PersonSpec()

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        wanted = {
            "required": self.required,
            "parent.column": (self.parent.column,) if self.parent else (),
            "visible_from": (self.visible_from,) if self.visible_from else (),
            "people.only_if": self.people.only_if,
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
    """The organisation behind the data: where periods are cut and what money is counted in.

    `extracted_at` is when the data was taken from the CRM (without a zone: UTC; a date: its first moment in
    the org's zone); `clock_tolerance` is by how many days a table may lag behind the newest unremarked.

    Amounts are converted into `reporting_currency` (null: the corporate one where the tables tell it, else
    `currency`) at the rate of `conversion_date`: the close date, the day of creation, the day on which the
    amount was set (`event`), or one day for all.
    """

    time_zone: str = "UTC"
    fiscal_year_start: int = Field(default=1, ge=1, le=12)
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")
    reporting_currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    conversion_date: Literal["close", "created", "event"] | date = "close"
    extracted_at: datetime | date | None = None
    clock_tolerance: float = Field(default=1, ge=0, allow_inf_nan=False)

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        return hours.zone(value)

    @property
    def money(self) -> dict[str, str | None]:
        """What the SQL is told about money, by the name of the variable."""
        return {
            "org_currency": self.currency,
            "reporting_currency": self.reporting_currency,
            "conversion_date": str(self.conversion_date),
        }


class PeopleSpec(_Frozen):
    """Who the people of a CRM are, and where the data tells of them.

    `table` holds them. Their Ids begin with `prefix`, in whatever column; where Ids tell nothing, `ids` names
    the columns that point to people. `names` and `texts` are columns, and fields of histories, that name
    people or may do so, in any table; `fields` are the look-ups in histories that lead to people, each with
    the tables whose names may stand there and stay, such as queues. `automated` states users that are
    programs, by one of the columns `known_by`.
    """

    table: Identifier
    prefix: str | None = Field(default=None, pattern=r"^[0-9A-Za-z]{3}$")
    ids: tuple[Identifier, ...] = ()
    names: tuple[Identifier, ...] = ()
    texts: tuple[Identifier, ...] = ()
    fields: dict[str, tuple[Identifier, ...]] = Field(default_factory=dict)
    known_by: tuple[Identifier, ...] = ()
    automated: tuple[str, ...] = ()


class TrackingSpec(BaseModel):
    """What is known of a history table: since when it, or a field of it, is kept, and for how long.

    `since` is the first day of the whole table, a key named like a field that of the field. What is older
    than `retention_months` before the clock has been deleted. Days are the org's.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[Identifier, date]

    since: date | None = None
    retention_months: int | None = Field(default=None, ge=1)

    @property
    def fields(self) -> dict[str, date]:
        """First day of every field stated."""
        return dict(self.__pydantic_extra__)


class SqlFiles(_Frozen):
    """The SQL files that the processes of a CRM share, in the order in which they run.

    `census` sees all records and runs once; `history` reads everything that was ever recorded of those asked
    for; `shared` sees them as of a moment; `quality`, run only when asked for, says what is odd about them.
    """

    census: tuple[str, ...] = ()
    history: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    quality: tuple[str, ...] = ()


class SourceSpec(_Frozen):
    """A CRM's tables in canonical names, as `source.toml` declares them."""

    name: Identifier
    id_format: Literal["salesforce", "opaque"] = "opaque"
    org: OrgSpec = OrgSpec()
    sql: SqlFiles = SqlFiles()
    people: PeopleSpec | None = None
    calendars: hours.CalendarsSpec = hours.CalendarsSpec()
    tracking: dict[Identifier, TrackingSpec] = Field(default_factory=dict)
    tables: dict[Identifier, TableSpec] = Field(min_length=1)

    @model_validator(mode="after")
    def _parents_exist(self) -> Self:
        for name, table in self.tables.items():
            if table.parent and table.parent.table not in self.tables:
                raise ValueError(f"tables.{name}: parent table '{table.parent.table}' is not declared")
        if self.people:
            for name in (self.people.table, *(one for kept in self.people.fields.values() for one in kept)):
                if name not in self.tables:
                    raise ValueError(f"people: table '{name}' is not declared")
            if (self.people.prefix is None) == (self.id_format == "salesforce"):
                raise ValueError("people: prefix tells people's Ids of id_format 'salesforce', ids of others")
        _refuse_twins("tables", self.tables)
        _ = self.parents_first
        return self

    @model_validator(mode="after")
    def _histories_exist(self) -> Self:
        for name, tracking in self.tracking.items():
            table = self.tables.get(name)
            if table is None or table.visible_from is None:
                raise ValueError(f"tracking.{name}: is no table whose rows are known since a moment")
            strangers = [] if "Field" in table.columns else sorted(set(tracking.fields) - set(table.columns))
            if strangers:
                raise ValueError(f"tracking.{name}: '{strangers[0]}' is no column of this table")
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

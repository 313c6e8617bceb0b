"""All calendars of a CRM: rows of BusinessHours, and what its definition states beside or over them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl

from crmmining.calendars.calendar import Calendar, How, Week
from crmmining.calendars.calendars import Calendars, Rule
from crmmining.calendars.holidays import Holiday
from crmmining.calendars.rows import Row, business_hours, days, holiday
from crmmining.errors import SourceError
from crmmining.tables import Tables
from crmmining.tables.hours import WEEKDAYS, CalendarsSpec, HoursSpec
from crmmining.tables.sql import identifier

HOURS, HOLIDAY = "BusinessHours", "Holiday"
FIRST_COUNTRY_YEAR, END_COUNTRY_YEAR = 1990, 2060  # of the holidays that the library tells
FINDINGS = pl.Schema(
    {
        "root": pl.String(),
        "table": pl.String(),
        "finding": pl.String(),
        "rows": pl.Int64(),
        "examples": pl.List(pl.String()),
        "effect": pl.String(),
        "done": pl.String(),
        "weight": pl.Int8(),
    }
)


class Read(NamedTuple):
    """The calendars, null where there are none, and what was noticed, in the columns of `FINDINGS`."""

    calendars: Calendars | None
    findings: pl.DataFrame


def read(tables: Tables) -> Read:
    """The calendars of a CRM as its tables are now, by what `[calendars]` of its definition states.

    Raises `SourceError` with all faults of the calendars that are stated, assigned or the default. Other rows
    of BusinessHours that are impossible are findings, and so are holidays that no calendar has.
    """
    return make(tables.spec.calendars, _rows(tables, HOURS), _rows(tables, HOLIDAY))


def make(spec: CalendarsSpec, hours: Sequence[Row], holidays: Sequence[Row]) -> Read:
    """The calendars that are stated and those of some rows of BusinessHours and Holiday; see `read`."""
    made = _Making(spec, hours, holidays)
    found = made.calendars()
    if made.faults:
        raise SourceError(
            "business calendars cannot be made:\n  "
            + "\n  ".join(made.faults)
            + "\nMend the rows, or state these calendars under [calendars] of source.toml."
        )
    return Read(found, pl.DataFrame(made.findings, schema=FINDINGS, orient="row"))


def _rows(tables: Tables, name: str) -> list[Row]:
    if name not in tables.columns:
        return []
    rows: pl.DataFrame = tables.connection.sql(f"FROM {tables.home}.crm.{identifier(name)} ORDER BY Id").pl()
    return list(rows.iter_rows(named=True))


@dataclass
class _Making:
    spec: CalendarsSpec
    hours: Sequence[Row]
    days_off: Sequence[Row]
    faults: list[str] = field(default_factory=list)
    findings: list[tuple[object, ...]] = field(default_factory=list)
    made: dict[str, Calendar] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)  # names of rows that are impossible, and why

    def calendars(self) -> Calendars | None:
        """All calendars and rules; faults and findings are noted."""
        self._read_rows()
        ours = {name: hours for name, hours in self.spec.hours.items() if not hours.parts}
        stated = {name: self._stated(name, hours) for name, hours in ours.items()}
        self.made |= {name: calendar for name, calendar in stated.items() if calendar is not None}
        self._join()
        places = {name: place for place, name in enumerate(self.made)}
        rules = []
        for number, rule in enumerate(self.spec.assigned, 1):
            if self._known(rule.calendar, f"calendars.assigned: rule {number}"):
                when = tuple(
                    (word, (values,) if isinstance(values, str) else values)
                    for word, values in rule.when.items()
                )
                rules.append(Rule(when, places[rule.calendar]))
        default = self._default()
        self._notice()
        if not self.made:
            return None
        return Calendars(
            tuple(self.made.values()), tuple(rules), None if default is None else places[default]
        )

    def _read_rows(self) -> None:
        """Calendars of the rows; of several with one name, the first that is active counts."""
        if self.hours and not any(f"{day.capitalize()}StartTime" in self.hours[0] for day in WEEKDAYS):
            self._find(
                (HOURS, "rows without times, whose columns were not supplied", len(self.hours), []),
                "there is no business time under these hours",
                "not used; supply MondayStartTime and the others, or state the week under [calendars.hours]",
                2,
            )
            self.hours = ()
        twins: list[str] = []
        for row in sorted(self.hours, key=lambda row: row.get("IsActive") is False):
            name, label = row.get("Name"), f"{HOURS} {row['Id']} '{row.get('Name')}'"
            if name is None or name in self.made or name in self.wrong:
                twins.append(row["Id"])
                continue
            try:
                self.made[name] = business_hours(row)
            except ValueError as error:
                self.wrong[name] = f"{label}: {error}"
        if twins:
            self._find(
                (HOURS, "rows without a name of their own", len(twins), sorted(twins)[:3]),
                "records of these hours are counted by the hours that have the name, or by the default",
                "the first active row of a name counts",
                2,
            )

    def _stated(self, name: str, hours: HoursSpec) -> Calendar | None:
        """A calendar that the definition states; null, and a fault, where it cannot be made."""
        rows = hours.rows(name)
        if hours.versions and hours.business_hours is None and rows[0] not in self.made:
            rows = (None, *rows[1:])  # closed until its first version
        if strangers := [row for row in rows if row is not None and row not in self.made]:
            known = ", ".join(sorted(self.made)) or "none"
            for row in strangers:
                why = self.wrong.get(row, f"no row of {HOURS} is called '{row}'; known: {known}")
                self._fault(f"calendars.hours.{name}: states no week, and {why}")
            return None
        bases = [None if row is None else self.made[row] for row in rows]
        weeks = tuple(
            Week(None if since is None else days(since), base.weeks[0].shifts if base else week.shifts)
            for since, week, base in zip(
                (None, *(one.since for one in hours.versions)), (hours, *hours.versions), bases, strict=True
            )
        )
        zones = sorted({hours.time_zone} if hours.time_zone else {base.time_zone for base in bases if base})
        if len(zones) != 1:
            several = f"its rows are in several zones ({', '.join(zones)})" if zones else "it has no zone"
            self._fault(f"calendars.hours.{name}: {several}: state time_zone")
            return None
        return Calendar(name, zones[0], weeks, *self._off(hours.holidays))

    def _join(self) -> None:
        """Calendars of calendars, each after those that it is made of."""
        waiting = {name: hours for name, hours in self.spec.hours.items() if hours.parts}
        while ready := {
            name: hours for name, hours in waiting.items() if not waiting.keys() & set(hours.parts)
        }:
            for name, hours in ready.items():
                del waiting[name]
                known = [self._known(part, f"calendars.hours.{name}") for part in hours.parts]
                if all(known):
                    parts = tuple(self.made[part] for part in hours.parts)
                    how: How = "union" if hours.union else "intersection"
                    self.made[name] = Calendar(name, parts[0].time_zone, parts=parts, how=how)
        if waiting:
            self._fault(f"calendars.hours: {', '.join(sorted(waiting))} are made of each other")

    def _known(self, name: str, where: str) -> bool:
        """Whether there is a calendar of this name; else the fault is noted."""
        if name in self.made:
            return True
        if name in self.wrong or name not in self.spec.hours:  # else its fault is told where it is stated
            nobody = f"no calendar is called '{name}'; known: {', '.join(sorted(self.made)) or 'none'}"
            self._fault(f"{where}: {self.wrong.get(name, nobody)}")
        return False

    def _default(self) -> str | None:
        """The name of the calendar that counts for want of another one."""
        if self.spec.default is not None:
            return self.spec.default if self._known(self.spec.default, "calendars.default") else None
        rows = [row for row in self.hours if row.get("IsDefault") and row.get("IsActive") is not False]
        if len(rows) > 1:
            self._find(
                (HOURS, "several rows are the default", len(rows), [row["Id"] for row in rows[:3]]),
                "records without hours of their own have no business time",
                "none of them counts; state [calendars] default",
                3,
            )
        if len(rows) != 1:
            return None
        name = rows[0].get("Name")
        if name is None:
            self._fault(f"the org's default hours: {HOURS} {rows[0]['Id']} has no Name")
            return None
        return name if self._known(name, "the org's default hours") else None

    def _off(self, sets: Sequence[str]) -> tuple[tuple[int, ...], tuple[Holiday, ...]]:
        """Single days and other holidays of some sets; what cannot be read is a fault."""
        off: set[int] = set()
        rules: list[Holiday] = []
        for name in sets:
            stated, where = self.spec.holidays[name], f"calendars.holidays.{name}"
            off |= {days(day) for day in stated.dates}
            for wanted in stated.names:
                rows = [row for row in self.days_off if row.get("Name") == wanted]
                if not rows:
                    known = ", ".join(sorted({str(row.get("Name")) for row in self.days_off})) or "none"
                    self._fault(f"{where}: no row of {HOLIDAY} is called '{wanted}'; known: {known}")
                for row in rows:
                    try:
                        rules.append(holiday(row))
                    except ValueError as error:
                        self._fault(f"{where}: {HOLIDAY} {row['Id']} '{wanted}': {error}")
            if stated.country is not None:
                try:
                    off |= _of_country(stated.country, stated.subdivision)
                except (ImportError, NotImplementedError) as error:
                    self._fault(f"{where}: {error}")
        return tuple(sorted(off)), tuple(dict.fromkeys(rules))

    def _fault(self, text: str) -> None:
        """Note a fault once, however many calendars have it."""
        if text not in self.faults:
            self.faults.append(text)

    def _notice(self) -> None:
        """Rows that no calendar is made of."""
        if wrong := sorted(text for name, text in self.wrong.items() if name not in self.made):
            ids = sorted(text.split()[1] for text in wrong)
            self._find(
                (HOURS, f"impossible hours, as in {wrong[0]}", len(ids), ids[:3]),
                "records of these hours are counted by the default, if there is one",
                "not used; state their week under [calendars.hours]",
                2,
            )
        used = {
            name for hours in self.spec.hours.values() for one in hours.holidays for name in self._names(one)
        }
        idle = [row["Id"] for row in self.days_off if row.get("Name") not in used]
        if idle:
            self._find(
                (HOLIDAY, "holidays of no calendar", len(idle), idle[:3]),
                "business time counts these days as any other",
                "not used: Salesforce does not tell whose they are; name them under [calendars.holidays]",
                2,
            )

    def _names(self, holidays: str) -> tuple[str, ...]:
        return self.spec.holidays[holidays].names

    def _find(self, what: tuple[str, str, int, list[str]], effect: str, done: str, weight: int) -> None:
        table, finding, rows, examples = what
        self.findings.append((None, table, finding, rows, examples, effect, done, weight))


def _of_country(country: str, subdivision: str | None) -> set[int]:
    """The holidays of a country or a part of it, from 1990 to 2059."""
    try:
        from holidays import country_holidays  # noqa: PLC0415  an extra
    except ImportError as error:
        raise ImportError(
            f"the holidays of country {country} come from a library that is not installed: "
            "pip install 'crmmining[holidays]', or state dates"
        ) from error
    years = range(FIRST_COUNTRY_YEAR, END_COUNTRY_YEAR)
    return {days(day) for day in country_holidays(country, subdiv=subdivision, years=years)}

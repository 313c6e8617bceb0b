"""Calendars: which one counts for a row, and what working time lies between its instants."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from typing import Any, Literal, NamedTuple

import numpy as np
import polars as pl

from crmmining.calendars.calendar import Calendar, Week, spans
from crmmining.calendars.holidays import Holiday
from crmmining.calendars.zones import DAY, local_time
from crmmining.errors import UnknownNameError
from crmmining.kernels import worktime
from crmmining.kernels.worktime import NEVER, Int64Array, Openings

OWN = "business_hours"  # the word for the hours that a record states itself
FIRST_YEAR, END_YEAR = 1970, 2100  # what lies outside has no working time
_INSTANT = pl.Datetime("us", "UTC")
_BEGIN, _END = (int(np.datetime64(f"{year}-01-01", "us").astype(np.int64)) for year in (FIRST_YEAR, END_YEAR))


class Rule(NamedTuple):
    """The calendar (its place) of rows whose words all have one of these values."""

    when: tuple[tuple[str, tuple[str, ...]], ...]
    calendar: int


@dataclass(frozen=True, repr=False)
class Calendars:
    """All calendars of a CRM, in the order of their numbers, and the rules that say which one counts where.

    `default` (its place; null: there is none) counts for rows that no rule and no business hours of their own
    give one. Instants are whole microseconds; before 1970 and from 2100 on nothing is known.

    >>> from crmmining.calendars import Week
    >>> week = Week(None, tuple((day, 9 * 60, 17 * 60) for day in range(5)))
    >>> office = Calendar("Office", "Europe/Berlin", (week,))
    >>> hours = Calendars((office,), default=0)
    >>> hours
    Calendars(Office (default))
    >>> which = hours.of(pl.DataFrame({"business_hours": [None]}, schema={"business_hours": pl.String}))
    >>> friday, monday = (pl.Series([text]).str.to_datetime(time_zone="UTC") for text in
    ...                   ("2024-03-29T15:00:00Z", "2024-04-01T08:00:00Z"))
    >>> hours.worked(which, friday, monday).item() / 3_600_000_000  # an hour on both days: the clocks changed
    2.0
    """

    calendars: tuple[Calendar, ...]
    rules: tuple[Rule, ...] = ()
    default: int | None = None

    def __repr__(self) -> str:
        marks = ["" if place != self.default else " (default)" for place in range(len(self.calendars))]
        return f"Calendars({', '.join(map(str.__add__, self.names, marks))})"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the calendars."""
        return tuple(calendar.name for calendar in self.calendars)

    @property
    def described(self) -> dict[str, Any]:
        """What JSON keeps of them; `told` gives them back."""
        return {
            "calendars": [_described(calendar) for calendar in self.calendars],
            "rules": [{"when": dict(rule.when), "calendar": rule.calendar} for rule in self.rules],
            "default": self.default,
        }

    @classmethod
    def told(cls, said: Mapping[str, Any]) -> "Calendars":
        """The calendars that `described` was asked of, also after JSON made lists of its tuples."""
        rules = (
            Rule(tuple((word, tuple(values)) for word, values in one["when"].items()), one["calendar"])
            for one in said["rules"]
        )
        return cls(tuple(map(_told, said["calendars"])), tuple(rules), said["default"])

    @property
    def words(self) -> tuple[str, ...]:
        """The words that the rules ask of a row, sorted, and `business_hours`."""
        return (*sorted({word for rule in self.rules for word, _ in rule.when} - {OWN}), OWN)

    def frame(self) -> pl.DataFrame:
        """One row per calendar: name, time_zone, hours, versions, days_off, holidays, source, default.

        `hours` (Float64) are those of a week of the last version, null for a union or an intersection;
        `versions` counts its weeks over time, `days_off` single days and `holidays` the rules of others.
        """
        rows = [
            (
                one.name,
                one.time_zone,
                None if one.parts else sum(end - begin for _, begin, end in one.weeks[-1].shifts) / 60,
                len(one.weeks),
                len(one.days_off),
                len(one.holidays),
                one.source,
                place == self.default,
            )
            for place, one in enumerate(self.calendars)
        ]
        kinds = (pl.String, pl.String, pl.Float64, pl.Int64, pl.Int64, pl.Int64, pl.String, pl.Boolean)
        names = ("name", "time_zone", "hours", "versions", "days_off", "holidays", "source", "default")
        return pl.DataFrame(rows, schema=dict(zip(names, kinds, strict=True)), orient="row")

    def of(self, cells: pl.DataFrame) -> pl.Series:
        """The calendar of each row, its place in `names` (UInt16); null where there is no default.

        `cells` has a column for each of `words`: the first rule that matches counts, else the row's own
        business hours, else the default.
        """
        stated = self._stated()
        default = pl.lit(self.default, pl.UInt16)
        return cells.select(calendar=pl.coalesce(stated, default)).to_series()

    def defaulted(self, cells: pl.DataFrame) -> pl.Series:
        """For which rows (Boolean) neither a rule nor business hours of their own tell the calendar."""
        return cells.select(defaulted=self._stated().is_null()).to_series()

    def _stated(self) -> pl.Expr:
        own = (
            pl.col(OWN)
            .cast(pl.String)
            .replace_strict(
                list(self.names), list(range(len(self.names))), default=None, return_dtype=pl.UInt16
            )
        )

        def before(found: pl.Expr, rule: Rule) -> pl.Expr:
            met = [pl.col(word).cast(pl.String).is_in(values) for word, values in rule.when]
            return pl.when(*met).then(pl.lit(rule.calendar, pl.UInt16)).otherwise(found)

        return reduce(before, reversed(self.rules), own)

    def worked(self, which: pl.Series, start: pl.Series, end: pl.Series) -> pl.Series:
        """Working time in [start, end) on the calendar of each row: Int64, microseconds.

        Null where start, end or the calendar is, where end is before start, and outside 1970 to 2100.
        """
        asked = _asked(which, start, end)
        found = worktime.worked(self.openings(*_years(asked.first, asked.second)), *asked[1:])
        return _scattered("worked", found, asked, len(which))

    def due(self, which: pl.Series, start: pl.Series, span: pl.Series) -> pl.Series:
        """The instant (UTC) at which so much working time from `start` on is done.

        `span` is a Duration, or microseconds. It is the first such instant: `start` itself for a span of 0,
        the end of a shift rather than the begin of the next. Null where the calendar is not open for so long
        before 2100, for a negative span, and where `start` or the calendar is null.
        """
        lengths = span.cast(pl.Duration("us")).to_physical()
        asked = _asked(which, start, start, (lengths >= 0).fill_null(value=False))
        length = lengths.gather(asked.rows).to_numpy()

        def reached(openings: Openings, at: Int64Array) -> Int64Array:
            return worktime.due(openings, asked.which[at], asked.first[at], length[at])

        return _scattered("due", self._reached(asked, reached), asked, len(which)).cast(_INSTANT)

    def next_opening(self, which: pl.Series, at: pl.Series) -> pl.Series:
        """The first instant (UTC) from `at` on at which the calendar is open; null for none before 2100."""
        asked = _asked(which, at, at)

        def reached(openings: Openings, at: Int64Array) -> Int64Array:
            return worktime.next_opening(openings, asked.which[at], asked.first[at])

        return _scattered("next_opening", self._reached(asked, reached), asked, len(which)).cast(_INSTANT)

    def days(self, which: pl.Series, start: pl.Series, end: pl.Series) -> pl.Series:
        """Working days (Int64) in [start, end), which are local days (Date): those with any opening.

        Null where start, end or the calendar is, where end is before start, and outside 1970 to 2100.
        """
        asked = _asked(which, *(day.cast(pl.Date).cast(pl.Datetime("us")) for day in (start, end)))
        first_year, end_year = _years(asked.first, asked.second)
        openings = _open_days(self.calendars, first_year - 1, end_year + 1)
        return _scattered("days", worktime.worked(openings, *asked[1:]) // DAY, asked, len(which))

    def joined(self, name: str, parts: Sequence[str], how: Literal["union", "intersection"]) -> "Calendars":
        """These calendars and one more, `name`: open when one of the `parts` is (union), or when all are.

        An intersection may never be open. Raises `UnknownNameError` for a part that is no calendar.
        """
        for part in parts:
            if part not in self.names:
                raise UnknownNameError("calendar", part, self.names)
        chosen = tuple(self.calendars[self.names.index(part)] for part in parts)
        made = Calendar(name, chosen[0].time_zone, parts=chosen, how=how, source=how)
        return replace(self, calendars=(*self.calendars, made))

    def openings(self, first_year: int, end_year: int) -> Openings:
        """All calendars compiled for whole years of UTC, from the first to the one before `end_year`."""
        return _compiled(self.calendars, first_year, end_year)

    def _reached(self, asked: "_Asked", ask: Callable[[Openings, Int64Array], Int64Array]) -> Int64Array:
        """What `ask` finds, among openings of ever more years for the rows that need them."""
        first_year, end_year = _years(asked.first, asked.second)
        found = np.full(len(asked.rows), NEVER, dtype=np.int64)
        left = np.arange(len(asked.rows))
        while len(left):
            found[left] = ask(self.openings(first_year, end_year), left)
            left = left[found[left] == NEVER]
            if end_year == END_YEAR:
                break
            end_year = min(END_YEAR, end_year + max(1, end_year - first_year))
        return found


def _described(calendar: Calendar) -> dict[str, Any]:
    return {**calendar._asdict(), "parts": [_described(part) for part in calendar.parts]}


def _told(said: Mapping[str, Any]) -> Calendar:
    inside = {
        "weeks": tuple(Week(since, tuple(map(tuple, shifts))) for since, shifts in said["weeks"]),
        "days_off": tuple(said["days_off"]),
        "holidays": tuple(Holiday(*one) for one in said["holidays"]),
        "parts": tuple(map(_told, said["parts"])),
    }
    return Calendar(**{**said, **inside})


class _Asked(NamedTuple):
    """The rows whose question can be answered: their places, calendars and two instants."""

    rows: Int64Array
    which: Int64Array
    first: Int64Array
    second: Int64Array


def _asked(which: pl.Series, start: pl.Series, end: pl.Series, only: pl.Series | None = None) -> _Asked:
    first, second = (one.cast(pl.Datetime("us", one.dtype.time_zone)).to_physical() for one in (start, end))  # type: ignore[attr-defined]
    known = (which.is_not_null() & (first >= _BEGIN) & (second < _END) & (first <= second)).fill_null(
        value=False
    )
    rows = np.flatnonzero((known if only is None else known & only).to_numpy())
    places = which.gather(rows).cast(pl.Int64).to_numpy()
    return _Asked(rows, places, first.gather(rows).to_numpy(), second.gather(rows).to_numpy())


def _scattered(name: str, found: Int64Array, asked: _Asked, height: int) -> pl.Series:
    """What was found for some rows among all; null for the others and where it is never."""
    whole = np.full(height, NEVER, dtype=np.int64)
    whole[asked.rows] = found
    return pl.Series(name, whole).set(pl.Series(whole == NEVER), None)


def _years(first: Int64Array, last: Int64Array) -> tuple[int, int]:
    """The whole years that hold all of these instants."""
    if not len(first):
        return FIRST_YEAR, FIRST_YEAR + 1
    ends = np.array([first.min(), last.max()]).astype("datetime64[us]").astype("datetime64[Y]").astype(int)
    return FIRST_YEAR + int(ends[0]), FIRST_YEAR + int(ends[1]) + 1


@lru_cache(maxsize=8)
def _compiled(calendars: tuple[Calendar, ...], first_year: int, end_year: int) -> Openings:
    return worktime.openings([spans(calendar, first_year, end_year) for calendar in calendars])


@lru_cache(maxsize=8)
def _open_days(calendars: tuple[Calendar, ...], first_year: int, end_year: int) -> Openings:
    """Whole local days on which calendars open, as if they were openings in UTC."""
    found = []
    for calendar in calendars:
        opens, closes = spans(calendar, first_year, end_year)
        first, last = (
            local_time(at, calendar.time_zone, first_year, end_year) // DAY for at in (opens, closes - 1)
        )
        found.append(worktime.covered([(first * DAY, (last + 1) * DAY)]))
    return worktime.openings(found)

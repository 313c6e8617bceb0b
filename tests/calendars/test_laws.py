"""What holds for every calendar, whatever its zone, shifts, holidays and versions."""

import json
import pickle

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from crmmining.calendars import Calendar, Calendars, Holiday, Week
from crmmining.kernels import worktime
from crmmining.tables.hours import DAY

from .made import since_1970

FIRST, END = since_1970("2023-01-01"), since_1970("2026-01-01")
ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Asia/Kolkata",
    "UTC",
]
MICROSECONDS = 86_400_000_000
ALWAYS = tuple((day, 0, DAY) for day in range(7))
ROWS = 200

ends = st.lists(st.integers(0, 7 * DAY), min_size=2, max_size=12, unique=True).map(sorted)


def shifts(at: list[int]) -> tuple[tuple[int, int, int], ...]:
    """Shifts of at most a day between every other two minutes of the week."""
    pairs = zip(at[::2], at[1::2], strict=False)
    return tuple((begin // DAY % 7, begin % DAY, min(end - begin, DAY) + begin % DAY) for begin, end in pairs)


weeks = ends.map(shifts)
days = st.integers(FIRST, END - 1)
holidays = st.builds(
    lambda mask, start, ends: Holiday("weekly", start, None, min(ends), max(ends), interval=3, mask=mask),
    st.integers(1, 127),
    days,
    st.lists(st.integers(0, DAY), min_size=2, max_size=2, unique=True),
)


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    since = sorted(draw(st.lists(days, max_size=2, unique=True)))
    return Calendar(
        "drawn",
        draw(st.sampled_from(ZONES)),
        (Week(None, draw(weeks)), *(Week(day, draw(weeks)) for day in since)),
        tuple(draw(st.lists(days, max_size=20))),
        tuple(draw(st.lists(holidays, max_size=2))),
    )


def moments(seed: int) -> tuple[pl.Series, pl.Series, pl.Series]:
    """Three instants of each row, in order."""
    at = np.random.default_rng(seed).integers(FIRST * MICROSECONDS, END * MICROSECONDS, (ROWS, 3))
    first, second, third = (pl.Series(one).cast(pl.Datetime("us", "UTC")) for one in np.sort(at, axis=1).T)
    return first, second, third


def which(place: int) -> pl.Series:
    return pl.Series([place] * ROWS, dtype=pl.UInt16)


@settings(max_examples=30)
@given(calendars(), st.integers(0, 99))
def test_time_adds_up_and_never_exceeds_the_clock(one: Calendar, seed: int) -> None:
    made = Calendars((one, Calendar("always", one.time_zone, (Week(None, ALWAYS),))))
    a, b, c = moments(seed)
    whole = made.worked(which(0), a, c)
    assert (made.worked(which(0), a, b) + made.worked(which(0), b, c)).equals(whole)
    elapsed = made.worked(which(1), a, c)
    assert elapsed.equals((c - a).to_physical()), "24x7 is what the clock says"
    assert ((whole >= 0) & (whole <= elapsed)).all()
    assert (made.worked(which(0), a, b) <= whole).all()


@settings(max_examples=30)
@given(calendars(), st.integers(0, 99))
def test_a_due_date_is_the_first_instant_at_which_the_time_is_worked(one: Calendar, seed: int) -> None:
    made = Calendars((one,))
    start, _, _ = moments(seed)
    span = pl.Series(np.random.default_rng(seed).integers(0, 10 * MICROSECONDS, ROWS))
    due = made.due(which(0), start, span)
    reached = due.is_not_null()
    assert made.worked(which(0), start, due).filter(reached).equals(span.filter(reached))
    before = made.worked(which(0), start, due.dt.offset_by("-1us")).fill_null(0)
    assert (before < span).filter(reached & (span > 0)).all()
    opening = made.next_opening(which(0), start)
    opens = opening.is_not_null()
    assert (made.worked(which(0), start, opening).filter(opens) == 0).all()
    assert (made.worked(which(0), opening, opening.dt.offset_by("1us")).filter(opens) == 1).all()


@settings(max_examples=30)
@given(calendars(), calendars(), days, st.integers(0, 99))
def test_a_calendar_may_be_cut_in_any_way(one: Calendar, other: Calendar, day: int, seed: int) -> None:
    """Into versions that are alike, into years, into the days of its week, and into what two share."""
    a, _, c = moments(seed)
    before = [week for week in one.weeks if week.since is None or week.since < day]
    after = [week for week in one.weeks if week.since is not None and week.since > day]
    versions = one._replace(weeks=(*before, Week(day, before[-1].shifts), *after))
    if any(week.since == day for week in one.weeks):
        versions = one
    parts = tuple(
        one._replace(
            weeks=tuple(
                Week(since, tuple(s for s in all_ if (s[0] < 3) is early)) for since, all_ in one.weeks
            )
        )
        for early in (True, False)
    )
    made = Calendars((one, versions, *parts, other._replace(name="other")))
    made = made.joined("parts", ["drawn"], "union")
    joined = Calendars((one, Calendar("sum", one.time_zone, parts=parts, how="union")))
    both = Calendars(
        (
            one,
            other,
            Calendar("either", "UTC", parts=(one, other), how="union"),
            Calendar("both", "UTC", parts=(one, other), how="intersection"),
        )
    )
    whole = made.worked(which(0), a, c)
    assert made.worked(which(1), a, c).equals(whole)
    assert made.worked(which(5), a, c).equals(whole)
    assert joined.worked(which(1), a, c).equals(whole)
    first, second, either, shared = (both.worked(which(place), a, c) for place in range(4))
    assert (first + second).equals(either + shared)


@settings(max_examples=15)
@given(calendars(), st.integers(0, 99))
def test_years_that_nobody_asked_for_change_nothing(one: Calendar, seed: int) -> None:
    made = Calendars((one,))
    a, _, c = moments(seed)
    zeros = np.zeros(ROWS, dtype=np.int64)
    asked = (zeros, a.to_physical().to_numpy(), c.to_physical().to_numpy())
    narrow, wide = (worktime.worked(made.openings(*years), *asked) for years in ((2023, 2026), (1999, 2040)))
    assert (narrow == wide).all()


@settings(max_examples=15)
@given(calendars(), calendars())
def test_calendars_survive_storing_and_travelling(one: Calendar, other: Calendar) -> None:
    made = Calendars((one, other._replace(name="other")), default=1).joined(
        "both", ["drawn", "other"], "union"
    )
    assert Calendars.told(json.loads(json.dumps(made.described))) == made
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301  our own bytes

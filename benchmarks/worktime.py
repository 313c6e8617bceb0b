"""Working time: millions of intervals on a dozen calendars, and the durations of cases beside pm4py's.

`python -m benchmarks.worktime [--intervals N] [--cases N] [--seed S] [--repeats R] [--page FILE]`. Begins and
ends lie anywhere in ten years; the calendars have two shifts a day, a night shift, twelve holidays a year and
clocks that change. What pm4py can say, one week of UTC without holidays, both are asked, and answer alike.
"""

import argparse
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl
from benchmarks import pages

from crmmining.calendars import Calendar, Calendars, Holiday, Week
from crmmining.calendars.zones import DAY, SECOND

FIRST_YEAR, YEARS = 2016, 10
ZONES = (
    *("America/New_York", "Europe/London", "Australia/Sydney", "America/Sao_Paulo", "America/Los_Angeles"),
    *("Europe/Berlin", "Asia/Tokyo", "America/Chicago", "Europe/Dublin", "Australia/Lord_Howe"),
    *("America/St_Johns", "Africa/Casablanca"),
)
WEEK = Week(
    None,
    (
        *((day, *shift) for day in range(5) for shift in ((9 * 60, 12 * 60), (13 * 60, 18 * 60))),
        (5, 1320, 1800),
    ),
)
PLAIN = Week(None, tuple((day, 9 * 60, 17 * 60) for day in range(5)))
SLOTS = [((day * 24 + 9) * 3600, (day * 24 + 17) * 3600) for day in range(5)]
HEADING = "Business time"
TEMPLATE = """{intervals:,} intervals whose begins and ends lie anywhere in {years} years (seed {seed}), on
{calendars} calendars in as many time zones, most of which change their clocks: two shifts on weekdays, a
night shift into Sunday, twelve holidays a year. `worked` is asked of whole columns, one thread; the first
call also compiles the calendars for the years it meets. Then the durations of {cases:,} cases, from flat
events: on weekdays from 9 to 17 UTC, which is what pm4py's calendar can say. **Both give the same
durations**, to the second.

{machine}, Python {python}; {packages}. Medians of {repeats} repetitions. On a machine shared with other work
processor seconds and ratios are what to quote.

| | seconds | processor seconds | million intervals/s | per processor second | goal |
|---|---:|---:|---:|---:|---:|
{lines}

pm4py needs **{ratio:,.0f} times** as long for the same cases ({cpu_ratio:,.0f} times by processor
seconds; goal: 200).
"""
Times = tuple[float, float]


def calendars() -> Calendars:
    """A calendar per zone; holidays are the first Monday of every month."""
    off = Holiday("monthly_nth", 0, mask=2, instance=1)
    return Calendars(tuple(Calendar(zone, zone, (WEEK,), holidays=(off,)) for zone in ZONES))


def intervals(count: int, seed: int, longest: int | None = None) -> tuple[pl.Series, pl.Series, pl.Series]:
    """Calendars, begins and ends at whole seconds; `longest` bounds the days between."""
    dice = np.random.default_rng(seed)
    first = int(np.datetime64(f"{FIRST_YEAR}-01-01", "s").astype(np.int64))
    whole = YEARS * 365 * DAY // SECOND
    start = dice.integers(0, whole, count)
    end = start + dice.integers(0, whole - start if longest is None else longest * DAY // SECOND, count)
    which = pl.Series(dice.integers(0, len(ZONES), count)).cast(pl.UInt16)
    begins, ends = (pl.Series((first + at) * SECOND).cast(pl.Datetime("us", "UTC")) for at in (start, end))
    return which, begins, ends


def durations(hours: Calendars, events: pl.DataFrame) -> pl.Series:
    """The working time from the first to the last event of each case, in the order of cases."""
    at = pl.col("at")
    cases = events.group_by("case").agg(start=at.min(), end=at.max()).sort("case")
    return hours.worked(pl.zeros(cases.height, pl.UInt16, eager=True), cases["start"], cases["end"])


def timed(work: Callable[[], object]) -> Times:
    start, busy = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - busy


def peer(events: pl.DataFrame) -> tuple[Times, list[float]]:
    """What pm4py says of the same events: the durations of cases, sorted. Formatting is not timed."""
    import pandas as pd  # type: ignore[import-untyped]  # noqa: PLC0415
    import pm4py  # noqa: PLC0415

    at = pd.to_datetime(events["at"].dt.replace_time_zone(None).to_numpy(), utc=True)
    flat = pd.DataFrame({"case": events["case"].to_numpy().astype(str), "activity": "x", "at": at})
    log = pm4py.format_dataframe(flat, case_id="case", activity_key="activity", timestamp_key="at")
    found: list[list[float]] = []

    def ask() -> None:
        slots = {"business_hours": True, "business_hour_slots": SLOTS}
        found.append(pm4py.get_all_case_durations(log, **slots))

    return timed(ask), found[0]


def line(name: str, times: list[Times], count: int, goal: str) -> str:
    wall, busy = (median(time[place] for time in times) for place in (0, 1))
    cells = (f"{wall:.3f}", f"{busy:.3f}", f"{count / wall / 1e6:.3f}", f"{count / busy / 1e6:.3f}", goal)
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--intervals", type=int, default=4_000_000)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--page", type=Path, default=pages.PAGE)
    options = parser.parse_args()
    hours = calendars()
    asked = intervals(options.intervals, options.seed)
    first = timed(lambda: hours.worked(*(one.head(1_000) for one in asked)))
    many = [timed(lambda: hours.worked(*asked)) for _ in range(options.repeats)]

    plain = Calendars((Calendar("Office", "UTC", (PLAIN,)),))
    _, start, end = intervals(options.cases, options.seed, longest=30)
    case = pl.int_range(options.cases, dtype=pl.UInt32, eager=True)
    events = pl.DataFrame({"case": case.append(case), "at": pl.concat([start, end])})
    seconds = durations(plain, events).sort().to_numpy() / SECOND
    ours = [timed(lambda: durations(plain, events)) for _ in range(options.repeats)]
    theirs, told = peer(events)
    if not np.allclose(np.sort(told), seconds, atol=0.001, rtol=0):
        raise SystemExit("pm4py and crmmining do not agree on the working time of cases")
    text = TEMPLATE.format(
        intervals=options.intervals,
        cases=options.cases,
        years=YEARS,
        calendars=len(ZONES),
        seed=options.seed,
        repeats=options.repeats,
        machine=pages.machine(),
        python=platform.python_version(),
        packages=", ".join(f"{name} {version(name)}" for name in ("crmmining", "polars", "numpy", "pm4py")),
        lines="\n".join(
            (
                line("first 1,000, with compiling", [first], 1_000, ""),
                line("intervals", many, options.intervals, "2"),
                line("cases, crmmining", ours, options.cases, ""),
                line("cases, pm4py", [theirs], options.cases, ""),
            )
        ),
        ratio=theirs[0] / median(wall for wall, _ in ours),
        cpu_ratio=theirs[1] / median(busy for _, busy in ours),
    )
    pages.write_part(options.page, HEADING, text)
    print(text)


if __name__ == "__main__":
    main()

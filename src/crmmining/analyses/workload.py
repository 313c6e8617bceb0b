"""Workload: what comes in, is done and closed in each hour of the week, beside the hours that are open."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

import polars as pl

from crmmining import disclosure
from crmmining.analyses.cutting import words_of
from crmmining.analyses.weeks import zone
from crmmining.definitions.segments import EVENT
from crmmining.errors import CrmMiningError, UnknownNameError
from crmmining.eventlog import EventLog, standing
from crmmining.kernels import merge
from crmmining.moments import Moment, instant

_INSTANT = pl.Datetime("us", "UTC")
_KINDS = ("arrivals", "touches", "closings")
_COUNTS = ("cases", *_KINDS, "off_hours")
_SLOT = ("calendar", "weekday", "hour")
_MICRO = timedelta(microseconds=1)
_STEP = timedelta(minutes=15)  # whatever the zone, an hour of local time is four of these
_HOUR = 3_600_000_000


class _Question(NamedTuple):
    by: tuple[str, ...]
    since: datetime
    until: datetime
    zones: tuple[str, ...]  # of the calendars, by their places, at last the one without any


def workload(
    log: EventLog,
    by: str | Sequence[str] = "team",
    *,
    since: Moment | None = None,
    until: Moment | None = None,
    time_zone: str | None = None,
) -> pl.DataFrame:
    """Work per hour of the week against the calendar that counts for it.

    Work in [since, until) is counted (null: from the first creation, up to as_of): arrivals (creations),
    touches (what the process says people do: replies, calls, ...) and closings (every end). Words of `by`
    count as they were at the time of each event, `word@milestone` as then, `word@now` as now: a case that
    lies in a queue has no team yet, so `by="team@now"` gives arrivals to the team that has them today. The
    calendar is the one in force for the case at that time. Hours are those of the calendar's own time zone
    (of `time_zone`, if given; UTC where there is neither).

    Columns: `by`, calendar (its name; null without calendars), weekday (1 Monday .. 7), hour (0 .. 23), cases
    (that had any of this work), arrivals, touches, closings (Int64), off_hours (arrivals at moments at which
    the calendar is closed), off_share (of arrivals; null without any), hours (Float64: how long such an hour
    of the week lasted within the window, in all), open_hours (of these, how many the calendar was open),
    arrivals_per_hour, touches_per_hour, closings_per_hour (per hour of `hours`), load (arrivals + touches +
    closings per open hour; null where none is open). All 168 hours for every cell of `by` and calendar that
    has any work, in order, nulls last. Without calendars off_hours, off_share, open_hours and load are null.
    Cells that name people are withheld below the log's minimum group.

    Raises `UnknownNameError` for a word that is no segment, `CrmMiningError` for what is no zone or moment,
    and for a `since` that does not lie before `until`.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> found = analyses.workload(cm.connect("data/sample").event_log("case"), by="region@now")
    >>> found["arrivals"].sum(), found.height % 168
    (416, 0)
    """
    words = words_of(by)
    for word in words:
        if log.segment(word, EVENT).column is None:
            raise UnknownNameError("segment", word, log.process.segments)
    stated = "UTC" if time_zone is None else zone(time_zone).key
    known = () if log.calendars is None else log.calendars.calendars
    zones = tuple(time_zone or one.time_zone for one in known)
    first = min((start for start in log.each(_first) if start is not None), default=log.as_of)
    asked = _Question(
        by=words,
        since=first if since is None else instant(since, stated),
        until=log.as_of + _MICRO if until is None else instant(until, stated),
        zones=(*zones, stated),
    )
    if since is not None and asked.since >= asked.until:
        raise CrmMiningError(
            f"since is {asked.since:%Y-%m-%dT%H:%M:%SZ}, but must lie before "
            f"{asked.until:%Y-%m-%dT%H:%M:%SZ} ({'as_of' if until is None else 'until'})"
        )
    counts = merge.add(log.each(partial(_tally, asked=asked)), [*words, *_SLOT])
    cells = counts.select(*words, "calendar").unique()
    grid = cells.join(_hours(log, asked), on="calendar", nulls_equal=True)
    keys = [*words, *_SLOT]
    every = grid.join(counts, on=keys, how="left", nulls_equal=True)
    found = every.with_columns(pl.col(_COUNTS).fill_null(0))
    table = _named(log, _figures(found.sort(keys, nulls_last=True)), words)
    return disclosure.withhold_cells(
        table.with_columns(n=pl.col("cases")), log.minimum_group, by=keys, people=log.process.people
    ).drop("n")


def _first(log: EventLog) -> datetime | None:
    first: datetime | None = log.instants("created")["at"].min()  # type: ignore[assignment]
    return first


def _tally(log: EventLog, asked: _Question) -> pl.DataFrame:
    """What one partition counts: by, calendar (place), weekday, hour and the counts."""
    process = log.process
    touches = ("touched",) if process.waiting is None else process.waiting.touches
    words = {"arrivals": ("created",), "touches": touches, "closings": process.ends}
    codes = {
        kind: [code for word in words[kind] if word in process.milestones for code in log.codes(word)]
        for kind in _KINDS
    }
    every = [code for known in codes.values() for code in known]
    events = log.only.among(every, "case_ix", "activity", "occurred_at").filter(
        pl.col("occurred_at") >= asked.since, pl.col("occurred_at") < asked.until
    )
    cells = log.cells(asked.by, EVENT, events) if asked.by else pl.DataFrame()
    which = _calendars(log, events)
    local = [
        pl.when(place).then(getattr(pl.col("occurred_at").dt.convert_time_zone(zone).dt, part)())
        for part in ("weekday", "hour")
        for place, zone in _places(asked.zones)
    ]
    halves = len(local) // 2
    off = _off(log, which, events["occurred_at"])
    rows = events.with_columns(cells.get_columns()).with_columns(which, off)
    marked = rows.with_columns(
        weekday=pl.coalesce(local[:halves]).cast(pl.Int8),
        hour=pl.coalesce(local[halves:]).cast(pl.Int8),
        **{kind: pl.col("activity").is_in(codes[kind]) for kind in _KINDS},
    )
    return marked.group_by(*asked.by, *_SLOT).agg(
        pl.col("case_ix").n_unique().cast(pl.Int64).alias("cases"),
        pl.col(_KINDS).cast(pl.Int64).sum(),
        (pl.col("arrivals") & pl.col("off_hours")).cast(pl.Int64).sum().alias("off_hours"),
    )


def _places(zones: Sequence[str]) -> list[tuple[pl.Expr, str]]:
    """The condition on a calendar, and its zone; the last zone is that of rows without one."""
    *known, none = zones
    of = [(pl.col("calendar") == place, zone) for place, zone in enumerate(known)]
    return [*of, (pl.col("calendar").is_null(), none)]


def _calendars(log: EventLog, events: pl.DataFrame) -> pl.Series:
    """The place of the calendar in force for the case of each event, at its time; null without calendars."""
    if log.calendars is None:
        return pl.repeat(None, events.height, dtype=pl.UInt16, eager=True).alias("calendar")
    columns = {word: log.process.segments.get(word, word) for word in log.calendars.words}
    there = [column for column in columns.values() if column in log.blank.only.cases.columns]
    was = standing.attributes(log.only, standing.own_times(events), there)
    none = pl.repeat(None, events.height, dtype=pl.String, eager=True)
    cells = [(was[column] if column in there else none).alias(word) for word, column in columns.items()]
    return log.calendars.of(pl.DataFrame(cells)).alias("calendar")


def _off(log: EventLog, which: pl.Series, at: pl.Series) -> pl.Series:
    """Whether the calendar is closed in the microsecond that begins at each instant."""
    if log.calendars is None:
        return pl.repeat(value=False, n=len(at), dtype=pl.Boolean, eager=True).alias("off_hours")
    return (log.calendars.worked(which, at, at + _MICRO) == 0).fill_null(value=False).alias("off_hours")


def _hours(log: EventLog, asked: _Question) -> pl.DataFrame:
    """How long each hour of the week lasted in the window, and was open, per calendar."""
    early = asked.since.replace(minute=0, second=0, microsecond=0)
    steps = pl.datetime_range(early, asked.until, _STEP, closed="left", time_zone="UTC", eager=True)
    start, end = (pl.lit(moment, _INSTANT) for moment in (asked.since, asked.until))
    at = pl.col("at").cast(_INSTANT)
    cut = (
        steps.alias("at")
        .to_frame()
        .select(start=pl.max_horizontal(at, start), end=pl.min_horizontal(at + _STEP, end))
        .filter(pl.col("start") < pl.col("end"))
    )
    parts = []
    places = [*range(len(asked.zones) - 1), None]
    for place, its in zip(places, asked.zones, strict=True):
        which = pl.repeat(place, cut.height, dtype=pl.UInt16, eager=True).alias("calendar")
        open_time = pl.repeat(None, cut.height, dtype=pl.Int64, eager=True)
        if place is not None and log.calendars is not None:
            open_time = log.calendars.worked(which, cut["start"], cut["end"])
        local = pl.col("start").dt.convert_time_zone(its).dt
        slots = cut.select(
            which,
            open_time.alias("open_hours"),
            weekday=local.weekday().cast(pl.Int8),
            hour=local.hour().cast(pl.Int8),
            hours=(pl.col("end") - pl.col("start")).dt.total_microseconds(),
        )
        known = pl.when(pl.col("open_hours").is_not_null().any()).then(pl.col("open_hours").sum())
        parts.append(slots.group_by(_SLOT).agg(pl.col("hours").sum(), known.alias("open_hours")))
    found = pl.concat(parts)
    return found.with_columns(pl.col("hours", "open_hours").cast(pl.Float64) / _HOUR)


def _figures(found: pl.DataFrame) -> pl.DataFrame:
    clocked = pl.col("open_hours").is_not_null()
    work = pl.sum_horizontal(_KINDS)
    return found.with_columns(
        off_hours=pl.when(clocked).then("off_hours"),
        off_share=pl.when(clocked & (pl.col("arrivals") > 0)).then(pl.col("off_hours") / pl.col("arrivals")),
        load=pl.when(pl.col("open_hours") > 0).then(work / pl.col("open_hours")),
        **{f"{kind}_per_hour": pl.col(kind) / pl.col("hours") for kind in _KINDS},
    )


def _named(log: EventLog, found: pl.DataFrame, words: Sequence[str]) -> pl.DataFrame:
    names = () if log.calendars is None else log.calendars.names
    calendar = pl.col("calendar").replace_strict(
        list(range(len(names))), list(names), default=None, return_dtype=pl.String
    )
    rates = (f"{kind}_per_hour" for kind in _KINDS)
    return found.select(
        *words, calendar, "weekday", "hour", *_COUNTS, "off_share", "hours", "open_hours", *rates, "load"
    )

"""The account of a CRM: what became of every row, what was noticed, what it does to figures, what is off."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import polars as pl

from crmmining.availability import kpi_lacks, process_lacks
from crmmining.calendars.reading import HOLIDAY, HOURS
from crmmining.definitions import Catalogue
from crmmining.definitions.segments import NOW
from crmmining.eventlog import EventLog
from crmmining.quality.words import with_words
from crmmining.tables import Tables

SCHEMA: dict[str, pl.DataType] = {
    "scope": pl.String(),
    "table": pl.String(),
    "disposition": pl.String(),
    "reason": pl.String(),
    "rows": pl.Int64(),
    "examples": pl.List(pl.String()),
    "effect": pl.String(),
    "done": pl.String(),
}
_SAID = {**SCHEMA, "weight": pl.Int8()}


def account(
    tables: Tables,
    catalogue: Catalogue,
    logs: Sequence[EventLog],
    by: Sequence[str] = (),
    *,
    noticed: pl.DataFrame,
    patterns: Mapping[str, pl.DataFrame],
    withheld: Mapping[str, int],
    minimum_group: int | None,
) -> pl.DataFrame:
    """One frame of `SCHEMA`: scopes table (source to tables), log (to events) and event (to the log).

    Per scope and table the rows of used, quarantined and filtered add up to the rows that came in;
    `finding` (something noticed) and `off` (something the source cannot show, or a segment word of `by`
    that a process does not know) move no row. Findings come last in their scope, those of one process
    together, the heaviest first. `noticed` is what the CRM's quality SQL found, `patterns` per process what
    the imperfection patterns did. `withheld` counts per process the scorecard rows that stand for fewer
    than `minimum_group` cases.
    """
    loaded = tables.findings.select("table", pl.lit("finding").alias("disposition"), reason="finding")
    loaded = loaded.hstack(tables.findings.select("rows", "examples"))
    moved = [_scoped(tables.quality, "table"), *(_scoped(log.quality, "log") for log in logs)]
    found = [_scoped(loaded, "table"), _scoped(_concerning(noticed, logs), "log")]
    for log in logs:
        name = log.process.name
        lines = _of_log(log, tables, patterns.get(name))
        if not catalogue.quality and tables.clock is not None and log.as_of < tables.clock:
            reason = (
                f"attributes of cases are as they were at {tables.clock:%Y-%m-%d %H:%M} UTC, not at as_of"
            )
            lines.append(_line(name, "finding", reason, log.sizes[0]))
        if name in withheld:
            reason = f"withheld: fewer than {minimum_group} cases, or next to such"
            lines.append(_line(name, "finding", reason, withheld[name]))
        found.append(pl.DataFrame(lines, schema=_SAID, orient="row"))
    off = pl.DataFrame(_off(tables, catalogue, logs, by), schema=_SAID, orient="row")
    process = pl.col("table").str.split(": ").list.first()
    heaviest = with_words(pl.concat(found, how="vertical")).sort(
        pl.col("scope") != "table",
        pl.when(pl.col("scope") != "table").then(process),
        -pl.col("weight"),
        -pl.col("rows"),
        nulls_last=True,
        maintain_order=True,
    )
    order = pl.col("scope").replace_strict(["table", "log", "event"], [0, 1, 2])
    whole = pl.concat([*(with_words(part) for part in (*moved, off)), heaviest])
    return whole.sort(order, maintain_order=True).drop("weight")


def _line(
    table: str, disposition: str, reason: str, rows: int | None = None, more: Sequence[object] = ([],)
) -> tuple[object, ...]:
    """A row of the account; `more` are its examples and, where it says them, effect, done and weight."""
    return ("log", table, disposition, reason, rows, *more, *[None] * (4 - len(more)))


def _off(
    tables: Tables, catalogue: Catalogue, logs: Sequence[EventLog], by: Sequence[str]
) -> list[tuple[object, ...]]:
    """What the source cannot show."""
    lines = [
        _line(name, "off", f"process: needs {', '.join(lacking)}")
        for name, process in catalogue.processes.items()
        if (lacking := process_lacks(tables, process))
    ]
    for log in logs:
        name = log.process.name
        lines += [_line(name, "off", line) for line in log.off]
        for kpi in catalogue.kpis_of(name):
            lacking = kpi_lacks(tables, log.process, kpi)
            lines += [_line(name, "off", f"KPI '{kpi.name}': needs {', '.join(lacking)}")] if lacking else []
        if log.calendars is None and any(kpi.clocks for kpi in catalogue.kpis_of(name)):
            lines.append(_line(name, "off", "clock 'business': needs BusinessHours or stated calendars"))
        unknown = [word for word in by if log.segment(word, NOW).column is None]
        lines += [
            _line(name, "off", f"segment '{w}': not known in this process, null in every row")
            for w in unknown
        ]
    return lines


def _of_log(log: EventLog, tables: Tables, patterns: pl.DataFrame | None) -> list[tuple[object, ...]]:
    """What is noticed in a log: cases not covered in full, ties, imperfection patterns, a late `as_of`."""
    name = log.process.name
    lines: list[tuple[object, ...]] = []
    cases, events = log.sizes
    truncated, first = _counted(log, _truncated)
    if truncated:
        said = (
            first,
            "their early steps are missing: times and counts of these cases may be too low",
            "marked truncated; every KPI leaves them out, keeps or bounds them, as its definition says",
            2,
        )
        reason = f"truncated: {_share(truncated, cases)} of the cases began before their history"
        lines.append(_line(name, "finding", reason, truncated, said))
    tied, first = _counted(log, _tied)
    if tied:
        said = (
            first,
            "in which order they were taken is not known: paths through this second are a convention",
            "ordered by kind of event, then by the chain of old and new values, then by Id",
            2,
        )
        reason = f"ties: {_share(tied, events)} of the events share a second with another save of the case"
        lines.append(_line(name, "finding", reason, tied, said))
    lines += _without_hours(log)
    if patterns is not None:
        seen = patterns.filter(pl.col("rows").is_null() | (pl.col("rows") > 0))
        lines += [
            _line(name, "finding", f"{pattern}: {finding}", rows, tuple(more))
            for pattern, finding, rows, *more in seen.iter_rows()
        ]
    if tables.clock is not None and log.as_of > tables.clock:
        days = (log.as_of - tables.clock) / timedelta(days=1)
        reason = (
            f"as_of is {days:.1f} days after the newest row ({tables.clock:%Y-%m-%d %H:%M} UTC): "
            "nothing is known between, and what is open has only grown older"
        )
        lines.append(_line(name, "finding", reason))
    return lines


def _counted(log: EventLog, find: Callable[[EventLog], pl.Series]) -> tuple[int, list[str]]:
    """How many Ids `find` finds in the partitions, and the three smallest."""
    found = list(
        log.each(lambda one: (len(ids := find(one)), ids.drop_nulls().unique().sort().head(3).to_list()))
    )
    return sum(n for n, _ in found), sorted({one for _, ids in found for one in ids})[:3]


def _without_hours(log: EventLog) -> list[tuple[object, ...]]:
    """Cases that go by the default calendar, for want of one of their own."""
    if log.calendars is None:
        return []
    cases, first = _counted(log, _defaulted)
    if not cases:
        return []
    named = None if log.calendars.default is None else log.calendars.names[log.calendars.default]
    said = (
        first,
        "they have no business time" if named is None else f"their business time is that of '{named}'",
        ("left out" if named is None else "counted by the default calendar")
        + "; [[calendars.assigned]] of source.toml can say which calendar is theirs",
        2,
    )
    reason = f"calendars: {_share(cases, log.sizes[0])} of the cases have no business hours of their own"
    return [_line(log.process.name, "finding", reason, cases, said)]


def _defaulted(log: EventLog) -> pl.Series:
    """Cases to which neither a rule nor business hours of their own give a calendar, as they are now."""
    hours, ids = log.calendars, log.only.of_cases("case_id").to_series()
    return ids.clear() if hours is None else ids.filter(hours.defaulted(log.cells(hours.words, NOW)))


def _truncated(log: EventLog) -> pl.Series:
    """Cases whose history is not covered."""
    return log.only.cases.filter("truncated")["case_id"]


def _tied(log: EventLog) -> pl.Series:
    """Events whose case has an event of another save in the very same second."""
    second = ["case_ix", "occurred_at"]
    events = log.only.columns(*second, "change_set", "source_id")
    met = events.filter(pl.struct(second).is_duplicated())
    apart = pl.col("change_set").min().over(second) != pl.col("change_set").max().over(second)
    return met.filter(apart)["source_id"]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"


def _concerning(noticed: pl.DataFrame, logs: Sequence[EventLog]) -> pl.DataFrame:
    """What was noticed of the roots of these logs, and of the tables they read."""
    named = pl.DataFrame(
        [(log.process.root, log.process.name) for log in logs],
        schema={"root": pl.String, "process": pl.String},
        orient="row",
    )
    hours = () if all(log.calendars is None for log in logs) else (HOURS, HOLIDAY)
    read = sorted({*(name for log in logs for name in log.process.paths), *hours})
    rooted = noticed.join(named, on="root", how="left", maintain_order="left")
    concerning = rooted.filter(
        pl.col("process").is_not_null()
        | (pl.col("root").is_null() & pl.col("table").is_in(read).fill_null(value=True))
    )
    table = pl.concat_str("process", "table", separator=": ").fill_null(
        pl.coalesce("process", "table", pl.lit("other tables"))
    )
    return concerning.select(
        pl.when(pl.col("process").is_null()).then(pl.lit("table")).otherwise(pl.lit("log")).alias("scope"),
        table.alias("table"),
        pl.lit("finding").alias("disposition"),
        pl.col("finding").alias("reason"),
        "rows",
        "examples",
        "effect",
        "done",
        "weight",
    )


def _scoped(quality: pl.DataFrame, scope: str) -> pl.DataFrame:
    """`quality` with its scope: what it says of events stands apart from what it says of rows."""
    of_events = pl.col("table").str.ends_with(" events")
    if "scope" not in quality.columns:
        named = pl.when(of_events).then(pl.lit("event")).otherwise(pl.lit(scope))
        quality = quality.with_columns(named.alias("scope"))
    nothing = [pl.lit(None).alias(name) for name in _SAID if name not in quality.columns]
    return quality.with_columns(nothing).select(pl.col(name).cast(dtype) for name, dtype in _SAID.items())

"""How analyses are cut: the words of `by` checked, periods of a calendar, people withheld."""

from collections.abc import Sequence

import polars as pl
from pydantic import ValidationError

from crmmining import disclosure
from crmmining.definitions.segments import NOW
from crmmining.errors import CrmMiningError, UnknownNameError
from crmmining.eventlog import EventLog
from crmmining.kernels.handovers import COUNTS
from crmmining.measure import Cut
from crmmining.periods import PERIODS, Period
from crmmining.tables import OrgSpec

_MUST = {
    "time_zone": "the name of an IANA time zone such as 'Europe/Berlin'",
    "fiscal_year_start": "the number of a month, 1 to 12",
}


def words_of(by: Sequence[str]) -> tuple[str, ...]:
    """The segment words asked for, each once; a text is one word."""
    return (by,) if isinstance(by, str) else tuple(dict.fromkeys(by))


def cut_of(
    log: EventLog,
    by: Sequence[str],
    period: Period | None = None,
    *,
    basis: str = NOW,
    time_zone: str = "UTC",
    fiscal_year_start: int = 1,
) -> Cut:
    """The cut by segment words, each once, and a period.

    Raises `UnknownNameError` for words and periods nobody knows, `CrmMiningError` for what is no time zone or
    no month.
    """
    words = words_of(by)
    for word in words:
        if log.segment(word, basis).column is None:
            raise UnknownNameError("segment", word, log.process.segments)
    if period is not None and period not in PERIODS:
        raise UnknownNameError("period", period, PERIODS)
    try:
        org = OrgSpec(time_zone=time_zone, fiscal_year_start=fiscal_year_start)
    except ValidationError as error:
        named = [(str(fault["loc"][0]), fault["input"]) for fault in error.errors()]
        faults = [f"{name} is {stated!r}, but must be {_MUST[name]}" for name, stated in named]
        raise CrmMiningError("; ".join(faults)) from error
    return Cut(org, words, period, basis=basis)


def withheld(
    log: EventLog, table: pl.DataFrame, cells: Sequence[str], n: pl.Expr | None = None
) -> pl.DataFrame:
    """The table without figures of `cells` that name people and stand for too few cases (default: its `n`).

    `cells` are the columns that name a row.
    """
    counted = table.with_columns(n=n) if n is not None else table
    shown = disclosure.withhold_cells(counted, log.minimum_group, by=cells, people=log.process.people)
    return shown if n is None else shown.drop("n")


def is_off(log: EventLog, text: str) -> bool:
    """Whether a condition asks for a milestone, reopenings or owners that the source cannot show."""
    words = pl.sql_expr(text).meta.root_names()
    off = {entry.split("'")[1] for entry in log.off if entry.startswith("milestone '")}
    facts = set(COUNTS) if "owner_changed" in off else set()
    if log.process.reopens and off.issuperset(log.process.reopens):
        facts.add("reopens")
    return any(word in facts or word.rsplit("_", 1)[0] in off for word in words)


def money(log: EventLog) -> tuple[pl.Expr, str | None]:
    """What cases are worth in the reporting currency, and its name; nulls where the process converts nothing.

    >>> import crmmining as cm
    >>> money(cm.connect("data/sample").event_log("opportunity"))[1]
    'USD'
    """
    known = log.blank.facts.columns
    if not {"amount_reporting", "reporting_currency"} <= set(known):
        return pl.lit(None, pl.Float64), None
    named = log.each(lambda part: part.only.of_cases("reporting_currency").drop_nulls().head(1))
    currency = next((one.item() for one in named if one.height), None)
    return pl.col("amount_reporting").cast(pl.Float64), currency

"""The scorecard: KPIs of many processes as tidy rows of one shape."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import polars as pl

from crmmining.definitions import Catalogue, Kpi
from crmmining.eventlog import EventLog
from crmmining.measure.cut import Cut
from crmmining.measure.kinds import measure_all
from crmmining.periods import period_end

_ORDER = ("process", "kpi", "part", "clock", "period_start")
_UNITS = {"per_case": "number", "share": "share"}  # of parts, whatever that of the others
_TALLIES = ("n", "open", "excluded", "truncated")


def scorecard(
    logs: Mapping[str, EventLog], catalogue: Catalogue, kpis: Iterable[Kpi], cut: Cut
) -> pl.DataFrame:
    """Tidy rows of `kpis` on the logs of their processes, by process, KPI, part, clock, period and segments.

    Columns: kpi, process, grain (case, event or milestone), period_start (Date; null without a period and for
    cases that have no such date), period_end (Date, exclusive), the segment words as they were asked, basis
    (when they count: a milestone, `outcome`, `event` or `now`; null without segments), part, clock (of times:
    calendar, or business, where the log has calendars: what of the time lies inside the opening hours that
    hold for the case at the start; else null), value (Float64), unit (money: the currency), n (counted), open
    (still waiting), excluded, truncated (Int64), low, high (95 % interval of shares and of median_with_open),
    as_of, definition (hash of the defining text). Every case in the window is in exactly one of n, open and
    excluded of one row per KPI, part and clock; for conversion open is part of n, unless it follows cases for
    a stated time. `truncated` are the cases (other grains: what belongs to cases) whose history is not
    covered in full: a part of excluded where the KPI leaves them out, else a part of n.

    Durations are in whole seconds. median, p90 and mean are of the cases that reached the end, and so too
    short while others are open; median_with_open is the time by which half of all that started have reached
    it: those still open count as far as they have come (their age at `as_of`, in that clock), those that were
    closed without reaching it, a part of excluded, never do (Aalen and Johansen; of those alone that never
    compete, 1 - Kaplan and Meier). It is null where half have not reached the end, its bounds where their
    curves have not. Nobody who is still open has a date or a segment of the end: so it is null for a KPI
    dated by its end as soon as a period or window is asked, and where a segment counts at a later milestone
    than the start; `word@created` and `word@now` give it.
    """
    rows = [pl.DataFrame(schema=_schema(cut))]
    asked: dict[str, list[Kpi]] = {}
    for kpi in kpis:
        asked.setdefault(kpi.process, []).append(kpi)
    for process, several in asked.items():
        log = logs[process]
        for kpi, wide in zip(several, measure_all(log, several, cut), strict=True):
            rows.append(_named(_tidy(wide, kpi, cut), log, catalogue, kpi, cut))
    return pl.concat(rows).sort(*_ORDER, *cut.by, "unit", nulls_last=True)


def _named(tidy: pl.DataFrame, log: EventLog, catalogue: Catalogue, kpi: Kpi, cut: Cut) -> pl.DataFrame:
    """The rows of one KPI with what is the same in all of them, in the columns of a scorecard."""
    constants = {
        "kpi": kpi.name,
        "process": kpi.process,
        "grain": kpi.grain,
        "definition": catalogue.fingerprint(kpi),
        "basis": replace(cut, basis=kpi.standing).told(log),
    }
    whole = tidy.with_columns(
        period_end=period_end(pl.col("period_start"), cut.period or "day"),
        as_of=pl.lit(log.as_of, pl.Datetime("us", "UTC")),
        **{name: pl.lit(text, pl.String) for name, text in constants.items()},
    )
    return whole.select(pl.col(name).cast(dtype) for name, dtype in _schema(cut).items())


def _tidy(wide: pl.DataFrame, kpi: Kpi, cut: Cut) -> pl.DataFrame:
    """One row per part, from one column per part."""
    if cut.period is None:
        wide = wide.with_columns(period_start=pl.lit(None, pl.Date))
    unit = pl.col("unit") if "unit" in wide.columns else pl.lit(kpi.unit)
    if "clock" not in wide.columns:
        wide = wide.with_columns(clock=pl.lit(None, pl.String))
    keys = ["period_start", *cut.by, "clock"]
    fixed = {*keys, *_TALLIES, "unit"}
    parts = [name for name in wide.columns if name not in fixed and not name.endswith(("_low", "_high"))]
    none = pl.lit(None, pl.Float64)
    return pl.concat(
        [
            wide.select(
                *keys,
                *_TALLIES,
                part=pl.lit(part),
                value=pl.col(part),
                unit=pl.lit(_UNITS[part]) if part in _UNITS else unit,
                low=pl.col(f"{part}_low") if f"{part}_low" in wide.columns else none,
                high=pl.col(f"{part}_high") if f"{part}_high" in wide.columns else none,
            )
            for part in parts
        ]
    )


def _schema(cut: Cut) -> dict[str, pl.DataType]:
    text, number, count, day = pl.String(), pl.Float64(), pl.Int64(), pl.Date()
    return {
        "kpi": text,
        "process": text,
        "grain": text,
        "period_start": day,
        "period_end": day,
        **dict.fromkeys(cut.by, text),
        "basis": text,
        "part": text,
        "clock": text,
        "value": number,
        "unit": text,
        "n": count,
        "open": count,
        "excluded": count,
        "truncated": count,
        "low": number,
        "high": number,
        "as_of": pl.Datetime("us", "UTC"),
        "definition": text,
    }

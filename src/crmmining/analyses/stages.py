"""Stages: how long cases stay in each, how they leave it, and which stay longer than the stage's own norm."""

from collections.abc import Sequence

import polars as pl

from crmmining import summaries
from crmmining.analyses.cutting import cut_of, withheld
from crmmining.definitions.segments import EVENT
from crmmining.errors import CrmMiningError
from crmmining.eventlog import EventLog
from crmmining.eventlog import visits as of_partition
from crmmining.kernels.quantiles import quantile
from crmmining.kernels.visits import MOVED, STILL_THERE, WAYS
from crmmining.measure import Cut

_SECOND = 1_000_000  # microseconds


def stage_visits(log: EventLog) -> pl.DataFrame:
    """Every visit of a case to a stage: a row each, by case (in the order of `cases`) and time.

    The stage is the attribute that the process names under [waiting]. Columns: case_id, stage, visit (Int64,
    from 1), entered_at, left_at (null: still there), dwell (Duration: from entered_at to left_at, or to
    `as_of`), in_hours (Duration: what of it lies in opening hours of the calendar in force when the visit
    began; null without calendars), next (the stage after it; null where the case ended or is still there) and
    way: advanced, regressed, skipped (ahead, over a stage), moved (where the order of the stages tells no
    direction), the milestone that ended the case (won, lost, ...) or `still there`.

    A closed case is in no stage until it is reopened. A visit whose beginning is not known has no entered_at
    and no dwell: the first one of a case whose history is cut (`truncated`) and of a case that was closed
    before anything was recorded of it (no stage either), and one that ends before it begins.

    Raises `CrmMiningError` for a process that does not state which milestones move its cases.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> found = analyses.stage_visits(cm.connect("data/sample").event_log("opportunity"))
    >>> found.select("stage", "visit", "way", "next").row(0)
    ('Prospecting', 1, 'advanced', 'Qualification')
    """
    of_partition.stage(log)

    def told(part: EventLog) -> pl.DataFrame:
        rows = of_partition.visits(part)
        ids = part.only.of_cases("case_id").to_series().gather(rows["case_ix"])
        return rows.select(
            ids,
            "stage",
            "visit",
            "entered_at",
            "left_at",
            dwell=_dwell(part),
            in_hours=pl.col("in_hours").cast(pl.Duration("us")),
            next="next",
            way="way",
        )

    return pl.concat(log.each(told))


def visits(log: EventLog, by: Sequence[str] = (), *, norm: float = 0.9) -> pl.DataFrame:
    """How cases pass through each stage: a row per stage and cell of `by`.

    Columns: stage, `by`, visits (Int64; whose beginning is known), cases (that made them), open (visits that
    last, part of visits), excluded (visits whose beginning is not known, see `stage_visits`), median, p90
    (Duration: dwell of the visits that are over), in_hours_median, in_hours_p90 (of what lies in opening
    hours; null without calendars), advanced, skipped, regressed, moved (how visits were left), the milestones
    that end cases (won, lost, ...), on (visits left ahead: advanced, skipped or ended by the first of these),
    conversion (on / visits; open ones count as not gone on yet) with its 95 % interval in conversion_low,
    conversion_high, norm (Duration: the quantile `norm` of the dwell of all visits to the stage that are
    over, whatever the cell) and stalled (open visits that have lasted longer than that). By stage and `by`,
    nulls last; a row without stage counts cases of which no stage is known before they were closed.

    Bare words of `by` count as they were when the visit began (`word@now`, `word@milestone`: as then). Norms
    are 0.1, 0.2, ... 0.9. Cells that name people are withheld below the log's minimum group. Raises
    `UnknownNameError` for unknown words, `CrmMiningError` for other norms and as `stage_visits` does.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> found = analyses.visits(cm.connect("data/sample").event_log("opportunity"))
    >>> found.filter(stage="Proposal/Price Quote").select("visits", "open", "advanced", "stalled").row(0)
    (117, 4, 85, 3)
    """
    of_partition.stage(log)
    tenths = tenths_of(norm)
    cut = cut_of(log, by, basis=EVENT)
    keys = ["stage", *cut.keys]
    ways = [*WAYS.values(), MOVED, *log.process.ends]

    def tallied(part: EventLog) -> tuple[pl.DataFrame, list[summaries.Tally]]:
        return _tallies(part, cut, keys, ways)

    parts = list(log.each(tallied))
    counts = pl.concat(one for one, _ in parts).group_by(keys).agg(pl.all().sum())
    over, in_hours, lasting = (summaries.add((tallies[at] for _, tallies in parts), keys) for at in range(3))
    norms = norms_of(over.values, tenths)
    late = lasting.values.join(norms, on="stage", how="left", nulls_equal=True)
    late = late.filter(pl.col("value") * _SECOND > pl.col("norm"))
    stalled = late.group_by(keys).agg(stalled=pl.col("cases").sum())
    found = counts.with_columns(n="visits", hits="on")
    found = summaries.with_share(summaries.Tally(found, over.values), "conversion").drop("n", "hits")
    for one, names in ((over, ("median", "p90")), (in_hours, ("in_hours_median", "in_hours_p90"))):
        times = summaries.with_values(one, keys, "median", "p90").select(*keys, "median", "p90")
        times = summaries.with_durations(times).rename(dict(zip(("median", "p90"), names, strict=True)))
        found = found.join(times, on=keys, how="left", nulls_equal=True)
    found = found.join(norms, on="stage", how="left", nulls_equal=True)
    found = found.join(stalled, on=keys, how="left", nulls_equal=True)
    cells = ["stage", *cut.by]
    table = cut.named(found).select(
        *(*cells, "visits", "cases", "open", "excluded", "median", "p90", "in_hours_median", "in_hours_p90"),
        *(*ways, "on", "conversion", "conversion_low", "conversion_high"),
        (pl.col("norm") / _SECOND).round().cast(pl.Int64).mul(_SECOND).cast(pl.Duration("us")),
        pl.col("stalled").fill_null(0),
    )
    return withheld(log, table.sort(cells, nulls_last=True), cells, n=pl.col("cases"))


def tenths_of(norm: float) -> int:
    """A quantile in tenths; raises `CrmMiningError` for one that is none of 0.1, 0.2, ... 0.9."""
    tenths = round(norm * 10)
    if not 0 < tenths < 10 or abs(norm * 10 - tenths) > 1e-9:  # noqa: PLR2004
        raise CrmMiningError(f"norm is {norm}, but must be one of the quantiles 0.1, 0.2, ... 0.9")
    return tenths


def norms_of(over: pl.DataFrame, tenths: int) -> pl.DataFrame:
    """How long visits to each stage last at most, but for the longest: stage, norm (microseconds, Float64).

    `over` says how many visits (`cases`) to a `stage` took `value` whole seconds.
    """
    times = over.group_by("stage", "value").agg(pl.col("cases").sum()).sort("stage", "value", nulls_last=True)
    cells = times.group_by("stage", maintain_order=True).agg(rows=pl.len())
    starts = (cells["rows"].cum_sum() - cells["rows"]).to_numpy().astype("int64")
    found = quantile(times["value"].to_numpy(), times["cases"].to_numpy(), starts, tenths)
    return cells.select("stage").with_columns((found * _SECOND).alias("norm"))


def _tallies(
    log: EventLog, cut: Cut, keys: list[str], ways: list[str]
) -> tuple[pl.DataFrame, list[summaries.Tally]]:
    """What the visits of a partition add up to: counts, and times of those over, and open."""
    rows = of_partition.visits(log)
    born = log.only.of_cases("created_at").to_series().gather(rows["case_ix"])
    when = rows.select("case_ix", occurred_at=pl.coalesce("entered_at", born))
    rows = rows.with_columns(*cut.segments_of(log, when), known=pl.col("entered_at").is_not_null())
    rows = rows.with_columns(dwell=_dwell(log), open=pl.col("way") == STILL_THERE)
    known = pl.col("known")
    ahead = [WAYS[1], WAYS[2], *log.process.ends[:1]]
    counts = rows.group_by(keys).agg(
        known.sum().cast(pl.Int64).alias("visits"),
        pl.col("case_ix").filter(known).n_unique().cast(pl.Int64).alias("cases"),
        (known & pl.col("open")).sum().cast(pl.Int64).alias("open"),
        (~known).sum().cast(pl.Int64).alias("excluded"),
        *((known & (pl.col("way") == way)).sum().cast(pl.Int64).alias(way) for way in ways),
        (known & pl.col("way").is_in(ahead)).sum().cast(pl.Int64).alias("on"),
    )
    seconds = pl.col("dwell").dt.total_seconds()
    over = summaries.members(known & ~pl.col("open"), pl.col("open"), whole_only=False)
    lasts = summaries.members(known & pl.col("open"), ~pl.col("open"), whole_only=False)
    rows = rows.with_columns(truncated=False)
    times = ((over, seconds), (over, pl.col("in_hours") // _SECOND), (lasts, seconds))
    return counts, [summaries.tally(rows, keys, who, value=value) for who, value in times]


def _dwell(log: EventLog) -> pl.Expr:
    """How long a visit lasted, or has lasted."""
    now = pl.lit(log.as_of, pl.Datetime("us", "UTC"))
    return pl.coalesce("left_at", now) - pl.col("entered_at")

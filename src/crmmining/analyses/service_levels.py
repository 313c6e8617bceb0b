"""Service levels: which milestones of cases are met, broken and still running."""

from collections.abc import Sequence

import polars as pl

from crmmining import summaries
from crmmining.analyses.cutting import cut_of, withheld
from crmmining.definitions.segments import EVENT
from crmmining.eventlog import EventLog
from crmmining.eventlog import sla as standing
from crmmining.kernels.sla import STATES
from crmmining.periods import Period

_DECIDED = ("met", "violated", "running_late")


def milestones(log: EventLog) -> pl.DataFrame:
    """Every milestone of every case and how it stands as of the log's moment.

    Columns: case_id, source_id (which milestone it is), milestone (its name), started_at, target_at,
    completed_at, state, reason, after_reopening (see `kernels.sla.states`), sorted by case and start.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> found = analyses.milestones(cm.connect("data/sample").event_log("case"))
    >>> found.filter(pl.col("state") == "stopped")["milestone"].to_list()
    ['Resolution']
    """

    def told(part: EventLog) -> pl.DataFrame:
        rows = standing.of_partition(part)
        ids = part.only.of_cases("case_id").to_series().gather(rows["case_ix"])
        return rows.with_columns(ids).select(
            *("case_id", "source_id", "milestone", "started_at", "target_at", "completed_at"),
            *("state", "reason", "after_reopening"),
        )

    return pl.concat(log.each(told))


def sla(
    log: EventLog,
    *,
    by: Sequence[str] = (),
    period: Period | None = None,
    time_zone: str = "UTC",
    fiscal_year_start: int = 1,
) -> pl.DataFrame:
    """How the milestones of cases stand as of the log's moment, per name of the milestone.

    Columns: milestone, after_reopening (apart: those that started at or after their case's first reopening),
    period_start (with a `period`: that of the target; null without one), `by`, the number in every state of
    `kernels.sla.states` (met, violated, running, running_late, stopped, void, faulty; Int64), n = met +
    violated + running_late, compliance = met / n with its 95 % interval in compliance_low and
    compliance_high, lateness (Duration: median of completion - target of those completed late; null without
    any). Targets are taken as the CRM extracted them: stopped time is in them already. Segments are as they
    were when the milestone was completed or fell due, whichever was first (`word@milestone`: as then). Sorted
    by milestone, after_reopening, period and `by`. Raises `UnknownNameError` for unknown words, also where
    the process has no milestones of service levels.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> found = analyses.sla(cm.connect("data/sample").event_log("case"))
    >>> found.select("milestone", "met", "violated", "running_late", "n").rows()
    [('First Response', 255, 40, 6, 301), ('Resolution', 199, 89, 8, 296)]
    """
    cut = cut_of(log, by, period, basis=EVENT, time_zone=time_zone, fiscal_year_start=fiscal_year_start)
    keys = ["milestone", "after_reopening", *cut.keys]

    def tallied(part: EventLog) -> tuple[pl.DataFrame, summaries.Tally]:
        rows = standing.of_partition(part)
        rows = rows.with_columns(
            *cut.segments_of(part, rows), *cut.start(pl.col("target_at")), truncated=False
        )
        counts = rows.group_by(keys).agg((pl.col("state") == s).sum().cast(pl.Int64).alias(s) for s in STATES)
        decided = pl.col("state").is_in(_DECIDED)
        who = summaries.members(decided, ~decided, whole_only=False)
        late = (pl.col("completed_at") - pl.col("target_at")).dt.total_seconds()
        broken = pl.when(pl.col("reason") == "completed late").then(late)
        return counts, summaries.tally(rows, keys, who, hit=pl.col("state") == "met", value=broken)

    both = list(log.each(tallied))
    counts = pl.concat(part for part, _ in both).group_by(keys).agg(pl.all().sum())
    added = summaries.add((tally for _, tally in both), keys)
    share = summaries.with_share(added, "compliance").drop("open", "excluded", "truncated", "hits")
    lateness = summaries.with_values(added, keys, "median").select(*keys, "median")
    joined = counts.join(share, on=keys, nulls_equal=True).join(lateness, on=keys, nulls_equal=True)
    found = cut.named(summaries.with_durations(joined).rename({"median": "lateness"}))
    cells = ["milestone", "after_reopening", *(() if period is None else ("period_start",)), *cut.by]
    ordered = found.select(*cells, *STATES, pl.exclude(*cells, *STATES)).sort(cells, nulls_last=True)
    return withheld(log, ordered, cells)

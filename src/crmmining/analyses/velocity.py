"""Sales velocity with its parts, and how often something comes again."""

from collections.abc import Sequence

import polars as pl

from crmmining import summaries
from crmmining.analyses.cutting import cut_of, money, withheld
from crmmining.definitions.segments import OUTCOME
from crmmining.errors import CrmMiningError
from crmmining.eventlog import EventLog
from crmmining.periods import Period

_DAY = 86_400


def velocity(
    log: EventLog,
    by: Sequence[str] = (),
    *,
    period: Period | None = None,
    time_zone: str = "UTC",
    fiscal_year_start: int = 1,
) -> pl.DataFrame:
    """How much is won per day of a sales cycle: n x win_rate x mean_amount / cycle_days, each part shown.

    All parts are of the same cases: those won or lost, dated by the closing in force (the first of the
    process's `ends` is the win, the second the loss). Columns: period_start (with a `period`), `by`, n
    (Int64: decided), won, win_rate with its 95 % interval in win_rate_low and win_rate_high, mean_amount
    (Float64: of those won, in the reporting currency), amounts (Int64: how many of those have one),
    cycle_days (Float64: median from creation to the closing, of those won), cycles (Int64: how many of those
    did not end before they were created), velocity (Float64: money per day; null where a part is or the
    cycle is zero) and currency. By period and `by`, which count as they were at the closing (nulls last).
    Cells that name people are withheld below the log's minimum group.

    Raises `CrmMiningError` for a process without wins and losses or without amounts in one currency,
    `UnknownNameError` for unknown words.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> found = analyses.velocity(cm.connect("data/sample").event_log("opportunity"))
    >>> found.select("n", "won", pl.col("velocity").round()).row(0)
    (182, 87, 43395.0)
    """
    value, currency = money(log)
    ends = log.process.ends
    if len(ends) < 2 or "amount_reporting" not in log.blank.facts.columns:  # noqa: PLR2004 - a win and a loss
        raise CrmMiningError(
            f"process '{log.process.name}' has no sales velocity: it takes a win and a loss under ends, "
            "and amounts in one currency (amount_reporting)"
        )
    cut = cut_of(log, by, period, basis=OUTCOME, time_zone=time_zone, fiscal_year_start=fiscal_year_start)
    win, loss = ends[:2]
    won = pl.col("outcome") == win
    lasted = (pl.col("outcome_at") - pl.col("created_at")).dt.total_seconds()

    def tallied(part: EventLog) -> list[summaries.Tally]:
        cases = cut.cases(part, pl.col("outcome_at"))
        cases = cases.filter(pl.col("outcome").is_in([win, loss]))
        everybody = summaries.members(~pl.col("open"), pl.col("open"), whole_only=False)
        winners = summaries.members(won, ~won, whole_only=False)
        cycle = pl.when(lasted >= 0).then(lasted)
        return [
            summaries.tally(cases, cut.keys, everybody, hit=won),
            summaries.tally(cases, cut.keys, winners, hit=value.is_not_null(), value=value),
            summaries.tally(cases, cut.keys, winners, hit=cycle.is_not_null(), value=cycle),
        ]

    parts = list(log.each(tallied))
    decided, amounts, cycles = (summaries.add((part[at] for part in parts), cut.keys) for at in range(3))
    found = summaries.with_share(decided, "win_rate").rename({"hits": "won"})
    found = found.with_columns(
        amounts.counts["hits"].alias("amounts"),
        cycles.counts["hits"].alias("cycles"),
        summaries.with_values(amounts, cut.keys, "mean")["mean"].alias("mean_amount"),
        (summaries.with_values(cycles, cut.keys, "median")["median"] / _DAY).alias("cycle_days"),
    )
    money_in = pl.col("n") * pl.col("win_rate") * pl.col("mean_amount")
    cells = [*(() if period is None else ("period_start",)), *cut.by]
    table = cut.named(found).select(
        *(*cells, "n", "won", "win_rate", "win_rate_low", "win_rate_high", "mean_amount", "amounts"),
        *("cycle_days", "cycles"),
        pl.when(pl.col("cycle_days") > 0).then(money_in / pl.col("cycle_days")).alias("velocity"),
        pl.lit(currency, pl.String).alias("currency"),
    )
    return withheld(log, table.sort(cells, nulls_last=True) if cells else table, [*cells, "currency"])


def gaps(log: EventLog, milestone: str, by: Sequence[str] = ()) -> pl.DataFrame:
    """How long it takes until a milestone or activity comes again in a case: opportunities of an account, ...

    Columns: `by`, cases (Int64: with the milestone), events, gaps (times between one and the next), median,
    p90, mean (Duration: of the gaps), once (cases that have it once) and since_last (Duration: median time
    from a case's last one to `as_of`). `by` counts as when a case first passed the milestone. Two events of
    one moment are a gap of zero. Cells that name people are withheld below the log's minimum group. Raises
    `UnknownNameError` for unknown words.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> found = analyses.gaps(cm.connect("data/sample").event_log("account"), "opportunity_created")
    >>> found.select("cases", "events", "gaps", "once").row(0)
    (154, 246, 92, 87)
    """
    codes = log.codes(milestone)
    cut = cut_of(log, by, basis=milestone if milestone in log.process.milestones else "created")
    now = pl.lit(log.as_of, pl.Datetime("us", "UTC"))

    def tallied(part: EventLog) -> tuple[pl.DataFrame, list[summaries.Tally]]:
        events = part.only.among(codes, "case_ix", "occurred_at")
        again = pl.col("case_ix") == pl.col("case_ix").shift(-1)
        later = pl.when(again).then(pl.col("occurred_at").shift(-1))
        cells = cut.segments(part)
        rows = events.with_columns(
            *(cells[name].gather(events["case_ix"]) for name in cells.columns),
            gap=(later - pl.col("occurred_at")).dt.total_seconds(),
            since=(now - pl.col("occurred_at")).dt.total_seconds(),
            first=pl.col("case_ix").ne_missing(pl.col("case_ix").shift(1)),
            last=~again.fill_null(value=False),
            truncated=False,
        )
        counts = (
            pl.col("first").sum().cast(pl.Int64).alias("cases"),
            pl.len().cast(pl.Int64).alias("events"),
            pl.col("gap").is_not_null().sum().cast(pl.Int64).alias("gaps"),
            (pl.col("first") & pl.col("last")).sum().cast(pl.Int64).alias("once"),
        )
        between = summaries.members(~pl.col("last"), pl.col("last"), whole_only=False)
        ends = summaries.members(pl.col("last"), ~pl.col("last"), whole_only=False)
        times = [
            summaries.tally(rows, cut.keys, between, value=pl.col("gap")),
            summaries.tally(rows, cut.keys, ends, value=pl.col("since")),
        ]
        return (rows.group_by(cut.keys).agg(counts) if cut.keys else rows.select(counts)), times

    parts = list(log.each(tallied))
    every = pl.concat(one for one, _ in parts)
    found = every.group_by(cut.keys).agg(pl.all().sum()) if cut.keys else every.sum()
    found = found.sort(cut.keys, nulls_last=True) if cut.keys else found
    between, ends = (summaries.add((times[at] for _, times in parts), cut.keys) for at in range(2))
    times = summaries.with_values(between, cut.keys, "median", "p90", "mean")
    last = summaries.with_values(ends, cut.keys, "median")
    found = found.with_columns(times.select("median", "p90", "mean").get_columns())
    found = summaries.with_durations(found).with_columns(since_last=summaries.with_durations(last)["median"])
    table = cut.named(found).select(
        *cut.by, "cases", "events", "gaps", "median", "p90", "mean", "once", "since_last"
    )
    return withheld(log, table, list(cut.by), n=pl.col("cases"))

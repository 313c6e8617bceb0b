"""First time right: closed cases without rework, and what the others lack."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from crmmining import summaries
from crmmining.analyses.cutting import cut_of, is_off, withheld
from crmmining.definitions import read_catalogue
from crmmining.definitions.kpi import Kpi, Share
from crmmining.errors import CrmMiningError
from crmmining.eventlog import EventLog
from crmmining.kernels.merge import add

KPI: Final = "first_time_right"


def first_time_right(log: EventLog, *, by: Sequence[str] = (), kpi: Kpi | None = None) -> pl.DataFrame:
    """Why closed cases were not right the first time: a row per reason, and one for those that were.

    `kpi` names the population and the reasons, conditions over the facts of a case, under `unless`; default:
    the shipped one called `first_time_right`. Columns: `by`, reason (null: none of them, so the case was
    right the first time), cases (Int64; one case may have several reasons), only (those with no other),
    share, low, high (cases / n with its 95 % interval) and n (cases of the population, in all rows of a
    cell). A reason that the source cannot show has null in cases, only and share. Reasons come in the order
    of the KPI, the row without one first. Segments count as the KPI states. Raises `CrmMiningError` for a
    KPI of another process or without reasons, `UnknownNameError` for unknown words.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> found = analyses.first_time_right(cm.connect("data/sample").event_log("case"))
    >>> found["reason"].to_list()[:2], found.row(0, named=True)["n"]
    ([None, 'reopened'], 401)
    """
    asked = read_catalogue().kpi(KPI) if kpi is None else kpi
    if not isinstance(asked, Share) or not asked.unless or asked.process != log.process.name:
        raise CrmMiningError(
            f"KPI '{asked.name}' ({asked.kind}, process '{asked.process}') names no reasons for process "
            f"'{log.process.name}': state a share of that process with reasons under 'unless'"
        )
    cut = cut_of(log, by, basis=asked.standing)
    reasons = list(asked.unless)

    def tallied(part: EventLog) -> pl.DataFrame:
        told = [part.expression(text).fill_null(value=False) for text in asked.unless.values()]
        scope = None if asked.of is None else part.expression(asked.of)
        whole = asked.truncation == "exclude"
        who = summaries.members(summaries.population(scope), pl.lit(value=False), whole_only=whole)
        flags = [flag.alias(f"{at}") for at, flag in enumerate(told)]
        cases = part.facts.with_columns(*cut.segments(part)).filter(who.counted).select(*cut.keys, *flags)
        names = [f"{at}" for at in range(len(told))]
        several = pl.sum_horizontal(names) if names else pl.lit(0)
        every = [
            pl.len().cast(pl.Int64).alias("n"),
            (several == 0).sum().cast(pl.Int64).alias("right"),
            *(pl.col(name).sum().cast(pl.Int64).alias(f"cases {name}") for name in names),
            *((pl.col(name) & (several == 1)).sum().cast(pl.Int64).alias(f"only {name}") for name in names),
        ]
        return cases.group_by(cut.keys).agg(every) if cut.keys else cases.select(every)

    parts = list(log.each(tallied))
    sums = add(parts, cut.keys) if cut.keys else pl.concat(parts).sum()
    none = pl.lit(None, pl.Int64)
    off = {at for at, text in enumerate(asked.unless.values()) if is_off(log, text)}
    rows = [sums.select(*cut.keys, "n", reason=pl.lit(None, pl.String), place=0, cases="right", only=none)]
    for at, reason in enumerate(reasons):
        figures = (none, none) if at in off else (pl.col(f"cases {at}"), pl.col(f"only {at}"))
        rows.append(
            sums.select(
                *cut.keys, "n", reason=pl.lit(reason), place=at + 1, cases=figures[0], only=figures[1]
            )
        )
    counts = pl.concat(rows, how="vertical_relaxed").with_columns(hits="cases")
    shares = summaries.with_share(summaries.Tally(counts, counts.clear()), "share")
    found = cut.named(shares).sort(*cut.by, "place", nulls_last=True)
    told = found.select(
        *cut.by, "reason", "cases", "only", "share", low="share_low", high="share_high", n="n"
    )
    return withheld(log, told, [*cut.by, "reason"])

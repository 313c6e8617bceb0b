"""Documentation: signs that ended cases were put into the CRM late, at once or not at all."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from crmmining import summaries
from crmmining.analyses.cutting import cut_of, is_off, money, withheld
from crmmining.definitions.classes import Sign
from crmmining.definitions.segments import OUTCOME
from crmmining.errors import CrmMiningError
from crmmining.eventlog import EventLog
from crmmining.eventlog.expressions import expression
from crmmining.kernels.merge import add
from crmmining.measure import Cut

_WHERE: Final = ("actor", "minute")


def documentation(log: EventLog, by: Sequence[str] = ()) -> pl.DataFrame:
    """Signs of poor documentation among ended cases: a row per sign of the process and cell of `by`.

    The signs are the tables [signs.<name>] of the process: conditions over the facts of a case and
    closing_day (Date, UTC: of the closing in force), closing_date_only (Boolean: only its day is known, no
    event tells it) and closed_together (Int64: how many closings in force the same actor made in the same
    minute, this one included; null without an actor). Thresholds are changed in an overlay.

    Columns: `by`, sign, about (in words), rule (the condition), cases (Int64, that show it), n (ended cases
    that `of` asks for), share, low, high (cases / n with its 95 % interval), excluded (of those asked for:
    left out since their history is cut), value (Float64: what those that show it are worth in all), n_value
    (what all n are worth; missing amounts count as 0) and currency; the last three are null where the process
    converts no amounts. A sign that the source cannot show has nulls. Signs come in the order of the process;
    bare words of `by` count as they were at the closing in force. Cells that name people are withheld below
    the log's minimum group.

    Raises `CrmMiningError` for a process without signs, `UnknownNameError` for unknown words and facts.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> found = analyses.documentation(cm.connect("data/sample").event_log("opportunity"))
    >>> found.select("sign", "cases", "n").row(0)
    ('created_won', 1, 87)
    """
    signs = log.process.signs
    if not signs:
        raise CrmMiningError(f"process '{log.process.name}' states no signs: add tables [signs.<name>]")
    cut = cut_of(log, by, basis=OUTCOME)
    value, currency = money(log)
    minutes = add(log.each(_minutes), _WHERE)

    def tallied(part: EventLog) -> list[tuple[summaries.Tally, summaries.Tally]]:
        ended = _ended(part, cut, minutes)
        return [_tallies(ended, sign, cut, value) for sign in signs.values()]

    parts = list(log.each(tallied))
    rows = []
    for at, (name, sign) in enumerate(signs.items()):
        shown, every = (summaries.add((part[at][which] for part in parts), cut.keys) for which in range(2))
        found = summaries.with_share(every, "share")
        for one, column in ((shown, "value"), (every, "n_value")):
            sums = summaries.with_values(one, cut.keys, "sum").select(*cut.keys, pl.col("sum").alias(column))
            found = found.join(sums, on=cut.keys, nulls_equal=True) if cut.keys else found.hstack(sums)
        told = found.with_columns(
            sign=pl.lit(name), about=pl.lit(sign.about), rule=pl.lit(sign.where), place=at
        )
        if currency is not None:
            told = told.with_columns(pl.col("value", "n_value").fill_null(0.0))
        exact = pl.col("truncated") if sign.truncated == "exclude" else pl.lit(0, pl.Int64)
        told = told.with_columns(exact.alias("excluded"))
        if is_off(log, sign.where):
            off = ("hits", "n", "excluded", "share", "share_low", "share_high", "value", "n_value")
            told = told.with_columns(pl.lit(None, told.schema[column]).alias(column) for column in off)
        rows.append(told)
    table = cut.named(pl.concat(rows)).sort(*cut.by, "place", nulls_last=True)
    shown_columns = ("sign", "about", "rule", pl.col("hits").alias("cases"), "n", "share")
    told = table.select(
        *cut.by,
        *shown_columns,
        *(pl.col("share_low").alias("low"), pl.col("share_high").alias("high"), "excluded"),
        *("value", "n_value", pl.lit(currency, pl.String).alias("currency")),
    )
    return withheld(log, told, [*cut.by, "sign", "about", "rule", "currency"])


def _closings(log: EventLog) -> pl.DataFrame:
    """The closings in force of a partition: case_ix, actor, minute, closing_day, closing_date_only."""
    codes = [code for word in log.process.ends for code in log.codes(word)]
    ends = log.only.among(codes, "case_ix", "occurred_at", "actor", "date_only")
    last = ends.unique("case_ix", keep="last", maintain_order=True)
    ended = last.filter(~log.only.of_cases("open").to_series().gather(last["case_ix"]))
    at = pl.col("occurred_at")
    return ended.select(
        "case_ix",
        pl.col("actor").cast(pl.String),
        minute=at.dt.truncate("1m"),
        closing_day=at.dt.date(),
        closing_date_only="date_only",
    )


def _minutes(log: EventLog) -> pl.DataFrame:
    """How many closings each actor made in each minute."""
    known = _closings(log).drop_nulls("actor")
    return known.group_by(_WHERE).agg(closed_together=pl.len().cast(pl.Int64))


def _ended(log: EventLog, cut: Cut, minutes: pl.DataFrame) -> pl.DataFrame:
    """The facts of ended cases with their cells, and what is known of their closings."""
    closings = _closings(log).join(minutes, on=_WHERE, how="left", maintain_order="left").drop(_WHERE)
    cases = log.facts.with_columns(*cut.segments(log)).with_row_index("case_ix")
    return cases.join(closings, on="case_ix", how="inner", maintain_order="left")


def _tallies(
    ended: pl.DataFrame, sign: Sign, cut: Cut, value: pl.Expr
) -> tuple[summaries.Tally, summaries.Tally]:
    """The cases that show a sign, and all that it asks for: how many there are, what they are worth."""
    hit = expression(sign.where, ended, "condition").fill_null(value=False)
    asked = pl.lit(value=True) if sign.of is None else expression(sign.of, ended, "condition")
    asked = asked.fill_null(value=False) & pl.col("closing_day").is_not_null()
    whole = sign.truncated == "exclude"
    nobody = pl.col("open")
    shown = summaries.members(asked & hit, nobody, whole_only=whole)
    every = summaries.members(asked, nobody, whole_only=whole)
    return (
        summaries.tally(ended, cut.keys, shown, value=value),
        summaries.tally(ended, cut.keys, every, hit=hit, value=value),
    )

"""Classes of open cases by the rules of their process, in words, and which of them call for somebody."""

import string
from collections.abc import Sequence
from typing import Final

import polars as pl

from crmmining import summaries
from crmmining.analyses.cutting import cut_of, is_off, money, withheld
from crmmining.analyses.stages import norms_of, tenths_of
from crmmining.definitions.classes import Rule
from crmmining.errors import CrmMiningError, UnknownNameError
from crmmining.eventlog import EventLog
from crmmining.eventlog import visits as of_partition
from crmmining.eventlog.expressions import expression
from crmmining.kernels.visits import STILL_THERE

_DAY: Final = 86_400_000_000  # microseconds
_STAGED: Final = frozenset({"days_in_stage", "norm_days"})
_INSTANT: Final = pl.Datetime("us", "UTC")


def classes(log: EventLog, by: Sequence[str] = (), *, norm: float = 0.9) -> pl.DataFrame:
    """What open cases are, by the first rule of the process that fits: a row per class and cell of `by`.

    The rules are the tables [classes.<name>] of the process: conditions over the facts of a case and what is
    known of it at `as_of`: as_of (Datetime), today (Date, UTC), age_days (since its creation), last_touch_at
    (Datetime) and days_since_touch (of what the process calls touches under [waiting]; null if there was
    none), days_in_stage (null where its beginning is not known) and norm_days (the quantile `norm` of the
    visits to that stage that are over; see `visits`). Days are Float64.

    Columns: `by`, class, rule (the condition), alert (Boolean), cases (Int64), n (open cases of the cell),
    share (cases / n), value (Float64: what they are worth in all; missing amounts count as 0), valued (Int64:
    those with an amount) and currency; these three are null where the process converts no amounts. A class
    without cases has zeros, one whose rule the source cannot show has nulls. The row without a class counts
    open cases that no rule fits. Classes come in the order of the process. `by` counts as now. Cells that
    name people are withheld below the log's minimum group.

    Raises `CrmMiningError` for a process without classes, `UnknownNameError` for unknown words and facts.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> found = analyses.classes(cm.connect("data/sample").event_log("lead"))
    >>> found.select("class", "cases", "n").rows()[:2]
    [('parked', 14, 61), ('new', 0, 61)]
    """
    rules = _stated(log)
    cut = cut_of(log, by)
    value, currency = money(log)
    norms = _norms(log, rules, norm)
    places = [*range(len(rules)), None]
    keys = [*cut.keys, "place"]

    def tallied(part: EventLog) -> summaries.Tally:
        cases = _classed(part, rules, norms).with_columns(*cut.segments(part)).filter("open")
        everybody = summaries.members(pl.col("open"), ~pl.col("open"), whole_only=False)
        return summaries.tally(cases, keys, everybody, hit=value.is_not_null(), value=value)

    total = summaries.add(log.each(tallied), keys)
    sums = summaries.with_values(total, keys, "sum").select(*keys, value="sum")
    counted = total.counts.select(*keys, cases="n", valued="hits").join(sums, on=keys, nulls_equal=True)
    cells = counted.select(cut.keys).unique() if cut.keys else pl.DataFrame({"": [None]})
    text, mark = pl.String, pl.Boolean
    told = pl.DataFrame(
        {
            "place": pl.Series(places, dtype=pl.UInt8),
            "class": pl.Series([*rules, None], dtype=text),
            "rule": pl.Series([*(rule.where for rule in rules.values()), None], dtype=text),
            "alert": pl.Series([*(rule.alert for rule in rules.values()), None], dtype=mark),
            "off": [*(is_off(log, rule.where) for rule in rules.values()), False],
        }
    )
    every = cells.join(told, how="cross").join(counted, on=keys, how="left", nulls_equal=True)
    figures = ("cases", "share", "value", "valued")
    open_cases = pl.col("cases").sum().over(cut.keys) if cut.keys else pl.col("cases").sum()
    every = every.with_columns(pl.col("cases", "valued").fill_null(0)).with_columns(n=open_cases)
    every = every.with_columns(share=pl.when(pl.col("n") > 0).then(pl.col("cases") / pl.col("n")))
    if currency is None:
        every = every.with_columns(pl.lit(None, pl.Int64).alias("valued"))
    else:
        every = every.with_columns(pl.col("value").fill_null(0.0))
    every = every.with_columns(pl.when(~pl.col("off")).then(name).alias(name) for name in figures)
    table = cut.named(every).sort(*cut.by, "place", nulls_last=True)
    named = pl.lit(currency, pl.String).alias("currency")
    table = table.select(
        *(*cut.by, "class", "rule", "alert", "cases", "n", "share", "value", "valued"), named
    )
    return withheld(log, table, [*cut.by, "class", "rule", "alert", "currency"])


def alerts(log: EventLog, classes: Sequence[str] | None = None, *, norm: float = 0.9) -> pl.DataFrame:
    """Open cases that call for somebody: a row for each that is of one of `classes`.

    Default: the classes that the process marks with `alert`. Rules and `norm` as for `classes`. Columns:
    case_id, owner (null where the process has none, and below a minimum group, for a row is one case), class,
    why (in words, with the figures, days to one decimal), age_days, last_touch_at, value (Float64, in the
    reporting currency) and currency (null where the process converts no amounts). By class in the order of
    the process, the most valuable first, then by case.

    Raises `CrmMiningError` for a process without classes, `UnknownNameError` for a class nobody knows.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> found = analyses.alerts(cm.connect("data/sample").event_log("lead"))
    >>> found.columns
    ['case_id', 'owner', 'class', 'why', 'age_days', 'last_touch_at', 'value', 'currency']
    """
    rules = _stated(log)
    for name in classes or ():
        if name not in rules:
            raise UnknownNameError("class", name, rules)
    asked = [name for name, rule in rules.items() if rule.alert] if classes is None else list(classes)
    value, currency = money(log)
    norms = _norms(log, rules, norm)
    owner = pl.col("owner") if "owner" in log.blank.facts.columns else pl.lit(None, pl.String).alias("owner")

    def told(part: EventLog) -> pl.DataFrame:
        cases = _classed(part, rules, norms).filter("open")
        if part.minimum_group is not None:
            hidden = {part.process.segments[word] for word in part.process.people} & set(cases.columns)
            cases = cases.with_columns(pl.lit(None, cases.schema[name]).alias(name) for name in hidden)
        names = pl.col("place").replace_strict(
            list(range(len(rules))), list(rules), default=None, return_dtype=pl.String
        )
        why = pl.coalesce(
            pl.when(pl.col("place") == at).then(_words(rule, cases)) for at, rule in enumerate(rules.values())
        )
        found = cases.with_columns(names.alias("class"), why.alias("why"), value.alias("value"))
        return found.filter(pl.col("class").is_in(asked)).select(
            *("case_id", owner, "class", "why", "age_days", "last_touch_at", "value"),
            pl.lit(currency, pl.String).alias("currency"),
            "place",
        )

    found = pl.concat(log.each(told))
    order = found.sort("place", "value", "case_id", descending=[False, True, False], nulls_last=True)
    return order.drop("place")


def _stated(log: EventLog) -> dict[str, Rule]:
    if not log.process.classes:
        raise CrmMiningError(f"process '{log.process.name}' states no classes: add tables [classes.<name>]")
    return dict(log.process.classes)


def _norms(log: EventLog, rules: dict[str, Rule], norm: float) -> pl.DataFrame | None:
    """The norm of every stage, where a rule asks for it: stage, norm (microseconds)."""
    tenths = tenths_of(norm)
    asked = {word for rule in rules.values() for word in (*rule.words, *_roots(rule.where))}
    if not asked & _STAGED:
        return None
    of_partition.stage(log)

    def over(part: EventLog) -> pl.DataFrame:
        rows = of_partition.visits(part)
        dwell = (pl.col("left_at") - pl.col("entered_at")).dt.total_seconds()
        times = rows.select("stage", value=dwell).drop_nulls("value")
        return times.group_by("stage", "value").agg(cases=pl.len().cast(pl.Int64))

    return norms_of(pl.concat(log.each(over)), tenths)


def _classed(log: EventLog, rules: dict[str, Rule], norms: pl.DataFrame | None) -> pl.DataFrame:
    """The facts of a partition's cases, what is known of them now, and `place`: which rule fits first."""
    now = pl.lit(log.as_of, _INSTANT)
    words = ("touched",) if log.process.waiting is None else log.process.waiting.touches
    known = [pl.col(f"{word}_last") for word in words if word in log.process.milestones]
    touched = pl.max_horizontal(known) if known else pl.lit(None, _INSTANT)
    cases = log.facts.with_columns(last_touch_at=touched).with_columns(
        as_of=now,
        today=now.dt.date(),
        age_days=_days(now - pl.col("created_at")),
        days_since_touch=_days(now - pl.col("last_touch_at")),
    )
    if norms is not None:
        rows = of_partition.visits(log).filter(pl.col("way") == STILL_THERE)
        there = rows.join(norms, on="stage", how="left", maintain_order="left").select(
            "case_ix",
            days_in_stage=_days(now - pl.col("entered_at")),
            norm_days=pl.col("norm") / _DAY,
        )
        cases = cases.with_row_index("case_ix").join(there, on="case_ix", how="left", maintain_order="left")
    place: pl.Expr = pl.lit(None, pl.UInt8)
    for at, rule in reversed(list(enumerate(rules.values()))):
        if not is_off(log, rule.where):
            fits = expression(rule.where, cases, "condition").fill_null(value=False)
            place = pl.when(fits).then(pl.lit(at, pl.UInt8)).otherwise(place)
    return cases.with_columns(place=place)


def _words(rule: Rule, cases: pl.DataFrame) -> pl.Expr:
    """What a rule says of each case."""
    parts = []
    for text, word, _, _ in string.Formatter().parse(rule.says):
        parts.append(pl.lit(text))
        if word is not None:
            if word not in cases.columns:
                raise UnknownNameError("fact", word, cases.columns)
            kind, told = cases.schema[word], pl.col(word)
            if kind.is_float():
                told = told.round(1)
            elif isinstance(kind, pl.Datetime):
                told = told.dt.strftime("%Y-%m-%d")
            parts.append(told.cast(pl.String).fill_null("none on record"))
    return pl.concat_str(parts)


def _days(span: pl.Expr) -> pl.Expr:
    return span.dt.total_microseconds() / _DAY


def _roots(text: str) -> list[str]:
    return pl.sql_expr(text).meta.root_names()

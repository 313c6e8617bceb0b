"""Pipeline: what moved the open pipeline, one row per move, from how cases opened, closed and changed."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl

from crmmining.kernels.traces import first_of_run, traces

CREATED, REOPENED = "created", "reopened"
MOVES: Final = (
    *("transferred_in", "transferred_out", "increased", "decreased", "pulled_in", "pushed_out", "currency"),
    "recounted",
)
_NO_DIGITS = (  # of minor units, ISO 4217
    *(
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "VND",
        "VUV",
        "XAF",
        "XOF",
    ),
    "XPF",
)
_THREE_DIGITS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
_DIGITS: Final = {**dict.fromkeys(_NO_DIGITS, 0), **dict.fromkeys(_THREE_DIGITS, 3)}  # else two
_MONEY: Final = ("before", "after", "before_reporting", "after_reporting")


def minor_units(amount: pl.Expr, currency: pl.Expr) -> pl.Expr:
    """Amounts (Float64) as whole minor units of their currencies: Int64, null where there is no such number.

    >>> money = pl.DataFrame({"amount": [12.345, 900.0, None], "code": ["EUR", "JPY", "EUR"]})
    >>> money.select(minor_units(pl.col("amount"), pl.col("code")))["amount"].to_list()
    [1234, 900, None]
    """
    digits = currency.replace_strict(_DIGITS, default=2, return_dtype=pl.Int64)
    return (amount * pl.lit(10.0).pow(digits)).round().cast(pl.Int64, strict=False)


def flips(
    events: pl.DataFrame,
    begins: Collection[int],
    closings: Mapping[str, Collection[int]],
    reopens: Collection[int],
) -> pl.DataFrame:
    """Find when cases open and close: case_ix, at, kind (created, reopened or a word of `closings`), opens.

    `events` (`case_ix`, `activity`, `occurred_at`) are in log order, `opens` is Boolean. Closing a closed
    case and reopening an open one change nothing; a creation that is not the first of all these events opens
    nothing, so that a case closed before it was created is never open.

    >>> from datetime import UTC, datetime
    >>> days = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3, 4)]
    >>> log = pl.DataFrame({"case_ix": [0] * 4, "activity": [0, 9, 9, 7], "occurred_at": days},
    ...                    schema_overrides={"case_ix": pl.UInt32, "activity": pl.UInt16})
    >>> flips(log, begins=[0], closings={"won": [9]}, reopens=[7])["kind"].to_list()
    ['created', 'won', 'reopened']
    """
    words = (CREATED, REOPENED, *closings)
    log = traces(events)
    word = np.full(len(log.case), -1, dtype=np.int64)
    for place, codes in enumerate((begins, reopens, *closings.values())):
        word[log.among(codes)] = place
    at = np.flatnonzero(word >= 0)
    first = first_of_run(log.case[at])
    at = at[first | (word[at] != 0)]
    opens = word[at] < 2  # noqa: PLR2004  the two words before those of closings
    before = np.zeros(len(at), dtype=np.bool_)
    before[1:] = opens[:-1] & (log.case[at[1:]] == log.case[at[:-1]])
    at = at[opens != before]
    kind = pl.Series("kind", words).gather(word[at])
    found: pl.DataFrame = events.select("case_ix", at="occurred_at")[at]
    return found.with_columns(kind, opens=pl.Series(word[at] < 2, dtype=pl.Boolean))  # noqa: PLR2004


def points(flips: pl.DataFrame, values: pl.DataFrame) -> pl.DataFrame:
    """The moments at which something may move: case_ix, at, sorted; cases without flips have none.

    `values` (`case_ix`, `since`) are changes of attributes.

    >>> from datetime import UTC, datetime
    >>> may, june = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    >>> flips = pl.DataFrame({"case_ix": [1], "at": [may]})
    >>> points(flips, pl.DataFrame({"case_ix": [0, 1, 1], "since": [may, may, june]}))["case_ix"].to_list()
    [1, 1]
    """
    changed = values.select("case_ix", at="since").join(
        flips.select("case_ix").unique(), on="case_ix", how="semi"
    )
    return pl.concat([flips.select("case_ix", "at"), changed]).unique().sort("case_ix", "at")


def ledger(states: pl.DataFrame, flips: pl.DataFrame, cells: Sequence[str] = ()) -> pl.DataFrame:
    """What moved the open pipeline: one row per move, by case, time and the order of moves in one save.

    `states`: the `points` with what the case was from then on: amount and amount_reporting (Float64),
    currency and reporting_currency, within (Boolean: its close date lies in the window, if there is one), and
    `cells`. What one case does in one instant is one save. Columns: case_ix, at, kind; the currency and the
    cells in force (of what leaves: those before the save); before and after (Int64 minor units of that
    currency), before_reporting and after_reporting (of the reporting currency); and by how much each row
    changes what is counted (Int64): cases (open ones), nulls (without an amount) and unconverted (with one,
    but without a rate); both kinds of amount count as 0.

    A save that opens brings what the case is after it, one that closes takes what it was before it, and so do
    those that move the close date into the window (pulled_in) and out of it (pushed_out), whatever else they
    change. Other saves transfer first, then the amount increases or decreases at the rate there was, then the
    rest of the amount in reporting currency is `currency`; where the currency of the record changes, all is.
    `recounted` moves no money: it becomes known, or unknown, what the amount is.

    >>> from datetime import UTC, datetime
    >>> days = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    >>> flips = pl.DataFrame({"case_ix": [0, 0], "at": [days[0], days[2]], "kind": ["created", "won"],
    ...                       "opens": [True, False]})
    >>> states = pl.DataFrame({"case_ix": [0] * 3, "at": days, "amount": [5.0, 7.5, 9.0]}).with_columns(
    ...     amount_reporting="amount", currency=pl.lit("EUR"), reporting_currency=pl.lit("EUR"),
    ...     within=pl.lit(True))
    >>> ledger(states, flips).select("kind", "before", "after").rows()
    [('created', 0, 500), ('increased', 500, 750), ('won', 750, 0)]
    """
    saves = _saves(states, flips, cells)
    moved = flips.join(saves, on=["case_ix", "at"], how="left", maintain_order="left")
    # of several flips in one instant only the first, when it closes, takes what was before
    again = moved.select(
        same=pl.col("case_ix").eq(pl.col("case_ix").shift()) & pl.col("at").eq(pl.col("at").shift())
    )
    moved = moved.with_columns(again["same"].fill_null(value=False).alias("again"))
    moved = moved.with_columns(nth=pl.int_range(pl.len()))
    steady = saves.filter(~pl.col("flips"), "was_open").drop("kind", strict=False)
    was, now = pl.col("was_within"), pl.col("within")
    stays = steady.filter(was & now)
    other = pl.any_horizontal(pl.lit(value=False), *(_differs(name) for name in cells))
    recoded = _differs("currency")
    transferred, same = stays.filter(other), stays.filter(~recoded)
    raised = pl.col("amount") - pl.col("was_amount")
    counts = (pl.col("null") != pl.col("was_null")) | (pl.col("bare") != pl.col("was_bare"))
    rows = [
        _enters(moved.filter(pl.col("opens") & now), pl.col("kind"), cells, 0),
        _leaves(moved.filter(~pl.col("opens") & ~pl.col("again") & was), pl.col("kind"), cells, 0),
        _leaves(
            _after(moved.filter(~pl.col("opens") & pl.col("again") & now), cells), pl.col("kind"), cells, 0
        ),
        _leaves(steady.filter(was & ~now), pl.lit("pushed_out"), cells, 1),
        _enters(steady.filter(~was & now), pl.lit("pulled_in"), cells, 1),
        _leaves(transferred, pl.lit("transferred_out"), cells, 2),
        _enters(_before(transferred), pl.lit("transferred_in"), cells, 3),
        _leaves(_after(stays.filter(recoded), cells, only_cells=True), pl.lit("currency"), cells, 4),
        _enters(stays.filter(recoded), pl.lit("currency"), cells, 5),
        _changes(
            same.filter(raised != 0),
            pl.when(raised > 0).then(pl.lit("increased")).otherwise(pl.lit("decreased")),
            ("was_amount", "amount", "was_reporting", "priced"),
            cells,
            6,
        ),
        _changes(
            same.filter(pl.col("priced") != pl.col("reporting")),
            pl.lit("currency"),
            ("amount", "amount", "priced", "reporting"),
            cells,
            7,
        ),
        _changes(
            same.filter(counts), pl.lit("recounted"), ("amount", "amount", "reporting", "reporting"), cells, 8
        ).with_columns(
            nulls=same.filter(counts).select(_int("null") - _int("was_null")).to_series(),
            unconverted=same.filter(counts).select(_int("bare") - _int("was_bare")).to_series(),
        ),
    ]
    return pl.concat(rows).sort("case_ix", "at", "step", "nth").drop("step", "nth")


def _saves(states: pl.DataFrame, flips: pl.DataFrame, cells: Sequence[str]) -> pl.DataFrame:
    """The states, with those before them in the same case (`was_*`; null at the first), as whole numbers."""
    code, reporting = pl.col("currency"), pl.col("reporting_currency")
    units = states.with_columns(
        value=pl.col("amount"),
        value_reporting=pl.col("amount_reporting"),
        amount=minor_units(pl.col("amount"), code),
        reporting=minor_units(pl.col("amount_reporting"), reporting),
    )
    known = units.with_columns(
        pl.col("amount", "reporting").fill_null(0),
        null=pl.col("amount").is_null(),
        bare=pl.col("amount").is_not_null() & pl.col("reporting").is_null(),
    )
    last = flips.group_by("case_ix", "at", maintain_order=True).agg(pl.col("opens").last())
    known = known.join(last, on=["case_ix", "at"], how="left", maintain_order="left")
    first = pl.Series(first_of_run(known["case_ix"].to_numpy()), dtype=pl.Boolean)
    known = known.with_columns(
        flips=pl.col("opens").is_not_null(),
        open=pl.when(pl.col("opens").is_null() & first)
        .then(pl.lit(value=False))
        .otherwise("opens")
        .forward_fill(),
    )
    names = [
        "open",
        "within",
        "amount",
        "reporting",
        "currency",
        "null",
        "bare",
        "value",
        "value_reporting",
        *cells,
    ]
    known = known.with_columns(
        pl.when(~first).then(pl.col(name).shift()).alias(f"was_{name}") for name in names
    ).with_columns(pl.col("was_open", "was_within").fill_null(value=False))
    # the new amount at the rate there was; what rounding makes of one unit is no change of rate
    rate = pl.col("was_value_reporting") / pl.col("was_value")
    at_old_rate = minor_units(pl.col("value").fill_null(0) * rate, reporting)
    none_before = (pl.col("was_amount") == 0) | pl.col("was_value").is_null()
    priced = (
        pl.when(pl.col("amount") == pl.col("was_amount"))
        .then("was_reporting")
        .when(none_before)
        .then("reporting")
        .otherwise(at_old_rate.fill_null(pl.col("was_reporting")))
    )
    close = (priced - pl.col("reporting")).abs() <= 1
    unchanged = pl.col("amount") == pl.col("was_amount")
    priced = pl.when(close & ~unchanged).then("reporting").otherwise(priced)
    return known.with_columns(priced=priced).drop("opens")


def _differs(name: str) -> pl.Expr:
    return pl.col(name).ne_missing(pl.col(f"was_{name}"))


def _int(flag: str) -> pl.Expr:
    return pl.col(flag).cast(pl.Int64)


def _after(rows: pl.DataFrame, cells: Sequence[str], *, only_cells: bool = False) -> pl.DataFrame:
    """The saves as if they had been what they are after them, or at least in the cells they are in then."""
    names = [] if only_cells else ["amount", "reporting", "currency", "null", "bare"]
    return rows.with_columns(pl.col(name).alias(f"was_{name}") for name in (*names, *cells))


def _before(rows: pl.DataFrame) -> pl.DataFrame:
    """The saves as if only their cells had changed."""
    names = ("amount", "reporting", "currency", "null", "bare")
    return rows.with_columns(pl.col(f"was_{name}").alias(name) for name in names)


def _enters(rows: pl.DataFrame, kind: pl.Expr, cells: Sequence[str], step: int) -> pl.DataFrame:
    zero = pl.lit(0, pl.Int64)
    money = (zero, pl.col("amount"), zero, pl.col("reporting"))
    counts = (pl.lit(1, pl.Int64), _int("null"), _int("bare"))
    return _row(rows, kind, [pl.col(name) for name in ("currency", *cells)], money, counts, step)


def _leaves(rows: pl.DataFrame, kind: pl.Expr, cells: Sequence[str], step: int) -> pl.DataFrame:
    zero = pl.lit(0, pl.Int64)
    money = (pl.col("was_amount"), zero, pl.col("was_reporting"), zero)
    counts = (pl.lit(-1, pl.Int64), -_int("was_null"), -_int("was_bare"))
    place = [pl.col(f"was_{name}").alias(name) for name in ("currency", *cells)]
    return _row(rows, kind, place, money, counts, step)


def _changes(
    rows: pl.DataFrame, kind: pl.Expr, money: Sequence[str], cells: Sequence[str], step: int
) -> pl.DataFrame:
    zeros = (pl.lit(0, pl.Int64),) * 3
    place = [pl.col(name) for name in ("currency", *cells)]
    return _row(rows, kind, place, [pl.col(name) for name in money], zeros, step)


def _row(  # noqa: PLR0917  one per column of the ledger
    rows: pl.DataFrame,
    kind: pl.Expr,
    place: Sequence[pl.Expr],
    money: Sequence[pl.Expr],
    counts: Sequence[pl.Expr],
    step: int,
) -> pl.DataFrame:
    nth = pl.col("nth") if "nth" in rows.columns else pl.lit(0, pl.Int64)
    return rows.select(
        "case_ix",
        "at",
        kind.cast(pl.String).alias("kind"),
        *place,
        *(value.alias(name) for name, value in zip(_MONEY, money, strict=True)),
        *(value.alias(name) for name, value in zip(("cases", "nulls", "unconverted"), counts, strict=True)),
        step=pl.lit(step, pl.Int64),
        nth=nth.cast(pl.Int64),
    )

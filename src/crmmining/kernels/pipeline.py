"""Pipeline: what moved the open pipeline, one row per move, from how cases opened, closed and changed."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl

from crmmining.kernels.traces import first_of_run, traces

CREATED, REOPENED = "created", "reopened"
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
_COUNTS: Final = ("cases", "nulls", "unconverted")
_STATE: Final = ("amount", "reporting", "currency", "null", "bare")
_ZERO: Final = pl.lit(0, pl.Int64)


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


def ledger(states: pl.DataFrame, flips: pl.DataFrame, cells: Sequence[str] = ()) -> pl.DataFrame:
    """What moved the open pipeline: one row per move; moves of one kind by case and time.

    `states`: what cases were from each point of their `timeline` on: case_ix, at, amount and amount_reporting
    (Float64), currency and reporting_currency, within (Boolean: its close date lies in the window, if there
    is one), and `cells`. `flips` are those of `flips`, each with the place of its state. What one case does
    in one instant is one save. Columns: case_ix, at, kind; the currency and the cells in force (of what
    leaves: those before the save); before and after (Int64 minor units of that currency), before_reporting
    and after_reporting (of the reporting currency); and by how much each row changes what is counted (Int64):
    cases (open ones), nulls (without an amount) and unconverted (with one, but without a rate); both kinds of
    amount count as 0.

    A save that opens brings what the case is after it, one that closes takes what it was before it, and so do
    those that move the close date into the window (pulled_in) and out of it (pushed_out), whatever else they
    change. Other saves transfer first, then the amount increases or decreases at the rate there was, then the
    rest of the amount in reporting currency is `currency`; where the currency of the record changes, all is.
    `recounted` moves no money: it becomes known, or unknown, what the amount is.

    >>> from datetime import UTC, datetime
    >>> days = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    >>> flips = pl.DataFrame({"kind": ["created", "won"], "opens": [True, False], "place": [0, 2]})
    >>> states = pl.DataFrame({"case_ix": [0] * 3, "at": days, "amount": [5.0, 7.5, 9.0]}).with_columns(
    ...     amount_reporting="amount", currency=pl.lit("EUR"), reporting_currency=pl.lit("EUR"),
    ...     within=pl.lit(True))
    >>> ledger(states, flips).select("kind", "before", "after").rows()
    [('created', 0, 500), ('won', 750, 0), ('increased', 500, 750)]
    """
    saves = _saves(states, flips, cells)
    again = (pl.col("place") == pl.col("place").shift()).fill_null(value=False)
    # of several flips in one instant only the first, when it closes, takes what was before
    moved = saves[flips["place"]].hstack(flips.select("kind", "opens", again.alias("again")))
    steady = saves.filter(~pl.col("flips"), "was_open")
    was, now, opens, kind = pl.col("was_within"), pl.col("within"), pl.col("opens"), pl.col("kind")
    stays = steady.filter(was & now)
    other = pl.any_horizontal(pl.lit(value=False), *(_differs(name) for name in cells))
    recoded = _differs("currency")
    transferred, same = stays.filter(other), stays.filter(~recoded)
    raised = pl.col("amount") - pl.col("was_amount")
    higher = pl.when(raised > 0).then(pl.lit("increased")).otherwise(pl.lit("decreased"))
    rows = [
        _enters(moved.filter(opens & now), kind, cells),
        _leaves(moved.filter(~opens & ~pl.col("again") & was), kind, cells),
        _leaves(_after(moved.filter(~opens & pl.col("again") & now), [*_STATE, *cells]), kind, cells),
        _leaves(steady.filter(was & ~now), pl.lit("pushed_out"), cells),
        _enters(steady.filter(~was & now), pl.lit("pulled_in"), cells),
        _leaves(transferred, pl.lit("transferred_out"), cells),
        _enters(_before(transferred), pl.lit("transferred_in"), cells),
        _leaves(_after(stays.filter(recoded), cells), pl.lit("currency"), cells),
        _enters(stays.filter(recoded), pl.lit("currency"), cells),
        _changes(
            same.filter(raised != 0), higher, ("was_amount", "amount", "was_reporting", "priced"), cells
        ),
        _changes(
            same.filter(pl.col("priced") != pl.col("reporting")),
            pl.lit("currency"),
            ("amount", "amount", "priced", "reporting"),
            cells,
        ),
        _changes(
            same.filter((pl.col("null") != pl.col("was_null")) | (pl.col("bare") != pl.col("was_bare"))),
            pl.lit("recounted"),
            ("amount", "amount", "reporting", "reporting"),
            cells,
            (_int("null") - _int("was_null"), _int("bare") - _int("was_bare")),
        ),
    ]
    return pl.concat(rows)


def _saves(states: pl.DataFrame, flips: pl.DataFrame, cells: Sequence[str]) -> pl.DataFrame:
    """The states, with those before them in the same case (`was_*`; null at the first), as whole numbers."""
    reporting = pl.col("reporting_currency")
    known = states.with_columns(
        value=pl.col("amount"),
        value_reporting=pl.col("amount_reporting"),
        amount=minor_units(pl.col("amount"), pl.col("currency")),
        reporting=minor_units(pl.col("amount_reporting"), reporting),
    )
    known = known.with_columns(
        pl.col("amount", "reporting").fill_null(0),
        null=pl.col("amount").is_null(),
        bare=pl.col("amount").is_not_null() & pl.col("reporting").is_null(),
    )
    starts = first_of_run(known["case_ix"].to_numpy())
    place = flips["place"].to_numpy()
    mark = np.where(starts, 0, -1).astype(np.int64)  # open, not open, or as before
    mark[place] = flips["opens"].to_numpy()
    last = np.maximum.accumulate(np.where(mark >= 0, np.arange(len(mark)), 0)) if len(mark) else mark
    flipped = np.zeros(len(mark), dtype=np.bool_)
    flipped[place] = True
    first = pl.Series(starts, dtype=pl.Boolean)
    known = known.with_columns(
        flips=pl.Series(flipped, dtype=pl.Boolean), open=pl.Series(mark[last] == 1, dtype=pl.Boolean)
    )
    names = ["open", "within", *_STATE, "value", "value_reporting", *cells]
    known = known.with_columns(
        pl.when(~first).then(pl.col(name).shift()).alias(f"was_{name}") for name in names
    ).with_columns(pl.col("was_open", "was_within").fill_null(value=False))
    # the new amount at the rate there was; what rounding makes of one unit is no change of rate
    rate = pl.col("was_value_reporting") / pl.col("was_value")
    at_old_rate = minor_units(pl.col("value").fill_null(0) * rate, reporting)
    none_before = (pl.col("was_amount") == 0) | pl.col("was_value").is_null()
    priced = pl.when(none_before).then("reporting").otherwise(at_old_rate.fill_null(pl.col("was_reporting")))
    close = (priced - pl.col("reporting")).abs() <= 1
    unchanged = pl.col("amount") == pl.col("was_amount")
    return known.with_columns(
        priced=pl.when(unchanged).then("was_reporting").when(close).then("reporting").otherwise(priced)
    )


def _differs(name: str) -> pl.Expr:
    return pl.col(name).ne_missing(pl.col(f"was_{name}"))


def _int(flag: str) -> pl.Expr:
    return pl.col(flag).cast(pl.Int64)


def _after(rows: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """The saves as if `names` had been before them what they are after them."""
    return rows.with_columns(pl.col(name).alias(f"was_{name}") for name in names)


def _before(rows: pl.DataFrame) -> pl.DataFrame:
    """The saves as if only their cells had changed."""
    return rows.with_columns(pl.col(f"was_{name}").alias(name) for name in _STATE)


def _enters(rows: pl.DataFrame, kind: pl.Expr, cells: Sequence[str]) -> pl.DataFrame:
    money = (_ZERO, pl.col("amount"), _ZERO, pl.col("reporting"))
    counts = (pl.lit(1, pl.Int64), _int("null"), _int("bare"))
    return _row(rows, kind, [pl.col(name) for name in ("currency", *cells)], money, counts)


def _leaves(rows: pl.DataFrame, kind: pl.Expr, cells: Sequence[str]) -> pl.DataFrame:
    money = (pl.col("was_amount"), _ZERO, pl.col("was_reporting"), _ZERO)
    counts = (pl.lit(-1, pl.Int64), -_int("was_null"), -_int("was_bare"))
    place = [pl.col(f"was_{name}").alias(name) for name in ("currency", *cells)]
    return _row(rows, kind, place, money, counts)


def _changes(
    rows: pl.DataFrame,
    kind: pl.Expr,
    money: Sequence[str],
    cells: Sequence[str],
    counts: Sequence[pl.Expr] = (_ZERO, _ZERO),
) -> pl.DataFrame:
    place = [pl.col(name) for name in ("currency", *cells)]
    return _row(rows, kind, place, [pl.col(name) for name in money], (_ZERO, *counts))


def _row(
    rows: pl.DataFrame,
    kind: pl.Expr,
    place: Sequence[pl.Expr],
    money: Sequence[pl.Expr],
    counts: Sequence[pl.Expr],
) -> pl.DataFrame:
    figures = dict(zip((*_MONEY, *_COUNTS), (*money, *counts), strict=True))
    return rows.select("case_ix", "at", kind.cast(pl.String).alias("kind"), *place, **figures)

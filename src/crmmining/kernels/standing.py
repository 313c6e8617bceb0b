"""Standing: what an attribute of a case was at a moment, from the changes on record."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from crmmining.kernels.traces import Ints


def values_at(values: pl.DataFrame, instants: pl.DataFrame) -> pl.DataFrame:
    """Find the value in force at each of `instants` (`case_ix`, `at`): `known` (Boolean), `value` (String).

    `values` (`case_ix`, `since`, `seq`, `value`) tells the changes of one attribute, sorted by case, time and
    seq; the first row of a case is what it began with. In force is the last one with `since` not after `at`,
    before all of them the first one, at no instant (null) none. `known` is false for cases without a row.

    >>> from datetime import UTC, datetime
    >>> may, june, july = (datetime(2026, month, 1, tzinfo=UTC) for month in (5, 6, 7))
    >>> told = {"case_ix": [0, 0], "since": [may, july], "seq": [0, 0], "value": ["Ann", "Bob"]}
    >>> values = pl.DataFrame(told, schema_overrides={"case_ix": pl.UInt32})
    >>> asked = {"case_ix": [0, 0, 1], "at": [june, july, july]}
    >>> instants = pl.DataFrame(asked, schema_overrides={"case_ix": pl.UInt32})
    >>> values_at(values, instants).rows()
    [(True, 'Ann'), (True, 'Bob'), (False, None)]
    """
    case, asked = (frame["case_ix"].to_numpy().astype(np.int64) for frame in (values, instants))
    at = instants["at"].to_physical()
    never = at.is_null().to_numpy()
    first = np.searchsorted(case, asked)
    place = np.maximum(last_rows(values.select("case_ix", at="since"), instants), first)
    known = np.append(case, -1)[first] == asked
    row = pl.Series(np.where(known & ~never, place, 0), dtype=pl.UInt32)
    found = pl.Series(known & ~never, dtype=pl.Boolean)
    column = values["value"] if values.height else pl.Series([None], dtype=pl.String)
    value = pl.DataFrame({"found": found, "value": column.gather(row)})
    return value.select(
        pl.Series("known", known, dtype=pl.Boolean), pl.when(pl.col("found")).then(pl.col("value"))
    )


def last_rows(told: pl.DataFrame, asked: pl.DataFrame) -> Ints:
    """Find the last row of `told` (`case_ix`, `at`) of the same case and not after `at`: its place, else -1.

    `told` is sorted by case and time; of several rows of one moment the last one counts. No instant (null)
    has none.

    >>> from datetime import UTC, datetime
    >>> may, june = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    >>> told = pl.DataFrame({"case_ix": [0, 0, 1], "at": [may, may, june]})
    >>> last_rows(told, pl.DataFrame({"case_ix": [0, 1], "at": [june, may]})).tolist()
    [1, -1]
    """
    case, wanted = (frame["case_ix"].to_numpy().astype(np.int64) for frame in (told, asked))
    since, at = told["at"].to_physical().to_numpy(), asked["at"].to_physical()
    moments = np.unique(since)
    size = len(moments) + 1  # one integer for case and time keeps the two in one search
    known = case * size + np.searchsorted(moments, since) + 1
    last = wanted * size + np.searchsorted(moments, at.fill_null(0).to_numpy(), side="right")
    place = np.searchsorted(known, last, side="right") - 1
    same = np.append(case, -1)[place] == wanted
    return np.where(same & ~at.is_null().to_numpy(), place, -1)


def attributes_at(
    cases: pl.DataFrame, values: pl.DataFrame, instants: pl.DataFrame, names: Sequence[str]
) -> pl.DataFrame:
    """Say what the columns `names` of `cases` were at each of `instants` (`case_ix`, `at`): those columns.

    Row i of `cases` is `case_ix` i; `values` (`case_ix`, `attribute`, `since`, `seq`, `value` String), sorted
    by these, tells how attributes changed. One that never did is what `cases` says; at no instant (null) it
    is null. Types are those of `cases`; a text that does not read as one is null.
    """
    columns = []
    for name in names:
        now = cases[name].gather(instants["case_ix"])
        told = values_at(values.filter(pl.col("attribute") == name), instants)
        was = told.select("known", typed("value", now.dtype)).with_columns(now.alias("now"), instants["at"])
        standing = pl.when(pl.col("known")).then("value").otherwise("now")
        columns.append(was.select(pl.when(pl.col("at").is_not_null()).then(standing).alias(name)).to_series())
    return pl.DataFrame(columns)


def typed(column: str, dtype: pl.DataType) -> pl.Expr:
    """The texts of a column as values of `dtype`: numbers, ISO dates, `true` and `false`; null for others."""
    text = pl.col(column)
    if dtype == pl.String:
        return text
    if dtype == pl.Boolean:
        return text.replace_strict(["true", "false"], [True, False], default=None, return_dtype=pl.Boolean)
    if dtype == pl.Date:
        return text.str.to_date("%Y-%m-%d", strict=False)
    return text.cast(dtype, strict=False)

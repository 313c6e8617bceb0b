"""Visits: which stages a case was in, when it came there, when and how it left."""

from typing import Final

import polars as pl

STILL_THERE: Final = "still there"
MOVED: Final = "moved"  # to a stage that has no place in the order, or that the stage left has none
WAYS: Final = {-1: "regressed", 1: "advanced", 2: "skipped"}  # by the direction of the move

_NEXT = ("at", "stage", "end", "reopens", "direction")


def visits(moves: pl.DataFrame, cases: pl.DataFrame) -> pl.DataFrame:
    """Find the visits of cases to their stages: a row each, by case and time.

    `cases`, row i of which is `case_ix` i, has `created_at` and `stage`, the one it began with. `moves`
    (`case_ix`, `at`, `stage`: where it leads, `end`: as what it ends the case, null if it does not, `reopens`
    Boolean, `direction`) are in log order. Gives `case_ix`, `stage`, `visit` (Int64, from 1), `entered_at`,
    `left_at` (null: still there), `born` (whether it began with the case, not with a move), `way` (the `end`
    that left it, else one of `WAYS`, `MOVED` or `STILL_THERE`) and `next` (the stage after it; null where the
    case ended).

    A closed case is in no stage until it is reopened: what moves it meanwhile is no visit. Where the first
    move ends the case in the very stage that it began with, what came before is not known: one row without
    `stage` and `entered_at`; without a row if that was in the moment of its creation, or if the first move
    reopens. A visit that ends before it begins has no `entered_at`.

    >>> from datetime import UTC, datetime
    >>> days = [datetime(2026, 5, day, tzinfo=UTC) for day in (1, 2, 5)]
    >>> moves = pl.DataFrame({"case_ix": [0, 0], "at": days[1:], "stage": ["Offer", "Won"],
    ...     "end": [None, "won"], "reopens": [False, False], "direction": [1, None]},
    ...     schema_overrides={"case_ix": pl.UInt32, "direction": pl.Int8})
    >>> found = visits(moves, pl.DataFrame({"created_at": days[:1], "stage": ["New"]}))
    >>> found.select("stage", "visit", "way", "next").rows()
    [('New', 1, 'advanced', 'Offer'), ('Offer', 2, 'won', None)]
    """
    ends = pl.col("end").is_not_null()
    closes = pl.when(ends | pl.col("reopens")).then(ends)
    before = closes.forward_fill().shift(1).over("case_ix").fill_null(value=False)
    kept = moves.filter(pl.col("reopens") | ~before)
    births = cases.with_row_index("case_ix").select("case_ix", at="created_at", stage="stage", reopens=False)
    rows = pl.concat([births.with_columns(born=True), kept.with_columns(born=False)], how="diagonal")
    rows = rows.sort("case_ix", maintain_order=True)
    same = pl.col("case_ix") == pl.col("case_ix").shift(-1)
    after = [pl.when(same).then(pl.col(name).shift(-1)).alias(f"next {name}") for name in _NEXT]
    rows = rows.with_columns(after)
    ended_there = (
        pl.col("born") & pl.col("next end").is_not_null() & (pl.col("next stage") == pl.col("stage"))
    )
    unknown = ended_there.fill_null(value=False)
    nowhere = pl.col("born") & pl.col("next reopens").fill_null(value=False)
    at_once = unknown & (pl.col("next at") == pl.col("at")).fill_null(value=False)
    found = rows.with_columns(unknown=unknown).filter(pl.col("end").is_null(), ~nowhere, ~at_once)
    backwards = (pl.col("next at") < pl.col("at")).fill_null(value=False)
    way = pl.col("next direction").replace_strict(WAYS, default=MOVED, return_dtype=pl.String)
    return found.select(
        "case_ix",
        pl.when(~pl.col("unknown")).then("stage").alias("stage"),
        pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("case_ix").alias("visit"),
        pl.when(~pl.col("unknown") & ~backwards).then("at").alias("entered_at"),
        pl.col("next at").alias("left_at"),
        "born",
        pl.when(pl.col("next at").is_null())
        .then(pl.lit(STILL_THERE))
        .otherwise(pl.coalesce("next end", way))
        .alias("way"),
        pl.when(pl.col("next end").is_null()).then("next stage").alias("next"),
    )

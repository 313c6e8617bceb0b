"""Curves of incidence, worked out by hand."""

import polars as pl
import pytest

from crmmining.kernels.incidence import crossing, incidence

WAYS = ("reached", "competing", "censored")
Row = tuple[str | None, int, int, int, int]  # cell, value, cases per way


def endings(*rows: Row) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["cell", "value", *WAYS], orient="row", infer_schema_length=None)


def curve(*rows: Row) -> list[tuple[object, ...]]:
    found = incidence(endings(*rows), ["cell"])
    return found.select("value", "at_risk", pl.col("incidence").round(12)).rows()


def test_without_open_cases_it_is_the_share_that_is_there() -> None:
    assert curve(("a", 3, 1, 0, 0), ("a", 5, 2, 0, 0), ("a", 9, 1, 0, 0)) == [
        (3, 4, 0.25),
        (5, 3, 0.75),
        (9, 1, 1.0),
    ]


def test_open_cases_leave_after_the_ends_of_their_time() -> None:
    # Kaplan and Meier: 1 - (1 - 1/4)(1 - 1/2), the case that is seen no longer at 3 being at risk at 3
    assert curve(("a", 3, 1, 0, 1), ("a", 5, 1, 0, 0), ("a", 7, 0, 0, 1)) == [
        (3, 4, 0.25),
        (5, 2, 0.625),
        (7, 1, 0.625),
    ]


def test_who_ends_otherwise_will_never_be_there() -> None:
    # as if one had left at 4: of the five 1/5, then 4/5 (1 - 1/4) are left, of whom half arrive at 6
    rows: tuple[Row, ...] = (("a", 2, 1, 0, 0), ("a", 4, 0, 1, 1), ("a", 6, 1, 0, 0), ("a", 8, 0, 0, 1))
    assert curve(*rows) == [(2, 5, 0.2), (4, 4, 0.2), (6, 2, 0.5), (8, 1, 0.5)]
    found = crossing(incidence(endings(*rows), ["cell"]), ["cell"], 0.5)
    assert found.select("cell", "value", "high").rows() == [("a", 6, None)]  # one half, not less
    assert crossing(incidence(endings(*rows), ["cell"]), ["cell"], 0.51)["value"].to_list() == [None]


def test_the_band_is_greenwood_s_on_the_scale_of_log_minus_log() -> None:
    # n = 4, one there: variance 3/64; log(3/4) = -0.287682; 1.959964 * 0.216506 / (0.75 * 0.287682) = 1.96673
    (row,) = incidence(endings(("a", 1, 1, 0, 0), ("a", 2, 0, 0, 3)), ["cell"]).head(1).rows(named=True)
    assert row["low"] == pytest.approx(0.0394514, abs=1e-7)  # 1 - 0.75 ** exp(-1.96673)
    assert row["high"] == pytest.approx(0.8720531, abs=1e-7)  # 1 - 0.75 ** exp(1.96673)


def test_nothing_and_everything_have_no_band() -> None:
    found = incidence(endings(("a", 1, 0, 1, 0), ("a", 2, 0, 0, 1), ("b", 1, 2, 0, 0)), ["cell"])
    assert found.select("incidence", "low", "high").rows() == [(0.0, None, None)] * 2 + [(1.0, None, None)]


def test_cells_are_apart_and_null_is_one() -> None:
    rows: list[Row] = [("a", 1, 1, 0, 2), ("a", 2, 1, 1, 0), ("b", 2, 3, 0, 1), (None, 1, 1, 0, 1)]
    whole = incidence(endings(*rows), ["cell"])
    apart = [incidence(endings(*rows[low:high]), ["cell"]) for low, high in ((0, 2), (2, 3), (3, 4))]
    assert whole.equals(pl.concat([one.cast(whole.schema) for one in apart]))
    assert crossing(whole, ["cell"], 0.5).select("cell", "value").rows() == [("a", 2), ("b", 2), (None, 1)]


def test_an_empty_frame_has_no_curve() -> None:
    none = incidence(endings(("a", 1, 1, 0, 0)).clear(), ["cell"])
    assert none.columns == ["cell", "value", *WAYS, "at_risk", "incidence", "low", "high"]
    assert crossing(none, ["cell"], 0.5).is_empty()
    assert crossing(none, [], 0.5).rows() == [(None, None, None)]

"""Which rows of the scorecard a reader sees, and what is said about their movement."""

from datetime import date

import polars as pl
import pytest

from crmmining.show.scorecard import Period, current_period, lines_of
from crmmining.show.sparkline import sparkline
from crmmining.show.units import NOTHING

FIRSTS = [date(2026, month, 1) for month in (1, 2, 3, 4)]
FEBRUARY = Period(FIRSTS[1], FIRSTS[2], over=True)
SCHEMA = {
    "part": pl.String,
    "clock": pl.String,
    "period_start": pl.Date,
    "period_end": pl.Date,
    "unit": pl.String,
    "value": pl.Float64,
    "n": pl.Int64,
    "open": pl.Int64,
    "excluded": pl.Int64,
    "truncated": pl.Int64,
    "low": pl.Float64,
    "high": pl.Float64,
    "region": pl.String,
}


def rows(*shares: tuple[float | None, float | None, float | None], region: str = "EMEA") -> pl.DataFrame:
    """(value, low, high) of the months from January, of 10 cases each."""
    return pl.DataFrame(
        [
            ("rate", None, FIRSTS[i], FIRSTS[i + 1], "share", value, 10, 2, 1, 4, low, high, region)
            for i, (value, low, high) in enumerate(shares)
        ],
        schema=SCHEMA,
        orient="row",
    )


def test_the_latest_period_that_is_over_is_shown() -> None:
    three = rows((0.1, None, None), (0.2, None, None), (0.3, None, None))
    assert current_period(three, date(2026, 3, 31)) == FEBRUARY
    assert current_period(three, date(2026, 4, 1)) == Period(FIRSTS[2], FIRSTS[3], over=True)
    assert [line.value for line in lines_of(three, "higher", FEBRUARY).lines] == ["20.0\u00a0%"]


def test_before_any_period_is_over_the_latest_one_is_shown_as_running() -> None:
    assert current_period(rows((0.1, None, None)), date(2026, 1, 20)) == Period(
        FIRSTS[0], FIRSTS[1], over=False
    )


def test_no_rows_and_no_periods_are_no_period() -> None:
    whole = {"period_start": pl.lit(None, pl.Date), "period_end": pl.lit(None, pl.Date)}
    plain = rows((0.1, None, None)).with_columns(**whole)
    assert current_period(plain.clear(), date(2026, 1, 1)) is None
    assert current_period(plain, date(2026, 1, 1)) is None
    (line,) = lines_of(plain, "higher", None).lines
    assert (line.value, line.n, line.change, line.trend) == ("10.0\u00a0%", "10", "", None)


@pytest.mark.parametrize(
    ("january", "february", "better", "verdict"),
    [
        ((0.20, 0.15, 0.25), (0.40, 0.35, 0.45), "higher", "better"),
        ((0.20, 0.15, 0.25), (0.40, 0.35, 0.45), "lower", "worse"),
        ((0.40, 0.35, 0.45), (0.20, 0.15, 0.25), "higher", "worse"),
        ((0.40, 0.35, 0.45), (0.20, 0.15, 0.25), "lower", "better"),
        ((0.20, 0.15, 0.25), (0.40, 0.35, 0.45), "neutral", ""),
        ((0.20, 0.15, 0.36), (0.40, 0.35, 0.45), "higher", ""),
        ((0.20, None, None), (0.40, 0.35, 0.45), "higher", ""),
    ],
)
def test_better_and_worse_need_intervals_that_part(
    january: tuple[float, float | None, float | None],
    february: tuple[float, float | None, float | None],
    better: str,
    verdict: str,
) -> None:
    (line,) = lines_of(rows(january, february), better, FEBRUARY).lines
    assert line.verdict == verdict
    assert line.change == ("▲ 20\u00a0pp" if february[0] > january[0] else "▼ 20\u00a0pp")


def test_a_part_without_a_row_in_the_period_shows_dashes_and_not_an_older_value() -> None:
    (line,) = lines_of(rows((0.2, 0.1, 0.3)), "higher", FEBRUARY).lines
    assert (line.value, line.n, line.interval, line.change) == (NOTHING, NOTHING, NOTHING, "")


def test_segments_are_shown_by_size_and_the_smallest_are_counted() -> None:
    many = pl.concat(
        rows((0.1, None, None), (0.2, None, None), region=f"R{i:02}").with_columns(
            n=pl.lit(i % 7 + 1, pl.Int64)
        )
        for i in range(14)
    )
    shown = lines_of(many, "higher", FEBRUARY)
    assert [line.segment for line in shown.lines] == [
        *("R06", "R13", "R05", "R12", "R04", "R11", "R03", "R10", "R02", "R09", "R01", "R08")
    ]
    assert shown.left_out == 2


def test_truncated_cases_are_those_of_the_period_and_of_one_part() -> None:
    per_case = rows((1.0, None, None), (2.0, None, None)).with_columns(part=pl.lit("per_case"))
    two = [rows((0.1, None, None), (0.2, None, None), region=region) for region in ("EMEA", "APAC")]
    withheld = pl.lit(None, pl.Int64)
    third = rows((0.3, None, None), (0.4, None, None), region="LATAM").with_columns(truncated=withheld)
    assert lines_of(pl.concat([*two, third, per_case]), "higher", FEBRUARY).truncated == 8
    assert lines_of(two[0].clear(), "higher", FEBRUARY).truncated == 0


def test_times_stand_by_clock_and_are_counted_once() -> None:
    one = rows((60.0, None, None), (90.0, None, None)).with_columns(part=pl.lit("mean"), unit=pl.lit("s"))
    median = one.with_columns(part=pl.lit("median"))
    clocks = [
        of.with_columns(clock=pl.lit(clock)) for of in (one, median) for clock in ("business", "calendar")
    ]
    shown = lines_of(pl.concat(clocks), "lower", FEBRUARY)
    assert [(line.part, line.clock) for line in shown.lines] == [
        *(("mean", "calendar"), ("mean", "business")),
        *(("median", "calendar"), ("median", "business")),
    ]
    assert shown.truncated == 4


def test_a_missing_segment_is_named_and_currencies_are_kept_apart() -> None:
    euros = rows((1.0, None, None), (5.0, None, None)).with_columns(
        unit=pl.lit("EUR"), region=pl.lit(None, pl.String)
    )
    dollars = euros.with_columns(unit=pl.lit("USD"), value=pl.col("value") * 2)
    shown = lines_of(pl.concat([dollars, euros]), "higher", FEBRUARY).lines
    assert [(line.segment, line.value) for line in shown] == [
        ("(none)", "5\u00a0EUR"),
        ("(none)", "10\u00a0USD"),
    ]


def test_the_line_breaks_at_gaps_and_runs_on_dashed_into_the_running_period() -> None:
    months = [date(2026, 1, day) for day in (1, 2, 3, 4, 5, 6)]
    values = [0.0, 10.0, None, 10.0, 5.0, 0.0]
    line = sparkline(list(zip(months, values, strict=True)), months[4])
    assert line is not None
    assert line.lines == ("4.0,24.0 26.4,4.0", "71.2,4.0 93.6,14.0")
    assert line.running == "93.6,14.0 116.0,24.0"
    assert line.dot == ("93.6", "14.0")
    assert (line.lowest, line.highest, line.periods, line.since) == (0.0, 10.0, 5, months[0])


def test_a_constant_is_a_flat_line_in_the_middle_and_one_value_is_none() -> None:
    flat = sparkline([(FIRSTS[0], 3.0), (FIRSTS[1], 3.0)], FIRSTS[1])
    assert flat is not None
    assert flat.lines == ("4.0,14.0 116.0,14.0",)
    assert sparkline([(FIRSTS[0], 3.0), (FIRSTS[1], None)], FIRSTS[1]) is None


def test_a_period_without_a_row_is_a_gap_and_a_lone_value_a_dot() -> None:
    months = rows((0.0, None, None), (0.4, None, None), (0.2, None, None)).filter(pl.col("value") != 0.4)
    (line,) = lines_of(months, "higher", Period(FIRSTS[2], FIRSTS[3], over=True)).lines
    assert line.trend is not None
    assert line.trend.lines == ("4.0,24.0 4.0,24.0", "116.0,4.0 116.0,4.0")
    assert line.change == ""


def test_the_dashed_line_does_not_bridge_a_gap() -> None:
    line = sparkline([(FIRSTS[0], 0.0), (FIRSTS[1], 4.0), (FIRSTS[2], None), (FIRSTS[3], 2.0)], FIRSTS[2])
    assert line is not None
    assert (line.running, line.dot) == ("", None)

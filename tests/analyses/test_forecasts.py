"""Forecasts: weeks counted by hand, intervals against simulated paths, and errors of the past by hand."""

import sys
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import polars as pl
import pytest
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from tests.conftest import DEAL, day, log_of

import crmmining as cm
from crmmining import analyses
from crmmining.analyses import forecasts, weeks
from crmmining.analyses.backtests import _naive, _seasonal
from crmmining.analyses.weeks import Series

Rows = list[tuple[str, str, float]]


def steady(counts: list[int], open_for: float = 1) -> cm.EventLog:
    """So many cases a week, from 2024-01-01 on, each won after some days; as of the end of the last week."""
    events: Rows = []
    for week, count in enumerate(counts):
        for case in range(count):
            born = 1 + 7 * week + 0.01 * case
            events += [(f"{week:03}-{case:03}", "Create", born)]
            if week < len(counts) - open_for / 7:
                events += [(f"{week:03}-{case:03}", "Win", born + open_for)]
    return log_of(events, as_of=1 + 7 * len(counts))


def test_weeks_by_hand() -> None:
    log = log_of(
        [
            ("1", "Create", 1), ("1", "Win", 9), ("1", "Reopen", 10), ("1", "Win", 24),
            ("2", "Create", 7.99), ("3", "Create", 8), ("3", "Lose", 8),
        ],
        as_of=26,
    )  # fmt: skip
    counts = weeks.tally(log, "UTC")
    found = weeks.series(counts, weeks.week_of(log.as_of, "UTC"))
    assert found.weeks == [date(2024, 1, 1), date(2024, 1, 8), date(2024, 1, 15)]  # the fourth is not over
    assert found.arrivals.tolist() == [2, 1, 0]
    assert found.done.tolist() == [0, 1, 0]  # two closings and a reopening in the second
    assert found.open.tolist() == [2, 2, 2]
    earlier = weeks.series(weeks.tally(log, "America/New_York"), date(2024, 1, 8))
    assert earlier.weeks == [date(2023, 12, 25), date(2024, 1, 1)]  # midnight in UTC is Sunday there


def test_what_was_recorded_later_was_not_known_before() -> None:
    log = log_of([("1", "Create", 1), ("2", "Create", 2), ("2", "Win", 3)], as_of=26)
    (part,) = log.partitions
    won = pl.col("occurred_at") == day(3)
    late = part.events.with_columns(recorded_at=pl.when(won).then(pl.lit(day(9))).otherwise("recorded_at"))
    told = weeks.tally(replace(log, partitions=(type(part)(late, part.cases, part.values),)), "UTC")
    assert weeks.series(told, date(2024, 1, 8)).open.tolist() == [2]
    assert weeks.series(told, date(2024, 1, 15)).open.tolist() == [1, 1]


def test_what_never_changes_goes_on() -> None:
    found = analyses.forecast(steady([3] * 30), weeks=2)
    assert found.columns == ["figure", "week", "horizon", "value", "low", "high", "unit"]
    assert found.select("figure", "week", "horizon").rows()[:2] == [
        ("arrivals", date(2024, 7, 29), 1),
        ("arrivals", date(2024, 8, 5), 2),
    ]
    values = found.group_by("figure", maintain_order=True).agg(pl.col("value", "low", "high").unique()).rows()
    assert values == [
        (name, [x], [x], [x])
        for name, x in (("arrivals", 3), ("completions", 3), ("backlog", 0), ("waiting", 0))
    ]


def past(dice: np.random.Generator, length: int = 120) -> Series:
    arrivals = dice.poisson(30, length).astype(np.float64)
    done, left, before = np.empty(length), np.empty(length), 40.0
    for week in range(length):
        to_do = before + arrivals[week]
        done[week] = np.clip(round(5 + 0.4 * to_do + 3 * dice.standard_normal()), 0, to_do)
        left[week] = before = before + arrivals[week] - done[week]
    first = date(2024, 1, 1)
    return Series(
        pl.date_range(first, first + length * weeks.WEEK, "1w", closed="left", eager=True).to_list(),
        arrivals,
        done,
        left,
    )


def test_intervals_are_those_of_many_simulated_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    dice, horizon, paths = np.random.default_rng(4), 6, 40_000
    series = past(dice)
    response, noise = np.array([1, 0.3, 0.35, 0.4, 0.42, 0.43]), 1.7
    means = np.array([30.0, 31, 32, 33, 34, 35])
    monkeypatch.setattr(forecasts, "_smoothed", lambda *_: (means, response, noise))
    fixed, share, slack = forecasts._line(series)
    assert share == pytest.approx(0.4, abs=0.05)
    assert fixed == pytest.approx(5, abs=3)
    found = forecasts.ahead(series, horizon)
    shocks = dice.standard_normal((paths, horizon)) * np.sqrt(noise * means)
    slacks = dice.standard_normal((paths, horizon)) * np.sqrt(slack * found["completions"].mean)
    before, pace = np.full(paths, series.open[-1]), [np.full(paths, done) for done in series.done[-4:]]
    for week in range(horizon):
        arrivals = means[week] + sum(shocks[:, past] * response[week - past] for past in range(week + 1))
        done = fixed + share * (before + arrivals) + slacks[:, week]
        before = before + arrivals - done
        pace = [*pace[1:], done]
        came = {"arrivals": arrivals, "completions": done, "backlog": before}
        for name, values in came.items():
            assert found[name].mean[week] == pytest.approx(values.mean(), rel=0.01)
            assert found[name].deviation[week] == pytest.approx(values.std(), rel=0.02)
        waiting = 7 * before / np.mean(pace, axis=0)
        assert found["waiting"].mean[week] == pytest.approx(np.median(waiting), rel=0.02)
        assert found["waiting"].deviation[week] == pytest.approx(waiting.std(), rel=0.1)  # to first order


def worked_off(arrivals: list[int], capacity: int) -> Series:
    """Weeks in which a team completes what there is to do, but not more than `capacity`."""
    done, left, before = [], [], 0
    for came in arrivals:
        done.append(min(capacity, before + came))
        before += came - done[-1]
        left.append(before)
    first = date(2024, 1, 1)
    return Series(
        [first + week * weeks.WEEK for week in range(len(arrivals))],
        *(np.array(values, dtype=np.float64) for values in (arrivals, done, left)),
    )


DICE = np.random.default_rng(8)
PASTS = {
    "less comes than can be done": worked_off([*[12] * 20, *[6] * 16], 10),
    "less and less": worked_off([*range(60, 0, -1), *[0] * 5], 30),
    "nothing comes any more": worked_off([*[10, 14] * 15, *[0] * 4], 11),
    "chance": worked_off(DICE.poisson(9, 80).tolist(), 10),
    "too much": worked_off(DICE.poisson(12, 80).tolist(), 10),
    "one at times": worked_off(DICE.poisson(0.3, 80).tolist(), 1),
}


@pytest.mark.parametrize("name", PASTS)
def test_the_backlog_is_what_was_open_and_came_less_what_was_done(name: str) -> None:
    past = PASTS[name]
    found = pl.concat(forecasts.rows(forecasts.ahead(past, 12), past.weeks[-1], 0.95))
    told = {figure: found.filter(figure=figure)["value"].to_numpy() for figure in forecasts.UNITS}
    before = np.concatenate([past.open[-1:], told["backlog"][:-1]])
    to_do = before + told["arrivals"]
    assert told["backlog"] == pytest.approx(to_do - told["completions"], abs=1e-9)
    assert (told["completions"] <= to_do).all()
    for figure in ("arrivals", "completions", "backlog"):
        assert (told[figure] >= 0).all()


def test_a_backlog_of_nothing_is_no_certainty() -> None:
    past = PASTS["less comes than can be done"]
    found = pl.concat(forecasts.rows(forecasts.ahead(past, 8), past.weeks[-1], 0.95))
    last = found.filter(figure="backlog", horizon=8).row(0, named=True)
    assert past.open[-4:].tolist() == [0, 0, 0, 0]
    assert last["value"] == 0
    assert last["high"] > 1


def test_what_is_left_of_an_error_is_what_the_library_says() -> None:
    arrivals = np.random.default_rng(5).poisson(20 + np.arange(60) / 2).astype(np.float64)
    means, response, _ = forecasts._smoothed(arrivals, 5)
    fitted = ETSModel(pd.Series(arrivals), error="add", trend="add", damped_trend=True).fit(disp=False)
    told = fitted.get_prediction(start=60, end=64)
    assert means == pytest.approx(np.asarray(told.predicted_mean))
    assert np.cumsum(response**2) * fitted.mse == pytest.approx(np.asarray(told.var_pred_mean))


def test_naive_forecasts_by_hand() -> None:
    path = _naive(np.array([1.0, 3, 1, 3]), 2)
    assert path.mean.tolist() == [3, 3]
    assert path.deviation.tolist() == pytest.approx([2, 2 * 2**0.5])
    year = np.concatenate([np.arange(52.0), np.arange(52.0) + 3])
    path = _seasonal(year, 2)
    assert path.mean.tolist() == [3, 4]
    assert path.deviation.tolist() == [3, 3]


def test_errors_of_the_past_by_hand() -> None:
    found = analyses.backtest(steady([1, 3] * 16), weeks=2, origins=4)
    assert found["n"].unique().to_list() == [4]
    naive = (
        found.filter(figure="arrivals", method="naive").select("horizon", "mae", "mase", "coverage").rows()
    )
    # one week on it is off by 2, as every step is; two weeks on it is right
    assert naive == [(1, 2, pytest.approx(1), 1), (2, 0, 0, 1)]
    assert found.filter(figure="arrivals", horizon=1)["method"].to_list() == ["model", "naive"]
    assert found.filter(figure="backlog")["mae"].unique().to_list() == [0]


def test_a_forecast_beats_a_naive_one_where_there_is_something_to_learn() -> None:
    counts = np.random.default_rng(6).poisson(12, 40).tolist()
    found = analyses.backtest(steady(counts, 10), weeks=1, origins=10)
    mae = dict(found.filter(figure="arrivals").select("method", "mae").iter_rows())
    assert mae["model"] < mae["naive"]
    assert found.filter(figure="completions", method="model")["mase"].item() < 1


def test_where_nothing_ends_nothing_is_waited_for() -> None:
    endless = DEAL.model_copy(update={"ends": (), "reopens": ()})
    events = [
        (f"{week}-{case}", "Create", 1 + 7 * week + 0.1 * case)
        for week in range(90)
        for case in range(1 + week % 3)
    ]
    log = log_of(events, process=endless, as_of=1 + 7 * 90)
    coming = analyses.forecast(log, weeks=2)
    assert coming.filter(figure="completions")["value"].to_list() == [0, 0]
    assert coming.filter(figure="waiting")["value"].to_list() == [None, None]
    found = analyses.backtest(log, weeks=1, origins=3)
    assert found["figure"].unique(maintain_order=True).to_list() == ["arrivals", "completions", "backlog"]
    done = found.filter(figure="completions")
    assert done.select("method", "n", "mae", "mase", "coverage", "width").rows() == [
        (method, 3, 0, None, 1, 0) for method in ("model", "naive", "seasonal")
    ]


def test_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        cm.CrmMiningError, match="holds 20 full weeks, too few to learn from: a forecast needs 26"
    ):
        analyses.forecast(steady([1] * 20))
    with pytest.raises(cm.CrmMiningError, match="forecasts of 8 weeks with what came it needs 34"):
        analyses.backtest(steady([1] * 30))
    with pytest.raises(cm.CrmMiningError, match="weeks is 0"):
        analyses.forecast(steady([1] * 30), weeks=0)
    with pytest.raises(cm.CrmMiningError, match=r"weeks is 1\.5, but must be a whole number, 1 or more"):
        analyses.forecast(steady([1] * 30), weeks=1.5)  # type: ignore[arg-type]
    with pytest.raises(cm.CrmMiningError, match=r"origins is 2\.0, but must be a whole number"):
        analyses.backtest(steady([1] * 40), origins=2.0)  # type: ignore[arg-type]
    assert analyses.forecast(steady([1] * 30), weeks=np.int64(1)).height == 4  # type: ignore[arg-type]
    with pytest.raises(cm.CrmMiningError, match="level is 95"):
        analyses.forecast(steady([1] * 30), level=95)
    with pytest.raises(cm.CrmMiningError, match="origins is 0"):
        analyses.backtest(steady([1] * 40), origins=0)
    with pytest.raises(cm.CrmMiningError, match="time_zone is 'Mars'"):
        analyses.forecast(steady([1] * 30), time_zone="Mars")
    with pytest.raises(cm.CrmMiningError, match="holds no case"):
        analyses.forecast(steady([1] * 30).filter(having=["lost"]))
    monkeypatch.setitem(sys.modules, "statsmodels.tsa.exponential_smoothing.ets", None)
    with pytest.raises(cm.CrmMiningError, match=r"pip install 'crmmining\[forecast\]'"):
        analyses.forecast(steady([1, 2] * 20))

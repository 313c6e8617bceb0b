"""Forecasts: arrivals, completions, backlog and waiting time of the next weeks."""

import warnings
from collections.abc import Iterator
from datetime import date
from numbers import Integral
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from crmmining.analyses import weeks as weekly
from crmmining.analyses.weeks import WEEK, Floats, Series
from crmmining.errors import CrmMiningError
from crmmining.eventlog import EventLog

FEWEST = 26  # weeks from which anything can be learnt
_HISTORY = 104  # weeks that are learnt from: what was before is another time
_PACE = 4  # weeks over which completions are averaged where waiting is told
_DAYS = 7
UNITS = {"arrivals": "cases", "completions": "cases", "backlog": "cases", "waiting": "days"}


class Path(NamedTuple):
    """A figure in the weeks to come: its mean and standard deviation."""

    mean: Floats
    deviation: Floats


def forecast(log: EventLog, *, weeks: int = 8, level: float = 0.95, time_zone: str = "UTC") -> pl.DataFrame:
    """Arrivals, completions, backlog and waiting time of the next weeks, with intervals.

    Weeks begin on Monday in `time_zone`; the first one told is the first that is not over by as_of, and what
    is learnt comes from the full weeks before it, at most the last 104. Columns: figure, week (Date), horizon
    (1 ..), value, low, high (Float64, interval of `level`, never below 0), unit; by figure and horizon.

    - arrivals: cases created. Exponential smoothing with a trend that fades, ETS(A,Ad,N), fitted by maximum
      likelihood (statsmodels).
    - completions: closings less reopenings. A straight line in what there is to do, a + b (open before +
      arrivals), by least squares, b within 0..1. With b = 0 a team completes as much as it can, with a = 0
      a share of all there is; most are in between. Never below 0 nor more than there is to do.
    - backlog: open cases at the end of the week; open before + arrivals - completions, exactly.
    - waiting (days): Little's law, backlog / completions a week, their mean of the last four weeks; null
      where nothing is completed. It is the time in which the backlog would be done at that pace, and the mean
      time a case is open where neither changes.

    Intervals follow from the errors of arrivals and completions by the same lines (waiting: to first order).
    Errors are taken for normal, independent, and of a variance in proportion to the mean (at least 1), as it
    is with counts; where there is less to do than the line says, they are as wide as the line has them. That
    what is estimated is not known is not in the intervals, nor is what a year does to arrivals. `backtest`
    says how good all this was on the log's own past: where weeks have few cases, intervals may be too narrow.
    For a segment ask `log.filter(...)`. Needs the extra `forecast`. Raises `CrmMiningError` without it, for
    fewer than 26 full weeks, and for weeks, a level or a zone that are none.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> found = analyses.forecast(cm.connect("data/sample").event_log("case"), weeks=2)
    >>> found.select("figure", "week", "horizon").rows()[:2]
    [('arrivals', datetime.date(2025, 12, 29), 1), ('arrivals', datetime.date(2026, 1, 5), 2)]
    """
    check(weeks, level)
    past = history(log, weekly.tally(log, time_zone), time_zone)
    return pl.concat(rows(ahead(past, weeks), past.weeks[-1], level))


def check(weeks: int, level: float) -> None:
    """Raise `CrmMiningError` for a number of weeks or a level that is none."""
    whole("weeks", weeks)
    if not 0 < level < 1:
        raise CrmMiningError(f"level is {level}, but must lie between 0 and 1, such as 0.95")


def whole(name: str, number: int) -> None:
    """Raise `CrmMiningError` for what is no whole number, 1 or more."""
    if not isinstance(number, Integral) or number < 1:
        raise CrmMiningError(f"{name} is {number}, but must be a whole number, 1 or more")


def history(log: EventLog, counts: pl.DataFrame, time_zone: str) -> Series:
    """All full weeks of a log; `CrmMiningError` where they are too few."""
    past = weekly.series(counts, weekly.week_of(log.as_of, time_zone))
    if len(past.weeks) < FEWEST:
        raise CrmMiningError(
            f"the log of process '{log.process.name}' holds {len(past.weeks)} full weeks, too few to learn "
            f"from: a forecast needs {FEWEST}"
        )
    return past


def figures(past: Series) -> dict[str, Floats]:
    """What was observed in each week, called as in a forecast; waiting is NaN where nothing is done."""
    padded = np.concatenate([np.full(_PACE - 1, np.nan), past.done])
    pace = np.lib.stride_tricks.sliding_window_view(padded, _PACE).mean(axis=1)
    waiting = _DAYS * past.open / np.where(pace > 0, pace, np.nan)
    return {"arrivals": past.arrivals, "completions": past.done, "backlog": past.open, "waiting": waiting}


def ahead(past: Series, weeks: int) -> dict[str, Path]:
    """The figures of the next weeks, as `forecast` says.

    Every figure is a mean and a sum of errors yet to come: `effects` holds how much of each, first those of
    arrivals week by week, then those of completions. Means are kept to what can be, effects are not: an error
    yet to come may bring back what a mean at its limit leaves out.
    """
    smoothed, response, noise = _smoothed(past.arrivals[-_HISTORY:], weeks)
    arrivals = np.maximum(smoothed, 0)
    fixed, share, slack = _line(past)
    shock = np.eye(2 * weeks)
    coming = np.zeros((weeks, 2 * weeks))
    for week in range(weeks):
        coming[week:, week] = response[: weeks - week]
    means = {name: np.empty(weeks) for name in UNITS} | {"arrivals": arrivals}
    effects = {name: np.empty((weeks, 2 * weeks)) for name in UNITS} | {"arrivals": coming}
    open_before, effect_before = past.open[-1], np.zeros(2 * weeks)
    pace, pace_effects = list(past.done[-_PACE:]), [np.zeros(2 * weeks)] * _PACE
    for week in range(weeks):
        to_do, effect = open_before + arrivals[week], effect_before + coming[week]
        done = max(min(fixed + share * to_do, to_do), 0.0)
        done_effect = share * effect + shock[weeks + week]
        open_before, effect_before = to_do - done, effect - done_effect
        pace, pace_effects = [*pace[1:], done], [*pace_effects[1:], done_effect]
        mean_pace = float(np.mean(pace))
        waiting = open_before / mean_pace if mean_pace > 0 else np.nan
        waiting_effect = (effect_before - waiting * np.mean(pace_effects, axis=0)) / mean_pace
        for name, mean, its in (
            ("completions", done, done_effect),
            ("backlog", open_before, effect_before),
            ("waiting", _DAYS * waiting, _DAYS * waiting_effect),
        ):
            means[name][week], effects[name][week] = mean, its
    expected = np.maximum([means["arrivals"], means["completions"]], 1)
    variance = np.concatenate([noise * expected[0], slack * expected[1]])
    return {name: Path(means[name], np.sqrt(effects[name] ** 2 @ variance)) for name in UNITS}


def rows(paths: dict[str, Path], last: date, level: float) -> Iterator[pl.DataFrame]:
    """One frame per figure: figure, week, horizon, value, low, high, unit; `last` is the last known week."""
    z = NormalDist().inv_cdf(0.5 + level / 2)
    for name, (mean, deviation) in paths.items():
        told = {"value": mean, "low": mean - z * deviation, "high": mean + z * deviation}
        numbers = pl.DataFrame({key: np.maximum(values, 0) for key, values in told.items()})
        horizons = pl.Series("horizon", range(1, len(mean) + 1), dtype=pl.Int64)
        weeks = [last + WEEK * horizon for horizon in horizons]
        yield numbers.fill_nan(None).select(
            pl.lit(name).alias("figure"),
            pl.Series("week", weeks, dtype=pl.Date),
            horizons,
            "value",
            "low",
            "high",
            pl.lit(UNITS[name]).alias("unit"),
        )


def _line(past: Series) -> tuple[float, float, float]:
    """Completions as a line in what there was to do: constant, slope, variance per completion expected."""
    before = np.concatenate([[0.0], past.open[:-1]])
    to_do, done = (before + past.arrivals)[-_HISTORY:], past.done[-_HISTORY:]
    apart = to_do - to_do.mean()
    spread = float((apart**2).sum())
    share = float(np.clip((apart * done).sum() / spread, 0, 1)) if spread else 0.0
    fixed = float(done.mean()) - share * float(to_do.mean())
    return fixed, share, _dispersion(done, fixed + share * to_do, 2)


def _smoothed(arrivals: Floats, weeks: int) -> tuple[Floats, Floats, float]:
    """Means of the next weeks, what is left of an error week by week, variance per arrival expected."""
    pandas, ets, warning = _library()
    if (arrivals == arrivals[0]).all():
        return np.repeat(arrivals[0], weeks), np.eye(1, weeks)[0], 0.0  # nothing to fit
    model = ets(pandas.Series(arrivals), error="add", trend="add", damped_trend=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", warning)  # where it stops, it is as good as can be told apart
        fitted = model.fit(disp=False)
    means, expected = (
        np.asarray(values, dtype=np.float64) for values in (fitted.forecast(weeks), fitted.fittedvalues)
    )
    damping = np.cumsum(float(fitted.damping_trend) ** np.arange(1, weeks + 1))
    later = float(fitted.smoothing_level) + float(fitted.smoothing_trend) * damping
    response = np.concatenate([[1.0], later[:-1]])
    return means, response, _dispersion(arrivals, expected, len(fitted.params))


def _dispersion(came: Floats, expected: Floats, parameters: int) -> float:
    """Variance over mean: of counts, the more are expected, the more they vary."""
    return float(((came - expected) ** 2 / np.maximum(expected, 1)).sum()) / (len(came) - parameters)


def _library() -> tuple[Any, Any, Any]:
    try:
        import pandas as pd  # type: ignore[import-untyped]  # noqa: PLC0415 - slow to import
        from statsmodels.tools.sm_exceptions import ConvergenceWarning  # noqa: PLC0415
        from statsmodels.tsa.exponential_smoothing.ets import ETSModel  # noqa: PLC0415
    except ImportError as error:
        raise CrmMiningError(
            "forecasts need statsmodels, which is not installed: pip install 'crmmining[forecast]'"
        ) from error
    return pd, ETSModel, ConvergenceWarning

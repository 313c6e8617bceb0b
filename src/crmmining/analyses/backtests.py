"""Backtests: the forecast made anew at earlier weeks, beside naive ones, held against what came."""

from collections.abc import Mapping
from statistics import NormalDist

import numpy as np
import polars as pl

from crmmining.analyses import weeks as weekly
from crmmining.analyses.forecasts import FEWEST, UNITS, Path, ahead, check, figures, history, whole
from crmmining.analyses.weeks import WEEK, Floats
from crmmining.errors import CrmMiningError
from crmmining.eventlog import EventLog

_YEAR = 52


def backtest(
    log: EventLog,
    *,
    weeks: int = 8,
    level: float = 0.95,
    origins: int = 26,
    time_zone: str = "UTC",
) -> pl.DataFrame:
    """How far off `forecast` would have been, made at the end of each of `origins` weeks of the log's past.

    Origins are the last ones, a week apart, of which all `weeks` to come are over by as_of and 26 lie
    behind. Each knows what had happened and was recorded by then, and no more; cases that are not in the log
    as of now (deleted since) are not in it then either. Beside it, in the same weeks: `naive`, the last value
    for all weeks to come, and `seasonal`, that of the same week a year (52 weeks) before, where there are
    26 more; their intervals come from how much one week differs from the one before (growing with the
    square root of the horizon), or a year from the one before.

    Columns: figure (as in `forecast`), method (model, naive, seasonal), horizon, n (origins compared), mae
    (mean absolute error), mase (each error over the mean step from week to week known at its origin, their
    mean: below 1 is better than a step), coverage (share of what came that lay in the interval, which was
    meant to be `level`), width (mean, of the intervals). A week without a figure, or without enough before it
    for an interval, is in no row's n: where nothing is ever completed, no row tells of waiting. mase is null
    where no step is known, or none was taken. Sorted by figure, horizon, method. Raises `CrmMiningError` as
    `forecast` does, and for a log without any origin.

    >>> import crmmining as cm
    >>> from crmmining import analyses
    >>> log = cm.connect("data/sample").event_log("case")
    >>> found = analyses.backtest(log, weeks=1, origins=1)
    >>> found.select("figure", "method", "n").rows()[:2]
    [('arrivals', 'model', 1), ('arrivals', 'naive', 1)]
    """
    check(weeks, level)
    whole("origins", origins)
    counts = weekly.tally(log, time_zone)
    known = history(log, counts, time_zone)
    lengths = range(len(known.weeks) - weeks, FEWEST - 1, -1)[:origins]
    if not lengths:
        raise CrmMiningError(
            f"the log of process '{log.process.name}' holds {len(known.weeks)} full weeks; to compare "
            f"forecasts of {weeks} weeks with what came it needs {FEWEST + weeks}"
        )
    came = figures(known)
    z = NormalDist().inv_cdf(0.5 + level / 2)
    errors = []
    for length in reversed(lengths):
        past = weekly.series(counts, known.weeks[0] + WEEK * length)
        seen = figures(past)
        step = {name: _mean(np.abs(np.diff(values))) for name, values in seen.items()}
        for method, paths in _methods(ahead(past, weeks), seen, weeks).items():
            for name, path in paths.items():
                told = _errors(path, came[name][length : length + weeks], z)
                errors.append(
                    told.with_columns(
                        figure=pl.lit(name, pl.Enum(list(UNITS))),
                        method=pl.lit(method),
                        step=pl.lit(step[name]),
                    )
                )
    return _scores(pl.concat(errors))


def _methods(
    model: Mapping[str, Path], seen: Mapping[str, Floats], weeks: int
) -> dict[str, Mapping[str, Path]]:
    naive = {name: _naive(values, weeks) for name, values in seen.items()}
    found = {"model": model, "naive": naive}
    if min(map(len, seen.values())) >= _YEAR + FEWEST and weeks <= _YEAR:
        found["seasonal"] = {name: _seasonal(values, weeks) for name, values in seen.items()}
    return found


def _naive(values: Floats, weeks: int) -> Path:
    deviation = np.sqrt(_mean(np.diff(values) ** 2) * np.arange(1, weeks + 1))
    return Path(np.repeat(values[-1], weeks), deviation)


def _seasonal(values: Floats, weeks: int) -> Path:
    deviation = np.sqrt(_mean((values[_YEAR:] - values[:-_YEAR]) ** 2))
    start = len(values) - _YEAR
    return Path(values[start : start + weeks], np.repeat(deviation, weeks))


def _mean(values: Floats) -> float:
    """The mean of those that are known, NaN where none is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _errors(path: Path, came: Floats, z: float) -> pl.DataFrame:
    """Per horizon how far off a path was, whether its interval held and how wide it was; as shown, from 0."""
    mean, low, high = (np.maximum(path.mean + shift * path.deviation, 0) for shift in (0.0, -z, z))
    off = np.abs(came - mean)
    known = ~np.isnan(off + high - low)
    return pl.DataFrame(
        {
            "horizon": pl.Series(np.arange(1, len(came) + 1)[known], dtype=pl.Int64),
            "off": off[known],
            "held": ((came >= low) & (came <= high))[known],
            "width": (high - low)[known],
        }
    )


def _scores(errors: pl.DataFrame) -> pl.DataFrame:
    scaled = pl.when(pl.col("step").fill_nan(None) > 0).then(pl.col("off") / pl.col("step"))
    found = errors.group_by("figure", "horizon", "method", maintain_order=True).agg(
        n=pl.len().cast(pl.Int64),
        mae=pl.col("off").mean(),
        mase=scaled.mean(),
        coverage=pl.col("held").mean(),
        width=pl.col("width").mean(),
    )
    order = ["figure", "horizon", "method"]
    columns = ["figure", "method", "horizon", "n", "mae", "mase", "coverage", "width"]
    return found.sort(order).select(columns).cast({"figure": pl.String})

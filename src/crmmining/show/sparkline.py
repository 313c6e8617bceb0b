"""A word-sized line: how one number moved over the periods, as coordinates ready to draw."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

WIDTH, HEIGHT = 120, 28
_MARGIN = 4


@dataclass(frozen=True)
class Sparkline:
    """Polylines: `lines` join the periods that are over, `running` leads on; `dot` marks the current one."""

    lines: tuple[str, ...]
    running: str
    dot: tuple[str, str] | None
    lowest: float
    highest: float
    periods: int
    since: date


def sparkline(points: Sequence[tuple[date, float | None]], current: date) -> Sparkline | None:
    """Scale (period start, value) points, sorted by start, to a box of WIDTH x HEIGHT; a null leaves a gap.

    A value between two gaps is a line from itself to itself, which round ends make a dot.

    Returns null with fewer than two values: a line needs two points.

    >>> line = sparkline([(date(2026, 1, 1), 1.0), (date(2026, 2, 1), 3.0)], date(2026, 2, 1))
    >>> line.lines, line.dot
    (('4.0,24.0 116.0,4.0',), ('116.0', '4.0'))
    """
    known = [(start, number) for start, number in points if number is not None]
    if len(known) < 2:  # noqa: PLR2004
        return None
    numbers = [number for _, number in known]
    lowest, highest = min(numbers), max(numbers)
    first, days = points[0][0], (points[-1][0] - points[0][0]).days

    def place(start: date, number: float) -> tuple[str, str]:
        up = (number - lowest) / (highest - lowest) if highest > lowest else 0.5
        across = _MARGIN + (WIDTH - 2 * _MARGIN) * (start - first).days / days
        return f"{across:.1f}", f"{HEIGHT - _MARGIN - (HEIGHT - 2 * _MARGIN) * up:.1f}"

    runs: list[list[str]] = [[]]
    running: list[str] = []
    dot = None
    for start, number in points:
        if number is None:
            runs.append([])
            running = []
            continue
        at = place(start, number)
        if start > current:
            running.append(",".join(at))
            continue
        runs[-1].append(",".join(at))
        running = [",".join(at)]
        dot = at if start == current else None
    return Sparkline(
        lines=tuple(" ".join(run if len(run) > 1 else run * 2) for run in runs if run),
        running=" ".join(running) if len(running) > 1 else "",
        dot=dot,
        lowest=lowest,
        highest=highest,
        periods=len(known),
        since=known[0][0],
    )

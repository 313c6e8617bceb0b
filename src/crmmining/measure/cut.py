"""How figures are cut: by segments, into the org's periods, within a window of dates."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from crmmining.definitions.segments import NOW
from crmmining.eventlog import EventLog
from crmmining.periods import Period, period_start
from crmmining.tables import OrgSpec

_CELL = "cell: "  # no fact is called so: a segment word may be the name of a fact


@dataclass(frozen=True)
class Cut:
    """Segment words, a period of the org's calendar, and the window [since, until) of dates that count.

    Words are bare or `word@milestone`; `basis` is when bare ones count (see `Segment`).
    """

    org: OrgSpec
    by: tuple[str, ...] = ()
    period: Period | None = None
    since: datetime | None = None
    until: datetime | None = None
    basis: str = NOW

    @property
    def keys(self) -> list[str]:
        """Columns that name one cell while counting: the period, if there is one, and the segments."""
        return [_CELL + word for word in (*(() if self.period is None else ("period_start",)), *self.by)]

    def named(self, wide: pl.DataFrame) -> pl.DataFrame:
        """`wide` with its cells under the names people use: period_start and the segment words."""
        return wide.rename(lambda name: name.removeprefix(_CELL))

    def window(self, frame: pl.DataFrame, instant: pl.Expr) -> pl.DataFrame:
        """Rows of `frame` whose `instant` lies in the window; all of them when there is none."""
        if self.since is not None:
            frame = frame.filter(instant >= self.since)
        return frame if self.until is None else frame.filter(instant < self.until)

    def start(self, instant: pl.Expr) -> list[pl.Expr]:
        """First day of the period that holds `instant`; nothing without a period."""
        if self.period is None:
            return []
        zone, fiscal = self.org.time_zone, self.org.fiscal_year_start
        start = period_start(instant, self.period, time_zone=zone, fiscal_year_start=fiscal)
        return [start.alias(f"{_CELL}period_start")]

    def told(self, log: EventLog) -> str | None:
        """The basis of the segments: one where all agree, else `word@basis` of each; null without any."""
        known = [s for s in (log.segment(word, self.basis) for word in self.by) if s.basis is not None]
        distinct = {segment.basis for segment in known}
        if len(distinct) < 2:  # noqa: PLR2004 - none or one
            return next(iter(distinct), None)
        return ", ".join(f"{segment.asked.partition('@')[0]}@{segment.basis}" for segment in known)

    def segments(self, log: EventLog) -> pl.DataFrame:
        """The segment cells of every case, in log order."""
        return log.segments(self.by, self.basis).rename(lambda word: _CELL + word)

    def segments_of(self, log: EventLog, events: pl.DataFrame) -> pl.DataFrame:
        """The segment cells of events of a partition; where that is the basis, each at its own time."""
        return log.cells(self.by, self.basis, events).rename(lambda word: _CELL + word)

    def cases(self, log: EventLog, instant: pl.Expr, pairs: pl.DataFrame | None = None) -> pl.DataFrame:
        """Case facts (with `start`, `end` of `pairs`) with `keys`, without cases dated outside the window."""
        facts = log.facts if pairs is None else log.facts.hstack(pairs)
        return self.window(facts.with_columns(*self.segments(log)), instant).with_columns(
            *self.start(instant)
        )

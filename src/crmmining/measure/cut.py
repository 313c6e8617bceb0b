"""How figures are cut: by segments, into the org's periods, within a window of dates."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from crmmining.eventlog import EventLog
from crmmining.periods import Period, period_start
from crmmining.tables import OrgSpec


@dataclass(frozen=True)
class Cut:
    """Segment words, a period of the org's calendar, and the window [since, until) of dates that count."""

    org: OrgSpec
    by: tuple[str, ...] = ()
    period: Period | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def keys(self) -> list[str]:
        """Columns that name one cell: period_start, if there is a period, and the segment words."""
        return [*self.by] if self.period is None else ["period_start", *self.by]

    def window(self, frame: pl.DataFrame, instant: pl.Expr) -> pl.DataFrame:
        """Rows of `frame` whose `instant` lies in the window; all of them when there is none."""
        if self.since is not None:
            frame = frame.filter(instant >= self.since)
        return frame if self.until is None else frame.filter(instant < self.until)

    def start(self, instant: pl.Expr, period: Period) -> pl.Expr:
        """First day of the period that holds `instant`, as `period_start`."""
        zone, fiscal = self.org.time_zone, self.org.fiscal_year_start
        start = period_start(instant, period, time_zone=zone, fiscal_year_start=fiscal)
        return start.alias("period_start")

    def cases(self, log: EventLog, instant: pl.Expr, pairs: pl.DataFrame | None = None) -> pl.DataFrame:
        """Case facts (with `start`, `end` of `pairs`) with `keys`, without cases dated outside the window."""
        facts = log.facts if pairs is None else log.facts.hstack(pairs)
        cells = [log.segment(word) for word in self.by]
        if self.period is not None:
            cells.append(self.start(instant, self.period))
        return self.window(facts, instant).with_columns(cells)

    def groups(self, log: EventLog) -> pl.DataFrame:
        """The segment cell of every case in log order: the segment words and `group` (UInt32)."""
        cells = log.facts.select(pl.repeat(0, pl.len()).alias("group"), *map(log.segment, self.by))
        return cells.with_columns(group=pl.struct("group", *self.by).rank("dense").cast(pl.UInt32))

"""Moments a caller states: when the CRM is stopped, and since when its field history is kept."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import polars as pl

from crmmining.errors import CrmMiningError
from crmmining.simulator.arrays import END, START

Moment = datetime | date | str
_DATE_LENGTH: Final = len("2024-06-30")


def stop_at(until: Moment | None) -> int:
    """Instant at which the CRM is stopped: a date is its midnight, a time without a zone is UTC.

    Nothing happens after 2025, so that every later moment is the end of 2025. CrmMiningError for what is no
    moment, or lies before 2023.
    """
    if until is None:
        return END
    moment: datetime | date
    try:
        if not isinstance(until, str):
            moment = until
        elif len(until) > _DATE_LENGTH:
            moment = datetime.fromisoformat(until)
        else:
            moment = date.fromisoformat(until)
    except ValueError as error:
        raise CrmMiningError(
            f"until ('{until}') must be a moment like 2024-06-30 or 2024-06-30T12:00:00+00:00."
        ) from error
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    if seconds < START:
        raise CrmMiningError(f"until ('{until}') must not be before 2023, when the simulated time begins.")
    return min(seconds, END)


def kept_since(months: int | None, until: int) -> int:
    """First instant whose field history is still kept so many months later; 0 when all of it is."""
    if months is None:
        return 0
    end = pl.Series([datetime.fromtimestamp(until + 1, UTC)]).dt.offset_by(f"-{months}mo")
    return int(end.dt.epoch("s").item())

"""Moments as people write them: an instant, a day, or a text that is one of these."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from crmmining.errors import CrmMiningError, SourceError

Moment = datetime | date | str
_FIRST_YEAR, _LAST_YEAR = 1900, 2199


def instant(value: Moment, time_zone: str) -> datetime:
    """The instant in UTC that a moment stands for; raises `CrmMiningError` when it stands for none.

    >>> instant("2024-06-30", "Europe/Berlin").isoformat()
    '2024-06-29T22:00:00+00:00'
    """
    wrong = CrmMiningError(
        f"'{value}' is no moment from 1900 to 2199; write it as 2024-06-30 or 2024-06-30T12:00:00+00:00"
    )
    if isinstance(value, str):
        try:
            value = (
                datetime.fromisoformat(value) if len(value) > len("2024-06-30") else date.fromisoformat(value)
            )
        except ValueError as error:
            raise wrong from error
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise wrong
    if not isinstance(value, datetime):
        value = datetime.combine(value, time(), ZoneInfo(time_zone))
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def known_by(moment: datetime, taken: datetime | None) -> datetime:
    """The moment itself; raises `SourceError` when it is later than the data was taken."""
    if taken is not None and moment > taken:
        raise SourceError(
            f"as_of is {moment:%Y-%m-%dT%H:%M:%SZ}, but the data was taken at {taken:%Y-%m-%dT%H:%M:%SZ} "
            "(extracted_at): nothing is known of what came later. State an earlier as_of, or newer data."
        )
    return moment

"""Business calendars: when people are at work, for every row the calendar that counts there."""

from crmmining.calendars.calendar import Calendar, Week
from crmmining.calendars.calendars import OWN, Calendars, Rule
from crmmining.calendars.holidays import Holiday
from crmmining.calendars.reading import Read, read

__all__ = ["OWN", "Calendar", "Calendars", "Holiday", "Read", "Rule", "Week", "read"]

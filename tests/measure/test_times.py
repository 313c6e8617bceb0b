"""How long it takes, by two clocks and with those that are not there yet; answered by hand."""

from collections.abc import Callable
from dataclasses import replace

import polars as pl
import pytest

from crmmining.calendars import Calendar, Calendars, Rule, Week
from crmmining.definitions import Catalogue, Process
from crmmining.definitions.kpi import KPI, Kpi
from crmmining.eventlog import EventLog
from crmmining.measure import Cut, scorecard
from crmmining.tables import OrgSpec, SourceSpec

HOUR, DAY = 3600.0, 86400.0
ORG = OrgSpec()
WEEKDAYS = tuple((day, 9 * 60, 17 * 60) for day in range(5))
NIGHTS = tuple((day, 22 * 60, 30 * 60) for day in range(7))  # until six in the morning
HOURS = Calendars(
    (
        Calendar("Office", "Europe/Berlin", (Week(None, WEEKDAYS),)),
        Calendar("Nights", "America/New_York", (Week(None, NIGHTS),)),
    ),
    (Rule((("region", ("APAC",)),), 1),),
    default=0,
)
MakeLog = Callable[..., EventLog]
Ask = Callable[..., pl.DataFrame]


def kpi(period: str = "start", start: str = "created", **stated: str) -> Kpi:
    words = {"name": "wait", "process": "deal", "question": "q", "formula": "f", "unit": "s"}
    kind = {"kind": "duration", "start": start, "end": "touched", "period": period, "better": "lower"}
    return KPI.validate_python(words | kind | stated)


@pytest.fixture
def ask(deal: Process, spec: SourceSpec) -> Ask:
    def asked(log: EventLog, of: Kpi, cut: Cut | None = None) -> pl.DataFrame:
        catalogue = Catalogue(spec, {"deal": deal}, {"wait": of})
        return scorecard({"deal": log}, catalogue, [of], cut or Cut(ORG))

    return asked


def part(rows: pl.DataFrame, name: str, *more: str) -> list[tuple[object, ...]]:
    return rows.filter(part=name).select("clock", "value", *more).rows()


def test_a_weekend_is_no_business_time(make_log: MakeLog, ask: Ask) -> None:
    # Friday 5 January 2024, 15:00 in Berlin, to Monday 11:00: two hours and two hours
    log = make_log([("d1", "Create", 5 + 14 / 24), ("d1", "Call", 8 + 10 / 24)])
    rows = ask(replace(log, calendars=HOURS), kpi())
    for name in ("mean", "median", "p90"):
        assert part(rows, name) == [("business", 4 * HOUR), ("calendar", 68 * HOUR)]
    assert part(ask(log, kpi()), "mean") == [("calendar", 68 * HOUR)]


def test_a_night_in_which_clocks_change_counts_what_went_by(make_log: MakeLog, ask: Ask) -> None:
    # New York, Saturday 9 March 2024, 22:00 (Sunday 3:00 UTC) to Sunday 6:00: at two it was three
    night = [("d1", "Create", 70 + 2 / 24), ("d1", "Call", 70 + 12 / 24)]  # 21:00 to 8:00 there
    log = make_log(night, {"d1": {"region": "APAC"}})
    rows = ask(replace(log, calendars=HOURS), kpi())
    assert part(rows, "mean") == [("business", 7 * HOUR), ("calendar", 10 * HOUR)]


def test_the_calendar_is_the_one_that_held_at_the_start(make_log: MakeLog, ask: Ask) -> None:
    friday = [("d1", "Create", 5 + 14 / 24), ("d1", "Call", 5 + 15 / 24)]  # 15:00 to 16:00 in Berlin
    moves = [("d1", "region", 5, "EMEA"), ("d1", "region", 5 + 14.5 / 24, "APAC")]
    log = replace(make_log(friday, {"d1": {"region": "APAC"}}, changes=moves), calendars=HOURS)
    assert part(ask(log, kpi()), "mean") == [("business", HOUR), ("calendar", HOUR)]
    assert part(ask(replace(log, calendars=HOURS), kpi(start="touched", end="touched")), "mean") == [
        ("business", None),
        ("calendar", None),
    ]
    away = make_log(friday, {"d1": {"region": "APAC"}})
    assert part(ask(replace(away, calendars=HOURS), kpi()), "mean") == [("business", 0.0), ("calendar", HOUR)]


FOUR = [
    *[("d1", "Create", 1), ("d1", "Call", 2)],
    *[("d2", "Create", 1), ("d2", "Lose", 3)],  # without an answer
    *[("d3", "Create", 1), ("d3", "Call", 5)],
    *[("d4", "Create", 7)],  # three days old
]


@pytest.mark.parametrize("partitions", [1, 3])
def test_who_waits_counts_as_far_as_he_has_come_and_who_left_competes(
    make_log: MakeLog, ask: Ask, partitions: int
) -> None:
    # by day: 1 of 4; 2: one of the three others leaves; 3: one is seen no longer; 4: the last, half in all:
    # 1/4 + 3/4 (1 - 1/3) = 3/4
    log = make_log(FOUR, as_of=10, partitions=partitions)
    rows = ask(log, kpi())
    counts = ("n", "open", "excluded")
    assert part(rows, "median", *counts) == [("calendar", 2.5 * DAY, 2, 1, 1)]
    assert part(rows, "median_with_open", *counts) == [("calendar", 4 * DAY, 2, 1, 1)]
    # one is answered, two leave, one waits: half will never be there
    alone = make_log([*FOUR[:4], ("d3", "Create", 1), ("d3", "Lose", 2), ("d4", "Create", 7)], as_of=10)
    assert part(ask(alone, kpi()), "median") == [("calendar", DAY)]
    assert part(ask(alone, kpi()), "median_with_open", *counts) == [("calendar", None, 1, 1, 2)]


def test_in_business_time_the_open_are_as_old_as_the_hours_they_waited(make_log: MakeLog) -> None:
    # Friday 12:00 in Berlin; answered at 13:00, or still open on Monday at 10:00 after 5 + 1 hours
    friday = 5 + 11 / 24
    rows = [("d1", "Create", friday), ("d1", "Call", friday + 1 / 24), ("d2", "Create", friday)]
    log = replace(make_log(rows, as_of=8 + 9 / 24), calendars=HOURS)
    assert log.throughput("created", "touched", clock="business")["median_with_open"].item().seconds == 3600
    spans = log.spans("created", "touched", ("calendar", "business"))
    assert spans["span: business"].to_list() == [3600, 6 * 3600]
    assert spans["span: calendar"].to_list() == [3600, 70 * 3600]


def test_dated_by_its_end_it_knows_nobody_who_is_open(make_log: MakeLog, ask: Ask) -> None:
    log = make_log(FOUR, as_of=10)
    assert part(ask(log, kpi("end")), "median_with_open") == [("calendar", 4 * DAY)]
    by_month = ask(log, kpi("end"), Cut(ORG, period="month"))
    assert part(by_month, "median_with_open", "n", "open") == [
        ("calendar", None, 2, 0),
        ("calendar", None, 0, 1),
    ]
    cohort = ask(log, kpi("start"), Cut(ORG, period="month"))
    assert part(cohort, "median_with_open", "n", "open") == [("calendar", 4 * DAY, 2, 1)]


def test_a_closing_before_the_start_ends_nothing(make_log: MakeLog, ask: Ask) -> None:
    after = [
        *[("d1", "Create", 1), ("d1", "Win", 2), ("d1", "Stage: A", 3), ("d1", "Call", 5)],
        *[("d2", "Create", 1), ("d2", "Win", 2), ("d2", "Stage: A", 3)],  # waits on, seen for seven days
    ]
    rows = ask(make_log(after, as_of=10), kpi(start="staged"))
    assert part(rows, "median_with_open", "n", "open", "excluded") == [("calendar", 2 * DAY, 1, 0, 1)]
    again = [
        ("d1", "Create", 1),
        ("d1", "Win", 2),
        ("d1", "Reopen", 6),
        ("d2", "Create", 1),
        ("d2", "Win", 2),
    ]
    reopened = ask(make_log(again, as_of=10), kpi(start="won", end="reopened"))
    assert part(reopened, "median_with_open", "n", "open", "excluded") == [("calendar", 4 * DAY, 1, 0, 1)]


def test_left_out_cases_are_in_no_curve(make_log: MakeLog, ask: Ask) -> None:
    log = make_log(FOUR, {"d2": {"truncated": True}, "d4": {"truncated": True}}, as_of=10)
    rows = ask(log, kpi(truncated="exclude"))
    assert part(rows, "median_with_open", "n", "open", "excluded", "truncated") == [
        ("calendar", DAY, 2, 0, 2, 1)
    ]

"""Small generated logs of deals, and a KPI of every kind to ask about them."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, get_args

import polars as pl
from hypothesis import strategies as st

from crmmining.calendars import Calendar, Calendars, Rule, Week
from crmmining.definitions import Kpi
from crmmining.definitions.kpi import KPI
from crmmining.measure import Cut
from crmmining.periods import Period
from crmmining.tables import OrgSpec

from .hours import Hours, Office

DAY_ONE = datetime(2024, 1, 1, tzinfo=UTC)
Row = tuple[str, str, float, int | None]  # case, activity, day, direction
Change = tuple[str, str, float, str | None]  # case, attribute, day, value; the first is what it began with
TEXT = {"process": "deal", "question": "q", "formula": "f", "better": "neutral"}
ASKED: dict[str, dict[str, Any]] = {
    "created": {"kind": "volume", "count": "created", "of": "cases", "unit": "cases"},
    "won": {"kind": "volume", "count": "won", "of": "cases", "unit": "cases"},
    "stage_moves": {"kind": "volume", "count": "staged", "of": "events", "unit": "events"},
    "touches": {"kind": "volume", "count": "touched", "of": "events", "unit": "events"},
    "whole_touches": {
        "kind": "volume",
        "count": "touched",
        "of": "events",
        "unit": "events",
        "basis": "created",
        "truncated": "exclude",
    },
    "wins_at_least": {
        "kind": "volume",
        "count": "won",
        "of": "cases",
        "unit": "cases",
        "basis": "now",
        "truncated": "bound",
    },
    "win_rate": {
        "kind": "share",
        "of": "NOT open",
        "where": "outcome = 'won'",
        "period": "outcome",
        "unit": "share",
        "basis": "outcome",
    },
    "large": {
        "kind": "share",
        "where": "amount > 60",
        "period": "won",
        "unit": "share",
        "truncated": "exclude",
    },
    "far": {
        "kind": "share",
        "of": "amount > 60 OR region = 'EMEA'",
        "where": "touched_at <= staged_at + INTERVAL '1 day' OR skips > 0",
        "period": "touched",
        "unit": "share",
    },
    "won_amount": {
        "kind": "value",
        "column": "amount",
        "agg": "sum",
        "of": "outcome = 'won'",
        "period": "outcome",
        "unit": "money",
    },
    "deal_size": {
        "kind": "value",
        "column": "amount",
        "agg": "median",
        "period": "created",
        "unit": "money",
        "basis": "created",
        "truncated": "exclude",
    },
    "won_apart": {
        "kind": "value",
        "column": "amount",
        "agg": "sum",
        "of": "outcome = 'won'",
        "period": "outcome",
        "unit": "money",
        "currency": "record",
        "basis": "outcome",
    },
    "amount_in_all": {"kind": "value", "column": "amount", "agg": "mean", "period": "won", "unit": "money"},
    "touches_per_deal": {
        "kind": "value",
        "column": "touched_n",
        "agg": "mean",
        "of": "amount > 60",
        "period": "staged",
        "unit": "number",
    },
    "cycle": {"kind": "duration", "start": "created", "end": "won", "period": "end", "unit": "s"},
    "to_touch": {
        "kind": "duration",
        "start": "created",
        "end": "touched",
        "of": "region = 'APAC'",
        "period": "start",
        "unit": "s",
    },
    "between_stages": {
        "kind": "duration",
        "start": "staged",
        "end": "staged",
        "period": "start",
        "unit": "s",
    },
    "to_reopening": {  # begins with a closing, which ends nothing
        "kind": "duration",
        "start": "lost",
        "end": "reopened",
        "period": "end",
        "unit": "s",
        "truncated": "keep",
    },
    "win_conversion": {"kind": "conversion", "start": "created", "end": "won", "unit": "share"},
    "stage_conversion": {
        "kind": "conversion",
        "start": "staged",
        "end": "won",
        "unit": "share",
        "truncated": "keep",
    },
    "touch_conversion": {
        "kind": "conversion",
        "start": "touched",
        "end": "lost",
        "of": "amount > 60",
        "unit": "share",
    },
    "repeats": {"kind": "rework", "what": "repeats", "period": "created", "unit": "share"},
    "at_least_repeats": {
        "kind": "rework",
        "what": "repeats",
        "period": "created",
        "unit": "share",
        "basis": "won",
        "truncated": "bound",
    },
    "self_loops": {
        "kind": "rework",
        "what": "self_loops",
        "of": "NOT open",
        "period": "outcome",
        "unit": "share",
    },
    "regressions": {"kind": "rework", "what": "regressions", "period": "staged", "unit": "share"},
    "reopened": {
        "kind": "rework",
        "what": "reopens",
        "of": "won_n + lost_n > 0",
        "period": "lost",
        "unit": "share",
    },
    "on_hold": {"kind": "waiting", "classes": ["on_hold", "touched"], "period": "outcome", "unit": "s"},
    "at_least_idle": {
        "kind": "waiting",
        "classes": ["untouched"],
        "of": "amount > 60",
        "period": "created",
        "unit": "s",
        "truncated": "bound",
    },
    "open_deals": {"kind": "stock", "unit": "cases"},
    "open_whole_deals": {"kind": "stock", "unit": "cases", "basis": "created", "truncated": "exclude"},
}
KPIS: dict[str, Kpi] = {
    name: KPI.validate_python(TEXT | {"name": name} | fields) for name, fields in ASKED.items()
}
EVENINGS = tuple((day, 16 * 60, 26 * 60) for day in range(7))  # past midnight
WEEKDAYS = tuple((day, 9 * 60, 17 * 60) for day in range(5))
DEAL_HOURS = Hours(  # both have a night on which clocks change within the days of deals
    {"Office": Office("America/New_York", WEEKDAYS), "Evenings": Office("Asia/Gaza", EVENINGS)},
    [("region", "APAC", "Evenings")],
    "Office",
)
CALENDARS = Calendars(
    tuple(
        Calendar(name, zone, (Week(None, shifts or ()),))
        for name, (zone, shifts) in DEAL_HOURS.offices.items()
    ),
    (Rule((("region", ("APAC",)),), 1),),
    default=0,
)
ORGS = [
    OrgSpec(),
    OrgSpec(time_zone="Australia/Adelaide", fiscal_year_start=2),
    OrgSpec(time_zone="America/New_York", fiscal_year_start=10),
]
QUARTERS_OF_A_DAY = st.integers(4, 4 * 80).map(lambda quarters: quarters / 4)
EVENT = st.tuples(
    st.sampled_from(["Call", "Stage: A", "Stage: B", "Win", "Lose", "Reopen", "Change: Owner"]),
    st.one_of(QUARTERS_OF_A_DAY, st.sampled_from([1.0, 60.5, 61.0])),  # ties inside a case
    st.sampled_from([None, -1, 1, 2]),
)
CASE = st.tuples(
    QUARTERS_OF_A_DAY,
    st.lists(EVENT, max_size=9),
    st.sampled_from([None, "EMEA", "APAC"]),
    st.sampled_from([None, 0.0, 59.99, 61.25, 1000.1]),
    st.sampled_from(["EUR", "USD"]),
    st.sampled_from([False, False, True]),
    st.sampled_from([None, 0.5, 1.25]),
    st.lists(st.tuples(QUARTERS_OF_A_DAY, st.sampled_from([None, "EMEA", "APAC"])), max_size=4),
)
ORG = st.sampled_from(ORGS)
PERIOD = st.sampled_from(get_args(Period))
SEGMENTS: list[tuple[str, ...]] = [
    (),
    ("region",),
    ("region", "product"),  # deals have no product,
    ("region@converted",),  # and nothing converts them
    ("region@created", "region"),
    ("region@outcome", "country"),
    ("region@now", "country@won"),
]
CUT = st.builds(Cut, ORG, by=st.sampled_from(SEGMENTS), period=st.none() | PERIOD)


class Deals(NamedTuple):
    """What a log is made of."""

    rows: list[Row]
    cases: dict[str, dict[str, Any]]
    as_of: float
    changes: list[Change]


@st.composite
def deals(draw: st.DrawFn) -> Deals:
    """One to seven deals, each created once; only touches may be older than the record."""
    rows: list[Row] = []
    cases: dict[str, dict[str, Any]] = {}
    changes: list[Change] = []
    for number, (born, events, region, amount, currency, truncated, rate, moves) in enumerate(
        draw(st.lists(CASE, min_size=1, max_size=7))
    ):
        name = f"d{number}"
        later = sorted(((max(when, born), value) for when, value in moves), key=lambda move: move[0])
        if later:
            changes += [(name, "region", born, region), *((name, "region", *move) for move in later)]
        rows.append((name, "Create", born, None))
        rows += [(name, what, when if what == "Call" else max(when, born), to) for what, when, to in events]
        cases[name] = {
            "created_at": moment(born),
            "region": later[-1][1] if later else region,
            "country": None if amount is None else "Peru",
            "amount": amount,
            "amount_reporting": None if amount is None or rate is None else amount * rate,
            "currency": currency,
            "reporting_currency": "EUR",
            "truncated": truncated,
        }
    cases["d0"] |= {
        "amount": 75.5,
        "amount_reporting": 151.0,
    }  # columns of nulls only would have no number type
    latest = max(when for _, _, when, _ in [*rows, *changes])
    return Deals(rows, cases, latest + 3, changes)


def moment(number: float) -> datetime:
    """Midnight of day `number`, day 1 being 2024-01-01."""
    return DAY_ONE + timedelta(days=number - 1)


def raw_events(rows: list[Row]) -> pl.DataFrame:
    """Event rows in log order: by case and time, ties by activity and direction."""
    ordered = sorted(rows, key=lambda row: (row[0], row[2], row[1], row[3] is not None, row[3] or 0))
    return pl.DataFrame(
        [(case, activity, moment(when), to) for case, activity, when, to in ordered],
        schema={
            "case_id": pl.String,
            "activity": pl.String,
            "occurred_at": pl.Datetime("us", "UTC"),
            "direction": pl.Int8,
        },
        orient="row",
    )

"""Statuses, stages and the rest of the set-up: business hours, holidays, products, currencies."""

from typing import Final

import numpy as np
import polars as pl

from crmmining.simulator.arrays import FIRST_DAY, LAST_DAY, Floats, Ints, pick
from crmmining.simulator.columns import flag, set_up, text
from crmmining.simulator.dice import Dice
from crmmining.simulator.effects import REWORK_PRODUCT
from crmmining.simulator.ids import numbered
from crmmining.simulator.org import ADMINISTRATOR, HOLIDAYS, SET_UP

LEAD_STATUSES: Final = [
    "Open - Not Contacted",
    "Working - Contacted",
    "Nurturing",
    "Qualified",
    "Closed - Converted",
    "Closed - Not Converted",
]
NOT_CONTACTED, CONTACTED, NURTURING, QUALIFIED, CONVERTED, NOT_CONVERTED = range(6)

CASE_STATUSES: Final = ["New", "Working", "Waiting on Customer", "Escalated", "Closed"]
NEW, WORKING, WAITING, ESCALATED, CLOSED = range(5)

STAGES: Final = [
    "Prospecting",
    "Qualification",
    "Needs Analysis",
    "Value Proposition",
    "Id. Decision Makers",
    "Perception Analysis",
    "Proposal/Price Quote",
    "Negotiation/Review",
    "Closed Won",
    "Closed Lost",
]
PROPOSAL, NEGOTIATION, WON, LOST = 6, 7, 8, 9
PROBABILITIES: Final = [10, 10, 20, 50, 60, 70, 75, 90, 100, 0]
_FORECASTS: Final = ["Pipeline"] * 5 + ["BestCase"] * 2 + ["Forecast", "Closed", "Omitted"]
FORECASTS: Final = pl.Series(_FORECASTS)
FORECAST_NAMES: Final = pl.Series(["Pipeline"] * 5 + ["Best Case"] * 2 + ["Commit", "Closed", "Omitted"])

CURRENCIES: Final = ["USD", "EUR", "GBP", "JPY"]
USUAL_RATES: Final = [1.0, 0.92, 0.79, 145.0]

_EURO_SHARE: Final = 0.65
_YEN_SHARE: Final = 0.7

PRODUCTS: Final = [
    "Starter Suite",
    "Team Suite",
    "Enterprise Suite",
    "Analytics Add-on",
    REWORK_PRODUCT,
    "Mobile App",
    "Data Vault",
    "Premium Support",
    "Training Day",
    "Legacy Suite",
]
PRODUCT_PRICES: Final = np.array([900, 2400, 9800, 1500, 3200, 700, 4100, 5200, 1200, 1900], dtype=np.int64)

MILESTONES: Final = ["First Response", "Resolution"]


def lead_statuses(users: pl.Series) -> pl.DataFrame:
    """Table LeadStatus."""
    count = len(LEAD_STATUSES)
    return pl.DataFrame(
        {
            "Id": numbered("LeadStatus", count),
            "ApiName": LEAD_STATUSES,
            "MasterLabel": LEAD_STATUSES,
            "SortOrder": range(1, count + 1),
            "IsConverted": [status == CONVERTED for status in range(count)],
            "IsDefault": [status == NOT_CONTACTED for status in range(count)],
            **set_up(users, count, SET_UP),
        }
    )


def case_statuses(users: pl.Series) -> pl.DataFrame:
    """Table CaseStatus."""
    count = len(CASE_STATUSES)
    return pl.DataFrame(
        {
            "Id": numbered("CaseStatus", count),
            "ApiName": CASE_STATUSES,
            "MasterLabel": CASE_STATUSES,
            "SortOrder": range(1, count + 1),
            "IsClosed": [status == CLOSED for status in range(count)],
            "IsDefault": [status == NEW for status in range(count)],
            **set_up(users, count, SET_UP),
        }
    )


def stages(users: pl.Series) -> pl.DataFrame:
    """Table OpportunityStage."""
    count = len(STAGES)
    return pl.DataFrame(
        {
            "Id": numbered("OpportunityStage", count),
            "ApiName": STAGES,
            "MasterLabel": STAGES,
            "SortOrder": range(1, count + 1),
            "IsActive": flag(count, value=True),
            "IsClosed": [stage >= WON for stage in range(count)],
            "IsWon": [stage == WON for stage in range(count)],
            "DefaultProbability": [float(probability) for probability in PROBABILITIES],
            "ForecastCategory": FORECASTS,
            "ForecastCategoryName": FORECAST_NAMES,
            **set_up(users, count, SET_UP),
        }
    )


def business_hours(users: pl.Series) -> pl.DataFrame:
    """Table BusinessHours: the help desk answers around the clock, sales works office hours."""
    week = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
    columns: dict[str, object] = {
        "Id": numbered("BusinessHours", 2),
        "Name": ["Help desk", "Office hours"],
        "IsActive": flag(2, value=True),
        "IsDefault": [True, False],
        "TimeZoneSidKey": ["UTC", "America/New_York"],
    }
    for day in week:
        weekend = day in ("Saturday", "Sunday")
        columns[f"{day}StartTime"] = ["00:00:00.000Z", None if weekend else "09:00:00.000Z"]
        columns[f"{day}EndTime"] = ["00:00:00.000Z", None if weekend else "17:00:00.000Z"]
    return pl.DataFrame({**columns, **set_up(users, 2, SET_UP)})


def holidays(users: pl.Series) -> pl.DataFrame:
    """Table Holiday: one row per day, inside the simulated time."""
    rows = sorted(
        (day, name) for name, days in HOLIDAYS.items() for day in days if FIRST_DAY <= day <= LAST_DAY
    )
    count = len(rows)
    return pl.DataFrame(
        {
            "Id": numbered("Holiday", count),
            "Name": [name for _, name in rows],
            "ActivityDate": [day for day, _ in rows],
            "IsAllDay": flag(count, value=True),
            "IsRecurrence": flag(count),
            **set_up(users, count, SET_UP),
        }
    )


def milestone_types(users: pl.Series) -> pl.DataFrame:
    """Table MilestoneType."""
    return pl.DataFrame(
        {
            "Id": numbered("MilestoneType", len(MILESTONES)),
            "Name": MILESTONES,
            "RecurrenceType": text("none", len(MILESTONES)),
            **set_up(users, len(MILESTONES), SET_UP),
        }
    )


def products(users: pl.Series) -> pl.DataFrame:
    """Table Product2."""
    count = len(PRODUCTS)
    return pl.DataFrame(
        {
            "Id": numbered("Product2", count),
            "Name": PRODUCTS,
            "ProductCode": [f"P-{number:03d}" for number in range(1, count + 1)],
            "Family": ["Suite"] * 3 + ["Add-on"] * 4 + ["Service"] * 2 + ["Suite"],
            "IsActive": [name != "Legacy Suite" for name in PRODUCTS],
            "CurrencyIsoCode": text("USD", count),
            "IsDeleted": flag(count),
            **set_up(users, count, SET_UP),
        }
    )


def currencies(users: pl.Series, dice: Dice) -> dict[str, pl.DataFrame]:
    """Tables CurrencyType, DatedConversionRate and _CEL_CURRENCIES: monthly rates against the US dollar."""
    months = pl.date_range(FIRST_DAY, LAST_DAY, "1mo", eager=True)
    following = pl.concat([months[1:], pl.Series([None], dtype=pl.Date)])
    count = len(months) * len(CURRENCIES)
    currency = np.repeat(np.arange(len(CURRENCIES)), len(months))
    steps = (dice.uniform(count).reshape(len(CURRENCIES), -1) - 0.5) * 0.03
    steps[0] = 0.0
    rates = np.round(np.array(USUAL_RATES)[:, None] * np.cumprod(1.0 + steps, axis=1), 4)
    dated = pl.DataFrame(
        {
            "Id": numbered("DatedConversionRate", count),
            "IsoCode": pick(CURRENCIES, currency),
            "StartDate": pl.concat([months] * len(CURRENCIES)),
            "NextStartDate": pl.concat([following] * len(CURRENCIES)),
            "ConversionRate": rates.ravel(),
            **set_up(users, count, SET_UP),
        }
    )
    current = pl.DataFrame(
        {
            "Id": numbered("CurrencyType", len(CURRENCIES)),
            "IsoCode": CURRENCIES,
            "ConversionRate": rates[:, -1],
            "DecimalPlaces": [2, 2, 2, 0],
            "IsActive": flag(len(CURRENCIES), value=True),
            "IsCorporate": [code == "USD" for code in CURRENCIES],
            **set_up(users, len(CURRENCIES), SET_UP),
        }
    )
    flat = dated.select(
        pl.col("IsoCode").alias("CurrencyIsoCode"),
        "ConversionRate",
        "StartDate",
        "NextStartDate",
        (pl.col("IsoCode") == "USD").alias("IsCorporate"),
    )
    return {"CurrencyType": current, "DatedConversionRate": dated, "_CEL_CURRENCIES": flat}


def currency_of(region: Ints, share: Floats) -> Ints:
    """Record currency by region: EMEA and APAC use two each."""
    emea = np.where(share < _EURO_SHARE, CURRENCIES.index("EUR"), CURRENCIES.index("GBP"))
    apac = np.where(share < _YEN_SHARE, CURRENCIES.index("JPY"), 0)
    other = np.zeros(len(region), dtype=np.int64)
    return np.choose(region, [other, emea, apac, other])


def money_scale(currency: Ints) -> Floats:
    """Convert dollars to the currency's usual size, for drawing amounts."""
    return np.array([1.0, 1.0, 1.0, 150.0])[currency]


def solutions(users: pl.Series, used: Ints) -> pl.DataFrame:
    """Table Solution, with the number of cases each was used on."""
    count = len(used)
    return pl.DataFrame(
        {
            "Id": numbered("Solution", count),
            "SolutionNumber": [f"{number:08d}" for number in range(1, count + 1)],
            "SolutionName": [
                f'Answer {number}: see "known problems", part {number % 7}' for number in range(1, count + 1)
            ],
            "Status": ["Reviewed" if number % 5 else "Draft" for number in range(count)],
            "IsPublished": flag(count),
            "IsReviewed": [bool(number % 5) for number in range(count)],
            "TimesUsed": used,
            "OwnerId": users.gather(np.full(count, ADMINISTRATOR)),
            "CurrencyIsoCode": text("USD", count),
            "IsDeleted": flag(count),
            **set_up(users, count, SET_UP),
        }
    )

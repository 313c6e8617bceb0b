"""Tables of the opportunity process: record, snapshots, field history, quotes, lines, approvals."""

from typing import Final

import numpy as np
import polars as pl

from crmmining.simulator.accounts import Accounts
from crmmining.simulator.arrays import (
    DAY,
    NEVER,
    NONE,
    Bools,
    Ints,
    amounts,
    days,
    moments,
    number_text,
    pick,
)
from crmmining.simulator.campaigns import campaign_ids
from crmmining.simulator.columns import audit, flag, joined
from crmmining.simulator.history import History, Saves
from crmmining.simulator.ids import in_order_of, make_ids, numbered
from crmmining.simulator.leads import SOURCES
from crmmining.simulator.opportunities import Opportunities
from crmmining.simulator.org import RECORD_TYPES
from crmmining.simulator.picklists import (
    CURRENCIES,
    FORECAST_NAMES,
    FORECASTS,
    LOST,
    PROBABILITIES,
    PRODUCT_PRICES,
    PRODUCTS,
    STAGES,
    WON,
)
from crmmining.simulator.world import World

_TYPES: Final = ["New Business", "Existing Business"]
_NEW_BUSINESS: Final = RECORD_TYPES.index(("Opportunity", "New Business"))
_QUOTE_STATUSES: Final = ["Draft", "Presented", "Accepted", "Denied"]
_MONTH: Final = 30


def field_history(opportunities: Opportunities) -> History:
    """Add what the saves changed to the field history that already holds creations and owners."""
    history = opportunities.history
    saves = opportunities.saves

    def probability_of(stage: str) -> pl.Expr:
        return pl.lit(pl.Series(PROBABILITIES)).gather(pl.col(stage))

    def rows(changed: pl.Expr) -> tuple[pl.DataFrame, Saves]:
        part = saves.filter(changed)
        return part, Saves(part["record"].to_numpy(), part["at"].to_numpy(), part["actor"].to_numpy())

    def money(values: pl.Series) -> pl.Series:
        return pl.select(pl.when(values >= 0).then(number_text(pl.lit(values)))).to_series()

    part, who = rows(pl.col("amount") != pl.col("old_amount"))
    history.add(who, "Amount", "Currency", money(part["old_amount"]), money(part["amount"]))
    part, who = rows(pl.col("close") != pl.col("old_close"))
    old, new = (days(part[name].to_numpy()).cast(pl.String) for name in ("old_close", "close"))
    history.add(who, "CloseDate", "DateOnly", old, new)
    part, who = rows(probability_of("stage") != probability_of("old_stage"))
    old, new = (money(part.select(probability_of(name)).to_series()) for name in ("old_stage", "stage"))
    history.add(who, "Probability", "Percent", old, new)
    part, who = rows(pl.col("stage") != pl.col("old_stage"))
    old, new = (pick(STAGES, part[name].to_numpy()) for name in ("old_stage", "stage"))
    history.add(who, "StageName", "DynamicEnum", old, new)
    return history


def snapshot_table(users: pl.Series, opportunities: Opportunities) -> pl.DataFrame:
    """Table OpportunityHistory: the state at creation and after every save of stage, amount or close date."""
    count = opportunities.count
    nothing = np.full(count, NONE)
    first = pl.DataFrame(
        {
            "record": np.arange(count),
            "at": opportunities.created,
            "actor": opportunities.creator,
            "stage": opportunities.first_stage,
            "amount": opportunities.first_amount,
            "close": opportunities.first_close,
            "old_stage": nothing,
            "old_amount": nothing,
            "old_close": nothing,
        }
    ).cast({"record": pl.Int32, "actor": pl.Int32, "stage": pl.Int8, "old_stage": pl.Int8})
    rows = pl.concat([first, opportunities.saves]).sort("at", "record", maintain_order=True)
    stage = rows["stage"].to_numpy().astype(np.int64)
    amount = amounts(rows["amount"].to_numpy())
    at = moments(rows["at"].to_numpy())
    return pl.DataFrame(
        {
            "Id": numbered("OpportunityHistory", rows.height),
            "IsDeleted": flag(rows.height),
            "OpportunityId": opportunities.ids.gather(rows["record"]),
            "StageName": pick(STAGES, stage),
            "Amount": amount,
            "ExpectedRevenue": amount * pl.Series(PROBABILITIES).gather(stage) / 100.0,
            "CloseDate": days(rows["close"].to_numpy()),
            "Probability": pl.Series(PROBABILITIES).gather(stage).cast(pl.Float64),
            "ForecastCategory": FORECASTS.gather(stage),
            "PrevAmount": amounts(rows["old_amount"].to_numpy()),
            "PrevCloseDate": days(rows["old_close"].to_numpy()),
            "CurrencyIsoCode": pick(CURRENCIES, opportunities.currency[rows["record"].to_numpy()]),
            "CreatedById": users.gather(rows["actor"]),
            "CreatedDate": at,
            "SystemModstamp": at,
        }
    )


def sales_tables(
    world: World, opportunities: Opportunities, accounts: Accounts, last_day: Ints
) -> dict[str, pl.DataFrame]:
    """Tables Opportunity, OpportunityLineItem, Quote and ProcessInstance."""
    lines, per_opportunity = _line_table(world, opportunities)
    quotes, synced = _quote_table(world, opportunities, accounts)
    record = _opportunity_table(world, opportunities, accounts, last_day).with_columns(
        synced.alias("SyncedQuoteId"), pl.Series("HasOpportunityLineItem", per_opportunity > 0)
    )
    return {
        "Opportunity": record,
        "OpportunityLineItem": lines,
        "Quote": quotes,
        "ProcessInstance": _approval_table(world, opportunities),
    }


def _opportunity_table(
    world: World, opportunities: Opportunities, accounts: Accounts, last_day: Ints
) -> pl.DataFrame:
    users, count, stage = world.org.user_ids, opportunities.count, opportunities.stage
    amount = amounts(opportunities.amount)
    close = days(opportunities.close)
    probability = pl.Series(PROBABILITIES).gather(stage)
    year, quarter = close.dt.year(), close.dt.quarter()
    number = pl.Series(in_order_of(opportunities.created) + 1)
    return pl.DataFrame(
        {
            "Id": opportunities.ids,
            "IsDeleted": flag(count),
            "AccountId": accounts.ids.gather(opportunities.account),
            "ContactId": accounts.contact_ids.gather(opportunities.contact),
            "Name": joined("{} - {}", accounts.name.gather(opportunities.account), number),
            "StageName": pick(STAGES, stage),
            "IsClosed": pl.Series(stage >= WON),
            "IsWon": pl.Series(stage == WON),
            "Amount": amount,
            "ExpectedRevenue": amount * probability / 100.0,
            "Probability": probability.cast(pl.Float64),
            "CloseDate": close,
            "Type": pick(_TYPES, opportunities.existing),
            "LeadSource": pick(SOURCES, opportunities.source),
            "ForecastCategory": FORECASTS.gather(stage),
            "ForecastCategoryName": FORECAST_NAMES.gather(stage),
            "CampaignId": pick(campaign_ids(), opportunities.campaign),
            "OwnerId": users.gather(opportunities.owner),
            "RecordTypeId": world.org.record_type_ids.gather(_NEW_BUSINESS + opportunities.existing),
            "CurrencyIsoCode": pick(CURRENCIES, opportunities.currency),
            "LastStageChangeDate": moments(opportunities.staged),
            "PushCount": pl.Series(opportunities.pushes),
            "LastActivityDate": days(last_day),
            "FiscalYear": year,
            "FiscalQuarter": quarter,
            "Fiscal": joined("{} {}", year, quarter),
            "IsPrivate": flag(count),
            **audit(
                users,
                opportunities.created,
                opportunities.creator,
                opportunities.changed,
                opportunities.changer,
            ),
        }
    )


def _line_table(world: World, opportunities: Opportunities) -> tuple[pl.DataFrame, Ints]:
    """Table OpportunityLineItem: lines add up to the amount; also the number of lines per opportunity."""
    dice, users = world.dice("lines"), world.org.user_ids
    count = opportunities.count
    lines = np.where(
        (opportunities.last_amount > 0) & dice.chance(count, 0.75),
        1 + dice.choice(count, [0.55, 0.3, 0.15]),
        0,
    )
    record = np.repeat(np.arange(count), lines)
    nth = np.arange(len(record)) - np.repeat(np.cumsum(lines) - lines, lines)
    of = lines[record]
    amount = opportunities.amount[record]
    even = amount // of
    total = np.where(amount >= 0, np.where(nth == 0, amount - even * (of - 1), even), NONE)
    product = (dice.choice(count, [1] * len(PRODUCTS))[record] + nth * 3) % len(PRODUCTS)
    quantity = np.maximum(total // (PRODUCT_PRICES[product] * 2), 1)
    quantity = np.where(total % quantity == 0, quantity, 1)
    unit = amounts(total) / pl.Series(quantity)
    created = opportunities.created[record]
    creator = opportunities.creator[record]
    table = pl.DataFrame(
        {
            "Id": make_ids("OpportunityLineItem", in_order_of(created)),
            "IsDeleted": flag(len(record)),
            "OpportunityId": opportunities.ids.gather(record),
            "Product2Id": numbered("Product2", len(PRODUCTS)).gather(product),
            "ProductCode": joined("P-{}", pl.Series(product + 1).cast(pl.String).str.zfill(3)),
            "Name": pick(PRODUCTS, product),
            "Quantity": pl.Series(quantity).cast(pl.Float64),
            "UnitPrice": unit,
            "TotalPrice": amounts(total),
            "SortOrder": pl.Series(nth + 1),
            "CurrencyIsoCode": pick(CURRENCIES, opportunities.currency[record]),
            **audit(users, created, creator, opportunities.changed[record], opportunities.changer[record]),
        }
    )
    return table, lines


def _quote_table(
    world: World, opportunities: Opportunities, accounts: Accounts
) -> tuple[pl.DataFrame, pl.Series]:
    """Table Quote; also the synced quote of each opportunity."""
    users, quotes = world.org.user_ids, opportunities.quotes
    record, at, owner, nth, amount = (
        quotes[name].to_numpy() for name in ("record", "at", "owner", "nth", "amount")
    )
    stage = opportunities.stage[record]
    made = at <= world.until
    latest = _is_latest(record, np.where(made, nth, NONE), opportunities.count)
    decided = np.where(stage >= WON, opportunities.staged[record], NEVER)
    status = np.select(
        [stage == WON, stage == LOST], [np.where(latest, 2, 3), 3], default=np.where(latest, 1, 0)
    )
    serial = in_order_of(at)
    ids = make_ids("Quote", serial)
    synced = np.full(opportunities.count, NONE, dtype=np.int64)
    synced[record[latest]] = np.flatnonzero(latest)
    number = pl.Series(serial + 1).cast(pl.String).str.zfill(8)
    expires = days(at // DAY + _MONTH)
    price = amounts(np.maximum(amount, 0))
    table = pl.DataFrame(
        {
            "Id": ids,
            "IsDeleted": flag(len(ids)),
            "OpportunityId": opportunities.ids.gather(record),
            "AccountId": accounts.ids.gather(opportunities.account[record]),
            "ContactId": accounts.contact_ids.gather(opportunities.contact[record]),
            "Name": joined("Quote {}", number),
            "QuoteNumber": number,
            "Status": pick(_QUOTE_STATUSES, status),
            "IsSyncing": pl.Series(latest),
            "ExpirationDate": expires,
            "TotalPrice": price,
            "GrandTotal": price,
            "OwnerId": users.gather(owner),
            "CurrencyIsoCode": pick(CURRENCIES, opportunities.currency[record]),
            **audit(users, at, owner, np.where(decided <= world.until, decided, at), owner),
        }
    )
    return table, pick(ids, synced)


def _is_latest(record: Ints, nth: Ints, count: int) -> Bools:
    latest = np.zeros(count, dtype=np.int64)
    np.maximum.at(latest, record, nth)
    is_latest: Bools = nth == latest[record]
    return is_latest


def _approval_table(world: World, opportunities: Opportunities) -> pl.DataFrame:
    """Table ProcessInstance: approvals of large deals by the seller's manager."""
    org, rows = world.org, opportunities.approvals
    record, asked, decided, asker = (
        rows[name].to_numpy() for name in ("record", "asked", "decided", "asker")
    )
    done = decided <= world.until
    status = np.where(done, np.where(rows["approved"].to_numpy(), 1, 2), 0)
    manager = org.manager(asker)
    actor = np.where(done, manager, asker)
    return pl.DataFrame(
        {
            "Id": make_ids("ProcessInstance", in_order_of(asked)),
            "IsDeleted": flag(len(record)),
            "TargetObjectId": opportunities.ids.gather(record),
            "Status": pick(["Pending", "Approved", "Rejected"], status),
            "SubmittedById": org.user_ids.gather(asker),
            "LastActorId": org.user_ids.gather(actor),
            "CompletedDate": moments(np.where(done, decided, NEVER)),
            "ElapsedTimeInMinutes": pl.Series(np.where(done, (decided - asked) // 60, NONE)).replace(
                NONE, None
            ),
            **audit(org.user_ids, asked, asker, np.where(done, decided, asked), actor),
        }
    )

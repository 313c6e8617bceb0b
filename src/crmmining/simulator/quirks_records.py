"""Quirks of whole records: merged, deleted, migrated, people as accounts, changed by the hundred."""

from datetime import UTC, date, datetime
from typing import Final

import numpy as np
import polars as pl

from crmmining.simulator.ids import make_ids, serials
from crmmining.simulator.mess import Mess, history_rows, isin, latest, moments_of, saved
from crmmining.simulator.tables import HISTORIES

Ids = list[pl.Series]

GO_LIVE: Final = datetime(2023, 3, 1, tzinfo=UTC)
RECODED_AT: Final = datetime(2024, 9, 15, 2, tzinfo=UTC)
CLOSED_AT: Final = datetime(2025, 6, 30, 22, tzinfo=UTC)
COUNTRY_CODES: Final = {"United States": "US", "Germany": "DE", "Japan": "JP", "Brazil": "BR"}

_EVERY: Final = 10
"""Merges take neighbours among so many records, so that no record is in two of them."""
_OF_ACCOUNT: Final = {
    "Contact": ["AccountId"],
    "Opportunity": ["AccountId"],
    "Case": ["AccountId"],
    "Entitlement": ["AccountId"],
    "Quote": ["AccountId"],
    "Task": ["AccountId", "WhatId"],
    "Event": ["AccountId", "WhatId"],
    "Lead": ["ConvertedAccountId"],
    "Account": ["ParentId"],
}
_OF_LEAD: Final = {
    "Task": ["WhoId"],
    "Event": ["WhoId"],
    "CampaignMember": ["LeadId", "LeadOrContactId"],
}
_OF_CONTACT: Final = {
    "Lead": ["ConvertedContactId"],
    "Opportunity": ["ContactId"],
    "Quote": ["ContactId"],
    "Case": ["ContactId"],
    "Task": ["WhoId"],
    "Event": ["WhoId"],
    "CampaignMember": ["ContactId", "LeadOrContactId"],
}


def existing_contacts(mess: Mess) -> Ids:
    """Convert leads into the first contact of an account that was there before, instead of a new contact."""
    contacts = mess.full["Contact"].select(
        "AccountId", pl.col("Id").alias("contact"), pl.col("CreatedDate").alias("since")
    )
    first = contacts.sort("since", "contact").group_by("AccountId", maintain_order=True).first()
    leads = mess.full["Lead"].filter(isin("Id", mess.records("Lead", 0.4, pl.col("IsConverted"))))
    moves = (
        leads.select("Id", "ConvertedAccountId", "ConvertedContactId")
        .join(mess.full["Account"].select("Id", "CreatedDate"), left_on="ConvertedAccountId", right_on="Id")
        .join(contacts, left_on="ConvertedContactId", right_on="contact")
        .filter(pl.col("CreatedDate") < pl.col("since"))
        .join(first.select("AccountId", "contact"), left_on="ConvertedAccountId", right_on="AccountId")
        .sort("Id")
    )
    mess.drop("Contact", isin("Id", moves["ConvertedContactId"]))
    mess.swap(_OF_CONTACT, moves["ConvertedContactId"], moves["contact"])
    there = pl.col("IsConverted") & isin("Id", moves["Id"])
    return [mess.tables["Lead"].filter(there)["Id"]]


def back_dated(mess: Mess) -> Ids:
    """Records of before the go-live keep the old system's date of creation, years before their history."""
    affected = []
    mess.told["before"] = GO_LIVE.date().isoformat()
    for table, (record, parent) in HISTORIES.items():
        made = mess.full[table].filter(pl.col("Field") == "created")[parent]
        old = mess.records(record, 0.3, (pl.col("CreatedDate") < GO_LIVE) & isin("Id", made))
        mess.change(record, isin("Id", old), CreatedDate=pl.col("CreatedDate").dt.offset_by("-5y"))
        mess.drop(table, isin(parent, old) & (pl.col("Field") == "created"))
        affected.append(mess.tables[record].filter(isin("Id", old))["Id"])
    return affected


def person_accounts(mess: Mess) -> Ids:
    """Accounts with one contact, made with them, are people: the contact is their shadow."""
    contacts = mess.full["Contact"]
    alone = contacts.join(contacts.group_by("AccountId").len().filter(pl.col("len") == 1), on="AccountId")
    pairs = alone.select("AccountId", pl.col("Id").alias("contact"), "CreatedDate").join(
        mess.full["Account"].select("Id", "CreatedDate"), left_on=["AccountId", "CreatedDate"],
        right_on=["Id", "CreatedDate"],
    )  # fmt: skip
    people = mess.records("Account", 0.15, isin("Id", pairs["AccountId"]))
    people = people.filter(pl.Series(serials("Account", people) % _EVERY > 2))  # noqa: PLR2004  never merged
    pairs = pairs.filter(isin("AccountId", people))
    person = isin("Id", people)
    shadow = pl.col("Id").replace_strict(pairs["AccountId"], pairs["contact"], default=None)
    mess.change("Account", person, IsPersonAccount=True, PersonContactId=shadow)
    mess.tables["Contact"] = mess.tables["Contact"].with_columns(
        isin("Id", pairs["contact"]).alias("IsPersonAccount")
    )
    return [mess.tables["Account"].filter(person)["Id"]]


def deleted_opportunities(mess: Mess) -> Ids:
    """Delete closed opportunities ten days after anything happened to them; their rows are in the bin too."""
    deals = mess.full["Opportunity"].filter(isin("Id", mess.records("Opportunity", 0.08, pl.col("IsClosed"))))
    last = latest(
        moments_of(deals, at="SystemModstamp"),
        *[
            moments_of(mess.full[table], record)
            for table, record in (
                ("OpportunityFieldHistory", "OpportunityId"),
                ("OpportunityHistory", "OpportunityId"),
                ("Quote", "OpportunityId"),
                ("Task", "WhatId"),
                ("Event", "WhatId"),
            )
        ],
    ).filter(isin("Id", deals["Id"]))
    gone = last.with_columns(pl.col("at").dt.offset_by("10d")).filter(pl.col("at") <= mess.until).sort("Id")
    at = pl.col("Id").replace_strict(gone["Id"], gone["at"], default=None)
    mess.change("Opportunity", isin("Id", gone["Id"]), IsDeleted=True, **saved(at, mess.administrator))
    for table in ("OpportunityFieldHistory", "OpportunityHistory", "Quote", "OpportunityLineItem"):
        mess.change(table, isin("OpportunityId", gone["Id"]), IsDeleted=True)
    return [gone["Id"]]


def merged_accounts(mess: Mess) -> Ids:
    """Merge accounts A into B, later B into C."""
    first, second, third = _neighbours(mess, "Account", 3, pl.lit(value=True))
    last = _last_saved(mess, "Account", "AccountHistory")
    one = _after(last, first, second)
    last = latest(last, pl.DataFrame({"Id": second, "at": one}), pl.DataFrame({"Id": third, "at": one}))
    two = _after(last, second, third)
    end = mess.full["AccountHistory"]["CreatedDate"].max()
    in_time = two <= end
    first, second, third, one, two = (part.filter(in_time) for part in (first, second, third, one, two))
    _merge(mess, "Account", first, second, one)
    _merge(mess, "Account", second, third, two)
    once, twice = one <= mess.until, two <= mess.until
    _bring_up(mess, _OF_ACCOUNT, first.filter(once), second.filter(once), one.filter(once))
    _bring_up(mess, _OF_ACCOUNT, second.filter(twice), third.filter(twice), two.filter(twice))
    itself = pl.col("ParentId") == pl.col("Id")
    mess.change("Account", itself, ParentId=pl.lit(None, dtype=pl.String))
    return [first.filter(once), second.filter(twice)]


def merged_leads(mess: Mess) -> Ids:
    """Merge doubled leads that were never converted."""
    loser, winner = _neighbours(mess, "Lead", 2, ~pl.col("IsConverted"))
    at = _after(_last_saved(mess, "Lead", "LeadHistory"), loser, winner)
    _merge(mess, "Lead", loser, winner, at)
    done = at <= mess.until
    _bring_up(mess, _OF_LEAD, loser.filter(done), winner.filter(done), at.filter(done))
    return [loser.filter(done)]


def _neighbours(mess: Mess, table: str, many: int, where: pl.Expr) -> list[pl.Series]:
    """Pick groups of records made one after the other: one list of Ids per place in the group."""
    fit = mess.full[table].filter(where)["Id"]
    start = mess.records(table, 0.5, where)
    numbers = serials(table, start)
    numbers = numbers[numbers % _EVERY == 0]
    groups = [make_ids(table, numbers + place) for place in range(many)]
    whole = pl.Series(np.ones(len(numbers), dtype=bool))
    for ids in groups:
        whole &= ids.is_in(fit.implode())
    return [ids.filter(whole) for ids in groups]


def _last_saved(mess: Mess, record: str, history: str) -> pl.DataFrame:
    return latest(
        moments_of(mess.full[record], at="SystemModstamp"),
        moments_of(mess.full[history], HISTORIES[history][1]),
    )


def _after(last: pl.DataFrame, one: pl.Series, other: pl.Series) -> pl.Series:
    """Seven hours after both were saved for the last time."""
    moments = pl.DataFrame({"one": one, "other": other}).select(
        pl.max_horizontal(pl.all().replace_strict(last["Id"], last["at"], default=None))
    )
    return moments.to_series().dt.offset_by("7h")


def _merge(mess: Mess, table: str, loser: pl.Series, winner: pl.Series, at: pl.Series) -> None:
    """Delete the losers and mark the winners."""
    history = f"{table}History"
    mark, by = f"{table.lower()}Merged", mess.administrator
    ids = mess.offshoots(history, table, loser)
    mess.add(history, history_rows(f"{table}Id", ids, winner, at, by=by, mark=mark))
    done = at <= mess.until
    loser, winner, at = loser.filter(done), winner.filter(done), at.filter(done)
    for ends, other in ((winner, None), (loser, winner)):
        when = pl.col("Id").replace_strict(ends, at, default=None)
        mess.change(table, isin("Id", ends), **saved(when, by))
        if other is None:
            continue
        master = pl.col("Id").replace_strict(loser, other, default=None)
        mess.change(table, isin("Id", loser), IsDeleted=True, MasterRecordId=master)


def _bring_up(
    mess: Mess, places: dict[str, list[str]], loser: pl.Series, winner: pl.Series, at: pl.Series
) -> None:
    """Give the children of the losers to the winners."""
    for table, columns in places.items():
        when = pl.max_horizontal(pl.col(*columns).replace_strict(loser, at, default=None))
        stamp = pl.max_horizontal("SystemModstamp", when)
        mess.tables[table] = mess.tables[table].with_columns(
            stamp.alias("SystemModstamp"), pl.col(*columns).replace(loser, winner)
        )


def bulk_update(mess: Mess) -> Ids:
    """The administrator rewrites the country of every lead that is there in one second."""
    gone = pl.col("IsDeleted") & (pl.col("SystemModstamp") < RECODED_AT)
    converted = pl.col("ConvertedDate").fill_null(date(9999, 1, 1)) < RECODED_AT.date()
    mess.told["at"] = RECODED_AT.isoformat()
    if mess.until < RECODED_AT:
        return []
    there = (pl.col("CreatedDate") <= RECODED_AT) & ~gone & ~converted
    leads = mess.tables["Lead"].filter(there)
    ids = mess.offshoots("LeadHistory", "Lead", leads["Id"])
    moments = pl.repeat(RECODED_AT, leads.height, dtype=pl.Datetime("us", "UTC"), eager=True)
    rows = history_rows("LeadId", ids, leads["Id"], moments, by=mess.administrator, mark="Country")
    codes = leads["Country"].replace(COUNTRY_CODES)
    mess.add("LeadHistory", rows.with_columns(leads["Country"].alias("OldValue"), codes.alias("NewValue")))
    mess.change(
        "Lead",
        isin("Id", leads["Id"]),
        Country=pl.col("Country").replace(COUNTRY_CODES),
        **saved(RECODED_AT, mess.administrator),
    )
    return [ids]


def mass_close(mess: Mess) -> Ids:
    """The administrator closes, at a month's end and in one second, opportunities that nobody works on."""
    deals = mess.full["Opportunity"].filter(~pl.col("IsClosed"))
    last = latest(
        moments_of(deals, at="SystemModstamp"),
        moments_of(mess.full["OpportunityFieldHistory"], "OpportunityId"),
        moments_of(mess.full["OpportunityHistory"], "OpportunityId"),
        moments_of(mess.full["Quote"], "OpportunityId"),
    )
    idle = mess.records("Opportunity", 0.7, isin("Id", deals["Id"]))
    idle = last.filter(isin("Id", idle) & (pl.col("at") < CLOSED_AT))["Id"]
    mess.told["at"] = CLOSED_AT.isoformat()
    if mess.until < CLOSED_AT:
        return []
    before = mess.tables["Opportunity"].filter(isin("Id", idle)).sort("Id")
    ids = _told_closed(mess, before)
    mess.change(
        "Opportunity",
        isin("Id", idle),
        StageName="Closed Lost",
        IsClosed=True,
        IsWon=False,
        Probability=0.0,
        ExpectedRevenue=pl.col("ExpectedRevenue") * 0.0,
        ForecastCategory="Omitted",
        ForecastCategoryName="Omitted",
        CloseDate=CLOSED_AT.date(),
        LastStageChangeDate=CLOSED_AT,
        FiscalYear=2025,
        FiscalQuarter=2,
        Fiscal="2025 2",
        **saved(CLOSED_AT, mess.administrator),
    )
    return ids


def _told_closed(mess: Mess, before: pl.DataFrame) -> Ids:
    """Add the history rows and the snapshots of the mass closing."""
    records, by = before["Id"], mess.administrator
    moments = pl.repeat(CLOSED_AT, before.height, dtype=pl.Datetime("us", "UTC"), eager=True)
    affected = []
    for nth, (field, kind, old, new) in enumerate(
        (
            ("StageName", "DynamicEnum", before["StageName"], "Closed Lost"),
            ("Probability", "Percent", before["Probability"].cast(pl.String), "0.0"),
            ("CloseDate", "DateOnly", before["CloseDate"].cast(pl.String), CLOSED_AT.date().isoformat()),
        )
    ):
        ids = mess.offshoots("OpportunityFieldHistory", "Opportunity", records, nth)
        rows = history_rows("OpportunityId", ids, records, moments, by=by, mark=field)
        mess.add(
            "OpportunityFieldHistory",
            rows.with_columns(
                pl.lit(kind).alias("DataType"), old.alias("OldValue"), pl.lit(new).alias("NewValue")
            ).filter(pl.col("OldValue") != pl.col("NewValue")),
        )
        affected.append(ids.filter(old != new))
    snapshots = before.select(
        mess.offshoots("OpportunityHistory", "Opportunity", records).alias("Id"),
        "IsDeleted",
        pl.col("Id").alias("OpportunityId"),
        pl.lit("Closed Lost").alias("StageName"),
        "Amount",
        (pl.col("Amount") * 0.0).alias("ExpectedRevenue"),
        pl.lit(CLOSED_AT.date()).alias("CloseDate"),
        pl.lit(0.0).alias("Probability"),
        pl.lit("Omitted").alias("ForecastCategory"),
        pl.col("Amount").alias("PrevAmount"),
        pl.col("CloseDate").alias("PrevCloseDate"),
        "CurrencyIsoCode",
        pl.lit(by).alias("CreatedById"),
        moments.alias("CreatedDate"),
        moments.alias("SystemModstamp"),
    )
    mess.add("OpportunityHistory", snapshots)
    return [*affected, snapshots["Id"]]

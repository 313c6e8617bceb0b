"""Quirks of values: stages and statuses that changed their names, currencies, people, Ids."""

from datetime import UTC, date, datetime
from typing import Final

import polars as pl

from crmmining.simulator.ids import serials
from crmmining.simulator.mess import Mess, isin
from crmmining.simulator.picklists import STAGES, WON
from crmmining.simulator.tables import HISTORIES

Ids = list[pl.Series]

RENEWALS: Final = {
    "Prospecting": "Renewal Due",
    "Qualification": "Renewal Planned",
    "Needs Analysis": "Renewal Review",
    "Value Proposition": "Renewal Value",
    "Id. Decision Makers": "Renewal Sponsor",
    "Perception Analysis": "Renewal Feedback",
    "Proposal/Price Quote": "Renewal Offer",
    "Negotiation/Review": "Renewal Terms",
}
RENAMED_AT: Final = datetime(2024, 3, 1, tzinfo=UTC)
_RENAMED: Final = {
    "OpportunityStage": ("Opportunity", "StageName", "Perception Analysis", "Perception Check"),
    "CaseStatus": ("Case", "Status", "Waiting on Customer", "Pending Customer"),
    "LeadStatus": ("Lead", "Status", "Nurturing", "On Hold"),
}
"""Per picklist: the table, the field, the new name and the old one."""
_GERMAN: Final = {
    "Prospecting": "Kontaktaufnahme",
    "Negotiation/Review": "Verhandlung",
    "Closed Won": "Gewonnen",
    "Closed Lost": "Verloren",
    "New": "Neu",
    "Working": "In Arbeit",
    "Closed": "Geschlossen",
    "Open - Not Contacted": "Offen - nicht kontaktiert",
    "Closed - Converted": "Geschlossen - umgewandelt",
}
INACTIVE_STAGE: Final = "Id. Decision Makers"
GAP: Final = ("EUR", date(2024, 5, 1))
_FIRST_PEOPLE: Final = 9
"""Users before the first team: they stay active."""
_SHORTENED: Final = {
    "Account": ["Id", "OwnerId"],
    "Lead": ["OwnerId", "ConvertedAccountId"],
    "Opportunity": ["Id", "AccountId", "OwnerId"],
    "Case": ["AccountId", "OwnerId"],
    "Task": ["WhoId", "WhatId", "OwnerId"],
    **{table: [parent, "CreatedById"] for table, (_, parent) in HISTORIES.items()},
    "OpportunityHistory": ["OpportunityId"],
}
_SHORT: Final = 15


def record_type_stages(mess: Mess) -> Ids:
    """Existing business runs through stages of its own, which come last in the list of all stages."""
    kinds = mess.tables["RecordType"].filter(pl.col("DeveloperName") == "Existing_Business")["Id"]
    deals = mess.tables["Opportunity"].filter(isin("RecordTypeId", kinds))["Id"]
    mess.change("Opportunity", isin("Id", deals), StageName=pl.col("StageName").replace(RENEWALS))
    there = isin("OpportunityId", deals)
    mess.change("OpportunityHistory", there, StageName=pl.col("StageName").replace(RENEWALS))
    _rename(mess, "OpportunityFieldHistory", there & (pl.col("Field") == "StageName"), RENEWALS)
    stages = mess.tables["OpportunityStage"].filter(pl.col("ApiName").is_in(STAGES[:WON]))
    own = stages.with_columns(
        mess.offshoots("OpportunityStage", "OpportunityStage", stages["Id"]).alias("Id"),
        pl.col("ApiName", "MasterLabel").replace(RENEWALS),
        pl.col("SortOrder") + len(STAGES),
    )
    mess.add("OpportunityStage", own)
    mess.told["stages"] = {"Existing_Business": list(RENEWALS.values())}
    return [deals]


def _rename(mess: Mess, table: str, where: pl.Expr, names: dict[str, str]) -> None:
    mess.change(
        table, where, OldValue=pl.col("OldValue").replace(names), NewValue=pl.col("NewValue").replace(names)
    )


def renamed_values(mess: Mess) -> Ids:
    """Rename a stage and two statuses: records and picklists follow, history keeps the old strings."""
    affected = []
    mess.told["at"] = RENAMED_AT.date().isoformat()
    mess.told["old"] = {old: new for _, _, new, old in _RENAMED.values()}
    for picklist, (record, field, new, old) in _RENAMED.items():
        history = "OpportunityFieldHistory" if record == "Opportunity" else f"{record}History"
        early = pl.col("CreatedDate") < RENAMED_AT
        told = early & (pl.col("Field") == field) & pl.any_horizontal(pl.col("OldValue", "NewValue") == new)
        affected.append(mess.tables[history].filter(told)["Id"])
        _rename(mess, history, told, {new: old})
        if record == "Opportunity":
            shown = early & (pl.col("StageName") == new)
            affected.append(mess.tables["OpportunityHistory"].filter(shown)["Id"])
            mess.change("OpportunityHistory", shown, StageName=old)
        if mess.until < RENAMED_AT:
            mess.change(record, pl.col(field) == new, **{field: old})
            mess.change(picklist, pl.col("ApiName") == new, ApiName=old, MasterLabel=old)
    return affected


def inactive_stage(mess: Mess) -> Ids:
    """One stage is no longer offered, but opportunities stand in it."""
    there = pl.col("ApiName") == INACTIVE_STAGE
    mess.change("OpportunityStage", there, IsActive=False)
    return [mess.tables["OpportunityStage"].filter(there)["Id"]]


def translated_labels(mess: Mess) -> Ids:
    """Labels of stages and statuses are German, their names are not."""
    affected = []
    for table in ("OpportunityStage", "CaseStatus", "LeadStatus"):
        there = pl.col("ApiName").is_in(list(_GERMAN))
        mess.change(table, there, MasterLabel=pl.col("ApiName").replace(_GERMAN))
        affected.append(mess.tables[table].filter(there)["Id"])
    return affected


def inactive_currency(mess: Mess) -> Ids:
    """One currency is no longer active, but records are in it."""
    there = pl.col("IsoCode") == "GBP"
    mess.change("CurrencyType", there, IsActive=False)
    return [mess.tables["CurrencyType"].filter(there)["Id"]]


def missing_rates(mess: Mess) -> Ids:
    """Opportunities in a currency without a rate, and a month without a rate of another currency."""
    deals = mess.records("Opportunity", 0.04, pl.col("CurrencyIsoCode") == "USD")
    for table, column in (
        ("Opportunity", "Id"),
        ("OpportunityHistory", "OpportunityId"),
        ("OpportunityLineItem", "OpportunityId"),
        ("Quote", "OpportunityId"),
    ):
        mess.change(table, isin(column, deals), CurrencyIsoCode="CHF")
    code, month = GAP
    mess.drop("DatedConversionRate", (pl.col("IsoCode") == code) & (pl.col("StartDate") == month))
    mess.drop("_CEL_CURRENCIES", (pl.col("CurrencyIsoCode") == code) & (pl.col("StartDate") == month))
    mess.told["gap"] = {"currency": code, "month": month.isoformat()}
    return [mess.tables["Opportunity"].filter(isin("Id", deals))["Id"]]


def inactive_users(mess: Mess) -> Ids:
    """Some people of the teams have left."""
    people = mess.some("User", 0.2)
    people = people.filter(pl.Series(serials("User", people["Id"]) >= _FIRST_PEOPLE))
    mess.change("User", isin("Id", people["Id"]), IsActive=False)
    return [people["Id"]]


def short_ids(mess: Mess) -> Ids:
    """Ids of 15 characters among those of 18; always where another one differs from it only in case."""
    affected = []
    for table, columns in _SHORTENED.items():
        rows = mess.some(table, 0.1)["Id"]
        if table == "Opportunity":
            ids = mess.full[table].select("Id", lower=pl.col("Id").str.head(_SHORT).str.to_lowercase())
            twins = ids.filter(pl.col("lower").is_duplicated() & isin("Id", mess.tables[table]["Id"]))["Id"]
            mess.told["twins"] = twins.sort().to_list()
            rows = pl.concat([rows, twins]).unique(maintain_order=True)
        chosen = isin("Id", rows)
        cut = {name: pl.col(name).str.head(_SHORT) for name in columns}
        if table in HISTORIES:
            by_id = pl.col("DataType") == "EntityId"
            cut |= {
                name: pl.when(by_id).then(pl.col(name).str.head(_SHORT)).otherwise(name)
                for name in ("OldValue", "NewValue")
            }
        mess.change(table, chosen, **cut)
        affected.append(rows)
    return affected

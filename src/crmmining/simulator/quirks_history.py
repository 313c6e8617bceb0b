"""Quirks of field history and of the snapshots of opportunities."""

from datetime import UTC, datetime
from typing import Final

import polars as pl

from crmmining.simulator.mess import Mess, history_rows, isin
from crmmining.simulator.picklists import CASE_STATUSES, CLOSED, CONVERTED, LEAD_STATUSES, STAGES, WON
from crmmining.simulator.tables import HISTORIES

Ids = list[pl.Series]

_LOOK_UPS: Final = ["Owner", "ownerAccepted", "ownerEscalated", "ownerAssignment", "Parent"]
_PLAIN: Final = ~pl.col("Field").is_in(_LOOK_UPS) & pl.col("NewValue").is_not_null()
_NOTHING: Final = pl.lit(None, dtype=pl.String)
_CHAINS: Final = {
    "LeadHistory": ("Status", LEAD_STATUSES[:CONVERTED]),
    "CaseHistory": ("Status", CASE_STATUSES[:CLOSED]),
    "OpportunityFieldHistory": ("StageName", STAGES[:WON]),
}
"""The field that carries each process, and its open values."""
TRACKED_SINCE: Final = {
    ("AccountHistory", "Rating"): datetime(2023, 7, 1, tzinfo=UTC),
    ("LeadHistory", "Rating"): datetime(2023, 9, 1, tzinfo=UTC),
    ("CaseHistory", "Priority"): datetime(2023, 10, 1, tzinfo=UTC),
    ("OpportunityFieldHistory", "CloseDate"): datetime(2023, 8, 1, tzinfo=UTC),
}
PREVIOUS_SINCE: Final = datetime(2023, 10, 1, tzinfo=UTC)


def _beside(mess: Mess, table: str, rows: pl.DataFrame, nth: int = 0, **values: str | pl.Expr) -> pl.Series:
    """Add rows that share everything with rows of a history but their Id and some values."""
    columns = {name: value if isinstance(value, pl.Expr) else pl.lit(value) for name, value in values.items()}
    ids = mess.offshoots(table, table, rows["Id"], nth)
    mess.add(table, rows.with_columns(ids.alias("Id"), **columns))
    return ids


def same_values(mess: Mess) -> Ids:
    """Add a row that says nothing beside a change of a plain field."""
    return [
        _beside(mess, table, mess.some(table, 0.02, _PLAIN), OldValue=pl.col("NewValue"))
        for table in HISTORIES
    ]


def doubled_rows(mess: Mess) -> Ids:
    """Repeat rows exactly, under another Id."""
    return [_beside(mess, table, mess.some(table, 0.01)) for table in HISTORIES]


def null_text(mess: Mess) -> Ids:
    """Add changes of a long text, whose values history does not keep."""
    return [
        _beside(
            mess,
            table,
            mess.some(table, 0.02, _PLAIN),
            Field="Description",
            DataType="TextArea",
            OldValue=_NOTHING,
            NewValue=_NOTHING,
        )
        for table in HISTORIES
    ]


def _other(values: list[str]) -> pl.Expr:
    """Give the first open value that is neither the old nor the new one."""
    free = [
        pl.when((pl.col("OldValue") != value) & (pl.col("NewValue") != value)).then(pl.lit(value))
        for value in values[1:4]
    ]
    return pl.coalesce(free)


def back_and_forth(mess: Mess) -> Ids:
    """Add a step to another open value and the step back, in the second of a change to an open value."""
    affected = []
    for table, (field, values) in _CHAINS.items():
        rows = mess.some(table, 0.02, (pl.col("Field") == field) & pl.col("NewValue").is_in(values))
        rows = rows.with_columns(_other(values).alias("other"))
        away, back = pl.col("NewValue"), pl.col("other")
        affected.append(_beside(mess, table, rows, OldValue=away, NewValue=back))
        affected.append(_beside(mess, table, rows, nth=1, OldValue=back))
    return affected


def shuffled_chains(mess: Mess) -> Ids:
    """Split changes into two of the same second, of which the first has the greater Id."""
    affected = []
    for table, (field, values) in _CHAINS.items():
        rows = mess.some(table, 0.03, pl.col("Field") == field).with_columns(_other(values).alias("other"))
        affected.append(_beside(mess, table, rows, NewValue=pl.col("other")))
        mess.change(table, isin("Id", rows["Id"]), OldValue=_other(values))
        affected.append(rows["Id"])
    return affected


def marks(mess: Mess) -> Ids:
    """Add marks that tell no change of a field: feed posts, approval locks, portal, closing of a case."""
    closing = (pl.col("Field") == "Status") & (pl.col("NewValue") == "Closed")
    created = pl.col("Field") == "created"
    affected = [
        _beside(
            mess,
            table,
            mess.some(table, share, where),
            nth,
            Field=mark,
            DataType="Text",
            OldValue=_NOTHING,
            NewValue=_NOTHING,
        )
        for nth, (table, mark, share, where) in enumerate(
            (
                *((table, "feedEvent", 0.01, None) for table in HISTORIES),
                ("CaseHistory", "external", 0.02, created),
                ("CaseHistory", "closed", 0.5, closing),
            )
        )
    ]
    for nth, mark, at, by in (
        (10, "locked", "CreatedDate", "SubmittedById"),
        (11, "unlocked", "CompletedDate", "LastActorId"),
    ):
        asked = mess.tables["ProcessInstance"].filter(pl.col(at).is_not_null())
        ids = mess.offshoots("OpportunityFieldHistory", "ProcessInstance", asked["Id"], nth)
        mess.add(
            "OpportunityFieldHistory",
            history_rows("OpportunityId", ids, asked["TargetObjectId"], asked[at], by=asked[by], mark=mark),
        )
        affected.append(ids)
    return affected


def owner_marks(mess: Mess) -> Ids:
    """Tell owner changes of some records as assignments."""
    affected = []
    for table in ("LeadHistory", "AccountHistory", "CaseHistory"):
        record, parent = HISTORIES[table]
        where = isin(parent, mess.records(record, 0.2)) & (pl.col("Field") == "Owner")
        affected.append(mess.tables[table].filter(where)["Id"])
        mess.change(table, where, Field="ownerAssignment")
    return affected


def names_only(mess: Mess) -> Ids:
    """Leave only the names of owners, as in exports of reports."""
    affected = []
    for table, (record, parent) in HISTORIES.items():
        owners = isin(parent, mess.records(record, 0.15)) & pl.col("Field").is_in(_LOOK_UPS)
        mess.drop(table, owners & (pl.col("DataType") == "EntityId"))
        affected.append(mess.tables[table].filter(owners)["Id"])
    return affected


def untold_owners(mess: Mess) -> Ids:
    """Leave the owner changes of some leads and cases untold, as when a rule assigns them at their insert."""
    return [
        mess.drop(table, isin(f"{record}Id", mess.records(record, 0.05)) & pl.col("Field").is_in(_LOOK_UPS))[
            f"{record}Id"
        ]
        for record, table in (("Lead", "LeadHistory"), ("Case", "CaseHistory"))
    ]


def no_created_rows(mess: Mess) -> Ids:
    """Leave records without the row of their creation."""
    return [
        mess.drop(
            table,
            isin(parent, mess.records(record, 0.05))
            & pl.col("Field").is_in(["created", "accountCreatedFromLead", "opportunityCreatedFromLead"]),
        )[parent]
        for table, (record, parent) in HISTORIES.items()
    ]


def unmarked_conversions(mess: Mess) -> Ids:
    """Leave conversions without their mark: the date and what was created tell of them."""
    leads = mess.records("Lead", 0.15, pl.col("IsConverted"))
    return [mess.drop("LeadHistory", isin("LeadId", leads) & (pl.col("Field") == "leadConverted"))["LeadId"]]


def tracking_began(mess: Mess) -> Ids:
    """Take out the history of fields before the day on which tracking was switched on."""
    mess.told["since"] = {
        f"{table}.{field}": moment.date().isoformat() for (table, field), moment in TRACKED_SINCE.items()
    }
    return [
        mess.drop(table, (pl.col("Field") == field) & (pl.col("CreatedDate") < moment))["Id"]
        for (table, field), moment in TRACKED_SINCE.items()
    ]


def broken_chains(mess: Mess) -> Ids:
    """Take rows out of the middle of chains."""
    affected = []
    for table, (field, _) in _CHAINS.items():
        parent = HISTORIES[table][1]
        chain = mess.full[table].filter(pl.col("Field") == field).sort("CreatedDate", "Id")
        chain = chain.with_columns(
            nth=pl.int_range(pl.len()).over(parent), many=pl.len().cast(pl.Int64).over(parent)
        )
        middle = chain.filter((pl.col("nth") > 0) & (pl.col("nth") < pl.col("many") - 1))
        middle = middle.filter(mess.lots(table, middle["Id"]) < 0.02)  # noqa: PLR2004  a share
        affected.append(mess.drop(table, isin("Id", middle["Id"]))["Id"])
    return affected


def orphan_rows(mess: Mess) -> Ids:
    """Add rows of records that are gone for good."""
    affected = []
    for table, (record, parent) in HISTORIES.items():
        rows = mess.some(table, 0.02, pl.col("Field") == "created")
        gone = mess.offshoots(record, record, rows[parent])
        affected.append(_beside(mess, table, rows.with_columns(gone.alias(parent))))
    return affected


def snapshots_missing(mess: Mess) -> Ids:
    """Take snapshots out, first ones too."""
    rows = mess.some("OpportunityHistory", 0.05)
    return [mess.drop("OpportunityHistory", isin("Id", rows["Id"]))["Id"]]


def snapshots_amount_only(mess: Mess) -> Ids:
    """Leave opportunities only those snapshots that changed the amount."""
    deals = mess.records("Opportunity", 0.05)
    first = pl.col("PrevCloseDate").is_null()
    same = pl.col("Amount").eq_missing(pl.col("PrevAmount"))
    return [mess.drop("OpportunityHistory", isin("OpportunityId", deals) & (first | same))["OpportunityId"]]


def snapshots_without_previous(mess: Mess) -> Ids:
    """Older snapshots do not know what was there before."""
    early = pl.col("CreatedDate") < PREVIOUS_SINCE
    rows = mess.tables["OpportunityHistory"].filter(early & pl.col("PrevCloseDate").is_not_null())
    mess.told["since"] = PREVIOUS_SINCE.date().isoformat()
    mess.change(
        "OpportunityHistory",
        early,
        PrevAmount=pl.lit(None, dtype=pl.Float64),
        PrevCloseDate=pl.lit(None, dtype=pl.Date),
    )
    return [rows["Id"]]

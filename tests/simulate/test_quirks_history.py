"""Quirks of field history and snapshots: the truth lists them, and nothing else has changed."""

from datetime import UTC, datetime

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from crmmining.simulator.tables import HISTORIES

from .soiled import soiled

told = pl.col("Field")
VALUES = ["OldValue", "NewValue"]
LOOK_UPS = ["Owner", "ownerAccepted", "ownerEscalated", "ownerAssignment", "Parent"]


def beside(quirk: str, table: str, keys: list[str]) -> pl.DataFrame:
    """New rows of a quirk, each next to the row it was made from."""
    made = soiled(quirk)
    parent = HISTORIES[table][1]
    new = made.new(table)
    keys = [parent, "CreatedDate", "CreatedById", *keys]
    both = new.join(made.clean[table], on=keys, how="inner", nulls_equal=True)
    assert set(both["Id"]) == set(new["Id"]), table
    assert made.gone(table).is_empty()
    return new


def only_these_rows_are_new(quirk: str) -> pl.DataFrame:
    made = soiled(quirk)
    assert made.touched() == set(HISTORIES)
    new = pl.concat([made.new(table).rename({HISTORIES[table][1]: "record"}) for table in HISTORIES])
    assert sorted(new["Id"]) == made.listed
    for table in HISTORIES:
        kept = made.tables[table].filter(~pl.col("Id").is_in(made.listed))
        assert_frame_equal(kept, made.clean[table])
    return new


def test_same_values() -> None:
    new = only_these_rows_are_new("same_values")
    assert new.height > 100
    assert (new["OldValue"] == new["NewValue"]).all()
    assert new.filter(told.is_in(LOOK_UPS)).is_empty()
    for table in HISTORIES:
        beside("same_values", table, ["Field", "DataType", "NewValue"])


def test_doubled_rows() -> None:
    new = only_these_rows_are_new("doubled_rows")
    assert new.height > 80
    for table in HISTORIES:
        beside("doubled_rows", table, ["Field", "DataType", *VALUES])


def test_null_text() -> None:
    new = only_these_rows_are_new("null_text")
    assert set(new["Field"]) == {"Description"}
    assert set(new["DataType"]) == {"TextArea"}
    assert new["OldValue"].null_count() == new["NewValue"].null_count() == new.height > 100
    for table in HISTORIES:
        beside("null_text", table, [])


CHAINS = {
    "LeadHistory": ("LeadId", "Status", "Closed"),
    "CaseHistory": ("CaseId", "Status", "Closed"),
    "OpportunityFieldHistory": ("OpportunityId", "StageName", "Closed"),
}


@pytest.mark.parametrize("table", CHAINS)
def test_back_and_forth(table: str) -> None:
    made = soiled("back_and_forth")
    parent, field, closed = CHAINS[table]
    new = made.rows(table)
    assert new.height == made.new(table).height > 10
    assert set(new["Field"]) == {field}
    keys = [parent, "CreatedDate", "CreatedById"]
    away = new.join(made.clean[table].filter(told == field), on=keys).filter(
        pl.col("OldValue") == pl.col("NewValue_right")
    )
    back = new.join(
        away.select(*keys, *VALUES), left_on=[*keys, *VALUES], right_on=[*keys, "NewValue", "OldValue"]
    )
    assert away.height == back.height == new.height // 2
    assert (away["NewValue"] != away["OldValue_right"]).all()
    assert not away["NewValue"].str.starts_with(closed).any()
    assert not away["OldValue"].str.starts_with(closed).any()
    assert_frame_equal(made.tables[table].filter(~pl.col("Id").is_in(made.listed)), made.clean[table])


@pytest.mark.parametrize("table", CHAINS)
def test_shuffled_chains(table: str) -> None:
    made = soiled("shuffled_chains")
    parent, _, closed = CHAINS[table]
    first, changed = made.new(table), made.rows(table).join(made.new(table), on="Id", how="anti")
    assert first.height == changed.height > 10
    keys = [parent, "CreatedDate", "Field"]
    pairs = first.join(changed, left_on=[*keys, "NewValue"], right_on=[*keys, "OldValue"])
    assert pairs.height == first.height
    assert (pairs["Id"] > pairs["Id_right"]).all()
    assert not pairs["NewValue"].str.starts_with(closed).any()
    # Together they tell what the one row told.
    whole = pairs.select("OldValue", Id="Id_right", NewValue="NewValue_right").join(
        made.clean[table].select("Id", *VALUES), on=["Id", *VALUES]
    )
    assert whole.height == pairs.height


def test_marks() -> None:
    new = only_marks()
    assert set(new["Field"]) == {"feedEvent", "external", "closed", "locked", "unlocked"}
    assert new["OldValue"].null_count() == new["NewValue"].null_count() == new.height
    made = soiled("marks")
    asked = made.clean["ProcessInstance"]
    locked = made.rows("OpportunityFieldHistory").filter(told == "locked")
    assert asked.height > 5
    assert sorted(locked.select("OpportunityId", "CreatedDate").iter_rows()) == sorted(
        asked.select("TargetObjectId", "CreatedDate").iter_rows()
    )
    unlocked = made.rows("OpportunityFieldHistory").filter(told == "unlocked")
    assert unlocked.height == asked["CompletedDate"].count()
    closed = made.rows("CaseHistory").filter(told == "closed")
    closing = made.clean["CaseHistory"].filter((told == "Status") & (pl.col("NewValue") == "Closed"))
    assert closed.join(closing, on=["CaseId", "CreatedDate"]).height == closed.height
    assert 0.4 < closed.height / closing.height < 0.6


def only_marks() -> pl.DataFrame:
    made = soiled("marks")
    assert made.touched() == set(HISTORIES)
    new = pl.concat([made.new(table).select("Id", "Field", *VALUES) for table in HISTORIES])
    assert sorted(new["Id"]) == made.listed
    return new


def test_owner_marks() -> None:
    made = soiled("owner_marks")
    assert made.touched() == {"LeadHistory", "AccountHistory", "CaseHistory"}
    for table in sorted(made.touched()):
        rows = made.rows(table)
        assert set(rows["Field"]) == {"ownerAssignment"}
        before = made.clean[table].filter(pl.col("Id").is_in(made.listed))
        assert set(before["Field"]) == {"Owner"}
        assert_frame_equal(rows.drop("Field"), before.drop("Field"))
        kinds = rows.group_by(HISTORIES[table][1], "CreatedDate").agg(pl.col("DataType").sort())
        assert kinds["DataType"].to_list() == [["EntityId", "Text"]] * kinds.height
        assert kinds.height > 3


def test_names_only() -> None:
    made = soiled("names_only")
    assert made.touched() == set(HISTORIES)
    for table, (_, parent) in HISTORIES.items():
        alone, gone = made.rows(table), made.gone(table)
        assert set(gone["DataType"]) <= {"EntityId"}
        assert set(alone["DataType"]) <= {"Text"}
        assert alone.height == gone.height
        keys = [parent, "CreatedDate", "Field"]
        assert alone.join(gone, on=keys).height == gone.height
    assert len(made.listed) > 30


@pytest.mark.parametrize(
    ("quirk", "fields"),
    [
        ("no_created_rows", {"created", "accountCreatedFromLead", "opportunityCreatedFromLead"}),
        ("unmarked_conversions", {"leadConverted"}),
        ("untold_owners", {"Owner", "ownerAccepted", "ownerEscalated"}),
    ],
)
def test_rows_that_are_gone(quirk: str, fields: set[str]) -> None:
    made = soiled(quirk)
    records: set[str] = set()
    for table in sorted(made.touched()):
        parent = HISTORIES[table][1]
        gone = made.gone(table)
        assert set(gone["Field"]) <= fields
        left = made.tables[table].filter(pl.col(parent).is_in(gone[parent].implode()))
        assert left.filter(told.is_in(fields)).is_empty()
        assert made.new(table).is_empty()
        records |= set(gone[parent])
    assert sorted(records) == made.listed
    assert len(records) > 5


def test_tracking_began() -> None:
    made = soiled("tracking_began")
    since = {
        "AccountHistory.Rating": "2023-07-01",
        "LeadHistory.Rating": "2023-09-01",
        "CaseHistory.Priority": "2023-10-01",
        "OpportunityFieldHistory.CloseDate": "2023-08-01",
    }
    assert made.truth["since"] == since
    gone = []
    for name, day in since.items():
        table, field = name.split(".")
        early = (told == field) & (pl.col("CreatedDate") < datetime.fromisoformat(day).replace(tzinfo=UTC))
        assert_frame_equal(made.gone(table), made.clean[table].filter(early))
        assert made.tables[table].filter(told == field).height > 10
        gone += made.gone(table)["Id"].to_list()
    assert sorted(gone) == made.listed
    assert len(gone) > 40


def test_broken_chains() -> None:
    made = soiled("broken_chains")
    assert made.touched() == set(CHAINS)
    assert sum(made.gone(table).height for table in CHAINS) == len(made.listed) > 30
    for table, (parent, field, _) in CHAINS.items():
        chain = made.clean[table].filter(told == field).sort("CreatedDate", "Id")
        ends = pl.concat([chain.group_by(parent).first()["Id"], chain.group_by(parent).last()["Id"]])
        gone = made.gone(table)
        assert set(gone["Field"]) == {field}
        assert not set(gone["Id"]) & set(ends)


def test_orphan_rows() -> None:
    new = only_these_rows_are_new("orphan_rows")
    assert set(new["Field"]) == {"created"}
    made = soiled("orphan_rows")
    for table, (record, parent) in HISTORIES.items():
        rows = made.rows(table)
        assert rows.height > 0
        assert not set(rows[parent]) & set(made.clean[record]["Id"])
        assert (
            rows[parent].str.head(3).unique().to_list()
            == made.clean[record]["Id"].str.head(3).unique().to_list()
        )


def test_snapshots_missing() -> None:
    made = soiled("snapshots_missing")
    assert made.touched() == {"OpportunityHistory"}
    gone = made.gone("OpportunityHistory")
    assert gone["Id"].sort().to_list() == made.listed
    assert gone["PrevCloseDate"].null_count() > 0
    assert 0.03 < gone.height / made.clean["OpportunityHistory"].height < 0.07


def test_snapshots_amount_only() -> None:
    made = soiled("snapshots_amount_only")
    assert made.touched() == {"OpportunityHistory"}
    gone = made.gone("OpportunityHistory")
    assert sorted(set(gone["OpportunityId"])) == made.listed
    mine = made.tables["OpportunityHistory"].filter(pl.col("OpportunityId").is_in(made.listed))
    assert mine.height > 5
    assert mine.filter(pl.col("Amount").eq_missing(pl.col("PrevAmount"))).is_empty()
    changes = made.clean["OpportunityFieldHistory"].filter(
        (told == "Amount") & pl.col("OpportunityId").is_in(made.listed)
    )
    keys = ["OpportunityId", "CreatedDate"]
    assert sorted(mine.select(keys).iter_rows()) == sorted(changes.select(keys).iter_rows())


def test_snapshots_without_previous() -> None:
    made = soiled("snapshots_without_previous")
    assert made.truth["since"] == "2023-10-01"
    since = datetime(2023, 10, 1, tzinfo=UTC)
    table = made.tables["OpportunityHistory"]
    early = table.filter(pl.col("CreatedDate") < since)
    assert early["PrevCloseDate"].null_count() == early["PrevAmount"].null_count() == early.height
    late = pl.col("CreatedDate") >= since
    assert_frame_equal(table.filter(late), made.clean["OpportunityHistory"].filter(late))
    assert made.rows("OpportunityHistory").height == len(made.listed) > 50
    assert made.rows("OpportunityHistory").filter(late).is_empty()

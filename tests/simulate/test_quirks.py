"""Quirks as an option, together, and in a CRM that is stopped."""

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from crmmining.errors import UnknownNameError
from crmmining.simulator import QUIRKS, TABLES, simulate
from crmmining.simulator.tables import HISTORIES

from .conftest import read
from .soiled import clean, soiled
from .test_shape import FIELDS

CUT = [*HISTORIES, "OpportunityHistory", "EmailMessage", "CaseComment", "CaseSolution"]
LATE = datetime(2024, 11, 20, 15, tzinfo=UTC)
"""After every date of a quirk but the mass closing, which is tried on its own."""
AWARE = [name for name in QUIRKS if name != "deleted_opportunities"]


@pytest.mark.parametrize("moment", [LATE, datetime(2025, 7, 1, tzinfo=UTC)])
@pytest.mark.parametrize("quirk", AWARE)
def test_a_stopped_crm_is_as_dirty_as_the_rows_of_one_that_goes_on(quirk: str, moment: datetime) -> None:
    whole, part = soiled(quirk), soiled(quirk, until=moment)
    for name in CUT:
        known = whole.tables[name].filter(pl.col("CreatedDate") <= moment)
        assert_frame_equal(part.tables[name].sort("Id"), known.sort("Id"))
    for name, table in part.tables.items():
        known = whole.tables[name]
        if "CreatedDate" in known.columns:
            known = known.filter(pl.col("CreatedDate") <= moment)
        if "Id" in known.columns:
            assert sorted(table["Id"]) == sorted(known["Id"]), name
        assert table.schema == known.schema, name


def short(column: str) -> pl.Expr:
    """A value as text, Ids by their first 15 characters."""
    value = pl.col(column).cast(pl.String)
    return (
        pl.when(value.str.contains(r"^00[15G]5e0[0-9A-Za-z]{9,12}$"))
        .then(value.str.head(15))
        .otherwise(value)
    )


@pytest.mark.parametrize("moment", [LATE, datetime(2025, 7, 1, tzinfo=UTC)])
def test_replayable_dirt_leaves_the_past_recoverable(moment: datetime) -> None:
    """Undone here from the dirty history: what the first second after the stop began with, else the end's."""
    replayable = [name for name, quirk in QUIRKS.items() if quirk.replayable]
    whole, part = soiled(*replayable), soiled(*replayable, until=moment)
    owners = ["ownerAccepted", "ownerEscalated", "ownerAssignment"]
    moved = 0
    for (record, history), fields in FIELDS.items():
        rows = whole.tables[history].with_columns(
            pl.col("Field").replace(dict.fromkeys(owners, "Owner")), short("OldValue"), short("NewValue"),
            Id=pl.col(f"{record}Id").str.head(15),
        )  # fmt: skip
        rows = rows.filter(~pl.col("Field").is_in(["Owner", "Parent"]) | (pl.col("DataType") == "EntityId"))
        more = {"Country": "Country"} if record == "Lead" else {}
        for field, column in {**fields, **more}.items():
            later = rows.filter((pl.col("Field") == field) & (pl.col("CreatedDate") > moment))
            first = later.filter(pl.col("CreatedDate") == pl.col("CreatedDate").min().over("Id"))
            reached = first.select("Id", OldValue="NewValue", new="OldValue").filter(
                pl.col("OldValue").ne_missing(pl.col("new"))
            )
            began = first.join(reached, on=["Id", "OldValue"], how="anti", nulls_equal=True)
            began = began.select("Id", "OldValue", undone=True).unique()
            assert began["Id"].n_unique() == began.height == first["Id"].n_unique(), field
            then = part.tables[record].select(pl.col("Id").str.head(15), stood=short(column))
            now = whole.tables[record].select(pl.col("Id").str.head(15), end=short(column))
            both = then.join(now, on="Id").join(began, on="Id", how="left")
            wanted = pl.when("undone").then("OldValue").otherwise("end")
            assert both.height == then.height
            assert both.filter(pl.col("stood").ne_missing(wanted)).is_empty(), field
            moved += began.height
    assert moved > 200


def test_all_quirks_together_are_cut_alike() -> None:
    whole, part = soiled(*AWARE), soiled(*AWARE, until=LATE)
    for name in CUT:
        known = whole.tables[name].filter(pl.col("CreatedDate") <= LATE)
        assert_frame_equal(part.tables[name].sort("Id"), known.sort("Id"))


@pytest.mark.parametrize("quirk", ["merged_accounts", "merged_leads", "deleted_opportunities"])
def test_what_ends_a_record_comes_later_than_the_record(quirk: str) -> None:
    part, whole = soiled(quirk, until=LATE), soiled(quirk)
    table = {"merged_accounts": "Account", "merged_leads": "Lead"}.get(quirk, "Opportunity")
    ended = whole.rows(table).filter(pl.col("SystemModstamp") <= LATE)
    assert ended["Id"].sort().to_list() == part.listed
    assert 0 < len(part.listed) < len(whole.listed)
    alive = part.tables[table].filter(~pl.col("IsDeleted"))
    survivors = clean(int(LATE.timestamp()))[table].filter(pl.col("Id").is_in(alive["Id"].implode()))
    kept = alive.select("Id", "StageName" if table == "Opportunity" else "OwnerId")
    assert_frame_equal(kept, survivors.select(kept.columns))


def test_before_their_time_bulk_changes_have_not_happened() -> None:
    for quirk, before in (
        ("bulk_update", datetime(2024, 9, 15, 1, 59, 59, tzinfo=UTC)),
        ("mass_close", datetime(2025, 6, 30, 21, 59, 59, tzinfo=UTC)),
    ):
        made = soiled(quirk, until=before)
        assert made.touched() == set()
        assert made.listed == []


def test_no_quirk_is_idle() -> None:
    assert [name for name in QUIRKS if not soiled(name).listed] == []
    assert [name for name in QUIRKS if not soiled(name).touched()] == []


def test_truth_names_the_quirks_in_force(tmp_path: Path) -> None:
    options = {"accounts": 30, "seed": 1, "format": "parquet"}
    plain = read(simulate(tmp_path / "plain", **options))  # type: ignore[arg-type]
    folder = simulate(tmp_path / "crm", quirks=["doubled_rows", "inactive_stage"], **options)  # type: ignore[arg-type]
    truth = json.loads((folder / "truth.json").read_text())
    assert list(truth["quirks"]) == ["doubled_rows", "inactive_stage"]
    assert truth["quirks"]["inactive_stage"] == {
        "what": "a stage that is no longer active",
        "replayable": True,
        "records": ["01P5e0000000005EAA"],
    }
    rows = truth["quirks"]["doubled_rows"]["rows"]
    tables = read(folder)
    more = sum(tables[name].height - plain[name].height for name in HISTORIES)
    assert more == len(rows) > 5
    assert truth["rows"]["LeadHistory"] == tables["LeadHistory"].height


def test_a_seed_decides_every_byte_of_the_dirt(tmp_path: Path) -> None:
    made = [
        {
            path.name: path.read_bytes()
            for path in simulate(tmp_path / name, accounts=20, seed=2, quirks=True).iterdir()
        }
        for name in ("one", "two")
    ]
    assert made[0] == made[1]
    assert {name.split(".")[0] for name in made[0]} == TABLES | {"truth"}


def test_quirks_are_off_unless_asked_for(tmp_path: Path) -> None:
    off = simulate(tmp_path / "off", accounts=10, seed=2, quirks=False)
    none = simulate(tmp_path / "none", accounts=10, seed=2, quirks=[])
    plain = simulate(tmp_path / "plain", accounts=10, seed=2)
    for path in plain.iterdir():
        assert (off / path.name).read_bytes() == (none / path.name).read_bytes() == path.read_bytes()
    assert "quirks" not in json.loads((plain / "truth.json").read_text())


def test_one_quirk_may_be_named_alone(tmp_path: Path) -> None:
    folder = simulate(tmp_path / "crm", accounts=5, seed=2, quirks="marks")
    assert list(json.loads((folder / "truth.json").read_text())["quirks"]) == ["marks"]


def test_unknown_quirks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown quirk 'mark'\. Did you mean 'marks'"):
        simulate(tmp_path / "crm", accounts=1, quirks=["marks", "mark"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("until", [None, "2023-01-01", "2023-02-10"])
def test_the_smallest_crm_takes_all_quirks(tmp_path: Path, until: str | None) -> None:
    folder = simulate(tmp_path / "crm", accounts=1, seed=3, quirks=True, until=until)
    assert set(json.loads((folder / "truth.json").read_text())["quirks"]) == set(QUIRKS)


def test_retention_takes_dirty_rows_too(tmp_path: Path) -> None:
    folder = simulate(
        tmp_path / "crm", accounts=60, seed=1, quirks=True, retention_months=6, format="parquet"
    )
    for name, table in read(folder).items():
        if name in HISTORIES:
            assert table.filter(pl.col("CreatedDate") < datetime(2025, 7, 1, tzinfo=UTC)).is_empty()
            assert table.height > 20

import errno
import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from crmmining.errors import CrmMiningError, OutputError, UnknownNameError
from crmmining.simulator import TABLES, simulate
from crmmining.simulator.writing import staging


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_seed_decides_every_byte(tmp_path: Path) -> None:
    first, again, other = (
        bytes_of(simulate(tmp_path / name, accounts=30, seed=seed))
        for name, seed in (("first", 1), ("again", 1), ("other", 2))
    )
    assert first == again
    assert sorted(name for name in first if first[name] == other[name]) == [
        "BusinessHours.csv",
        "CaseStatus.csv",
        "Group.csv",
        "Holiday.csv",
        "LeadStatus.csv",
        "MilestoneType.csv",
        "OpportunityStage.csv",
        "Product2.csv",
        "Profile.csv",
        "RecordType.csv",
        "UserRole.csv",
    ]


def test_parquet_holds_the_same_rows_typed(tmp_path: Path) -> None:
    text = simulate(tmp_path / "csv", accounts=30, seed=1)
    typed = simulate(tmp_path / "parquet", accounts=30, seed=1, format="parquet")
    assert {path.stem for path in typed.glob("*.parquet")} == TABLES
    for table in ("Opportunity", "CaseMilestone", "LeadHistory"):
        frame = pl.read_parquet(typed / f"{table}.parquet")
        rendered = frame.with_columns(
            pl.col(pl.Datetime("us", "UTC")).dt.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        ).cast(pl.String)
        assert_frame_equal(rendered, pl.read_csv(text / f"{table}.csv", infer_schema=False))
    schema = pl.read_parquet_schema(typed / "Opportunity.parquet")
    assert schema["CreatedDate"] == pl.Datetime("us", "UTC")
    assert schema["CloseDate"] == pl.Date
    assert schema["Amount"] == pl.Float64


def test_tables_can_be_left_out(tmp_path: Path) -> None:
    folder = simulate(tmp_path / "crm", accounts=10, seed=1, without=("Case", "OpportunityStage"))
    assert {path.stem for path in folder.glob("*.csv")} == TABLES - {"Case", "OpportunityStage"}
    assert "Case" not in json.loads((folder / "truth.json").read_text())["rows"]


def test_leaving_a_table_out_changes_no_other(tmp_path: Path) -> None:
    whole = bytes_of(simulate(tmp_path / "whole", accounts=10, seed=1))
    part = bytes_of(simulate(tmp_path / "part", accounts=10, seed=1, without=("Lead",)))
    assert [name for name in part if name != "truth.json" and part[name] != whole[name]] == []


def test_retention_drops_old_field_history_only(tmp_path: Path) -> None:
    whole = simulate(tmp_path / "whole", accounts=60, seed=1)
    kept = simulate(tmp_path / "kept", accounts=60, seed=1, retention_months=18)
    for table in ("AccountHistory", "LeadHistory", "CaseHistory", "OpportunityFieldHistory"):
        rows = pl.read_csv(whole / f"{table}.csv", infer_schema=False)
        young = rows.filter(pl.col("CreatedDate") >= "2024-07-01")
        assert 0 < young.height < rows.height
        assert_frame_equal(pl.read_csv(kept / f"{table}.csv", infer_schema=False), young)
    snapshots = (folder / "OpportunityHistory.csv" for folder in (whole, kept))
    assert next(snapshots).read_bytes() == next(snapshots).read_bytes()


def test_truth_names_the_effects_in_force(tmp_path: Path) -> None:
    folder = simulate(
        tmp_path / "crm", accounts=10, seed=1, effects={"slow_region": False, "good_source": 1.5}
    )
    truth = json.loads((folder / "truth.json").read_text())
    assert (truth["seed"], truth["accounts"]) == (1, 10)
    assert {name: (effect["on"], effect["factor"]) for name, effect in truth["effects"].items()} == {
        "slow_region": (False, 1.0),
        "good_source": (True, 1.5),
        "rework_product": (True, 3.0),
        "process_change": (True, 0.5),
    }
    assert truth["effects"]["rework_product"]["where"] == {"Product2.Name": "Connector Pack"}


def test_an_effect_touches_nothing_else(tmp_path: Path) -> None:
    planted = bytes_of(simulate(tmp_path / "planted", accounts=30, seed=1))
    without = bytes_of(simulate(tmp_path / "without", accounts=30, seed=1, effects={"rework_product": False}))
    changed = {name.removesuffix(".csv") for name in planted if planted[name] != without[name]}
    assert "CaseHistory" in changed
    assert not changed & {"Lead", "LeadHistory", "Opportunity", "OpportunityFieldHistory", "AccountHistory"}


def test_the_smallest_crm_is_written_too(tmp_path: Path) -> None:
    folder = simulate(tmp_path / "crm", accounts=1, seed=3)
    assert {path.stem for path in folder.glob("*.csv")} == TABLES


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"without": ["Leads"]}, "unknown table 'Leads'. Did you mean 'Lead'"),
        ({"effects": {"slow_regions": True}}, "unknown effect 'slow_regions'. Did you mean 'slow_region'"),
        ({"format": "xlsx"}, "unknown format 'xlsx'. Known: csv, parquet"),
    ],
)
def test_unknown_names_are_refused(tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        simulate(tmp_path / "crm", **options)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options", [{"accounts": 0}, {"seed": -1}, {"retention_months": 0}, {"effects": {"slow_region": 0.0}}]
)
def test_numbers_out_of_range_are_refused(tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(CrmMiningError, match=r"must be"):
        simulate(tmp_path / "crm", **options)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds other things \(thesis.txt\)"):
        simulate(tmp_path, accounts=1)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_foreign_tables_are_left_alone_whatever_they_are_called(tmp_path: Path) -> None:
    (tmp_path / "Lead.csv").write_text("mine")
    (tmp_path / "Case.parquet").write_text("mine too")
    with pytest.raises(OutputError, match=r"holds other things \(tables without truth\.json, which every"):
        simulate(tmp_path, accounts=1)
    assert bytes_of(tmp_path) == {"Case.parquet": b"mine too", "Lead.csv": b"mine"}


def test_truth_alone_does_not_make_other_things_a_simulation(tmp_path: Path) -> None:
    folder = simulate(tmp_path / "crm", accounts=1, without=["Quote", "Solution"])
    (folder / "Quote.csv").mkdir()
    (folder / "Quote.csv" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds other things \(Quote\.csv\).*Nothing was changed"):
        simulate(folder, accounts=1)
    assert (folder / "Quote.csv" / "thesis.txt").read_text() == "mine"
    (folder / "Quote.csv").rename(tmp_path / "kept")
    (folder / "Solution.csv").symlink_to(tmp_path / "kept" / "thesis.txt")
    with pytest.raises(OutputError, match=r"holds other things \(Solution\.csv\)"):
        simulate(folder, accounts=1)
    assert (tmp_path / "kept" / "thesis.txt").read_text() == "mine"


def test_an_empty_folder_is_free(tmp_path: Path) -> None:
    (tmp_path / "crm").mkdir()
    assert (simulate(tmp_path / "crm", accounts=1) / "truth.json").is_file()


def test_what_came_into_the_folder_meanwhile_is_left_alone(tmp_path: Path) -> None:
    target, theirs = tmp_path / "crm", tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds other things \(thesis\.txt\)"), staging(target, TABLES):
        shutil.copytree(theirs, target)
    assert bytes_of(target) == {"thesis.txt": b"mine"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["crm", "theirs"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match=r"file is a file; name a folder for the tables"):
        simulate(tmp_path / "file", accounts=1)
    with pytest.raises(OutputError, match=r"cannot write to .*file.x: "):
        simulate(tmp_path / "file" / "x", accounts=1)
    with pytest.raises(OutputError, match="cannot write to "):
        simulate(tmp_path / ("x" * 300), accounts=1)
    assert bytes_of(tmp_path) == {"file": b"mine"}


def test_a_failure_while_writing_leaves_the_earlier_simulation(tmp_path: Path) -> None:
    folder = simulate(tmp_path / "crm", accounts=1, seed=1)
    before = bytes_of(folder)
    with pytest.raises(OutputError, match=r"cannot write to .*: No space left"), staging(folder, TABLES):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert bytes_of(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["crm"]


def test_an_earlier_simulation_is_replaced_whole(tmp_path: Path) -> None:
    folder = simulate(tmp_path / "crm", accounts=5, seed=1, format="parquet")
    simulate(folder, accounts=5, seed=1, without=["Quote"])
    assert {path.stem for path in folder.iterdir()} == (TABLES - {"Quote"}) | {"truth"}
    assert [path.name for path in tmp_path.iterdir()] == ["crm"]

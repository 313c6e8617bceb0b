import csv
import json
from pathlib import Path

from crmmining.simulator import TABLES, simulate


def test_the_sample_is_what_the_simulator_writes(sample_folder: Path, tmp_path: Path) -> None:
    made = simulate(tmp_path / "crm", accounts=160, seed=7)
    names = sorted(path.name for path in made.iterdir())
    assert sorted(path.name for path in sample_folder.iterdir()) == names
    different = [name for name in names if (made / name).read_bytes() != (sample_folder / name).read_bytes()]
    assert different == []


def test_the_sample_holds_every_table_and_none_is_empty(sample_folder: Path) -> None:
    assert {path.stem for path in sample_folder.glob("*.csv")} == TABLES
    truth = json.loads((sample_folder / "truth.json").read_text(encoding="utf-8"))
    for path in sorted(sample_folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, strict=True))
        assert len(rows) - 1 == truth["rows"][path.stem] > 0, path.name
        assert {len(row) for row in rows} == {len(rows[0])}, path.name


def test_the_sample_stays_a_few_megabytes(sample_folder: Path) -> None:
    assert 2_000_000 < sum(path.stat().st_size for path in sample_folder.iterdir()) < 4_500_000


def test_files_are_plain_csv(sample_folder: Path) -> None:
    text = (sample_folder / "Account.csv").read_bytes()
    assert b"\r" not in text
    assert text.endswith(b"\n")
    first, second = (sample_folder / "LeadHistory.csv").read_text(encoding="utf-8").splitlines()[:2]
    assert first == "Id,IsDeleted,LeadId,CreatedById,CreatedDate,Field,DataType,OldValue,NewValue"
    assert second.startswith("0175e0020000001AAA,false,00Q5e0000000001EAA,")
    assert second.endswith(".000Z,created,Text,,")


def test_hostile_text_is_in_it(sample_folder: Path) -> None:
    accounts = (sample_folder / "Account.csv").read_text(encoding="utf-8")
    assert ', Inc."' in accounts
    assert '""Nova"" Group"' in accounts
    assert "é" in (sample_folder / "Contact.csv").read_text(encoding="utf-8")
    with (sample_folder / "CaseComment.csv").open(encoding="utf-8", newline="") as file:
        assert any("\n" in row["CommentBody"] for row in csv.DictReader(file))

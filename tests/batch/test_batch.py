"""A batch run: complete, the same bytes every time, and never half-written."""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

import crmmining as cm
from crmmining import batch

PROCESSES = ("account", "case", "lead", "opportunity")


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "timings.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def written(sample: cm.Crm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return batch.run(sample, tmp_path_factory.mktemp("runs") / "out", batch.Order(period="quarter"))


def test_everything_promised_is_written(written: Path) -> None:
    tables = {
        f"{kind}/{p}.parquet" for kind in ("events", "cases", "variants", "transitions") for p in PROCESSES
    }
    assert set(contents(written)) == tables | {
        "scorecard.parquet", "scorecard.csv", "quality.parquet", "report.html", "run.json",
    }  # fmt: skip
    assert list(json.loads((written / "timings.json").read_text()))[-1] == "report"


def test_run_json_says_where_the_figures_come_from(written: Path, sample: cm.Crm) -> None:
    record = json.loads((written / "run.json").read_text())
    assert record["as_of"] == "2025-12-31 23:14:29+00:00"
    assert record["source"] == "sample"
    lead = next(file for file in record["inputs"] if file["name"] == "Lead")
    assert lead["origin"] == "Lead.csv"
    assert lead["rows"] == sample.event_log("lead").cases.height
    assert len(lead["sha256"]) == 64
    assert set(record["definitions"]["kpis"]) == set(sample.catalogue()["kpi"])
    assert set(record["versions"]) == {"crmmining", "duckdb", "polars", "numpy"}


def test_tables_read_back_as_they_were(written: Path, sample: cm.Crm) -> None:
    events = pl.read_parquet(written / "events" / "lead.parquet")
    assert events.height == sample.event_log("lead").events.height
    assert (
        pl.read_csv(written / "scorecard.csv").height == pl.read_parquet(written / "scorecard.parquet").height
    )


@pytest.mark.parametrize("threads", ["1", "4"])
def test_the_same_input_gives_the_same_bytes(
    written: Path, sample_folder: Path, tmp_path: Path, threads: str
) -> None:
    command = [
        sys.executable,
        "-m",
        "crmmining",
        "run",
        str(sample_folder),
        "--out",
        "out",
        "--period",
        "quarter",
    ]
    environment = os.environ | {"POLARS_MAX_THREADS": threads, "PYTHONHASHSEED": threads}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert contents(tmp_path / "out") == contents(written)


def test_an_earlier_run_is_replaced_whole(sample: cm.Crm, tmp_path: Path) -> None:
    out = tmp_path / "out"
    batch.run(sample, out, batch.Order(process="lead"))
    batch.run(sample, out, batch.Order(process="case", report=False))
    assert sorted(path.name for path in (out / "events").iterdir()) == ["case.parquet"]
    assert not (out / "report.html").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("foreign", ["mine.txt", "events/notes.csv", "cases/deep/lead.parquet"])
def test_a_folder_with_foreign_files_is_left_alone(sample: cm.Crm, tmp_path: Path, foreign: str) -> None:
    out = batch.run(sample, tmp_path / "out", batch.Order(process="lead", report=False))
    (out / foreign).parent.mkdir(exist_ok=True, parents=True)
    (out / foreign).write_text("mine")
    before = contents(out)
    with pytest.raises(cm.OutputError, match=f"holds what no run wrote \\({foreign}\\)"):
        batch.run(sample, out, batch.Order(process="lead"))
    assert contents(out) == before


def test_a_failed_run_leaves_the_earlier_output(
    sample: cm.Crm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = batch.run(sample, tmp_path / "out", batch.Order(process="lead", report=False))
    before = contents(out)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(batch, "_write_json", full)
    with pytest.raises(cm.OutputError, match="No space left on device"):
        batch.run(sample, out, batch.Order(process="lead"))
    assert contents(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_failure_while_swapping_puts_the_earlier_output_back(
    sample: cm.Crm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = batch.run(sample, tmp_path / "out", batch.Order(process="lead", report=False))
    before = contents(out)
    rename = Path.rename

    def fail_for_the_new_one(path: Path, target: Path) -> Path:
        if path.name.endswith(".partial"):
            raise OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_for_the_new_one)
    with pytest.raises(cm.OutputError, match="Input/output error"):
        batch.run(sample, out, batch.Order(process="lead"))
    assert contents(out) == before


def test_texts_that_a_spreadsheet_would_run_are_defused() -> None:
    frame = pl.DataFrame({"owner": ["=1+1", "+4", "-4", "@x", "\tx", "Ann"], "n": [-1] * 6})
    assert batch.harmless(frame)["owner"].to_list() == ["'=1+1", "'+4", "'-4", "'@x", "'\tx", "Ann"]
    assert batch.harmless(frame)["n"].to_list() == [-1] * 6


def test_a_link_is_written_through_not_over(sample: cm.Crm, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for _ in range(2):
        batch.run(sample, tmp_path / "link", batch.Order(process="lead", report=False))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "run.json").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]


@pytest.mark.parametrize("ends", [[], [1], [131_072], [70_000, 199_999], [100_000, 100_001, 299_000]])
def test_rows_that_come_in_parts_are_written_as_those_that_come_at_once(
    tmp_path: Path, ends: list[int]
) -> None:
    rows = pl.DataFrame({"n": range(300_000)}).with_columns(text=pl.format("row {}", pl.col("n") % 1000))
    batch.write_rows(rows.lazy(), tmp_path / "whole")
    bounds = [0, *ends, rows.height]
    parts = [rows[low:high].lazy() for low, high in pairwise(bounds)]
    batch.write_rows(pl.concat(parts), tmp_path / "parts")
    assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()

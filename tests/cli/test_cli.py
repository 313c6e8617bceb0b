"""The command line: exit codes, one clear message, nothing half-written."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from crmmining.cli import main


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    assert isinstance(stop.value.code, int)
    return stop.value.code


@pytest.fixture
def small(sample_folder: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "small"
    folder.mkdir()
    for table in ("Lead", "LeadHistory", "LeadStatus", "User"):
        shutil.copy(sample_folder / f"{table}.csv", folder)
    return folder


def test_run_writes_and_says_where(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    options = ["--period", "quarter", "--by", "region", "--by", "source", "--process", "lead", "--no-report"]
    assert call("run", small, "--out", out, *options) == 0
    assert capsys.readouterr().out == f"wrote {out}\n"
    assert pl.read_parquet(out / "scorecard.parquet").columns[5:7] == ["region", "source"]
    record = json.loads((out / "run.json").read_text())
    assert (record["period"], record["by"]) == ("quarter", ["region", "source"])


def test_since_until_and_as_of_reach_the_figures(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    window = ["--since", "2024-01-01", "--until", "2024-07-01", "--as-of", "2024-12-31"]
    assert call("run", small, "--out", out, "--no-report", "--period", "quarter", *window) == 0
    scorecard = pl.read_parquet(out / "scorecard.parquet")
    created = scorecard.filter(pl.col("kpi") == "leads_created")["period_start"].cast(pl.String).to_list()
    assert created == ["2024-01-01", "2024-04-01"]
    assert scorecard["as_of"].cast(pl.String).unique().to_list() == ["2024-12-31 00:00:00.000000+00:00"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nowhere", "--out", "out"], "there is no 'nowhere'"),
        (["run", "{empty}", "--out", "out"], "holds no .csv or .parquet file"),
        (
            ["run", "{small}", "--out", "out", "--process", "leed"],
            "unknown process 'leed'. Did you mean 'lead'?",
        ),
        (
            ["run", "{small}", "--out", "out", "--by", "regio"],
            "unknown segment 'regio'. Did you mean 'region'?",
        ),
        (["run", "{small}", "--out", "{small}"], "holds what no run wrote (Lead.csv"),
        (["run", "{small}", "--out", "{small}/Lead.csv"], "is a file; name a folder"),
        (["run", "{small}", "--out", "out", "--kpis", "nowhere"], "nowhere: no such folder of definitions"),
        (["run", "{small}", "--out", "out", "--as-of", "soon"], "'soon' is no moment"),
        (["check", "{small}", "--targets", "nowhere.toml"], "nowhere.toml: cannot be read: No such file"),
    ],
)
def test_unusable_input_is_one_message_and_exit_code_2(
    small: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    before = sorted(path.name for path in tmp_path.rglob("*"))
    assert call(*(text.format(small=small, empty=tmp_path / "empty") for text in arguments)) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("crmmining: ")
    assert message in said.err
    assert "Traceback" not in said.err
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_unknown_options_are_exit_code_2_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", "x", "--outt", "y") == 2
    assert call("run", "x", "--out", "y", "--period", "decade") == 2
    assert "decade" in capsys.readouterr().err


TARGETS = """
[targets.conversion]
kpi = "lead_conversion"
min = 0.1
[targets.referral]
kpi = "lead_conversion"
segment = { source = "Referral" }
min = 0.99
[data]
require = ["LeadHistory.Field"]
max_quarantined = 0.0
"""


def test_check_says_which_target_is_missed_and_by_how_much(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    targets = tmp_path / "targets.toml"
    targets.write_text(TARGETS)
    assert call("check", small, "--targets", targets) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("met     conversion: lead_conversion rate is 0.19")
    assert lines[1].startswith("MISSED  referral: lead_conversion rate [source=Referral] is 0.")
    assert ", missed by 0." in lines[1]
    targets.write_text(TARGETS.replace("0.99", "0.01"))
    assert call("check", small, "--targets", targets) == 0


def test_check_holds_the_data_contract(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    targets = tmp_path / "targets.toml"
    targets.write_text('[data]\nrequire = ["Task", "Lead.LeadSource"]\nmax_quarantined = 0.0\n')
    with (small / "LeadHistory.csv").open("a") as file:
        columns = (small / "LeadHistory.csv").read_text().splitlines()[0].count(",") + 1
        file.write(",".join(["x"] * columns) + "\n")
    assert call("check", small, "--targets", targets) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "MISSED  data: 'Task' is required and not there"
    assert lines[1].startswith(
        "MISSED  data: LeadHistory: 1 of 2166 rows are quarantined (0.05%), at most 0.00%"
    )
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[targets.a]\nkpi = 'lead_conversion'\n", "targets.a: Value error, state min, max or both"),
        (
            "[targets.a]\nkpi = 'lead_conversio'\nmin = 1\n",
            "unknown KPI 'lead_conversio'. Did you mean 'lead_conversion'?",
        ),
        ("[targets.a]\nkpi = 'lead_conversion'\nmin = 1\nsegment = {x = 'y'}\n", "unknown segment 'x'"),
        ("[targets.a\n", "not valid TOML"),
    ],
)
def test_a_faulty_targets_file_is_exit_code_2(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    (tmp_path / "targets.toml").write_text(text)
    assert call("check", small, "--targets", tmp_path / "targets.toml") == 2
    assert message in capsys.readouterr().err


def test_targets_that_cannot_be_judged_are_missed_and_say_why(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "targets.toml").write_text(
        "[targets.parts]\nkpi = 'lead_time_to_convert'\nmax = 1\n"
        "[targets.nobody]\nkpi = 'lead_conversion'\nmin = 0\nsegment = {source = 'Nobody'}\n"
        "[targets.off]\nkpi = 'win_rate'\nmin = 0\n"
    )
    assert call("check", small, "--targets", tmp_path / "targets.toml") == 1
    lines = capsys.readouterr().out.splitlines()
    assert "nobody: lead_conversion [source=Nobody] has no such cases" in lines[0]
    assert "off: win_rate cannot be computed: the source lacks Opportunity" in lines[1]
    parts = "mean, median, median_with_open, p90"
    assert f"parts: lead_time_to_convert (calendar time) needs a part: {parts}" in lines[2]


def test_catalogue_in_three_forms(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("catalogue", "--format", "json") == 0
    content = json.loads(capsys.readouterr().out)
    assert set(content["processes"]) == {"account", "case", "lead", "opportunity"}
    assert content["processes"]["lead"]["activities"]["Create Lead"]["table"] == "Lead"
    assert len(content["kpis"]) >= 40
    assert call("catalogue", "--format", "markdown") == 0
    assert "| `win_rate` |" in capsys.readouterr().out
    assert call("catalogue") == 0
    assert "win_rate" in capsys.readouterr().out


def test_simulate_writes_a_crm_that_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("simulate", tmp_path / "crm", "--accounts", 20, "--seed", 3, "--format", "parquet") == 0
    assert call("run", tmp_path / "crm", "--out", tmp_path / "out", "--no-report") == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[targets.a]\nkpi = 'lead_conversion'\nmin = nan\n",
            "targets.a.min: Input should be a finite number",
        ),
        ("[targets.a]\nkpi = 'lead_conversion'\nmin = 0.9\nmax = 0.1\n", "min is above max"),
        (
            "[targets.a]\nkpi = 'lead_conversion'\nmin = '0.1'\n",
            "targets.a.min: Input should be a valid number",
        ),
        ("", "states no target"),
    ],
)
def test_a_target_that_can_always_be_met_is_a_fault(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    (tmp_path / "targets.toml").write_text(text)
    assert call("check", small, "--targets", tmp_path / "targets.toml") == 2
    assert message in capsys.readouterr().err


def test_a_fault_of_ours_is_never_a_missed_target(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("crmmining.crm.connect", fail)
    assert call("check", small, "--targets", tmp_path / "targets.toml") == 2
    assert "RuntimeError: a bug" in capsys.readouterr().err

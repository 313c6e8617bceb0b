"""A whole run with pseudonyms: nobody is named anywhere, and every figure stays."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import crmmining as cm
from crmmining import batch
from crmmining.cli import main

from .named import ANN, BOB, CANARIES, FILES, KEY, OTHER_KEY

# Texts of the sample that name people, by table: what must be found nowhere.
NAMING = {
    "User": ["Id", "Username", "Name", "FirstName", "LastName", "Alias", "Email"],
    "Lead": ["Name", "FirstName", "LastName", "Email"],
    "Contact": ["Name", "FirstName", "LastName", "Email"],
    "EmailMessage": ["FromAddress", "ToAddress"],
}
QUICK = batch.Order(process="case", period=None, report=False)


def written(folder: Path) -> str:
    """All that a run wrote, read back and in lower case."""
    frames = [pl.read_parquet(path).write_json() for path in sorted(folder.rglob("*.parquet"))]
    files = [
        path.read_text() for path in sorted(folder.rglob("*")) if path.suffix in {".csv", ".json", ".html"}
    ]
    return " ".join([*frames, *files]).lower()


def test_no_canary_is_in_anything_a_run_writes(folder: Path, tmp_path: Path) -> None:
    plain, hidden = cm.connect(folder), cm.connect(folder, pseudonymise=KEY)
    order = batch.Order(by=["owner", "manager"], period="month")
    open_text = written(batch.run(plain, tmp_path / "plain", order))
    text = written(batch.run(hidden, tmp_path / "hidden", order))
    assert [
        word for word in ("zzyzx", "quillfeather", "oxenthwaite", ANN.lower()) if word not in open_text
    ] == []
    assert [word for word in (*CANARIES, ANN[:15], BOB[:15], KEY) if word.lower() in text] == []
    assert "person " in text
    assert [word for word in (*CANARIES, ANN) if word in repr(hidden) + repr(hidden.tables)] == []


def test_nobody_of_the_sample_is_named(sample_folder: Path, tmp_path: Path) -> None:
    named: set[str] = set()
    for table, columns in NAMING.items():
        with (sample_folder / f"{table}.csv").open(newline="") as file:
            named |= {row[column].lower() for row in csv.DictReader(file) for column in columns}
    order = batch.Order(by=["owner", "manager"], period=None)
    crm = cm.connect(sample_folder, pseudonymise=KEY)
    text = written(batch.run(crm, tmp_path / "out", order))
    # single short names are syllables of other words; whole names, addresses and Ids are not
    words = {name for name in named if " " in name or "@" in name or name.startswith("005")}
    assert len(words) > 1000
    assert sorted(word for word in words if word in text) == []


@pytest.mark.parametrize("by", [[], ["owner"], ["manager", "region"]])
def test_figures_are_the_same_with_and_without_pseudonyms(
    sample: cm.Crm, hidden_sample: cm.Crm, by: list[str]
) -> None:
    plain, hidden = (crm.scorecard(by=by, period="quarter") for crm in (sample, hidden_sample))
    figures = [name for name in plain.columns if name not in by]
    assert plain.height > 0
    assert hidden.select(figures).sort(figures).equals(plain.select(figures).sort(figures))
    for word in by:
        cells = hidden[word].drop_nulls()
        assert cells.n_unique() == plain[word].drop_nulls().n_unique()
        people = r"^Person [0-9a-f]{12}$"
        queues = sample.tables.connection.sql('SELECT Name FROM crm."Group"').pl()["Name"]
        if word != "region":
            assert cells.filter(~cells.str.contains(people)).is_in(queues.implode()).all()
            assert cells.str.contains(people).any()


def test_logs_differ_in_people_only(sample: cm.Crm, hidden_sample: cm.Crm) -> None:
    for process in sample.processes:
        plain, hidden = sample.event_log(process), hidden_sample.event_log(process)
        same = ["case_id", "activity", "occurred_at", "recorded_at", "source_id", "direction"]
        assert hidden.events.select(same).equals(plain.events.select(same))
        assert hidden.variants().equals(plain.variants())


def test_another_key_gives_other_people(folder: Path) -> None:
    first, again, other = (
        set(cm.connect(folder, pseudonymise=key).event_log("case").events["actor"].drop_nulls())
        for key in (KEY, KEY, OTHER_KEY)
    )
    assert first == again
    assert len(first) == len(other) == 2
    assert first.isdisjoint(other)


def test_the_record_of_a_run_tells_of_pseudonyms_and_not_the_key(folder: Path, tmp_path: Path) -> None:
    crm = cm.connect(folder, pseudonymise=KEY, minimum_group=5)
    text = (batch.run(crm, tmp_path / "out", QUICK) / "run.json").read_text()
    assert json.loads(text)["people"] == {"pseudonymised": True, "minimum_group": 5}
    assert KEY not in text
    plain = (batch.run(cm.connect(folder), tmp_path / "plain", QUICK) / "run.json").read_text()
    assert json.loads(plain)["people"] == {"pseudonymised": False, "minimum_group": None}


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    return int(exit_.value.code or 0)


@pytest.mark.parametrize("source", ["file", "environment"])
def test_the_command_line_takes_the_key_from_a_file_or_the_environment(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.delenv("CRMMINING_KEY", raising=False)
    given: list[str | Path] = []
    if source == "file":
        (tmp_path / "key").write_text(f"{KEY}\n")
        given = ["--key-file", tmp_path / "key"]
    else:
        monkeypatch.setenv("CRMMINING_KEY", KEY)
    out = tmp_path / "out"
    assert (
        run(
            "run",
            folder,
            "--out",
            out,
            "--pseudonymise",
            *given,
            "--minimum-group",
            "3",
            "--no-report",
            "--process",
            "case",
        )
        == 0
    )
    assert json.loads((out / "run.json").read_text())["people"] == {"pseudonymised": True, "minimum_group": 3}
    actors = set(pl.read_parquet(out / "events" / "case.parquet")["actor"].drop_nulls())
    assert actors == set(cm.connect(folder, pseudonymise=KEY).event_log("case").events["actor"].drop_nulls())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--pseudonymise"], "needs a key: name a file with --key-file, or set CRMMINING_KEY"),
        (["--pseudonymise", "--key-file", "empty"], "needs a key"),
        (["--pseudonymise", "--key-file", "short"], "the key for pseudonyms has 5 bytes, but must have 16"),
        (["--pseudonymise", "--key-file", "nowhere"], "nowhere cannot be read: No such file"),
        (["--key-file", "short"], "--key-file is only of use with --pseudonymise"),
        (["--minimum-group", "0"], "minimum_group is 0, but must be a number of cases, 1 or more"),
    ],
)
def test_keys_that_are_none_are_one_clear_error(
    place: Path, capsys: pytest.CaptureFixture[str], given: list[str], message: str
) -> None:
    for command, *where in (("run", "--out", "out"), ("check", "--targets", "targets.toml")):
        assert run(command, place, *where, *given) == 2
        said = capsys.readouterr().err
        assert message in said
        assert "abcde" not in said
    assert not (place / "out").exists()


@pytest.fixture
def place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the small CRM to work in, with files that hold no key, and none in the environment."""
    monkeypatch.delenv("CRMMINING_KEY", raising=False)
    monkeypatch.chdir(folder)
    (folder / "empty").write_text(" \n")
    (folder / "short").write_text("abcde\n")
    (folder / "targets.toml").write_text("[data]\nmax_quarantined = 0.5\n")
    return folder


def test_check_holds_targets_against_pseudonymous_data(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRMMINING_KEY", KEY)
    (tmp_path / "targets.toml").write_text("[data]\nrequire = ['User.Name']\n")
    assert run("check", folder, "--targets", tmp_path / "targets.toml", "--pseudonymise") == 0
    assert capsys.readouterr().err == ""


def test_a_queue_is_no_person(write: Callable[..., Path]) -> None:
    log = cm.connect(write(**FILES), pseudonymise=KEY).event_log("lead")
    assert log.cases["owner"].to_list() == ["Second Line"]

"""The README cannot drift: its lines are run and its files are what it says."""

import doctest
import re
import tomllib
from pathlib import Path

import polars as pl
import pytest

import crmmining as cm
from crmmining import targets
from crmmining.definitions import read_catalogue, shipped
from crmmining.show.catalogue import written

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_lines_give_the_output_that_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    code = "\n".join(re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL))
    test = doctest.DocTestParser().get_doctest(code, {}, "README.md", "README.md", 0)
    assert len(test.examples) == 6
    with pl.Config(restore_defaults=True):
        assert doctest.DocTestRunner().run(test).failed == 0


def test_the_numbers_in_the_text_are_the_sample_s(sample: cm.Crm) -> None:
    log = sample.event_log("opportunity")
    conversion = log.conversion("created", "won")
    assert conversion.select("reached", "n", "open").row(0) == (87, 246, 64)
    assert "87 of 246 opportunities were won, 64 are still open" in README
    assert log.throughput("created", "won")["median"].dt.total_days().to_list() == [53]
    assert "the median win took 53 days" in README


def test_the_row_in_the_text_becomes_the_event_in_the_text(sample: cm.Crm) -> None:
    event = sample.event_log("opportunity").events.filter(pl.col("source_id") == "0175e003000000XAAQ")
    assert event.select("case_id", pl.col("activity").cast(pl.String), "old_value", "new_value").rows() == [
        ("0065e0000000001AAA", "Win Opportunity", "Proposal/Price Quote", "Closed Won")
    ]
    assert "*Win Opportunity* of case `0065e0000000001AAA`" in README


def test_its_toml_is_valid(tmp_path: Path) -> None:
    goals, kpi = re.findall(r"```toml\n(.*?)```", README, flags=re.DOTALL)
    (tmp_path / "targets.toml").write_text(goals)
    assert targets.read_targets(tmp_path / "targets.toml", read_catalogue()).kpis == ["lead_conversion"]
    (tmp_path / "kpis").mkdir()
    (tmp_path / "kpis" / "lead.toml").write_text(kpi)
    assert read_catalogue(kpis=[tmp_path / "kpis"]).kpi(next(iter(tomllib.loads(kpi)))).kind == "duration"


def test_the_kpi_page_is_the_catalogue() -> None:
    page = shipped("kpis") / "README.md"
    assert page.read_text(encoding="utf-8") == written(read_catalogue(), "markdown") + "\n"

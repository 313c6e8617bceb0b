"""A target says as of when its segment counts and how many of its cases are not covered in full."""

from pathlib import Path
from typing import Literal

import polars as pl
import pytest

from crmmining.definitions import read_catalogue
from crmmining.errors import DefinitionError
from crmmining.targets import Target, Targets, Verdict, judge, read_targets

ROW = {
    "kpi": "win_rate",
    "region": "EMEA",
    "part": "share",
    "clock": None,
    "value": 0.25,
    "unit": "share",
    "n": 52,
    "truncated": 3,
    "basis": "outcome",
}
GOAL = Targets(targets={"wins": Target(kpi="win_rate", min=0.5, segment={"region": "EMEA"})})


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ({}, "[region=EMEA, as of outcome] is 0.25 share (n=52, truncated=3); min 0.5, missed by 0.25"),
        ({"basis": "now", "truncated": 0}, "[region=EMEA] is 0.25 share (n=52); min 0.5, missed by 0.25"),
    ],
)
def test_a_line_says_so_where_there_is_something_to_say(told: dict[str, object], line: str) -> None:
    results = judge(GOAL, {("region",): pl.DataFrame([ROW | told])}, {"win_rate": []})
    assert list(Verdict(results, ()).lines()) == [f"MISSED  wins: win_rate share {line}"]
    assert results.select("basis", "truncated").row(0) == tuple(
        (ROW | told)[k] for k in ("basis", "truncated")
    )


TIME = ROW | {"kpi": "resolution_time", "part": "mean", "unit": "s", "truncated": 0, "basis": "now"}
TIMES = [TIME | {"clock": clock, "value": value} for clock, value in (("business", 60.0), ("calendar", 90.0))]


@pytest.mark.parametrize(
    ("clock", "rows", "said"),
    [
        (None, TIMES, "mean (calendar time) [region=EMEA] is 90 s (n=52); max 70, missed by 20"),
        ("calendar", TIMES, "mean (calendar time) [region=EMEA] is 90 s (n=52); max 70, missed by 20"),
        ("business", TIMES, "mean (business time) [region=EMEA] is 60 s (n=52); max 70"),
        (
            "business",
            TIMES[1:],
            "mean (business time) [region=EMEA] cannot be computed: the source lacks business hours; max 70",
        ),
    ],
)
def test_a_target_of_a_time_is_one_of_a_clock(
    clock: Literal["calendar", "business"] | None, rows: list[dict[str, object]], said: str
) -> None:
    goal = Target(kpi="resolution_time", part="mean", clock=clock, max=70, segment={"region": "EMEA"})
    results = judge(
        Targets(targets={"soon": goal}), {("region",): pl.DataFrame(rows)}, {"resolution_time": []}
    )
    (line,) = Verdict(results, ()).lines()
    assert line.split("resolution_time ")[1] == said
    assert results["clock"].to_list() == [clock or "calendar"]


def test_half_may_not_have_come_yet() -> None:
    none = TIME | {"part": "median_with_open", "clock": "calendar", "value": None}
    goal = Targets(targets={"soon": Target(kpi="resolution_time", part="median_with_open", max=70)})
    results = judge(goal, {(): pl.DataFrame([none])}, {"resolution_time": []})
    assert results.select("met", "note").rows() == [(False, "has no value: too few cases have come so far")]


def test_what_is_no_time_has_no_clock(tmp_path: Path) -> None:
    file = tmp_path / "targets.toml"
    file.write_text("[targets.wins]\nkpi = 'win_rate'\nclock = 'business'\nmin = 0.5\n")
    with pytest.raises(DefinitionError, match=r"targets.wins: clock: KPI 'win_rate' measures no time"):
        read_targets(file, read_catalogue())

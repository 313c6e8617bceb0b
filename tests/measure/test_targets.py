"""A target says as of when its segment counts and how many of its cases are not covered in full."""

import polars as pl
import pytest

from crmmining.targets import Target, Targets, Verdict, judge

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

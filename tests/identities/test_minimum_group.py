"""No figure about people stands for fewer cases than it must, nor can be had by subtraction."""

from pathlib import Path

import polars as pl
import polars.selectors as cs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import crmmining as cm
from crmmining import disclosure, targets
from crmmining.errors import DefinitionError

CELLS = pl.DataFrame(
    {
        "owner": ["Ann", "Bob", "Cy", "Ann", "Bob", "Cy", "Di"],
        "region": ["N", "N", "N", "S", "S", "S", "S"],
        "n": [9, 4, 7, 3, 2, 8, 6],
        "value": [0.9, 0.4, 0.7, 0.3, 0.2, 0.8, 0.6],
    }
)


def withheld(cells: pl.DataFrame, minimum: int, within: list[str]) -> list[int | None]:
    return disclosure.withhold(cells, minimum, people=["owner"], within=within, figures=["value", "n"])[
        "n"
    ].to_list()


def test_cells_below_the_minimum_are_withheld() -> None:
    # N: 4 is too small and alone, so that the next smallest, 7, goes too; S: 3 + 2 are 5 together
    assert withheld(CELLS, 5, ["region"]) == [9, None, None, None, None, 8, 6]


def test_all_cells_of_one_total_are_seen_together() -> None:
    assert withheld(CELLS, 5, []) == [9, None, 7, None, None, 8, 6]


def test_what_is_withheld_together_reaches_the_minimum() -> None:
    # S: 3 + 2 = 5 are fewer than 6; the smallest that is not, Di's 6, goes too
    assert withheld(CELLS, 6, ["region"]) == [9, None, None, None, None, 8, None]


def test_a_cell_of_the_minimum_is_shown_and_nothing_withheld() -> None:
    assert withheld(CELLS, 2, ["region"]) == CELLS["n"].to_list()


def test_figures_go_with_the_count_and_names_stay() -> None:
    found = disclosure.withhold(CELLS, 5, people=["owner"], within=["region"], figures=["value", "n"])
    assert found["value"].to_list() == [0.9, None, None, None, None, 0.8, 0.6]
    assert found["owner"].equals(CELLS["owner"])


def test_no_cases_are_too_few_cases() -> None:
    cells = pl.DataFrame({"owner": ["Ann", "Bob", None], "n": [0, 7, 6], "value": [0.0, 7.0, 6.0]})
    assert withheld(cells, 5, []) == [None, 7, None]


def test_ties_are_settled_by_name() -> None:
    cells = pl.DataFrame({"owner": ["Cy", "Bob", "Ann"], "n": [7, 7, 1], "value": [1.0, 1.0, 1.0]})
    assert withheld(cells, 5, []) == [7, None, None]


@given(
    st.lists(
        st.tuples(st.sampled_from("ABCDEFGH"), st.sampled_from("NS"), st.integers(0, 12)),
        unique_by=lambda cell: cell[:2],
        max_size=16,
    ),
    st.integers(1, 10),
)
def test_nothing_small_is_shown_or_left_over(cells: list[tuple[str, str, int]], minimum: int) -> None:
    schema = {"owner": pl.String, "region": pl.String, "n": pl.Int64}
    frame = pl.DataFrame(cells, schema=schema, orient="row").with_columns(value=pl.lit(1.0))
    shown = frame.with_columns(shown=pl.Series(withheld(frame, minimum, ["region"]), dtype=pl.Int64))
    for rows in shown.partition_by("region"):
        hidden = rows.filter(pl.col("shown").is_null())
        kept = rows.filter(pl.col("shown").is_not_null())
        assert kept.filter(pl.col("n") < minimum).is_empty()
        assert kept["shown"].equals(kept["n"], check_names=False)
        # total - shown = withheld: nothing, or cases enough, or there is nothing shown to subtract
        assert hidden.is_empty() or kept.is_empty() or hidden["n"].sum() >= minimum
        # not more than the small ones and one beside them
        assert hidden.filter(pl.col("n") >= minimum).height <= 1


@pytest.fixture(scope="module")
def guarded(sample_folder: Path) -> cm.Crm:
    return cm.connect(sample_folder, minimum_group=30)


def test_scorecards_by_people_are_withheld_and_others_not(sample: cm.Crm, guarded: cm.Crm) -> None:
    plain, shown = (crm.scorecard(by=["owner"], kpis=["cases_closed"]) for crm in (sample, guarded))
    small = plain.filter(pl.col("n") < 30)
    assert 0 < small.height < plain.height
    kept = shown.filter(pl.col("n").is_not_null())
    assert kept["n"].min() == plain.filter(pl.col("n") >= 30)["n"].min()
    gone = shown.filter(pl.col("n").is_null())
    numbers = gone.select(cs.numeric())
    assert {"value", "low", "high", "n", "open", "excluded"} <= set(numbers.columns)
    assert numbers.null_count().row(0) == (gone.height,) * numbers.width
    assert gone.height == small.height + (0 if small["n"].sum() >= 30 else 1)
    assert shown.select("kpi", "owner", "part", "unit").equals(plain.select("kpi", "owner", "part", "unit"))
    for by in ([], ["region"]):
        plain, shown = (crm.scorecard(by=by, kpis=["cases_closed"]) for crm in (sample, guarded))
        assert shown.equals(plain)


def test_throughput_and_conversion_by_people(sample: cm.Crm, guarded: cm.Crm) -> None:
    for verb in ("throughput", "conversion"):
        plain = getattr(sample.event_log("case"), verb)("created", "closed", by=["owner"])
        shown = getattr(guarded.event_log("case"), verb)("created", "closed", by=["owner"])
        small = plain["n"] < 30
        assert 0 < small.sum() < plain.height
        assert shown.filter(small).drop("owner").null_count().row(0) == (small.sum(),) * (plain.width - 1)
        assert shown["owner"].equals(plain["owner"])
        regions = getattr(guarded.event_log("case"), verb)("created", "closed", by=["region"])
        assert regions.equals(getattr(sample.event_log("case"), verb)("created", "closed", by=["region"]))


def test_filtered_logs_keep_the_minimum(sample: cm.Crm, guarded: cm.Crm) -> None:
    plain, shown = (
        crm.event_log("case").filter(where="region = 'EMEA'").throughput("created", "closed", by=["owner"])
        for crm in (sample, guarded)
    )
    assert shown["n"].null_count() > 0
    assert shown.equals(disclosure.withhold_cells(plain, 30, by=["owner"], people=["owner"]))


def test_quality_counts_what_is_withheld(guarded: cm.Crm) -> None:
    rows = guarded.scorecard("case", by=["manager"], period="year")
    counted = guarded.quality("case", by=["manager"], period="year").filter(
        pl.col("reason").str.starts_with("withheld: fewer than 30 cases")
    )
    assert counted.select("scope", "table", "disposition", "rows").rows() == [
        ("log", "case", "finding", rows["n"].null_count())
    ]
    assert rows["n"].null_count() > 0
    assert guarded.quality("case", by=["region"]).filter(pl.col("reason").str.contains("withheld")).is_empty()


def test_targets_about_too_few_cases_are_missed_and_say_why(guarded: cm.Crm, tmp_path: Path) -> None:
    rows = guarded.scorecard("case", by=["owner"], kpis=["cases_closed"])
    owner = rows.filter(pl.col("n").is_null() & pl.col("owner").is_not_null())["owner"][0]
    path = tmp_path / "targets.toml"
    path.write_text(f'[targets.one]\nkpi = "cases_closed"\nmin = 0\nsegment = {{ owner = "{owner}" }}\n')
    verdict = targets.check(guarded, path)
    assert not verdict.met
    assert verdict.results["note"].to_list() == ["is withheld: too few cases for a figure about people"]


def test_people_must_be_segments(tmp_path: Path) -> None:
    place = tmp_path / "salesforce"
    place.mkdir()
    (place / "case.toml").write_text('people = ["owner", "nobody"]\n')
    with pytest.raises(DefinitionError, match="people: segment 'nobody' is not declared"):
        cm.connect("data/sample", extractors=[tmp_path])

"""pm4py answers the same questions on the same generated log alike."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from crmmining.kernels import coding, rework, throughput, transitions, variants

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ["call", "create", "quote", "stage", "win"]


@pytest.fixture(scope="module")
def flat() -> pl.DataFrame:
    """400 cases of 1 to 9 events, whole seconds that grow inside a case, rows shuffled."""
    random = np.random.default_rng(11)
    length = random.integers(1, 10, 400)
    case = np.repeat(np.arange(400), length)
    seconds = np.cumsum(random.integers(1, 100_000, len(case)))
    frame = pl.DataFrame(
        {
            "case_id": [f"006000000{place:06}AAA" for place in case],
            "activity": [NAMES[code] for code in random.integers(0, 5, len(case))],
            "occurred_at": [START + timedelta(seconds=int(second)) for second in seconds],
        },
        schema_overrides={"occurred_at": pl.Datetime("us", "UTC")},
    )
    return frame[random.permutation(len(case))]


def test_variants_edges_durations_and_rework_agree(
    flat: pl.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    coded = coding.code(flat)
    log, name = coded.events, coded.activities
    import pm4py  # noqa: PLC0415  AGPL and slow: only where it is asked for

    theirs = pm4py.format_dataframe(
        flat.to_pandas(), case_id="case_id", activity_key="activity", timestamp_key="occurred_at"
    )
    their_variants = pm4py.get_variants(theirs)
    their_counts, their_starts, their_ends = pm4py.discover_dfg(theirs)
    their_times = pm4py.discover_performance_dfg(theirs)[0]
    their_durations = pm4py.get_all_case_durations(theirs)
    their_rework = pm4py.get_rework_cases_per_activity(theirs)
    capsys.readouterr()  # its banner

    tally = variants.variants(log)
    ours = {
        tuple(name[code] for code in sequence): cases
        for sequence, cases in zip(variants.sequences(tally["sequence"]), tally["cases"], strict=True)
    }
    assert ours == {variant: int(count) for variant, count in their_variants.items()}
    assert sum(ours.values()) == 400

    edges = transitions.summarise(transitions.transitions(log))
    assert {
        (name[a], name[b]): n for a, b, n in edges.select("source", "target", "n").iter_rows()
    } == their_counts
    for source, target, median, mean in edges.select(
        "source", "target", "median_seconds", "mean_seconds"
    ).iter_rows():
        times = their_times[name[source], name[target]]
        assert mean == pytest.approx(times["mean"])
        assert abs(median - times["median"]) * 128 <= times["median"]  # what a bucket of times may differ

    ends = transitions.endpoints(log)
    for column, expected in (("first", their_starts), ("last", their_ends)):
        assert {name[code]: n for code, n in ends[column].value_counts().iter_rows()} == expected

    spans = throughput.spans(log)
    assert sorted((spans["last_at"] - spans["first_at"]).dt.total_seconds()) == their_durations

    table = rework.rework_by_activity(log).filter(pl.col("rework_cases") > 0)
    assert {name[code]: n for code, n in table.select("activity", "rework_cases").iter_rows()} == their_rework

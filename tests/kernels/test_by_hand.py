"""Five-event logs, answered by hand."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from crmmining.kernels import merge, milestones, rework, throughput, transitions, variants

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
LOG = pl.Schema(
    {
        "case_ix": pl.UInt32(),
        "activity": pl.UInt16(),
        "occurred_at": pl.Datetime("us", "UTC"),
        "direction": pl.Int8(),
    }
)
CREATE, WORK, WIN = 0, 1, 7


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def log(*rows: tuple[int, int, float, int | None]) -> pl.DataFrame:
    """Build a sorted log from case, activity, seconds after START, direction."""
    return pl.DataFrame(
        [(case, activity, at(seconds), direction) for case, activity, seconds, direction in rows],
        schema=LOG,
        orient="row",
    )


# case 0 is created, worked on twice at one instant and won; case 2 is only created; case 1 has no event
FIVE = log((0, CREATE, 0, None), (0, WORK, 10, 1), (0, WORK, 10, -1), (0, WIN, 40.9, 2), (2, CREATE, 5, None))
ONE = log((0, WORK, 3, None))
EMPTY = log()


def test_variants() -> None:
    assert variants.variants(FIVE).rows() == [([CREATE], 1), ([CREATE, WORK, WORK, WIN], 1)]
    assert variants.variants(ONE).rows() == [([WORK], 1)]
    assert variants.variants(EMPTY).schema == {"sequence": pl.List(pl.UInt16), "cases": pl.Int64}


def test_variants_put_the_most_frequent_first_and_break_ties_by_sequence() -> None:
    five = log(
        (0, WIN, 0, None), (1, WORK, 0, None), (2, WIN, 0, None), (3, CREATE, 0, None), (3, WIN, 1, None)
    )
    assert variants.variants(five).rows() == [([WIN], 2), ([CREATE, WIN], 1), ([WORK], 1)]


def test_variants_tell_a_sequence_from_its_prefix_and_from_its_reverse() -> None:
    five = log((0, 0, 0, None), (1, 0, 0, None), (1, 0, 1, None), (2, 1, 0, None), (2, 0, 1, None))
    assert variants.variants(five).rows() == [([0], 1), ([0, 0], 1), ([1, 0], 1)]


def test_variants_stay_exact_when_every_fingerprint_collides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variants, "_scatter", lambda values: values & 0)
    assert variants.variants(FIVE).rows() == [([CREATE], 1), ([CREATE, WORK, WORK, WIN], 1)]
    same_length = log((0, 3, 0, None), (0, 4, 1, None), (1, 4, 0, None), (1, 3, 1, None), (2, 9, 0, None))
    assert variants.variants(same_length).rows() == [([3, 4], 1), ([4, 3], 1), ([9], 1)]


def test_variant_of() -> None:
    five = log((0, 0, 0, None), (0, 1, 1, None), (2, 0, 0, None), (2, 1, 9, None), (3, 1, 0, None))
    named = variants.variant_of(five)
    assert named.select("case_ix", "length").rows() == [(0, 2), (2, 2), (3, 1)]
    assert named["variant"][0] == named["variant"][1] != named["variant"][2]
    assert named.schema == {"case_ix": pl.UInt32, "variant": pl.UInt64, "length": pl.Int64}
    assert variants.variant_of(EMPTY).schema == named.schema


def test_variant_fingerprints_never_change() -> None:
    """Stored logs hold them: another value for a known sequence would be a break of format."""
    assert variants.variant_of(FIVE)["variant"].to_list() == [6374610678368260439, 14894989331945708789]


def test_transitions() -> None:
    tally = transitions.transitions(FIVE)
    assert tally.rows() == [(CREATE, WORK, 10, 1), (WORK, WORK, 0, 1), (WORK, WIN, 30, 1)]
    assert tally.schema == transitions.TALLY
    assert transitions.transitions(ONE).schema == transitions.TALLY
    assert transitions.transitions(ONE).is_empty()
    assert transitions.transitions(EMPTY).is_empty()


def test_transitions_count_equal_durations_once() -> None:
    five = log((0, 1, 0, None), (0, 2, 5, None), (1, 1, 7, None), (1, 2, 12, None), (1, 1, 12, None))
    assert transitions.transitions(five).rows() == [(1, 2, 5, 2), (2, 1, 0, 1)]


def test_transitions_take_gaps_of_many_years() -> None:
    century = 3_155_760_000
    assert transitions.transitions(log((0, 65535, 0, None), (0, 65535, century, None))).rows() == [
        (65535, 65535, century, 1)
    ]


def test_summarise_interpolates_between_the_two_nearest_values() -> None:
    tally = pl.DataFrame(
        [(1, 2, 10, 1), (1, 2, 20, 2), (1, 2, 50, 1), (3, 3, 7, 1)], schema=transitions.TALLY, orient="row"
    )
    # 10, 20, 20, 50: median at rank 1.5 = 20, p90 at rank 2.7 = 20 + 0.7 * 30
    assert transitions.summarise(tally).rows() == [
        (1, 2, 4, 100, 20.0, 41.0, 25.0),
        (3, 3, 1, 7, 7.0, 7.0, 7.0),
    ]
    assert transitions.summarise(tally[:0]).schema == {
        "source": pl.UInt16,
        "target": pl.UInt16,
        "n": pl.Int64,
        "total_seconds": pl.Int64,
        "median_seconds": pl.Float64,
        "p90_seconds": pl.Float64,
        "mean_seconds": pl.Float64,
    }


def test_endpoints() -> None:
    assert transitions.endpoints(FIVE).rows() == [(0, CREATE, WIN), (2, CREATE, CREATE)]
    assert transitions.endpoints(ONE).rows() == [(0, WORK, WORK)]
    assert transitions.endpoints(EMPTY).schema == {
        "case_ix": pl.UInt32,
        "first": pl.UInt16,
        "last": pl.UInt16,
    }


def test_between() -> None:
    assert throughput.between(FIVE, [CREATE], [WIN]).rows() == [(0, at(0), at(40.9)), (2, at(5), None)]
    assert throughput.between(FIVE, [WORK], [WORK, WIN]).rows() == [(0, at(10), at(10))]
    assert throughput.between(FIVE, [WIN], [CREATE]).rows() == [(0, at(40.9), None)]
    assert throughput.between(FIVE, [99], [CREATE]).is_empty()
    assert throughput.between(FIVE, [CREATE], []).rows() == [(0, at(0), None), (2, at(5), None)]
    assert throughput.between(ONE, [WORK], [WORK]).rows() == [(0, at(3), None)]
    time = pl.Datetime("us", "UTC")
    assert throughput.between(EMPTY, [0], [1]).schema == {"case_ix": pl.UInt32, "start": time, "end": time}


def test_between_takes_the_end_after_the_first_start_in_log_order() -> None:
    five = log(
        (0, WIN, 0, None), (0, CREATE, 0, None), (0, WIN, 0, None), (0, CREATE, 6, None), (0, WIN, 9, None)
    )
    assert throughput.between(five, [CREATE], [WIN]).rows() == [(0, at(0), at(0))]


def test_spans() -> None:
    assert throughput.spans(FIVE).rows() == [(0, at(0), at(40.9), 4), (2, at(5), at(5), 1)]
    assert throughput.spans(ONE).rows() == [(0, at(3), at(3), 1)]
    time = pl.Datetime("us", "UTC")
    assert throughput.spans(EMPTY).schema == {
        "case_ix": pl.UInt32,
        "first_at": time,
        "last_at": time,
        "n_events": pl.Int64,
    }


def test_instants() -> None:
    facts = milestones.instants(FIVE, {"created": [CREATE], "worked": [WORK, WIN], "lost": []})
    assert facts.to_dict(as_series=False) == {
        "case_ix": [0, 2],
        "created_at": [at(0), at(5)],
        "created_last": [at(0), at(5)],
        "created_n": [1, 1],
        "worked_at": [at(10), None],
        "worked_last": [at(40.9), None],
        "worked_n": [3, 0],
        "lost_at": [None, None],
        "lost_last": [None, None],
        "lost_n": [0, 0],
    }
    time = pl.Datetime("us", "UTC")
    assert milestones.instants(EMPTY, {"won": [WIN]}).schema == {
        "case_ix": pl.UInt32,
        "won_at": time,
        "won_last": time,
        "won_n": pl.UInt32,
    }
    assert milestones.instants(ONE, {}).rows() == [(0,)]


def test_last_of() -> None:
    assert milestones.last_of(FIVE, [CREATE, WORK]).rows() == [(0, WORK, at(10)), (2, CREATE, at(5))]
    assert milestones.last_of(FIVE, [WIN]).rows() == [(0, WIN, at(40.9))]
    assert milestones.last_of(FIVE, []).is_empty()
    assert milestones.last_of(EMPTY, [WIN]).schema == {
        "case_ix": pl.UInt32,
        "activity": pl.UInt16,
        "occurred_at": pl.Datetime("us", "UTC"),
    }


def test_rework() -> None:
    # case_ix, n_events, repeats, self_loops, regressions, skips
    assert rework.rework(FIVE).rows() == [(0, 4, 1, 1, 1, 1), (2, 1, 0, 0, 0, 0)]
    assert rework.rework(FIVE.drop("direction")).rows() == [(0, 4, 1, 1, 0, 0), (2, 1, 0, 0, 0, 0)]
    assert rework.rework(ONE).rows() == [(0, 1, 0, 0, 0, 0)]
    assert rework.rework(EMPTY).schema == {"case_ix": pl.UInt32} | dict.fromkeys(
        ["n_events", "repeats", "self_loops", "regressions", "skips"], pl.Int64
    )


def test_rework_tells_a_repeat_from_a_self_loop() -> None:
    five = log((0, 1, 0, 1), (0, 2, 1, 1), (0, 1, 2, -1), (1, 1, 3, None), (1, 1, 4, None))
    assert rework.rework(five).rows() == [(0, 3, 1, 0, 1, 0), (1, 2, 1, 1, 0, 0)]


def test_rework_by_activity() -> None:
    # activity, cases, events, rework_cases, repeats, self_loops
    assert rework.rework_by_activity(FIVE).rows() == [
        (CREATE, 2, 2, 0, 0, 0),
        (WORK, 1, 2, 1, 1, 1),
        (WIN, 1, 1, 0, 0, 0),
    ]
    assert rework.rework_by_activity(ONE).rows() == [(WORK, 1, 1, 0, 0, 0)]
    assert rework.rework_by_activity(EMPTY).schema == {"activity": pl.UInt16} | dict.fromkeys(
        ["cases", "events", "rework_cases", "repeats", "self_loops"], pl.Int64
    )


def test_add_sums_per_key_and_sorts() -> None:
    one = pl.DataFrame({"a": [2, 1], "b": ["x", "x"], "n": [5, 7], "m": [0, 1]})
    two = pl.DataFrame({"a": [1, 1], "b": ["x", "w"], "n": [3, 1], "m": [1, 1]})
    assert merge.add([one, two], ["a", "b"]).rows() == [(1, "w", 1, 1), (1, "x", 10, 2), (2, "x", 5, 0)]
    assert merge.add([one[:0], one[:0]], ["a", "b"]).schema == one.schema


def test_add_of_variants_is_ranked_like_the_kernel() -> None:
    tally = merge.add([variants.variants(FIVE), variants.variants(ONE), variants.variants(ONE)], ["sequence"])
    assert tally.rows() == [([CREATE], 1), ([CREATE, WORK, WORK, WIN], 1), ([WORK], 2)]
    assert variants.ranked(tally).rows()[0] == ([WORK], 2)


def test_ranked_sorts_large_counts_and_codes() -> None:
    rows = [
        ([255], 2**40),
        ([256, 1], 2**40),
        ([256], 2**40),
        ([65535], 2**62),
        ([0], 1),
        ([0, 0], 1),
        ([1], 255),
    ]
    tally = pl.DataFrame(rows, schema=variants.SCHEMA, orient="row")
    assert variants.ranked(tally).rows() == [rows[place] for place in (3, 0, 2, 1, 6, 4, 5)]
    assert variants.ranked(tally).schema == variants.SCHEMA
    assert variants.ranked(tally.slice(4, 2).reverse()).rows() == rows[4:6]

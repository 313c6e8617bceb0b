"""Five-event logs, answered by hand."""

from datetime import UTC, datetime, timedelta

import numpy as np
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


def counted(events: pl.DataFrame) -> list[tuple[list[int], int]]:
    tally = variants.variants(events)
    return list(zip(variants.sequences(tally["sequence"]).to_list(), tally["cases"], strict=True))


def test_variants_stand_in_the_order_of_their_first_case() -> None:
    assert counted(FIVE) == [([CREATE, WORK, WORK, WIN], 1), ([CREATE], 1)]
    assert counted(ONE) == [([WORK], 1)]
    assert counted(EMPTY) == []
    assert variants.variants(EMPTY).schema == variants.SCHEMA
    five = log(
        (0, WIN, 0, None), (1, WORK, 0, None), (2, WIN, 0, None), (3, CREATE, 0, None), (3, WIN, 1, None)
    )
    assert counted(five) == [([WIN], 2), ([WORK], 1), ([CREATE, WIN], 1)]


def test_variants_tell_a_sequence_from_its_prefix_and_from_its_reverse() -> None:
    five = log((0, 0, 0, None), (1, 0, 0, None), (1, 0, 1, None), (2, 1, 0, None), (2, 0, 1, None))
    assert counted(five) == [([0], 1), ([0, 0], 1), ([1, 0], 1)]
    assert counted(log((0, 1, 0, None), (0, 0, 1, None), (1, 256, 0, None))) == [([1, 0], 1), ([256], 1)]


def test_rank_keeps_whole_classes_of_frequency() -> None:
    """Of 9, 4, 4, 2, 1, 1 cases five would cut between the last two, two between the fours."""
    rows = [(b"e", 1), (b"b", 4), (b"a", 9), (b"d", 2), (b"c", 4), (b"f", 1)]
    tally = pl.DataFrame(rows, schema=variants.SCHEMA, orient="row")
    found = {}
    for most in (6, 5, 4, 3, 2, 1, 0):
        top, others, cases = variants.rank([tally[:2], tally[2:]], most)
        found[most] = (sorted(top["cases"], reverse=True), others, cases)
    assert found == {
        6: ([9, 4, 4, 2, 1, 1], 0, 0),
        5: ([9, 4, 4, 2], 2, 2),
        4: ([9, 4, 4, 2], 2, 2),
        3: ([9, 4, 4], 3, 4),
        2: ([9], 5, 12),
        1: ([9], 5, 12),
        0: ([], 6, 21),
    }


def test_transitions() -> None:
    tally = transitions.transitions(FIVE)
    times = tally.drop("bucket")
    assert times.rows() == [(CREATE, WORK, 1, 10), (WORK, WORK, 1, 0), (WORK, WIN, 1, 30)]
    assert tally["bucket"].to_list() == transitions.bucket(np.array([10, 0, 30])).tolist()
    assert tally.schema == transitions.TALLY
    assert transitions.transitions(ONE).schema == transitions.TALLY
    assert transitions.transitions(ONE).is_empty()
    assert transitions.transitions(EMPTY).is_empty()
    assert transitions.counts(FIVE).rows() == [(CREATE, WORK, 1), (WORK, WORK, 1), (WORK, WIN, 1)]
    assert transitions.counts(EMPTY).schema == transitions.COUNTS


def test_transitions_count_equal_durations_once() -> None:
    five = log((0, 1, 0, None), (0, 2, 5, None), (1, 1, 7, None), (1, 2, 12, None), (1, 1, 12, None))
    assert transitions.transitions(five).drop("bucket").rows() == [(1, 2, 2, 10), (2, 1, 1, 0)]


def test_transitions_take_gaps_of_many_years() -> None:
    century = 3_155_760_000
    events = log((0, 65535, 0, None), (0, 65535, century, None))
    assert transitions.transitions(events).drop("bucket").rows() == [(65535, 65535, 1, century)]
    assert transitions.counts(events).rows() == [(65535, 65535, 1)]


def test_buckets_below_256_seconds_hold_one_time_and_none_spans_a_hundredth() -> None:
    """256 and 257 differ by 1/256 and share one, 10000 and 10078 by 1/128: 10000 = 78.1 * 128."""
    assert len(set(transitions.bucket(np.arange(256)).tolist())) == 256
    assert len(set(transitions.bucket(np.array([256, 257, 258])).tolist())) == 2
    seconds = np.unique(np.geomspace(256, 4e9, 100_000).astype(np.int64))
    found = pl.DataFrame({"seconds": seconds, "bucket": transitions.bucket(seconds)})
    assert found["bucket"].is_sorted()
    spans = found.group_by("bucket").agg(pl.min("seconds").alias("low"), pl.max("seconds").alias("high"))
    assert ((spans["high"] - spans["low"]) * 128 <= spans["low"]).all()


def test_a_quantile_takes_the_times_of_a_bucket_for_their_mean() -> None:
    """1000 and 1003 share a bucket, 1008 is in the next but one: 1001.5, 1001.5, 1008."""
    rows = [
        (0, 1, 0, None),
        (0, 2, 1000, None),
        (1, 1, 0, None),
        (1, 2, 1003, None),
        (2, 1, 0, None),
        (2, 2, 1008, None),
    ]
    edge = transitions.summarise(transitions.transitions(log(*rows))).row(0, named=True)
    assert (edge["median_seconds"], edge["total_seconds"], edge["mean_seconds"]) == (1001.5, 3011, 3011 / 3)
    assert edge["p90_seconds"] == pytest.approx(1001.5 + 0.8 * 6.5)


def test_summarise_interpolates_between_the_two_nearest_values() -> None:
    tally = pl.DataFrame(
        [(1, 2, 4, 1, 10), (1, 2, 5, 2, 40), (1, 2, 6, 1, 50), (3, 3, 3, 1, 7)],
        schema=transitions.TALLY,
        orient="row",
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

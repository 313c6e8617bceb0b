"""Every kernel against a second, naive implementation, and against itself over partitions of whole cases."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmmining.kernels import (
    merge,
    milestones,
    packing,
    rework,
    throughput,
    traces,
    transitions,
    variants,
)

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
ACTIVITIES = [0, 1, 2, 63, 64, 130, 65535]
STARTS, ENDS = {0, 1, 64}, {1, 2, 65535}
MILESTONES = {"first": [0], "some": [1, 64, 65535], "never": [9]}

Event = tuple[int, int, datetime, int | None]
Trace = list[Event]

EVENT = st.tuples(
    st.integers(0, 6),
    st.sampled_from(ACTIVITIES),
    st.integers(0, 40).map(lambda halves: START + timedelta(milliseconds=500 * halves)),
    st.sampled_from([None, -1, 0, 1, 2]),
)
LOGS = st.lists(EVENT, max_size=40).map(lambda rows: sorted(rows, key=lambda row: (row[0], row[2])))
SCHEMA = pl.Schema(
    {
        "case_ix": pl.UInt32(),
        "activity": pl.UInt16(),
        "occurred_at": pl.Datetime("us", "UTC"),
        "direction": pl.Int8(),
    }
)
CASES: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "endpoints": transitions.endpoints,
    "between": lambda events: throughput.between(events, STARTS, ENDS),
    "spans": throughput.spans,
    "instants": lambda events: milestones.instants(events, MILESTONES),
    "last_of": lambda events: milestones.last_of(events, ENDS),
    "rework": rework.rework,
    "sums": lambda events: milestones.sums(events.rename({"direction": "delta"}), MILESTONES),
}
TALLIES: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], list[str]]] = {
    "variants": (variants.variants, ["sequence"]),
    "transitions": (transitions.transitions, ["source", "target", "bucket"]),
    "counts": (transitions.counts, ["source", "target"]),
    "ends": (transitions.ends, ["activity"]),
    "rework_by_activity": (rework.rework_by_activity, ["activity"]),
}


def frame(rows: list[Event]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def by_case(rows: list[Event]) -> dict[int, Trace]:
    cases: dict[int, Trace] = defaultdict(list)
    for row in rows:
        cases[row[0]].append(row)
    return cases


def codes(trace: Trace) -> list[int]:
    return [activity for _, activity, *_ in trace]


@given(LOGS)
def test_variants_equal_a_counter_of_lists(rows: list[Event]) -> None:
    count = Counter(tuple(codes(trace)) for trace in by_case(rows).values())
    tally = variants.variants(frame(rows))
    sequences = variants.sequences(tally["sequence"])
    assert list(zip(map(tuple, sequences), tally["cases"], strict=True)) == list(count.items())


@given(LOGS, st.integers(1, 5000))
def test_transitions_and_summary_equal_a_loop(rows: list[Event], stretch: int) -> None:
    """Times are stretched, so that some of them share a bucket: each counts as the mean of those that do."""
    rows = [(*row[:2], START + (row[2] - START) * stretch, *row[3:]) for row in rows]
    gaps: dict[tuple[int, int], list[int]] = defaultdict(list)
    for trace in by_case(rows).values():
        for (_, source, before, *_), (_, target, after, *_) in pairwise(trace):
            gaps[source, target].append((after - before) // timedelta(seconds=1))
    tally, expected, whole = [], [], []
    for edge, values in sorted(gaps.items()):
        shared: dict[int, list[int]] = defaultdict(list)
        for value in sorted(values):
            bits = max(value.bit_length() - 8, 0)
            shared[value >> bits << bits].append(value)
        tally += [(*edge, len(times), sum(times)) for times in shared.values()]
        means = [float(np.mean(times)) for times in shared.values() for _ in times]
        expected.append((*edge, len(values), sum(values), np.quantile(means, 0.5), np.quantile(means, 0.9)))
        whole.append(np.quantile(values, 0.5))
    found = transitions.transitions(frame(rows))
    assert found.drop("bucket").rows() == tally
    summary = transitions.summarise(found)
    assert summary.select(pl.nth(0, 1, 2, 3)).rows() == [row[:4] for row in expected]
    for name, at in (("median_seconds", 4), ("p90_seconds", 5)):
        assert np.allclose(summary[name].to_list(), [row[at] for row in expected], rtol=1e-12)
    assert np.allclose(summary["median_seconds"].to_list(), whole, rtol=1 / 128)
    counts = transitions.counts(frame(rows))
    assert counts.rows() == [row[:3] for row in expected]


@given(LOGS)
def test_endpoints_and_spans_equal_the_ends_of_each_trace(rows: list[Event]) -> None:
    cases = by_case(rows)
    assert transitions.endpoints(frame(rows)).rows() == [
        (case, codes(trace)[0], codes(trace)[-1]) for case, trace in cases.items()
    ]
    first, last = (Counter(codes(trace)[at] for trace in cases.values()) for at in (0, -1))
    assert transitions.ends(frame(rows)).rows() == [(a, first[a], last[a]) for a in sorted({*first, *last})]
    assert throughput.spans(frame(rows)).rows() == [
        (case, trace[0][2], trace[-1][2], len(trace)) for case, trace in cases.items()
    ]


@given(LOGS)
def test_between_equals_a_loop(rows: list[Event]) -> None:
    expected: list[tuple[int, datetime, datetime | None]] = []
    for case, trace in by_case(rows).items():
        begin = next((place for place, event in enumerate(trace) if event[1] in STARTS), None)
        if begin is not None:
            end = next((event[2] for event in trace[begin + 1 :] if event[1] in ENDS), None)
            expected.append((case, trace[begin][2], end))
    assert throughput.between(frame(rows), STARTS, ENDS).rows() == expected


@given(LOGS)
def test_instants_and_last_of_equal_a_loop(rows: list[Event]) -> None:
    facts = milestones.instants(frame(rows), MILESTONES)
    expected: list[tuple[object, ...]] = []
    lasts: list[tuple[int, int, datetime]] = []
    for case, trace in by_case(rows).items():
        row: list[object] = [case]
        for wanted in MILESTONES.values():
            times = [time for _, activity, time, *_ in trace if activity in wanted]
            row += [times[0] if times else None, times[-1] if times else None, len(times)]
        expected.append(tuple(row))
        lasts += [event[:3] for event in trace if event[1] in ENDS][-1:]
    assert facts.rows() == expected
    assert milestones.last_of(frame(rows), ENDS).rows() == lasts


@settings(max_examples=40)
@given(LOGS)
def test_sums_equal_a_loop(rows: list[Event]) -> None:
    expected = [
        (
            case,
            *(float(sum(row[3] or 0 for row in trace if row[1] in wanted)) for wanted in MILESTONES.values()),
        )
        for case, trace in by_case(rows).items()
    ]
    assert CASES["sums"](frame(rows)).rows() == expected


@given(LOGS, st.sampled_from([ACTIVITIES, range(7)]))
def test_rework_equals_a_loop(rows: list[Event], recoded: Sequence[int]) -> None:
    """Few activities are counted in a table, many by sorting."""
    rows = [(case, recoded[ACTIVITIES.index(code)], *rest) for case, code, *rest in rows]  # type: ignore[misc]
    expected: list[tuple[int, ...]] = []
    table: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    for case, trace in by_case(rows).items():
        done = codes(trace)
        loops = [later for before, later in pairwise(done) if before == later]
        directions = [event[3] for event in trace]
        expected.append(
            (
                case,
                len(done),
                len(done) - len(set(done)),
                len(loops),
                directions.count(-1),
                directions.count(2),
            )
        )
        for activity, n in Counter(done).items():
            change = (1, n, int(n > 1), n - 1, loops.count(activity))
            table[activity] = [old + new for old, new in zip(table[activity], change, strict=True)]
    assert rework.rework(frame(rows)).rows() == expected
    assert rework.rework_by_activity(frame(rows)).rows() == [(a, *table[a]) for a in sorted(table)]


@settings(max_examples=60)
@given(LOGS, st.lists(st.integers(0, 2), min_size=7, max_size=7))
def test_case_kernels_concatenate_over_partitions_of_cases(rows: list[Event], part_of: list[int]) -> None:
    for name, kernel in CASES.items():
        found = []
        for part in range(3):
            local = [case for case in range(7) if part_of[case] == part]
            rename = {case: place for place, case in enumerate(local)}
            events = frame([(rename[row[0]], *row[1:]) for row in rows if row[0] in rename])
            back = pl.Series(local, dtype=pl.UInt32)
            found.append(
                kernel(events).with_columns(pl.col("case_ix").replace_strict(range(len(back)), back))
            )
        assert pl.concat(found).sort("case_ix").equals(kernel(frame(rows))), name


@settings(max_examples=60)
@given(LOGS, st.lists(st.integers(0, 2), min_size=7, max_size=7))
def test_tally_kernels_add_over_partitions_of_cases(rows: list[Event], part_of: list[int]) -> None:
    for name, (kernel, keys) in TALLIES.items():
        parts = [kernel(frame([row for row in rows if part_of[row[0]] == part])) for part in range(3)]
        assert merge.add(parts, keys).equals(kernel(frame(rows)).sort(keys)), name
        together = merge.Sum(keys)
        for part in parts:
            together.put(part)
        assert together.tally.sort(keys).equals(kernel(frame(rows)).sort(keys)), name


@settings(max_examples=60)
@given(LOGS, st.integers(1, 6))
def test_blocks_are_invisible(rows: list[Event], size: int) -> None:
    events = frame(rows)
    kernels = {**CASES, **{name: kernel for name, (kernel, _) in TALLIES.items()}}
    expected = {name: kernel(events) for name, kernel in kernels.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(traces, "BLOCK", size)
        patch.setattr(packing, "BLOCK", size)
        patch.setattr(transitions, "BLOCK", size)
        for name, kernel in kernels.items():
            assert kernel(events).equals(expected[name]), name
        blocks = list(traces.traces(events).blocks())
    assert [case for _, _, stretch in blocks for case in stretch.cases] == sorted({row[0] for row in rows})
    assert [activity for _, _, stretch in blocks for activity in stretch.activity] == codes(rows)
    assert len(blocks) <= len(by_case(rows))


@given(LOGS)
def test_transitions_of_many_activities_are_sorted_instead_of_tabled(rows: list[Event]) -> None:
    expected = transitions.transitions(frame(rows)), transitions.counts(frame(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transitions, "LARGEST", 0)
        assert transitions.transitions(frame(rows)).equals(expected[0])
        assert transitions.counts(frame(rows)).equals(expected[1])

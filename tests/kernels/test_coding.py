"""Flat events with text Ids become one sorted log, whatever the order of the rows."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmmining.kernels import coding

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
TIME = pl.Datetime("us", "UTC")
SCHEMA = pl.Schema(
    {
        "case_id": pl.String(),
        "activity": pl.String(),
        "occurred_at": TIME,
        "rank": pl.UInt8(),
        "source_id": pl.String(),
        "direction": pl.Int8(),
    }
)
FIVE = pl.DataFrame(
    [
        ("B", "win", START, 250, "s4", None),
        ("B", "create", START, 0, "s5", None),
        ("A", "work", START + timedelta(seconds=9), 150, "s2", 1),
        ("A", "create", START, 0, "s1", None),
        ("A", "call", START + timedelta(seconds=9), 150, "s1", None),
    ],
    schema=SCHEMA,
    orient="row",
)


def test_five_events() -> None:
    coded = coding.code(FIVE)
    assert coded.case_ids.to_list() == ["A", "B"]
    assert coded.activities == ("call", "create", "win", "work")
    assert coded.events.rows() == [
        (0, 1, START, 0, "s1", None),
        (0, 0, START + timedelta(seconds=9), 150, "s1", None),
        (0, 3, START + timedelta(seconds=9), 150, "s2", 1),
        (1, 1, START, 0, "s5", None),
        (1, 2, START, 250, "s4", None),
    ]
    assert coded.events.schema == {
        "case_ix": pl.UInt32,
        "activity": pl.UInt16,
        "occurred_at": TIME,
        "rank": pl.UInt8,
        "source_id": pl.String,
        "direction": pl.Int8,
    }


def test_three_columns_are_enough_and_ties_go_by_activity_name() -> None:
    flat = FIVE.select("case_id", "activity", "occurred_at")
    coded = coding.code(flat, activities=["work", "win"])
    assert coded.activities == ("work", "win", "call", "create")
    assert coded.events.select("case_ix", "activity").rows() == [(0, 3), (0, 2), (0, 0), (1, 3), (1, 1)]
    assert coded.events.columns == ["case_ix", "activity", "occurred_at"]


def test_ties_without_source_id_go_by_rank_then_activity_name() -> None:
    coded = coding.code(FIVE.drop("source_id").with_columns(occurred_at=pl.lit(START, dtype=TIME)))
    assert [coded.activities[code] for code in coded.events["activity"]] == [
        "create",
        "call",
        "work",
        "create",
        "win",
    ]


def test_a_missing_source_id_comes_first() -> None:
    flat = FIVE[[2, 4]].with_columns(source_id=pl.Series([None, "s1"]))
    assert coding.code(flat).events["source_id"].to_list() == [None, "s1"]


def test_cases_without_events_keep_their_place() -> None:
    coded = coding.code(FIVE, cases=pl.Series("Id", ["C", "B", "AA", "A"]))
    assert coded.case_ids.to_list() == ["A", "AA", "B", "C"]
    assert coded.events["case_ix"].to_list() == [0, 0, 0, 2, 2]


def test_the_dictionary_only_grows() -> None:
    known = ["reopen", "win", "create"]
    assert coding.code(FIVE, activities=known).activities == ("reopen", "win", "create", "call", "work")
    assert coding.code(FIVE[:0], activities=known).activities == ("reopen", "win", "create")


@pytest.mark.parametrize("columns", [["case_id", "activity", "occurred_at"], list(SCHEMA)])
def test_no_event_and_one_event(columns: list[str]) -> None:
    empty = coding.code(FIVE.select(columns)[:0])
    one = coding.code(FIVE.lazy().select(columns).slice(2, 1))
    assert empty.events.schema == one.events.schema == coding.code(FIVE.select(columns)).events.schema
    assert empty.events.is_empty()
    assert empty.case_ids.to_list() == []
    assert empty.activities == ()
    assert one.events.select("case_ix", "activity", "occurred_at").rows() == [
        (0, 0, START + timedelta(seconds=9))
    ]
    assert coding.code(FIVE[:0], cases=pl.Series(["A"])).case_ids.to_list() == ["A"]


def test_other_units_and_zones_become_microseconds_in_utc() -> None:
    flat = FIVE.with_columns(pl.col("occurred_at").dt.convert_time_zone("Asia/Tokyo").dt.cast_time_unit("ms"))
    assert coding.code(flat).events.equals(coding.code(FIVE).events)


def test_times_without_a_zone_are_refused() -> None:
    flat = FIVE.with_columns(pl.col("occurred_at").dt.replace_time_zone(None))
    with pytest.raises(ValueError, match="occurred_at has no time zone"):
        coding.code(flat)
    with pytest.raises(ValueError, match="occurred_at is String, not Datetime"):
        coding.code(FIVE.with_columns(occurred_at=pl.lit("2026-03-02")))


def test_nulls_are_refused_and_counted() -> None:
    flat = FIVE.with_columns(
        case_id=pl.Series(["B", None, None, "A", "A"]), rank=pl.Series([1, None, 3, 4, 5], dtype=pl.UInt8)
    )
    with pytest.raises(ValueError, match="events without case_id: 2, rank: 1"):
        coding.code(flat)


def test_events_of_unknown_cases_are_refused_and_counted() -> None:
    with pytest.raises(ValueError, match="2 events belong to none of the cases, such as 'B'"):
        coding.code(FIVE, cases=pl.Series(["A", "C"]))
    with pytest.raises(ValueError, match="5 events belong to none of the cases, such as 'A'"):
        coding.code(FIVE, cases=pl.Series([], dtype=pl.String))


def test_doubled_and_missing_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="cases given more than once: 1"):
        coding.code(FIVE, cases=pl.Series(["A", "B", "A"]))
    with pytest.raises(ValueError, match="cases without an Id: 1"):
        coding.code(FIVE, cases=pl.Series(["A", "B", None]))


def test_more_activities_than_codes_are_refused() -> None:
    flat = pl.DataFrame({"activity": [f"a{n:06}" for n in range(65_537)]}).with_columns(
        case_id=pl.lit("A"), occurred_at=pl.lit(START, dtype=TIME)
    )
    with pytest.raises(ValueError, match="65537 distinct activities; a log holds at most 65536"):
        coding.code(flat)
    assert coding.code(flat[:65_536]).events["activity"].to_list() == list(range(65_536))


NAMES = ["x", "y", "Z"]
IDS = {
    "one length": ["006gK0000000001AAA", "006gK0000000002AAA", "006gK0000010002AAA"],
    "told apart in front and behind": ["A-------0000000001", "B-------0000000001", "A-------0000000002"],
    "many lengths": ["", "a", "B", "é", "006gK0000000001AAA"],
}
COLUMNS = [
    ["case_id", "activity", "occurred_at"],
    ["case_id", "activity", "occurred_at", "rank"],
    ["case_id", "activity", "occurred_at", "direction"],
    ["case_id", "activity", "occurred_at", "rank", "source_id"],
    list(SCHEMA),
]


@settings(max_examples=150)
@given(st.data(), st.sampled_from(list(IDS)), st.sampled_from(COLUMNS), st.sampled_from([1, 10**6, 10**10]))
def test_equals_a_plain_sort_whatever_the_order_of_the_rows(
    data: st.DataObject, ids: str, columns: list[str], unit: int
) -> None:
    """Steps of a microsecond, a second, hours: packed as they are, as seconds, too wide to be packed."""
    row = st.tuples(
        st.sampled_from(IDS[ids]),
        st.sampled_from(NAMES),
        st.integers(-3, 3).map(lambda steps: START + timedelta(microseconds=steps * unit)),
        st.sampled_from([0, 100, 250]),
        st.sampled_from([None, "s1", "s2"]),
        st.sampled_from([None, -1, 2]),
    )
    rows = data.draw(st.lists(row, max_size=25))
    flat = pl.DataFrame(rows, schema=SCHEMA, orient="row").select(columns)
    known = ["y", "b", "Z"]
    coded = coding.code(flat, activities=known)
    assert coded.activities == (*known, *sorted(set(flat["activity"]) - set(known)))
    assert coded.case_ids.to_list() == sorted(set(flat["case_id"]))
    order = [
        "case_id",
        "occurred_at",
        *(name for name in ("rank", "source_id") if name in columns),
        "activity",
    ]
    order += [name for name in columns if name not in order]
    expected = flat.sort(order)
    case_ix = [coded.case_ids.to_list().index(name) for name in expected["case_id"]]
    activity = [coded.activities.index(name) for name in expected["activity"]]
    assert coded.events.drop("case_ix", "activity").equals(expected.drop("case_id", "activity"))
    assert coded.events.select("case_ix", "activity").rows() == list(zip(case_ix, activity, strict=True))
    shuffled = flat[data.draw(st.permutations(range(len(flat))))] if rows else flat
    assert coding.code(shuffled, activities=known).events.equals(coded.events)


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(-(10**17), 10**17)), max_size=25), st.integers(0, 3)
)
def test_times_of_any_size_sort(rows: list[tuple[int, int]], ranks: int) -> None:
    """Years 0 to 5000: more bits than one packed integer has."""
    flat = pl.DataFrame(
        {
            "case_id": [f"{2**case:020}" for case, _ in rows],
            "activity": ["a"] * len(rows),
            "occurred_at": [time for _, time in rows],
            "rank": [(time + case) % (ranks + 1) for case, time in rows],
        },
        schema={
            "case_id": pl.String(),
            "activity": pl.String(),
            "occurred_at": pl.Int64(),
            "rank": pl.UInt8(),
        },
    ).cast({"occurred_at": TIME})
    events = coding.code(flat).events
    expected = sorted(zip(flat["case_id"], flat["occurred_at"].to_physical(), flat["rank"], strict=True))
    assert list(zip(events["occurred_at"].to_physical(), events["rank"], strict=True)) == [
        row[1:] for row in expected
    ]

import numpy as np
import pytest

from crmmining.simulator.ids import KEY_PREFIXES, in_order_of, make_ids, serials, with_checksum


@pytest.mark.parametrize(
    ("short", "check"),
    [
        ("006q000000Hddoh", "AAB"),
        ("0015500000Xyy06", "AAB"),
        ("003RO0000035WQg", "YAM"),
        ("750R0000000zxr8", "IAA"),
        ("0011i000007K2LE", "AA0"),
    ],
)
def test_check_letters_of_real_ids(short: str, check: str) -> None:
    row = np.frombuffer(short.encode(), dtype=np.uint8).reshape(1, 15)
    assert with_checksum(row).tobytes().decode() == short + check


def test_numbers_count_in_base_62_and_sort_as_they_count() -> None:
    ids = make_ids("Lead", np.array([0, 9, 34, 35, 60, 61, 62 * 62 - 2], dtype=np.int64))
    assert [text[:15] for text in ids] == [
        "00Q5e0000000001",
        "00Q5e000000000A",
        "00Q5e000000000Z",
        "00Q5e000000000a",
        "00Q5e000000000z",
        "00Q5e0000000010",
        "00Q5e00000000zz",
    ]
    assert ids.to_list() == sorted(ids)


def test_history_objects_share_a_prefix_but_no_id() -> None:
    histories = [name for name, prefix in KEY_PREFIXES.items() if prefix == "017"]
    assert histories == ["AccountHistory", "CaseHistory", "LeadHistory", "OpportunityFieldHistory"]
    first = {make_ids(name, np.array([0], dtype=np.int64)).item() for name in histories}
    assert len(first) == 4


def test_records_are_numbered_by_creation_and_ties_keep_their_order() -> None:
    created = np.array([30, 10, 20, 10], dtype=np.int64)
    assert in_order_of(created).tolist() == [3, 0, 2, 1]


@pytest.mark.parametrize("table", ["Lead", "AccountHistory", "OpportunityFieldHistory", "Case"])
def test_numbers_are_read_back_from_ids(table: str) -> None:
    numbers = np.array([0, 1, 35, 61, 62, 62**6 + 7, 61 * 62**6], dtype=np.int64)
    assert serials(table, make_ids(table, numbers)).tolist() == numbers.tolist()
    assert serials(table, make_ids(table, numbers[:0])).tolist() == []

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmmining.tables.ids import irregular, normalise

PAIRS = [
    ("006q000000Hddoh", "006q000000HddohAAB"),
    ("0015500000Xyy06", "0015500000Xyy06AAB"),
    ("003RO0000035WQg", "003RO0000035WQgYAM"),
    ("750R0000000zxr8", "750R0000000zxr8IAA"),
    ("0011i000007K2LE", "0011i000007K2LEAA0"),
]
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def in_plain_python(text: str) -> str | None:
    """The documented rule, character by character."""
    if len(text) not in (15, 18) or any(letter not in ALPHABET for letter in text):
        return None
    suffix = ""
    for start in (0, 5, 10):
        number = sum(1 << at for at, letter in enumerate(text[start : start + 5]) if letter.isupper())
        suffix += "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[number]
    return text[:15] + suffix if len(text) == 15 or text[15:] == suffix else None


@pytest.mark.parametrize(("short", "long"), PAIRS)
def test_known_pairs(short: str, long: str) -> None:
    assert normalise(pa.array([short, long])).to_pylist() == [long, long]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "006q000000Hddo",
        "006q000000HddohA",
        "006q000000HddohAAC",
        "006q000000hddohAAB",
        "006q000000HddohAABx",
        "006q 00000Hddoh",
        "006q000000Hdd\u00f6",
        "tqs6UXPA/Lm7W+0dX0+syw==",
    ],
)
def test_what_is_no_id(text: str) -> None:
    assert normalise(pa.array([text])).to_pylist() == [None]


def test_null_stays_null_and_is_regular() -> None:
    values = pa.array([None, "006q000000HddohAAB", "006q000000Hddoh", "x", None])
    assert irregular(values).tolist() == [2, 3]
    assert normalise(values).to_pylist() == [None, "006q000000HddohAAB", "006q000000HddohAAB", None, None]


def test_a_slice_of_an_array_is_read_at_its_own_place() -> None:
    values = pa.array(["bad", *(long for _, long in PAIRS), "bad"])
    assert irregular(values.slice(1, 5)).tolist() == []
    assert irregular(values.slice(3)).tolist() == [3]
    assert irregular(pa.array([], type=pa.string())).tolist() == []


LIKELY = st.text(ALPHABET, min_size=15, max_size=15).flatmap(
    lambda text: st.sampled_from([text, in_plain_python(text) or "", f"{text}AAA", text.lower(), text[:14]])
)


@given(st.lists(st.none() | LIKELY | st.text(max_size=20)))
def test_as_the_rule_in_plain_python(texts: list[str | None]) -> None:
    expected = [None if text is None else in_plain_python(text) for text in texts]
    values = pa.array(texts, type=pa.string())
    assert normalise(values).to_pylist() == expected
    assert irregular(values).tolist() == [
        at for at, (text, whole) in enumerate(zip(texts, expected, strict=True)) if text != whole
    ]

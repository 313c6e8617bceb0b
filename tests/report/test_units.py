import pytest

from crmmining.show import units

MINUTE, HOUR, DAY = 60, 3_600, 86_400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, units.NOTHING),
        (0, "0 s"),
        (59.6, "1 m"),
        (3_599, "59 m 59 s"),
        (HOUR + 29, "1 h"),
        (HOUR + 30, "1 h 1 m"),
        (DAY - 31, "23 h 59 m"),
        (DAY - 29, "1 d"),
        (3 * DAY + 90 * MINUTE, "3 d 2 h"),
        (1234 * DAY, "1,234 d"),
        (-2 * HOUR, "\u22122 h"),
    ],
)
def test_durations_show_two_units_and_never_sixty_of_the_smaller(seconds: float | None, text: str) -> None:
    assert units.duration(seconds).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (None, units.NOTHING),
        (0.0, "0 %"),
        (1e-17, "0 %"),
        (0.0004, "<0.1 %"),
        (0.5, "50.0 %"),
        (0.99951, ">99.9 %"),
        (1.0, "100 %"),
    ],
)
def test_shares_are_never_rounded_to_nothing_or_everything(part: float | None, text: str) -> None:
    assert units.share(part).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [
        (1234567.0, "cases", "1,234,567"),
        (0.125, "number", "0.12"),
        (-0.001, "number", "0"),
        (12.5, "EUR", "12.5 EUR"),
        (1234.56, "EUR", "1,235 EUR"),
        (None, "USD", units.NOTHING),
        (None, "share", units.NOTHING),
    ],
)
def test_values_in_their_unit(number: float | None, unit: str, text: str) -> None:
    assert units.value(number, unit).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("now", "before", "unit", "text"),
    [
        (0.3, 0.3, "share", "="),
        (0.31, 0.3, "share", "▲ 1 pp"),
        (30.0, 40.0, "s", "▼ 25 %"),
        (50.0, 10.0, "cases", "▲ 400 %"),
        (5.0, 0.0, "cases", "▲ from 0"),
    ],
)
def test_changes_between_periods(now: float, before: float, unit: str, text: str) -> None:
    assert units.change(now, before, unit).replace("\u00a0", " ") == text

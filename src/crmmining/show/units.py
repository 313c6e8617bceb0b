"""How numbers are written for people: counts, shares, durations, money."""

NOTHING = "\u2013"  # a dash: nothing to show
_MINUS, _SPACE = "\u2212", "\u00a0"  # a real minus sign; a space that keeps number and unit on one line
_SIZES = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_SMALLEST_SHARE = 0.0005  # below it, one decimal of a per cent shows nothing
_NOISE = 1e-9  # what float arithmetic leaves of a zero
_WHOLE_MONEY_FROM = 1_000
_WHOLE_CHANGE_FROM = 100


def count(number: float | None) -> str:
    """Write a number with thousands separators and at most two decimals; null is a dash.

    >>> count(12345.0), count(0.25), count(0)
    ('12,345', '0.25', '0')
    """
    if number is None:
        return NOTHING
    text = f"{number:,.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text.replace("-", _MINUS)


def share(part: float | None) -> str:
    """Write a share of 0..1 in per cent; only nothing is 0 % and only all is 100 %.

    >>> [share(s).replace(chr(160), " ") for s in (0.4321, 1.0, 0.0, 0.0001, 0.9999)]
    ['43.2 %', '100 %', '0 %', '<0.1 %', '>99.9 %']
    """
    if part is None:
        return NOTHING
    if abs(part) < _NOISE:
        part = 0.0
    if 0 < part < _SMALLEST_SHARE:
        return f"<0.1{_SPACE}%"
    if 1 - _SMALLEST_SHARE <= part < 1:
        return f">99.9{_SPACE}%"
    return f"{part * 100:.{0 if part in {0, 1} else 1}f}{_SPACE}%"


def duration(seconds: float | None, *, working: bool = False) -> str:
    """Write seconds as days and hours, hours and minutes, or minutes and seconds; null is a dash.

    `working` time is written in hours, for a working day has fewer than 24.

    >>> [duration(s).replace(chr(160), " ") for s in (187_200, 86_399, 750, 0.4)]
    ['2 d 4 h', '1 d', '12 m 30 s', '0 s']
    >>> duration(187_230, working=True).replace(chr(160), " ")
    '52 h'
    """
    if seconds is None:
        return NOTHING
    rest = round(abs(seconds))
    for larger, smaller in ((86_400, 3_600), (3_600, 60)):
        if rest >= larger:  # rounded to the smaller unit shown, so never 23 h 60 m
            rest = (rest + smaller // 2) // smaller * smaller
            break
    parts = []
    for unit, size in _SIZES[1:] if working else _SIZES:
        amount, rest = divmod(rest, size)
        if amount:
            parts.append(f"{amount:,}{_SPACE}{unit}")
    sign = _MINUS if seconds < 0 and parts else ""
    return sign + (_SPACE.join(parts) or f"0{_SPACE}s")


def value(number: float | None, unit: str, *, working: bool = False) -> str:
    """Write a value in its unit: share, s (`working` time?), cases, events, number; else of that currency.

    >>> [value(*v).replace(chr(160), " ") for v in ((0.5, "share"), (90.0, "s"), (1234.56, "EUR"))]
    ['50.0 %', '1 m 30 s', '1,235 EUR']
    """
    match unit:
        case "share":
            return share(number)
        case "s":
            return duration(number, working=working)
        case "cases" | "events" | "number":
            return count(number)
    if number is None:
        return NOTHING
    whole = abs(number) >= _WHOLE_MONEY_FROM
    return f"{count(round(number) if whole else number)}{_SPACE}{unit}"


def change(now: float, before: float, unit: str) -> str:
    """Write the step between two periods: percentage points for shares, per cent of before otherwise.

    >>> [change(*c).replace(chr(160), " ") for c in ((0.45, 0.40, "share"), (90.0, 120.0, "s"))]
    ['▲ 5 pp', '▼ 25 %']
    """
    if now == before:
        return "="
    arrow = "▲" if now > before else "▼"
    if unit == "share":
        size, name = abs(now - before) * 100, "pp"
    elif before == 0:
        return f"{arrow} from 0"
    else:
        size, name = abs(now - before) / abs(before) * 100, "%"
    decimals = 0 if size >= _WHOLE_CHANGE_FROM else 1
    return f"{arrow} {size:,.{decimals}f}".removesuffix(".0") + f"{_SPACE}{name}"

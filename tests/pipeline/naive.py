"""The pipeline by hand: case by case, in plain Python, from what the log tells of each."""

from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import crmmining as cm

DIGITS = {"JPY": 0, "KRW": 0, "KWD": 3}
JUST_BEFORE = timedelta(microseconds=1)
Window = tuple[date, date] | None
Cell = tuple[Any, ...]


class State(NamedTuple):
    """What a case was."""

    cell: Cell
    unit: str | None
    own: float | None
    reporting: float | None
    reporting_unit: str | None
    within: bool

    def amount(self, *, record: bool) -> int:
        told, unit = (self.own, self.unit) if record else (self.reporting, self.reporting_unit)
        return cents(told, unit)


def cents(amount: float | None, unit: str | None) -> int:
    return 0 if amount is None else round(amount * 10 ** DIGITS.get(unit or "", 2))


class Cases:
    """All that a log tells, by case."""

    def __init__(self, log: cm.EventLog, by: tuple[str, ...] = (), *, record: bool, window: Window) -> None:
        self.by, self.record, self.window = by, record, window
        codes = {
            code: word for word in ("created", "reopened", *log.process.ends) for code in log.codes(word)
        }
        self.cases = list(log.only.cases.iter_rows(named=True))
        self.flips: dict[int, list[tuple[datetime, str]]] = defaultdict(list)
        events = log.only.events.select("case_ix", "activity", "occurred_at")
        marks: dict[int, list[tuple[datetime, str]]] = defaultdict(list)
        for case, activity, at in events.iter_rows():
            if activity in codes:
                marks[case].append((at, codes[activity]))
        for case, told in marks.items():
            is_open = False
            for nth, (at, word) in enumerate(told):
                opens = word in {"created", "reopened"}
                if opens == is_open or (word == "created" and nth > 0):
                    continue
                is_open = opens
                self.flips[case].append((at, word))
        self.values: dict[tuple[int, str], list[tuple[datetime, int, str | None]]] = defaultdict(list)
        wanted = {"amount", "amount_reporting", "close_date", "currency", *by}
        for case, attribute, since, seq, value in log.only.values.iter_rows():
            if attribute in wanted:
                self.values[case, attribute].append((since, seq, value))

    def value(self, case: int, attribute: str, at: datetime) -> Any:  # noqa: ANN401  of any column
        told = self.values.get((case, attribute))
        if not told:
            return self.cases[case][attribute]
        then = [value for since, _, value in told if since <= at]
        text = then[-1] if then else told[0][2]
        if text is None:
            return None
        if attribute.startswith("amount"):
            return float(text)
        return date.fromisoformat(text) if attribute == "close_date" else text

    def state(self, case: int, at: datetime) -> State:
        close = self.value(case, "close_date", at)
        within = self.window is None or (close is not None and self.window[0] <= close <= self.window[1])
        unit, reporting = self.value(case, "currency", at), self.cases[case]["reporting_currency"]
        cell = (*(self.value(case, word, at) for word in self.by), unit if self.record else reporting)
        own, other = self.value(case, "amount", at), self.value(case, "amount_reporting", at)
        return State(cell, unit, own, other, reporting, within)

    def open(self, case: int, at: datetime) -> bool:
        then = [word for since, word in self.flips[case] if since <= at]
        return bool(then) and then[-1] in {"created", "reopened"}

    def pipeline(self, at: datetime) -> dict[Cell, tuple[int, int, int, int]]:
        """Cases, amount, nulls and unconverted of every cell that has a case."""
        found: dict[Cell, Counter[str]] = defaultdict(Counter)
        for case in range(len(self.cases)):
            state = self.state(case, at)
            if self.open(case, at) and state.within:
                found[state.cell]["cases"] += 1
                found[state.cell]["amount"] += state.amount(record=self.record)
                found[state.cell]["nulls"] += state.own is None
                found[state.cell]["bare"] += state.own is not None and state.reporting is None
        return {cell: (n["cases"], n["amount"], n["nulls"], n["bare"]) for cell, n in found.items()}

    def waterfall(self, start: datetime, end: datetime) -> dict[tuple[Cell, str], int]:
        """The amounts of every cell and step that are not 0, begin and end left out."""
        found: Counter[tuple[Cell, str]] = Counter()
        for case in range(len(self.cases)):
            instants = {at for at, _ in self.flips[case]}
            instants |= {since for (of, _), told in self.values.items() if of == case for since, _, _ in told}
            for at in sorted(at for at in instants if start < at <= end):
                for cell, step, amount in self.save(case, at):
                    found[cell, step] += amount
        return {key: amount for key, amount in found.items() if amount}

    def save(self, case: int, at: datetime) -> list[tuple[Cell, str, int]]:
        was, now = self.state(case, at - JUST_BEFORE), self.state(case, at)
        before, after = was.amount(record=self.record), now.amount(record=self.record)
        words = [word for since, word in self.flips[case] if since == at]
        if words:
            moves = []
            for nth, word in enumerate(words):
                if word in {"created", "reopened"}:
                    moves += [(now.cell, word, after)] if now.within else []
                else:
                    left, amount = (was, before) if nth == 0 else (now, after)
                    moves += [(left.cell, word, -amount)] if left.within else []
            return moves
        if not self.open(case, at):
            return []
        if was.within != now.within:
            return [(now.cell, "pulled_in", after)] if now.within else [(was.cell, "pushed_out", -before)]
        if not now.within:
            return []
        moves = []
        cell = (*now.cell[:-1], was.cell[-1])
        if cell != was.cell:
            moves += [(was.cell, "transferred_out", -before), (cell, "transferred_in", before)]
        if was.unit != now.unit:
            return [*moves, (cell, "currency", -before), (now.cell, "currency", after)]
        raised = cents(now.own, now.unit) - cents(was.own, was.unit)
        priced = after if self.record else self.priced(was, now)
        if raised:
            moves.append((now.cell, "increased" if raised > 0 else "decreased", priced - before))
        return [*moves, (now.cell, "currency", after - priced)]

    @staticmethod
    def priced(was: State, now: State) -> int:
        """The new amount at the old rate."""
        old, new = cents(was.own, was.unit), cents(now.own, now.unit)
        before, after = was.amount(record=False), now.amount(record=False)
        if new == old:
            return before
        if old == 0 or was.own is None:
            return after
        if was.reporting is None:
            return before if abs(before - after) > 1 else after
        exact = cents((now.own or 0) * (was.reporting / was.own), now.reporting_unit)
        return after if abs(exact - after) <= 1 else exact

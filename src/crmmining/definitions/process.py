"""What a process is: its activities, milestones, sets and segments, as its TOML and SQL state them."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import pairwise
from typing import Self

from pydantic import Field, model_validator

from crmmining.definitions.classes import Rule, Sign, rule_faults
from crmmining.definitions.model import Model, Word
from crmmining.definitions.waiting import Waiting
from crmmining.errors import UnknownNameError
from crmmining.tables.paths import faults as path_faults

# What a log derives for every case, and what a KPI row holds: attributes and segments are called otherwise.
DERIVED = frozenset(
    [
        "case_ix",
        "open",
        "outcome",
        "outcome_at",
        "first_at",
        "last_at",
        "n_events",
        "repeats",
        "self_loops",
        "regressions",
        "skips",
        "reopens",
        "handovers",
        "person_handovers",
        "queue_to_person",
        "person_to_queue",
        "ping_pongs",
        "queue_ping_pongs",
        "indirect_ping_pongs",
        "queue_indirect_ping_pongs",
        "start",
        "end",
        *("as_of", "today", "age_days", "days_since_touch", "last_touch_at", "days_in_stage", "norm_days"),
        *("closing_day", "closing_date_only", "closed_together"),
    ]
)
KPI_ROW = frozenset(
    [
        "kpi",
        "process",
        "grain",
        "period_start",
        "period_end",
        "part",
        "clock",
        "value",
        "unit",
        "n",
        "open",
        "excluded",
        "truncated",
        "basis",
        "low",
        "high",
        "as_of",
        "definition",
        "count",
        "share",
        "sum",
        "mean",
        "median",
        "median_with_open",
        "p90",
        "rate",
        "reached",
        "per_case",
        "open_cases",
        "start",
        "end",
    ]
)

STAGES = "stages."  # begins a need for a stated list


class Activity(Model):
    """Where one kind of event comes from, in words an auditor can check against the source.

    `needs`: tables or Table.Column without which there can be none; `|` stands between alternatives.
    `stages.<Table>` is met where `[stages]` are stated for the process with that root.
    """

    table: str
    field: str
    timestamp: str
    rule: str
    needs: tuple[str, ...] = ()


class StageValues(Model):
    """Status or stage values in order: the open ones, those that are won, those that are lost."""

    open: tuple[str, ...] = ()
    won: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        values = [value for value, *_ in self.rows]
        repeated = sorted({value for value in values if values.count(value) > 1})
        if repeated:
            raise ValueError(f"stated more than once: {', '.join(repeated)}")
        return self

    @property
    def rows(self) -> list[tuple[str, bool, bool]]:
        """(value, closed, won) in order."""
        kinds = ((self.open, False, False), (self.won, True, True), (self.lost, True, False))
        return [(value, closed, won) for values, closed, won in kinds for value in values]


class StageList(StageValues):
    """The values of one record type (its DeveloperName; null: of all), for a time.

    Valid from the day `since` to the day before `until`; null means always.
    """

    record_type: str | None = None
    since: date | None = None
    until: date | None = None

    @model_validator(mode="after")
    def _holds_something(self) -> Self:
        if not self.rows:
            raise ValueError("names no value under open, won or lost")
        if self.start >= self.stop:
            raise ValueError(f"since {self.since} does not lie before until {self.until}")
        return self

    @property
    def start(self) -> date:
        """The first day."""
        return self.since or date.min

    @property
    def stop(self) -> date:
        """The first day after."""
        return self.until or date.max


class Stages(StageValues):
    """The org's own ordered status or stage values; empty means: take them from the CRM's own tables.

    `open`, `won` and `lost` hold for all records, always; `lists` for one record type or for a time.
    """

    lists: tuple[StageList, ...] = ()

    @model_validator(mode="after")
    def _one_at_a_time(self) -> Self:
        found = sorted(self.all, key=lambda one: (one.record_type or "", one.start, one.stop))
        for one, other in pairwise(found):
            if one.record_type == other.record_type and other.start < one.stop:
                whose = "all record types" if one.record_type is None else f"record type '{one.record_type}'"
                since = other.since or "the beginning"
                raise ValueError(f"two lists for {whose} hold at once, from {since}")
        return self

    @property
    def all(self) -> tuple[StageList, ...]:
        """Every list that is stated."""
        if not self.rows:
            return self.lists
        return (StageList(open=self.open, won=self.won, lost=self.lost), *self.lists)


class Process(Model):
    """One process: everything its `.toml` states plus the text of its `.sql`.

    Activity names that end in `: *` are families: `Stage: *` stands for one activity per stage.
    """

    name: str
    census: str = ""  # SQL that every process of the CRM shares: of all records,
    history: str = ""  # of what was recorded of those asked for,
    shared: str = ""  # and of them as of a moment
    sql: str
    title: str
    root: str
    requires: tuple[str, ...]
    ends: tuple[Word, ...] = ()
    reopens: tuple[Word, ...] = ()
    paths: dict[str, str]
    activities: dict[str, Activity]
    milestones: dict[Word, tuple[str, ...]]
    sets: dict[Word, tuple[str, ...]]
    sums: dict[Word, Word] = Field(default_factory=dict)  # facts: what the deltas of a milestone add up to
    segments: dict[Word, str] = Field(default_factory=dict)
    adds: tuple[str, ...] = ()  # further SQL files: their views more_cases, more_events, ... add to its own
    people: tuple[Word, ...] = ()  # segments whose cells are people
    levels: dict[str, tuple[tuple[str, ...], ...]] = Field(default_factory=dict)  # a field's words in order
    waiting: Waiting | None = None  # null: nothing of the process waits for anybody
    classes: dict[Word, Rule] = Field(default_factory=dict)  # of open cases; the first that fits counts
    signs: dict[Word, Sign] = Field(default_factory=dict)  # of poor documentation of ended cases
    stages: Stages = Stages()
    stated: dict[str, Stages] = Field(default_factory=dict)  # of every root under [paths] that has a list

    @property
    def fingerprint(self) -> str:
        """Hash of everything that defines the process, SQL included: 12 hex digits."""
        return text_hash(self.model_dump(mode="json"))

    def codes(self, names: Iterable[str], dictionary: Sequence[str]) -> list[int]:
        """Codes in `dictionary` of the activities that `names` (activities or families) stand for."""
        wanted = tuple(names)
        return [code for code, activity in enumerate(dictionary) if any(matches(n, activity) for n in wanted)]

    def meaning(self, word: str, dictionary: Sequence[str] = ()) -> tuple[str, ...]:
        """Activities that a milestone, a declared activity or one met in the data stands for.

        Raises `UnknownNameError` for a word that is none of these.
        """
        if word in self.milestones:
            return self.milestones[word]
        if word in self.activities or word in dictionary:
            return (word,)
        raise UnknownNameError("milestone or activity", word, {*self.milestones, *self.activities})

    @property
    def derived(self) -> set[str]:
        """Fact columns the engine derives, so that the view `cases` must not have them."""
        passed = {f"{word}_{what}" for word in self.milestones for what in ("at", "last", "n")}
        return (passed | DERIVED | self.sums.keys()) - {"created_at"}

    def activity_set(self, name: str) -> tuple[str, ...]:
        """Activities of a named set; raises `UnknownNameError`."""
        if name not in self.sets:
            raise UnknownNameError("activity set", name, self.sets)
        return self.sets[name]

    @property
    def ranked(self) -> list[tuple[str, str, int]]:
        """(field, word, level) of every word that has a level; 1 is the least. Capitals do not count."""
        return [
            (field, word.lower(), level)
            for field, levels in self.levels.items()
            for level, words in enumerate(levels, start=1)
            for word in words
        ]

    def declares(self, activity: str) -> bool:
        """Whether `activity` is declared, by itself or through a family."""
        return any(matches(name, activity) for name in self.activities)

    def needs_of(self, activity: str) -> tuple[str, ...]:
        """What `activity` needs, by itself or as one of a family."""
        return next((stated.needs for name, stated in self.activities.items() if matches(name, activity)), ())

    def faults(self) -> list[str]:
        """Everything in the definition that refers to nothing, one line each."""
        found = [
            f"milestones.{word}: activity '{name}' is not declared under [activities]"
            for word, names in self.milestones.items()
            for name in names
            if not self.declares(name)
        ]
        found += [
            f"sets.{word}: activity '{name}' is not declared under [activities]"
            for word, names in self.sets.items()
            for name in names
            if not self.declares(name)
        ]
        found += [
            f"{key}: milestone '{word}' is not declared under [milestones]"
            for key, words in (("ends", self.ends), ("reopens", self.reopens))
            for word in words
            if word not in self.milestones
        ]
        found += [
            f"sums.{word}: milestone '{milestone}' is not declared under [milestones]"
            for word, milestone in self.sums.items()
            if milestone not in self.milestones
        ]
        found += [
            f"segments.{word}: is a column of every KPI row" for word in self.segments if word in KPI_ROW
        ]
        found += [
            f"people: segment '{word}' is not declared" for word in self.people if word not in self.segments
        ]
        words = [(field, word) for field, word, _ in self.ranked]
        found += [
            f"levels.{field}: '{word}' is stated more than once"
            for field, word in sorted({word for word in words if words.count(word) > 1})
        ]
        found += [f"sets: '{name}' is missing" for name in ("core",) if name not in self.sets]
        found += [f"milestones: '{name}' is missing" for name in ("created",) if name not in self.milestones]
        found += [
            f"activities.{name}.needs: '{need}' has no path under [paths]"
            for name, activity in self.activities.items()
            for needs in activity.needs
            for need in needs.split("|")
            if need.removeprefix(STAGES).split(".")[0] not in self.paths
        ]
        found += self.waiting.faults(self.segments, self.milestones) if self.waiting else []
        found += rule_faults("classes", self.classes) + rule_faults("signs", self.signs)
        found += path_faults(self.paths, self.root)
        return found


def matches(pattern: str, activity: str) -> bool:
    """Whether `activity` is `pattern` or belongs to the family `pattern`.

    >>> matches("Stage: *", "Stage: Qualification"), matches("Call", "Call back")
    (True, False)
    """
    return activity.startswith(pattern[:-1]) if pattern.endswith(": *") else activity == pattern


def text_hash(value: object) -> str:
    """Twelve hex digits that change whenever the JSON form of `value` does."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]

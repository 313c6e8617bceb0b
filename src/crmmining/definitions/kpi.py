"""The closed set of KPI kinds: a tagged union on `kind`, one frozen type each."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

import polars as pl
from pydantic import Field, TypeAdapter, model_validator

from crmmining.definitions.model import Model, Word
from crmmining.definitions.segments import EVENT, NOW
from crmmining.definitions.waiting import Responsibility

Truncation = Literal["exclude", "keep", "bound"]
Clock = Literal["calendar", "business"]


class KpiBase(Model):
    """What every KPI states, whatever its kind.

    `of` and `where` are boolean Polars SQL expressions over the case facts (see `EventLog.facts`).
    `basis` is when segments count. `truncated` says what happens to cases a part of whose history is not
    covered: `exclude` them, `keep` them (the record tells all that is asked), or `bound` (they count with
    what is known, so the figure is a lower bound).
    """

    name: Word
    process: Word
    question: str
    formula: str
    unit: Literal["cases", "events", "share", "s", "money", "number"]
    better: Literal["higher", "lower", "neutral"]
    segments: tuple[Word, ...] = ()
    needs: tuple[str, ...] = ()
    basis: Word | None = None
    truncated: Truncation | None = None

    @property
    def standing(self) -> str:
        """The moment at which segments count: a milestone, `outcome`, `now` or `event` (see `Segment`)."""
        return self.basis or NOW

    @property
    def truncation(self) -> Truncation:
        """What happens to cases whose history is not covered in full."""
        return self.truncated or "keep"

    @property
    def grain(self) -> Literal["case", "event", "milestone"]:
        """What n counts."""
        return "case"

    @property
    def expressions(self) -> Mapping[str, str]:
        """The expressions it states, by the key they stand under."""
        texts = {field: getattr(self, field, None) for field in ("of", "where", "column")}
        return {field: text for field, text in texts.items() if text is not None}

    @property
    def clocks(self) -> tuple[Clock, ...]:
        """The clocks in which it measures time; none for what is no time."""
        return ()

    @property
    def words(self) -> set[str]:
        """Names of facts and milestones the KPI uses, from its fields and expressions."""
        found = {
            str(getattr(self, field)) for field in ("count", "start", "end", "period") if hasattr(self, field)
        }
        for text in self.expressions.values():
            found.update(pl.sql_expr(text).meta.root_names())
        return found

    def milestones(self, known: set[str]) -> set[str]:
        """Milestones among `known` that the KPI depends on."""
        plain = {re.sub(r"_(at|last|n)$", "", word) for word in self.words} | self.words
        return plain & known

    @property
    def asks_outcome(self) -> bool:
        """Whether the KPI depends on how or whether cases ended."""
        return bool(self.words & {"outcome", "outcome_at", "open"})

    def outcomes(self, ends: Sequence[str]) -> set[str]:
        """The `ends` of a process that the KPI asks for by name, as in `outcome = 'won'`."""
        return {word for word in ends if any(f"'{word}'" in text for text in self.expressions.values())}


class Volume(KpiBase):
    """How many cases reached a milestone, or how often it happened; period: when it happened."""

    kind: Literal["volume"]
    count: Word
    of: Literal["cases", "events"]

    @property
    def grain(self) -> Literal["case", "event", "milestone"]:
        """Cases or events."""
        return "event" if self.of == "events" else "case"

    @property
    def expressions(self) -> Mapping[str, str]:
        """None: `of` is no expression here."""
        return {}

    @property
    def standing(self) -> str:
        """The milestone that is counted; each event's own time."""
        return self.basis or (self.count if self.of == "cases" else EVENT)


class Share(KpiBase):
    """Which share of a population meets the condition `where`, or none of those that `unless` names.

    Reasons under `unless` do not switch a KPI off: one that a source cannot show holds for no case.
    """

    kind: Literal["share"]
    of: str | None = None
    where: str | None = None
    unless: dict[str, str] = Field(default_factory=dict)
    period: Word

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        if (self.where is None) == (not self.unless):
            raise ValueError("state either 'where' or the reasons of 'unless'")
        return self

    @property
    def condition(self) -> str:
        """What a case of the population must meet; null is not true."""
        if self.where is not None:
            return self.where
        return "NOT (" + " OR ".join(f"coalesce({text}, FALSE)" for text in self.unless.values()) + ")"


class Value(KpiBase):
    """Sum, mean or median of a case fact; sums and means add each number as rounded to four decimals.

    Money is in the reporting currency where the process converts it (`cases` has `<column>_reporting` and
    `reporting_currency`); else, and with `currency = "record"`, in that of each record, kept apart.
    """

    kind: Literal["value"]
    column: str
    agg: Literal["sum", "mean", "median"]
    of: str | None = None
    period: Word
    currency: Literal["reporting", "record"] = "reporting"


class _FromStart(KpiBase):
    """What is asked from a first milestone on; one that a history tells may lie before what it covers."""

    start: Word

    @property
    def standing(self) -> str:
        """The milestone it begins with."""
        return self.basis or self.start

    @property
    def truncation(self) -> Truncation:
        """Creation is known from the record; other starts may be missing."""
        return self.truncated or ("keep" if self.start == "created" else "exclude")


class Duration(_FromStart):
    """Time from the first `start` to the first later `end`; open cases are censored.

    The `end` may be `outcome`: the closing in force, if it is not before the start.
    """

    kind: Literal["duration"]
    end: Word
    of: str | None = None
    period: Literal["start", "end"]

    @property
    def clocks(self) -> tuple[Clock, ...]:
        """Around the clock, and in opening hours where there are any."""
        return "calendar", "business"


class Conversion(_FromStart):
    """Share of the cases that entered `start` which later reached `end`, by entry cohort.

    With `within_days` each is followed for so many times 24 hours, and counted when these are over: `end`
    counts up to then, and until then a case is open, no part of n, whether it has reached the end or not.
    """

    kind: Literal["conversion"]
    end: Word
    of: str | None = None
    within_days: int | None = Field(default=None, gt=0)


class Rework(KpiBase):
    """Share of cases with repeated work and how much of it a case has."""

    kind: Literal["rework"]
    what: Literal[
        "repeats",
        "self_loops",
        "regressions",
        "reopens",
        "handovers",
        "person_handovers",
        "ping_pongs",
        "queue_ping_pongs",
        "indirect_ping_pongs",
        "queue_indirect_ping_pongs",
    ]
    of: str | None = None
    period: Word

    @property
    def truncation(self) -> Truncation:
        """What was done before history is covered cannot be counted."""
        return self.truncated or "exclude"


class Stock(KpiBase):
    """Cases open at the end of each period."""

    kind: Literal["stock"]

    @property
    def words(self) -> set[str]:
        """A stock counts what is open."""
        return {"open"}


class Sla(KpiBase):
    """Which share of the milestones of cases is met in time, by the date of their target.

    Of the milestones called `milestone` (null: all) that started before the case's first reopening, or with
    `after_reopening` since then; `start` and `end` are the milestone words of what tells their start and
    their completion. See `kernels.sla.states`.
    """

    kind: Literal["sla"]
    milestone: str | None = None
    after_reopening: bool = False
    of: str | None = None
    start: Word = "milestone_started"
    end: Word = "milestone_completed"

    @property
    def grain(self) -> Literal["case", "event", "milestone"]:
        """Milestones."""
        return "milestone"

    @property
    def standing(self) -> str:
        """Each milestone's own time: completed, due or the log's moment, whichever is first."""
        return self.basis or EVENT

    @property
    def words(self) -> set[str]:
        """How milestones stand depends on whether their case is open."""
        return super().words | {"open"}


class Waiting(KpiBase):
    """How long ended cases spent in the responsibilities `classes`, and which share of their lives."""

    kind: Literal["waiting"]
    classes: Annotated[tuple[Responsibility, ...], Field(min_length=1)]
    of: str | None = None
    period: Word

    @property
    def clocks(self) -> tuple[Clock, ...]:
        """Around the clock, and in opening hours where there are any."""
        return "calendar", "business"

    @property
    def truncation(self) -> Truncation:
        """Whose turn it was before history is covered is not known."""
        return self.truncated or "exclude"

    @property
    def words(self) -> set[str]:
        """A life lasts until the case is closed."""
        return super().words | {"open"}


Kpi = Annotated[
    Volume | Share | Value | Duration | Conversion | Rework | Stock | Sla | Waiting,
    Field(discriminator="kind"),
]
KPI: TypeAdapter[Kpi] = TypeAdapter(Kpi)

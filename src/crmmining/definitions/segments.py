"""Segments: a word for an attribute of cases, and the moment at which the attribute counts."""

from collections.abc import Collection
from typing import NamedTuple

from crmmining.definitions.process import Process

NOW, OUTCOME, EVENT = "now", "outcome", "event"


class Segment(NamedTuple):
    """What a word asked for stands for in one process.

    `basis` is the milestone at whose first passing the attribute counts, `outcome` (the closing in force),
    `event` (each event's own time) or `now`. Both are null where the process has no such word or milestone.
    """

    asked: str
    column: str | None
    basis: str | None


def segment(asked: str, process: Process, tracked: Collection[str], default: str) -> Segment:
    """Read `word` or `word@milestone`; `default` is the basis of a bare word.

    Attributes that are not `tracked` have no history: they are known as of now only, and said so.

    >>> from crmmining.definitions import read_catalogue
    >>> case = read_catalogue().process("case")
    >>> segment("region@closed", case, {"region"}, "created")
    Segment(asked='region@closed', column='region', basis='closed')
    >>> segment("country", case, {"region"}, "created").basis
    'now'
    """
    word, _, at = asked.partition("@")
    column = process.segments.get(word)
    if column is None or (at and at not in bases(process)):
        return Segment(asked, None, None)
    return Segment(asked, column, (at or default) if column in tracked else NOW)


def bases(process: Process) -> set[str]:
    """What may follow the `@`, and what a KPI may state as its basis."""
    return {*process.milestones, OUTCOME, NOW}

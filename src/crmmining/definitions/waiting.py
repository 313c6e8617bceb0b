"""What a process says of waiting: which statuses park a case, what counts as a touch, who holds it."""

from collections.abc import Collection, Mapping
from typing import Literal, get_args

from crmmining.definitions.model import Model, Word

Responsibility = Literal[
    "closed_before_reopening",
    "resolved",
    "on_hold",
    "with_customer",
    "in_queue",
    "untouched",
    "touched",
    "unknown",
]
RESPONSIBILITIES: tuple[Responsibility, ...] = get_args(Responsibility)
STATED: tuple[Responsibility, ...] = ("resolved", "on_hold", "with_customer")  # by a value of the status


class Waiting(Model):
    """The table `[waiting]` of a process.

    `attribute`, `owner` and `queue` are segment words: the status or stage, who holds a case, and the queue
    that does (null while a person does). `resolved`, `on_hold` and `with_customer` list values of the status,
    whatever their capitals. `touches` and `assigned` are milestones: after `assigned` a case counts as
    untouched again until the next of `touches`. `moves` are the milestones that tell how the status changes
    while a case is open: with them there are visits.
    """

    attribute: Word
    owner: Word | None = None
    queue: Word | None = None
    resolved: tuple[str, ...] = ()
    on_hold: tuple[str, ...] = ()
    with_customer: tuple[str, ...] = ()
    touches: tuple[Word, ...]
    assigned: tuple[Word, ...] = ()
    moves: tuple[Word, ...] = ()

    @property
    def words(self) -> dict[str, str]:
        """The segment words it names, by key."""
        named = {"attribute": self.attribute, "owner": self.owner, "queue": self.queue}
        return {key: word for key, word in named.items() if word is not None}

    @property
    def meaning(self) -> dict[str, Responsibility]:
        """What a value of the status, in small letters and without spaces around it, says.

        >>> Waiting(attribute="status", on_hold=["On Hold"], touches=["touched"]).meaning
        {'on hold': 'on_hold'}
        """
        return {_plain(value): kind for kind in STATED for value in getattr(self, kind)}

    def faults(self, segments: Mapping[str, str], milestones: Collection[str]) -> list[str]:
        """Everything in the table that refers to nothing or says two things, one line each."""
        found = [
            f"waiting.{key}: segment '{word}' is not declared under [segments]"
            for key, word in self.words.items()
            if word not in segments
        ]
        found += [
            f"waiting.{key}: milestone '{word}' is not declared under [milestones]"
            for key in ("touches", "assigned", "moves")
            for word in getattr(self, key)
            if word not in milestones
        ]
        said = [_plain(value) for kind in STATED for value in getattr(self, kind)]
        return found + [
            f"waiting: the status '{value}' is stated more than once"
            for value in sorted({value for value in said if said.count(value) > 1})
        ]


def _plain(value: str) -> str:
    return value.strip().lower()

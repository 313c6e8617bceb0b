"""Who had a case in turn, told naively: one owner after the other, looking back."""

from collections.abc import Sequence
from typing import Protocol

COUNTS = (
    *("handovers", "person_handovers", "queue_to_person", "person_to_queue"),
    *("ping_pongs", "queue_ping_pongs", "indirect_ping_pongs", "queue_indirect_ping_pongs"),
)


class Told(Protocol):
    """A value on record."""

    @property
    def value(self) -> str | None: ...


def handovers_of(owners: Sequence[Told], queues: Sequence[Told]) -> dict[str, int]:
    """The counts of `kernels.handovers` of one case, from what its owner and its queue were in turn."""
    paired = queues if len(queues) == len(owners) else [None] * len(owners)
    had: list[tuple[str | None, bool]] = []
    for owner, queue in zip(owners, paired, strict=True):
        who = (owner.value, queue is not None and queue.value is not None and owner.value is not None)
        if not had or had[-1] != who:
            had.append(who)
    found = dict.fromkeys(COUNTS, 0)
    kinds = {
        (False, False): "person_handovers",
        (True, False): "queue_to_person",
        (False, True): "person_to_queue",
    }
    for place in range(1, len(had)):
        (before, was_queue), (after, is_queue) = had[place - 1], had[place]
        found["handovers"] += 1
        if before is not None and after is not None and (was_queue, is_queue) in kinds:
            found[kinds[was_queue, is_queue]] += 1
        if after is None or had[place] not in had[:place]:
            continue
        others = next(back for back in range(2, place + 1) if had[place - back] == had[place]) - 1
        name = "ping_pongs" if others == 1 else "indirect_ping_pongs"
        found[name] += 1
        found[f"queue_{name}"] += is_queue
    return found

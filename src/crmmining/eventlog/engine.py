"""Engines: what applies one function to all partitions of a log, here one by one, elsewhere on a cluster."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

A = TypeVar("A")
B = TypeVar("B")

_MANY = 4  # items from which on somebody may have to wait


class Engine(Protocol):
    """Applies one function to many items: partitions of a log, buckets of cases.

    `elsewhere`: in other processes, maybe on other machines.
    """

    elsewhere: bool

    def map(self, ask: Callable[[A], B], items: Sequence[A]) -> Iterator[B]:
        """The answers in the order of the items; `ask`, items and answers can all be pickled."""
        ...


class Here:
    """One item after the other in this process: at most one partition is in memory at a time."""

    elsewhere = False

    def map(self, ask: Callable[[A], B], items: Sequence[A]) -> Iterator[B]:
        """The answers in the order of the items; where there are many, a bar on a terminal and in Jupyter."""
        if len(items) < _MANY:
            yield from map(ask, items)
            return
        from rich.console import Console  # noqa: PLC0415  slow to import
        from rich.progress import track  # noqa: PLC0415

        console = Console(stderr=True)
        hidden = not (console.is_terminal or console.is_jupyter)
        yield from map(ask, track(items, "partitions", console=console, transient=True, disable=hidden))

"""Progress on a terminal; nothing where nobody looks."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

A = TypeVar("A")
B = TypeVar("B")


class Steps:
    """What is being done, as a line on a terminal; as an engine, a bar over the items that are worked on."""

    elsewhere = False

    def __init__(self, progress: "Progress") -> None:
        self._progress = progress
        self._task = progress.add_task("start", total=None)

    def __call__(self, name: str) -> None:
        """Begin something else."""
        self._progress.update(self._task, description=name)

    def map(self, ask: Callable[[A], B], items: Sequence[A]) -> Iterator[B]:
        """The answers in the order of the items, one after the other."""
        if len(items) > 1:
            self._progress.reset(self._task, total=len(items))
        for answer in map(ask, items):
            yield answer
            self._progress.advance(self._task)
        self._progress.reset(self._task, total=None)


@contextmanager
def progress() -> Iterator[Steps]:
    """A line on a terminal that says what is being done; nothing where nobody looks."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    console = Console(stderr=True)
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        yield Steps(shown)

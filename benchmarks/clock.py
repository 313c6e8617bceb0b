"""Seconds per step of one process, and processor seconds of them all."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Clock:
    """Calls what it is given and notes how long that took, by step."""

    def __init__(self) -> None:
        self.steps: dict[str, float] = {}
        self.processor = 0.0

    def __call__(self, step: str, work: Callable[[], T]) -> T:
        start, busy = time.perf_counter(), time.process_time()
        result = work()
        self.steps[step] = self.steps.get(step, 0.0) + time.perf_counter() - start
        self.processor += time.process_time() - busy
        return result

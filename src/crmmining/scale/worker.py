"""What happens on a worker, and how an answer or an error travels back: as rows of bytes."""

import pickle
import traceback
from collections.abc import Callable, Iterator
from platform import node
from typing import Any

import pyarrow as pa

from crmmining.errors import CrmMiningError

COLUMNS = "at int, part int, parts int, answer binary"
PART = 64 << 20  # bytes of an answer in one row: messages of Spark Connect end at 128 MiB


def told(batches: Iterator[pa.RecordBatch], ask: bytes, size: int) -> Iterator[pa.RecordBatch]:
    """Answers to the pickled items in `batches` (at, item): rows of `COLUMNS`, of `size` bytes at most."""
    for batch in batches:
        for at, item in zip(*batch.columns, strict=True):
            answer = _answer(ask, item.as_py())
            cuts = range(0, len(answer), size)
            for part, low in enumerate(cuts):
                yield pa.RecordBatch.from_pydict(
                    {
                        "at": pa.array([at.as_py()], pa.int32()),
                        "part": pa.array([part], pa.int32()),
                        "parts": pa.array([len(cuts)], pa.int32()),
                        "answer": pa.array([answer[low : low + size]], pa.binary()),
                    }
                )


def opened(answer: bytes) -> Any:  # noqa: ANN401  whatever was asked for
    """What `told` was told: the answer, or the error raised again."""
    kind, content = pickle.loads(answer)  # noqa: S301  from our own workers
    if kind == "fault":
        raise CrmMiningError(content)
    if kind == "raised":
        what, args, state, trace = content
        error = what.__new__(what, *args)  # as it was: the errors of this package make their own messages
        error.__dict__.update(state)
        if not isinstance(error, CrmMiningError):
            error.add_note(trace)
        raise error
    return content


def _answer(ask: bytes, item: bytes) -> bytes:
    try:
        question: Callable[[Any], Any] = pickle.loads(ask)  # noqa: S301  from our own driver
        thing = pickle.loads(item)  # noqa: S301
    except (ImportError, AttributeError) as error:
        text = f"worker {node()} cannot read what it is asked ({error}): it needs every module that is used"
        return pickle.dumps(("fault", f"{text}; install it there, or ship it with the session"), protocol=5)
    try:
        return pickle.dumps(("answer", question(thing)), protocol=5)
    except (OSError, MemoryError):
        raise  # may pass: Spark asks again
    except Exception as error:  # noqa: BLE001  asked again, it would be the same
        return _raised(error)


def _raised(error: Exception) -> bytes:
    trace = f"on worker {node()}:\n" + "".join(traceback.format_exception(error))
    args = error.args
    if isinstance(error, CrmMiningError) and isinstance(error.__cause__, FileNotFoundError):
        args = (f"{error} (worker {node()} has no such file: all workers must find it under that path)",)
    try:
        return pickle.dumps(("raised", (type(error), args, error.__dict__, trace)), protocol=5)
    except Exception:  # noqa: BLE001  of a kind that cannot travel
        return pickle.dumps(("raised", (RuntimeError, (str(error),), {}, trace)), protocol=5)

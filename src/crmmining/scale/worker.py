"""What happens on a worker, and how an answer or an error travels back: as rows of bytes."""

import pickle
import traceback
from collections.abc import Callable, Iterator
from platform import node
from typing import Any

import pyarrow as pa

from crmmining.errors import CrmMiningError

COLUMNS = "at int, part int, parts int, answer binary"
SIZE = 8  # bytes that say how long an answer is when it is unpacked
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


def packed(kind: str, content: object) -> bytes:
    """What `opened` opens: compressed, since Java keeps an answer in its memory several times."""
    told = pickle.dumps((kind, content), protocol=5)
    small: bytes = pa.compress(told, codec="zstd", asbytes=True)
    return len(told).to_bytes(SIZE, "little") + small


def opened(answer: bytes) -> Any:  # noqa: ANN401  whatever was asked for
    """What `told` was told: the answer, or the error raised again."""
    size, small = int.from_bytes(answer[:SIZE], "little"), answer[SIZE:]
    kind, content = pickle.loads(pa.decompress(small, size, codec="zstd"))  # noqa: S301  from our workers
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
        return packed("fault", f"{text}; install it there, or ship it with the session")
    try:
        return packed("answer", question(thing))
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
        return packed("raised", (type(error), args, error.__dict__, trace))
    except Exception:  # noqa: BLE001  of a kind that cannot travel
        return packed("raised", (RuntimeError, (str(error),), {}, trace))

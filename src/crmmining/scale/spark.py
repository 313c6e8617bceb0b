"""The engine on Apache Spark and on what speaks its protocol: a task per item, answers in their order."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from crmmining.errors import CrmMiningError
from crmmining.scale import failures, worker

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

A = TypeVar("A")
B = TypeVar("B")

# What must be the same here and on every worker: what pickles refer to, and what counts.
SAME = ("crmmining", "polars", "duckdb")
MESSAGE = 64 << 20  # bytes of items that are sent together: messages of Spark Connect end at 128 MiB
Task = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]


class Spark:
    """Applies functions to items on the workers of a Spark session, one task per item.

    Any session will do: of Spark in this process or on a cluster, of Spark Connect, Databricks Connect or
    Sail. Spark replaces a worker that is lost and asks its items anew: the answers are the same.
    """

    elsewhere = True

    def __init__(self, session: "SparkSession") -> None:
        self._session = session

    def map(self, ask: Callable[[A], B], items: Sequence[A]) -> Iterator[B]:
        """What `ask` answers to each item, in the order of the items.

        Function, items and answers must be picklable. What `ask` raises on a worker is raised here, as that
        of the first item that has an error. Raises `CrmMiningError` when a worker lacks a package or has
        another version of it, when an item is too large to be sent and when Spark gives up.
        """
        from pyspark import cloudpickle  # noqa: PLC0415

        with failures.translated():
            question = cloudpickle.dumps(ask)  # type: ignore[no-untyped-call]
            task = _task(question, {name: version(name) for name in SAME}, worker.PART)
            for sent in _sendable(items):
                yield from self._answers(task, sent)

    def _answers(self, task: Task, sent: Sequence[bytes]) -> Iterator[Any]:
        came: dict[int, list[bytes]] = {}
        due = 0
        for at, part, parts, answer in _rows(self._asked(task, sent)):
            came.setdefault(at, [b""] * parts)[part] = answer
            while due in came and all(came[due]):
                yield worker.opened(b"".join(came.pop(due)))
                due += 1
        if due < len(sent):
            raise CrmMiningError(f"Spark gave {due} answers to {len(sent)} questions; ask again")

    def _asked(self, task: Task, sent: Sequence[bytes]) -> "DataFrame":
        table = pa.table({"at": pa.array(range(len(sent)), pa.int32()), "item": pa.array(sent, pa.binary())})
        with failures.without_pandas():
            frame = self._session.createDataFrame(table).repartitionByRange(len(sent), "at")
            return frame.mapInArrow(task, worker.COLUMNS)


def _sendable(items: Sequence[Any]) -> Iterator[list[bytes]]:
    """The items, pickled, as many together as a message may hold."""
    together: list[bytes] = []
    size = 0
    for item in items:
        sent = pickle.dumps(item, protocol=5)
        if len(sent) > MESSAGE:
            raise CrmMiningError(
                f"a partition of {len(sent) >> 20:,} MiB is too large to be sent to a worker (most: "
                f"{MESSAGE >> 20} MiB): store the log where all workers find it and open it from there"
            )
        if size + len(sent) > MESSAGE:
            yield together
            together, size = [], 0
        together.append(sent)
        size += len(sent)
    if together:
        yield together


def _rows(frame: "DataFrame") -> Iterator[tuple[Any, ...]]:
    """The rows as they come; a session of the classic kind would iterate over one task at a time."""
    if type(frame).__module__.startswith("pyspark.sql.connect"):
        yield from frame.toLocalIterator()
        return
    for batch in frame.toArrow().to_batches():
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _task(ask: bytes, same: dict[str, str], size: int) -> Task:
    """What Spark runs on a worker. It travels as code, so that a worker without this package can say so."""

    def task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import os  # noqa: PLC0415
        import pickle  # noqa: PLC0415
        import platform  # noqa: PLC0415
        import sys  # noqa: PLC0415
        from importlib.metadata import distributions  # noqa: PLC0415

        import pyarrow as pa  # noqa: PLC0415
        from pyspark import TaskContext  # noqa: PLC0415

        context = TaskContext.get()  # Sail has none: its tasks share one process, and that one's threads
        if context is not None:
            os.environ.setdefault("POLARS_MAX_THREADS", str(context.cpus()))
        here = {found.name: found.version for found in distributions() if found.name in same}
        if here == same:
            from crmmining.scale import worker  # noqa: PLC0415

            yield from worker.told(batches, ask, size)
            return
        other = [name for name in same if here.get(name) != same[name]]
        has = " and ".join(f"{name} {here[name]}" if name in here else f"no {name}" for name in other)
        needs = " ".join(f"{name}=={wanted}" for name, wanted in same.items())
        fault = (
            f"worker {platform.node()} has {has}; every worker needs what is used here: "
            f"{sys.executable} -m pip install {needs}"
        )
        content = pickle.dumps(("fault", fault))
        answer = len(content).to_bytes(8, "little") + pa.compress(content, codec="zstd", asbytes=True)
        for batch in batches:
            told = [
                {"at": at, "part": 0, "parts": 1, "answer": answer} for at in batch.column("at").to_pylist()
            ]
            types = [pa.int32(), pa.int32(), pa.int32(), pa.binary()]
            yield pa.RecordBatch.from_pylist(told, pa.schema(zip(told[0], types, strict=True)))

    return task

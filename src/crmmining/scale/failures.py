"""What Spark says when it gives up, in one message."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from crmmining.errors import CrmMiningError

_CLIENTS = {"pyspark", "py4j", "grpc"}  # whose errors are Spark's
_LOST = re.compile(r"most recent failure: Lost task[^\n]*?\): (?:[\w.$]+: )?([^\n]*)")


@contextmanager
def translated() -> Iterator[None]:
    """Errors of Spark, of its client and of the connection to it, as one `CrmMiningError` each."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, ConnectionError) and type(error).__module__.split(".")[0] not in _CLIENTS:
            raise
        raise CrmMiningError(f"Spark gave up: {reason(str(error))}") from error


@contextmanager
def without_pandas() -> Iterator[None]:
    """Nothing said about versions of pandas, of which Spark's client warns, and which is not used here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        yield


def reason(text: str) -> str:
    r"""The line that says why, among the traces of Python and Java that Spark reports.

    >>> reason("A worker failed:\nTraceback (most recent call last):\n  File a.py\nOSError: disk full\n")
    'OSError: disk full'
    >>> reason("An error occurred while calling z:a.\n: b.E: no\n\tat c\nCaused by: b.F: full\n\tat d")
    'b.F: full'
    """
    lines = [line for line in text.splitlines() if line[:1].strip()]
    if "Traceback (most recent call last)" in text:
        return lines[-1]
    lost = _LOST.search(text)
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    why = lost[1] if lost else (causes[-1:] or lines[:1] or [text.strip()])[0]
    if "Python worker exited" in why:
        return f"{why.split('. ')[0]}. Mostly for want of memory: give tasks more, or make partitions smaller"
    return why

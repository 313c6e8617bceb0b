"""Locks on files that the operating system holds: they are gone when their process is, however it ended."""

import sys
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def locked(path: Path) -> IO[bytes] | None:
    """The file at `path`, made if need be and locked until it is closed; null when somebody else holds it.

    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "lock"
    >>> with locked(path) as mine:
    ...     print(locked(path))
    None
    """
    file = path.open("ab")
    try:
        _lock(file)
    except (BlockingIOError, PermissionError):  # as POSIX and as Windows say it
        file.close()
        return None
    return file

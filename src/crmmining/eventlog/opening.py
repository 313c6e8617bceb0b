"""Opening a stored log: under the definitions that it was made with, or not at all."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from crmmining.definitions import read_catalogue
from crmmining.errors import CrmMiningError
from crmmining.eventlog import stored
from crmmining.eventlog.log import EventLog


def open_log(
    folder: str | Path, *, crm: str = "salesforce", extractors: Sequence[str | Path] = ()
) -> EventLog:
    """A log that `EventLog.save` stored; its partitions are read when they are asked for, one at a time.

    `crm` and `extractors` name the definitions as in `connect`; they must be those that the log was made
    with. Raises `CrmMiningError` for other definitions, another format and damaged files.

    >>> from tempfile import mkdtemp
    >>> import crmmining as cm
    >>> log, folder = cm.connect("data/sample").event_log("case"), mkdtemp()
    >>> log.save(folder)
    >>> cm.open_log(folder).variants().equals(log.variants())
    True
    """
    manifest, partitions, quality = stored.read(Path(folder))
    process = read_catalogue(crm, extractors=extractors).process(manifest["process"])
    if process.fingerprint != manifest["definition"]:
        raise CrmMiningError(
            f"{folder} was stored under other definitions of process '{process.name}' "
            f"({manifest['definition']}, here {process.fingerprint}): name the same `extractors`, "
            "or store it again"
        )
    return EventLog(
        process=process,
        as_of=datetime.fromisoformat(manifest["as_of"]),
        activities=tuple(manifest["activities"]),
        partitions=partitions,
        quality=quality,
        off=tuple(manifest["off"]),
        minimum_group=manifest["minimum_group"],
        tracked=frozenset(manifest["tracked"]),
    )

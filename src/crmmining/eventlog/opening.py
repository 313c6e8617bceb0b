"""Opening a stored log: under the definitions that it was made with, or not at all."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ByteSize, TypeAdapter, ValidationError

from crmmining.calendars import Calendars
from crmmining.definitions import read_catalogue
from crmmining.errors import CrmMiningError
from crmmining.eventlog import stored
from crmmining.eventlog.engine import Engine, Here
from crmmining.eventlog.log import EventLog


def open_log(
    folder: str | Path,
    *,
    crm: str = "salesforce",
    extractors: Sequence[str | Path] = (),
    as_of: datetime | None = None,
    memory: str = "4GiB",
    engine: Engine | None = None,
) -> EventLog:
    """A log that `EventLog.save` stored; its partitions are read when they are asked for, one at a time.

    `crm` and `extractors` name the definitions as in `connect`; they must be those that the log was made
    with. A log as of another moment than `as_of`, where that is given, is refused. One frame of all events,
    cases or facts is only made where it fits into `memory`; `scan()` and every figure go partition by
    partition. `engine` asks them elsewhere than here (see `crmmining.engine`). Raises `CrmMiningError` for
    other definitions, another format or moment and damaged files.

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
    known = datetime.fromisoformat(manifest["as_of"])
    if as_of is not None and known != (as_of.replace(tzinfo=UTC) if as_of.tzinfo is None else as_of):
        raise CrmMiningError(f"{folder} is as of {known.isoformat()}, not {as_of.isoformat()}")
    return EventLog(
        process=process,
        as_of=known,
        activities=tuple(manifest["activities"]),
        partitions=partitions,
        quality=quality,
        off=tuple(manifest["off"]),
        minimum_group=manifest["minimum_group"],
        tracked=frozenset(manifest["tracked"]),
        engine=Here() if engine is None else engine,
        memory=_amount(memory),
        calendars=None if manifest["calendars"] is None else Calendars.told(manifest["calendars"]),
    )


def _amount(memory: str) -> int:
    try:
        return TypeAdapter(ByteSize).validate_python(memory)
    except ValidationError as error:
        raise CrmMiningError(f"memory is '{memory}', but must be an amount such as 4GiB or 800MB") from error

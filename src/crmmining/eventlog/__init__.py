"""The event log: coded, sorted, reconciled; filters return new logs, verbs return plain frames."""

from crmmining.eventlog.engine import Engine, Here
from crmmining.eventlog.log import EventLog
from crmmining.eventlog.naming import SEPARATOR
from crmmining.eventlog.opening import open_log
from crmmining.eventlog.partition import VALUES, Partition, partition

__all__ = ["SEPARATOR", "VALUES", "Engine", "EventLog", "Here", "Partition", "open_log", "partition"]

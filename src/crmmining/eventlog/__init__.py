"""The event log: coded, sorted, reconciled; filters return new logs, verbs return plain frames."""

from crmmining.eventlog.log import SEPARATOR, EventLog
from crmmining.eventlog.opening import open_log
from crmmining.eventlog.partition import VALUES, Partition, partition

__all__ = ["SEPARATOR", "VALUES", "EventLog", "Partition", "open_log", "partition"]

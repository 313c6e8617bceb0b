"""Tables + Process + as_of -> EventLog: runs the SQL, codes what it tells, accounts for every row."""

from crmmining.extract.building import Told, build, told_log
from crmmining.extract.evidence import evidence
from crmmining.extract.findings import findings
from crmmining.extract.state import coverage, state

__all__ = ["Told", "build", "coverage", "evidence", "findings", "state", "told_log"]

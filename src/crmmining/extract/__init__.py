"""Tables + Process + as_of -> EventLog: runs the SQL, codes what it tells, accounts for every row."""

from crmmining.extract.building import build
from crmmining.extract.evidence import evidence
from crmmining.extract.findings import findings
from crmmining.extract.state import coverage, state

__all__ = ["build", "coverage", "evidence", "findings", "state"]

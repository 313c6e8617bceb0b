"""Errors that teach: what is wrong, where, what is there instead, what to do."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class CrmMiningError(ValueError):
    """Base of every error this library raises on purpose; the command line turns it into exit code 2."""


class SourceError(CrmMiningError):
    """The input as a whole cannot be trusted or read."""


class DefinitionError(CrmMiningError):
    """Extractor, KPI or target definitions are faulty; `faults` holds all of them, one line each."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        super().__init__(f"definitions have {count}:\n  " + "\n  ".join(self.faults))


class UnknownNameError(CrmMiningError):
    """A process, KPI, milestone, activity, segment or column name that nothing defines."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        super().__init__(f"unknown {kind} '{name}'.{hint} Known: {', '.join(names) or 'none'}.")


class OutputError(CrmMiningError):
    """The place to write to holds something else, or cannot be written."""

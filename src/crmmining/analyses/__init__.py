"""Analyses: named questions to an event log whose answer is a table of its own, no single figure."""

from crmmining.analyses.whose_turn import waiting, waits

__all__ = ["waiting", "waits"]

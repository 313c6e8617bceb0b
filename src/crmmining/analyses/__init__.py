"""Analyses: named questions to an event log whose answer is a table of its own, no single figure."""

from crmmining.analyses.backlogs import ageing, backlog
from crmmining.analyses.first_time_right import first_time_right
from crmmining.analyses.service_levels import milestones, sla

__all__ = ["ageing", "backlog", "first_time_right", "milestones", "sla"]

"""Analyses: named questions to an event log whose answer is a table of its own, no single figure."""

from crmmining.analyses.backlogs import ageing, backlog
from crmmining.analyses.backtests import backtest
from crmmining.analyses.classing import alerts, classes
from crmmining.analyses.customers import customers
from crmmining.analyses.documentation import documentation
from crmmining.analyses.first_time_right import first_time_right
from crmmining.analyses.forecasts import forecast
from crmmining.analyses.funnels import funnel, narrow_and_broad
from crmmining.analyses.pipelines import pipeline, pipeline_moves, pipeline_series
from crmmining.analyses.role_models import role_models
from crmmining.analyses.service_levels import milestones, sla
from crmmining.analyses.slipping import slippage
from crmmining.analyses.stages import stage_visits, visits
from crmmining.analyses.velocity import gaps, velocity
from crmmining.analyses.waterfalls import flows, waterfall
from crmmining.analyses.ways_out import curves, outcomes
from crmmining.analyses.whose_turn import waiting, waits
from crmmining.analyses.workload import workload

__all__ = [
    "ageing",
    "alerts",
    "backlog",
    "backtest",
    "classes",
    "curves",
    "customers",
    "documentation",
    "first_time_right",
    "flows",
    "forecast",
    "funnel",
    "gaps",
    "milestones",
    "narrow_and_broad",
    "outcomes",
    "pipeline",
    "pipeline_moves",
    "pipeline_series",
    "role_models",
    "sla",
    "slippage",
    "stage_visits",
    "velocity",
    "visits",
    "waiting",
    "waits",
    "waterfall",
    "workload",
]

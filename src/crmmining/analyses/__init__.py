"""Analyses: named questions to an event log whose answer is a table of its own, no single figure."""

from crmmining.analyses.backlogs import ageing, backlog
from crmmining.analyses.backtests import backtest
from crmmining.analyses.customers import customers
from crmmining.analyses.first_time_right import first_time_right
from crmmining.analyses.forecasts import forecast
from crmmining.analyses.pipelines import pipeline, pipeline_moves, pipeline_series
from crmmining.analyses.role_models import role_models
from crmmining.analyses.service_levels import milestones, sla
from crmmining.analyses.slipping import slippage
from crmmining.analyses.waterfalls import flows, waterfall
from crmmining.analyses.whose_turn import waiting, waits
from crmmining.analyses.workload import workload

__all__ = [
    "ageing",
    "backlog",
    "backtest",
    "customers",
    "first_time_right",
    "flows",
    "forecast",
    "milestones",
    "pipeline",
    "pipeline_moves",
    "pipeline_series",
    "role_models",
    "sla",
    "slippage",
    "waiting",
    "waits",
    "waterfall",
    "workload",
]

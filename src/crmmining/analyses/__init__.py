"""Analyses: named questions to an event log whose answer is a table of its own, no single figure."""

from crmmining.analyses.backtests import backtest
from crmmining.analyses.customers import customers
from crmmining.analyses.forecasts import forecast
from crmmining.analyses.role_models import role_models
from crmmining.analyses.whose_turn import waiting, waits
from crmmining.analyses.workload import workload

__all__ = ["backtest", "customers", "forecast", "role_models", "waiting", "waits", "workload"]

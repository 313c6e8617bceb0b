"""Scorecards of generated deals."""

from collections.abc import Callable, Mapping

import polars as pl
import pytest

from crmmining.definitions import Catalogue, Kpi, Process
from crmmining.eventlog import EventLog
from crmmining.measure import Cut, scorecard
from crmmining.tables import SourceSpec

from .deals import KPIS, Deals

Ask = Callable[..., pl.DataFrame]
Log = Callable[..., EventLog]


@pytest.fixture
def log_of(make_log: Callable[..., EventLog]) -> Log:
    """The log of generated deals."""

    def logged(deals: Deals, partitions: int = 1) -> EventLog:
        return make_log(
            deals.rows, deals.cases, as_of=deals.as_of, partitions=partitions, changes=deals.changes
        )

    return logged


@pytest.fixture
def ask(deal: Process, spec: SourceSpec) -> Ask:
    """The scorecard of one log of deals."""
    catalogue = Catalogue(spec, {"deal": deal}, KPIS)

    def scored(log: EventLog, cut: Cut, kpis: Mapping[str, Kpi] = KPIS) -> pl.DataFrame:
        return scorecard({"deal": log}, catalogue, kpis.values(), cut)

    return scored

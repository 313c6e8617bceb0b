"""Every KPI of the scorecard against a second, naive implementation that starts from raw events."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import crmmining as cm
from crmmining.definitions import Catalogue, read_catalogue
from crmmining.measure import Cut
from crmmining.periods import Period, period_end
from crmmining.tables import OrgSpec

from ..waiting.naive import Naive  # noqa: TID252 - of the folder beside
from .answers import Figure, Key, differences, first_day, of_scorecard
from .conftest import Ask, Log
from .deals import CALENDARS, CUT, DEAL_HOURS, KPIS, ORGS, Deals, deals, moment, raw_events
from .hours import Hours, Office
from .oracle import TICK, Change, Oracle, oracle_of

WEEKDAYS = tuple((day, 9 * 60, 17 * 60) for day in range(5))
HOURS = Hours(
    {"Help desk": Office("UTC", None), "Office hours": Office("America/New_York", WEEKDAYS)}, (), "Help desk"
)
PROCESSES = ("account", "case", "lead", "opportunity")

# The sample -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def oracles(sample: cm.Crm) -> dict[str, Oracle]:
    logs = {process: sample.event_log(process) for process in PROCESSES}
    return {name: oracle_of(log, HOURS) for name, log in logs.items()}


def expected(oracles: Mapping[str, Oracle], catalogue: Catalogue, cut: Cut) -> dict[Key, Figure]:
    return {
        key: figure
        for process, oracle in oracles.items()
        for kpi in catalogue.kpis_of(process)
        for key, figure in oracle.answer(kpi, cut).items()
    }


def test_the_raw_events_the_oracle_starts_from_are_in_order(sample: cm.Crm) -> None:
    for process in PROCESSES:
        events = sample.event_log(process).events
        assert events.height > 1000
        assert events.select("case_id", "occurred_at").equals(
            events.select("case_id", "occurred_at").sort(pl.all())
        )


@pytest.mark.parametrize(
    ("by", "period"),
    [
        ((), None),
        (("region",), None),
        (("product", "source"), None),  # accounts and leads have no product
        ((), "week"),
        (("region",), "month"),
        ((), "quarter"),
        (("region",), "year"),
    ],
)
def test_all_kpis_on_the_sample(
    sample: cm.Crm, oracles: dict[str, Oracle], by: tuple[str, ...], period: Period | None
) -> None:
    catalogue = read_catalogue()
    rows = sample.scorecard(by=by, period=period)
    assert set(rows["kpi"]) == set(catalogue.kpis)
    wanted = expected(oracles, catalogue, Cut(catalogue.source.org, by, period))
    assert differences(wanted, of_scorecard(rows, by)) == []


@pytest.mark.parametrize("period", [None, "quarter"])
@pytest.mark.parametrize(
    ("since", "until"),
    [
        (datetime(2024, 3, 1, 5, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)),
        (datetime(2024, 6, 15, tzinfo=UTC), None),
        (None, datetime(2024, 6, 15, tzinfo=UTC)),
    ],
)
def test_all_kpis_of_a_window(
    sample: cm.Crm,
    oracles: dict[str, Oracle],
    since: datetime | None,
    until: datetime | None,
    period: Period | None,
) -> None:
    catalogue = read_catalogue()
    rows = sample.scorecard(by="region", period=period, since=since, until=until)
    wanted = expected(oracles, catalogue, Cut(catalogue.source.org, ("region",), period, since, until))
    assert differences(wanted, of_scorecard(rows, ["region"])) == []


def test_all_kpis_in_another_zone_and_fiscal_year(sample_folder: Path, tmp_path: Path) -> None:
    # half an hour off the full hour, summer time in January, fiscal quarters that begin in February
    (tmp_path / "salesforce").mkdir()
    org = '[org]\ntime_zone = "Australia/Adelaide"\nfiscal_year_start = 2\n'
    (tmp_path / "salesforce" / "source.toml").write_text(org)
    crm = cm.connect(sample_folder, extractors=[tmp_path])
    catalogue = read_catalogue(extractors=[tmp_path])
    logs = {process: crm.event_log(process) for process in PROCESSES}
    oracles = {name: oracle_of(log, HOURS) for name, log in logs.items()}
    rows: dict[Key, Figure] = {}
    periods: list[Period] = ["month", "quarter"]
    for period in periods:
        rows = of_scorecard(crm.scorecard(period=period), [])
        assert differences(expected(oracles, catalogue, Cut(catalogue.source.org, (), period)), rows) == []
    assert differences(expected(oracles, catalogue, Cut(OrgSpec(), (), "quarter")), rows) != []


def test_all_kpis_of_a_past_moment_with_lost_history(tmp_path: Path) -> None:
    folder = cm.simulate(tmp_path / "crm", accounts=80, seed=5, retention_months=18)
    crm, catalogue = cm.connect(folder), read_catalogue()
    as_of = datetime(2025, 5, 17, 11, 59, tzinfo=UTC)
    past = {}
    for process in PROCESSES:
        log = crm.event_log(process, as_of=as_of)
        assert log.events.filter(pl.col("occurred_at") > as_of).is_empty()
        # the stage history of opportunities is kept for ever
        assert log.cases["truncated"].any() == (process != "opportunity")
        past[process] = oracle_of(log, HOURS)
    periods: list[Period | None] = [None, "month"]
    for period in periods:
        rows = crm.scorecard(by="region", period=period, as_of=as_of)
        wanted = expected(past, catalogue, Cut(catalogue.source.org, ("region",), period))
        assert differences(wanted, of_scorecard(rows, ["region"])) == []


def test_columns_that_name_and_date_the_rows(sample: cm.Crm) -> None:
    catalogue = read_catalogue()
    rows = sample.scorecard(by="region", period="quarter")
    order = ["process", "kpi", "part", "clock", "period_start", "region"]
    assert rows.select(order).equals(rows.select(order).sort(order, nulls_last=True, maintain_order=True))
    assert rows["as_of"].unique().to_list() == [sample.clock]
    assert rows.filter(pl.col("period_start").is_null() != pl.col("period_end").is_null()).is_empty()
    assert rows.filter(pl.col("period_end") != period_end(pl.col("period_start"), "quarter")).is_empty()
    for name, process, grain, definition in (
        rows.select("kpi", "process", "grain", "definition").unique().rows()
    ):
        kpi = catalogue.kpi(name)
        assert process == kpi.process
        counted = {"sla": "milestone"}.get(kpi.kind, "case")
        assert grain == ("event" if kpi.kind == "volume" and kpi.of == "events" else counted)
        assert definition == catalogue.fingerprint(kpi)


# Generated logs ---------------------------------------------------------------------------------------------


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(generated=deals(), cut=CUT, partitions=st.integers(1, 3))
def test_every_kind_on_generated_logs(
    log_of: Log, ask: Ask, generated: Deals, cut: Cut, partitions: int
) -> None:
    log = replace(log_of(generated, partitions), calendars=CALENDARS)
    changes = [Change(case, attribute, moment(when), to) for case, attribute, when, to in generated.changes]
    known = log.process, raw_events(generated.rows), log.cases, log.as_of
    oracle = Oracle(*known, changes, hours=DEAL_HOURS, waits=Naive(log).rows())
    wanted = {key: figure for kpi in KPIS.values() for key, figure in oracle.answer(kpi, cut).items()}
    assert differences(wanted, of_scorecard(ask(log, cut), cut.by)) == []


def test_a_case_without_calendar_has_no_business_time(log_of: Log, ask: Ask) -> None:
    generated = Deals([("d0", "Create", 1.0, None), ("d0", "Win", 3.0, None)], {"d0": {}}, 10.0, [])
    log = replace(log_of(generated), calendars=replace(CALENDARS, default=None))
    rows = ask(log, Cut(OrgSpec()), {"cycle": KPIS["cycle"]}).filter(pl.col("part") == "mean")
    assert rows.select("clock", "value", "n", "open", "excluded").rows() == [
        ("business", None, 0, 0, 1),
        ("calendar", 172800.0, 1, 0, 0),
    ]


# The oracle itself ------------------------------------------------------------------------------------------


def test_the_oracle_cuts_periods_as_the_calendar_says() -> None:
    adelaide = ORGS[1]
    late = datetime(2024, 1, 31, 13, 30, tzinfo=UTC)  # midnight of 1 February in Adelaide (UTC+10:30)
    starts = {
        "day": ("2024-01-31", "2024-02-01"),
        "week": ("2024-01-29", "2024-01-29"),
        "month": ("2024-01-01", "2024-02-01"),
        "quarter": ("2023-11-01", "2024-02-01"),
        "year": ("2023-02-01", "2024-02-01"),
    }
    for period, days in starts.items():
        cuts = [first_day(instant, period, adelaide).isoformat() for instant in (late - TICK, late)]
        assert tuple(cuts) == days

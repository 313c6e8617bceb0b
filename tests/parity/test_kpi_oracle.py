"""Every KPI of the scorecard against a second, naive implementation that starts from raw events."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import crmmining as cm
from crmmining import measure
from crmmining.definitions import Catalogue, Kpi, Process, read_catalogue
from crmmining.definitions.kpi import KPI
from crmmining.eventlog import EventLog
from crmmining.periods import Period, period_end
from crmmining.tables import OrgSpec, SourceSpec

from .oracle import Cut, Figure, Key, Oracle, differences, first_day, of_scorecard

MakeLog = Callable[..., EventLog]
PROCESSES = ("account", "case", "lead", "opportunity")

# The sample -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def oracles(sample: cm.Crm) -> dict[str, Oracle]:
    logs = {process: sample.event_log(process) for process in PROCESSES}
    return {name: Oracle(log.process, log.events, log.cases, log.as_of) for name, log in logs.items()}


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
        assert events.select("case_id", "occurred_at").equals(events.select("case_id", "occurred_at").sort(pl.all()))


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


def test_all_kpis_in_another_zone_and_fiscal_year(
    sample_folder: Path, oracles: dict[str, Oracle], tmp_path: Path
) -> None:
    # half an hour off the full hour, summer time in the southern summer, fiscal quarters that begin in February
    (tmp_path / "salesforce").mkdir()
    org = '[org]\ntime_zone = "Australia/Adelaide"\nfiscal_year_start = 2\n'
    (tmp_path / "salesforce" / "source.toml").write_text(org)
    crm = cm.connect(sample_folder, extractors=[tmp_path])
    catalogue = read_catalogue(extractors=[tmp_path])
    for period in ("month", "quarter", "year"):
        rows = crm.scorecard(period=period)
        adelaide = expected(oracles, catalogue, Cut(catalogue.source.org, (), period))
        assert differences(adelaide, of_scorecard(rows, [])) == []
        assert differences(expected(oracles, catalogue, Cut(OrgSpec(), (), period)), adelaide) != []


def test_columns_that_name_and_date_the_rows(sample: cm.Crm) -> None:
    catalogue = read_catalogue()
    rows = sample.scorecard(by="region", period="quarter")
    order = ["process", "kpi", "part", "period_start", "region"]
    assert rows.select(order).equals(rows.select(order).sort(order, nulls_last=True, maintain_order=True))
    assert rows["as_of"].unique().to_list() == [sample.clock]
    assert rows.filter(pl.col("period_start").is_null() != pl.col("period_end").is_null()).is_empty()
    assert rows.filter(pl.col("period_end") != period_end(pl.col("period_start"), "quarter")).is_empty()
    for name, process, grain, definition in rows.select("kpi", "process", "grain", "definition").unique().rows():
        kpi = catalogue.kpi(name)
        assert process == kpi.process
        assert grain == ("event" if kpi.kind == "volume" and kpi.of == "events" else "case")
        assert definition == catalogue.fingerprint(kpi)


# Generated logs ---------------------------------------------------------------------------------------------

TEXT = {"process": "deal", "question": "q", "formula": "f", "better": "neutral"}
ASKED: dict[str, dict[str, Any]] = {
    "created": {"kind": "volume", "count": "created", "of": "cases", "unit": "cases"},
    "won": {"kind": "volume", "count": "won", "of": "cases", "unit": "cases"},
    "stage_moves": {"kind": "volume", "count": "staged", "of": "events", "unit": "events"},
    "touches": {"kind": "volume", "count": "touched", "of": "events", "unit": "events"},
    "win_rate": {
        "kind": "share",
        "of": "NOT open",
        "where": "outcome = 'won'",
        "period": "outcome",
        "unit": "share",
    },
    "large": {"kind": "share", "where": "amount > 60", "period": "won", "unit": "share"},
    "far": {
        "kind": "share",
        "of": "amount > 60 OR region = 'EMEA'",
        "where": "touched_at <= staged_at + INTERVAL '1 day' OR skips > 0",
        "period": "touched",
        "unit": "share",
    },
    "won_amount": {
        "kind": "value",
        "column": "amount",
        "agg": "sum",
        "of": "outcome = 'won'",
        "period": "outcome",
        "unit": "money",
    },
    "deal_size": {"kind": "value", "column": "amount", "agg": "median", "period": "created", "unit": "money"},
    "touches_per_deal": {
        "kind": "value",
        "column": "touched_n",
        "agg": "mean",
        "of": "amount > 60",
        "period": "staged",
        "unit": "number",
    },
    "cycle": {"kind": "duration", "start": "created", "end": "won", "period": "end", "unit": "s"},
    "to_touch": {
        "kind": "duration",
        "start": "created",
        "end": "touched",
        "of": "region = 'APAC'",
        "period": "start",
        "unit": "s",
    },
    "between_stages": {
        "kind": "duration",
        "start": "staged",
        "end": "staged",
        "period": "start",
        "unit": "s",
    },
    "win_conversion": {"kind": "conversion", "start": "created", "end": "won", "unit": "share"},
    "touch_conversion": {
        "kind": "conversion",
        "start": "touched",
        "end": "lost",
        "of": "amount > 60",
        "unit": "share",
    },
    "repeats": {"kind": "rework", "what": "repeats", "period": "created", "unit": "share"},
    "self_loops": {
        "kind": "rework",
        "what": "self_loops",
        "of": "NOT open",
        "period": "outcome",
        "unit": "share",
    },
    "regressions": {"kind": "rework", "what": "regressions", "period": "staged", "unit": "share"},
    "reopened": {
        "kind": "rework",
        "what": "reopens",
        "of": "won_n + lost_n > 0",
        "period": "lost",
        "unit": "share",
    },
    "open_deals": {"kind": "stock", "unit": "cases"},
}
KPIS: dict[str, Kpi] = {
    name: KPI.validate_python(TEXT | {"name": name} | fields) for name, fields in ASKED.items()
}
ORGS = [
    OrgSpec(),
    OrgSpec(time_zone="Australia/Adelaide", fiscal_year_start=2),
    OrgSpec(time_zone="America/New_York", fiscal_year_start=10),
]
QUARTERS_OF_A_DAY = st.integers(4, 4 * 80).map(lambda quarters: quarters / 4)
EVENT = st.tuples(
    st.sampled_from(["Call", "Stage: A", "Stage: B", "Win", "Lose", "Reopen", "Change: Owner"]),
    st.one_of(QUARTERS_OF_A_DAY, st.sampled_from([1.0, 60.5, 61.0])),  # ties inside a case
    st.sampled_from([None, -1, 1, 2]),
)
CASE = st.tuples(
    QUARTERS_OF_A_DAY,
    st.lists(EVENT, max_size=9),
    st.sampled_from([None, "EMEA", "APAC"]),
    st.sampled_from([None, 0.0, 59.99, 61.25, 1000.1]),
    st.sampled_from(["EUR", "USD"]),
)
DAY_ONE = datetime(2024, 1, 1, tzinfo=UTC)


def raw_events(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    """Event rows in log order: by case and time, ties by activity and direction."""
    ordered = sorted(rows, key=lambda row: (row[0], row[2], row[1], row[3] is not None, row[3] or 0))
    return pl.DataFrame(
        [(case, activity, DAY_ONE + timedelta(days=when - 1), to) for case, activity, when, to in ordered],
        schema={
            "case_id": pl.String,
            "activity": pl.String,
            "occurred_at": pl.Datetime("us", "UTC"),
            "direction": pl.Int8,
        },
        orient="row",
    )


@pytest.fixture(scope="module")
def source() -> SourceSpec:
    return read_catalogue().source


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cases=st.lists(CASE, min_size=1, max_size=7),
    org=st.sampled_from(ORGS),
    by=st.sampled_from([(), ("region",), ("region", "product")]),
    period=st.sampled_from([None, "day", "week", "month", "quarter", "year"]),
    partitions=st.integers(1, 3),
)
def test_every_kind_on_generated_logs(
    make_log: MakeLog,
    deal: Process,
    source: SourceSpec,
    cases: list[Any],
    org: OrgSpec,
    by: tuple[str, ...],
    period: Period | None,
    partitions: int,
) -> None:
    rows: list[tuple[Any, ...]] = []
    attributes: dict[str, dict[str, Any]] = {}
    for number, (born, events, region, amount, currency) in enumerate(cases):
        name = f"d{number}"
        rows.append((name, "Create", born, None))
        # only touches may be older than the record: a meeting is logged after it was held
        rows += [(name, what, when if what == "Call" else max(when, born), to) for what, when, to in events]
        attributes[name] = {
            "created_at": DAY_ONE + timedelta(days=born - 1),
            "region": region,
            "amount": amount,
            "currency": currency,
        }
    attributes["d0"]["amount"] = 75.5  # a column of nulls only would have no number type
    as_of = max(row[2] for row in rows) + 3
    log = make_log(rows, attributes, as_of=as_of, partitions=partitions)
    catalogue = Catalogue(source, {"deal": deal}, KPIS)
    got = measure.scorecard({"deal": log}, catalogue, KPIS.values(), measure.Cut(org, by=by, period=period))
    oracle = Oracle(deal, raw_events(rows), log.cases, log.as_of)
    cut = Cut(org, by, period)
    wanted = {key: figure for kpi in KPIS.values() for key, figure in oracle.answer(kpi, cut).items()}
    assert differences(wanted, of_scorecard(got, by)) == []


# The oracle itself ------------------------------------------------------------------------------------------


def test_the_oracle_cuts_periods_as_the_calendar_says() -> None:
    adelaide = ORGS[1]
    late = datetime(2024, 1, 31, 13, 30, tzinfo=UTC)  # midnight of 1 February in Adelaide (UTC+10:30)
    assert [first_day(late, period, adelaide).isoformat() for period in ("day", "week", "month", "quarter", "year")] == [
        "2024-02-01", "2024-01-29", "2024-02-01", "2024-02-01", "2024-02-01",
    ]  # fmt: skip
    before = late - timedelta(microseconds=1)
    assert [first_day(before, period, adelaide).isoformat() for period in ("month", "quarter", "year")] == [
        "2024-01-01", "2023-11-01", "2023-02-01",
    ]  # fmt: skip

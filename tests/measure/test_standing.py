"""Segments as they were, cases that are not covered in full and money in one currency, answered by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from crmmining.definitions import Catalogue, Process, read_catalogue
from crmmining.definitions.kpi import KPI, Kpi
from crmmining.errors import DefinitionError, UnknownNameError
from crmmining.eventlog import EventLog
from crmmining.measure import Cut, measure, scorecard
from crmmining.tables import OrgSpec, SourceSpec

DEALS = [
    ("d1", "Create", 1), ("d1", "Stage: A", 5), ("d1", "Win", 9),
    ("d2", "Create", 2), ("d2", "Stage: A", 6), ("d2", "Lose", 8), ("d2", "Reopen", 20), ("d2", "Win", 30),
    ("d3", "Create", 3), ("d3", "Stage: A", 7),
    ("d4", "Create", 4), ("d4", "Lose", 10),
]  # fmt: skip
CASES: dict[str, dict[str, Any]] = {
    "d1": {"region": "LATAM", "country": "Peru", "amount": 100.0, "amount_reporting": 50.0},
    "d2": {"region": "APAC", "country": "Chile", "amount": 40.0, "amount_reporting": None},
    "d3": {"region": "EMEA", "country": "Peru", "amount": 7.0, "amount_reporting": None},
    "d4": {"region": "EMEA", "country": None, "amount": None, "amount_reporting": None},
}
CHANGES = [  # d4 never moved; d1 moves in the save that wins it; d2 moves between its two closings
    ("d1", "region", 1, "EMEA"), ("d1", "region", 6, "APAC"), ("d1", "region", 9, "LATAM"),
    ("d2", "region", 2, "EMEA"), ("d2", "region", 25, "APAC"),
    ("d3", "region", 3, None), ("d3", "region", 50, "EMEA"),
    ("d1", "amount", 1, "60"), ("d1", "amount", 8, "100.0"),
]  # fmt: skip
ORG = OrgSpec()
TEXTS = {
    "name": "k",
    "process": "deal",
    "question": "q",
    "formula": "f",
    "unit": "number",
    "better": "neutral",
}


def kpi(**fields: object) -> Kpi:
    return KPI.validate_python(TEXTS | fields)


@pytest.fixture(params=[1, 3])
def log(make_log: Callable[..., EventLog], request: pytest.FixtureRequest) -> EventLog:
    return make_log(DEALS, CASES, partitions=request.param, as_of=60, changes=CHANGES)


def cells(log: EventLog, one: Kpi, *by: str) -> dict[tuple[str | None, ...], int]:
    """n per cell; cells that count nothing left out."""
    wide = measure(log, one, Cut(ORG, by=by)).filter(pl.col("n") > 0)
    return {tuple(key): n for *key, n in wide.select(*by, "n").rows()}


def basis(log: EventLog, one: Kpi, spec: SourceSpec, *by: str) -> str | None:
    catalogue = Catalogue(spec, {"deal": log.process}, {"k": one})
    texts = scorecard({"deal": log}, catalogue, [one], Cut(ORG, by=by))["basis"].unique().to_list()
    assert len(texts) == 1
    told: str | None = texts[0]
    return told


# Attributes as they were ------------------------------------------------------------------------------------


def test_attributes_at_a_milestone_an_activity_and_the_closing_in_force(log: EventLog) -> None:
    by_case = log.cases.select("case_id")
    created = by_case.hstack(log.at("created", "region", "amount")).sort("case_id")
    assert created.rows() == [
        ("d1", "EMEA", 60.0),
        ("d2", "EMEA", 40.0),
        ("d3", None, 7.0),
        ("d4", "EMEA", None),
    ]
    staged = by_case.hstack(log.at("Stage: A", "region")).sort("case_id")
    assert staged["region"].to_list() == ["EMEA", "EMEA", None, None]
    lost, outcome = (
        by_case.hstack(log.at(m, "region")).sort("case_id")["region"] for m in ("lost", "outcome")
    )
    assert lost.to_list() == [None, "EMEA", None, "EMEA"]
    assert outcome.to_list() == ["LATAM", "APAC", None, "EMEA"]


def test_attributes_at_every_event(log: EventLog) -> None:
    d1 = log.scan("amount", "region").filter(pl.col("case_id") == "d1").collect()
    assert d1.select(pl.col("activity").cast(pl.String), "amount", "region").rows() == [
        ("Create", 60.0, "EMEA"), ("Stage: A", 60.0, "EMEA"), ("Win", 100.0, "LATAM"),
    ]  # fmt: skip
    assert log.scan().collect_schema().names() == [n for n in d1.columns if n not in ("amount", "region")]


def test_all_attributes_are_those_of_the_cases_in_their_types(log: EventLog) -> None:
    at = log.at("created")
    assert at.columns == ["amount", "amount_reporting", "country", "region"]
    assert at.schema == log.cases.select(at.columns).schema
    with pytest.raises(UnknownNameError, match="regoin"):
        log.at("created", "regoin")
    with pytest.raises(UnknownNameError, match="won"):
        log.at("wonn", "region")


# Segments ---------------------------------------------------------------------------------------------------

CONVERSION = kpi(kind="conversion", start="staged", end="won")
RATE = kpi(kind="share", where="outcome = 'won'", of="NOT open", period="outcome")


def test_the_default_basis_is_the_start_the_milestone_or_the_event(log: EventLog) -> None:
    assert cells(log, CONVERSION, "region") == {("EMEA",): 2, (None,): 1}
    assert cells(log, kpi(kind="duration", start="created", end="won", period="end"), "region") == {
        ("EMEA",): 2
    }
    assert cells(log, kpi(kind="volume", count="won", of="cases"), "region") == {("LATAM",): 1, ("APAC",): 1}
    assert cells(log, kpi(kind="volume", count="won", of="events"), "region") == {("LATAM",): 1, ("APAC",): 1}
    staged = kpi(kind="volume", count="staged", of="events")
    assert cells(log, staged, "region") == {("EMEA",): 2, (None,): 1}
    assert cells(log, RATE, "region") == {("LATAM",): 1, ("APAC",): 1, ("EMEA",): 1}
    assert cells(log, kpi(kind="stock"), "region") == {("EMEA",): 1}


def test_a_kpi_may_state_its_basis_and_a_word_another(log: EventLog) -> None:
    stated = RATE.model_copy(update={"basis": "created"})
    assert cells(log, stated, "region") == {("EMEA",): 3}
    assert cells(log, stated, "region@now") == {("LATAM",): 1, ("APAC",): 1, ("EMEA",): 1}
    assert cells(log, stated, "region@lost", "region") == {
        (None, "EMEA"): 1, ("EMEA", "EMEA"): 2,
    }  # fmt: skip


def test_who_never_came_there_has_no_cell(log: EventLog) -> None:
    won = RATE.model_copy(update={"basis": "won"})
    wide = measure(log, won, Cut(ORG, by=("region",)))
    assert wide.select("region", "n", "open", "excluded").rows() == [
        ("APAC", 1, 0, 0), ("LATAM", 1, 0, 0), (None, 1, 1, 0),
    ]  # fmt: skip


def test_what_has_no_history_is_of_now_and_said_so(log: EventLog, spec: SourceSpec) -> None:
    won = RATE.model_copy(update={"basis": "won"})
    assert cells(log, won, "country") == {("Peru",): 1, ("Chile",): 1, (None,): 1}
    assert basis(log, won, spec, "country") == "now"
    assert basis(log, won, spec, "country@created") == "now"
    assert basis(log, won, spec, "region") == "won"
    assert basis(log, won, spec, "region", "region@won") == "won"
    assert (
        basis(log, won, spec, "region", "country", "region@outcome")
        == "region@won, country@now, region@outcome"
    )
    assert basis(log, kpi(kind="volume", count="won", of="events"), spec, "region") == "event"
    assert basis(log, won, spec) is None


def test_words_that_a_process_does_not_know_are_null_cells(log: EventLog, spec: SourceSpec) -> None:
    for unknown in ("product", "product@won", "region@converted", "region@event"):
        assert cells(log, RATE, unknown) == {(None,): 3}
        assert basis(log, RATE, spec, unknown) is None
    assert basis(log, RATE, spec, "product", "region@won") == "won"


def test_a_filter_does_not_change_what_is_known_of_the_cases_it_keeps(
    log: EventLog, spec: SourceSpec
) -> None:
    unmoved = log.filter(where="country IS NULL")  # d4: nothing that it keeps ever changed
    won = RATE.model_copy(update={"basis": "won"})
    assert basis(unmoved, won, spec, "region") == "won"
    assert cells(unmoved, won, "region") == {(None,): 1}


def test_verbs_segment_at_their_start(log: EventLog) -> None:
    regions = log.conversion("staged", "won", by=["region"])
    assert regions.select("region", "n", "reached").rows() == [("EMEA", 2, 2), (None, 1, 0)]
    moved = log.throughput("created", "won", by=["region@won"])
    assert moved.select("region@won", "n", "open").rows() == [("APAC", 1, 0), ("LATAM", 1, 0), (None, 0, 1)]
    with pytest.raises(UnknownNameError, match="regoin"):
        log.throughput("created", "won", by=["regoin@won"])
    with pytest.raises(UnknownNameError, match="region@wonn"):
        log.throughput("created", "won", by=["region@wonn"])


def test_unknown_words_and_moments_are_refused(spec: SourceSpec, deal: Process) -> None:
    catalogue = Catalogue(spec, {"deal": deal}, {})
    catalogue.check_segments(["region", "region@won", "country@now", "region@outcome"])
    with pytest.raises(UnknownNameError, match="segment 'regoin'"):
        catalogue.check_segments(["regoin@won"])
    with pytest.raises(UnknownNameError, match="milestone 'wonn'"):
        catalogue.check_segments(["region@wonn"])


def test_a_basis_that_is_no_milestone_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "opportunity.toml").write_text('[win_rate]\nbasis = "signed"\ntruncated = "ignore"\n')
    with pytest.raises(DefinitionError, match="truncated: Input should be 'exclude', 'keep' or 'bound'"):
        read_catalogue(kpis=[tmp_path])
    (tmp_path / "opportunity.toml").write_text('[win_rate]\nbasis = "signed"\n')
    with pytest.raises(DefinitionError, match=r"win_rate\.basis: 'signed' is none; known: .*closed, "):
        read_catalogue(kpis=[tmp_path])


@pytest.mark.parametrize("earlier", [4.5, 9, 24, 55])
def test_what_a_case_was_at_a_milestone_is_the_same_later(
    make_log: Callable[..., EventLog], log: EventLog, earlier: float
) -> None:
    known = [row for row in DEALS if row[2] <= earlier]
    told = [row for row in CHANGES if row[2] <= earlier]
    last = {(case, name): value for case, name, _, value in told}
    cases = {
        case: attributes | {name: last.get((case, name), attributes[name]) for name in ("region",)}
        for case, attributes in CASES.items()
    }
    then = make_log(known, cases, as_of=earlier, changes=told)
    for word in ("created", "staged", "won", "lost"):
        before, after = (
            one.cases.select("case_id")
            .hstack(one.facts.select(f"{word}_at"))
            .hstack(one.segments(["region"], word))
            for one in (then, log)
        )
        reached = before.filter(pl.col(f"{word}_at").is_not_null()).sort("case_id")
        assert reached.rows() == after.join(reached, on="case_id", how="semi").sort("case_id").rows()


# Truncation -------------------------------------------------------------------------------------------------


@pytest.fixture(params=[1, 2])
def cut_off(make_log: Callable[..., EventLog], request: pytest.FixtureRequest) -> EventLog:
    """Of d2 (won after all) and d3 (open) a part of the history is not covered."""
    cases = {case: attributes | {"truncated": case in {"d2", "d3"}} for case, attributes in CASES.items()}
    return make_log(DEALS, cases, partitions=request.param, as_of=60, changes=CHANGES)


@pytest.mark.parametrize(
    ("fields", "kept", "left_out"),
    [  # n, open, excluded, truncated
        ({"kind": "volume", "count": "won", "of": "cases"}, (2, 1, 1, 1), (1, 0, 3, 2)),
        ({"kind": "volume", "count": "staged", "of": "events"}, (3, 0, 0, 2), (1, 0, 2, 2)),
        ({"kind": "share", "of": "NOT open", "where": "outcome = 'won'", "period": "outcome"},
         (3, 1, 0, 1), (2, 0, 2, 2)),
        ({"kind": "value", "column": "staged_n", "agg": "mean", "period": "created"},
         (4, 0, 0, 2), (2, 0, 2, 2)),
        ({"kind": "duration", "start": "created", "end": "won", "period": "end"}, (2, 1, 1, 1), (1, 0, 3, 2)),
        ({"kind": "conversion", "start": "staged", "end": "won"}, (3, 1, 1, 2), (1, 0, 3, 2)),
        ({"kind": "rework", "what": "reopens", "of": "closed_n > 0", "period": "created"},
         (3, 1, 0, 1), (2, 0, 2, 2)),
        ({"kind": "stock"}, (1, 0, 0, 1), (0, 0, 1, 1)),
    ],
)  # fmt: skip
def test_truncated_cases_are_counted_or_left_out_and_always_told(
    cut_off: EventLog,
    fields: dict[str, Any],
    kept: tuple[int, int, int, int],
    left_out: tuple[int, int, int, int],
) -> None:
    fields = {
        key: "won_n + lost_n > 0" if value == "closed_n > 0" else value for key, value in fields.items()
    }
    for policy, expected in (("keep", kept), ("bound", kept), ("exclude", left_out)):
        wide = measure(cut_off, kpi(**fields, truncated=policy), Cut(ORG))
        assert wide.select("n", "open", "excluded", "truncated").rows() == [expected]


def test_what_happens_to_truncated_cases_follows_from_what_is_asked() -> None:
    asked = {
        "keep": [
            kpi(kind="volume", count="won", of="events"),
            kpi(kind="share", where="TRUE", period="won"),
            kpi(kind="value", column="won_n", agg="sum", period="won"),
            kpi(kind="duration", start="created", end="won", period="end"),
            kpi(kind="conversion", start="created", end="won"),
            kpi(kind="stock"),
            kpi(kind="rework", what="repeats", period="won", truncated="keep"),
        ],
        "exclude": [
            kpi(kind="duration", start="staged", end="won", period="end"),
            kpi(kind="conversion", start="staged", end="won"),
            kpi(kind="rework", what="repeats", period="won"),
            kpi(kind="stock", truncated="exclude"),
        ],
        "bound": [kpi(kind="conversion", start="staged", end="won", truncated="bound")],
    }
    assert {policy: {one.truncation for one in kpis} for policy, kpis in asked.items()} == {
        "keep": {"keep"}, "exclude": {"exclude"}, "bound": {"bound"},
    }  # fmt: skip


def test_a_stock_by_period_tells_its_truncated_cases(cut_off: EventLog) -> None:
    held = measure(cut_off, kpi(kind="stock", truncated="exclude"), Cut(ORG, period="week"))
    # open at the end of 7 January: all; of 14 January: d3; from the 21st on d2 as well; from 4 February on d3
    assert held.select("n", "excluded", "truncated").rows() == [
        (2, 2, 2), (0, 1, 1), (0, 2, 2), (0, 2, 2), (0, 1, 1), (0, 1, 1), (0, 1, 1), (0, 1, 1), (0, 1, 1),
    ]  # fmt: skip
    kept = measure(cut_off, kpi(kind="stock"), Cut(ORG, period="week"))
    assert kept["n"].to_list() == (held["n"] + held["excluded"]).to_list()
    assert kept["truncated"].equals(held["truncated"])


# Money ------------------------------------------------------------------------------------------------------


@pytest.fixture
def paid(make_log: Callable[..., EventLog]) -> EventLog:
    """d1 is worth 50 of 100, d2 and d3 have no rate, d4 no amount."""
    codes = {"d1": "USD", "d2": "JPY", "d3": "JPY", "d4": "USD"}
    cases = {
        case: attributes | {"currency": codes[case], "reporting_currency": "EUR"}
        for case, attributes in CASES.items()
    }
    return make_log(DEALS, cases, as_of=60)


def money(**fields: object) -> Kpi:
    asked = {"kind": "value", "column": "amount", "agg": "sum", "period": "created", "unit": "money"}
    return kpi(**(asked | fields))


def test_money_is_in_the_reporting_currency_and_without_a_rate_excluded(paid: EventLog) -> None:
    everything = measure(paid, money(), Cut(ORG))
    assert everything.select("unit", "sum", "n", "open", "excluded").rows() == [("EUR", 50.0, 1, 0, 3)]
    won = measure(paid, money(of="outcome = 'won'"), Cut(ORG))
    assert won.select("unit", "sum", "n", "open", "excluded").rows() == [("EUR", 50.0, 1, 1, 2)]


def test_money_of_the_records_is_kept_apart_by_currency(paid: EventLog) -> None:
    apart = measure(paid, money(currency="record"), Cut(ORG)).select("unit", "sum", "n", "open", "excluded")
    assert apart.rows() == [("JPY", 47.0, 2, 0, 0), ("USD", 100.0, 1, 0, 1)]


def test_what_has_no_twin_stays_in_the_currency_of_the_record(paid: EventLog) -> None:
    half = measure(paid, money(column="amount / 2"), Cut(ORG)).select("unit", "sum")
    assert half.rows() == [("JPY", 23.5), ("USD", 50.0)]
    number = measure(paid, money(unit="number"), Cut(ORG)).select("unit", "sum", "n")
    assert number.rows() == [("number", 147.0, 3)]


def test_without_cases_the_org_says_what_money_is_counted_in(paid: EventLog) -> None:
    nobody = paid.filter(where="created_n = 0")
    assert measure(nobody, money(), Cut(OrgSpec(currency="CHF"))).select("unit", "sum", "n").rows() == [
        ("CHF", None, 0)
    ]
    stated = OrgSpec(currency="CHF", reporting_currency="GBP")
    assert measure(nobody, money(), Cut(stated))["unit"].to_list() == ["GBP"]

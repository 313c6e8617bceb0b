"""Figures depend neither on what else is asked, nor on how the log is stored or its rows were ordered."""

from dataclasses import replace
from datetime import UTC, datetime, time
from random import Random

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import crmmining as cm
from crmmining.definitions import read_catalogue
from crmmining.eventlog import EventLog
from crmmining.measure import Cut
from crmmining.periods import Period
from crmmining.tables import OrgSpec

from .conftest import Ask, Log
from .deals import CUT, KPIS, ORG, PERIOD, Deals, deals

COUNTS = ["n", "open", "excluded", "truncated"]
IS_STOCK = pl.col("kpi").is_in([name for name, kpi in KPIS.items() if kpi.kind == "stock"])
LAW = settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])


def counts(rows: pl.DataFrame, *keys: str) -> pl.DataFrame:
    """What is counted per KPI, part and unit; rows that count nothing left out."""
    sums = rows.group_by("kpi", "part", "clock", "unit", *keys).agg(pl.col(COUNTS).sum())
    return sums.filter(pl.sum_horizontal(COUNTS) > 0).sort(pl.all())


def undated(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.drop("period_start", "period_end")


@LAW
@given(generated=deals(), cut=CUT)
def test_another_kpi_changes_nothing(log_of: Log, ask: Ask, generated: Deals, cut: Cut) -> None:
    log = log_of(generated)
    apart = [ask(log, cut, {name: kpi}) for name, kpi in sorted(KPIS.items())]
    assert_frame_equal(pl.concat(apart), ask(log, cut))


@LAW
@given(generated=deals(), org=ORG, period=st.none() | PERIOD)
def test_another_segment_splits_and_changes_nothing(
    log_of: Log, ask: Ask, generated: Deals, org: OrgSpec, period: Period | None
) -> None:
    log = log_of(generated)
    whole, split = (ask(log, Cut(org, by=by, period=period)) for by in ((), ("region",)))
    assert_frame_equal(counts(split, "period_start"), counts(whole, "period_start"))
    unknown = ask(log, Cut(org, by=("region", "product"), period=period))  # deals have no product
    assert unknown["product"].is_null().all()
    assert_frame_equal(unknown.drop("product"), split)


@LAW
@given(generated=deals(), cut=CUT, period=PERIOD)
def test_a_period_splits_and_changes_nothing(
    log_of: Log, ask: Ask, generated: Deals, cut: Cut, period: Period
) -> None:
    log = log_of(generated)
    whole, split = ask(log, replace(cut, period=None)), ask(log, replace(cut, period=period))
    assert_frame_equal(counts(split.filter(~IS_STOCK), *cut.by), counts(whole.filter(~IS_STOCK), *cut.by))
    running = pl.col("period_start") == pl.col("period_start").max()  # where the stock is that of as_of
    assert_frame_equal(undated(split.filter(IS_STOCK).filter(running)), undated(whole.filter(IS_STOCK)))


@LAW
@given(generated=deals(), period=PERIOD, choice=st.integers(0, 10**6))
def test_a_period_is_the_window_between_its_days(
    log_of: Log, ask: Ask, generated: Deals, period: Period, choice: int
) -> None:
    log, org = log_of(generated), OrgSpec()
    split = ask(log, Cut(org, period=period)).filter(~IS_STOCK)
    starts = split["period_start"].drop_nulls().unique().sort()
    chosen = split.filter(pl.col("period_start") == starts[choice % len(starts)])
    since, until = (datetime.combine(chosen[name][0], time(), UTC) for name in ("period_start", "period_end"))
    window = ask(log, Cut(org, since=since, until=until))
    # without periods there is a row even where nothing is counted
    dated = window.join(
        chosen, on=["kpi", "part", "clock", "unit"], nulls_equal=True, how="semi", maintain_order="left"
    )
    assert_frame_equal(undated(dated), undated(chosen))


@LAW
@given(generated=deals(), cut=CUT)
def test_every_case_is_counted_or_waits_or_is_excluded(
    log_of: Log, ask: Ask, generated: Deals, cut: Cut
) -> None:
    for (name, *_), rows in ask(log_of(generated), cut).group_by("kpi", "part", "clock"):
        kpi = KPIS[str(name)]
        if kpi.kind == "conversion" and kpi.within_days is None:  # open is part of n
            assert rows.select(pl.sum("n") + pl.sum("excluded")).item() == len(generated.cases)
            assert (rows["open"] <= rows["n"]).all()
        elif kpi.kind not in {"stock", "sla"} and not (kpi.kind == "volume" and kpi.of == "events"):
            assert rows.select(pl.sum("n") + pl.sum("open") + pl.sum("excluded")).item() == len(
                generated.cases
            )
        within = "excluded" if kpi.truncation == "exclude" else "n"
        assert (rows["truncated"] <= rows[within]).all()


def same(other: EventLog, one: EventLog) -> None:
    assert_frame_equal(other.variants(), one.variants())
    assert_frame_equal(other.transitions(), one.transitions())
    assert_frame_equal(other.rework(), one.rework())
    for verb in ("throughput", "conversion"):
        theirs, ours = (getattr(log, verb)("created", "won", by=["region"]) for log in (other, one))
        assert_frame_equal(theirs, ours)


@LAW
@given(generated=deals(), cut=CUT, partitions=st.integers(2, 5))
def test_partitions_change_nothing(
    log_of: Log, ask: Ask, generated: Deals, cut: Cut, partitions: int
) -> None:
    one, other = log_of(generated), log_of(generated, partitions)
    same(other, one)
    assert_frame_equal(ask(other, cut), ask(one, cut))


@LAW
@given(generated=deals(), cut=CUT, chance=st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(
    log_of: Log, ask: Ask, generated: Deals, cut: Cut, chance: Random
) -> None:
    shuffled = chance.sample(generated.rows, len(generated.rows))
    one, other = log_of(generated), log_of(generated._replace(rows=shuffled))
    assert_frame_equal(other.events, one.events)
    same(other, one)
    assert_frame_equal(ask(other, cut), ask(one, cut))


def test_on_the_sample_each_kpi_alone_is_what_it_is_among_all(sample: cm.Crm) -> None:
    together = sample.scorecard(by="region", period="quarter")
    for name in read_catalogue().kpis:
        alone = sample.scorecard(kpis=name, by="region", period="quarter")
        assert_frame_equal(alone, together.filter(pl.col("kpi") == name))


def test_on_the_sample_segments_and_periods_add_up(sample: cm.Crm) -> None:
    whole = sample.scorecard()
    assert_frame_equal(counts(sample.scorecard(by=["region", "source"])), counts(whole))
    flow = ~pl.col("kpi").is_in([name for name, kpi in read_catalogue().kpis.items() if kpi.kind == "stock"])
    split = sample.scorecard(period="month")
    assert_frame_equal(counts(split.filter(flow)), counts(whole.filter(flow)))

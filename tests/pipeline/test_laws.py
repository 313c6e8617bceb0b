"""Laws of the pipeline: it adds up exactly between any two moments, and plain Python says the same."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

import crmmining as cm
from crmmining import analyses
from crmmining.eventlog.partition import split

from .naive import DIGITS, Cases

APART = (
    "Case",
    "CaseHistory",
    "EmailMessage",
    "Task",
    "Event",
    "CaseComment",
    "CaseMilestone",
    "CampaignMember",
)
QUARTER = (date(2025, 1, 1), date(2025, 3, 31))
CUTS: tuple[dict[str, Any], ...] = (
    {"by": (), "currency": "reporting", "window": None},
    {"by": ("stage",), "currency": "record", "window": None},
    {"by": ("region", "stage"), "currency": "reporting", "window": QUARTER},
    {"by": ("owner",), "currency": "record", "window": QUARTER},
    {"by": ("currency",), "currency": "reporting", "window": None},
)


@pytest.fixture(scope="module")
def soiled(tmp_path_factory: pytest.TempPathFactory) -> cm.EventLog:
    """What real CRMs do to the data: lost history, odd times, null amounts, missing rates."""
    folder = tmp_path_factory.mktemp("pipeline") / "crm"
    cm.simulate(folder, accounts=40, seed=11, format="parquet", without=APART, quirks=True)
    return cm.connect(folder).event_log("opportunity")


@pytest.fixture(scope="module")
def clean(sample: cm.Crm) -> cm.EventLog:
    return sample.event_log("opportunity")


@pytest.fixture(params=["clean", "soiled"])
def log(request: pytest.FixtureRequest) -> cm.EventLog:
    found: cm.EventLog = request.getfixturevalue(request.param)
    return found


def moments(log: cm.EventLog, count: int, seed: int) -> list[datetime]:
    """Random moments; every other one is that of a change, or just before it."""
    dice = random.Random(seed)  # noqa: S311
    first = log.only.cases["created_at"].min()
    assert isinstance(first, datetime)
    told = [at for at in log.only.values["since"].to_list() if first < at <= log.as_of]
    span = (log.as_of - first).total_seconds()
    plain = [first + timedelta(seconds=round(dice.random() * span)) for _ in range(count // 2)]
    exact = [
        at - timedelta(microseconds=dice.randrange(2)) for at in dice.choices(told, k=count - len(plain))
    ]
    return dice.sample([*plain, *exact], count)


def shown(table: pl.DataFrame, cells: Sequence[str]) -> dict[Any, tuple[int, ...]]:
    figures = ("cases", "amount", "nulls", "unconverted")
    return {
        tuple(row[name] for name in cells): tuple(row[name] for name in figures)
        for row in table.filter(pl.col("cases") > 0).iter_rows(named=True)
    }


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_between_any_two_moments_it_adds_up_and_naive_python_agrees(
    log: cm.EventLog, cut: dict[str, Any]
) -> None:
    known = Cases(log, cut["by"], record=cut["currency"] == "record", window=cut["window"])
    cells = [*cut["by"], "unit"]
    for nth, (start, end) in enumerate(zip(*(moments(log, 8, seed) for seed in (1, 2)), strict=True)):
        start, end = sorted((start, end))  # noqa: PLW2901
        found = analyses.waterfall(log, start, end, **cut)
        figures = pl.col("amount")
        total = found.group_by(cells).agg(
            gap=figures.filter(pl.col("step") != "end").sum() - figures.filter(pl.col("step") == "end").sum(),
            steps=pl.len(),
        )
        assert total["gap"].to_list() == [0] * total.height
        both = analyses.pipeline(log, at=[start, end], **cut)
        for step, at in (("begin", start), ("end", end)):
            stood = shown(found.filter(step=step).rename({"n": "cases"}), cells)
            assert stood == shown(both.filter(at=at), cells), (step, at)
            if nth < 4:
                assert stood == known.pipeline(at), (step, at)
        if nth < 2:
            moved = found.filter(~pl.col("step").is_in(["begin", "end"]), pl.col("amount") != 0)
            told = {
                (tuple(row[name] for name in cells), row["step"]): row["amount"]
                for row in moved.iter_rows(named=True)
            }
            assert told == known.waterfall(start, end)


def test_two_thousand_moments_in_one_pass_say_what_each_says_alone(log: cm.EventLog) -> None:
    cut = {"by": ("stage",), "currency": "record"}
    every = sorted(set(moments(log, 2000, 3)))
    stood = analyses.pipeline(log, at=every, by=["stage"], currency="record")
    known = Cases(log, ("stage",), record=True, window=None)
    for at in every[:: len(every) // 10]:
        assert shown(stood.filter(at=at), ["stage", "unit"]) == known.pipeline(at)
    dice = random.Random(4)  # noqa: S311
    pairs = [sorted(dice.sample(every, 2)) for _ in range(12)]
    for start, end in pairs:
        moved = analyses.waterfall(log, start, end, **cut)  # type: ignore[arg-type]
        for step, at in (("begin", start), ("end", end)):
            one = shown(moved.filter(step=step).rename({"n": "cases"}), ["stage", "unit"])
            assert one == shown(stood.filter(at=at), ["stage", "unit"])


@pytest.mark.parametrize("cut", CUTS[1:3], ids=str)
def test_partitions_make_no_difference(log: cm.EventLog, cut: dict[str, Any]) -> None:
    cut_up = cm.EventLog(
        log.process,
        log.as_of,
        log.activities,
        tuple(split(log.only, log.sizes[1] // 4)),
        log.quality,
        log.off,
    )
    start, end = sorted(moments(log, 2, 5))
    assert len(cut_up.partitions) > 2
    assert analyses.pipeline(cut_up, at=[start, end], **cut).equals(
        analyses.pipeline(log, at=[start, end], **cut)
    )
    assert analyses.waterfall(cut_up, start, end, **cut).equals(analyses.waterfall(log, start, end, **cut))
    assert analyses.pipeline_series(cut_up, period="month", **cut).equals(
        analyses.pipeline_series(log, period="month", **cut)
    )
    flows = [analyses.flows(each, start, end, by=cut["by"]) for each in (cut_up, log)]
    assert flows[0].equals(flows[1])
    due = [analyses.slippage(each, *QUARTER, by=cut["by"]) for each in (cut_up, log)]
    assert due[0].equals(due[1])
    stood = analyses.pipeline(log, at=QUARTER[0], by=cut["by"], window=QUARTER)
    assert due[0].select("cases", "amount").sum().rows() == stood.select("cases", "amount").sum().rows()


@pytest.mark.parametrize("cut", CUTS[:3], ids=str)
def test_a_series_says_of_each_day_what_the_pipeline_says(log: cm.EventLog, cut: dict[str, Any]) -> None:
    series = analyses.pipeline_series(log, **cut)
    cells = ["day", *cut["by"], "unit"]
    starts = series["period_start"].unique().sort().to_list()
    assert starts[-1] == log.as_of.date()
    assert len(starts) == (starts[-1] - starts[0]).days + 1
    midnights = {day: datetime(day.year, day.month, day.day, tzinfo=UTC) for day in starts}
    ends = {day: at + timedelta(days=1, microseconds=-1) for day, at in midnights.items()}
    ends[starts[-1]] = log.as_of
    days = pl.DataFrame({"day": list(ends), "at": list(ends.values())}).with_columns(
        pl.col("at").cast(pl.Datetime("us", "UTC"))
    )
    stood = analyses.pipeline(log, at=list(ends.values()), **cut).join(days, on="at")
    assert shown(stood, cells) == shown(series.rename({"period_start": "day"}), cells)


def test_records_as_they_were_say_the_same(sample: cm.Crm, clean: cm.EventLog) -> None:
    for at in moments(clean, 2, 6):
        records = sample.state("Opportunity", at=at).filter(~pl.col("IsClosed"))
        told: dict[Any, tuple[int, ...]] = {}
        for stage, unit, amount in records.select("StageName", "CurrencyIsoCode", "Amount").iter_rows():
            cases, total, nulls, bare = told.get((stage, unit), (0, 0, 0, 0))
            worth = 0 if amount is None else round(amount * 10 ** DIGITS.get(unit, 2))
            told[stage, unit] = (cases + 1, total + worth, nulls + (amount is None), bare)
        stood = analyses.pipeline(clean, at=at, by=["stage"], currency="record")
        assert shown(stood, ["stage", "unit"]) == told


def test_a_flow_moves_every_case_that_was_open(log: cm.EventLog) -> None:
    start, end = sorted(moments(log, 2, 7))
    found = analyses.flows(log, start, end)
    for state, amount, at in (("from", "amount_start", start), ("to", "amount_end", end)):
        stood = analyses.pipeline(log, at=at, by=["stage"]).sort("stage", nulls_last=True)
        mine = (
            found.filter(pl.col(f"{state}_state") == "open")
            .group_by(f"{state}_stage")
            .agg(pl.col("cases", amount).sum())
        )
        assert (
            mine.sort(f"{state}_stage", nulls_last=True).rows()
            == stood.select("stage", "cases", "amount").rows()
        )
    known = Cases(log, record=False, window=None)
    was = sum(known.open(case, start) for case in range(len(known.cases)))
    assert found.filter(from_state="open")["cases"].sum() == was

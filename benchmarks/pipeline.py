"""The pipeline day by day: years of daily figures beside one scan of the stored log they are made from.

`python -m benchmarks.pipeline [--events N] [--seed S] [--repeats R] [--page FILE]`. Opportunities are those
of `generate_log`, with a history of their amounts, close dates, stages and owners.
"""

import argparse
import platform
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl
from benchmarks import generate, generate_log, pages

import crmmining as cm
from crmmining import analyses
from crmmining.definitions import Process, shipped
from crmmining.eventlog import Partition
from crmmining.eventlog.partition import VALUES, Lazy

HEADING = "The pipeline day by day"
TEMPLATE = """{cases:,} opportunities with {events:,} events and {values:,} changes of attributes on record
(`benchmarks/generate_log.py`, seed {seed}), stored in {partitions} partitions. One scan reads from the files
the case, activity and time of every event and every change of an attribute, and does nothing with them. A
series is the open pipeline at the end of every day of {years:.1f} years.

{machine}, Python {python}; {packages}. Medians of {repeats} repetitions; seconds depend on what else the
machine does, ratios less so.

| | seconds | processor seconds | scans | scans by processor seconds |
|---|---:|---:|---:|---:|
{lines}
"""
ATTRIBUTES = {
    "Raise Amount": ("amount", "amount_reporting"),
    "Push Close Date": ("close_date",),
    "Change Owner": ("owner",),
    **{name: ("stage",) for name in generate.ACTIVITIES if name.startswith("Stage: ")},
}
Times = tuple[float, float]


def write_log(folder: Path, *, events: int, seed: int) -> cm.EventLog:
    """Store a log of about `events` events with the history of its attributes, and open it."""
    sample = cm.connect(shipped("data/sample")).event_log("opportunity")
    names = tuple(sorted(generate.ACTIVITIES))
    cases = max(1, round(events / generate.EVENTS_PER_CASE))
    make = partial(_partition, sample.process, sample.blank.only, names, cases, seed)
    partitions = Lazy(-(-cases // generate_log.CASES), make)
    tracked = frozenset(name for told in ATTRIBUTES.values() for name in told)
    log = cm.EventLog(
        sample.process, generate_log.AS_OF, names, partitions, sample.quality.clear(), tracked=tracked
    )
    log.save(folder, events=2 * generate_log.PARTITION)
    return cm.open_log(folder)


def _partition(  # noqa: PLR0917  the place comes last
    process: Process, blank: Partition, names: tuple[str, ...], cases: int, seed: int, at: int
) -> Partition:
    """A partition of `generate_log`, with close dates and what its events changed."""
    made = generate_log._partition(process, blank, names, cases, seed, at)  # noqa: SLF001
    dice = np.random.default_rng([seed, at, 1])
    born = made.cases["created_at"].dt.date()
    close = born.to_physical() + pl.Series(dice.integers(10, 300, len(born)), dtype=pl.Int32)
    known = made.cases.with_columns(close.cast(pl.Date).alias("close_date"), stage=pl.lit("Prospecting"))
    events = made.events.select("case_ix", "activity", "occurred_at")
    number = pl.Series(dice.integers(1_000, 90_000, events.height))
    texts = {
        "amount": number.cast(pl.String) + ".5",
        "close_date": events["occurred_at"].dt.offset_by("60d").dt.date().cast(pl.String),
        "owner": pl.Series(generate_log.OWNERS).gather(number % len(generate_log.OWNERS)),
        "stage": pl.Series(names).gather(events["activity"]).str.strip_prefix("Stage: "),
    }
    texts["amount_reporting"] = texts["amount"]
    parts = []
    for attribute, text in texts.items():
        codes = [names.index(name) for name, told in ATTRIBUTES.items() if attribute in told]
        told = events.with_columns(value=text).filter(pl.col("activity").is_in(codes))
        changed = told.select("case_ix", since="occurred_at", value="value")
        first = changed.select("case_ix").unique()
        began = first.with_columns(
            since=known["created_at"].gather(first["case_ix"]),
            value=known[attribute].cast(pl.String).gather(first["case_ix"]),
        )
        both = pl.concat([began, changed]).unique(["case_ix", "since"], keep="last", maintain_order=True)
        parts.append(both.with_columns(attribute=pl.lit(attribute), seq=pl.lit(0, pl.UInt16)))
    values = pl.concat(parts).sort("case_ix", "attribute", "since")
    typed = values.select(pl.col(name).cast(kind) for name, kind in VALUES.items())
    return Partition(made.events, known, typed)


def scan(log: cm.EventLog) -> int:
    """Read what a series is made from; the number of rows read."""

    def read(part: cm.EventLog) -> int:
        return part.only.columns("case_ix", "activity", "occurred_at").height + part.only.values.height

    return sum(log.each(read))


def timed(work: Callable[[], object]) -> Times:
    start, busy = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - busy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=6_660_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--page", type=Path, default=pages.PAGE)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "log"
        log = write_log(folder, events=options.events, seed=options.seed)
        asked: dict[str, Callable[[], object]] = {
            "one scan": lambda: scan(cm.open_log(folder)),
            "daily series": lambda: analyses.pipeline_series(cm.open_log(folder)),
            "daily series by stage": lambda: analyses.pipeline_series(cm.open_log(folder), by=["stage"]),
            "waterfall of a quarter by stage": lambda: analyses.waterfall(
                cm.open_log(folder), "2024-01-01", "2024-04-01", by=["stage"]
            ),
        }
        taken = {name: [timed(work) for _ in range(options.repeats)] for name, work in asked.items()}
        days = analyses.pipeline_series(log)["period_start"]
        values = sum(log.each(lambda part: part.only.values.height))
        cases, events = log.sizes
        partitions = len(log.partitions)
    middle = {
        name: (median(one[0] for one in times), median(one[1] for one in times))
        for name, times in taken.items()
    }
    wall, busy = middle["one scan"]
    lines = [
        f"| {name} | {took[0]:.2f} | {took[1]:.2f} | {took[0] / wall:.1f} | {took[1] / busy:.1f} |"
        for name, took in middle.items()
    ]
    text = TEMPLATE.format(
        cases=cases,
        events=events,
        values=values,
        seed=options.seed,
        partitions=partitions,
        years=len(days) / 365.25,
        machine=pages.machine(),
        python=platform.python_version(),
        packages=", ".join(f"{name} {version(name)}" for name in ("crmmining", "polars", "numpy")),
        repeats=options.repeats,
        lines="\n".join(lines),
    )
    pages.write_part(options.page, HEADING, text)
    print(text)


if __name__ == "__main__":
    main()

"""From the Parquet files of a large CRM to its four logs, all of them or 1 % of the cases, and a mere sort.

`python -m benchmarks.build [--events N] [--seed S] [--repeats R] [--page FILE]`. Every step is a process of
its own, and the steps take turns: a busy machine slows all of them alike.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TypeVar

import duckdb
import polars as pl
from benchmarks import pages
from benchmarks.generate_crm import write_crm

import crmmining as cm
from crmmining import extract

PROCESSES = ("opportunity", "case", "lead", "account")
SHARE = 100  # one case in so many
HEADING = "From tables to logs"
TEMPLATE = """{events:,} events of {cases:,} opportunities, cases, leads and accounts, from {rows:,} rows of
{tables} Parquet files (`benchmarks/generate_crm.py`, seed {seed}). {machine}, Python {python}; {packages}.

`load` reads, types, checks and keys every table; histories and what all logs share count with the log that is
built first. `sort` is what DuckDB needs to bring the same events (case Id, activity, time; or all columns of
the log) into the order of case Id and time, table to table. `1 % of cases` builds the logs of every hundredth
case, once loaded.

| step | seconds | processor seconds | peak memory, GiB |
|---|---:|---:|---:|
{lines}

| ratio | of seconds | of processor seconds | goal |
|---|---:|---:|---:|
{ratios}

Medians of {repeats} turns.

What bounds it: a sort of all columns moves the events once; a log needs about ten such passes over rows
with text Ids. Every table is read, typed, and its Ids checked (`load`); histories are brought into one
form, in which copies, names beside Ids and ties are found by comparing rows of one save; events are joined
to their cases; every row that tells none is joined to its reason; and what attributes were before is laid
down change by change. None is skipped for speed. The peak is what allocators have kept of these passes: the
four logs take 1.1 GiB, DuckDB is held to 1.5 GiB, and a mere sort of all columns in DuckDB takes more than
all of it. With less for DuckDB the peak falls and everything takes longer. For 1 % of the cases all tables
are still looked through once per process, and some hundred statements are planned, however few rows they
meet.
"""
Figures = dict[str, float]
T = TypeVar("T")


class Clock:
    """Seconds and processor seconds per step."""

    def __init__(self) -> None:
        self.found: Figures = {}

    def __call__(self, step: str, work: Callable[[], T]) -> T:
        start, busy = time.perf_counter(), time.process_time()
        result = work()
        self.found[step] = time.perf_counter() - start
        self.found[f"{step} cpu"] = time.process_time() - busy
        return result


def logs(folder: Path, flat: Path) -> Figures:
    """All four logs; what a sort is given is written when the clock has stopped."""
    clock = Clock()
    crm = clock("load", lambda: cm.connect(folder))
    for name in PROCESSES:
        clock(name, partial(crm.event_log, name))
    built = [crm.event_log(name) for name in PROCESSES]
    clock.found |= {
        "events": sum(log.partitions[0].events.height for log in built),
        "cases": sum(log.cases.height for log in built),
        "rows": sum(file.rows or 0 for file in crm.tables.inputs),
        "tables": len(crm.tables.inputs),
        "peak": peak(),
    }
    if not flat.exists():
        text = pl.col("activity", "source_table").cast(pl.String)
        pl.concat([log.scan().with_columns(text) for log in built]).collect().sample(
            fraction=1, shuffle=True, seed=1
        ).write_parquet(flat)
    return clock.found


def part(folder: Path, _flat: Path) -> Figures:
    """Every hundredth case of each process."""
    crm, clock = cm.connect(folder), Clock()
    stages, as_of = crm.definitions.stages, crm.clock
    for name in PROCESSES:
        process = crm.definitions.process(name)
        ids = pl.read_parquet(folder / f"{process.root}.parquet", columns=["Id"])["Id"].sort()
        only = ids.gather_every(SHARE)
        clock(name, partial(extract.build, crm.tables, process, as_of, stages, only))
    return clock.found | {"peak": peak()}


def sort(_folder: Path, flat: Path) -> Figures:
    """DuckDB alone."""
    clock, connection = Clock(), duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"CREATE TABLE events AS FROM read_parquet('{flat}')")
    statement = "CREATE OR REPLACE TABLE s AS SELECT {} FROM events ORDER BY case_id, occurred_at"
    for step, columns in (("sort", "case_id, activity, occurred_at"), ("sort all", "*")):
        clock(step, partial(connection.execute, statement.format(columns)))
    return clock.found | {"peak": peak()}


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 2**30


STEPS: dict[str, Callable[[Path, Path], Figures]] = {"logs": logs, "sort": sort, "part": part}


def measure(step: str, folder: Path, flat: Path) -> Figures:
    command = [sys.executable, "-m", "benchmarks.build", "--step", step, str(folder), str(flat)]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
    )
    found: Figures = json.loads(done.stdout.splitlines()[-1])
    print(step, {name: round(value, 2) for name, value in found.items()}, flush=True)
    return found


def text(turns: dict[str, list[Figures]], repeats: int, seed: int) -> str:
    """Fill the template in."""
    middle = {
        step: {name: median(turn[name] for turn in found) for name in found[0]}
        for step, found in turns.items()
    }
    whole, some, alone = middle["logs"], middle["part"], middle["sort"]

    def of(found: Figures, *steps: str) -> tuple[float, float]:
        return sum(found[step] for step in steps), sum(found[f"{step} cpu"] for step in steps)

    def line(name: str, spent: tuple[float, float], most: str = "") -> str:
        return f"| {name} | {spent[0]:.2f} | {spent[1]:.2f} | {most} |"

    def ratio(name: str, one: tuple[float, float], other: tuple[float, float], goal: str) -> str:
        return f"| {name} | {one[0] / other[0]:.2f} | {one[1] / other[1]:.2f} | {goal} |"

    load, built, every = of(whole, "load"), of(whole, *PROCESSES), of(whole, "load", *PROCESSES)
    few, sorting, wide = of(some, *PROCESSES), of(alone, "sort"), of(alone, "sort all")
    lines = [line("load", load), *(line(name, of(whole, name)) for name in PROCESSES)]
    lines += [
        line("**load and four logs**", every, f"{whole['peak']:.2f}"),
        line("1 % of cases, four logs", few, f"{some['peak']:.2f}"),
        line("sort", sorting),
        line("sort, all columns", wide, f"{alone['peak']:.2f}"),
    ]
    return TEMPLATE.format(
        lines="\n".join(lines),
        ratios="\n".join(
            [
                ratio("load and four logs / sort", every, sorting, "4"),
                ratio("four logs / sort", built, sorting, "4"),
                ratio("load and four logs / sort, all columns", every, wide, "4"),
                ratio("1 % of cases / four logs", few, built, "0.10"),
            ]
        ),
        **{name: int(whole[name]) for name in ("events", "cases", "rows", "tables")},
        seed=seed,
        repeats=repeats,
        machine=pages.machine(),
        python=platform.python_version(),
        packages=", ".join(f"{name} {version(name)}" for name in ("crmmining", "polars", "duckdb")),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--page", type=Path, default=pages.PAGE)
    parser.add_argument("--step", nargs=3, metavar=("STEP", "FOLDER", "FLAT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        step, *places = options.step
        print(json.dumps(STEPS[step](*map(Path, places))))
        return
    with tempfile.TemporaryDirectory() as name:
        folder, flat = Path(name) / "crm", Path(name) / "flat.parquet"
        write_crm(folder, events=options.events, seed=options.seed)
        turns: dict[str, list[Figures]] = {step: [] for step in STEPS}
        for _ in range(options.repeats):
            for step, found in turns.items():
                found.append(measure(step, folder, flat))
    pages.write_part(options.page, HEADING, text(turns, options.repeats, options.seed))


if __name__ == "__main__":
    main()

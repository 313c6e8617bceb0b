"""A CRM larger than the memory of its database: two logs told in memory, and from a store bucket by bucket.

`python -m benchmarks.out_of_core [--events N] [--seed S] [--memory 400MiB] [--page FILE]`. Every way is a
process of its own; the events that both write to files must be the same bytes.
"""

import argparse
import hashlib
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import polars as pl
from benchmarks import pages
from benchmarks.generate_crm import write_crm

import crmmining as cm
from crmmining import batch, extract

PROCESSES = ("opportunity", "case")
HEADING = "A CRM larger than memory"
TEMPLATE = """{events:,} events of opportunities and cases, from {rows:,} rows of Parquet files
(`benchmarks/generate_crm.py`, seed {seed}) that take {tables:.2f} GiB as tables, compressed. {machine},
Python {python}; {packages}.

In memory the database is held to its default of 1.5 GiB; with a store to {memory}, and logs are told for
ranges of cases that fit. `account` is the quality SQL, which looks at all tables at once. The events of both
are the same bytes.

| step | in memory, seconds | store, seconds | in memory, peak GiB | store, peak GiB |
|---|---:|---:|---:|---:|
{lines}

The peak is that of the process until the end of the step. What the store costs: buckets ({buckets}) look for
their rows in all tables, so that each reads the keys of all; tables are written, compressed, and read again;
and little memory means few threads.
"""
Figures = dict[str, dict[str, float | str]]


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 2**30


def measure(source: Path, store: Path | None, memory: str) -> Figures:
    """Seconds and peak of every step, and what was written."""
    found: Figures = {}
    start = time.perf_counter()

    def done(step: str, **more: float | str) -> None:
        nonlocal start
        found[step] = {"seconds": time.perf_counter() - start, "peak": peak(), **more}
        start = time.perf_counter()

    crm = cm.connect(source) if store is None else cm.connect(source, store=store, memory=memory)
    done("load", rows=sum(file.rows or 0 for file in crm.tables.inputs))
    for name in PROCESSES:
        log = crm.event_log(name)
        done(name, buckets=len(log.partitions))
    extract.findings(crm.tables, crm.definitions, crm.clock)
    done("account")
    if store is not None:
        found["load"]["bytes"] = sum(file.stat().st_size for file in store.glob("tables-*"))
    with tempfile.TemporaryDirectory() as folder:  # when all peaks were taken
        for name in PROCESSES:
            file = Path(folder) / name
            batch.write_rows(crm.event_log(name).scan().cast({"activity": pl.String}), file)
            found[name]["events"] = pl.scan_parquet(file).select(pl.len()).collect().item()
            found[name]["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found


def apart(source: Path, store: str, memory: str) -> Figures:
    command = [sys.executable, "-m", "benchmarks.out_of_core", "--measure", str(source), store, memory]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
    )
    found: Figures = json.loads(done.stdout.splitlines()[-1])
    return found


def text(inside: Figures, kept: Figures, memory: str, seed: int) -> str:
    for name in PROCESSES:
        if inside[name]["sha256"] != kept[name]["sha256"]:
            raise SystemExit(f"the events of {name} differ")
    lines = [
        f"| {step} | {inside[step]['seconds']:.1f} | {kept[step]['seconds']:.1f} | "
        f"{inside[step]['peak']:.2f} | {kept[step]['peak']:.2f} |"
        for step in inside
    ]
    return TEMPLATE.format(
        events=sum(int(kept[name]["events"]) for name in PROCESSES),
        rows=int(kept["load"]["rows"]),
        tables=float(kept["load"]["bytes"]) / 2**30,
        buckets=" and ".join(f"{kept[name]['buckets']} of {name}" for name in PROCESSES),
        lines="\n".join(lines),
        memory=memory,
        seed=seed,
        machine=pages.machine(),
        python=platform.python_version(),
        packages=", ".join(f"{name} {version(name)}" for name in ("crmmining", "polars", "duckdb")),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--memory", default="400MiB")
    parser.add_argument("--page", type=Path, default=pages.PAGE)
    parser.add_argument("--measure", nargs=3, metavar=("SOURCE", "STORE", "MEMORY"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        source, store, memory = options.measure
        print(json.dumps(measure(Path(source), Path(store) if store else None, memory)))
        return
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "crm"
        write_crm(source, events=options.events, seed=options.seed)
        inside = apart(source, "", options.memory)
        kept = apart(source, str(Path(folder) / "store"), options.memory)
    pages.write_part(options.page, HEADING, text(inside, kept, options.memory, options.seed))


if __name__ == "__main__":
    main()

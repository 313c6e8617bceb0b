"""How time and memory grow with the log: stored logs of a million events to a billion, part after part.

`python -m benchmarks.growth [--largest N] [--seed S] [--page FILE]`. Every log is written by a process of its
own and asked by another, whose peak memory counts; it is removed before the next one is written.
"""

import argparse
import json
import math
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from benchmarks import pages
from benchmarks.clock import Clock

SIZES = (1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
SCORED = 100_000_000  # the largest log of which the whole scorecard is asked
Run = dict[str, float]
SUITE = ("variants", "transitions", "durations", "rework")
HEADING = "Growth"
TEMPLATE = """Stored opportunity logs, written by `benchmarks/generate_log.py` (seed {seed}), asked through
the `EventLog` that `open_log` gives, in one process and one partition of 2,000,000 events after the other,
reading included. Durations are those from creation to close, with quantiles; the scorecard is every KPI of
the process by month. {machine}, Python {python}; {packages}. Seconds of wall
time; memory is the peak of the process that asks.

{table}

{exponents}

`write` generates a log and stores it. Variants beyond 1,000,000 stand together as a counted remainder.
"""


def ask(folder: Path, *, scored: bool) -> Run:
    """Seconds per question, and what was found."""
    import crmmining as cm  # noqa: PLC0415  a process that writes need not load it
    from crmmining.definitions import read_catalogue  # noqa: PLC0415
    from crmmining.measure import Cut, scorecard  # noqa: PLC0415

    clock, catalogue = Clock(), read_catalogue()
    log = clock("open", lambda: cm.open_log(folder))
    variants = clock("variants", log.variants)
    clock("transitions", log.transitions)
    clock("durations", lambda: log.throughput("created", "closed"))
    clock("rework", log.rework)
    cases, events = log.sizes
    distinct = int(variants["n_variants"].sum())
    found: Run = {"cases": cases, "events": events, "distinct": distinct, "suite memory": peak()}
    if scored:
        kpis = catalogue.kpis_of("opportunity")
        cut = Cut(catalogue.source.org, period="month")
        clock("scorecard", lambda: scorecard({"opportunity": log}, catalogue, kpis, cut))
        found["scorecard memory"] = peak()
    return clock.steps | found


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 2**30


def measure(size: int, seed: int, folder: Path) -> Run:
    """Write a log and ask it, in two processes."""
    place, clock = folder / "log", Clock()
    root = Path(__file__).parents[1]
    write = [sys.executable, "-m", "benchmarks.generate_log", str(place), "--events", str(size)]
    clock("write", lambda: subprocess.run([*write, "--seed", str(seed)], check=True, cwd=root))
    command = [sys.executable, "-m", "benchmarks.growth", "--ask", str(place)]
    command += ["--scored"] if size <= SCORED else []
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=root)
    bytes_of = sum(path.stat().st_size for path in place.rglob("*.parquet"))
    shutil.rmtree(place)
    found: Run = json.loads(done.stdout.splitlines()[-1])
    print(size, {name: round(value, 2) for name, value in (clock.steps | found).items()}, flush=True)
    return clock.steps | found | {"GiB": bytes_of / 2**30}


def exponent(runs: list[Run], step: str) -> float:
    """The slope of time over events on logarithmic scales, by least squares."""
    points = [(math.log(run["events"]), math.log(run[step])) for run in runs if step in run]
    x, y = (sum(values) / len(points) for values in zip(*points, strict=True))
    slope: float = sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)
    return slope


def text(runs: list[Run], seed: int) -> str:
    """Fill the template in."""
    columns = ("write", *SUITE, "scorecard")
    head = ["events", "cases", "variants", "GiB on disk", *columns, "suite, GiB", "scorecard, GiB"]
    rows = [
        [
            *(f"{run[name]:,.0f}" for name in ("events", "cases", "distinct")),
            f"{run['GiB']:.2f}",
            *(f"{run[name]:.1f}" if name in run else "-" for name in columns),
            *(f"{run[name]:.1f}" if name in run else "-" for name in ("suite memory", "scorecard memory")),
        ]
        for run in runs
    ]
    rule = ["---:"] * len(head)
    table = "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *rows))
    slopes = [f"{step} {exponent(runs, step):.2f}" for step in (*SUITE, "scorecard")]
    grown = "Time grows with the events to the power of: " + ", ".join(slopes) if len(runs) > 1 else ""
    return TEMPLATE.format(
        seed=seed,
        table=table,
        exponents=f"{grown} (least squares on logarithmic scales; n log n would be about 1.06).",
        machine=pages.machine(),
        python=platform.python_version(),
        packages=", ".join(f"{name} {version(name)}" for name in ("crmmining", "polars", "numpy")),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=SIZES[-1])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--page", type=Path, default=pages.PAGE)
    parser.add_argument("--ask", type=Path)
    parser.add_argument("--scored", action="store_true")
    options = parser.parse_args()
    if options.ask is not None:
        print(json.dumps(ask(options.ask, scored=options.scored)))
        return
    with tempfile.TemporaryDirectory() as name:
        sizes = [size for size in SIZES if size <= options.largest]
        runs = [measure(size, options.seed, Path(name)) for size in sizes]
    found = text(runs, options.seed)
    pages.write_part(options.page, HEADING, found)
    print(found)


if __name__ == "__main__":
    main()

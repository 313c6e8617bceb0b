"""Where the time goes: what each function of this package takes, with the libraries it calls.

`python -m benchmarks.profile [--events N] [--seed S] [--page FILE]`. Time of a library counts with the
function that calls it; functions below two hundredths of their task stand together.
"""

import argparse
import cProfile
import platform
import pstats
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import polars as pl
from benchmarks import generate, generate_log, pages

import crmmining as cm
from crmmining.definitions import read_catalogue
from crmmining.kernels import coding
from crmmining.measure import Cut, scorecard

LEAST = 0.02
DEEPEST = 40  # calls of libraries inside each other
HEADING = "Where the time goes"
TEMPLATE = """{events:,} opportunity events (`benchmarks/generate.py`, `benchmarks/generate_log.py`, seed
{seed}), profiled in one process; time of a library counts with the function of ours that calls it.
{machine}, Python {python}; {packages}.

{tables}

What bounds it:

* **From flat events to a log**: bringing ten million text Ids together (`group`) and sorting what is packed
  into one integer per event; both are sorts of integers, which polars does on all cores. Reading and looking
  at texts once (`code`) is the rest.
* **Variants** are bound by grouping texts of two bytes per event, one pass of hashing over them, and by
  giving the distinct ones their names.
* **Edges with times** take three passes in blocks that stay in the processor's cache (differences, buckets,
  one table of counts); reading is a good part of it.
* **Rework** fills a table of cases and activities per block.
* **The scorecard** makes the facts of cases once per partition: a pass over events for every milestone, and
  joins of what they give; then it groups cases once per KPI.
"""
Share = tuple[str, float]


def shares(work: Callable[[], object]) -> tuple[float, list[Share]]:
    """Seconds of a task, and the share of each of our functions, own time and that of libraries it calls."""
    profile = cProfile.Profile()
    profile.runcall(work)
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined,unused-ignore]
    spent = {key: value[2] for key, value in stats.items()}
    for _ in range(DEEPEST):  # what a library took goes up to whoever called it, step by step
        for key in [key for key, took in spent.items() if took and "crmmining" not in key[0]]:
            callers = {caller: times[3] for caller, times in stats[key][4].items()}
            took, whole = spent.pop(key), sum(callers.values())
            for caller, share in callers.items():
                spent[caller] = spent.get(caller, 0.0) + took * share / (whole or 1)
    ours = {key: took for key, took in spent.items() if "crmmining" in key[0]}
    whole = sum(ours.values())
    named = [
        (f"{Path(file).stem}.{name.strip('<>')}", took / whole) for (file, _, name), took in ours.items()
    ]
    top = sorted((share for share in named if share[1] >= LEAST), key=lambda share: -share[1])
    return whole, [*top, ("others", 1 - sum(share for _, share in top))]


def tasks(folder: Path, events: int, seed: int) -> dict[str, Callable[[], object]]:
    flat = folder / "flat.parquet"
    generate.write_flat(flat, events=events, seed=seed)
    generate_log.write_log(folder / "log", events=events, seed=seed)
    log, catalogue = cm.open_log(folder / "log"), read_catalogue()
    cut = Cut(catalogue.source.org, period="month")
    kpis = catalogue.kpis_of("opportunity")
    return {
        "from flat events to a log": lambda: coding.code(pl.scan_parquet(flat)),
        "variants of a stored log": log.variants,
        "transitions of a stored log": log.transitions,
        "rework of a stored log": log.rework,
        "throughput of a stored log": lambda: log.throughput("created", "closed"),
        "scorecard of a stored log": lambda: scorecard({"opportunity": log}, catalogue, kpis, cut),
    }


def text(found: dict[str, tuple[float, list[Share]]], events: int, seed: int) -> str:
    lines = ["| task | seconds | of which |", "|---|---:|---|"]
    for task, (seconds, parts) in found.items():
        told = ", ".join(f"{name} {share:.0%}" for name, share in parts)
        lines.append(f"| {task} | {seconds:.2f} | {told} |")
    return TEMPLATE.format(
        events=events,
        seed=seed,
        tables="\n".join(lines),
        machine=pages.machine(),
        python=platform.python_version(),
        packages=", ".join(f"{name} {version(name)}" for name in ("crmmining", "polars", "numpy")),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--page", type=Path, default=pages.PAGE)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        asked = tasks(Path(name), options.events, options.seed)
        found = {task: shares(work) for task, work in asked.items()}
    told = text(found, options.events, options.seed)
    pages.write_part(options.page, HEADING, told)
    print(told)


if __name__ == "__main__":
    main()

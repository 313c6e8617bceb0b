"""Compare crmmining with pm4py and DuckDB on one large log, check that they agree, write docs/benchmarks.md.

`python -m benchmarks.run [--events N] [--seed S] [--repeats R] [--peer-repeats P] [--page FILE]`. Every
repetition is a process of its own; the engines take turns: a busy machine slows all of them alike.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from statistics import median

import polars as pl
from benchmarks import generate, pages

PEERS = ("duckdb", "pm4py")
ENGINES = ("crmmining", *PEERS)
PACKAGES = ("crmmining", "polars", "duckdb", "pm4py", "pandas", "numpy")
STEPS = (
    "log",
    "variants",
    "edges, counts and times",
    "durations",
    "rework",
    "**from flat events**",
    "**on the coded log**",
    "processor seconds",
    "peak memory, GiB",
)
HEADING = "From one log to answers"
TEMPLATE = """{events:,} opportunity events of {cases:,} cases in {variants:,} variants, seed {seed}: one
Parquet file of shuffled rows with text Ids of 18 characters, text activities and UTC times. From it every
engine builds its sorted log and answers the same questions: variants, directly-follows counts with median
and 90th percentile, case durations, and cases with rework per activity. **All answers were compared and are
equal** (counts and durations exactly, quantiles to a microsecond). pm4py offers no percentile per edge but
the median, so it does less. DuckDB runs `benchmarks/duckdb_peer.sql`: one window pass into a temporary table,
then aggregates.

Each repetition is a process of its own, imports not timed; the engines take turns. Repetitions: {repeats}.
{machine}, Python {python}; {packages}.
Seconds, minimum / median of the repetitions; the last two columns say how many times as much the peer needs
(ratio of the minima / of the medians). On a machine shared with other work the ratios are what to quote.

| step | crmmining | DuckDB | pm4py | DuckDB / crmmining | pm4py / crmmining |
|---|---:|---:|---:|---:|---:|
{rows}

DuckDB answers durations and variants from one aggregate per case, which is timed under durations.
"""
QUESTIONS = ("variants", "edges", "durations", "rework")
Run = dict[str, float]


def measure(engine: str, flat: Path, answers: Path | None) -> Run:
    command = [sys.executable, str(Path(__file__).with_name("engines.py")), engine, str(flat)]
    done = subprocess.run(
        command + ([str(answers)] if answers else []), check=True, stdout=subprocess.PIPE, text=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    steps: Run = found["steps"]
    total = sum(steps.values())
    return steps | {
        "**from flat events**": total,
        "**on the coded log**": total - steps["log"],
        "processor seconds": found["processor"],
        "peak memory, GiB": found["memory"] / 2**30,
    }


def compare(folder: Path) -> None:
    """Refuse figures of engines that do not agree, exactly in counts and to a microsecond in quantiles."""
    for question in QUESTIONS:
        ours = pl.read_parquet(folder / f"crmmining.{question}.parquet")
        for peer in PEERS:
            theirs = pl.read_parquet(folder / f"{peer}.{question}.parquet")
            same = ours.select(theirs.columns)
            near = [name for name in theirs.columns if theirs.schema[name] == pl.Float64]
            if not same.drop(near).equals(theirs.drop(near)):
                sys.exit(f"{question}: {peer} and crmmining do not agree")
            for name in near:
                if (same[name] - theirs[name]).abs().max() > 1e-6:  # type: ignore[operator]
                    sys.exit(f"{question}: {peer} and crmmining do not agree on {name}")


def page(runs: dict[str, list[Run]], facts: dict[str, object]) -> str:
    """Fill the template in."""
    for found in runs["pm4py"]:
        found["edges, counts and times"] = found["edges, counts"] + found["edges, times"]

    def row(step: str) -> str:
        values = {engine: [run[step] for run in found] for engine, found in runs.items()}
        cells = [f"{min(of):.2f} / {median(of):.2f}" for of in values.values()]
        ours = values["crmmining"]
        cells += [
            f"{min(values[peer]) / min(ours):.1f}x / {median(values[peer]) / median(ours):.1f}x"
            for peer in PEERS
        ]
        return f"| {' | '.join([step, *cells])} |"

    return TEMPLATE.format(
        rows="\n".join(row(step) for step in STEPS),
        repeats=", ".join(f"{engine} {len(found)}" for engine, found in runs.items()),
        packages=", ".join(f"{name} {version(name)}" for name in PACKAGES),
        machine=pages.machine(),
        python=platform.python_version(),
        **facts,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peer-repeats", type=int, default=3)
    parser.add_argument("--page", type=Path, default=pages.PAGE)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        flat = folder / "flat.parquet"
        events = generate.write_flat(flat, events=options.events, seed=options.seed)
        runs: dict[str, list[Run]] = {engine: [] for engine in ENGINES}
        for turn in range(max(options.repeats, options.peer_repeats)):
            for engine in ENGINES:
                if turn < (options.repeats if engine == "crmmining" else options.peer_repeats):
                    found = measure(engine, flat, folder if turn == 0 else None)
                    runs[engine].append(found)
                    seconds, peak = found["**from flat events**"], found["peak memory, GiB"]
                    print(f"{engine}: {seconds:.1f} s, {peak:.1f} GiB", flush=True)
        compare(folder)
        variants = pl.read_parquet(folder / "crmmining.variants.parquet")
    cases = variants["cases"].sum()
    text = page(runs, {"events": events, "cases": cases, "variants": len(variants), "seed": options.seed})
    pages.write_part(options.page, HEADING, text)
    print(text)


if __name__ == "__main__":
    main()

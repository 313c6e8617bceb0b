"""Compare crmmining with its peers on one large log, check that they agree, write docs/benchmarks.md.

`python -m benchmarks.run [--events N] [--seed S] [--repeats R] [--peer-repeats P] [--page FILE]`. Every
repetition is a process of its own; the engines take turns: a busy machine slows all of them alike.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median

import polars as pl
from benchmarks import generate, pages

OURS = ("crmmining", "stored")
PEERS = {
    "duckdb": "DuckDB",
    "pm4py": "pm4py",
    "pm4py_polars": "pm4py, Polars",
    "pl4pm": "pl4pm",
    "r4pm": "r4pm",
}
PACKAGES = ("crmmining", "polars", "duckdb", "pm4py", "pl4pm", "r4pm", "pandas", "numpy")
STEPS = ("log", "variants", "edge counts", "edge times", "durations", "rework")
QUESTIONS = ("variants", "edges", "durations", "rework")
RATES = {"edge counts": 100, "edge times": 20, "variants": 25, "durations": 60, "rework": 25}  # M events/s
BUCKET = 1 / 128  # what a time may differ from the one it is taken for
HEADING = "From one log to answers"
TEMPLATE = """{events:,} opportunity events of {cases:,} cases in {variants:,} variants, seed {seed}: one
Parquet file of shuffled rows with text Ids of 18 characters, text activities and UTC times. From it every
engine builds its sorted log and answers the same questions: variants, directly-follows counts, and their
median and 90th percentile, case durations, and cases with rework per activity. **All answers were compared
and are equal**: counts and durations exactly, quantiles of edges within 1/128, which is the width of our
buckets (the largest difference met is {apart:.2%}). DuckDB runs `benchmarks/duckdb_peer.sql`: one window pass
into a temporary table, then aggregates. The other peers are asked through their own interfaces
(`benchmarks/peers.py`); pm4py and pl4pm offer the median of an edge but no percentile, r4pm neither times nor
durations nor rework: they do less.

Each repetition is a process of its own, imports not timed; the engines take turns. Repetitions: {repeats}.
{machine}, Python {python}; {packages}.
Seconds, minimum / median of the repetitions. On a machine shared with other work ratios are what to quote.

{steps}

Our edge times hold their counts, DuckDB's too; where an engine counts edges apart from that, both steps are
its price. DuckDB answers durations and variants from one aggregate per case, which is timed under durations.

How many times as much a peer needs, for the questions it answers (ratio of the minima / of the medians):

{ratios}

The same questions to a stored log in partitions of 2,000,000 events, reading included, one partition after
the other (kernels and merge; naming variants is not in it):

{stored}

`reading` is the time to read the columns of a question and do nothing with them. Edges with times take more
than five times that: each difference is put into a bucket and counted in a table of edges and buckets, which
the processor's cache does not hold; rework fills a table of cases and activities for every 65,000 events.
The whole suite on the
stored log takes {suite:.2f} s (median); pm4py takes {theirs:.1f} s on its frame, formatted and in memory:
**{suite_ratio:.0f} times** as much (goal: 40).
"""
Run = dict[str, float]


def measure(engine: str, flat: Path, answers: Path | None) -> Run:
    command = [sys.executable, "-m", "benchmarks.engines", engine, str(flat)]
    done = subprocess.run(
        command + ([str(answers)] if answers else []),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    found = json.loads(done.stdout.splitlines()[-1])
    steps: Run = found["steps"]
    return steps | {"processor": found["processor"], "memory": found["memory"] / 2**30}


def compare(folder: Path) -> float:
    """The largest difference of quantiles; ends where engines do not agree."""
    apart = 0.0
    for question in QUESTIONS:
        ours = pl.read_parquet(folder / f"crmmining.{question}.parquet")
        for peer in ("stored", *PEERS):
            file = folder / f"{peer}.{question}.parquet"
            if not file.exists():
                continue
            theirs = pl.read_parquet(file)
            same = ours.select(theirs.columns)
            near = [name for name in theirs.columns if theirs.schema[name] == pl.Float64]
            if not same.drop(near).equals(theirs.drop(near)):
                sys.exit(f"{question}: {peer} and crmmining do not agree")
            for name in near:
                off = float(((same[name] - theirs[name]).abs() / theirs[name].abs().clip(1)).max() or 0)  # type: ignore[arg-type]
                if off > BUCKET:
                    sys.exit(f"{question}: {peer} and crmmining do not agree on {name}")
                apart = max(apart, off)
    return apart


def least_and_middle(values: Sequence[float]) -> str:
    return f"{min(values):.2f} / {median(values):.2f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def steps(runs: dict[str, list[Run]]) -> str:
    engines = ["crmmining", *PEERS]

    def cell(engine: str, step: str) -> str:
        found = [run[step] for run in runs[engine] if step in run]
        return least_and_middle(found) if found else "-"

    labels = {"processor": "processor seconds", "memory": "peak memory, GiB"}
    rows = [[labels.get(step, step), *(cell(e, step) for e in engines)] for step in (*STEPS, *labels)]
    return table(["step", "crmmining", *PEERS.values()], rows)


def ratios(runs: dict[str, list[Run]]) -> str:
    def ratio(peer: str, among: Sequence[str], *, suite: bool = False) -> str:
        """Of sums over the steps that both take."""
        asked = {step for step in among if step in runs[peer][0]}
        if suite and asked & {"edge counts"} and "edge times" not in asked:
            asked |= {"edge times"}  # ours has no counts apart from times here
        theirs = [sum(run.get(step, 0.0) for step in asked) for run in runs[peer]]
        ours = [sum(run.get(step, 0.0) for step in asked) for run in runs["crmmining"]]
        return f"{min(theirs) / min(ours):.1f}x / {median(theirs) / median(ours):.1f}x"

    rows = [
        ["from flat events", *(ratio(peer, STEPS, suite=True) for peer in PEERS)],
        ["on the sorted log", *(ratio(peer, STEPS[1:], suite=True) for peer in PEERS)],
        *(
            [step, *(ratio(peer, [step]) if step in runs[peer][0] else "-" for peer in PEERS)]
            for step in ("log",)
        ),
        ["processor seconds", *(ratio(peer, ["processor"]) for peer in PEERS)],
        ["peak memory", *(ratio(peer, ["memory"]) for peer in PEERS)],
        ["goal, from flat events", "1.8x", "12x", "6x", "", ""],
    ]
    return table(["", *PEERS.values()], rows)


def stored(found: list[Run], events: int) -> str:
    rows = []
    for question, goal in RATES.items():
        seconds, alone = ([run[key] for run in found] for key in (question, f"reading for {question}"))
        rate = f"{events / median(seconds) / 1e6:.0f}"
        times = f"{median(seconds) / median(alone):.1f}x"
        rows.append([question, least_and_middle(seconds), rate, str(goal), least_and_middle(alone), times])
    return table(["question", "seconds", "million events/s", "goal", "reading", "question / reading"], rows)


def page(runs: dict[str, list[Run]], facts: dict[str, object], events: int) -> str:
    """Fill the template in."""
    suite = median(sum(run[step] for step in STEPS[1:]) for run in runs["stored"])
    theirs = median(sum(run[step] for step in STEPS[1:]) for run in runs["pm4py"])
    return TEMPLATE.format(
        steps=steps(runs),
        ratios=ratios(runs),
        stored=stored(runs["stored"], events),
        suite=suite,
        theirs=theirs,
        suite_ratio=theirs / suite,
        repeats=", ".join(f"{engine} {len(found)}" for engine, found in runs.items()),
        packages=", ".join(f"{name} {version(name)}" for name in PACKAGES),
        machine=pages.machine(),
        python=platform.python_version(),
        events=events,
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
        runs: dict[str, list[Run]] = {engine: [] for engine in (*OURS, *PEERS)}
        for turn in range(max(options.repeats, options.peer_repeats)):
            for engine, found in runs.items():
                if turn < (options.peer_repeats if engine in PEERS else options.repeats):
                    found.append(measure(engine, flat, folder if turn == 0 else None))
                    total = sum(found[-1].get(step, 0.0) for step in STEPS)
                    print(f"{engine}: {total:.1f} s, {found[-1]['memory']:.1f} GiB", flush=True)
        apart = compare(folder)
        variants = pl.read_parquet(folder / "crmmining.variants.parquet")
    facts = {
        "cases": variants["cases"].sum(),
        "variants": len(variants),
        "seed": options.seed,
        "apart": apart,
    }
    text = page(runs, facts, events)
    pages.write_part(options.page, HEADING, text)
    print(text)


if __name__ == "__main__":
    main()

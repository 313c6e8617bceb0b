"""One engine, one process: answer the questions, then report times, memory and, if asked, the answers.

`python benchmarks/engines.py ENGINE FLAT.parquet [ANSWERS]` prints one JSON object. Imports are not timed.
"""

import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from typing import TypeVar

import polars as pl

T = TypeVar("T")
Answers = dict[str, pl.DataFrame]  # variants, edges, durations, rework
HERE = Path(__file__).parent


class Clock:
    """Seconds per step, and processor seconds of them all."""

    def __init__(self) -> None:
        self.steps: dict[str, float] = {}
        self.processor = 0.0

    def __call__(self, step: str, work: Callable[[], T]) -> T:
        start, busy = time.perf_counter(), time.process_time()
        result = work()
        self.steps[step] = self.steps.get(step, 0.0) + time.perf_counter() - start
        self.processor += time.process_time() - busy
        return result


def crmmining(flat: Path, clock: Clock) -> Callable[[], Answers]:
    """Code the log, then let the kernels answer."""
    from crmmining.kernels import (  # noqa: PLC0415  each process loads only its own engine
        coding,
        rework,
        throughput,
        transitions,
        variants,
    )

    coded = clock("log", lambda: coding.code(pl.scan_parquet(flat)))
    log = coded.events
    sequences = clock("variants", lambda: variants.variants(log))
    counts = clock("edges, counts and times", lambda: transitions.summarise(transitions.transitions(log)))
    spans = clock("durations", lambda: throughput.spans(log))
    repeated = clock("rework", lambda: rework.rework_by_activity(log))

    def named(code: str) -> pl.Expr:
        return pl.col(code).replace_strict(
            range(len(coded.activities)), coded.activities, return_dtype=pl.String
        )

    def answers() -> Answers:
        return {
            "variants": sequences.with_columns(
                pl.col("sequence").list.eval(
                    pl.element().replace_strict(
                        range(len(coded.activities)), coded.activities, return_dtype=pl.String
                    )
                )
            ),
            "edges": counts.select(
                named("source"), named("target"), "n", median="median_seconds", p90="p90_seconds"
            ),
            "durations": spans.select(
                (pl.col("last_at") - pl.col("first_at")).dt.total_seconds().alias("seconds")
            ),
            "rework": repeated.filter(pl.col("rework_cases") > 0).select(
                named("activity"), cases="rework_cases"
            ),
        }

    return answers


def duckdb(flat: Path, clock: Clock) -> Callable[[], Answers]:
    """Run duckdb_peer.sql, statement by statement."""
    import duckdb as engine  # noqa: PLC0415

    steps = ("log", "log", "edges, counts and times", "durations", "variants", "rework")
    connection = engine.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"SET VARIABLE flat = '{flat}'")
    statements = engine.extract_statements((HERE / "duckdb_peer.sql").read_text())
    for step, statement in zip(steps, statements, strict=True):
        clock(step, partial(connection.execute, statement))

    def answers() -> Answers:
        return {
            "variants": connection.sql("SELECT sequence::VARCHAR[] AS sequence, cases FROM variants").pl(),
            "edges": connection.sql(
                "SELECT source::VARCHAR AS source, target::VARCHAR AS target, n, "
                "quantiles[1] AS median, quantiles[2] AS p90 FROM edges"
            ).pl(),
            "durations": connection.sql("SELECT seconds FROM cases").pl(),
            "rework": connection.sql("SELECT activity::VARCHAR AS activity, cases FROM rework").pl(),
        }

    return answers


def pm4py(flat: Path, clock: Clock) -> Callable[[], Answers]:
    """Format the frame, then ask pm4py's simplified interface; it offers no quantile but the median."""
    import pandas as pd  # type: ignore[import-untyped]  # noqa: PLC0415
    import pm4py as engine  # noqa: PLC0415

    def formatted() -> pd.DataFrame:
        keys = {"case_id": "case_id", "activity_key": "activity", "timestamp_key": "occurred_at"}
        return engine.format_dataframe(pd.read_parquet(flat), **keys)

    frame = clock("log", formatted)
    sequences = clock("variants", lambda: engine.get_variants(frame))
    counts = clock("edges, counts", lambda: engine.discover_dfg(frame)[0])
    times = clock("edges, times", lambda: engine.discover_performance_dfg(frame)[0])
    seconds = clock("durations", lambda: engine.get_all_case_durations(frame))
    repeated = clock("rework", lambda: engine.get_rework_cases_per_activity(frame))

    def answers() -> Answers:
        edges = [(*edge, n, times[edge]["median"]) for edge, n in counts.items()]
        return {
            "variants": pl.DataFrame(
                {"sequence": [list(variant) for variant in sequences], "cases": list(sequences.values())}
            ),
            "edges": pl.DataFrame(edges, schema=["source", "target", "n", "median"], orient="row"),
            "durations": pl.DataFrame({"seconds": seconds}),
            "rework": pl.DataFrame({"activity": list(repeated), "cases": list(repeated.values())}),
        }

    return answers


def main(engine: str, flat: str, folder: str | None = None) -> None:
    clock = Clock()
    with redirect_stdout(StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pm4py and pandas announce deprecations of their own
        answers = {"crmmining": crmmining, "duckdb": duckdb, "pm4py": pm4py}[engine](Path(flat), clock)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if folder:
        for name, answer in canonical(answers()).items():
            answer.write_parquet(Path(folder) / f"{engine}.{name}.parquet")
    print(json.dumps({"steps": clock.steps, "processor": clock.processor, "memory": memory}))


def canonical(answers: Answers) -> Answers:
    """Bring answers into one shape: the same column types, sorted rows."""
    types = {"cases": pl.Int64, "n": pl.Int64, "median": pl.Float64, "p90": pl.Float64, "seconds": pl.Int64}
    return {
        name: (frame := answer.cast({key: types[key] for key in answer.columns if key in types})).sort(
            frame.columns
        )
        for name, answer in answers.items()
    }


if __name__ == "__main__":
    main(*sys.argv[1:])

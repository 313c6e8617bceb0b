"""One engine, one process: answer the questions, then report times, memory and, if asked, the answers.

`python -m benchmarks.engines ENGINE FLAT.parquet [ANSWERS]` prints one JSON object. Imports are not timed,
nor is what `stored` does before its first question.
"""

import json
import resource
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from datetime import UTC, datetime
from functools import partial
from io import StringIO
from pathlib import Path

import polars as pl
from benchmarks import peers
from benchmarks.clock import Clock
from benchmarks.peers import Answers

import crmmining as cm
from crmmining.definitions import read_catalogue
from crmmining.eventlog import VALUES, Partition
from crmmining.kernels import coding, merge, rework, throughput, transitions, variants

PAIR = ["source", "target"]
MANY = 1 << 62  # variants: all of them


def crmmining(flat: Path, clock: Clock) -> Callable[[], Answers]:
    """Code the log, then let the kernels answer."""
    coded = clock("log", lambda: coding.code(pl.scan_parquet(flat)))
    log = coded.events
    sequences = clock("variants", lambda: variants.variants(log))
    times = clock("edge times", lambda: transitions.summarise(transitions.transitions(log)))
    spans = clock("durations", lambda: throughput.spans(log))
    repeated = clock("rework", lambda: rework.rework_by_activity(log))
    return lambda: _named(coded.activities, sequences, times, spans, repeated)


def stored(flat: Path, clock: Clock) -> Callable[[], Answers]:
    """The same questions to a stored log, by partition, reading included; `reading` is that alone."""
    with tempfile.TemporaryDirectory() as name:
        log = _stored(flat, Path(name))
        for question, columns in COLUMNS.items():
            clock(f"reading for {question}", partial(_read, log, columns))
        sequences = clock("variants", lambda: _variants(log))
        clock("edge counts", lambda: _added(log, transitions.counts, "edge counts", PAIR))
        times = clock("edge times", lambda: _times(log))
        spans = clock("durations", lambda: pl.concat(_each(log, throughput.spans, "durations")))
        repeated = clock("rework", lambda: _added(log, rework.rework_by_activity, "rework", ["activity"]))
    return lambda: _named(log.activities, sequences, times, spans, repeated)


COLUMNS = {
    "variants": ("case_ix", "activity"),
    "edge counts": ("case_ix", "activity"),
    "edge times": ("case_ix", "activity", "occurred_at"),
    "durations": ("case_ix", "activity", "occurred_at"),
    "rework": ("case_ix", "activity"),
}


def _stored(flat: Path, folder: Path) -> cm.EventLog:
    coded = coding.code(pl.scan_parquet(flat))
    cases = coded.case_ids.alias("case_id").to_frame().with_row_index("case_ix")
    partition = Partition(coded.events, cases, pl.DataFrame(schema=VALUES))
    quality = pl.DataFrame({"table": []}, schema={"table": pl.String})
    process = read_catalogue().process("opportunity")
    as_of = datetime(2100, 1, 1, tzinfo=UTC)
    cm.EventLog(process, as_of, coded.activities, (partition,), quality).save(folder)
    return cm.open_log(folder)


def _read(log: cm.EventLog, columns: tuple[str, ...]) -> int:
    return sum(log.each(lambda one: one.only.columns(*columns).height))


def _each(
    log: cm.EventLog, kernel: Callable[[pl.DataFrame], pl.DataFrame], question: str
) -> Iterator[pl.DataFrame]:
    return log.each(lambda one: kernel(one.only.columns(*COLUMNS[question])))


def _added(
    log: cm.EventLog, kernel: Callable[[pl.DataFrame], pl.DataFrame], question: str, keys: list[str]
) -> pl.DataFrame:
    return merge.add(_each(log, kernel, question), keys)


def _variants(log: cm.EventLog) -> pl.DataFrame:
    return variants.rank(_each(log, variants.variants, "variants"), MANY).top


def _times(log: cm.EventLog) -> pl.DataFrame:
    return transitions.summarise(_added(log, transitions.transitions, "edge times", [*PAIR, "bucket"]))


def _named(
    activities: tuple[str, ...],
    sequences: pl.DataFrame,
    times: pl.DataFrame,
    spans: pl.DataFrame,
    repeated: pl.DataFrame,
) -> Answers:
    """Our answers by name."""

    def named(codes: pl.Expr) -> pl.Expr:
        return codes.replace_strict(range(len(activities)), activities, return_dtype=pl.String)

    codes = variants.sequences(sequences["sequence"])
    return {
        "variants": pl.DataFrame([codes, sequences["cases"]]).with_columns(
            pl.col("sequence").list.eval(named(pl.element()))
        ),
        "edges": times.select(
            named(pl.col("source")), named(pl.col("target")), "n", median="median_seconds", p90="p90_seconds"
        ),
        "durations": spans.select(
            (pl.col("last_at") - pl.col("first_at")).dt.total_seconds().alias("seconds")
        ),
        "rework": repeated.filter(pl.col("rework_cases") > 0).select(
            named(pl.col("activity")), cases="rework_cases"
        ),
    }


ENGINES: dict[str, Callable[[Path, Clock], Callable[[], Answers]]] = {
    "crmmining": crmmining,
    "stored": stored,
    "duckdb": peers.duckdb,
    "pm4py": peers.pm4py,
    "pm4py_polars": peers.pm4py_polars,
    "pl4pm": peers.pl4pm,
    "r4pm": peers.r4pm,
}


def main(engine: str, flat: str, folder: str | None = None) -> None:
    clock = Clock()
    with redirect_stdout(StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pm4py and pandas announce deprecations of their own
        answers = ENGINES[engine](Path(flat), clock)
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

"""The other tools on the same log, each asked for what it offers: answers are keyed by question.

Steps: log (read, format, sort), variants, edge counts, edge times, durations, rework.
"""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from types import ModuleType

import polars as pl
from benchmarks.clock import Clock

Answers = dict[str, pl.DataFrame]  # variants, edges, durations, rework
HERE = Path(__file__).parent
COLUMNS = {"case_id": "case:concept:name", "activity": "concept:name", "occurred_at": "time:timestamp"}


def duckdb(flat: Path, clock: Clock) -> Callable[[], Answers]:
    """Run duckdb_peer.sql, statement by statement."""
    import duckdb as engine  # noqa: PLC0415

    steps = ("log", "log", "edge times", "durations", "variants", "rework")
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
    """Format the pandas frame, then ask the simplified interface; it offers no quantile but the median."""
    import pandas as pd  # type: ignore[import-untyped]  # noqa: PLC0415
    import pm4py as engine  # noqa: PLC0415

    def formatted() -> pd.DataFrame:
        keys = {"case_id": "case_id", "activity_key": "activity", "timestamp_key": "occurred_at"}
        return engine.format_dataframe(pd.read_parquet(flat), **keys)

    return _asked(engine, clock("log", formatted), clock)


def pm4py_polars(flat: Path, clock: Clock) -> Callable[[], Answers]:
    """The same with a Polars frame, sorted in memory."""
    import pm4py as engine  # noqa: PLC0415

    def formatted() -> pl.LazyFrame:
        return pl.scan_parquet(flat).rename(COLUMNS).sort(*list(COLUMNS.values())[::2]).collect().lazy()

    return _asked(engine, clock("log", formatted), clock)


def _asked(engine: ModuleType, frame: object, clock: Clock) -> Callable[[], Answers]:
    sequences = clock("variants", lambda: engine.get_variants(frame))
    counts = clock("edge counts", lambda: engine.discover_dfg(frame)[0])
    times = clock("edge times", lambda: engine.discover_performance_dfg(frame)[0])
    seconds = clock("durations", lambda: engine.get_all_case_durations(frame))
    repeated = clock("rework", lambda: engine.get_rework_cases_per_activity(frame))

    edges = ((*edge, n, times[edge]["median"]) for edge, n in counts.items())
    return partial(_told, sequences, edges, seconds, repeated)


def pl4pm(flat: Path, clock: Clock) -> Callable[[], Answers]:
    """Format the Polars frame, then ask; of the times of edges it offers one aggregate at a time."""
    import pl4pm as engine  # noqa: PLC0415

    keys = dict(zip(("case_id_column", "activity_column", "timestamp_column"), COLUMNS, strict=True))
    frame = clock("log", lambda: engine.format_dataframe(pl.scan_parquet(flat), **keys))
    sequences = clock("variants", lambda: engine.get_variants(frame))
    counts = clock("edge counts", lambda: engine.discover_dfg(frame)[0])
    median = partial(engine.discover_performance_dfg, frame, perf_aggregation_key="median")
    times = clock("edge times", lambda: median()[0])
    seconds = clock("durations", lambda: engine.get_all_case_durations(frame))
    repeated = clock("rework", lambda: engine.get_rework_cases_per_activity(frame))

    edges = ((*edge, n, times[edge]) for edge, n in counts.items())
    return partial(_told, sequences, edges, seconds, repeated)


def r4pm(flat: Path, clock: Clock) -> Callable[[], Answers]:
    """Hand a Polars frame over to Rust; variants and counts of edges are what it offers."""
    import r4pm as engine  # noqa: PLC0415

    def handed_over() -> str:
        frame = pl.read_parquet(flat).rename(COLUMNS).sort(*list(COLUMNS.values())[::2])
        return str(engine.import_item_from_df("EventLog", frame))

    log = clock("log", handed_over)
    projection = clock("variants", lambda: engine.convert_item(log, "EventLogActivityProjection"))
    sequences = clock("variants", lambda: engine.bindings.get_variants(projection))
    graph = clock("edge counts", lambda: engine.bindings.discover_dfg(log))

    def answers() -> Answers:
        edges = [(*edge, n) for edge, n in graph["directly_follows_relations"]]
        return {
            "variants": pl.DataFrame(
                {
                    "sequence": [variant["activities"] for variant in sequences],
                    "cases": [variant["count"] for variant in sequences],
                }
            ),
            "edges": pl.DataFrame(edges, schema=["source", "target", "n"], orient="row"),
        }

    return answers


def _told(
    sequences: dict[tuple[str, ...], int],
    edges: Iterable[tuple[object, ...]],
    seconds: list[float],
    repeated: dict[str, int],
) -> Answers:
    """Answers in the form that pm4py and pl4pm give them; edges: source, target, n, median."""
    return {
        "variants": pl.DataFrame(
            {"sequence": [list(variant) for variant in sequences], "cases": list(sequences.values())},
            schema={"sequence": pl.List(pl.String), "cases": pl.Int64},
        ),
        "edges": pl.DataFrame(list(edges), schema=["source", "target", "n", "median"], orient="row"),
        "durations": pl.DataFrame({"seconds": seconds}),
        "rework": pl.DataFrame({"activity": list(repeated), "cases": list(repeated.values())}),
    }

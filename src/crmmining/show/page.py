"""From logs and frames to the report's page: what the templates need and nothing they must compute."""

from collections.abc import Mapping

import polars as pl

from crmmining.eventlog import EventLog
from crmmining.show.map import process_map
from crmmining.show.report import ProcessPage, ReportPage


def build_page(
    logs: Mapping[str, EventLog],
    *,
    scorecard: pl.DataFrame,
    kpis: pl.DataFrame,
    quality: pl.DataFrame,
    source: str,
    period: str | None,
    time_zone: str,
    version: str,
) -> ReportPage:
    """The page of one or more logs of the same moment; `quality` is what `Crm.quality` returns."""
    moved = pl.col("disposition").is_in(["used", "quarantined", "filtered"])
    off = quality.filter(pl.col("disposition") == "off")
    lines = {name: off.filter(pl.col("table") == name)["reason"].to_list() for name in logs}
    noticed = (pl.col("disposition") == "finding") | (
        (pl.col("disposition") == "off") & ~pl.col("table").is_in(list(logs))
    )
    return ReportPage(
        source=source,
        as_of=next(iter(logs.values())).as_of,
        period=period,
        scorecard=scorecard,
        kpis=kpis.filter(pl.col("process").is_in(list(logs))),
        quality=quality.filter(moved).drop("examples", "effect", "done"),
        findings=quality.filter(noticed).select(
            "table", pl.col("reason").alias("finding"), "rows", "examples", "effect", "done"
        ),
        processes=[_process(log, lines[name]) for name, log in logs.items()],
        version=version,
        time_zone=time_zone,
    )


def _process(log: EventLog, off: list[str]) -> ProcessPage:
    variants = log.variants()
    cases, events = log.sizes
    return ProcessPage(
        name=log.process.name,
        title=log.process.title,
        cases=cases,
        events=events,
        open=sum(log.each(lambda one: int(one.only.cases["open"].sum()))),
        variants=variants.head(50).drop_nulls("variant").drop("activities", "n_variants"),
        n_variants=int(variants["n_variants"].sum()),
        map_svg=map_of(log),
        off=off,
    )


def map_of(log: EventLog) -> str:
    """The process map of a log's core activities as SVG."""
    counts = log.rework().select("activity", pl.col("events").alias("n"), "cases")
    nodes = counts.join(log.endpoints(), on="activity", how="left").with_columns(
        pl.col("starts", "ends").fill_null(0)
    )
    seconds = pl.col("median").dt.total_microseconds() / 1_000_000
    edges = log.transitions().select("source", "target", "n", median_seconds=seconds)
    return process_map(nodes, edges, title=log.process.title)

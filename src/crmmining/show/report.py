"""The report: one HTML page that needs nothing but a browser, made from plain frames."""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from crmmining.show import sparkline, trust, units
from crmmining.show.catalogue import TRUNCATED
from crmmining.show.scorecard import KpiLines, Period, current_period, lines_of

_MOST_VARIANTS = 15


@dataclass(frozen=True)
class ProcessPage:
    """What the report shows of one process.

    variants: variant str, cases, share and cumulative 0..1, most frequent first, of n_variants in all.
    map_svg: what `process_map` returned, the only markup taken as it is. off: what is switched off and why.
    """

    name: str
    title: str
    cases: int
    events: int
    open: int
    variants: pl.DataFrame
    n_variants: int
    map_svg: str
    off: list[str]


@dataclass(frozen=True)
class ReportPage:
    """Everything the report shows.

    as_of is aware; time_zone is the one periods are cut in. scorecard: tidy rows; kpis: kpi, process, kind,
    question, formula, better, truncated; quality: scope, table, disposition (used, quarantined, filtered),
    reason, rows; findings: table, finding, rows, examples (list), effect, done, the heaviest first. Tables of
    a process are called `process: table`.
    """

    source: str
    as_of: datetime
    period: str | None
    scorecard: pl.DataFrame
    kpis: pl.DataFrame
    quality: pl.DataFrame
    findings: pl.DataFrame
    processes: list[ProcessPage]
    version: str
    time_zone: str = "UTC"


class _Kpi(NamedTuple):
    name: str
    kind: str
    question: str
    formula: str
    better: str
    truncated: str
    shown: KpiLines


def render(page: ReportPage) -> str:
    """Write the report as one HTML page: no script, no network, all text escaped, same input same bytes.

    Scorecard values are those of the latest period that is over as of `page.as_of`; rows without a period
    (cases that have no date for a KPI yet) show only where `page.period` is null. Processes and KPIs keep
    the order of `page.processes` and `page.kpis`; the 15 most frequent variants are shown.
    Raises ValueError when `page.as_of` has no time zone or a KPI belongs to no process of the page.
    """
    if page.as_of.tzinfo is None:
        raise ValueError(f"as_of needs a time zone: {page.as_of}")
    homeless = sorted(set(page.kpis["process"]) - {process.name for process in page.processes})
    if homeless:
        raise ValueError(f"KPIs of processes that have no page: {', '.join(homeless)}")
    import jinja2  # noqa: PLC0415  # slow to load, and only a report needs it

    as_of = page.as_of.astimezone(ZoneInfo(page.time_zone))
    dated = page.scorecard.filter(pl.col("period_start").is_not_null()) if page.period else page.scorecard
    period = current_period(dated, as_of.date())
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("crmmining.show"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": units.count, "share": units.share}
    style = environment.get_template("report.css").render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template("report.html").render(
        page=page,
        as_of=f"{as_of:%Y-%m-%d %H:%M} {page.time_zone}",
        period=period,
        source=trust.of_source(page.quality, page.findings, [process.name for process in page.processes]),
        accounts={p.name: trust.of_process(page.quality, page.findings, p.name) for p in page.processes},
        kpis={process.name: _kpis(page.kpis, dated, process.name, period) for process in page.processes},
        variants={p.name: p.variants.head(_MOST_VARIANTS).to_dicts() for p in page.processes},
        spark=sparkline,
        style=style,
        style_hash=f"sha256-{digest}",
    )


def _kpis(kpis: pl.DataFrame, scorecard: pl.DataFrame, process: str, period: Period | None) -> list[_Kpi]:
    named = kpis.filter(pl.col("process") == process).select(
        "kpi", "kind", "question", "formula", "better", "truncated"
    )
    nothing = scorecard.clear()
    by_kpi = {} if scorecard.is_empty() else scorecard.partition_by("kpi", as_dict=True)
    found = []
    for kpi, kind, question, formula, better, truncated in named.iter_rows():
        shown = lines_of(by_kpi.get((kpi,), nothing), better, period)
        found.append(_Kpi(kpi, kind, question, formula, better, TRUNCATED[truncated], shown))
    return found

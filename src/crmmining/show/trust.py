"""How far to trust a report: what became of every row, process by process, and what was noticed."""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

_DISPOSITIONS = ("used", "quarantined", "filtered")
_HARMLESS = "none"  # begins an effect that changes no figure


class Reconciled(NamedTuple):
    """Rows in = used + quarantined + filtered, of one table or of several."""

    table: str
    used: int
    quarantined: int
    filtered: int
    reasons: list[tuple[str, str, int]]

    @property
    def rows(self) -> int:
        """Rows that came in."""
        return self.used + self.quarantined + self.filtered


class Findings(NamedTuple):
    """What was noticed, the heaviest first: what bears on figures, and what changes none."""

    bearing: list[dict[str, object]]
    harmless: list[dict[str, object]]


class Account(NamedTuple):
    """The rows of the source, or those of one process from the source to its events, and what was noticed."""

    total: Reconciled
    tables: list[Reconciled]
    events: Reconciled | None
    findings: Findings


def of_source(quality: pl.DataFrame, findings: pl.DataFrame, processes: Sequence[str]) -> Account | None:
    """From the source to tables, with what was noticed of no process in particular; None: nothing read."""
    rows = _texts(quality).filter(pl.col("scope") == "table")
    others = findings.filter(~pl.any_horizontal(pl.lit(value=False), *(_about(name) for name in processes)))
    if rows.is_empty() and others.is_empty():
        return None
    return Account(_tally("", rows), _by_table(rows), None, _parted(others))


def of_process(quality: pl.DataFrame, findings: pl.DataFrame, process: str) -> Account:
    """From the source to the events of one process.

    Rows that were quarantined or filtered on their way into the tables count with those that the process left
    out, so that what came in is what the source delivered.
    """
    texts = _texts(quality)
    inner = texts.filter(pl.col("scope") == "log", pl.col("table").str.starts_with(f"{process}: "))
    inner = inner.with_columns(pl.col("table").str.strip_prefix(f"{process}: "))
    lost = texts.filter(
        pl.col("scope") == "table",
        pl.col("disposition") != "used",
        pl.col("table").is_in(inner["table"].unique().implode()),
    )
    rows = pl.concat([inner, lost])
    told = texts.filter(pl.col("scope") == "event", pl.col("table") == f"{process} events")
    events = None if told.is_empty() else _tally("events", told)
    return Account(_tally("", rows), _by_table(rows), events, _parted(findings.filter(_about(process))))


def _about(process: str) -> pl.Expr:
    table = pl.col("table").fill_null("")
    return (table == process) | table.str.starts_with(f"{process}: ")


def _texts(quality: pl.DataFrame) -> pl.DataFrame:
    names = ("scope", "table", "disposition", "reason")
    return quality.select(pl.col(*names).cast(pl.String).fill_null(""), pl.col("rows").cast(pl.Int64))


def _parted(findings: pl.DataFrame) -> Findings:
    harmless = pl.col("effect").fill_null("").str.starts_with(_HARMLESS)
    return Findings(findings.filter(~harmless).to_dicts(), findings.filter(harmless).to_dicts())


def _by_table(rows: pl.DataFrame) -> list[Reconciled]:
    parts = rows.partition_by("table", as_dict=True)
    return [_tally(str(table), part) for (table,), part in sorted(parts.items())]


def _tally(table: str, quality: pl.DataFrame) -> Reconciled:
    rows = quality.group_by("disposition", "reason").agg(pl.col("rows").sum()).sort("disposition", "reason")
    used, quarantined, filtered = (
        int(rows.filter(pl.col("disposition") == name)["rows"].sum()) for name in _DISPOSITIONS
    )
    lost = rows.filter((pl.col("disposition") != "used") & (pl.col("rows") > 0)).sort(
        "disposition", "rows", "reason", descending=[True, True, False]
    )
    return Reconciled(
        table, used, quarantined, filtered, list(lost.select("disposition", "reason", "rows").iter_rows())
    )

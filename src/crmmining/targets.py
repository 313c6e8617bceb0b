"""Targets: what a KPI should be, read from TOML and held against a scorecard."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import polars as pl
from pydantic import Field, ValidationError, model_validator

from crmmining.crm import Crm
from crmmining.definitions import Catalogue
from crmmining.definitions.kpi import Clock
from crmmining.definitions.model import Model
from crmmining.errors import DefinitionError, UnknownNameError
from crmmining.moments import Moment

Bound = Annotated[float, Field(allow_inf_nan=False, strict=True)]


class Target(Model):
    """Bounds for one part of one KPI, over all cases or in one segment cell; times are in `clock`."""

    kpi: str
    part: str | None = None
    clock: Clock | None = None  # null: calendar, where the KPI measures time
    min: Bound | None = None
    max: Bound | None = None
    segment: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("state min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max")
        return self


class DataContract(Model):
    """What the input itself must fulfil."""

    require: tuple[str, ...] = ()
    max_quarantined: float | None = Field(default=None, ge=0, le=1)


class Targets(Model):
    """A targets file: `[targets.<name>]` tables and an optional `[data]` contract."""

    targets: dict[str, Target] = Field(default_factory=dict)
    data: DataContract = DataContract()

    @property
    def kpis(self) -> list[str]:
        """KPIs the targets are about."""
        return sorted({target.kpi for target in self.targets.values()})

    @property
    def cuts(self) -> list[tuple[str, ...]]:
        """Segment words the targets need, one tuple per distinct combination."""
        return sorted({tuple(sorted(target.segment)) for target in self.targets.values()})


_WITHOUT = {  # why there is no value, by how many cases count
    None: "is withheld: too few cases for a figure about people",
    0: "has no value: no case counts",
}
RESULT = pl.Schema(
    {
        "target": pl.String,
        "met": pl.Boolean,
        "kpi": pl.String,
        "part": pl.String,
        "clock": pl.String,
        "segment": pl.String,
        "basis": pl.String,
        "value": pl.Float64,
        "min": pl.Float64,
        "max": pl.Float64,
        "missed_by": pl.Float64,
        "unit": pl.String,
        "n": pl.Int64,
        "truncated": pl.Int64,
        "note": pl.String,
    }
)


@dataclass(frozen=True)
class Verdict:
    """How a CRM stands against its targets: `results` as `judge` returns them, `broken` data contracts."""

    results: pl.DataFrame
    broken: tuple[str, ...]

    @property
    def met(self) -> bool:
        """Whether every target and every data contract is met."""
        return not self.broken and bool(self.results["met"].all())

    def lines(self) -> Iterator[str]:
        """One line per target and per broken contract: what, where it stands, by how much it misses."""
        for row in self.results.iter_rows(named=True):
            basis = "" if row["basis"] in {None, "now"} else f", as of {row['basis']}"
            where = f" [{row['segment']}{basis}]" if row["segment"] else ""
            bounds = [f"{side} {row[side]:g}" for side in ("min", "max") if row[side] is not None]
            truncated = f", truncated={row['truncated']}" if row["truncated"] else ""
            stands = row["note"] or f"is {row['value']:g} {row['unit']} (n={row['n']}{truncated})"
            missed = f", missed by {row['missed_by']:g}" if row["missed_by"] else ""
            word = "met   " if row["met"] else "MISSED"
            clock = f"({row['clock']} time)" if row["clock"] else None
            what = " ".join(text for text in (row["kpi"], row["part"], clock) if text)
            yield f"{word}  {row['target']}: {what}{where} {stands}; {', '.join(bounds)}{missed}"
        for line in self.broken:
            yield f"MISSED  {line}"


def check(crm: Crm, targets: str | Path, *, as_of: Moment | None = None) -> Verdict:
    """Hold a CRM against a targets file; raises `DefinitionError` and `UnknownNameError` for a faulty one."""
    wanted = read_targets(targets, crm.definitions)
    lacking = {name: crm.kpi_lacks(crm.definitions.kpi(name)) for name in wanted.kpis}
    able = [name for name, needs in lacking.items() if not needs]
    scorecards = {cut: crm.scorecard(by=cut, as_of=as_of, kpis=able) for cut in wanted.cuts}
    broken = broken_contract(
        wanted.data, [need for need in wanted.data.require if not crm.tables.has(need)], crm.tables.quality
    )
    return Verdict(judge(wanted, scorecards, lacking), tuple(broken))


def read_targets(path: str | Path, catalogue: Catalogue) -> Targets:
    """Read a targets file; raises `DefinitionError` with all its faults, unknown names included."""
    file = Path(path)
    try:
        targets = Targets.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise DefinitionError([f"{path}: cannot be read: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DefinitionError([f"{path}: not valid TOML: {error}"]) from error
    except ValidationError as error:
        faults = [f"{path}: {'.'.join(map(str, f['loc']))}: {f['msg']}" for f in error.errors()]
        raise DefinitionError(faults) from error
    faults = [] if targets.targets or targets.data != DataContract() else [f"{path}: states no target"]
    for name, target in targets.targets.items():
        try:
            if not catalogue.kpi(target.kpi).clocks and target.clock is not None:
                faults.append(f"{path}: targets.{name}: clock: KPI '{target.kpi}' measures no time")
            catalogue.check_segments(target.segment)
        except UnknownNameError as error:
            faults.append(f"{path}: targets.{name}: {error}")
    if faults:
        raise DefinitionError(faults)
    return targets


def judge(
    targets: Targets, scorecards: Mapping[tuple[str, ...], pl.DataFrame], lacking: Mapping[str, Sequence[str]]
) -> pl.DataFrame:
    """Hold targets against scorecards without periods, one per segment combination: one row per target.

    `lacking`: what the source lacks for a KPI; such a target is missed.

    `missed_by` is how far outside its bounds the value lies (0 when met, null without a value, which counts
    as missed and is explained in `note`).
    """
    rows = [
        _judged(name, target, scorecards[tuple(sorted(target.segment))], lacking[target.kpi])
        for name, target in sorted(targets.targets.items())
    ]
    return pl.DataFrame(rows, schema=RESULT, orient="row")


def broken_contract(contract: DataContract, lacking: Sequence[str], quality: pl.DataFrame) -> list[str]:
    """Sentences, one per unfulfilled line of the data contract.

    `lacking`: required tables and columns that are not there; `quality`: table, disposition, rows.
    """
    lines = [f"data: '{need}' is required and not there" for need in lacking]
    if contract.max_quarantined is not None:
        totals = quality.group_by("table").agg(
            rows=pl.col("rows").sum(), bad=pl.col("rows").filter(pl.col("disposition") == "quarantined").sum()
        )
        for table, rows, bad in totals.filter(pl.col("rows") > 0).sort("table").iter_rows():
            if bad / rows > contract.max_quarantined:
                lines.append(
                    f"data: {table}: {bad} of {rows} rows are quarantined ({bad / rows:.2%}), "
                    f"at most {contract.max_quarantined:.2%} may be"
                )
    return lines


def _judged(name: str, target: Target, scorecard: pl.DataFrame, lacking: Sequence[str]) -> dict[str, object]:
    rows = scorecard.filter(pl.col("kpi") == target.kpi)
    for word, value in target.segment.items():
        rows = rows.filter(pl.col(word) == value)
    parts = rows["part"].unique().sort().to_list()
    timed = target.clock is not None or rows["clock"].is_not_null().any()
    row: dict[str, object] = {
        "target": name,
        "met": False,
        "kpi": target.kpi,
        "part": target.part or (parts[0] if len(parts) == 1 else None),
        "clock": (target.clock or "calendar") if timed else None,
        "segment": ", ".join(f"{k}={v}" for k, v in sorted(target.segment.items())),
        "min": target.min,
        "max": target.max,
    }
    mine = rows.filter(
        pl.col("part").eq_missing(pl.lit(row["part"], pl.String)),
        pl.col("clock").eq_missing(pl.lit(row["clock"], pl.String)),
    )
    note = None
    if lacking:
        note = f"cannot be computed: the source lacks {', '.join(lacking)}"
    elif not parts:
        note = "has no such cases"
    elif row["part"] not in parts:
        note = f"needs a part: {', '.join(parts)}"
    elif mine.is_empty():
        note = "cannot be computed: the source lacks business hours"
    elif mine.height > 1:
        note = f"has one value per currency: {', '.join(mine['unit'].sort())}"
    if note is not None:
        return row | {"note": note}
    row |= mine.select("value", "unit", "n", "truncated", "basis").row(0, named=True)
    value, n = mine.select("value", "n").row(0)
    if value is None:
        return row | {"note": _WITHOUT.get(n, "has no value: too few cases have come so far")}
    below = 0.0 if target.min is None else max(0.0, target.min - value)
    above = 0.0 if target.max is None else max(0.0, value - target.max)
    missed = max(below, above)
    return row | {"missed_by": missed, "met": missed == 0.0}

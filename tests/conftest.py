"""What tests share: the sample, files written by hand and loaded, logs made by hand."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

import crmmining as cm
from crmmining import sources, tables
from crmmining.definitions import Process, read_catalogue, shipped
from crmmining.eventlog import VALUES, EventLog, Partition, partition
from crmmining.kernels import coding
from crmmining.tables import OrgSpec

DAY_ONE = datetime(2024, 1, 1, tzinfo=UTC)
MakeLog = Callable[..., EventLog]

DEAL = Process.model_validate(
    {
        "name": "deal",
        "title": "Deals",
        "sql": "",
        "root": "Deal",
        "requires": [],
        "ends": ["won", "lost"],
        "reopens": ["reopened"],
        "paths": {"Deal": "Id"},
        "activities": {
            name: {"table": "Deal", "field": "x", "timestamp": "x", "rule": "x"}
            for name in ("Create", "Stage: *", "Win", "Lose", "Reopen", "Call")
        },
        "milestones": {
            "created": ["Create"],
            "staged": ["Stage: *"],
            "won": ["Win"],
            "lost": ["Lose"],
            "reopened": ["Reopen"],
            "touched": ["Call"],
        },
        "sets": {"core": ["Create", "Stage: *", "Win", "Lose", "Reopen"]},
        "segments": {"region": "region", "country": "country"},
        "waiting": {
            "attribute": "region",
            "on_hold": ["apac"],
            "touches": ["touched"],
            "assigned": ["staged"],
        },
    }
)


@pytest.fixture(scope="session")
def sample_folder() -> Path:
    return shipped("data/sample")


@pytest.fixture(scope="session")
def sample(sample_folder: Path) -> cm.Crm:
    return cm.connect(sample_folder)


@pytest.fixture
def deal() -> Process:
    return DEAL


@pytest.fixture
def org() -> OrgSpec:
    return OrgSpec()


def day(number: float) -> datetime:
    """Midnight of day `number`, day 1 being 2024-01-01."""
    return DAY_ONE + timedelta(days=number - 1)


@pytest.fixture
def make_log() -> MakeLog:
    return log_of


def log_of(
    events: Sequence[tuple[str, str, float] | tuple[str, str, float, int]],
    cases: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    process: Process = DEAL,
    as_of: float = 400,
    partitions: int = 1,
    changes: Sequence[tuple[str, str, float, str | None]] = (),
) -> EventLog:
    """A log from (case, activity, day[, direction]) and the attributes of its cases.

    `changes`: (case, attribute, day, value), the first of a case and attribute being what it began with;
    those of one day follow each other as they are given.
    """
    flat = pl.DataFrame(
        [(case, activity, day(when), *(rest or (None,))) for case, activity, when, *rest in events],
        schema={
            "case_id": pl.String,
            "activity": pl.String,
            "occurred_at": pl.Datetime("us", "UTC"),
            "direction": pl.Int8,
        },
        orient="row",
    ).with_columns(rank=pl.lit(0, pl.UInt8), source_id=pl.lit(""), recorded_at="occurred_at")
    born = flat.group_by("case_id").agg(created_at=pl.col("occurred_at").min()).sort("case_id")
    known = dict(cases or {})
    columns = sorted({"region", *(name for given in known.values() for name in given)} - {"truncated"})
    texts = {name: [known.get(case, {}).get(name) for case in born["case_id"]] for name in columns}
    frame = born.with_columns(pl.Series(name, values, strict=False) for name, values in texts.items())
    cut_off = [bool(known.get(case, {}).get("truncated")) for case in born["case_id"]]
    frame = frame.with_columns(pl.col("region").cast(pl.String), pl.Series("truncated", cut_off))
    names = tuple(sorted(flat["activity"].unique()))
    made: list[Partition] = []
    for part in range(partitions):
        mine = frame.gather_every(partitions, part)
        own = flat.filter(pl.col("case_id").is_in(mine["case_id"].implode()))
        coded = coding.code(own, cases=mine["case_id"], activities=names)
        apart = coded.events.with_columns(change_set=pl.int_range(pl.len(), dtype=pl.UInt32))
        coded = coding.Coded(apart, coded.case_ids, coded.activities)
        made.append(partition(process, coded, mine, _values(changes, mine["case_id"].to_list())))
    quality = pl.DataFrame(
        {
            "table": [f"{process.name} events"],
            "disposition": ["used"],
            "reason": pl.Series([None], dtype=pl.String),
            "rows": [flat.height],
            "examples": pl.Series([[]], dtype=pl.List(pl.String)),
        }
    )
    return EventLog(process, day(as_of), names, tuple(made), quality)


def _values(changes: Sequence[tuple[str, str, float, str | None]], cases: Sequence[str]) -> pl.DataFrame:
    rows = [
        (cases.index(case), attribute, day(when), seq, value)
        for seq, (case, attribute, when, value) in enumerate(changes)
        if case in cases
    ]
    order = ["case_ix", pl.col("attribute").cast(pl.String), "since", "seq"]
    return pl.DataFrame(rows, schema=VALUES, orient="row").sort(order)


ROOTS = {"Account", "Lead", "Opportunity", "Case"}
Write = Callable[..., Path]
Load = Callable[..., tables.Tables]


@pytest.fixture(scope="session")
def spec() -> tables.SourceSpec:
    return read_catalogue().source


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write files given as text, lines or bytes into a folder and return it."""

    def written(folder: str = "crm", **files: str | bytes | Sequence[str]) -> Path:
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        for name, content in files.items():
            if isinstance(content, bytes):
                data = content
            elif isinstance(content, str):
                data = content.encode()
            else:
                data = "".join(f"{line}\n" for line in content).encode()
            (place / f"{name}.csv").write_bytes(data)
        return place

    return written


@pytest.fixture
def load(spec: tables.SourceSpec) -> Load:
    def loaded(
        source: sources.Source,
        *,
        table_names: str = "{}",
        spec: tables.SourceSpec = spec,
        connection: duckdb.DuckDBPyConnection | None = None,
        max_quarantine: float = 0.01,
        datetime_format: str | Sequence[str] | None = None,
    ) -> tables.Tables:
        database = connection or duckdb.connect(":memory:")
        raw = sources.read(source, table_names=table_names)
        return tables.load(
            raw,
            spec,
            database,
            max_quarantine=max_quarantine,
            datetime_format=datetime_format,
            roots=ROOTS,
        )

    return loaded

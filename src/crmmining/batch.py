"""A batch run: everything computed, written beside the target folder and swapped in whole, or not at all."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import polars as pl

from crmmining.crm import Crm, Words
from crmmining.errors import OutputError
from crmmining.eventlog import EventLog
from crmmining.moments import Moment
from crmmining.periods import Period

MARKER = "run.json"
_FILES = {MARKER, "timings.json", "scorecard.parquet", "scorecard.csv", "quality.parquet", "report.html"}
_FOLDERS = {"events", "cases", "variants", "transitions"}
Step = Callable[[str], None]


@dataclass(frozen=True)
class Order:
    """What a run should compute."""

    process: Words = None
    by: Sequence[str] = ()
    period: Period | None = "month"
    as_of: Moment | None = None
    since: Moment | None = None
    until: Moment | None = None
    report: bool = True


def run(crm: Crm, out: str | Path, order: Order, *, step: Step = lambda _: None) -> Path:
    """Write scorecard, quality, logs, variants, transitions, report and `run.json` to the folder `out`.

    Files: `scorecard.parquet`, `scorecard.csv`, `quality.parquet`, `report.html`, `run.json` and
    `{events,cases,variants,transitions}/<process>.parquet`; the same bytes for the same input. `timings.json`
    is the one file that differs between runs. `out` may be new, empty or an earlier run's folder, which is
    replaced only when everything is written; otherwise `OutputError`. `step` is told what begins.
    """
    target = Path(out).resolve()  # through a link, not over it
    check_folder(target)
    partial = target.parent / f".{target.name}.partial"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        _write_all(partial, crm, order, step)
        _swap(partial, target)
    except OSError as error:
        raise OutputError(f"cannot write to {target}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def check_folder(target: Path) -> None:
    """Raise `OutputError` unless `target` is new, empty or holds an earlier run and nothing else."""
    if not target.exists():
        return
    if not target.is_dir():
        raise OutputError(f"{target} is a file; name a folder for the results")
    paths = [path.relative_to(target) for path in target.rglob("*") if not path.is_dir()]
    foreign = sorted(str(path) for path in paths if not _is_ours(path))
    if foreign or (paths and not (target / MARKER).is_file()):
        found = ", ".join(foreign[:3]) or f"results without {MARKER}"
        raise OutputError(
            f"{target} holds what no run wrote ({found}); "
            "name a new folder or empty this one. Nothing was changed."
        )


def _is_ours(path: Path) -> bool:
    if len(path.parts) == 1:
        return path.name in _FILES
    return len(path.parts) == 2 and path.parts[0] in _FOLDERS and path.suffix == ".parquet"  # noqa: PLR2004


def _write_all(folder: Path, crm: Crm, order: Order, step: Step) -> None:
    timings: dict[str, float] = {}

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        step(name)
        begin = perf_counter()
        yield
        timings[name] = round(perf_counter() - begin, 3)

    names = crm.select(order.process)
    logs: dict[str, EventLog] = {}
    for name in names:
        with timed(f"log of {name}"):
            logs[name] = crm.event_log(name, as_of=order.as_of)
            _write_log(folder, logs[name])
    with timed("scorecard"):
        scorecard = crm.scorecard(
            names,
            by=order.by,
            period=order.period,
            as_of=order.as_of,
            since=order.since,
            until=order.until,
        )
        scorecard.write_parquet(folder / "scorecard.parquet")
        harmless(scorecard).write_csv(folder / "scorecard.csv")
    with timed("quality"):
        quality = crm.quality(
            names,
            by=order.by,
            period=order.period,
            as_of=order.as_of,
            since=order.since,
            until=order.until,
        )
        quality.write_parquet(folder / "quality.parquet")
    if order.report:
        with timed("report"):
            crm.report(
                folder / "report.html",
                process=names,
                period=order.period,
                as_of=order.as_of,
                since=order.since,
                until=order.until,
            )
    _write_json(folder / MARKER, _record(crm, logs, order))
    _write_json(folder / "timings.json", timings)


def _write_log(folder: Path, log: EventLog) -> None:
    frames = {
        "events": log.events.cast({"activity": pl.String}),
        "cases": log.cases,
        "variants": log.variants(),
        "transitions": log.transitions(),
    }
    for kind, frame in frames.items():
        (folder / kind).mkdir(exist_ok=True)
        frame.write_parquet(folder / kind / f"{log.process.name}.parquet")


def harmless(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with texts that a spreadsheet would run as formulas led by an apostrophe."""
    text = pl.col(pl.String)
    return frame.with_columns(
        pl.when(text.str.contains(r"^[=+\-@\t\r]")).then(pl.lit("'") + text).otherwise(text).name.keep()
    )


def _record(crm: Crm, logs: Mapping[str, EventLog], order: Order) -> dict[str, Any]:
    catalogue = crm.definitions
    return {
        "source": crm.source,
        "as_of": crm.moment(order.as_of),
        "clock": crm.tables.clock,
        "extracted_at": crm.tables.extracted_at,
        "period": order.period,
        "since": None if order.since is None else crm.moment(order.since),
        "until": None if order.until is None else crm.moment(order.until),
        "by": list(order.by),
        "org": catalogue.source.org.model_dump(mode="json"),
        "people": {"pseudonymised": crm.tables.pseudonymised, "minimum_group": crm.minimum_group},
        "inputs": [asdict(file) for file in crm.tables.inputs],
        "logs": {
            name: {
                "cases": log.cases.height,
                "truncated": int(log.cases["truncated"].sum()),
                "events": log.events.height,
                "off": list(log.off),
            }
            for name, log in logs.items()
        },
        "definitions": {
            "processes": {name: log.process.fingerprint for name, log in logs.items()},
            "kpis": {k.name: catalogue.fingerprint(k) for name in logs for k in catalogue.kpis_of(name)},
        },
        "versions": {name: version(name) for name in ("crmmining", "duckdb", "polars", "numpy")},
    }


def _write_json(path: Path, content: object) -> None:
    text = json.dumps(content, indent=2, ensure_ascii=False, default=str)
    path.write_text(text + "\n", encoding="utf-8")


def _swap(partial: Path, target: Path) -> None:
    earlier = target.parent / f".{target.name}.earlier"
    shutil.rmtree(earlier, ignore_errors=True)
    if target.exists():
        target.rename(earlier)
    try:
        partial.rename(target)
    except OSError:
        if earlier.exists():
            earlier.rename(target)
        raise
    shutil.rmtree(earlier, ignore_errors=True)

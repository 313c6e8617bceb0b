"""Reads extractor and KPI folders, lays overlays over them and reports every fault at once."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import ValidationError

from crmmining.definitions.expressions import expression_fault
from crmmining.definitions.kpi import KPI, Duration, Kpi, KpiBase, Waiting
from crmmining.definitions.process import STAGES, Process, text_hash
from crmmining.definitions.segments import OUTCOME, bases
from crmmining.errors import DefinitionError, SourceError, UnknownNameError
from crmmining.tables import SourceSpec, SqlFiles, paths

Layers = str | Path | Sequence[str | Path]  # one folder or several

_KPI_COLUMNS = (
    *("kpi", "process", "kind", "question", "formula", "unit", "better"),
    *("clocks", "basis", "truncated", "definition"),
)

# What a field may be besides a milestone: of a duration and of other kinds.
_SPECIAL = {(True, "period"): {"start", "end"}, (True, "end"): {OUTCOME}, (False, "period"): {OUTCOME}}

_STAGE_COLUMNS = {
    "root": pl.String,
    "record_type": pl.String,
    "since": pl.Date,
    "until": pl.Date,
    "value": pl.String,
    "position": pl.Int64,
    "is_closed": pl.Boolean,
    "is_won": pl.Boolean,
}


def shipped(name: str) -> Path:
    """Folder `name` ("extractors", "kpis", "data/sample") beside the package or at the repository root.

    >>> shipped("kpis").is_dir()
    True
    """
    package = Path(__file__).resolve().parents[1]
    for base in (package, package.parents[1]):
        if (base / name).is_dir():
            return base / name
    raise SourceError(f"the installation is incomplete: folder '{name}' is missing beside {package}")


@dataclass(frozen=True)
class Catalogue:
    """All definitions in force: a CRM's tables, processes, KPIs; `quality` is SQL that finds what is odd."""

    source: SourceSpec
    processes: Mapping[str, Process]
    kpis: Mapping[str, Kpi]
    quality: str = ""

    def process(self, name: str) -> Process:
        """The process called `name`; raises `UnknownNameError` with the nearest name."""
        if name not in self.processes:
            raise UnknownNameError("process", name, self.processes)
        return self.processes[name]

    def kpi(self, name: str) -> Kpi:
        """The KPI called `name`; raises `UnknownNameError` with the nearest name."""
        if name not in self.kpis:
            raise UnknownNameError("KPI", name, self.kpis)
        return self.kpis[name]

    def kpis_of(self, process: str) -> list[Kpi]:
        """KPIs of one process, by name."""
        return [kpi for _, kpi in sorted(self.kpis.items()) if kpi.process == process]

    @property
    def stages(self) -> pl.DataFrame:
        """The stage and status lists the TOML states, in order.

        root, record_type (null: all), since and until (days; null: always), value, position (0, 1, ...),
        is_closed, is_won.
        """
        rows = [
            (process.root, one.record_type, one.since, one.until, value, position, closed, won)
            for process in self.processes.values()
            for one in process.stages.all
            for position, (value, closed, won) in enumerate(one.rows)
        ]
        return pl.DataFrame(rows, schema=_STAGE_COLUMNS, orient="row")

    def fingerprint(self, kpi: Kpi) -> str:
        """Hash of the text that defines a KPI: its own table and its process."""
        return text_hash([kpi.model_dump(mode="json"), self.process(kpi.process).fingerprint])

    def check_segments(self, words: Iterable[str]) -> None:
        """Raise `UnknownNameError` for a segment word, or what follows its `@`, that no process knows."""
        known = {word for process in self.processes.values() for word in process.segments}
        moments = {moment for process in self.processes.values() for moment in bases(process)}
        for asked in words:
            word, mark, moment = asked.partition("@")
            if word not in known:
                raise UnknownNameError("segment", word, known)
            if mark and moment not in moments:
                raise UnknownNameError("milestone", moment, moments)

    def frame(self) -> pl.DataFrame:
        """Every KPI with its definition.

        Columns: kpi, process, kind, question, formula, unit, better, clocks (`calendar, business` for what is
        measured in time, else null), basis (when bare segment words count), truncated (exclude, keep or
        bound: what happens to cases not covered in full), definition.
        """
        rows = [
            (
                *(k.name, k.process, k.kind, k.question, k.formula, k.unit, k.better),
                *(", ".join(k.clocks) or None, k.standing, k.truncation, self.fingerprint(k)),
            )
            for k in sorted(self.kpis.values(), key=lambda kpi: (kpi.process, kpi.name))
        ]
        return pl.DataFrame(rows, schema=dict.fromkeys(_KPI_COLUMNS, pl.String), orient="row")


def read_catalogue(crm: str = "salesforce", *, extractors: Layers = (), kpis: Layers = ()) -> Catalogue:
    """Read the shipped definitions of one CRM with the user's folders laid over them, in order.

    Tables of TOML merge key by key, lists and `.sql` files are replaced whole. The files that `[sql]` of
    `source.toml` lists run before the SQL of every process. Raises `DefinitionError` with all faults of all
    files.

    >>> sorted(read_catalogue().processes)
    ['account', 'case', 'lead', 'opportunity']
    """
    faults: list[str] = []
    own, asked = _folders(extractors), _folders(kpis)
    known = {f.name for base in (shipped("extractors"), *own) for f in base.glob("*/")}
    if crm not in known:
        raise UnknownNameError("CRM", crm, known)
    for layer, inside in (*((e, f"{crm}/*.*") for e in own), *((k, "*.toml") for k in asked)):
        if not layer.is_dir():
            faults.append(f"{layer}: no such folder of definitions")
        elif not any(layer.glob(inside)):
            faults.append(f"{layer}: holds no definitions; they are looked for as {inside}")
    layers = [shipped("extractors") / crm, *(layer / crm for layer in own)]
    files = _merge(layers, faults)
    texts = _sql(layers, files, faults)
    kpi_files = _merge([shipped("kpis"), *asked], faults)

    source = _source(files, faults)
    shared = SqlFiles() if source is None else source.sql
    processes = _processes(files, texts, shared, faults)
    found = _kpis(kpi_files, processes, faults)
    if source is not None:
        faults += [*_undeclared(source, processes, found), *_unknown_words(source, processes)]
    if faults or source is None:
        raise DefinitionError(faults)
    return Catalogue(source, processes, found, "\n".join(texts[name] for name in source.sql.quality))


def _folders(layers: Layers) -> list[Path]:
    return [Path(layers)] if isinstance(layers, str | Path) else [Path(layer) for layer in layers]


@dataclass
class _File:
    label: str
    content: dict[str, Any]


def _merge(layers: Iterable[Path], faults: list[str]) -> dict[str, _File]:
    merged: dict[str, _File] = {}
    for layer in layers:
        for path in sorted(layer.glob("*.toml")):
            label = f"{layer.name}/{path.name}"
            try:
                content = tomllib.loads(path.read_text(encoding="utf-8"))
            except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
                faults.append(f"{label}: not valid TOML: {error}")
                continue
            below = merged.get(path.stem)
            merged[path.stem] = _File(label, _overlay(below.content if below else {}, content))
    return merged


def _sql(layers: Iterable[Path], files: Mapping[str, _File], faults: list[str]) -> dict[str, str]:
    """Texts of all SQL files by name, those of later layers in force."""
    shared = files["source"].content.get("sql", {}) if "source" in files else {}
    lists = [*shared.values()] if isinstance(shared, dict) else []
    lists += [file.content.get("adds", ()) for file in files.values()]
    listed = {name for names in lists if isinstance(names, list) for name in names}
    texts: dict[str, str] = {}
    for layer in layers:
        for path in sorted(layer.glob("*.sql")):
            label = f"{layer.name}/{path.name}"
            if path.name not in listed and path.stem not in files:
                faults.append(f"{label}: has no {path.stem}.toml beside it, and no TOML lists it")
                continue
            try:
                texts[path.name] = path.read_text(encoding="utf-8")
            except (UnicodeDecodeError, OSError) as error:
                faults.append(f"{label}: not valid text: {error}")
    faults += [f"{name}: is listed in a TOML and missing" for name in sorted(listed - set(texts))]
    return texts


def _overlay(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _overlay(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _source(files: Mapping[str, _File], faults: list[str]) -> SourceSpec | None:
    file = files.get("source")
    if file is None:
        faults.append("source.toml: is missing")
        return None
    try:
        return SourceSpec.model_validate(file.content)
    except ValidationError as error:
        faults += _explain(file.label, error)
        return None


def _processes(
    files: Mapping[str, _File], texts: Mapping[str, str], shared: SqlFiles, faults: list[str]
) -> dict[str, Process]:
    processes: dict[str, Process] = {}
    before = {
        "census": "\n".join(texts.get(name, "") for name in shared.census),
        "history": "\n".join(texts.get(name, "") for name in shared.history),
        "shared": "\n".join(texts.get(name, "") for name in shared.shared),
    }
    for name, file in sorted(files.items()):
        if name == "source":
            continue
        sql = texts.get(f"{name}.sql")
        if sql is None:
            faults.append(f"{file.label}: has no {name}.sql beside it")
            continue
        try:
            added = [texts.get(str(other), "") for other in file.content.get("adds", ())]
            given = {**file.content, **before, "name": name, "sql": "\n".join([sql, *added]), "stated": {}}
            process = Process.model_validate(given)
        except ValidationError as error:
            faults += _explain(file.label, error)
            continue
        faults += [f"{file.label}: {fault}" for fault in process.faults()]
        processes[name] = process
    lists = {process.root: process.stages for process in processes.values() if process.stages.all}
    return {
        name: process.model_copy(
            update={"stated": {root: lists[root] for root in sorted(lists) if root in process.paths}}
        )
        for name, process in processes.items()
    }


def _kpis(files: Mapping[str, _File], processes: Mapping[str, Process], faults: list[str]) -> dict[str, Kpi]:
    found: dict[str, Kpi] = {}
    ours = {path.stem for path in shipped("kpis").glob("*.toml")}
    for process, file in sorted(files.items()):
        if process not in processes:
            if process in ours:  # KPIs of a process that this CRM does not have
                continue
            faults.append(f"{file.label}: no process is called '{process}'; known: {', '.join(processes)}")
            continue
        for name, content in file.content.items():
            if not isinstance(content, dict):
                faults.append(f"{file.label}: {name}: a KPI is a table, [{name}]")
                continue
            try:
                kpi = KPI.validate_python({**content, "name": name, "process": process})
            except ValidationError as error:
                faults += _explain(f"{file.label}: {name}", error)
                continue
            if name in found:
                faults.append(f"{file.label}: {name}: is already a KPI of '{found[name].process}'")
            faults += [
                f"{file.label}: {name}.{fault}" for fault in _kpi_faults(kpi, processes[process], content)
            ]
            found[name] = kpi
    return found


def _kpi_faults(kpi: KpiBase, process: Process, content: Mapping[str, object]) -> list[str]:
    found = []
    for field in ("count", "start", "end", "period"):
        word = getattr(kpi, field, None)
        special = _SPECIAL.get((isinstance(kpi, Duration), field), set())
        if word is not None and word not in process.milestones and word not in special:
            found.append(f"{field}: '{word}' is no milestone; known: {', '.join(sorted(process.milestones))}")
    stated = sorted({"name", "process"} & set(content))
    found += [f"{key}: is the table's own name or its file's, and not stated" for key in stated]
    if isinstance(kpi, Waiting) and process.waiting is None:
        found.append(f"kind: '{process.name}' does not say what waiting is: it has no table [waiting]")
    if kpi.basis is not None and kpi.basis not in bases(process):
        found.append(f"basis: '{kpi.basis}' is none; known: {', '.join(sorted(bases(process)))}")
    reasons = {f"unless.{reason}": text for reason, text in getattr(kpi, "unless", {}).items()}
    for field, text in {**kpi.expressions, **reasons}.items():
        fault = expression_fault(text)
        if fault is not None:
            found.append(f"{field}: cannot be read as SQL: {fault}")
    found += [
        f"segments: '{word}' is no segment; known: {', '.join(sorted(process.segments))}"
        for word in kpi.segments
        if word not in process.segments
    ]
    return found


def _undeclared(source: SourceSpec, processes: Mapping[str, Process], kpis: Mapping[str, Kpi]) -> list[str]:
    """Tables and columns that processes and KPIs need and source.toml does not declare."""
    needs: dict[str, Sequence[str]] = {}
    for name, process in processes.items():
        needs[f"{name}.toml: requires"] = (process.root, *process.requires)
        for activity, stated in process.activities.items():
            needs[f"{name}.toml: activities.{activity}.needs"] = stated.needs
        for table, columns in paths.named(process.paths).items():
            needs[f"{name}.toml: paths.{table}"] = columns
    for name, kpi in kpis.items():
        needs[f"{kpi.process}.toml: {name}.needs"] = kpi.needs
    faults = []
    for where, wanted in needs.items():
        for need in (alternative for several in wanted for alternative in several.split("|")):
            if need.startswith(STAGES):
                root = need.removeprefix(STAGES)
                if root not in {process.root for process in processes.values()}:
                    faults.append(f"{where}: '{need}': no process has the root '{root}'")
                continue
            table, _, column = need.partition(".")
            spec = source.tables.get(table)
            if spec is None or (column and column not in spec.columns):
                faults.append(f"{where}: '{need}' is not declared in source.toml")
    return faults


def _unknown_words(source: SourceSpec, processes: Mapping[str, Process]) -> list[str]:
    """Words by which source.toml assigns calendars and that are a segment of no process."""
    known = sorted({word for process in processes.values() for word in process.segments})
    return [
        f"source.toml: calendars.assigned: rule {number}: '{word}' is no segment; known: {', '.join(known)}"
        for number, rule in enumerate(source.calendars.assigned, 1)
        for word in rule.when
        if word not in known
    ]


def _explain(label: str, error: ValidationError) -> list[str]:
    return [
        f"{label}: {'.'.join(str(part) for part in fault['loc']) or 'file'}: {fault['msg']}"
        for fault in error.errors()
    ]

"""Which supplied table is read as which canonical table, and which of its columns."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from crmmining.errors import SourceError
from crmmining.tables.names import are_parts, canonical, is_machinery, match_columns
from crmmining.tables.raw import InputFile, RawTable
from crmmining.tables.spec import SourceSpec, TableSpec

_HISTORY_MODE = ("_fivetran_start", "_fivetran_end")


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """A supplied table to be read as canonical table `name`; `columns` gives raw positions per column."""

    name: str
    spec: TableSpec
    raw: RawTable
    raw_columns: tuple[str, ...]
    columns: dict[str, tuple[int, ...]]

    @property
    def positions(self) -> tuple[int, ...]:
        """The raw columns that are read, in the source's order."""
        return tuple(sorted({at for several in self.columns.values() for at in several}))

    @property
    def lacking(self) -> tuple[str, ...]:
        """Mandatory columns that are not supplied."""
        return tuple(name for name in self.spec.mandatory if name not in self.columns)

    @property
    def ignored(self) -> tuple[str, ...]:
        """Supplied columns that the definition does not declare, as the source spells them."""
        used = set(self.positions)
        return tuple(
            name for at, name in enumerate(self.raw_columns) if at not in used and not is_machinery(name)
        )


@dataclass
class Plan:
    """What to read, in parents-first order, and what was set aside with the reason."""

    assignments: list[Assignment] = field(default_factory=list)
    remarks: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    unused: list[InputFile] = field(default_factory=list)


def make_plan(
    raw_tables: Sequence[RawTable], spec: SourceSpec, roots: Collection[str], *, partial: bool = False
) -> Plan:
    """Match supplied tables to declared ones; SourceError lists every collision and missing requirement.

    Unless it is `partial`, one of the `roots` must be among them and usable.
    """
    known = {canonical(name): name for name in spec.tables}
    plan = Plan()
    faults: list[str] = []
    found: dict[str, list[Assignment]] = {}
    for raw in raw_tables:
        name = known.get(canonical(raw.name))
        if name is None:
            plan.unused.append(InputFile(name=None, origin=raw.origin))
            plan.remarks.append((raw.origin, f"is no table that source '{spec.name}' declares: ignored", ()))
            continue
        try:
            assignment, twins = _assign(name, spec.tables[name], raw)
        except SourceError as error:
            faults.append(str(error))
            continue
        faults.extend(twins)
        if reason := _set_aside(assignment, roots):
            plan.unused.append(
                InputFile(
                    name=name, origin=raw.origin, missing=assignment.lacking, ignored=assignment.ignored
                )
            )
            plan.remarks.append((name, reason, ()))
        else:
            found.setdefault(name, []).append(assignment)
    for name, several in found.items():
        if len(several) > 1:
            origins = ", ".join(one.raw.origin for one in several)
            faults.append(f"{name}: supplied more than once ({origins}); leave one of them out")
    plan.assignments = [found[name][0] for name in spec.parents_first if name in found]
    faults = faults or ([] if partial else _unusable_roots(plan, spec, roots))
    if faults:
        raise SourceError("the input cannot be used:\n  " + "\n  ".join(faults))
    plan.remarks.extend(_remarks(plan.assignments, roots))
    return plan


def _assign(name: str, spec: TableSpec, raw: RawTable) -> tuple[Assignment, list[str]]:
    raw_columns = tuple(raw.columns())
    matched = match_columns(raw_columns, spec.columns)
    twins = []
    for column, positions in matched.items():
        spelled = [raw_columns[at] for at in positions]
        if len(positions) > 1 and not are_parts(spelled):
            twins.append(f"{raw.origin}: columns {', '.join(map(repr, spelled))} all mean {name}.{column}")
    columns = {column: tuple(positions) for column, positions in matched.items()}
    return Assignment(name=name, spec=spec, raw=raw, raw_columns=raw_columns, columns=columns), twins


def _set_aside(table: Assignment, roots: Collection[str]) -> str | None:
    """Why a supplied table is not read at all; None when it is."""
    spelled = {name.lower() for name in table.raw_columns}
    if table.lacking and spelled.issuperset(_HISTORY_MODE):
        return (
            f"{table.raw.origin} holds versions of records (Fivetran history mode), not {table.name}: skipped"
        )
    keyless = table.spec.key in table.lacking
    if table.lacking and (keyless or table.name not in roots):
        return f"{table.raw.origin} lacks {', '.join(table.lacking)}: skipped"
    return None


def _unusable_roots(plan: Plan, spec: SourceSpec, roots: Collection[str]) -> list[str]:
    """Empty as soon as one root is usable, because every process needs only its own."""
    if not roots or any(table.name in roots and not table.lacking for table in plan.assignments):
        return []
    lacking = {table.name: (table.raw.origin, table.lacking) for table in plan.assignments}
    for skipped in plan.unused:
        if skipped.name:
            lacking.setdefault(skipped.name, (skipped.origin, skipped.missing))
    faults = []
    for root in (name for name in spec.tables if name in roots):
        if root in lacking:
            origin, columns = lacking[root]
            faults.append(f"{root}: {origin} lacks the required {', '.join(columns)}")
        else:
            needs = ", ".join(spec.tables[root].mandatory)
            faults.append(f"{root}: not supplied (required columns: {needs})")
    supplied = ", ".join(file.origin for file in plan.unused if file.name is None)
    if supplied:
        faults.append(f"supplied, but under no name of source '{spec.name}': {supplied} (see table_names)")
    return faults


def _remarks(
    tables: Iterable[Assignment], roots: Collection[str]
) -> Iterable[tuple[str, str, tuple[str, ...]]]:
    for table in tables:
        if table.name in roots and table.lacking:
            missing = ", ".join(table.lacking)
            yield (
                table.name,
                f"{table.raw.origin} lacks {missing}: read as a look-up, it starts no process",
                (),
            )
        if table.ignored:
            count = len(table.ignored)
            yield table.name, f"{count} undeclared column(s) ignored", table.ignored[:3]

"""What a source can show: processes, activities, milestones, KPIs; and what the others would need."""

from collections.abc import Sequence

from crmmining.definitions import Catalogue, Kpi, Process
from crmmining.definitions.process import STAGES
from crmmining.errors import CrmMiningError, SourceError
from crmmining.tables import Tables


def unmet(tables: Tables, process: Process, needs: Sequence[str]) -> list[str]:
    """Needs (tables or Table.Column, `|` between alternatives) that the source does not meet, once each.

    The alternative `stages.<Table>` is met by the lists the definitions state, whatever the source.
    """
    stated = {f"{STAGES}{root}" for root in process.stated}
    return [
        need.replace("|", " or ")
        for need in dict.fromkeys(needs)
        if not any(tables.has(alternative) or alternative in stated for alternative in need.split("|"))
    ]


def process_lacks(tables: Tables, process: Process) -> list[str]:
    """What keeps a process from being shown at all; empty when it can be."""
    return unmet(tables, process, (process.root, *process.requires))


def kpi_lacks(tables: Tables, process: Process, kpi: Kpi) -> list[str]:
    """What keeps a KPI of `process` from being computed; empty when it can be."""
    off = _off_milestones(tables, process)
    words = kpi.milestones(set(off)) | _off_outcomes(process, kpi, set(off))
    lacking = [need for word in sorted(words) for need in off[word]]
    return sorted({*process_lacks(tables, process), *lacking, *unmet(tables, process, kpi.needs)})


def chosen(
    tables: Tables, catalogue: Catalogue, processes: Sequence[str], kpis: Sequence[str] | None
) -> list[Kpi]:
    """The KPIs named, or all of some processes that the source can show.

    Raises `SourceError` for a named one that the source cannot show and `CrmMiningError` for one of another
    process.
    """

    def lacking(kpi: Kpi) -> list[str]:
        return kpi_lacks(tables, catalogue.process(kpi.process), kpi)

    if kpis is None:
        every = [kpi for name in processes for kpi in catalogue.kpis_of(name)]
        return [kpi for kpi in every if not lacking(kpi)]
    found = [catalogue.kpi(name) for name in kpis]
    for kpi in found:
        if lacks := lacking(kpi):
            raise SourceError(f"KPI '{kpi.name}' cannot be shown: the source lacks {', '.join(lacks)}")
        if kpi.process not in processes:
            asked = ", ".join(processes)
            raise CrmMiningError(
                f"KPI '{kpi.name}' is one of process '{kpi.process}', but {asked} was asked for"
            )
    return found


def switched_off(tables: Tables, process: Process) -> tuple[str, ...]:
    """Activities and milestones this source cannot show, each with the tables or columns it would take."""
    lacking = {name: unmet(tables, process, activity.needs) for name, activity in process.activities.items()}
    activities = [f"activity '{name}': needs {', '.join(needs)}" for name, needs in lacking.items() if needs]
    off = _off_milestones(tables, process)
    return (*activities, *(f"milestone '{word}': needs {', '.join(needs)}" for word, needs in off.items()))


def _off_milestones(tables: Tables, process: Process) -> dict[str, list[str]]:
    """Milestones none of whose activities this source can show, with what is missing."""
    off: dict[str, list[str]] = {}
    for word, names in process.milestones.items():
        missing = [unmet(tables, process, process.needs_of(name)) for name in names]
        if missing and all(missing):
            off[word] = sorted({need for needs in missing for need in needs})
    return off


def _off_outcomes(process: Process, kpi: Kpi, off: set[str]) -> set[str]:
    """Ends that are off and that a KPI cannot do without: those it names; if none, one of them must be on."""
    named = kpi.outcomes(process.ends)
    if named or not kpi.asks_outcome:
        return named & off
    return set(process.ends) if off.issuperset(process.ends) else set()

"""What a source can show: processes, activities, milestones, KPIs; and what the others would need."""

from collections.abc import Sequence

from crmmining.definitions import Kpi, Process
from crmmining.tables import Tables


def unmet(tables: Tables, needs: Sequence[str]) -> list[str]:
    """Needs (tables or Table.Column, `|` between alternatives) that the source does not meet, once each."""
    return [
        need.replace("|", " or ")
        for need in dict.fromkeys(needs)
        if not any(tables.has(alternative) for alternative in need.split("|"))
    ]


def process_lacks(tables: Tables, process: Process) -> list[str]:
    """What keeps a process from being shown at all; empty when it can be."""
    return unmet(tables, (process.root, *process.requires))


def kpi_lacks(tables: Tables, process: Process, kpi: Kpi) -> list[str]:
    """What keeps a KPI of `process` from being computed; empty when it can be."""
    off = _off_milestones(tables, process)
    lacking = [need for word in sorted(kpi.milestones(set(off))) for need in off[word]]
    return sorted({*process_lacks(tables, process), *lacking, *unmet(tables, kpi.needs)})


def switched_off(tables: Tables, process: Process) -> tuple[str, ...]:
    """Activities and milestones this source cannot show, each with the tables or columns it would take."""
    lacking = {name: unmet(tables, activity.needs) for name, activity in process.activities.items()}
    activities = [f"activity '{name}': needs {', '.join(needs)}" for name, needs in lacking.items() if needs]
    off = _off_milestones(tables, process)
    return (*activities, *(f"milestone '{word}': needs {', '.join(needs)}" for word, needs in off.items()))


def _off_milestones(tables: Tables, process: Process) -> dict[str, list[str]]:
    """Milestones none of whose activities this source can show, with what is missing."""
    off: dict[str, list[str]] = {}
    for word, names in process.milestones.items():
        stated = [process.activities[name].needs for name in names if name in process.activities]
        missing = [unmet(tables, needs) for needs in stated]
        if len(missing) == len(names) and all(missing):
            off[word] = sorted({need for needs in missing for need in needs})
    return off

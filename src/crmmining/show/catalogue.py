"""The catalogue of processes and KPIs as text: for a terminal, for a program, for a document."""

import json
from io import StringIO
from typing import Literal

from crmmining.definitions import Catalogue

Format = Literal["table", "json", "markdown"]
TRUNCATED = {"exclude": "left out", "keep": "counted", "bound": "counted: a lower bound"}


def written(catalogue: Catalogue, how: Format) -> str:
    """The catalogue as one text.

    >>> from crmmining.definitions import read_catalogue
    >>> written(read_catalogue(), "markdown").splitlines()[0]
    '# Catalogue'
    """
    return {"table": _table, "json": _json, "markdown": _markdown}[how](catalogue)


def _json(catalogue: Catalogue) -> str:
    content = {
        "processes": {
            name: process.model_dump(mode="json", exclude={"name", "sql", "paths"})
            | {"definition": process.fingerprint}
            for name, process in catalogue.processes.items()
        },
        "kpis": catalogue.frame().to_dicts(),
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def _markdown(catalogue: Catalogue) -> str:
    lines = ["# Catalogue", "", "Made by `crmmining catalogue --format markdown`."]
    for name, process in catalogue.processes.items():
        lines += ["", f"## {process.title} (`{name}`)", "", "| activity | table | field | timestamp | rule |"]
        lines += ["|---|---|---|---|---|"]
        lines += [_row(a, d.table, d.field, d.timestamp, d.rule) for a, d in process.activities.items()]
        lines += ["", "| milestone | activities |", "|---|---|"]
        lines += [_row(word, ", ".join(names)) for word, names in process.milestones.items()]
        lines += ["", "| KPI | question | formula | unit | clocks | better | segments at | truncated cases |"]
        lines += ["|---|---|---|---|---|---|---|---|"]
        lines += [
            _row(
                *(f"`{k.name}`", k.question, f"{k.kind}: {k.formula}", k.unit),
                *(", ".join(k.clocks), k.better, k.standing, TRUNCATED[k.truncation]),
            )
            for k in catalogue.kpis_of(name)
        ]
    return "\n".join(lines)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _table(catalogue: Catalogue) -> str:
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.table import Table  # noqa: PLC0415

    page = StringIO()
    console = Console(file=page, width=140)
    for name, process in catalogue.processes.items():
        table = Table(title=f"{process.title} ({name})", title_justify="left", expand=True)
        for heading, ratio in (("KPI", 2), ("kind", 1), ("question", 4), ("formula", 5), ("unit", 1)):
            table.add_column(heading, ratio=ratio, overflow="fold")
        for kpi in catalogue.kpis_of(name):
            table.add_row(kpi.name, kpi.kind, kpi.question, kpi.formula, kpi.unit)
        console.print(table)
        console.print(f"milestones: {', '.join(process.milestones)}\n")
    return page.getvalue().rstrip()

"""What the documents show can be done, and what they name is there."""

import re
from pathlib import Path

import pytest

from crmmining.definitions import read_catalogue

ROOT = Path(__file__).parent.parent
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = ("src", "extractors", "kpis", "notebooks", "tests", "benchmarks", "docs", "data")


def named_paths(document: str) -> set[str]:
    """Paths in links and in code, as far as they are meant literally."""
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", document)
    code = [name for name in re.findall(r"`([^`\s]+)`", document) if name.startswith(FOLDERS) and "/" in name]
    return {name for name in (*links, *code) if not re.search(r"[<>{}*…(]", name)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_names_is_there(document: Path) -> None:
    named = named_paths(document.read_text(encoding="utf-8"))
    missing = {name for name in named if not any((base / name).exists() for base in (ROOT, document.parent))}
    assert sorted(missing) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_make_targets_that_a_document_names_are_there(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    named = re.findall(r"(?:`|^)make ([a-z-]+)", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(set(named) - targets) == []


def test_the_kpi_that_contributing_shows_is_one(tmp_path: Path) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    examples = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    assert len(examples) == 1
    (tmp_path / "lead.toml").write_text(examples[0], encoding="utf-8")
    added = set(read_catalogue(kpis=[tmp_path]).kpis) - set(read_catalogue().kpis)
    assert added == {"called_lead_conversion"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("see [it](docs/here.md#part) or [that](https://example.org/x)", {"docs/here.md"}),
        ("`src/crmmining/crm.py`, `kpis/<process>.toml`, `make test`", {"src/crmmining/crm.py"}),
    ],
)
def test_paths_are_found_in_documents(text: str, names: set[str]) -> None:
    assert named_paths(text) == names

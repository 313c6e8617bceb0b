"""Small CRMs to keep in stores, and programs that are stopped while they write."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[[str, Path, Path], subprocess.CompletedProcess[str]]
HEAD = "Id,CreatedDate,StageName,OwnerId,Name"
IDS = ("006q000000HddohAAB", "006q000000Hd0ovAAB", "006q000000Hd1ovAAB")


@pytest.fixture
def crm(write: Callable[..., Path]) -> Callable[..., Path]:
    """A folder with as many opportunities as there are names."""

    def made(*names: str) -> Path:
        rows = [
            f"{one},2024-01-0{at},New,005q000000Hd0ovAAB,{name}"
            for at, (one, name) in enumerate(zip(IDS, names, strict=False), start=1)
        ]
        history = "Id,OpportunityId,CreatedDate,Field,OldValue,NewValue"
        change = f"017q000000HddohAAB,{IDS[0]},2024-02-01,StageName,New,Closed Won"
        user = ["Id,Name", "005q000000Hd0ovAAB,Grace Hopper"]
        return write(
            "-".join(names), Opportunity=[HEAD, *rows], OpportunityFieldHistory=[history, change], User=user
        )

    return made


@pytest.fixture
def program() -> Run:
    """Run Python text in a process of its own, with a source and a store as SOURCE and STORE."""

    def run(text: str, source: Path, store: Path) -> subprocess.CompletedProcess[str]:
        head = f"from pathlib import Path\nSOURCE, STORE = Path({str(source)!r}), Path({str(store)!r})\n"
        return subprocess.run(
            [sys.executable, "-c", head + text], check=False, capture_output=True, text=True, timeout=120
        )

    return run

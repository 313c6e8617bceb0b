"""A CRM from rows written by hand, loaded as a user loads it, and what is told of it."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from crmmining import Crm, connect

Built = Callable[..., Crm]

STAGES = """
    Id,ApiName,SortOrder,IsActive,IsClosed,IsWon
    01J000000000001,Prospecting,1,true,false,false
    01J000000000002,Qualification,2,true,false,false
    01J000000000003,Proposal,3,true,false,false
    01J000000000004,Closed Won,4,true,true,true
    01J000000000005,Closed Lost,5,true,true,false
"""


def lines(text: str) -> str:
    """A file's text without the indentation of the code around it."""
    return inspect.cleandoc(text) + "\n"


@pytest.fixture
def built(write: Callable[..., Path]) -> Built:
    """Load files given by table name, each as the text of its lines, from a folder."""

    def load(folder: str = "crm", **files: str | bytes) -> Crm:
        named = {name: lines(text) if isinstance(text, str) else text for name, text in files.items()}
        return connect(write(folder, **named))

    return load


def told(crm: Crm, process: str, *columns: str, of: str | None = None) -> list[tuple[Any, ...]]:
    """Minute, activity and further columns of every event, or of those of one case, in log order."""
    events = crm.event_log(process).events
    if of is not None:
        events = events.filter(pl.col("case_id") == of)
    minute = pl.col("occurred_at").dt.strftime("%Y-%m-%d %H:%M")
    return events.select(minute, pl.col("activity", *columns).cast(pl.String)).rows()


def silent(crm: Crm, process: str, table: str) -> dict[str, list[str]]:
    """Why rows of a table tell no event: the reason and (at most three) Ids."""
    quality = crm.event_log(process).quality
    rows = quality.filter(pl.col("table") == f"{process}: {table}", pl.col("disposition") == "filtered")
    return dict(rows.select("reason", "examples").rows())


def noticed(crm: Crm, process: str, *words: str) -> list[tuple[Any, ...]]:
    """Table, rows and finding of what the quality account notices; of findings that hold one of the words."""
    quality = crm.quality(process).filter(pl.col("disposition") == "finding")
    found = quality.select("table", "rows", "reason").rows()
    return [row for row in found if any(word in row[2] for word in words)]

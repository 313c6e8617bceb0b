"""Since when changes are kept: stated, or bounded by the first row; no later row moves it."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from crmmining import DefinitionError, connect
from crmmining.definitions import read_catalogue, shipped

from .conftest import Tell

COVERAGE = "SELECT root, field, source_table, since::DATE::VARCHAR, basis FROM coverage ORDER BY ALL"
CASES: dict[str, Any] = {
    "CaseHistory": [
        "Id CaseId CreatedDate Field OldValue NewValue",
        ("h1", "C", "2024-01-05 09:00", "created", None, None),
        ("h2", "C", "2024-02-05 09:00", "Owner", "Anna", "Bea"),
        ("h3", "C", "2024-03-05 09:00", "ownerAccepted", "Bea", "Carl"),
        ("h4", "C", "2024-04-05 09:00", "Status", "New", "Closed"),
    ]
}


def test_where_nothing_is_stated_the_first_row_is_a_bound(tell: Tell) -> None:
    assert tell(**CASES).rows(COVERAGE) == [
        ("Case", "*", "CaseHistory", "2024-01-05", "estimated"),
        ("Case", "OwnerId", "CaseHistory", "2024-02-05", "estimated"),
        ("Case", "Status", "CaseHistory", "2024-04-05", "estimated"),
        ("Case", "created", "CaseHistory", "2024-01-05", "estimated"),
    ]


def test_no_later_row_moves_it(tell: Tell) -> None:
    assert tell(at="2024-02-10", **CASES).rows(COVERAGE) == [
        ("Case", "*", "CaseHistory", "2024-01-05", "estimated"),
        ("Case", "OwnerId", "CaseHistory", "2024-02-05", "estimated"),
        ("Case", "created", "CaseHistory", "2024-01-05", "estimated"),
    ]


def test_snapshots_cover_five_columns_by_themselves(tell: Tell) -> None:
    told = tell(
        OpportunityHistory=[
            "Id OpportunityId CreatedDate StageName",
            ("s1", "O", "2024-01-05 09:00", "Demo"),
        ],
        OpportunityFieldHistory=[
            "Id OpportunityId CreatedDate Field OldValue NewValue",
            ("h1", "O", "2024-03-05 09:00", "StageName", "Demo", "Won"),
        ],
    )
    assert told.rows("SELECT field FROM coverage WHERE source_table = 'OpportunityHistory' ORDER BY ALL") == [
        ("*",), ("Amount",), ("CloseDate",), ("ForecastCategory",), ("Probability",), ("StageName",),
    ]  # fmt: skip
    since = "SELECT covered_since('Opportunity', {})::DATE::VARCHAR"
    assert told.rows(since.format("'StageName'")) == [("2024-01-05",)]
    assert told.rows(since.format("'OwnerId'")) == [(None,)]


def test_what_is_stated_goes_before_the_first_row(tell: Tell) -> None:
    told = tell(
        tracking=[
            ("CaseHistory", None, "2024-01-01 00:00", None),
            ("CaseHistory", "Owner", "2024-02-01 00:00", None),
            ("CaseHistory", "Priority", "2024-01-20 00:00", None),
        ],
        **CASES,
    )
    assert told.rows(COVERAGE) == [
        ("Case", "*", "CaseHistory", "2024-01-01", "stated"),
        ("Case", "OwnerId", "CaseHistory", "2024-02-01", "stated"),
        ("Case", "Priority", "CaseHistory", "2024-01-20", "stated"),
        ("Case", "Status", "CaseHistory", "2024-01-01", "stated"),
        ("Case", "created", "CaseHistory", "2024-01-01", "stated"),
    ]


def test_what_was_deleted_for_its_age_is_not_covered(tell: Tell) -> None:
    told = tell(tracking=[("CaseHistory", None, None, "2024-03-01 00:00")], **CASES)
    assert told.rows(COVERAGE) == [
        ("Case", "*", "CaseHistory", "2024-03-01", "estimated"),
        ("Case", "OwnerId", "CaseHistory", "2024-03-01", "estimated"),
        ("Case", "Status", "CaseHistory", "2024-04-05", "estimated"),
        ("Case", "created", "CaseHistory", "2024-03-01", "estimated"),
    ]


def overlay(folder: Path, text: str) -> Path:
    (folder / "salesforce").mkdir()
    (folder / "salesforce" / "source.toml").write_text(text)
    return folder


def test_the_definitions_state_it_in_days_of_the_org(tmp_path: Path) -> None:
    folder = overlay(
        tmp_path,
        '[org]\ntime_zone = "Asia/Tokyo"\n[tracking.CaseHistory]\nsince = 2022-06-01\nPriority = 2024-03-01\n'
        "[tracking.LeadHistory]\nretention_months = 24\n",
    )
    found = connect(shipped("data/sample"), extractors=[folder]).coverage()
    stated = found.filter(table="CaseHistory").select(
        "field", "basis", pl.col("since").dt.strftime("%Y-%m-%d %H:%M")
    )
    assert stated.filter(pl.col("field").is_in(["*", "Priority", "Status"])).rows() == [
        ("*", "stated", "2022-05-31 15:00"),
        ("Priority", "stated", "2024-02-29 15:00"),
        ("Status", "stated", "2022-05-31 15:00"),
    ]
    leads = found.filter(table="LeadHistory", field="*")  # two years before the clock, 2025-12-31 23:14:29
    assert leads["since"].dt.strftime("%Y-%m-%d %H:%M").to_list() == ["2023-12-31 23:14"]
    assert found.columns == ["table", "field", "rows", "first", "last", "since", "basis"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "[tracking.CaseStory]\nsince = 2022-01-01\n",
            "tracking.CaseStory: is no table whose rows are known",
        ),
        ("[tracking.User]\nsince = 2022-01-01\n", "tracking.User: is no table whose rows are known since"),
        ("[tracking.OpportunityHistory]\nStage = 2022-01-01\n", "'Stage' is no column of this table"),
        ('[tracking.CaseHistory]\nPriority = "soon"\n', "tracking.CaseHistory.Priority"),
        ("[tracking.CaseHistory]\nretention_months = 0\n", "tracking.CaseHistory.retention_months"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(DefinitionError, match=fault):
        read_catalogue(extractors=[overlay(tmp_path, text)])

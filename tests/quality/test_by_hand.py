"""Findings that no quirk plants, each planted by hand in a clean CRM."""
# ruff: noqa: S608 - statements of these tests' own

from collections.abc import Callable, Sequence
from typing import NamedTuple

import polars as pl
import pytest

import crmmining as cm

from .conftest import findings, rows_of, simulated

Edited = Callable[[Sequence[str]], cm.Crm]
ADMIN = "0055e0000000002AAA"
CLOSE = f"""
INSERT INTO CaseHistory BY NAME
SELECT printf('0175e009%07d', row_number() OVER (ORDER BY Id)) AS Id, FALSE AS IsDeleted, Id AS CaseId,
  '{ADMIN}' AS CreatedById, TIMESTAMPTZ '2025-12-30 10:00:00' AS CreatedDate, 'Status' AS Field,
  'DynamicEnum' AS DataType, 'Working' AS OldValue, 'Closed' AS NewValue
FROM (FROM "Case" ORDER BY Id LIMIT {{}})
"""
TWICE = """
UPDATE OpportunityFieldHistory SET NewValue = 'Qualification' WHERE Id = (
  SELECT min(h.Id) FROM OpportunityFieldHistory AS h
  JOIN OpportunityHistory AS s ON s.OpportunityId = h.OpportunityId AND s.CreatedDate = h.CreatedDate
  WHERE h.Field = 'StageName' AND h.NewValue = 'Needs Analysis')
"""
PARK = """
UPDATE Lead SET Status = 'Parked' WHERE Id IN (SELECT min(LeadId) FROM LeadHistory WHERE Field = 'Status')
"""
CIRCLE = """
UPDATE Account SET MasterRecordId = (SELECT min(Id) FROM Account) WHERE Id = (SELECT max(Id) FROM Account)
"""
UNLINK = """
UPDATE Lead SET ConvertedAccountId = NULL, ConvertedContactId = NULL, ConvertedOpportunityId = NULL
WHERE Id IN (SELECT Id FROM chosen)
"""
STRANGER = """
UPDATE AccountHistory SET CreatedById = '0055e00000zzzzzAAA'
WHERE Id = (SELECT min(Id) FROM AccountHistory WHERE Field = 'Rating')
"""
MASTER = "ALTER TABLE Account ADD COLUMN MasterRecordId VARCHAR"


class Planted(NamedTuple):
    """What a hand does, and the finding that must follow with so many rows."""

    statements: list[str]
    words: str
    table: str
    rows: int


def change(table: str, to: str, many: int) -> str:
    return f'UPDATE "{table}" SET {to} WHERE Id IN (SELECT Id FROM "{table}" ORDER BY Id LIMIT {many})'


PLANTED = {
    "epoch": Planted(
        [change("Case", "CreatedDate = TIMESTAMPTZ '1970-01-01'", 2)], "stamped before 1999", "Case", 2
    ),
    "closed before": Planted(
        [change("Case", "ClosedDate = CreatedDate - INTERVAL 1 DAY", 3)],
        *("ClosedDate lies before the creation", "Case", 3),
    ),
    "completed before": Planted(
        [change("Task", "CompletedDateTime = CreatedDate - INTERVAL 1 DAY", 4)],
        *("CompletedDateTime lies before the creation", "Task", 4),
    ),
    "before its record": Planted(
        [
            change("Lead", "CreatedDate = CreatedDate + INTERVAL 1 HOUR", 1),
            "DELETE FROM LeadHistory WHERE LeadId = (SELECT min(Id) FROM Lead) AND Field <> 'created'",
        ],
        *("history older than the record itself", "LeadHistory", 1),
    ),
    "mass close": Planted(
        [CLOSE.format(21)],
        "mass closing: one user closed 20 records or more within a minute (1 times, 21 records)",
        *("CaseHistory", 21),
    ),
    "bulk creation": Planted(
        [change("Lead", f"CreatedById = '{ADMIN}', CreatedDate = TIMESTAMPTZ '2023-01-01 08:00:10'", 20)],
        *("created in bulk: 20 records or more by one user within a minute (1 times)", "Lead", 20),
    ),
    "unknown today": Planted(
        [change("Lead", "Status = 'Parked'", 2)],
        *("records in a stage or status that no list explains: Parked", "Lead", 2),
    ),
    "against today": Planted(
        [PARK],
        *("the last value told is not that of the record today", "LeadHistory", 1),
    ),
    "disagreement": Planted(
        [TWICE],
        "both histories of opportunities tell a change within five seconds, but not the same",
        *("OpportunityHistory", 1),
    ),
    "merge estimated": Planted(
        [MASTER, change("Account", "IsDeleted = TRUE, MasterRecordId = (SELECT max(Id) FROM Account)", 2)],
        *("merged, but nothing tells when", "Account", 2),
    ),
    "circle": Planted(
        [
            MASTER,
            change("Account", "MasterRecordId = (SELECT max(Id) FROM Account)", 1),
            CIRCLE,
        ],
        *("merged in a circle", "Account", 2),
    ),
    "rate fault": Planted(
        ["UPDATE CurrencyType SET ConversionRate = 0 WHERE IsoCode = 'EUR'"],
        *("exchange rates: not a positive rate: not used", "CurrencyType", 1),
    ),
    "undated conversion": Planted(
        [
            "CREATE TABLE chosen AS FROM Lead WHERE IsConverted ORDER BY Id LIMIT 2",
            "DELETE FROM LeadHistory WHERE LeadId IN (SELECT Id FROM chosen)",
            UNLINK,
        ],
        *("converted leads of which only the day is known", "Lead", 2),
    ),
    "unknown user": Planted(
        [STRANGER],
        *("made by users of whom nothing tells whether they are people", "AccountHistory", 1),
    ),
}


@pytest.fixture(scope="module")
def clean() -> pl.DataFrame:
    return findings(cm.connect(simulated(accounts=30)))


@pytest.mark.parametrize("name", PLANTED)
def test_what_a_hand_planted_is_found(name: str, edited: Edited, clean: pl.DataFrame) -> None:
    planted = PLANTED[name]
    assert rows_of(clean, planted.words, planted.table) == 0
    found = findings(edited(planted.statements))
    assert rows_of(found, planted.words, planted.table) == planted.rows


def test_nineteen_closings_in_a_minute_are_no_mass_closing(edited: Edited) -> None:
    assert rows_of(findings(edited([CLOSE.format(19)])), "mass closing") == 0


def test_what_only_the_present_tells_is_counted_by_record(edited: Edited) -> None:
    """Two leads change after the moment: of these, what no history tells is known as it is today only."""
    quiet = "UPDATE Lead SET SystemModstamp = CreatedDate, LastModifiedDate = CreatedDate"
    crm = edited(
        [
            "ALTER TABLE Lead DROP COLUMN LastActivityDate",
            quiet,
            change("Lead", "SystemModstamp = TIMESTAMPTZ '2025-12-01'", 2),
        ]
    )
    then = findings(crm, "2025-11-01").filter(pl.col("root") == "Lead")
    said = then.filter(pl.col("finding").str.starts_with("known only as they are today"))
    assert said["rows"].to_list() == [2]
    assert "Company" in said["finding"].item()
    assert "Status" not in said["finding"].item()
    assert rows_of(findings(crm), "known only as they are today") == 0


def test_a_closing_at_every_months_end_is_no_chance(edited: Edited, clean: pl.DataFrame) -> None:
    moved = "CreatedDate = last_day(CreatedDate::DATE) + INTERVAL 20 HOUR"
    closings = "Field = 'Status' AND NewValue = 'Closed'"
    found = findings(edited([f"UPDATE CaseHistory SET {moved} WHERE {closings}"]))
    assert rows_of(clean, "closings pile up") == 0
    assert rows_of(found, "closings pile up", "Case") > 50


def test_the_share_of_programs_is_told(clean: pl.DataFrame) -> None:
    said = clean.filter(pl.col("finding").str.starts_with("made by programs"), pl.col("root") == "Lead")
    assert said["finding"].str.extract(r"(\d+\.\d) % of the rows").is_not_null().to_list() == [True]
    assert said["effect"].to_list() == ["none on human touches; events and rework hold them"]

"""Changed rows make the tables those of the merged source, and every row is accounted for."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import pytest

import crmmining as cm

from .conftest import Tables, Write, adds_up, merged, rows, same_tables

DEAL = "Id CreatedDate StageName Amount"
STEP = "Id OpportunityId CreatedDate Field OldValue NewValue"
BASE: Tables = {
    "Opportunity": rows(
        DEAL,
        "006000000000001, 2024-01-01, Open, 10",
        "006000000000002, 2024-01-02, Open, 20",
        "006000000000003, 2024-01-03, Open, twenty",
        "006000000000004, 2024-01-04, Open, 40",
        "006000000000004, 2024-01-04, Won, 40",
        "nonsense, 2024-01-05, Open, 50",
    ),
    "OpportunityFieldHistory": rows(
        STEP,
        "017000000000001, 006000000000001, 2024-02-01, StageName, New, Open",
        "017000000000002, 006000000000009, 2024-02-02, StageName, New, Open",
        "017000000000003, 006000000000002, 2024-02-03, StageName, New, Open",
    ),
    "_CEL_CURRENCIES": rows("CurrencyIsoCode ConversionRate", "EUR, 0.9", "JPY, 150"),
}
STEPS: dict[str, tuple[Tables, Mapping[str, Sequence[str]]]] = {
    "new row": ({"Opportunity": rows(DEAL, "006000000000005, 2024-03-01, Open, 5")}, {}),
    "another version": ({"Opportunity": rows(DEAL, "006000000000001, 2024-01-01, Won, 11")}, {}),
    "the same again": (BASE, {}),
    "repaired": ({"Opportunity": rows(DEAL, "006000000000003, 2024-01-03, Open, 20")}, {}),
    "spoilt": ({"Opportunity": rows(DEAL, "006000000000001, 2024-01-01, Open, ten")}, {}),
    "twins settled": ({"Opportunity": rows(DEAL, "006000000000004, 2024-01-04, Won, 40")}, {}),
    "twins arrive": (
        {
            "Opportunity": rows(
                DEAL, "006000000000001, 2024-01-01, Won, 1", "006000000000001, 2024-01-01, Won, 2"
            )
        },
        {},
    ),
    "copies arrive": ({"Opportunity": rows(DEAL, *["006000000000007, 2024-01-07, Won, 1"] * 2)}, {}),
    "good and bad": (
        {
            "Opportunity": rows(
                DEAL, "006000000000001, 2024-01-01, Won, x", "006000000000001, 2024-01-01, Won, 2"
            )
        },
        {},
    ),
    "parent arrives": ({"Opportunity": rows(DEAL, "006000000000009, 2024-01-09, Open, 9")}, {}),
    "parent goes": ({}, {"Opportunity": ["006000000000002"]}),
    "parent is spoilt": ({"Opportunity": rows(DEAL, "006000000000002, 2024-01-02, Open, two")}, {}),
    "orphan gets another parent": (
        {
            "OpportunityFieldHistory": rows(
                STEP, "017000000000002, 006000000000001, 2024-02-02, StageName, New, Open"
            )
        },
        {},
    ),
    "orphan is deleted": ({}, {"OpportunityFieldHistory": ["017000000000002"]}),
    "row and parent arrive": (
        {
            "Opportunity": rows(DEAL, "006000000000008, 2024-01-08, Open, 8"),
            "OpportunityFieldHistory": rows(
                STEP, "017000000000008, 006000000000008, 2024-02-08, StageName, New, Open"
            ),
        },
        {},
    ),
    "nobody is deleted": ({}, {"Opportunity": ["006000000000099"]}),
    "longer Ids": ({"Opportunity": rows(DEAL, "006000000000001AAA, 2024-01-01, Won, 12")}, {}),
}


@pytest.mark.parametrize("step", STEPS)
def test_the_tables_are_those_of_the_merged_source(step: str, write_tables: Write) -> None:
    batch, deleted = STEPS[step]
    crm = cm.connect(write_tables("before", BASE), max_quarantine=1)
    crm.refresh(write_tables("batch", batch) if batch else None, deleted=deleted)
    together: Tables = {
        name: lines for name, lines in merged(BASE, batch, deleted).items() if name != "_CEL_CURRENCIES"
    }
    if step == "the same again":  # a row without an Id that reads is known by its content
        together = BASE
    together = {**together, "_CEL_CURRENCIES": BASE["_CEL_CURRENCIES"]}
    same_tables(crm, cm.connect(write_tables("after", together), max_quarantine=1))
    adds_up(crm, {name: len(BASE[name]) + len(batch.get(name, ())) for name in BASE})


def test_steps_one_after_the_other(write_tables: Write) -> None:
    crm = cm.connect(write_tables("before", BASE), max_quarantine=1)
    now: Tables = BASE
    for name in ("parent goes", "twins arrive", "parent arrives", "spoilt", "repaired", "another version"):
        batch, deleted = STEPS[name]
        crm.refresh(write_tables(f"batch {name}", batch) if batch else None, deleted=deleted)
        now = merged(now, batch, deleted)
    now = {**now, "_CEL_CURRENCIES": BASE["_CEL_CURRENCIES"]}
    same_tables(crm, cm.connect(write_tables("after", now), max_quarantine=1))


def test_the_account_says_what_was_what(write_tables: Write) -> None:
    crm = cm.connect(write_tables("before", BASE), max_quarantine=1)
    batch = {
        "Opportunity": rows(
            DEAL,
            "006000000000001, 2024-01-01, Open, 10",
            "006000000000002, 2024-01-02, Won, 20",
            "006000000000003, 2024-01-03, Open, 30",
            "006000000000005, 2024-01-05, Open, five",
        )
    }
    account = crm.refresh(write_tables("batch", batch), deleted={"Opportunity": ["006000000000004"]})
    found = account.filter(scope="table").select(
        "name", "new", "changed", "unchanged", "deleted", "quarantined"
    )
    assert found.rows() == [("Opportunity", 1, 1, 1, 2, 1)]
    quality = crm.tables.quality.filter(table="Opportunity").select(
        "disposition", "reason", "rows", "examples"
    )
    assert quality.rows() == [
        ("used", None, 3, []),
        ("filtered", "deleted since", 2, ["006000000000004AAA"]),
        ("filtered", "identical copy", 1, ["006000000000001AAA"]),
        ("filtered", "replaced by a newer row", 2, ["006000000000002AAA", "006000000000003AAA"]),
        ("quarantined", "Amount is not a number", 1, ["006000000000005"]),
        ("quarantined", "Id is not a Salesforce Id", 1, ["nonsense"]),
    ]


def test_a_table_without_a_key_is_replaced_as_a_whole(write_tables: Write) -> None:
    crm = cm.connect(write_tables("before", BASE), max_quarantine=1)
    fresh = {"_CEL_CURRENCIES": rows("CurrencyIsoCode ConversionRate", "EUR, 0.95", "JPY, 150")}
    account = crm.refresh(write_tables("batch", fresh))
    assert account.filter(name="_CEL_CURRENCIES").select("new", "unchanged").rows() == [(1, 1)]
    same_tables(crm, cm.connect(write_tables("after", {**BASE, **fresh}), max_quarantine=1))


def test_a_table_that_was_not_there_before_is_there_now(write_tables: Write) -> None:
    crm = cm.connect(write_tables("before", {"Opportunity": BASE["Opportunity"][:2]}))
    more = {"OpportunityFieldHistory": BASE["OpportunityFieldHistory"]}
    crm.refresh(write_tables("batch", more))
    after = cm.connect(write_tables("after", {"Opportunity": BASE["Opportunity"][:2], **more}))
    same_tables(crm, after)
    with_parent = rows(DEAL, "006000000000009, 2024-01-09, Open, 9")
    crm.refresh(write_tables("parent", {"Opportunity": with_parent}))
    assert crm.tables.quarantine.is_empty()


BAD: dict[str, tuple[Tables, Mapping[str, Sequence[str]], str]] = {
    "a column is missing": (
        {"Opportunity": rows("Id CreatedDate StageName", "006000000000001, 2024-01-01, Won")},
        {},
        r"Opportunity \(Opportunity.csv\) lacks Amount",
    ),
    "a column is new": (
        {"Opportunity": rows(f"{DEAL} Probability", "006000000000001, 2024-01-01, Won, 1, 5")},
        {},
        "has Probability, not loaded before",
    ),
    "nobody knows the table": ({}, {"Oportunity": ["006000000000001"]}, "'Oportunity'"),
    "no Id": ({}, {"Opportunity": ["x"]}, "deleted names 'x' of Opportunity, which is no Salesforce Id"),
    "both at once": (
        {"Opportunity": rows(DEAL, "006000000000001, 2024-01-01, Won, 1")},
        {"Opportunity": ["006000000000001"]},
        "Opportunity: 006000000000001AAA is supplied and deleted at once",
    ),
    "no key": ({}, {"_CEL_CURRENCIES": ["EUR"]}, "whose rows have no key"),
}


@pytest.mark.parametrize("fault", BAD)
def test_what_does_not_fit_is_refused_and_changes_nothing(fault: str, write_tables: Write) -> None:
    batch, deleted, message = BAD[fault]
    crm = cm.connect(write_tables("before", BASE), max_quarantine=1)
    with pytest.raises(cm.CrmMiningError, match=message):
        crm.refresh(write_tables("batch", batch) if batch else None, deleted=deleted)
    same_tables(crm, cm.connect(write_tables("before", BASE), max_quarantine=1))


def test_too_much_that_cannot_be_trusted_is_refused(write_tables: Write) -> None:
    good = {"Opportunity": BASE["Opportunity"][:2]}
    crm = cm.connect(write_tables("before", good), max_quarantine=0.3)
    bad = {"Opportunity": rows(DEAL, "006000000000005, 2024-01-05, Open, five")}
    with pytest.raises(
        cm.SourceError, match=r"Opportunity \(with the changes\): 1 of 3 rows cannot be trusted"
    ):
        crm.refresh(write_tables("batch", bad))
    same_tables(crm, cm.connect(write_tables("before", good)))


def test_pseudonyms_cannot_be_refreshed(write_tables: Write) -> None:
    crm = cm.connect(write_tables("before", BASE), max_quarantine=1, pseudonymise="a secret of some length")
    con = crm.tables.connection
    kept = (
        con.sql("SELECT count(*) FROM duckdb_tables() WHERE starts_with(table_name, 'waiting')").pl().item()
    )
    assert kept == 0  # no name stays behind
    with pytest.raises(cm.SourceError, match="people are replaced by pseudonyms"):
        crm.refresh(write_tables("batch", BASE))


def test_rows_later_than_the_data_was_taken_are_known_when_it_is_stated_anew(write_tables: Write) -> None:
    good = {"Opportunity": BASE["Opportunity"][:2]}
    more = {"Opportunity": rows(DEAL, "006000000000005, 2024-05-01, Open, 5")}
    crm = cm.connect(write_tables("before", good), extracted_at="2024-02-01")
    crm.refresh(write_tables("batch", more))
    assert f"{crm.clock:%Y-%m-%d}" == "2024-01-02"
    assert any("stamped after extracted_at" in text for text in crm.tables.findings["finding"])
    crm.refresh(extracted_at="2024-06-01")
    assert f"{crm.clock:%Y-%m-%d}" == "2024-05-01"
    assert not any("stamped after extracted_at" in text for text in crm.tables.findings["finding"])


def test_changes_come_from_wherever_a_source_may(write_tables: Write, tmp_path: Path) -> None:
    good = {"Opportunity": BASE["Opportunity"][:2]}
    crm = cm.connect(write_tables("before", good))
    with duckdb.connect(tmp_path / "changes.duckdb") as database:
        database.execute(
            "CREATE TABLE opportunity AS SELECT '006000000000001' AS Id, DATE '2024-01-01' AS CreatedDate, "
            "'Won' AS StageName, 10 AS Amount"
        )
    crm.refresh(tmp_path / "changes.duckdb")
    stage = crm.tables.connection.sql('SELECT StageName FROM crm."Opportunity" ORDER BY Id').pl()["StageName"]
    assert stage.to_list() == ["Won", "Open"]
    assert len(crm.tables.inputs) == 2  # the source, and what changed it

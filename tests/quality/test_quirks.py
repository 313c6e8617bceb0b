"""Dirt that the simulator plants is found and counted as its truth does; where there is none, none is."""

from collections.abc import Callable

import polars as pl
import pytest

from .conftest import Dirty

ONE = (
    *("same_values", "null_text", "no_created_rows", "merged_leads", "person_accounts", "undated_tasks"),
    *("future_dates", "missing_rates", "stale_milestones", "names_only", "orphan_rows"),
)
TWO = (
    *("doubled_rows", "merged_accounts", "deleted_opportunities", "inactive_stage", "bulk_update"),
    "untold_owners",
)
THREE = ("broken_chains", "back_dated", "tracking_began", "unmarked_conversions", "short_ids")
# quirk, the CRM that has it, words of the finding, how the Ids it counts begin
FOUND = (
    ("same_values", ONE, "old and new value are the same", ""),
    ("no_created_rows", ONE, "no row of its creation, though", ""),
    ("merged_leads", ONE, "merged into another record", ""),
    ("person_accounts", ONE, "accounts that are people", ""),
    ("undated_tasks", ONE, "done, but not when", ""),
    ("stale_milestones", ONE, "IsViolated is not what their dates say", ""),
    ("names_only", ONE, "a look-up is told by name alone", ""),
    ("future_dates", ONE, "ActivityDate lies more than five years ahead", "00T"),
    ("future_dates", ONE, "StartDateTime lies more than five years ahead", "00U"),
    ("future_dates", ONE, "ExpirationDate lies more than five years ahead", "0Q0"),
    ("future_dates", ONE, "MessageDate lies more than a day after", "02s"),
    ("doubled_rows", TWO, "exact copy of another row", ""),
    ("merged_accounts", TWO, "merged into another record", ""),
    ("deleted_opportunities", TWO, "deleted (in the recycle bin)", ""),
    ("renamed_values", ("renamed_values",), "in history that no list explains: ", "017"),
    ("bulk_update", TWO, "bulk update: one user changed 20 records", ""),
    ("back_dated", THREE, "created more than a year before any history", ""),
    ("shuffled_chains", ("shuffled_chains",), "several changes of one field in one second", ""),
)


@pytest.mark.parametrize(("quirk", "crm", "words", "prefix"), FOUND)
def test_dirt_is_counted_as_the_truth_does(
    quirk: str, crm: tuple[str, ...], words: str, prefix: str, dirty: Callable[..., Dirty]
) -> None:
    soiled, clean = dirty(*crm), dirty()
    listed = soiled.listed(quirk, prefix)
    # a snapshot shows the former name, too: one of them is not told by field history
    shown = soiled.rows(words, "OpportunityHistory") if quirk == "renamed_values" else 0
    assert soiled.rows(words) - shown == len(listed) > 0
    assert clean.rows(words) == 0


def test_examples_are_three_ids_of_what_was_planted(dirty: Callable[..., Dirty]) -> None:
    soiled = dirty(*ONE)
    for words, quirk in (
        ("old and new value are the same", "same_values"),
        ("accounts that are people", "person_accounts"),
        ("done, but not when", "undated_tasks"),
    ):
        shown = soiled.found.filter(pl.col("finding").str.contains(words))["examples"]
        for examples in shown.to_list():
            assert examples == sorted(set(examples))
            assert 1 <= len(examples) <= 3
            assert set(examples) <= set(soiled.listed(quirk))


def test_rows_that_are_missing_leave_gaps_where_they_were(dirty: Callable[..., Dirty]) -> None:
    """Of the stages of opportunities the snapshots tell what field history lost."""
    soiled = dirty(*THREE)
    gone = len(soiled.listed("broken_chains"))
    gaps = soiled.rows("broken chain")
    assert gaps == 22
    assert soiled.rows("a snapshot shows a change that field history") == 13
    assert gone == gaps + 13
    assert dirty().rows("broken chain") == 0


def test_long_texts_without_values_are_counted_but_for_copies(dirty: Callable[..., Dirty]) -> None:
    """Two rows of one save say the same once: the second is a copy. A clean CRM has 19 of its own."""
    soiled = dirty(*ONE)
    told, copies = soiled.rows("long text: changed"), soiled.rows("exact copy of another row")
    assert (told, copies) == (111, 2)
    assert dirty().rows("long text: changed") == 19
    assert told - 19 + copies == len(soiled.listed("null_text"))


def test_a_field_that_was_tracked_later_is_named_with_its_day(dirty: Callable[..., Dirty]) -> None:
    late = dirty(*THREE).found.filter(pl.col("finding").str.contains("begin much later"))
    said = dict(late.select("table", "finding").rows())
    assert "Rating since 2023-1" in said["LeadHistory"]
    assert "CloseDate since 2023-08" in said["OpportunityFieldHistory"]
    assert dirty().rows("begin much later") == 0


def test_a_stage_no_longer_in_use_and_a_currency_without_rate_are_named(dirty: Callable[..., Dirty]) -> None:
    assert dirty(*TWO).rows("no longer in use: Id. Decision Makers", "OpportunityFieldHistory") == 107
    assert dirty().rows("no longer in use") == 0
    soiled = dirty(*ONE)
    said = soiled.found.filter(pl.col("finding").str.contains("without a rate"))
    assert said.select("root", "rows").rows() == [
        ("Opportunity", 7)
    ]  # six in francs, one in a month without a rate
    assert len(soiled.listed("missing_rates")) == 6
    assert dirty().rows("without a rate") == 0


def test_orphans_are_quarantined_and_say_what_that_means(dirty: Callable[..., Dirty]) -> None:
    soiled = dirty(*ONE)
    orphans = soiled.crm.quality("lead").filter(pl.col("reason").str.contains("names no known"))
    assert int(orphans["rows"].sum()) == len(soiled.listed("orphan_rows")) == 20
    assert set(orphans["effect"]) == {"what it tells of a record that is not there is in no figure"}
    assert set(orphans["done"]) == {"in quarantine, with its values"}


def test_a_renamed_status_is_a_synonym_in_the_log(dirty: Callable[..., Dirty]) -> None:
    words = pl.col("reason").str.starts_with("synonymous labels")
    found = dirty("renamed_values").crm.quality("lead").filter(words)
    assert "'Status: On Hold'" in found["reason"].item()
    assert dirty().crm.quality("lead").filter(words).is_empty()

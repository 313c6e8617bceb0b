"""Tables kept in a file are those that were loaded, to whoever opens them; there they cannot be written."""

from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from polars.testing import assert_frame_equal

import crmmining as cm
from crmmining import sources, tables
from crmmining.opening import Opened

Write = Callable[..., Path]
ROOTS = {"Account", "Lead", "Opportunity", "Case"}


@pytest.fixture(scope="module")
def reopened(
    tmp_path_factory: pytest.TempPathFactory, sample: cm.Crm, sample_folder: Path
) -> Iterator[cm.Crm]:
    """The sample, kept in a file and opened from there."""
    file, catalogue = tmp_path_factory.mktemp("kept") / "tables.duckdb", sample.definitions
    with duckdb.connect(file) as writing:
        tables.keep(tables.load(sources.read(sample_folder), catalogue.source, writing, roots=ROOTS))
    with duckdb.connect() as reading:
        reading.execute(f"ATTACH '{file}' AS kept (READ_ONLY)")
        found = Opened(tables.reopen(reading, "kept", catalogue.source), "sample", sources.AS_IT_IS, None)
        yield cm.Crm(found, catalogue)


def test_nothing_that_is_known_of_tables_is_lost(sample: cm.Crm, reopened: cm.Crm) -> None:
    one, other = sample.tables, reopened.tables
    for name in ("quality", "findings", "clocks", "quarantine"):
        assert_frame_equal(getattr(other, name), getattr(one, name))
    assert (other.clock, other.extracted_at, other.pseudonymised) == (one.clock, None, False)
    assert (other.columns, other.inputs) == (one.columns, one.inputs)


def test_logs_states_and_accounts_are_the_same(sample: cm.Crm, reopened: cm.Crm) -> None:
    as_of = "2024-06-30"
    for process in sample.processes:
        one, other = (crm.event_log(process, as_of=as_of) for crm in (sample, reopened))
        assert_frame_equal(other.events, one.events)
        assert_frame_equal(other.cases, one.cases)
    assert_frame_equal(reopened.quality(as_of=as_of), sample.quality(as_of=as_of))
    assert_frame_equal(reopened.state("Opportunity", at=as_of), sample.state("Opportunity", at=as_of))
    assert_frame_equal(reopened.coverage(as_of=as_of), sample.coverage(as_of=as_of))


def test_evidence_is_found_again(sample: cm.Crm, reopened: cm.Crm) -> None:
    row = sample.event_log("lead").events["source_id"][0]
    assert_frame_equal(reopened.evidence("lead", row), sample.evidence("lead", row))


def test_what_is_kept_cannot_be_written(reopened: cm.Crm) -> None:
    with pytest.raises(duckdb.Error, match="read-only"):
        reopened.tables.connection.execute("DELETE FROM kept.crm.Account")


def test_a_file_without_kept_tables_is_refused(sample: cm.Crm) -> None:
    with (
        duckdb.connect() as empty,
        pytest.raises(cm.CrmMiningError, match="the kept tables cannot be read: Catalog Error"),
    ):
        tables.reopen(empty, "memory", sample.definitions.source)


def test_the_facts_of_a_supply_change_with_any_byte(sample: cm.Crm, write: Write) -> None:
    head = "Id,CreatedDate,StageName"
    texts = ["006q000000HddohAAB,2024-01-01,New", "006q000000HddohAAB,2024-01-01,Old"]
    spec = sample.definitions.source
    one, same, other = (
        tables.judge(sources.read(write(folder, Opportunity=[head, text])), spec).facts
        for folder, text in (("one", texts[0]), ("same", texts[0]), ("other", texts[1]))
    )
    assert one == same
    assert one != other

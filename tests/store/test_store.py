"""A store gives what its source gives, opened instead of loaded; what does not fit is replaced or refused."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import crmmining as cm
from crmmining import batch, tables
from crmmining.extract import adding
from crmmining.store import keeping

Make = Callable[..., Path]


@pytest.fixture
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory for no more than 3,000 rows per bucket."""
    monkeypatch.setattr(keeping, "_BYTES_PER_ROW", int(1.5 * 2**30) // 3000)


@pytest.fixture
def nothing_loads(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From when it is called, neither tables are read nor logs told."""

    def forbid() -> None:
        monkeypatch.setattr(tables, "load", None)
        monkeypatch.setattr(adding, "tell", None)

    return forbid


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "timings.json"
    }


@pytest.mark.usefixtures("few_rows")
def test_a_run_with_a_store_writes_the_same_bytes(
    sample: cm.Crm, sample_folder: Path, tmp_path: Path, nothing_loads: Callable[[], None]
) -> None:
    order = batch.Order(process=["lead"], by=["region"], period="quarter", report=False)
    plain = contents(batch.run(sample, tmp_path / "plain", order))
    first = cm.connect(sample_folder, store=tmp_path / "store")
    assert contents(batch.run(first, tmp_path / "first", order)) == plain
    assert len(first.event_log("lead").partitions) == 5
    nothing_loads()
    again = cm.connect(sample_folder, store=tmp_path / "store")
    assert contents(batch.run(again, tmp_path / "again", order)) == plain
    alone = cm.connect(tmp_path / "store")
    assert contents(batch.run(alone, tmp_path / "alone", order)) == plain


def test_a_log_of_an_earlier_moment_is_stored_beside(
    sample: cm.Crm, sample_folder: Path, tmp_path: Path, nothing_loads: Callable[[], None]
) -> None:
    crm = cm.connect(sample_folder, store=tmp_path)
    for as_of in (None, "2024-06-30"):
        crm.event_log("lead", as_of=as_of)
    nothing_loads()
    for as_of in (None, "2024-06-30"):
        log = cm.connect(tmp_path).event_log("lead", as_of=as_of)
        assert_frame_equal(log.events, sample.event_log("lead", as_of=as_of).events)
    names = sorted(path.name[:21] for path in (tmp_path / "logs").iterdir())
    assert names == ["lead-20240630T000000Z", "lead-20251231T231429Z"]


def test_a_folder_may_be_called_like_a_pattern(crm: Make, tmp_path: Path) -> None:
    store = tmp_path / "it's [old]"
    assert cm.connect(crm("a"), store=store).state("Opportunity").height == 1
    assert cm.connect(store).state("Opportunity").height == 1


def test_groups_are_withheld_as_asked_for_when_opened(crm: Make, tmp_path: Path) -> None:
    cm.connect(crm("a"), store=tmp_path / "store").event_log("opportunity")
    opened = cm.connect(tmp_path / "store", minimum_group=5)
    assert opened.event_log("opportunity").minimum_group == 5


def test_another_source_takes_the_place_of_the_one_before(crm: Make, tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert cm.connect(crm("a"), store=store).event_log("opportunity").cases.height == 1
    (before,) = store.glob("tables-*")
    assert cm.connect(crm("a", "b"), store=store).event_log("opportunity").cases.height == 2
    (now,) = store.glob("tables-*")
    assert now.name != before.name
    assert len(list((store / "logs").iterdir())) == 1
    assert cm.connect(store).event_log("opportunity").cases.height == 2


@pytest.mark.parametrize(
    "options",
    [
        {"max_quarantine": 0.5},
        {"datetime_format": "%d.%m.%Y"},
        {"extracted_at": "2024-03-01"},
        {"pseudonymise": "a key of sixteen bytes or more"},
    ],
)
def test_another_way_of_reading_makes_another_store(
    crm: Make, tmp_path: Path, options: dict[str, str | float]
) -> None:
    source, store = crm("a"), tmp_path / "store"
    cm.connect(source, store=store)
    (before,) = store.glob("tables-*")
    cm.connect(source, store=store, **options)  # type: ignore[arg-type]
    (now,) = store.glob("tables-*")
    assert now.name != before.name


def test_of_replaced_people_nothing_is_kept(crm: Make, tmp_path: Path) -> None:
    key = "a key of sixteen bytes or more"
    opened = cm.connect(crm("Ada"), store=tmp_path / "store", pseudonymise=key)
    opened.event_log("opportunity")
    assert opened.tables.pseudonymised
    kept = contents(tmp_path / "store")
    assert not [name for name, content in kept.items() if b"Hopper" in content or key.encode() in content]
    assert cm.connect(tmp_path / "store").tables.pseudonymised


def test_changed_definitions_tell_the_log_anew(crm: Make, tmp_path: Path) -> None:
    source, store, own = crm("a"), tmp_path / "store", tmp_path / "own" / "salesforce"
    own.mkdir(parents=True)
    cm.connect(source, store=store).event_log("opportunity")
    (own / "opportunity.toml").write_text('[stages]\n"*" = ["New", "Closed Won"]\n' if False else "")
    (own / "opportunity.toml").write_text('title = "Deals"\n')
    log = cm.connect(store, extractors=[own.parent]).event_log("opportunity")
    assert log.process.title == "Deals"
    assert len(list((store / "logs").iterdir())) == 2


def test_a_store_of_other_definitions_of_tables_is_refused_alone(crm: Make, tmp_path: Path) -> None:
    source, store, own = crm("a"), tmp_path / "store", tmp_path / "own" / "salesforce"
    own.mkdir(parents=True)
    cm.connect(source, store=store)
    (own / "source.toml").write_text('[org]\ntime_zone = "Europe/Berlin"\n')
    with pytest.raises(
        cm.CrmMiningError,
        match=r"was made under other definitions of the tables of 'salesforce' \(source.toml",
    ):
        cm.connect(store, extractors=[own.parent])
    made = cm.connect(source, store=store, extractors=[own.parent])
    assert made.definitions.source.org.time_zone == "Europe/Berlin"


def spoil(store: Path, what: str) -> None:
    manifest = store / "store.json"
    (file,) = store.glob("tables-*")
    if what == "format":
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": 9}))
    elif what == "gone":
        file.unlink()
    elif what == "cut":
        file.write_bytes(file.read_bytes()[:-100])
    else:
        file.write_bytes(b"?" * file.stat().st_size)


SPOILT = [
    ("format", "is a store of format 9; this version reads 1: make it again from its source"),
    ("gone", r"is a damaged store: tables-\w+\.duckdb is missing"),
    ("cut", r"is a damaged store: tables-\w+\.duckdb has [\d,]+ bytes, not [\d,]+"),
]


@pytest.mark.parametrize(
    ("what", "said"), [*SPOILT, ("overwritten", "cannot be read as kept tables: IO Error")]
)
def test_what_is_damaged_or_of_another_format_is_refused_alone(
    crm: Make, tmp_path: Path, what: str, said: str
) -> None:
    cm.connect(crm("a"), store=tmp_path / "store")
    spoil(tmp_path / "store", what)
    with pytest.raises(cm.CrmMiningError, match=said):
        cm.connect(tmp_path / "store")


@pytest.mark.parametrize("what", [what for what, _ in SPOILT])
def test_with_its_source_it_is_made_anew(crm: Make, tmp_path: Path, what: str) -> None:
    source = crm("a")
    cm.connect(source, store=tmp_path / "store")
    spoil(tmp_path / "store", what)
    assert cm.connect(source, store=tmp_path / "store").event_log("opportunity").cases.height == 1
    assert cm.connect(tmp_path / "store").event_log("opportunity").cases.height == 1


def test_a_damaged_log_is_told_again(crm: Make, tmp_path: Path) -> None:
    cm.connect(crm("a"), store=tmp_path / "store").event_log("opportunity")
    (events,) = (tmp_path / "store" / "logs").rglob("events-*")
    events.unlink()
    assert cm.connect(tmp_path / "store").event_log("opportunity").events.height == 2


def test_a_store_may_be_named_twice(crm: Make, tmp_path: Path) -> None:
    cm.connect(crm("a"), store=tmp_path / "store")
    assert cm.connect(tmp_path / "store", store=tmp_path / "store").source == "a"


def test_a_store_is_no_source_of_another(crm: Make, tmp_path: Path) -> None:
    cm.connect(crm("a"), store=tmp_path / "store")
    with pytest.raises(cm.CrmMiningError, match="is a store itself: open it without another one"):
        cm.connect(tmp_path / "store", store=tmp_path / "other")


def test_options_of_reading_say_nothing_of_a_store(crm: Make, tmp_path: Path) -> None:
    cm.connect(crm("a"), store=tmp_path / "store")
    with pytest.raises(cm.CrmMiningError, match="is a store, whose tables were read already: table_names"):
        cm.connect(tmp_path / "store", table_names="sf_{}")


@pytest.mark.parametrize("memory", ["much", "-1GiB", ""])
@pytest.mark.parametrize("store", [None, "store"])
def test_memory_is_an_amount(crm: Make, tmp_path: Path, memory: str, store: str | None) -> None:
    place = store and tmp_path / store
    with pytest.raises(
        cm.CrmMiningError, match=f"memory is '{memory}', but must be an amount such as 1.5GiB"
    ):
        cm.connect(crm("a"), memory=memory, store=place)


def test_what_spilled_goes_with_the_connection(crm: Make, tmp_path: Path) -> None:
    opened = cm.connect(crm("a"), store=tmp_path / "store")
    assert len(list((tmp_path / "store").glob("spilled-*"))) == 1
    opened.event_log("opportunity")
    del opened
    names = {path.name[:7] for path in (tmp_path / "store").iterdir()}
    assert names == {"lock", "logs", "store.j", "tables-"}


def test_a_log_is_read_partition_by_partition(sample_folder: Path, tmp_path: Path) -> None:
    log = cm.connect(sample_folder, store=tmp_path).event_log("lead")
    assert isinstance(log.events, pl.DataFrame)
    assert [part.cases.height for part in log.partitions] == [352]


def test_little_memory_means_few_threads(crm: Make, tmp_path: Path) -> None:
    opened = cm.connect(crm("a"), store=tmp_path / "store", memory="400MiB")
    asked = "SELECT current_setting('threads'), current_setting('memory_limit')"
    assert opened.tables.connection.sql(asked).pl().row(0) == (1, "400.0 MiB")

"""The eleven patterns on logs made by hand: each is seen where it is planted, none in a spotless log."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from crmmining.definitions import Process
from crmmining.eventlog import EventLog, Partition, partition
from crmmining.imperfections import PATTERNS, imperfections
from crmmining.kernels import coding

T0 = datetime(2024, 1, 1, tzinfo=UTC)
PROCESS = Process.model_validate(
    {
        "name": "deal",
        "title": "Deals",
        "sql": "",
        "root": "Deal",
        "requires": [],
        "ends": ["won"],
        "paths": {"Deal": "Id", "History": "DealId"},
        "activities": {
            name: {"table": "Deal", "field": "x", "timestamp": "x", "rule": "x"}
            for name in ("Create", "Stage: *", "Win", "Call", "Merge", "Convert")
        },
        "milestones": {
            "created": ["Create"],
            "won": ["Win"],
            "merged": ["Merge"],
            "lead_converted": ["Convert"],
        },
        "sets": {"core": ["Create", "Stage: *", "Win"]},
    }
)
Event = tuple[str, str, str, float]  # source Id, case, activity, hour


def a_log(
    events: Sequence[Event | tuple[str, str, str, float, Mapping[str, Any]]],
    kinds: Mapping[str, str] | None = None,
    *,
    born: float = 0,
    process: Process = PROCESS,
    lost: int = 0,
) -> EventLog:
    """Events of user `ann`, each a save of its own, recorded when they happened, unless told otherwise."""
    rows = []
    for number, (source, case, activity, hour, *rest) in enumerate(events):
        more = rest[0] if rest else {}
        rows.append(
            {
                "case_id": case,
                "activity": activity,
                "occurred_at": T0 + timedelta(hours=hour),
                "recorded_at": T0 + timedelta(hours=more.get("recorded", hour)),
                "actor": more.get("actor", "ann"),
                "rank": 0,
                "source_table": "History",
                "source_id": source,
                "change_set": more.get("save", number),
                "date_only": more.get("date_only", False),
            }
        )
    flat = pl.DataFrame(rows).with_columns(
        pl.col("occurred_at", "recorded_at").cast(pl.Datetime("us", "UTC")),
        pl.col("actor").cast(pl.Categorical()),
        pl.col("source_table").cast(pl.Enum(["Deal", "History"])),
        pl.col("change_set").cast(pl.UInt32),
    )
    ids = sorted(set(flat["case_id"]))
    cases = pl.DataFrame(
        {
            "case_id": ids,
            "created_at": [T0 + timedelta(hours=born)] * len(ids),
            "truncated": [False] * len(ids),
        },
        schema_overrides={"created_at": pl.Datetime("us", "UTC")},
    )
    if kinds is not None:
        cases = cases.with_columns(record_type=pl.Series([kinds.get(case) for case in ids], dtype=pl.String))
    coded = coding.code(flat, cases=cases["case_id"])
    quality = pl.DataFrame(
        {
            "table": ["deal events"] * 2,
            "disposition": ["used", "filtered"],
            "reason": [None, "case deleted or unknown"],
            "rows": [len(rows), lost],
            "examples": [[], ["x2", "x9"] if lost else []],
        }
    )
    whole = partition(process, coded, cases)
    return EventLog(process, T0 + timedelta(days=900), coded.activities, (whole,), quality)


def seen(log: EventLog, pattern: str) -> tuple[int | None, list[str], str]:
    found = imperfections(log).filter(pl.col("pattern") == pattern)
    return found["rows"].item(), found["examples"].item().to_list(), found["finding"].item()


def line(case: str, *steps: str, start: float = 0, gap: float = 10) -> list[Event]:
    """A case with a step every ten hours."""
    return [(f"{case}{number}", case, step, start + number * gap) for number, step in enumerate(steps)]


SPOTLESS = [
    *line("a", "Create", "Stage: Talk", "Call", "Win"),
    *line("b", "Create", "Stage: Talk", "Stage: Offer", "Win", start=5),
]


def test_a_spotless_log_shows_none_and_says_what_it_cannot_show() -> None:
    found = imperfections(a_log(SPOTLESS))
    assert found["pattern"].to_list() == list(PATTERNS)
    assert len(PATTERNS) == 11
    unseen = found.filter(pl.col("rows").is_null())
    assert unseen.select("pattern", "finding").rows() == [
        ("homonymous label", "cannot be seen here: the cases have no record types to compare")
    ]
    assert found["rows"].drop_nulls().to_list() == [0] * 10
    assert found["effect"].null_count() == found["done"].null_count() == 0


def test_form_based_event_capture_counts_events_of_shared_saves() -> None:
    shared: Mapping[str, Any] = {"save": 99}
    log = a_log([*SPOTLESS, ("h2", "a", "Call", 25, shared), ("h1", "a", "Stage: Offer", 25, shared)])
    assert seen(log, "form-based event capture") == (
        2,
        ["h1", "h2"],
        "2 events that one save told together with others",
    )


@pytest.mark.parametrize(
    ("hour", "more", "rows"),
    [
        (-24, {"recorded": 30}, 1),  # entered, and before the case began
        (-24, {}, 0),  # recorded as it happened: what came before the case is no slip
        (24, {"recorded": 30}, 0),  # entered, within the case
    ],
)
def test_inadvertent_time_travel_is_an_entered_time_before_the_case(
    hour: float, more: Mapping[str, float], rows: int
) -> None:
    log = a_log([*SPOTLESS, ("late", "a", "Call", hour, more)])
    assert seen(log, "inadvertent time travel")[:2] == (rows, ["late"] * rows)


def test_what_a_conversion_brought_along_did_not_travel() -> None:
    brought: list[Any] = [("t", "a", "Call", -24, {"recorded": 30}), ("c", "a", "Convert", 30)]
    assert seen(a_log([*SPOTLESS, *brought]), "inadvertent time travel")[0] == 0


def test_unanchored_events_are_those_of_which_only_the_day_is_known() -> None:
    log = a_log([*SPOTLESS, ("d", "b", "Call", 47, {"date_only": True})])
    assert seen(log, "unanchored event")[:2] == (1, ["d"])


def test_scattered_events_share_the_row_that_tells_them() -> None:
    log = a_log([*SPOTLESS, ("s", "a", "Call", 41), ("s", "a", "Call", 47), ("s", "b", "Call", 47)])
    assert seen(log, "scattered event")[:2] == (2, ["s"])


def test_elusive_cases_are_told_by_the_account() -> None:
    assert seen(a_log(SPOTLESS, lost=4), "elusive case") == (
        4,
        ["x2", "x9"],
        "4 events of no case, or of one that is deleted or unknown",
    )


def test_scattered_cases_were_merged() -> None:
    log = a_log([*SPOTLESS, ("m1", "b", "Merge", 50), ("m2", "b", "Merge", 70)])
    assert seen(log, "scattered case")[:2] == (1, ["b"])


def test_a_process_without_merges_cannot_show_scattered_cases() -> None:
    words = {word: names for word, names in PROCESS.milestones.items() if word != "merged"}
    log = a_log(SPOTLESS, process=PROCESS.model_copy(update={"milestones": words}))
    assert seen(log, "scattered case") == (
        None,
        [],
        "cannot be seen here: the process has no milestone 'merged'",
    )


@pytest.mark.parametrize(
    ("after", "more", "rows"),
    [(10, {}, 1), (11, {}, 0), (5, {"actor": "bob"}, 0), (5, {"save": 2}, 0)],
)
def test_collateral_events_follow_within_ten_seconds_by_the_same_user(
    after: int, more: Mapping[str, Any], rows: int
) -> None:
    """The event at hour 20 is save 2."""
    log = a_log([*SPOTLESS, ("again", "a", "Call", 20 + after / 3600, more)])
    assert seen(log, "collateral events")[:2] == (rows, ["again"] * rows)


@pytest.mark.parametrize(
    ("label", "rows"),
    [
        ("Stage: Renewal 2024-117", 1),
        ("Stage: due 3/4/24", 1),
        ("Stage: 0065e0000000004AAA", 1),
        ("Stage: ann@example.org", 1),
        ("Stage: Stage 2 of 3", 0),
        ("Stage: Qualification of needs", 0),
        ("Stage: Needsassessments", 0),
    ],
)
def test_polluted_labels_hold_what_belongs_to_one_case(label: str, rows: int) -> None:
    log = a_log([*SPOTLESS, ("p", "a", label, 25)])
    assert seen(log, "polluted label")[:2] == (rows, ["p"] * rows)
    assert ("'" + label + "'" in seen(log, "polluted label")[2]) == bool(rows)


def test_distorted_labels_are_the_rarer_spellings() -> None:
    log = a_log([*SPOTLESS, ("x", "a", "Stage: talk", 25), ("y", "b", "Stage: T a l k!", 26)])
    rows, examples, finding = seen(log, "distorted label")
    assert (rows, examples) == (2, ["x", "y"])
    assert finding == "2 events under a second spelling of an activity: 'Stage: T a l k!', 'Stage: talk'"


def test_synonymous_labels_give_way_to_each_other() -> None:
    old = [row for n in range(10) for row in line(f"o{n}", "Create", "Stage: Hold", "Win", start=n)]
    new = [row for n in range(10) for row in line(f"n{n}", "Create", "Stage: Pause", "Win", start=1000 + n)]
    rows, examples, finding = seen(a_log([*old, *new]), "synonymous labels")
    assert (rows, examples) == (10, ["o01", "o11", "o21"])
    assert finding.endswith("replaced: 'Stage: Hold'")


@pytest.mark.parametrize("start", [0, 3000], ids=["at the same time", "after more than 92 days"])
def test_labels_that_do_not_follow_each_other_are_no_synonyms(start: float) -> None:
    old = [row for n in range(10) for row in line(f"o{n}", "Create", "Stage: Hold", "Win", start=n)]
    new = [row for n in range(10) for row in line(f"n{n}", "Create", "Stage: Pause", "Win", start=start + n)]
    assert seen(a_log([*old, *new]), "synonymous labels")[0] == 0


@pytest.mark.parametrize(("first", "rows"), [("Stage: Meet", 20), ("Create", 0)])
def test_homonymous_labels_stand_elsewhere_in_each_record_type(first: str, rows: int) -> None:
    """New business is worked on right after the creation, renewals after a meeting and before an offer."""
    new = [row for n in range(10) for row in line(f"n{n}", "Create", "Stage: Work", "Win")]
    steps = ("Create", "Stage: Meet", "Stage: Work", "Stage: Offer")
    renewals = [row for n in range(10) for row in line(f"r{n}", *(steps if rows else (first, *steps[2:])))]
    kinds = {row[1]: ("New" if row[1].startswith("n") else "Renewal") for row in [*new, *renewals]}
    assert seen(a_log([*new, *renewals], kinds), "homonymous label")[0] == rows


def test_a_label_does_not_replace_itself() -> None:
    """All of one mass update lie at one instant."""
    rows = [
        row for n in range(20) for row in (*line(f"c{n}", "Create"), (f"m{n}", f"c{n}", "Stage: Mass", 99))
    ]
    assert seen(a_log(rows), "synonymous labels")[0] == 0


def test_partitions_do_not_change_what_is_seen() -> None:
    log = a_log([*SPOTLESS, ("m1", "b", "Merge", 50), ("d", "b", "Call", 47, {"date_only": True})])
    (whole,) = log.partitions
    halves = []
    for place in range(2):
        mine = whole.cases["case_ix"] == place
        events = whole.events.filter(mine.gather(whole.events["case_ix"]))
        cases = whole.cases.filter(mine).with_columns(case_ix=pl.lit(0, pl.UInt32))
        own = events.with_columns(case_ix=pl.lit(0, pl.UInt32))
        halves.append(Partition(own, cases, whole.values))
    split = EventLog(log.process, log.as_of, log.activities, tuple(halves), log.quality)
    assert imperfections(split).equals(imperfections(log))

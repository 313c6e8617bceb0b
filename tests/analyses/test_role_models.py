"""Role models: comparisons at a landmark, by hand; nothing later enters; planted truths are found."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import polars as pl
import pytest
from tests.conftest import DEAL, day, log_of

import crmmining as cm
from crmmining import analyses
from crmmining.analyses.role_models import _with_peers

COUNTS = ("value", "n", "open", "hits")


def told(found: pl.DataFrame, trait: str) -> list[tuple[Any, ...]]:
    return found.filter(trait=trait).sort("value", nulls_last=True).select(COUNTS).rows()


asked = partial(analyses.role_models, landmark="1d", within="4d", follow_up="2d", least=1)


EVENTS: list[tuple[str, str, float]] = [
    *[(case, "Create", 1.0) for case in "abcdefgh"],
    ("i", "Create", 15.0),  # its time is not over on day 20
    ("j", "Create", 19.5),  # has not reached its landmark
    ("a", "Win", 3), ("a", "Call", 1.5),
    ("b", "Win", 6), ("b", "Call", 1.5), ("b", "Call", 1.7),  # on the last day
    ("c", "Win", 6.5),  # too late
    ("d", "Win", 3), ("d", "Reopen", 5),  # reopened in time
    ("e", "Win", 3), ("e", "Reopen", 5.5),  # reopened later on
    ("f", "Lose", 3), ("f", "Win", 4),  # first ended otherwise
    ("g", "Win", 1.5),  # ended before the landmark
    ("h", "Call", 2.5),  # after it
]  # fmt: skip


def test_by_hand() -> None:
    found = asked(log_of(EVENTS, {"h": {"truncated": True}}, as_of=20))
    first = found.row(0, named=True)
    # hits: a, b, e; not c, d, f; excluded: g and h; open: i, j
    assert (first["trait"], first["n"], first["hits"], first["open"], first["excluded"]) == (None, 6, 3, 2, 2)
    assert told(found, "touched") == [("0", 4, 1, 1), ("1", 1, 0, 1), ("2 or more", 1, 0, 1)]
    rare = told(asked(log_of(EVENTS, as_of=20), least=2), "touched")
    assert rare == [("0", 5, 1, 1), ("1 or more", 2, 0, 2)]
    lost = asked(log_of(EVENTS, as_of=20), goal="lost").row(0, named=True)
    assert (lost["n"], lost["hits"]) == (7, 1)


def test_nothing_later_enters() -> None:
    events = [
        (case, name, at)
        for case in "abcdefgh"
        for name, at in (("Create", 1), ("Win", 3 if case < "e" else 9))
    ]
    fast = {
        case: {"region": "fast" if case < "e" else "slow", "country": "fast" if case < "e" else "slow"}
        for case in "abcdefgh"
    }
    # Both columns tell the outcome: region was changed when it was known, country has no history at all.
    changes = [
        row
        for case in "abcdefgh"
        for row in ((case, "region", 1, "new"), (case, "region", 2.5, fast[case]["region"]))
    ]
    changes += [("a", "region", 1.5, "old")]
    log = log_of(events, fast, as_of=30, changes=sorted(changes, key=lambda row: row[2]))
    found = asked(log)
    assert told(found, "region") == [("new", 7, 0, 3), ("old", 1, 0, 1)]
    assert "country" not in found["trait"].to_list()
    assert told(asked(log, fixed="country"), "country") == [("fast", 4, 0, 4), ("slow", 4, 0, 0)]


def test_what_was_recorded_later_was_not_known() -> None:
    events = [(case, name, at) for case in "abcd" for name, at in (("Create", 1), ("Call", 1.5), ("Win", 3))]
    log = log_of([*events, ("e", "Create", 1), ("e", "Win", 3)], as_of=30)
    assert told(asked(log), "touched") == [("0", 1, 0, 1), ("1", 4, 0, 4)]
    (part,) = log.partitions
    late = pl.when(pl.col("case_ix") < 2).then(pl.lit(day(2.5))).otherwise("recorded_at")
    later = type(part)(part.events.with_columns(recorded_at=late), part.cases, part.values)
    assert told(asked(replace(log, partitions=(later,))), "touched") == [("0", 3, 0, 3), ("1", 2, 0, 2)]


def test_a_first_response_that_a_later_answer_takes_back_was_none() -> None:
    words = {"responded": ("First Response",), "replied": ("First Response", "Reply"), "kept": ("Complete",)}
    activity = DEAL.activities["Call"]
    process = DEAL.model_copy(
        update={
            "milestones": {**DEAL.milestones, **words},
            "activities": {
                **DEAL.activities,
                **dict.fromkeys(("First Response", "Reply", "Complete"), activity),
            },
        }
    )
    events: list[tuple[str, str, float]] = [
        *[(case, name, at) for case in "abcd" for name, at in (("Create", 1.0), ("Win", 3.0))],
        ("a", "Complete", 1.5), ("a", "First Response", 1.5),  # of one row, and no answer later
        ("b", "Complete", 1.5), ("b", "First Response", 2.5),  # an answer has taken its place since
        ("c", "First Response", 1.5), ("c", "Reply", 1.6),
    ]  # fmt: skip
    log = log_of(events, process=process, as_of=30)
    (part,) = log.partitions
    of_milestone = pl.col("occurred_at").eq(day(1.5)) & (pl.col("case_ix") < 2)
    row = pl.when(of_milestone).then(pl.lit("milestone")).otherwise(pl.int_range(pl.len()).cast(pl.String))
    rows = type(part)(part.events.with_columns(source_id=row), part.cases, part.values)
    found = asked(replace(log, partitions=(rows,)))
    assert "responded" not in found["trait"].to_list()
    assert told(found, "replied") == [("0", 3, 0, 3), ("2 or more", 1, 0, 1)]
    assert told(found, "kept") == [("0", 2, 0, 2), ("1", 2, 0, 2)]


def test_small_values_stand_together() -> None:
    regions = ["a"] * 5 + ["b"] * 4 + ["c"] * 2 + ["d"]
    events = [(f"{n:02}", name, at) for n in range(12) for name, at in (("Create", 1), ("Win", 3))]
    cases = {f"{n:02}": {"region": region} for n, region in enumerate(regions)}

    def pools(least: int, people: Sequence[str] = (), minimum: int | None = None) -> list[tuple[Any, ...]]:
        process = DEAL.model_copy(update={"people": tuple(people)})
        log = replace(log_of(events, cases, process=process, as_of=30), minimum_group=minimum)
        found = asked(log, least=least, fixed=["region"]).filter(trait="region")
        return found.sort("value", nulls_last=True).select("value", "values", "n").rows()

    assert pools(3) == [("a", 1, 5), ("b", 1, 4), (None, 2, 3)]
    assert pools(4) == [("a", 1, 5), (None, 3, 7)]  # three of them would be too few
    assert pools(1, ["region"], minimum=4) == pools(4)
    assert pools(8) == []  # all together is no comparison


def test_the_interval_of_a_difference() -> None:
    # Newcombe (1998), table II, method 10: 56 of 70 against 48 of 80
    rows = pl.DataFrame({"n": [70], "hits": [56], "all_n": [150], "all_hits": [104]})
    found = _with_peers(rows).row(0, named=True)
    assert (found["peers_n"], found["difference"]) == (80, pytest.approx(0.2))
    assert (found["low"], found["high"]) == (pytest.approx(0.0524, abs=1e-4), pytest.approx(0.3339, abs=1e-4))


def test_the_strongest_evidence_comes_first(sample: cm.Crm) -> None:
    found = asked(sample.event_log("case"), least=20).filter(pl.col("trait").is_not_null())
    evidence = found.select(pl.max_horizontal("low", -pl.col("high"))).to_series()
    assert evidence.is_sorted(descending=True)


def test_planted_truths_are_found(planted_cases: cm.EventLog) -> None:
    found = analyses.role_models(planted_cases, fixed=["product"], within="30d")
    by_value = {row["value"]: row for row in found.iter_rows(named=True)}
    assert by_value["APAC"]["high"] < 0  # handled in a slow region
    assert by_value["Connector Pack"]["high"] < 0  # reopened more often
    products = found.filter(pl.col("trait") == "product", pl.col("value") != "Connector Pack")
    assert products.filter(pl.col("high") < 0).is_empty()
    first = found.row(0, named=True)
    assert first["n"] + first["open"] + first["excluded"] == planted_cases.sizes[0]


@pytest.mark.parametrize("span", ["soon", "1", "d", "0d", timedelta(0)])
def test_spans(span: str | timedelta) -> None:
    with pytest.raises(cm.CrmMiningError, match="landmark is"):
        asked(log_of(EVENTS), landmark=span)
    assert asked(log_of(EVENTS), landmark=timedelta(days=1)).equals(asked(log_of(EVENTS), landmark="24h"))


def test_unknown_words() -> None:
    with pytest.raises(cm.UnknownNameError, match="unknown end 'won!'"):
        asked(log_of(EVENTS), goal="won!")
    with pytest.raises(cm.UnknownNameError, match="unknown segment 'contry'"):
        asked(log_of(EVENTS), fixed=["contry"])
    with pytest.raises(cm.CrmMiningError, match="process 'deal' has no ends"):
        asked(log_of(EVENTS, process=DEAL.model_copy(update={"ends": ()})))

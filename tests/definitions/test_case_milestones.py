"""Milestones of a case: begun, completed, violated, as of any moment and whatever their flag says."""

from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from .case_tables import ANA, history, tell

Extract = Callable[..., Any]
Connection = duckdb.DuckDBPyConnection
MILESTONE = (
    "Id CaseId MilestoneTypeId CreatedDate StartDate TargetDate CompletionDate IsCompleted IsViolated "
    "StoppedTimeInMins IsDeleted"
)
LATER = "2024-02-01"
TYPES = ["Id Name", ("T", "Resolution"), ("F", "first response")]


def milestone(
    id_: str = "m",
    *,
    kind: str = "T",
    created: str = "01 09:00",
    start: str | None = "01 09:00",
    target: str | None = "03 09:00",
    completed: str | None = None,
    done: bool | None = None,
    violated: bool = False,
    stopped: int | None = None,
    deleted: bool = False,
) -> tuple[Any, ...]:
    moments = (None if moment is None else f"2024-01-{moment}" for moment in (start, target, completed))
    is_done = completed is not None if done is None else done
    return id_, "C", kind, f"2024-01-{created}", *moments, is_done, violated, stopped, deleted


def test_a_violation_is_recomputed_and_happens_at_the_target(
    extract: Extract, connection: Connection
) -> None:
    rows = [
        milestone("in time, the flag is wrong", completed="02 09:00", violated=True),
        milestone("at the target", completed="03 09:00"),
        milestone("late, the flag is stale", completed="04 09:00"),
        milestone("open and overdue"),
        milestone("completed at an unknown moment", done=True),
        milestone("without a target", target=None),
        milestone("stopped for two days", completed="05 09:00", target="05 10:00", stopped=2880),
    ]
    told = tell(
        extract, connection, {"MilestoneType": TYPES, "CaseMilestone": [MILESTONE, *rows]}, as_of=LATER
    )
    assert told.events()[1:8] == [
        ("01-01 09:00", "Start Milestone", row) for row in sorted(name for name, *_ in rows)
    ]
    assert told.events("source_table, source_id, new_value")[8:] == [
        ("01-02 09:00", "Complete Milestone", "CaseMilestone", "in time, the flag is wrong", "Resolution"),
        ("01-03 09:00", "Violate Milestone", "CaseMilestone", "late, the flag is stale", "Resolution"),
        ("01-03 09:00", "Violate Milestone", "CaseMilestone", "open and overdue", "Resolution"),
        ("01-03 09:00", "Complete Milestone", "CaseMilestone", "at the target", "Resolution"),
        ("01-04 09:00", "Complete Milestone", "CaseMilestone", "late, the flag is stale", "Resolution"),
        ("01-05 09:00", "Complete Milestone", "CaseMilestone", "stopped for two days", "Resolution"),
    ]


def test_a_target_that_passes_while_the_case_is_closed_is_not_violated(
    extract: Extract, connection: Connection
) -> None:
    rows = [
        milestone("a closed at it", target="02 09:00"),
        milestone("b closed before", target="03 09:00"),
        milestone("c reopened at it", target="04 09:00"),
        milestone("d open again", target="05 09:00"),
        milestone("e closed for good at it", target="06 09:00"),
        milestone("f closed for good", target="07 09:00"),
        milestone("g completed late while closed", target="03 08:00", completed="03 08:30"),
    ]
    turns = history(
        ("02 09:00", "Status", "Working", "Closed"),
        ("04 09:00", "Status", "Closed", "Working"),
        ("06 09:00", "Status", "Working", "Closed"),
    )
    tables = {"MilestoneType": TYPES, "CaseMilestone": [MILESTONE, *rows], "CaseHistory": turns}
    told = tell(extract, connection, tables, as_of=LATER)
    assert [row for row in told.events() if row[1] == "Violate Milestone"] == [
        ("01-02 09:00", "Violate Milestone", "a closed at it"),
        ("01-03 08:00", "Violate Milestone", "g completed late while closed"),
        ("01-05 09:00", "Violate Milestone", "d open again"),
        ("01-06 09:00", "Violate Milestone", "e closed for good at it"),
    ]


@pytest.mark.parametrize(
    ("before", "words", "expected"),
    [("Working", ["Working", "Closed", "New"], ["m"]), ("Closed", ["Closed", "Working", "Solved"], [])],
)
def test_of_two_turns_in_one_moment_the_last_one_counts(
    extract: Extract, connection: Connection, before: str, words: list[str], expected: list[str]
) -> None:
    told_of = history(
        ("01 10:00", "Status", "New", before),
        ("02 09:00", "Status", words[0], words[1]),
        ("02 09:00", "Status", words[1], words[2]),
    )
    tables = {"CaseMilestone": [MILESTONE, milestone()], "CaseHistory": told_of}
    told = tell(extract, connection, tables, as_of=LATER)
    assert [row[2] for row in told.events() if row[1] == "Violate Milestone"] == expected


@pytest.mark.parametrize(
    ("stopped", "expected"),
    [
        ((True, "2024-01-03 08:59"), []),
        ((True, None), []),  # since it was created
        ((True, "2024-01-03 09:00"), ["m"]),
        ((True, "2024-02-03 09:00"), ["m"]),  # it stood still later
        ((False, "2024-01-03 08:59"), ["m"]),
    ],
)
def test_a_target_that_passes_while_the_clock_stands_still_is_not_violated(
    extract: Extract, connection: Connection, stopped: tuple[Any, Any], expected: list[str]
) -> None:
    case = ["Id CreatedDate Status IsStopped StopStartDate", ("C", "2024-01-01 09:00", "Working", *stopped)]
    tables = {"Case": case, "CaseMilestone": [MILESTONE, milestone()]}
    told = tell(extract, connection, tables, as_of=LATER)
    assert [row[2] for row in told.events() if row[1] == "Violate Milestone"] == expected


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        ("2024-01-02 12:00", [("01-02 09:00", "Complete Milestone", "soon")]),
        (
            "2024-01-03 12:00",
            [
                ("01-02 09:00", "Complete Milestone", "soon"),
                ("01-03 09:00", "Violate Milestone", "late"),
                ("01-03 09:00", "Violate Milestone", "open"),
            ],
        ),
    ],
)
def test_milestones_are_seen_as_they_were(
    extract: Extract, connection: Connection, as_of: str, expected: list[tuple[Any, ...]]
) -> None:
    rows = [
        milestone("late", completed="04 09:00", violated=True),
        milestone("open", violated=True),
        milestone("soon", completed="02 09:00"),
    ]
    told = tell(
        extract, connection, {"MilestoneType": TYPES, "CaseMilestone": [MILESTONE, *rows]}, as_of=as_of
    )
    assert told.events()[4:] == expected


def test_a_milestone_that_came_late_is_recorded_when_it_came(
    extract: Extract, connection: Connection
) -> None:
    row = milestone(created="06 09:00", completed="07 09:00")
    told = tell(extract, connection, {"MilestoneType": TYPES, "CaseMilestone": [MILESTONE, row]}, as_of=LATER)
    assert told.events("strftime(recorded_at, '%m-%d %H:%M'), rank, record_id, actor")[1:] == [
        ("01-01 09:00", "Start Milestone", "01-06 09:00", 20, "C", None),
        ("01-03 09:00", "Violate Milestone", "01-06 09:00", 160, None, None),
        ("01-07 09:00", "Complete Milestone", "01-07 09:00", 170, "C", None),
    ]


def test_the_start_tells_the_target_and_that_a_completion_has_no_date(
    extract: Extract, connection: Connection
) -> None:
    rows = [
        milestone("a", target="03 09:00:00.5"),
        milestone("b", target=None),
        milestone("c", target="01 08:00", done=True),
        milestone("d", start=None, created="02 09:00"),
    ]
    told = tell(
        extract, connection, {"MilestoneType": TYPES, "CaseMilestone": [MILESTONE, *rows]}, as_of=LATER
    )
    starts = [row for row in told.events("source_id, delta, old_value") if row[1] == "Start Milestone"]
    assert [row[2:] for row in starts] == [
        ("a", 2 * 86400 + 0.5, None),
        ("b", None, None),
        ("c", -3600.0, "completed at an unknown moment"),
        ("d", 86400.0, None),
    ]


@pytest.mark.parametrize(
    ("clock", "as_of", "expected"),
    [
        ((True, "2024-01-20 09:00"), LATER, "01-20 09:00"),
        ((True, "2024-01-20 09:00"), "2024-01-10", None),  # it stood still later
        ((True, None), LATER, "01-01 09:00"),  # nothing tells since when
        ((False, "2024-01-20 09:00"), LATER, None),  # it runs again
        ((None, None), LATER, None),
    ],
)
def test_since_when_the_clock_of_a_case_stands_still(
    extract: Extract, connection: Connection, clock: tuple[Any, Any], as_of: str, expected: str | None
) -> None:
    row = ("C", "2024-01-01 09:00", "Working", *clock)
    case = ["Id CreatedDate Status IsStopped StopStartDate", row]
    told = tell(extract, connection, {"Case": case}, as_of=as_of)
    assert told.cases("strftime(stopped_since, '%m-%d %H:%M')") == [(expected,)]


def test_a_deleted_milestone_and_one_ahead_tell_nothing(extract: Extract, connection: Connection) -> None:
    rows = [
        milestone("m1", deleted=True, completed="04 09:00"),
        ("m2", "C", "T", None, None, "2024-03-01", None, False, False, None, False),
    ]
    told = tell(
        extract, connection, {"MilestoneType": TYPES, "CaseMilestone": [MILESTONE, *rows]}, as_of=LATER
    )
    assert told.events()[1:] == []
    assert told.unused() == {
        ("CaseMilestone", "m1"): "deleted",
        ("CaseMilestone", "m2"): "neither begun, completed nor due",
    }


def test_a_completed_first_response_counts_where_nobody_answered_on_record(
    extract: Extract, connection: Connection
) -> None:
    rows = [
        milestone("m1", kind="F", completed="02 09:00"),
        milestone("m2", kind="F", completed="02 08:00"),
        milestone("m3", completed="01 10:00"),
    ]
    told = tell(
        extract, connection, {"MilestoneType": TYPES, "CaseMilestone": [MILESTONE, *rows]}, as_of=LATER
    )
    assert told.events()[4:] == [
        ("01-01 10:00", "Complete Milestone", "m3"),
        ("01-02 08:00", "First Response", "m2"),
        ("01-02 08:00", "Complete Milestone", "m2"),
        ("01-02 09:00", "Complete Milestone", "m1"),
    ]


def test_an_answer_on_record_goes_before_the_milestone(extract: Extract, connection: Connection) -> None:
    told = tell(
        extract,
        connection,
        {
            "MilestoneType": TYPES,
            "CaseMilestone": [MILESTONE, milestone("m1", kind="F", completed="02 09:00")],
            "CaseComment": [
                "Id ParentId CreatedDate CreatedById IsPublished",
                ("k", "C", "2024-01-02 10:00", ANA, True),
            ],
        },
        as_of=LATER,
    )
    assert told.events()[2:] == [
        ("01-02 09:00", "Complete Milestone", "m1"),
        ("01-02 10:00", "First Response", "k"),
    ]


def test_attached_solutions(extract: Extract, connection: Connection) -> None:
    told = tell(
        extract,
        connection,
        {
            "Solution": ["Id SolutionName", ("S", "Restart it")],
            "CaseSolution": [
                "Id CaseId SolutionId CreatedDate CreatedById IsDeleted",
                ("l1", "C", "S", "2024-01-02 09:00", ANA, False),
                ("l2", "C", "S", "2024-01-03 09:00", ANA, True),
                ("l3", "C", "unknown", "2024-01-04 09:00", ANA, None),
            ],
        },
    )
    assert told.events("source_table, source_id, actor, new_value, rank")[1:] == [
        ("01-02 09:00", "Attach Solution", "CaseSolution", "l1", ANA, "Restart it", 160),
        ("01-04 09:00", "Attach Solution", "CaseSolution", "l3", ANA, None, 160),
    ]
    assert told.unused() == {("CaseSolution", "l2"): "deleted"}

"""Cases by hand: a few columns of the tables around Case, and what the SQL of the process tells of them."""
# ruff: noqa: S608 - names of columns and tables stand in this folder, not in data

from collections.abc import Callable
from typing import Any

import duckdb

from .silence import silent

ANA, BOB, ROBOT, GUEST = (
    "005000000000001AAA",
    "005000000000002AAA",
    "005000000000008AAA",
    "005000000000009AAA",
)
SUPPORT, EXPERTS = "00G000000000001EAA", "00G000000000002EAA"
USERS = [
    "Id Name UserType IsActive",
    (ANA, "Ana", "Standard", True),
    (BOB, "Bob", "Standard", False),
    (ROBOT, "Robot", "AutomatedProcess", True),
    (GUEST, "Guest", "CspLitePortal", True),
]
QUEUES = ["Id Name Type", (SUPPORT, "Support", "Queue"), (EXPERTS, "Experts", "Queue")]
STATUSES = [
    "Id ApiName SortOrder IsClosed",
    ("1", "New", 1, False),
    ("2", "Working", 2, False),
    ("3", "On Hold", 3, False),
    ("4", "Solved", 4, True),
    ("5", "Closed", 5, True),
]
CASE = (
    "Id CreatedDate CreatedById Status IsClosed ClosedDate IsClosedOnCreate LastModifiedDate LastModifiedById"
)
HISTORY = "Id CaseId CreatedDate CreatedById Field OldValue NewValue"
_OWN = (
    "Case",
    "CaseHistory",
    "CaseMilestone",
    "CaseSolution",
    "EmailMessage",
    "CaseComment",
    "Task",
    "Event",
    "Account",
)

Tables = dict[str, list[Any]]


def case(
    status: str = "Working", *, id_: str = "C", closed: str | None = None, born_closed: bool | None = None
) -> tuple[Any, ...]:
    """One row of Case, of 1 January, by Ana; modified on 10 February by Bob."""
    flag = True if closed else None
    day = "2024-01-01 09:00:00"
    return id_, day, ANA, status, flag, closed, born_closed, "2024-02-10 08:00:00", BOB


def history(*steps: tuple[str, str, str | None, str | None], of: str = "C", by: str = ANA) -> list[Any]:
    """Rows of CaseHistory h0, h1, ... of January: day and time, field, old and new value."""
    rows = [(f"h{i}", of, f"2024-01-{moment}", by, *rest) for i, (moment, *rest) in enumerate(steps)]
    return [HISTORY, *rows]


class Told:
    """What the views of the process hold."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def events(self, columns: str = "source_id", *, of: str = "C") -> list[tuple[Any, ...]]:
        """Month, day and time, activity and further columns of one case, in log order."""
        query = (
            f"SELECT strftime(occurred_at, '%m-%d %H:%M'), activity, {columns} FROM events "
            "WHERE case_id = $case ORDER BY occurred_at, rank, seq, source_id"
        )
        return self._connection.sql(query, params={"case": of}).fetchall()

    def cases(self, columns: str) -> list[tuple[Any, ...]]:
        """The named columns of every case, by case."""
        return self._connection.sql(f"SELECT {columns} FROM cases ORDER BY case_id").fetchall()

    def unused(self) -> dict[tuple[str, str], str]:
        """Reason by table and Id, of the rows that tell no event."""
        told = silent(self._connection, *_OWN)
        return {(table, row): reason for table, row, reason in told if reason is not None}

    def attributes(self, attribute: str) -> list[tuple[Any, ...]]:
        """Month, day and time, place in the second and value of one attribute of all cases."""
        query = (
            "SELECT strftime(since, '%m-%d %H:%M'), seq, value FROM attributes WHERE attribute = $name "
            "ORDER BY case_id, since, seq"
        )
        return self._connection.sql(query, params={"name": attribute}).fetchall()

    def without_rule(self) -> list[tuple[str, str]]:
        """Rows of the process's own tables that neither tell an event nor have a reason for it."""
        return [(table, row) for table, row, reason in silent(self._connection, *_OWN) if reason is None]


def tell(
    extract: Callable[..., Any],
    connection: duckdb.DuckDBPyConnection,
    tables: Tables,
    *,
    as_of: str | None = None,
) -> Told:
    """Run the process on `tables` and some people, queues and statuses; every row must be accounted for."""
    if as_of is not None:
        connection.execute("SET VARIABLE as_of = $moment::TIMESTAMPTZ", {"moment": as_of})
    extract(
        "case", {"User": USERS, "Group": QUEUES, "CaseStatus": STATUSES, "Case": [CASE, case()], **tables}
    )
    told = Told(connection)
    assert told.without_rule() == []
    return told

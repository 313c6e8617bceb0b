"""Who people are: persons, programs, customers and queues."""

from collections.abc import Callable
from typing import Any

import duckdb
import pytest

Extract = Callable[[str, dict[str, list[Any]]], Any]
ANA, BOT, QUEUE = "005000000000001AAA", "005000000000002AAA", "00G000000000001EAA"


def kinds(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    return dict(connection.sql("SELECT Id, kind FROM people").pl().iter_rows())


def test_the_type_of_a_user_tells_persons_programs_and_customers(
    extract: Extract, connection: duckdb.DuckDBPyConnection
) -> None:
    users = [
        "Id Name UserType ProfileId",
        ("1", "Ana", "Standard", None), ("2", "Partner", "PowerPartner", None),
        ("3", "Automated Process", "AutomatedProcess", None), ("4", "Sync", "CloudIntegrationUser", None),
        ("5", "Portal", "PowerCustomerSuccess", None), ("6", "Site Guest", "Guest", None),
        ("7", "Nobody knows", None, None), ("8", "By profile", None, "P"),
    ]  # fmt: skip
    profile = ["Id Name UserType", ("P", "Bots", "AutomatedProcess")]
    extract("lead", {"User": users, "Profile": profile})
    assert kinds(connection) == {
        "1": "human", "2": "human", "3": "automated", "4": "automated", "5": "customer", "6": "customer",
        "7": "unknown", "8": "automated",
    }  # fmt: skip


@pytest.mark.parametrize("word", ["1", "bot@example.com", "Data Bot"])
def test_the_definitions_can_state_a_program_by_id_username_or_name(
    extract: Extract, connection: duckdb.DuckDBPyConnection, word: str
) -> None:
    users = [
        "Id Username Name UserType",
        ("1", "bot@example.com", "Data Bot", "Standard"),
        ("2", "ana@example.com", "Ana", "Standard"),
    ]
    extract("lead", {"User": users, "stated_automated": ["value", (word,)]})
    assert kinds(connection) == {"1": "automated", "2": "human"}


def test_queues_can_own_and_inactive_users_stay_who_they_were(
    extract: Extract, connection: duckdb.DuckDBPyConnection
) -> None:
    extract(
        "lead",
        {
            "User": ["Id Name UserType IsActive", (ANA, "Ana", "Standard", False)],
            "Group": ["Id Name Type", (QUEUE, "Inbound", "Queue"), ("G", "Everybody", "Regular")],
        },
    )
    columns = "Id, owner, queue, kind, active"
    assert connection.sql(f"SELECT {columns} FROM people ORDER BY Id").fetchall() == [  # noqa: S608 - own words
        (ANA, "Ana", None, "human", False),
        (QUEUE, "Inbound", "Inbound", "queue", None),
        ("G", "Everybody", "Everybody", "unknown", None),
    ]


def test_a_name_alone_finds_whoever_is_the_only_one_to_have_it(
    extract: Extract, connection: duckdb.DuckDBPyConnection
) -> None:
    users = ["Id Name", ("1", "Ana"), ("2", "Ben"), ("3", "Ben")]
    extract("lead", {"User": users})
    assert connection.sql("FROM people_by_name").fetchall() == [("Ana", "1")]

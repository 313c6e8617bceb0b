"""Days are the org's: where only the day is known, its last second in the org's zone."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest

from crmmining import connect

from .conftest import Extracted

Extract = Callable[..., Extracted]
TOKYO, NEW_YORK = "Asia/Tokyo", "America/New_York"


def told(log: Extracted, activity: str) -> list[tuple[datetime, bool]]:
    rows: list[tuple[datetime, bool]] = (
        log.events.filter(pl.col("activity") == activity).select("occurred_at", "date_only").rows()
    )
    return rows


@pytest.mark.parametrize(
    ("zone", "moment"),
    [
        (None, datetime(2024, 3, 31, 23, 59, 59, tzinfo=UTC)),
        (TOKYO, datetime(2024, 3, 31, 14, 59, 59, tzinfo=UTC)),  # 31 March 23:59:59 there
        (NEW_YORK, datetime(2024, 4, 1, 3, 59, 59, tzinfo=UTC)),  # summer time
    ],
)
def test_a_win_known_by_its_close_date_lies_on_that_day_in_the_org(
    extract: Extract, zone: str | None, moment: datetime
) -> None:
    tables = {
        "Account": ["Id CreatedDate", ("A", "2024-01-01 09:00")],
        "Opportunity": [
            "Id AccountId CreatedDate StageName IsClosed IsWon CloseDate SystemModstamp",
            ("O", "A", "2024-01-01 09:00", "Won", True, True, "2024-03-31", "2024-05-01 09:00"),
        ],
    }
    assert told(extract("opportunity", tables, zone), "Win Opportunity") == [(moment, True)]


def test_accounts_tell_the_same_day(extract: Extract) -> None:
    tables = {
        "Account": ["Id CreatedDate", ("A", "2024-01-01 09:00")],
        "Opportunity": [
            "Id AccountId CreatedDate StageName IsClosed IsWon CloseDate SystemModstamp",
            ("O", "A", "2024-01-01 09:00", "Won", True, True, "2024-03-31", "2024-05-01 09:00"),
        ],
        "Lead": [
            "Id CreatedDate ConvertedAccountId ConvertedDate SystemModstamp",
            ("L", "2024-01-01 09:00", "A", "2024-01-31", "2024-05-01 09:00"),
        ],
    }
    log = extract("account", tables, TOKYO)
    assert told(log, "Win Opportunity") == [(datetime(2024, 3, 31, 14, 59, 59, tzinfo=UTC), True)]
    assert told(log, "Convert Lead") == [(datetime(2024, 1, 31, 14, 59, 59, tzinfo=UTC), True)]


def test_a_task_due_on_the_local_day_it_was_logged_happened_then(extract: Extract) -> None:
    tasks = [
        "Id WhatId CreatedDate IsClosed TaskSubtype ActivityDate SystemModstamp",
        # 08:00 on 3 January in Tokyo
        ("t1", "O", "2024-01-02 23:00", True, "Call", "2024-01-03", "2024-02-01 09:00"),
        ("t2", "O", "2024-01-02 23:00", True, "Email", "2024-01-04", "2024-02-01 09:00"),
    ]
    tables = {"Opportunity": ["Id CreatedDate", ("O", "2024-01-01 09:00")], "Task": tasks}
    log = extract("opportunity", tables, TOKYO)
    assert told(log, "Call") == [(datetime(2024, 1, 2, 23, tzinfo=UTC), False)]
    assert told(log, "Email") == [(datetime(2024, 1, 4, 14, 59, 59, tzinfo=UTC), True)]


def test_an_event_of_all_day_keeps_its_own_date(extract: Extract) -> None:
    events = [
        "Id WhatId CreatedDate StartDateTime ActivityDate IsAllDayEvent",
        ("e1", "O", "2024-01-02 09:00", "2024-01-08 00:00", None, True),
    ]
    tables = {"Opportunity": ["Id CreatedDate", ("O", "2024-01-01 09:00")], "Event": events}
    assert told(extract("opportunity", tables, NEW_YORK), "Meeting") == [
        (datetime(2024, 1, 9, 4, 59, 59, tzinfo=UTC), True)
    ]


def test_a_conversion_is_dated_by_the_record_made_within_a_local_day_of_it(extract: Extract) -> None:
    lead = [
        "Id CreatedDate IsConverted ConvertedDate ConvertedContactId SystemModstamp",
        ("L", "2024-01-01 09:00", True, "2024-01-05", "K", "2024-02-01 09:00"),
    ]
    # 02:00 on 7 January in Tokyo, still 6 January in UTC: two days after
    tables = {"Lead": lead, "Contact": ["Id CreatedDate", ("K", "2024-01-06 17:00")]}
    assert told(extract("lead", tables, TOKYO), "Convert Lead") == [
        (datetime(2024, 1, 5, 14, 59, 59, tzinfo=UTC), True)
    ]


def test_the_engine_counts_a_win_known_by_its_day_in_the_orgs_month(tmp_path: Path) -> None:
    (tmp_path / "salesforce").mkdir()
    (tmp_path / "salesforce" / "source.toml").write_text(f'[org]\ntime_zone = "{TOKYO}"\n')
    with duckdb.connect() as database:
        database.execute(
            """
            CREATE TABLE Opportunity AS SELECT '006000000000001AAA' AS Id, 'Won' AS StageName,
                TRUE AS IsClosed, TRUE AS IsWon, TIMESTAMPTZ '2024-03-01 09:00Z' AS CreatedDate,
                DATE '2024-03-31' AS CloseDate,
                TIMESTAMPTZ '2024-05-01 09:00Z' AS SystemModstamp
            """
        )
        crm = connect(database, extractors=[tmp_path])
    rows = crm.scorecard("opportunity", period="month", kpis=["win_rate"])
    assert rows.select("period_start", "n").rows() == [(date(2024, 3, 1), 1)]
    assert crm.event_log("opportunity").cases["outcome_at"].to_list() == [
        datetime(2024, 3, 31, 14, 59, 59, tzinfo=UTC)
    ]

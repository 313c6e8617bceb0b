"""Real exports are worse than the simulator: values blanked or changed, rows lost at random."""

import csv
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random

from .rows import Tables, at, long_id

HISTORIES = ("AccountHistory", "LeadHistory", "CaseHistory", "OpportunityFieldHistory", "OpportunityHistory")
USER_TYPES = ["CspLitePortal", "Guest", "PowerPartner", "AutomatedProcess"]
BLANKS = {
    "Case": {"ClosedDate": 0.2, "IsClosed": 0.2, "LastModifiedDate": 0.0},
    "CaseMilestone": {"StartDate": 0.2, "CompletionDate": 0.2, "IsCompleted": 0.3},
    "Event": {"StartDateTime": 0.2, "ActivityDateTime": 0.2},
    "Lead": {"IsConverted": 0.2, "ConvertedDate": 0.2, "ConvertedAccountId": 0.3},
    "Opportunity": {"LastStageChangeDate": 0.4},
    "ProcessInstance": {"CompletedDate": 0.4},
    "Task": {"CompletedDateTime": 0.3, "AccountId": 0.3, "IsClosed": 0.2},
}
CHOICES: dict[str, dict[str, tuple[float, list[str | None]]]] = {
    "Task": {
        "TaskSubtype": (0.4, [None, "Call", "Email", "ListEmail", "Task"]),
        "Type": (0.4, [None, "Call", "Email", "Meeting", "Other"]),
        "CallType": (0.3, [None, "Inbound", "Outbound", "Internal"]),
        "Status": (0.1, ["Completed", "Not Started"]),
        "IsRecurrence": (0.05, ["true"]),
        "IsDeleted": (0.05, ["true"]),
    },
    "Event": {
        "IsAllDayEvent": (0.2, ["true"]),
        "IsChild": (0.1, ["true"]),
        "IsDeleted": (0.05, ["true"]),
    },
    "EmailMessage": {
        "Status": (0.5, ["0", "1", "2", "3", "4", "5"]),
        "Incoming": (0.4, [None]),
        "IsDeleted": (0.05, ["true"]),
    },
    "Case": {"IsClosedOnCreate": (0.1, ["true"])},
    "ProcessInstance": {"Status": (0.5, ["Removed", "Rejected", "Approved", "Pending"])},
    "User": {"UserType": (0.15, list(USER_TYPES))},
    "Contact": {"IsDeleted": (0.05, ["true"])},
    "Opportunity": {"IsDeleted": (0.05, ["true"])},
}


def lose(tables: Tables, dice: Random) -> None:
    """Rows of histories and of lists of values that are not there."""
    for name in HISTORIES:
        tables[name] = [row for row in tables[name] if dice.random() > 0.15]
    for name in ("OpportunityStage", "LeadStatus", "CaseStatus"):
        tables[name] = [row for row in tables[name] if dice.random() > 0.2]


def spoil(tables: Tables, dice: Random) -> None:
    """Values that are blank or others."""
    for name, columns in BLANKS.items():
        for row in tables[name]:
            for column, share in columns.items():
                if column in row and dice.random() < share:
                    row[column] = None
    for name, options in CHOICES.items():
        for row in tables[name]:
            for column, (share, values) in options.items():
                if dice.random() < share:
                    row[column] = dice.choice(values)


def delete_late(tables: Tables, dice: Random) -> None:
    """Records that were deleted only in the end: before, they stood."""
    for name in ("Account", "Case", "Lead", "Opportunity", "Contact", "CampaignMember", "Task"):
        for row in tables[name]:
            if dice.random() < 0.1:
                row["IsDeleted"], row["SystemModstamp"] = "true", "2025-06-30T12:00:00.000Z"


def log_messages(tables: Tables, dice: Random) -> None:
    """E-mails that tasks log, of cases or of none."""
    tasks = [row["Id"] for row in tables["Task"]]
    for row in tables["EmailMessage"]:
        row["ActivityId"] = dice.choice(tasks) if dice.random() < 0.5 else None
        if dice.random() < 0.4:
            row["ParentId"] = None


def history_of_quotes(tables: Tables, dice: Random) -> None:
    tables["QuoteHistory"] = [
        {
            "Id": long_id(f"0175eQUO{number:07d}"),
            "IsDeleted": "false",
            "QuoteId": row["Id"],
            "CreatedById": row["CreatedById"],
            "CreatedDate": row["LastModifiedDate"],
            "Field": "Status",
            "DataType": "DynamicEnum",
            "OldValue": "Draft",
            "NewValue": dice.choice(["Presented", "Accepted", "Denied", "Draft 2"]),
        }
        for number, row in enumerate(tables["Quote"])
    ]


def merge_cases(tables: Tables, dice: Random) -> None:
    """Cases that went into others, some with the mark of it."""
    for row in tables["Case"]:
        row["MasterRecordId"] = None
    some = dice.sample(tables["Case"], 8)
    for loser, winner in zip(some[:4], some[4:], strict=True):
        loser["MasterRecordId"], loser["IsDeleted"] = winner["Id"], "true"
        changed = at(loser, "SystemModstamp")
        if changed and dice.random() < 0.6:
            moment = changed + timedelta(seconds=dice.choice([0, 3, -3, 60]))
            tables["CaseHistory"].append(
                {
                    "Id": long_id(f"0175eMRG{len(tables['CaseHistory']):07d}"),
                    "IsDeleted": "false",
                    "CaseId": winner["Id"],
                    "CreatedById": loser["LastModifiedById"],
                    "CreatedDate": moment.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                    "Field": "caseMerged",
                    "DataType": "Text",
                    "OldValue": None,
                    "NewValue": None,
                }
            )


STEPS: list[Callable[[Tables, Random], None]] = [
    lose, spoil, delete_late, log_messages, history_of_quotes, merge_cases,
]  # fmt: skip


def mangle(tables: Tables, folder: Path, seed: int) -> Path:
    """Write a mangled copy of tables into a folder."""
    dice = Random(seed)  # noqa: S311  not for secrets
    copy = {name: [dict(row) for row in rows] for name, rows in tables.items()}
    for step in STEPS:
        step(copy, dice)
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in copy.items():
        if rows:
            with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as lines:
                writer = csv.DictWriter(lines, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
    return folder

"""The organisation: regions, teams with their own clocks, users, queues, products and picklists."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

import numpy as np
import polars as pl

from crmmining.simulator.arrays import NONE, Floats, Ints, pick
from crmmining.simulator.columns import flag, joined, set_up, text
from crmmining.simulator.dice import Dice
from crmmining.simulator.ids import numbered
from crmmining.simulator.words import FIRST_NAMES, LAST_NAMES
from crmmining.simulator.worktime import WorkCalendar

REGIONS: Final = ["North America", "EMEA", "APAC", "LATAM"]
REGION_WEIGHTS: Final = [0.4, 0.3, 0.18, 0.12]
FUNCTIONS: Final = ["Inside Sales", "Field Sales", "Support"]
INSIDE, FIELD, SUPPORT = 0, 1, 2
_ZONES: Final = [
    "America/New_York", "Europe/London", "Australia/Sydney", "America/Sao_Paulo",
    "America/Los_Angeles", "Europe/Berlin", "Asia/Tokyo", "America/Sao_Paulo",
    "America/Chicago", "Europe/Dublin", "Asia/Singapore", "America/Bogota",
]  # fmt: skip
_COUNTRIES: Final = ["United States", "Germany", "Japan", "Brazil"]
HOLIDAYS: Final = {
    "New Year's Day": [date(year, 1, 1) for year in range(2023, 2031)],
    "Labour Day": [date(year, 5, 1) for year in range(2023, 2031)],
    "Christmas Day": [date(year, 12, 25) for year in range(2022, 2031)],
    "Company Day": [date(2024, 6, 14)],
}
AUTOMATION, ADMINISTRATOR, MARKETING, _CHIEF, _DIRECTORS = range(5)
_BOARD: Final = _DIRECTORS + len(REGIONS)
"""Users before the first team: the machine, two offices, the chief, a director per region."""
SET_UP: Final = int(datetime(2022, 12, 15, 8, tzinfo=UTC).timestamp())

RECORD_TYPES: Final = [
    ("Lead", "Inbound"),
    ("Lead", "Outbound"),
    ("Opportunity", "New Business"),
    ("Opportunity", "Existing Business"),
    ("Case", "Incident"),
    ("Case", "Request"),
]
_PROFILES: Final = [
    "System Administrator",
    "Inside Sales User",
    "Field Sales User",
    "Support User",
    "Marketing User",
]


@dataclass(frozen=True)
class Org:
    """Who works where; a team's number is function * 4 + region."""

    calendar: WorkCalendar
    team_first: Ints
    team_size: Ints
    user_team: Ints
    user_region: Ints
    user_ids: pl.Series
    owner_ids: pl.Series
    owner_names: pl.Series
    record_type_ids: pl.Series
    tables: dict[str, pl.DataFrame]

    @property
    def users(self) -> int:
        """Number of users; owners from this number on are queues."""
        return len(self.user_ids)

    def member(self, function: int, region: Ints, share: Floats) -> Ints:
        """Give a member of a function's team in a region; never its first, who is the manager."""
        team = function * len(REGIONS) + region
        return self.team_first[team] + 1 + np.floor(share * (self.team_size[team] - 1)).astype(np.int64)

    def manager(self, user: Ints) -> Ints:
        """Give the manager of the users' team."""
        return self.team_first[self.user_team[user]]

    def queue(self, function: int, region: Ints) -> Ints:
        """Owner number of a region's queue, of inside sales or of support."""
        return self.users + region + (len(REGIONS) if function == SUPPORT else 0)

    def zone(self, function: int, region: Ints) -> Ints:
        """Clock of the team of a function in a region."""
        return function * len(REGIONS) + region


def build_org(dice: Dice, accounts: int) -> Org:
    """Staff the teams for a CRM of so many accounts."""
    teams = len(_ZONES)
    wanted = np.array([2, 3, 3])[np.arange(teams) // len(REGIONS)] + dice.between(teams, 0, 1)
    team_size = 1 + wanted + min(accounts // 500, 60)
    team_first = _BOARD + np.cumsum(team_size) - team_size
    team = np.concatenate([np.full(_BOARD, NONE), np.repeat(np.arange(teams), team_size)])
    region = np.where(team >= 0, team % len(REGIONS), NONE)
    region[_DIRECTORS:_BOARD] = np.arange(len(REGIONS))
    manager = np.where(team >= 0, team_first[team], NONE)
    manager[team_first] = _DIRECTORS + region[team_first]
    manager[_DIRECTORS:_BOARD] = _CHIEF

    users = _users(team, region, manager)
    groups = _groups(users["Id"])
    queues = groups.filter(pl.col("Type") == "Queue")
    record_types = _record_types(users["Id"])
    holidays = {day for days in HOLIDAYS.values() for day in days}
    return Org(
        calendar=WorkCalendar(_ZONES, holidays),
        team_first=team_first,
        team_size=team_size,
        user_team=team,
        user_region=region,
        user_ids=users["Id"],
        owner_ids=pl.concat([users["Id"], queues["Id"]]),
        owner_names=pl.concat([users["Name"], queues["Name"]]),
        record_type_ids=record_types["Id"],
        tables={
            "User": users,
            "Group": groups,
            "Profile": _profiles(users["Id"]),
            "UserRole": _roles(users["Id"]),
            "RecordType": record_types,
        },
    )


def _users(team: Ints, region: Ints, manager: Ints) -> pl.DataFrame:
    count = len(team)
    number = np.arange(count)
    ids = numbered("User", count)
    function = np.where(team >= 0, team // len(REGIONS), NONE)
    first = pick(FIRST_NAMES, number % len(FIRST_NAMES))
    last = pick(LAST_NAMES, (number * 7 + number // len(FIRST_NAMES)) % len(LAST_NAMES))
    first = pl.concat([pl.Series(["Automated", "Dana", "Mia"]), first[_CHIEF:]])
    last = pl.concat([pl.Series(["Process", "Admin", "Marketing"]), last[_CHIEF:]])
    profile = function + 1
    profile[MARKETING] = len(_PROFILES) - 1
    # Roles: the chief's, one per director, one per team.
    role = np.where(team >= 0, 1 + len(REGIONS) + team, NONE)
    role[_CHIEF:_BOARD] = np.arange(1 + len(REGIONS))
    zone = np.where(team >= 0, team, np.maximum(region, 0))
    alias = joined("u{}", pl.Series(number).cast(pl.String).str.zfill(4))
    leads_team = (manager >= _DIRECTORS) & (manager < _BOARD)
    return pl.DataFrame(
        {
            "Id": ids,
            "Username": joined("{}@example.com", alias),
            "Name": joined("{} {}", first, last),
            "FirstName": first,
            "LastName": last,
            "Alias": alias,
            "Email": joined("{}@example.com", alias),
            # Two people have left: their records stay theirs.
            "IsActive": pl.Series(number < count - 2),
            "UserType": pick(["AutomatedProcess", "Standard"], np.minimum(number, 1)),
            "ProfileId": pick(numbered("Profile", len(_PROFILES)), profile),
            "UserRoleId": pick(numbered("UserRole", 1 + len(REGIONS) + len(_ZONES)), role),
            "ManagerId": pick(ids, manager),
            "Department": pick(FUNCTIONS, function),
            "Division": pick(REGIONS, region),
            "Title": pick(["Specialist", "Manager"], leads_team.astype(np.int64)),
            "Country": pick(_COUNTRIES, region),
            "TimeZoneSidKey": pick(_ZONES, zone),
            "LocaleSidKey": text("en_US", count),
            "LanguageLocaleKey": text("en_US", count),
            "DefaultCurrencyIsoCode": pick(["USD", "EUR", "JPY", "USD"], np.maximum(region, 0)),
            **set_up(ids, count, SET_UP),
        }
    )


def _groups(users: pl.Series) -> pl.DataFrame:
    queue_names = [f"{region} {work}" for work in ("Leads", "Support") for region in REGIONS]
    names = [*queue_names, "All Sales", "All Support"]
    count = len(names)
    return pl.DataFrame(
        {
            "Id": numbered("Group", count),
            "Name": names,
            "DeveloperName": [name.replace(" ", "_") for name in names],
            "Type": ["Queue"] * len(queue_names) + ["Regular"] * 2,
            "OwnerId": users.gather(np.full(count, ADMINISTRATOR)),
            "DoesSendEmailToMembers": flag(count),
            "DoesIncludeBosses": flag(count, value=True),
            **set_up(users, count, SET_UP),
        }
    )


def _profiles(users: pl.Series) -> pl.DataFrame:
    count = len(_PROFILES)
    return pl.DataFrame(
        {
            "Id": numbered("Profile", count),
            "Name": _PROFILES,
            "UserType": text("Standard", count),
            **set_up(users, count, SET_UP),
        }
    )


def _roles(users: pl.Series) -> pl.DataFrame:
    teams = [f"{function} {region}" for function in FUNCTIONS for region in REGIONS]
    names = ["Chief Customer Officer", *[f"Director {region}" for region in REGIONS], *teams]
    parents = np.array([-1, *[0] * len(REGIONS), *[1 + k % len(REGIONS) for k in range(len(teams))]])
    ids = numbered("UserRole", len(names))
    stamps = set_up(users, len(names), SET_UP)
    return pl.DataFrame(
        {
            "Id": ids,
            "Name": names,
            "DeveloperName": [name.replace(" ", "_") for name in names],
            "ParentRoleId": pick(ids, parents),
            **{
                column: stamps[column]
                for column in ("LastModifiedDate", "LastModifiedById", "SystemModstamp")
            },
        }
    )


def _record_types(users: pl.Series) -> pl.DataFrame:
    count = len(RECORD_TYPES)
    return pl.DataFrame(
        {
            "Id": numbered("RecordType", count),
            "Name": [name for _, name in RECORD_TYPES],
            "DeveloperName": [name.replace(" ", "_") for _, name in RECORD_TYPES],
            "SobjectType": [table for table, _ in RECORD_TYPES],
            "IsActive": flag(count, value=True),
            **set_up(users, count, SET_UP),
        }
    )

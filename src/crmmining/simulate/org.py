"""The organisation: regions, teams with their own clocks, users, queues, products and picklists."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

import numpy as np
import polars as pl

from crmmining.simulate.arrays import Floats, Ints, pick
from crmmining.simulate.columns import blank, flag, set_up, text
from crmmining.simulate.dice import Dice
from crmmining.simulate.ids import numbered
from crmmining.simulate.words import FIRST_NAMES, LAST_NAMES
from crmmining.simulate.worktime import WorkCalendar

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
AUTOMATION, ADMINISTRATOR, MARKETING = 0, 1, 2
_EXECUTIVES: Final = 4
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
    user_names: pl.Series
    owner_ids: pl.Series
    owner_names: pl.Series
    record_type_ids: pl.Series
    tables: dict[str, pl.DataFrame]

    @property
    def users(self) -> int:
        """Number of users; owners from this number on are queues."""
        return len(self.user_ids)

    def member(self, function: int, region: Ints, share: Floats) -> Ints:
        """Give a team member of a function in a region: the first is the team's manager and gets no records."""
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
    executives = AUTOMATION + 1 + 2 + 1 + _EXECUTIVES
    team_first = executives + np.cumsum(team_size) - team_size
    user_team = np.concatenate([np.full(executives, -1), np.repeat(np.arange(teams), team_size)])
    count = len(user_team)
    region = np.where(user_team >= 0, user_team % len(REGIONS), -1)
    region[executives - _EXECUTIVES : executives] = np.arange(_EXECUTIVES)
    function = np.where(user_team >= 0, user_team // len(REGIONS), -1)

    user_ids = numbered("User", count)
    queue_names = [f"{region} Leads" for region in REGIONS] + [f"{region} Support" for region in REGIONS]
    people = np.arange(count)
    names = pl.select(
        pl.format(
            "{} {}",
            pl.lit(pl.Series(FIRST_NAMES).gather(people % len(FIRST_NAMES))),
            pl.lit(pl.Series(LAST_NAMES).gather((people * 7 + people // len(FIRST_NAMES)) % len(LAST_NAMES))),
        ).alias("Name")
    ).to_series()
    names = pl.concat([pl.Series("Name", ["Automated Process", "Dana Admin", "Mia Marketing"]), names[3:]])
    is_manager = np.zeros(count, dtype=bool)
    is_manager[team_first] = True
    director = executives - _EXECUTIVES
    manager = np.where(user_team >= 0, team_first[np.maximum(user_team, 0)], -1)
    manager[is_manager] = director + region[is_manager]
    manager[director:executives] = director - 1

    groups = _groups(user_ids, queue_names)
    tables = {
        "User": _users(user_ids, names, region, function, manager, is_manager),
        "Group": groups,
        "Profile": _profiles(user_ids),
        "UserRole": _roles(user_ids),
        "RecordType": _record_types(user_ids),
    }
    holidays = {day for days in HOLIDAYS.values() for day in days}
    return Org(
        calendar=WorkCalendar(_ZONES, holidays),
        team_first=team_first,
        team_size=team_size,
        user_team=user_team,
        user_region=region,
        user_ids=user_ids,
        user_names=names,
        owner_ids=pl.concat([user_ids.alias("Id"), groups["Id"].head(len(queue_names))]),
        owner_names=pl.concat([names.alias("Name"), pl.Series("Name", queue_names)]),
        record_type_ids=tables["RecordType"]["Id"],
        tables=tables,
    )


def _users(
    ids: pl.Series, names: pl.Series, region: Ints, function: Ints, manager: Ints, is_manager: np.ndarray
) -> pl.DataFrame:
    count = len(ids)
    people = pl.DataFrame({"Id": ids, "Name": names}).with_row_index("number")
    profile = np.where(function >= 0, function + 1, 0)
    profile[MARKETING] = 4
    role = np.where(function >= 0, function * len(REGIONS) + np.maximum(region, 0) + 5, -1)
    role[3] = 0
    role[4:8] = np.arange(1, 5)
    zone = np.where(function >= 0, function * len(REGIONS) + np.maximum(region, 0), 0)
    zone[4:8] = np.arange(4)
    title = pl.Series(np.where(is_manager, "Manager", "Specialist"))
    names_split = people.select(
        pl.col("Name").str.split_exact(" ", 1).struct.rename_fields(["FirstName", "LastName"]).alias("split")
    ).unnest("split")
    frame = people.select(
        "Id",
        pl.format("u{}@example.com", pl.col("number").cast(pl.String).str.zfill(4)).alias("Username"),
        "Name",
    ).with_columns(
        names_split["FirstName"],
        names_split["LastName"],
        people.select(
            pl.format("u{}", pl.col("number").cast(pl.String).str.zfill(4)).alias("Alias")
        ).to_series(),
        pl.col("Username").alias("Email"),
        # Two people of the largest team have left: their records stay theirs.
        pl.Series("IsActive", ~np.isin(np.arange(count), [count - 1, count - 2])),
        pl.Series("UserType", ["AutomatedProcess"] + ["Standard"] * (count - 1)),
        pick(numbered("Profile", len(_PROFILES)), profile).alias("ProfileId"),
        pick(numbered("UserRole", 5 + len(_ZONES)), role).alias("UserRoleId"),
        pick(ids, manager).alias("ManagerId"),
        pick(FUNCTIONS, function).alias("Department"),
        pick(REGIONS, region).alias("Division"),
        title.alias("Title"),
        pick(_COUNTRIES, region).alias("Country"),
        pick(_ZONES, zone).alias("TimeZoneSidKey"),
        text("en_US", count).alias("LocaleSidKey"),
        text("en_US", count).alias("LanguageLocaleKey"),
        pick(["USD", "EUR", "JPY", "USD"], np.maximum(region, 0)).alias("DefaultCurrencyIsoCode"),
    )
    return frame.with_columns(**set_up(ids, count, SET_UP))


def _groups(users: pl.Series, queue_names: list[str]) -> pl.DataFrame:
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
            "BusinessProcessId": blank(count),
            "IsActive": flag(count, value=True),
            **set_up(users, count, SET_UP),
        }
    )


def zones() -> list[str]:
    """IANA zone per team, in team order."""
    return list(_ZONES)

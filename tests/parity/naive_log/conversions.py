"""When leads were converted, and what their statuses mean."""

from bisect import bisect_left
from collections import defaultdict
from datetime import date, datetime
from typing import NamedTuple

from .histories import Change, begins_with, told
from .rows import (
    DAY,
    MINUTE,
    Event,
    Row,
    Tables,
    at,
    by_id,
    created,
    day,
    earliest,
    end_of,
    flag,
    latest,
    modified,
)
from .state import Lives, converted, merges, value_at

LOST_WORDS = {"unqualified", "disqualified", "not converted", "rejected", "junk"}
MADE = [
    ("Opportunity", "ConvertedOpportunityId", "OpportunityFieldHistory", "opportunityCreatedFromLead"),
    ("Contact", "ConvertedContactId", "", ""),
    ("Account", "ConvertedAccountId", "AccountHistory", "accountCreatedFromLead"),
]


class Conversion(NamedTuple):
    lead: Row
    moment: datetime
    table: str
    id: str
    date_only: bool = False
    change: Change | None = None

    @property
    def since(self) -> datetime:
        """The earliest moment at which it can have been: a minute before, or when its day began."""
        if not self.date_only:
            return self.moment - MINUTE
        known = day(self.lead.get("ConvertedDate"))
        return latest(created(self.lead), end_of(known) - DAY) if known else created(self.lead)

    def event(self, case: str, rank: int) -> Event:
        return Event(case, "Convert Lead", self.moment, self.moment, self.table, self.id,
                     date_only=self.date_only, rank=rank)  # fmt: skip


class Statuses:
    """What the statuses of leads mean: open, lost or converted; and the ranks of open ones."""

    def __init__(self, tables: Tables) -> None:
        self.rows = {row["ApiName"]: row for row in tables.get("LeadStatus", [])}
        self.of_converted = {row["Status"] for row in tables.get("Lead", []) if converted(row)}
        self.order = sorted(
            {
                int(row["SortOrder"])
                for name, row in self.rows.items()
                if row.get("SortOrder") and self.means(name) == "open"
            }
        )

    def means(self, status: str | None) -> str:
        if status is None:
            return "open"
        if status in self.rows and flag(self.rows[status].get("IsConverted")):
            return "converted"
        plain = status.lower()
        if (plain.startswith("closed") or plain in LOST_WORDS) and status not in self.of_converted:
            return "lost"
        return "open"

    def rank(self, status: str | None) -> int | None:
        if status not in self.rows or not self.rows[status].get("SortOrder") or self.means(status) != "open":
            return None
        return bisect_left(self.order, int(self.rows[status]["SortOrder"]))


def near(moment: datetime, one: date) -> bool:
    return abs((moment.date() - one).days) <= DAY.days


def made_by(lead: Row, tables: Tables, words: dict[str, dict[str, set[str]]]) -> datetime | None:
    """The creation of a record that the conversion made."""
    known = day(lead.get("ConvertedDate"))
    found = []
    for place, (table, column, history, mark) in enumerate(MADE):
        record = by_id(tables.get(table, [])).get(lead.get(column) or "")
        if record is None:
            continue
        own = words[history][record["Id"]] if history else set()
        found.append((mark not in own, place, record, own))
    found.sort(key=lambda made: made[:2])
    seconds = [created(record) for _, _, record, _ in found]
    for unmarked, _, record, own in found:
        if created(record) < created(lead) or "created" in own:
            continue
        if known and not near(created(record), known):
            continue
        if known is None and unmarked and seconds.count(created(record)) < 2:
            continue
        return created(record)
    return None


def conversion(  # noqa: PLR0911  one return per rule
    lead: Row, mine: list[Change], statuses: Statuses, tables: Tables, words: dict[str, dict[str, set[str]]]
) -> Conversion | None:
    """When and by which row one lead was converted, whatever its time."""
    marks = [change for change in mine if change.field == "leadConverted"]
    if marks:
        return Conversion(lead, marks[0].moment, "LeadHistory", marks[0].id, change=marks[0])
    steps = [change for change in mine if change.field == "Status"]
    if not converted(lead):
        first = [change for change in steps if statuses.means(change.new) == "converted"]
        if first:
            return Conversion(lead, first[0].moment, "LeadHistory", first[0].id, change=first[0])
        return None
    known = day(lead.get("ConvertedDate"))
    last = [change for change in steps if change.new == lead["Status"]]
    if last and (known is None or near(last[-1].moment, known)):
        return Conversion(lead, last[-1].moment, "LeadHistory", last[-1].id, change=last[-1])
    made = made_by(lead, tables, words)
    if made:
        return Conversion(lead, made, "Lead", lead["Id"])
    changed = modified(lead)
    if known:
        return Conversion(lead, earliest(end_of(known), changed), "Lead", lead["Id"], date_only=True)
    changed = at(lead, "LastModifiedDate")
    return Conversion(lead, changed, "Lead", lead["Id"], date_only=True) if changed else None


def all_conversions(tables: Tables) -> list[Conversion]:
    """The conversions of all leads, whatever their time, deleted since or not."""
    mine: dict[str, list[Change]] = defaultdict(list)
    for change in told(tables, "LeadHistory"):
        mine[change.record].append(change)
    words = {history: begins_with(tables, history) for _, _, history, _ in MADE if history}
    statuses = Statuses(tables)
    found = (conversion(lead, mine[lead["Id"]], statuses, tables, words) for lead in tables.get("Lead", []))
    return [one for one in found if one]


def conversions(tables: Tables, as_of: datetime) -> list[Conversion]:
    """The conversions by a moment of the leads that live then."""
    lives = Lives(tables, "Lead", merges(tables, "Lead", told(tables, "LeadHistory")), as_of)
    return [one for one in all_conversions(tables) if one.moment <= as_of and one.lead["Id"] in lives.alive]


def by_contact(found: list[Conversion]) -> dict[str, list[Conversion]]:
    """Conversions by the contact that the lead became, the first before the others."""
    mine: dict[str, list[Conversion]] = defaultdict(list)
    for one in sorted(found, key=lambda one: (one.moment, one.lead["Id"])):
        if one.lead.get("ConvertedContactId"):
            mine[one.lead["ConvertedContactId"]].append(one)
    return mine


def status_at(lead: Row, mine: list[Change], as_of: datetime) -> str | None:
    return value_at(mine, "Status", as_of, lead["Status"])

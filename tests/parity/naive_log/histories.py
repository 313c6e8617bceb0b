"""What the history tables tell: changes of one field of one record, and marks of Salesforce's own."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise, permutations
from typing import NamedTuple

from .rows import PARENTS, Row, Tables, created, day, deleted, is_id, long_id, number

HISTORIES = {
    "AccountHistory": "AccountId",
    "LeadHistory": "LeadId",
    "CaseHistory": "CaseId",
    "OpportunityFieldHistory": "OpportunityId",
}
SNAPSHOT_FIELDS = ["StageName", "Amount", "CloseDate", "Probability", "ForecastCategory"]
GRACE = timedelta(seconds=5)
OWNER_WORDS = {"Owner", "ownerAssignment", "ownerAccepted", "ownerEscalated"}


class Change(NamedTuple):
    record: str
    moment: datetime
    field: str
    old: str | None
    new: str | None
    table: str
    id: str
    seq: int = 0
    ids: bool = False

    @property
    def mark(self) -> bool:
        return self.field[0].islower() and not self.field.endswith("__c")


def tells_ids(row: Row) -> bool:
    """The row of Ids of a look-up."""
    if row.get("DataType") == "EntityId":
        return True
    values = [text for text in (row["OldValue"], row["NewValue"]) if text is not None]
    return bool(values) and all(is_id(text) for text in values)


def read(row: Row, table: str) -> Change:
    ids = tells_ids(row)
    old, new = row["OldValue"], row["NewValue"]
    if ids:
        old, new = long_id(old), long_id(new)
    return Change(row[HISTORIES[table]], created(row), row["Field"], old, new, table, row["Id"], 0, ids)


def kept_rows(tables: Tables, table: str) -> list[Row]:
    """History rows that were not deleted, or only together with their record."""
    column, parent = PARENTS[table]
    bin_ = {row["Id"] for row in tables.get(parent, []) if deleted(row)}
    return [row for row in tables.get(table, []) if not deleted(row) or row[column] in bin_]


def told(tables: Tables, table: str) -> list[Change]:
    """Every change that one history table tells, in order of record, time and place in the second."""
    groups: dict[tuple[str, datetime, str], list[Change]] = defaultdict(list)
    for row in kept_rows(tables, table):
        change = read(row, table)
        groups[change.record, change.moment, change.field].append(change)
    kept: list[Change] = []
    for group in groups.values():
        with_ids = [change for change in group if change.ids]
        once: dict[tuple[str | None, str | None], Change] = {}
        for change in sorted(with_ids or group, key=lambda change: change.id):
            if change.old is not None and change.old == change.new:
                continue
            once.setdefault((change.old, change.new), change)
        kept += once.values()
    return in_order(one_word_per_owner(kept))


def one_word_per_owner(changes: Iterable[Change]) -> list[Change]:
    """Of several words for one change of owner in one second, one that is not Owner."""
    groups: dict[object, list[Change]] = defaultdict(list)
    for change in changes:
        if change.field in OWNER_WORDS:
            groups[change.record, change.moment, change.old, change.new].append(change)
        else:
            groups[change.id].append(change)
    return [
        min(group, key=lambda change: (change.field == "Owner", change.field, change.id))
        for group in groups.values()
    ]


def kind(change: Change) -> str:
    """Changes of one kind follow one another: all words for the owner are one."""
    return "Owner" if change.field in OWNER_WORDS else change.field


def in_order(changes: Iterable[Change]) -> list[Change]:
    """By record and time; changes of one field in one second by the chain of old and new values."""
    threads: dict[tuple[str, str], dict[datetime, list[Change]]] = defaultdict(lambda: defaultdict(list))
    for change in changes:
        threads[change.record, kind(change)][change.moment].append(change)
    placed: list[Change] = []
    for thread in threads.values():
        last: str | None = None
        for number_, moment in enumerate(sorted(thread)):
            group = sorted(thread[moment], key=lambda change: change.id)
            if len(group) > 1:
                group = chain(group, last, begun=number_ > 0)
            last = group[-1].new
            placed += [change._replace(seq=seq) for seq, change in enumerate(group)]
    return sorted(placed, key=lambda change: (change.record, change.moment, change.seq, change.id))


def chain(group: list[Change], last: str | None, *, begun: bool) -> list[Change]:
    """The order in which most old values are the new value before them."""
    if len(group) > 6:
        return group

    def breaks(order: list[Change]) -> int:
        inside = sum(one.new != other.old for one, other in pairwise(order))
        return inside + (begun and order[0].old != last)

    return min((list(order) for order in permutations(group)), key=breaks)


def same(field: str, one: str | None, other: str | None) -> bool:
    """Whether two texts are one value of a field."""
    return canonical(field, one) == canonical(field, other)


def canonical(field: str, text: str | None) -> object:
    if text is None:
        return None
    if field in {"Amount", "Probability"}:
        value = number(text)
        return text if value is None else value
    if field == "CloseDate":
        return day(text) or text
    return text


def snapshots(tables: Tables) -> dict[str, list[Row]]:
    """Snapshots of each opportunity, in order."""
    mine: dict[str, list[Row]] = defaultdict(list)
    rows = kept_rows(tables, "OpportunityHistory")
    for row in sorted(rows, key=lambda row: (created(row), row["Id"])):
        mine[row["OpportunityId"]].append(row)
    return mine


def of_opportunities(tables: Tables) -> list[Change]:
    """Both histories of opportunities as one: a snapshot tells what field history does not."""
    changes = told(tables, "OpportunityFieldHistory")
    said: dict[tuple[str, str], list[Change]] = defaultdict(list)
    for change in changes:
        field = "ForecastCategory" if change.field == "ForecastCategoryName" else change.field
        said[change.record, field].append(change)
    found = list(changes)
    for record, rows in snapshots(tables).items():
        for before, after in pairwise([before_all(rows[0]), *rows]):
            for field in SNAPSHOT_FIELDS:
                if field not in before:
                    continue
                old, new = before.get(field), after.get(field)
                if same(field, old, new):
                    continue
                if told_already(said[record, field], field, before, after):
                    continue
                found.append(
                    Change(record, created(after), field, old, new, "OpportunityHistory", after["Id"])
                )
    return in_order(found)


def told_already(said: list[Change], field: str, before: Row, after: Row) -> bool:
    """Whether field history tells what a snapshot shows: within five seconds, or since the one before."""
    moment, new = created(after), after.get(field)
    if any(same(field, one.new, new) and abs(one.moment - moment) <= GRACE for one in said):
        return True
    between = [one for one in said if created(before) < one.moment < moment]
    return any(same(field, one.new, new) for one in between if one.moment == between[-1].moment)


def before_all(first: Row) -> Row:
    """What the first snapshot tells of the time before it."""
    known = {"Amount": first.get("PrevAmount"), "CloseDate": first.get("PrevCloseDate")}
    return {field: value for field, value in known.items() if value is not None}


def begins_with(tables: Tables, table: str) -> dict[str, set[str]]:
    """The words for the creation that the history of each record holds."""
    words: dict[str, set[str]] = defaultdict(set)
    for row in kept_rows(tables, table):
        words[row[HISTORIES[table]]].add(row["Field"])
    return words

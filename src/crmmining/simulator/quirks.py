"""The dirt of real CRMs: what can be switched on, in the order in which it is applied."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import polars as pl

from crmmining.errors import UnknownNameError
from crmmining.simulator import quirks_activities as activities
from crmmining.simulator import quirks_history as history
from crmmining.simulator import quirks_records as records
from crmmining.simulator import quirks_values as values
from crmmining.simulator.mess import Mess


@dataclass(frozen=True)
class Quirk:
    """One kind of dirt: `rows` or `records`, whatever its Ids in the truth are; and what becomes of the past.

    `replayable` is False when the history that is left does not tell how all records stood at every moment.
    """

    apply: Callable[[Mess], list[pl.Series]]
    lists: str
    what: str
    replayable: bool = True


QUIRKS: Final[Mapping[str, Quirk]] = {
    # Whole records come first, so that all other dirt falls on them too.
    "existing_contacts": Quirk(
        records.existing_contacts, "records", "leads converted into a contact that was there before"
    ),
    "back_dated": Quirk(
        records.back_dated,
        "records",
        "records of before the go-live whose CreatedDate precedes their history by years",
        replayable=False,
    ),
    "person_accounts": Quirk(
        records.person_accounts, "records", "accounts that are people, with a shadow contact"
    ),
    "deleted_opportunities": Quirk(
        records.deleted_opportunities,
        "records",
        "opportunities in the recycle bin, with their rows",
        replayable=False,
    ),
    "merged_accounts": Quirk(
        records.merged_accounts, "records", "losers of merges in chains of two, A into B into C"
    ),
    "merged_leads": Quirk(records.merged_leads, "records", "losers of merges of unconverted leads"),
    "bulk_update": Quirk(
        records.bulk_update, "rows", "history rows of one user who saved every lead in one second"
    ),
    "mass_close": Quirk(
        records.mass_close, "rows", "history rows and snapshots of idle opportunities closed in one second"
    ),
    # Rows that go, before rows that come.
    "unmarked_conversions": Quirk(
        history.unmarked_conversions,
        "records",
        "converted leads without leadConverted row",
        replayable=False,
    ),
    "no_created_rows": Quirk(history.no_created_rows, "records", "records without the row of their creation"),
    "untold_owners": Quirk(
        history.untold_owners, "records", "leads and cases without any row of their owners", replayable=False
    ),
    "names_only": Quirk(
        history.names_only, "rows", "owner changes told by names, without a row of Ids", replayable=False
    ),
    "tracking_began": Quirk(
        history.tracking_began,
        "rows",
        "history rows that are not there, because the field was tracked later",
        replayable=False,
    ),
    "broken_chains": Quirk(
        history.broken_chains, "rows", "history rows missing in the middle of a chain", replayable=False
    ),
    "owner_marks": Quirk(history.owner_marks, "rows", "owner changes told as ownerAssignment"),
    "shuffled_chains": Quirk(
        history.shuffled_chains,
        "rows",
        "two changes of one field in one second, the later one with the smaller Id",
    ),
    "back_and_forth": Quirk(
        history.back_and_forth, "rows", "a step to another value and back, in the second of a change"
    ),
    "same_values": Quirk(history.same_values, "rows", "history rows whose OldValue equals their NewValue"),
    "doubled_rows": Quirk(history.doubled_rows, "rows", "exact copies of history rows under another Id"),
    "null_text": Quirk(history.null_text, "rows", "changes of a long text, without values"),
    "marks": Quirk(history.marks, "rows", "feedEvent, external, closed, locked and unlocked rows"),
    "orphan_rows": Quirk(history.orphan_rows, "rows", "history rows of records that do not exist"),
    "snapshots_missing": Quirk(history.snapshots_missing, "rows", "snapshots that are not there"),
    "snapshots_amount_only": Quirk(
        history.snapshots_amount_only,
        "records",
        "opportunities whose only snapshots are those that changed the amount",
    ),
    "snapshots_without_previous": Quirk(
        history.snapshots_without_previous, "rows", "snapshots without PrevAmount and PrevCloseDate"
    ),
    "record_type_stages": Quirk(
        values.record_type_stages, "records", "opportunities of a record type with stages of its own"
    ),
    "renamed_values": Quirk(
        values.renamed_values,
        "rows",
        "history rows and snapshots with the former name of a stage or status",
        replayable=False,
    ),
    "inactive_stage": Quirk(values.inactive_stage, "records", "a stage that is no longer active"),
    "translated_labels": Quirk(values.translated_labels, "records", "stages and statuses with German labels"),
    "inactive_currency": Quirk(values.inactive_currency, "records", "a currency that is no longer active"),
    "missing_rates": Quirk(values.missing_rates, "records", "opportunities in a currency without a rate"),
    "inactive_users": Quirk(values.inactive_users, "records", "people who have left"),
    "robots": Quirk(
        activities.robots, "rows", "mails, tasks and changes of fields by the automated-process user"
    ),
    "queue_tasks": Quirk(activities.queue_tasks, "records", "tasks that belong to a queue"),
    "recurring_tasks": Quirk(activities.recurring_tasks, "records", "masters of recurring tasks"),
    "invitee_events": Quirk(activities.invitee_events, "records", "copies of meetings for invitees"),
    "undated_tasks": Quirk(
        activities.undated_tasks, "records", "logged calls and mails without CompletedDateTime"
    ),
    "undated_plans": Quirk(
        activities.undated_plans,
        "records",
        "planned and completed tasks without CompletedDateTime",
        replayable=False,
    ),
    "future_dates": Quirk(
        activities.future_dates, "records", "tasks, events, quotes and mails with dates far ahead"
    ),
    "stale_milestones": Quirk(
        activities.stale_milestones, "records", "milestones open and overdue with IsViolated false"
    ),
    "short_ids": Quirk(values.short_ids, "rows", "rows with Ids of 15 characters, here with 18"),
}
"""All quirks by name. They change what the tables tell, never what happened."""


def chosen(quirks: bool | Collection[str]) -> list[str]:  # noqa: FBT001  the public option
    """Names of the quirks that are on; UnknownNameError for a name that none has."""
    if isinstance(quirks, bool):
        return list(QUIRKS) if quirks else []
    names = {quirks} if isinstance(quirks, str) else set(quirks)
    for name in sorted(names):
        if name not in QUIRKS:
            raise UnknownNameError("quirk", name, QUIRKS)
    return [name for name in QUIRKS if name in names]


def soil(
    names: list[str],
    clean: Mapping[str, pl.DataFrame],
    full: Mapping[str, pl.DataFrame],
    *,
    seed: int,
    until: int,
) -> tuple[dict[str, pl.DataFrame], dict[str, dict[str, object]]]:
    """Tables of a CRM with quirks, and the truth about these by name.

    `clean` holds its tables as they stood at `until`, `full` those at the end of time.
    """
    mess = Mess(dict(clean), full, datetime.fromtimestamp(until, UTC), seed)
    truth: dict[str, dict[str, object]] = {}
    for number, (name, quirk) in enumerate(QUIRKS.items()):
        if name in names:
            mess.quirk, mess.number, mess.told = name, number, {}
            ids = sorted({text for part in quirk.apply(mess) for text in part})
            truth[name] = {
                "what": quirk.what, "replayable": quirk.replayable, **mess.told, quirk.lists: ids
            }  # fmt: skip
    return mess.tables, truth

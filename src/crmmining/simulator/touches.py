"""Tasks and events: the touches of people, and how they move when a lead is converted."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import polars as pl

from crmmining.simulator.arrays import DAY, END, HOUR, MINUTE, NEVER, NONE, Ints, days, moments, pick, plans
from crmmining.simulator.columns import audit, first_of, flag, text
from crmmining.simulator.dice import Dice
from crmmining.simulator.ids import in_order_of, make_ids
from crmmining.simulator.world import World

Target = Literal["Lead", "Contact", "Account", "Opportunity", "Case"]
_TARGETS: Final[tuple[Target, ...]] = ("Lead", "Contact", "Account", "Opportunity", "Case")
_SUBTYPES: Final = ["Call", "Email", "Task"]
_TYPES: Final = ["Call", "Email", "Other"]
_SUBJECTS: Final = ["Call", "Email: follow-up", "Send material"]
_CALL, _PLANNED = 0, 2
_MEETINGS: Final = ["Intro meeting", "Demo", "Contract review, on site"]
_LONG_CALL: Final = 25 * MINUTE
_SLOT: Final = 30 * MINUTE
_YEAR: Final = 365


@dataclass(frozen=True)
class Conversions:
    """Where the activities of each lead go: NEVER and NONE for leads that were not converted."""

    at: Ints
    actor: Ints
    contact: Ints
    account: Ints
    opportunity: Ints


@dataclass(frozen=True)
class Activities:
    """The rendered activity tables and the last day of activity per record."""

    tasks: pl.DataFrame
    events: pl.DataFrame
    last_day: dict[Target, Ints]
    moves: Conversions


class Touches:
    """Collects tasks and meetings of all processes."""

    def __init__(self) -> None:
        self._tasks: list[pl.DataFrame] = []
        self._meetings: list[pl.DataFrame] = []

    def task(self, at: Ints, owner: Ints, targets: dict[Target, Ints]) -> None:
        """Tasks entered at an instant: most log what was just done, some plan ahead."""
        self._tasks.append(_rows(at, owner, targets))

    def meeting(self, at: Ints, owner: Ints, targets: dict[Target, Ints]) -> None:
        """Meetings agreed at an instant, held some working days later."""
        self._meetings.append(_rows(at, owner, targets))

    def tables(self, world: World, ids: dict[Target, pl.Series], moves: Conversions) -> Activities:
        """Render Task and Event, and the last day of activity of every record they touch."""
        dice = world.dice("touches")
        tasks = _moved(pl.concat(self._tasks), moves)
        events = _moved(pl.concat(self._meetings), moves)
        task_table, task_day = _task_table(world, dice, tasks, ids)
        event_table, event_day = _event_table(world, dice, events, ids)
        linked = pl.concat([tasks, events])
        day = np.concatenate([task_day, event_day])
        day = np.where(linked["at"].to_numpy() <= world.until, day, NONE)
        last_day: dict[Target, Ints] = {}
        for target in _TARGETS:
            latest = np.full(len(ids[target]), NONE, dtype=np.int64)
            record = linked[target].to_numpy()
            np.maximum.at(latest, record[record >= 0], day[record >= 0])
            last_day[target] = latest
        return Activities(task_table, event_table, last_day, moves)


def _task_table(
    world: World, dice: Dice, rows: pl.DataFrame, ids: dict[Target, pl.Series]
) -> tuple[pl.DataFrame, Ints]:
    count, at, owner = rows.height, rows["at"].to_numpy(), rows["owner"].to_numpy()
    users, today = world.org.user_ids, world.until // DAY
    planned = dice.chance(count, 0.25)
    due_day = (at + np.where(planned, dice.between(count, 1, 10) * DAY, 0)) // DAY
    done = np.where(planned, at + dice.duration(count, 3 * DAY, 0.8).astype(np.int64), at)
    done = np.where((planned & dice.chance(count, 0.12)) | (done > world.until), NEVER, done)
    kind = np.where(planned, _PLANNED, dice.choice(count, [0.6, 0.4]))
    seconds = np.where(kind == _CALL, dice.between(count, 40, 1800), NONE)
    closed = done <= world.until
    changed, changer = _last_change(rows, np.where(closed, done, at))
    table = pl.DataFrame(
        {
            "Id": make_ids("Task", in_order_of(at)),
            "IsDeleted": flag(count),
            **_links(rows, ids),
            "OwnerId": users.gather(owner),
            "Subject": pick(_SUBJECTS, kind),
            "Status": pick(["Not Started", "Completed"], closed.astype(np.int64)),
            "IsClosed": pl.Series(closed),
            "Priority": pick(["Normal", "High"], (seconds > _LONG_CALL).astype(np.int64)),
            "IsHighPriority": pl.Series(seconds > _LONG_CALL),
            "ActivityDate": days(due_day),
            "CompletedDateTime": moments(done),
            "TaskSubtype": pick(_SUBTYPES, kind),
            "Type": pick(_TYPES, kind),
            "CallType": pick(["Outbound"], np.where(kind == _CALL, 0, NONE)),
            "CallDurationInSeconds": pl.Series(seconds).replace(NONE, None),
            "IsArchived": pl.Series(closed & (due_day <= today - _YEAR)),
            "IsRecurrence": flag(count),
            **audit(users, at, owner, changed, changer),
        }
    )
    return table, np.where(closed, np.minimum(due_day, today), NONE)


def _event_table(
    world: World, dice: Dice, rows: pl.DataFrame, ids: dict[Target, pl.Series]
) -> tuple[pl.DataFrame, Ints]:
    count, at, owner = rows.height, rows["at"].to_numpy(), rows["owner"].to_numpy()
    org, today = world.org, world.until // DAY
    wished = org.calendar.after(at, dice.duration(count, 24 * HOUR, 0.7), org.user_team[owner])
    all_day = dice.chance(count, 0.03)
    day = np.where(all_day, wished // DAY + 1, wished // DAY)
    start = np.where(all_day, day * DAY, np.maximum(wished // _SLOT, at // _SLOT + 1) * _SLOT)
    minutes = dice.between(count, 1, 4) * 30
    changed, changer = _last_change(rows, at)
    table = pl.DataFrame(
        {
            "Id": make_ids("Event", in_order_of(at)),
            "IsDeleted": flag(count),
            **_links(rows, ids),
            "OwnerId": org.user_ids.gather(owner),
            "Subject": pick(_MEETINGS, dice.choice(count, [1, 1, 1])),
            "Type": text("Meeting", count),
            "EventSubtype": text("Event", count),
            "StartDateTime": plans(start),
            "EndDateTime": plans(np.where(all_day, start, start + minutes * MINUTE)),
            "ActivityDate": days(start // DAY),
            "ActivityDateTime": plans(np.where(all_day, NEVER, start)),
            "DurationInMinutes": pl.Series(np.where(all_day, DAY // MINUTE, minutes)),
            "IsAllDayEvent": pl.Series(all_day),
            "IsGroupEvent": flag(count),
            "IsChild": flag(count),
            "IsPrivate": flag(count),
            "ShowAs": text("Busy", count),
            "IsArchived": pl.Series(start // DAY <= today - _YEAR),
            "IsRecurrence": flag(count),
            **audit(org.user_ids, at, owner, changed, changer),
        }
    )
    return table, np.where(start <= world.until, start // DAY, NONE)


def _rows(at: Ints, owner: Ints, targets: dict[Target, Ints]) -> pl.DataFrame:
    nobody = np.full(len(at), NONE, dtype=np.int64)
    columns = {"at": at, "owner": owner}
    columns.update((target, targets.get(target, nobody)) for target in _TARGETS)
    return pl.DataFrame(columns).filter(pl.col("at") <= END)


def _moved(rows: pl.DataFrame, moves: Conversions) -> pl.DataFrame:
    """Relate a converted lead's activities to its contact, account and opportunity instead."""
    lead = rows["Lead"].to_numpy()
    known = np.maximum(lead, 0)
    converted = (lead >= 0) & (moves.at[known] <= END)
    targets: tuple[tuple[Target, Ints], ...] = (
        ("Contact", moves.contact),
        ("Account", moves.account),
        ("Opportunity", moves.opportunity),
    )
    return rows.with_columns(
        pl.Series("Lead", np.where(converted, NONE, lead)),
        *[pl.Series(name, np.where(converted, to[known], rows[name].to_numpy())) for name, to in targets],
        pl.Series("moved_at", np.where(converted, moves.at[known], NONE)),
        pl.Series("mover", np.where(converted, moves.actor[known], NONE)),
    )


def _last_change(rows: pl.DataFrame, changed: Ints) -> tuple[Ints, Ints]:
    """When and by whom a row was last saved: the move of a lead's activities is a save too."""
    moved_at = rows["moved_at"].to_numpy()
    later = moved_at > changed
    return np.where(later, moved_at, changed), np.where(
        later, rows["mover"].to_numpy(), rows["owner"].to_numpy()
    )


def _links(rows: pl.DataFrame, ids: dict[Target, pl.Series]) -> dict[str, pl.Series]:
    """Look-ups of an activity; it is about the account itself when nobody in particular was met."""
    record: dict[Target, Ints] = {target: rows[target].to_numpy() for target in _TARGETS}
    alone = np.where((record["Contact"] < 0) & (record["Lead"] < 0), record["Account"], NONE)
    about = first_of(pick(ids["Opportunity"], record["Opportunity"]), pick(ids["Case"], record["Case"]))
    return {
        "WhoId": first_of(pick(ids["Contact"], record["Contact"]), pick(ids["Lead"], record["Lead"])),
        "WhatId": first_of(about, pick(ids["Account"], alone)),
        "AccountId": pick(ids["Account"], record["Account"]),
    }

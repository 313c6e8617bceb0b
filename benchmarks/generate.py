"""A large flat opportunity log: text Ids and activities, shuffled, whole seconds that grow inside a case."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

Column = npt.NDArray[np.int64]
EVENTS_PER_CASE = 6.66  # what the transitions below give on average; only sizes the log
DIGITS = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", dtype=np.uint8)
CHECKSUM = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", dtype=np.uint8)
ACTIVITIES = (
    "Create Opportunity",
    "Stage: Qualification",
    "Stage: Needs Analysis",
    "Stage: Proposal",
    "Stage: Negotiation",
    "Win Opportunity",
    "Lose Opportunity",
    "Reopen Opportunity",
    "Change Owner",
    "Raise Amount",
    "Push Close Date",
    "Create Quote",
)
# probability of the next activity (column) after an activity (row); what is left to 1 ends the case
NEXT = np.array(
    [
        # new  qual  need  prop  nego  win   lose  reop  owner amt   date  quote
        [0.00, 0.52, 0.10, 0.04, 0.00, 0.01, 0.05, 0.00, 0.10, 0.08, 0.08, 0.00],
        [0.00, 0.00, 0.46, 0.10, 0.03, 0.01, 0.10, 0.00, 0.08, 0.09, 0.09, 0.02],
        [0.00, 0.05, 0.00, 0.44, 0.07, 0.02, 0.09, 0.00, 0.05, 0.11, 0.10, 0.05],
        [0.00, 0.01, 0.06, 0.00, 0.36, 0.05, 0.09, 0.00, 0.04, 0.12, 0.10, 0.15],
        [0.00, 0.00, 0.02, 0.09, 0.00, 0.36, 0.15, 0.00, 0.03, 0.13, 0.12, 0.08],
        [0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.02, 0.01, 0.02, 0.00, 0.00],
        [0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.06, 0.01, 0.00, 0.00, 0.00],
        [0.00, 0.25, 0.15, 0.20, 0.20, 0.05, 0.05, 0.00, 0.05, 0.02, 0.03, 0.00],
        [0.00, 0.25, 0.15, 0.12, 0.10, 0.03, 0.10, 0.00, 0.03, 0.10, 0.10, 0.02],
        [0.00, 0.12, 0.15, 0.18, 0.17, 0.07, 0.09, 0.00, 0.02, 0.05, 0.12, 0.03],
        [0.00, 0.12, 0.14, 0.15, 0.15, 0.08, 0.12, 0.00, 0.03, 0.10, 0.08, 0.03],
        [0.00, 0.00, 0.03, 0.20, 0.35, 0.15, 0.08, 0.00, 0.01, 0.10, 0.06, 0.02],
    ]
)
GRAIN = 1 << 12  # a random number of so many chooses the next activity
CHOICES = (np.arange(GRAIN)[None, :, None] >= GRAIN * np.cumsum(NEXT, axis=1)[:, None, :]).sum(axis=2)
MEAN_DAYS = np.array([3, 6, 9, 12, 8, 30, 40, 2, 4, 3, 7, 5])
FIRST_DAY = 1_577_836_800  # 2020-01-01T00:00:00Z
DAY = 86_400
YEARS = 6


def write_flat(path: Path, *, events: int, seed: int) -> int:
    """Write about `events` events to a Parquet file and return how many they became."""
    random = np.random.default_rng(seed)
    cases = max(1, round(events / EVENTS_PER_CASE))
    case, activity, second = walk(random, cases)
    order = random.permutation(len(case))
    names = pl.Series("activity", ACTIVITIES)
    pl.DataFrame(
        [
            ids(0, cases).alias("case_id").gather(case[order]),
            names.gather(activity[order]),
            pl.Series("occurred_at", second[order] * 1_000_000).cast(pl.Datetime("us", "UTC")),
        ]
    ).write_parquet(path, row_group_size=1_000_000)
    return len(case)


def walk(random: np.random.Generator, cases: int) -> tuple[Column, Column, Column]:
    """Let all cases take their steps together until none is left: case, activity, second of every event.

    Events stand in the order of cases, those of a case in the order of time.
    """
    going, activity = np.arange(cases), np.zeros(cases, dtype=np.int64)
    second = FIRST_DAY + random.integers(0, YEARS * 365 * DAY, cases)
    lengths, steps = np.zeros(cases, dtype=np.int64), []
    while len(going):
        steps.append((going, activity, second))
        lengths[going] += 1
        step = CHOICES[activity, random.integers(0, GRAIN, len(going), dtype=np.uint16)]
        on = step < len(ACTIVITIES)
        wait = random.standard_exponential(int(on.sum())) * MEAN_DAYS[activity[on]] * DAY
        going, activity, second = going[on], step[on], second[on] + wait.astype(np.int64) + 1
    starts = np.cumsum(lengths) - lengths
    found = np.empty((2, lengths.sum()), dtype=np.int64)
    for nth, (who, what, when) in enumerate(steps):
        found[:, starts[who] + nth] = what, when
    return np.repeat(np.arange(cases), lengths), *found


def ids(first: int, count: int) -> pl.Series:
    """Number opportunity Ids as Salesforce does: 15 base-62 characters and three that spell their case."""
    number = np.arange(first, first + count) * 3 + 62**4
    body = np.tile(np.frombuffer(b"006gK0000000000", dtype=np.uint8), (count, 1))
    for place in range(14, 6, -1):
        number, digit = np.divmod(number, 62)
        body[:, place] = DIGITS[digit]
    upper = ((body >= ord("A")) & (body <= ord("Z"))).reshape(count, 3, 5)
    text = np.concatenate([body, CHECKSUM[upper @ (1 << np.arange(5))]], axis=1)
    places = pa.py_buffer(np.arange(count + 1) * text.shape[1])
    return pl.Series(pa.Array.from_buffers(pa.large_string(), count, [None, places, pa.py_buffer(text)]))

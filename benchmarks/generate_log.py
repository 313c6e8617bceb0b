"""A stored opportunity log of any size, written partition by partition: variants grow in number as it does.

`python -m benchmarks.generate_log FOLDER [--events N] [--seed S]`. Attributes that no KPI reads are null.
"""

import argparse
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from benchmarks import generate

import crmmining as cm
from crmmining.definitions import Process, shipped
from crmmining.eventlog import Partition, partition
from crmmining.eventlog.partition import Lazy
from crmmining.kernels.coding import Coded

PARTITION = 2_000_000  # events
CASES = round(PARTITION / generate.EVENTS_PER_CASE)
AS_OF = datetime(2027, 1, 1, tzinfo=UTC)
REGIONS = ("APAC", "EMEA", "LATAM", "North America")
OWNERS = tuple(f"Owner {number:03}" for number in range(200))
SECOND = 1_000_000


def write_log(folder: Path, *, events: int, seed: int) -> None:
    """Store a log of about `events` events; what would happen after AS_OF is not in it."""
    sample = cm.connect(shipped("data/sample")).event_log("opportunity")
    names = tuple(sorted(generate.ACTIVITIES))
    cases = max(1, round(events / generate.EVENTS_PER_CASE))
    make = partial(_partition, sample.process, sample.blank.only, names, cases, seed)
    partitions = Lazy(-(-cases // CASES), make)
    log = cm.EventLog(sample.process, AS_OF, names, partitions, sample.quality.clear(), tracked=frozenset())
    log.save(folder, events=2 * PARTITION)


def _partition(  # noqa: PLR0917  the place comes last
    process: Process, blank: Partition, names: tuple[str, ...], cases: int, seed: int, at: int
) -> Partition:
    """The cases of one partition, each with its own random numbers, whatever the size of the log."""
    first, random = at * CASES, np.random.default_rng([seed, at])
    count = min(CASES, cases - first)
    code = np.array([names.index(name) for name in generate.ACTIVITIES], dtype=np.uint16)
    case, activity, second = generate.walk(random, count)
    known = second * SECOND < AS_OF.timestamp() * 1e6
    case, activity, second = case[known], activity[known], second[known]
    time = pl.Series("occurred_at", second * SECOND).cast(pl.Datetime("us", "UTC"))
    starts = np.flatnonzero(np.diff(case, prepend=-1))
    events = pl.DataFrame(
        [
            pl.Series("case_ix", case.astype(np.uint32)),
            pl.Series("activity", code[activity]),
            time,
            pl.Series("change_set", np.arange(len(case), dtype=np.uint32)),
        ]
    )
    amount = pl.Series("amount", np.round(random.lognormal(10, 1, count), 2))
    own = pl.DataFrame(
        [
            generate.ids(first, count).alias("case_id"),
            time.gather(starts).alias("created_at"),
            pl.repeat(value=False, n=count, eager=True).alias("truncated"),
            pl.Series("region", REGIONS).gather(random.integers(0, len(REGIONS), count)),
            pl.Series("owner", OWNERS).gather(random.integers(0, len(OWNERS), count)),
            amount,
            amount.alias("amount_reporting"),
        ]
    ).with_columns(currency=pl.lit("USD"), reporting_currency=pl.lit("USD"))
    derived = ["case_ix", "outcome", "outcome_at", "open"]
    whole = pl.concat([blank.cases.drop(derived), own], how="diagonal")
    every = pl.concat([blank.events, events], how="diagonal")
    return partition(process, Coded(every, whole["case_id"], names), whole, blank.values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    write_log(options.folder, events=options.events, seed=options.seed)


if __name__ == "__main__":
    main()

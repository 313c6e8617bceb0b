"""A large CRM as Parquet files: the simulator's, of about as many events as asked for over the four logs."""

from pathlib import Path

import crmmining as cm

EVENTS_PER_ACCOUNT = 105  # what the simulator gives on average; only sizes the CRM


def write_crm(folder: Path, *, events: int, seed: int) -> None:
    """Write the tables of a CRM with about `events` events."""
    cm.simulate(folder, accounts=max(1, round(events / EVENTS_PER_ACCOUNT)), seed=seed, format="parquet")

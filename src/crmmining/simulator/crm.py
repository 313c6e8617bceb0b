"""From a seed to a folder of tables."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, get_args

from crmmining.errors import CrmMiningError, UnknownNameError
from crmmining.simulator.arrays import END, FIRST_DAY, LAST_DAY
from crmmining.simulator.cases import BASE_REOPENING, PAUSED_SHARE, QUEUED_SHARE
from crmmining.simulator.dice import Dice
from crmmining.simulator.effects import Effects
from crmmining.simulator.ids import KEY_PREFIXES
from crmmining.simulator.leads import BASE_CONVERSION
from crmmining.simulator.moments import Moment, kept_since, stop_at
from crmmining.simulator.org import build_org
from crmmining.simulator.quirks import QUIRKS, chosen, soil
from crmmining.simulator.tables import retained, run, tables
from crmmining.simulator.world import World
from crmmining.simulator.writing import Format, staging, write_table, write_truth

TABLES: Final = frozenset({*KEY_PREFIXES, "_CEL_CURRENCIES"})
"""Every table that a simulation can write."""


def simulate(
    folder: str | Path,
    *,
    accounts: int = 2000,
    seed: int = 7,
    format: Format = "csv",  # noqa: A002  the word a caller expects
    effects: bool | Mapping[str, bool | float] = True,
    without: Collection[str] = (),
    retention_months: int | None = None,
    until: Moment | None = None,
    quirks: bool | Collection[str] = False,
) -> Path:
    """Write a simulated CRM of the years 2023 to 2025: one file per Salesforce table, and `truth.json`.

    `accounts` is the number of accounts that sales opens itself; all other volumes follow from it, and
    converted leads add accounts of their own. The same arguments give the same bytes. `effects` switches the
    planted facts on or off, all at once or by name; a number instead sets an effect's factor. `without`
    leaves tables out. `retention_months` drops field history older than so many months before the end, as
    Salesforce does.

    `until` stops the CRM at a moment (a date is its midnight, a time without a zone is UTC) and writes the
    tables as they stood then: the rows created by then, each in the state that it had. What had happened is
    the same whenever the CRM is stopped. Three things do not move: names of opportunities, target dates of
    milestones, and what was set up in 2022 (people, picklists, rates).

    `quirks` soils the finished tables as real CRMs are soiled, all at once or by the names of `QUIRKS`;
    `truth.json` lists what each of them touched. A CRM stopped early is as dirty as the same rows of the one
    that goes on.

    CSV is RFC 4180 with LF, UTF-8 and instants like 2024-03-01T09:30:00.000Z; Parquet holds typed columns.
    Nothing that the CRM recorded is later than `until`, at most 2025-12-31T23:59:59Z; only plans (due dates,
    expected close dates, targets) lie ahead of it.

    Raises UnknownNameError for an unknown table, effect, quirk or format, OutputError when `folder` holds
    anything but an earlier simulation (known by its `truth.json`) or cannot be written, CrmMiningError for
    numbers out of range and an `until` that is no moment or lies before 2023.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     crm = simulate(f"{place}/crm", accounts=10, seed=1)
    ...     print((crm / "CurrencyType.csv").read_text().splitlines()[1][:27])
    01L5e0000000001EAA,USD,1.0,
    """
    for table in sorted(set(without)):
        if table not in TABLES:
            raise UnknownNameError("table", table, TABLES)
    if format not in get_args(Format):
        raise UnknownNameError("format", format, get_args(Format))
    if accounts < 1 or seed < 0 or (retention_months is not None and retention_months < 1):
        raise CrmMiningError(
            f"accounts ({accounts}) and retention_months ({retention_months}) must be 1 or more, "
            f"seed ({seed}) 0 or more."
        )
    in_force, stop, dirt = Effects.of(effects), stop_at(until), chosen(quirks)
    target = Path(folder).absolute()
    with staging(target, TABLES) as fresh:
        happened = run(World(seed, accounts, in_force, build_org(Dice(seed, "org"), accounts), stop))
        truth: dict[str, object] = {
            "seed": seed,
            "accounts": accounts,
            "first_day": FIRST_DAY.isoformat(),
            "last_day": LAST_DAY.isoformat(),
            "retention_months": retention_months,
            "base": {
                "lead_conversion": BASE_CONVERSION,
                "case_reopening": BASE_REOPENING,
                "case_queued_share": QUEUED_SHARE,
                "case_paused_share": PAUSED_SHARE,
            },
            "effects": in_force.truth(),
        }
        if until is not None:
            truth["until"] = datetime.fromtimestamp(stop, UTC).isoformat()
        made = tables(happened, stop)
        if dirt:
            clean = dict(made)
            full = clean if stop == END else dict(tables(happened, END))
            soiled, truth["quirks"] = soil(dirt, clean, full, seed=seed, until=stop)
            made = iter(soiled.items())
        rows: dict[str, int] = {}
        for name, made_rows in retained(made, kept_since(retention_months, stop)):
            if name not in without:
                write_table(fresh, name, made_rows, format)
                rows[name] = made_rows.height
        write_truth(fresh, {**truth, "rows": dict(sorted(rows.items()))})
    return Path(folder)


__all__ = ["QUIRKS", "TABLES", "simulate"]

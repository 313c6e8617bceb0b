"""One hundredth of a large CRM's rows changes: a refresh of its four logs against loading and telling them.

`python -m benchmarks.refresh [--events N] [--seed S] [--repeats R] [--page FILE]`. `recent`: what a CRM that
goes on records and changes in its last days. `even`: every hundredth row of every table, wherever it lies, is
said to be another user's. `stored` is `recent` with tables and logs kept in a store, which is opened anew to
be refreshed. Each turn is a process of its own; its full run and its refresh are timed one after the other,
and a rebuild says what the refreshed logs must equal.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TypeVar

import polars as pl
from benchmarks import pages
from benchmarks.generate_crm import EVENTS_PER_ACCOUNT
from polars.testing import assert_frame_equal

import crmmining as cm

T = TypeVar("T")
UNTIL = "2025-12-28T18:00:00"  # a hundredth of the rows is of later, or has changed since
SHARE = 0.01
SET_UP = {"User", "UserRole", "Group", "Profile", "RecordType", "Product2", "Solution", "Campaign"}
HEADING = "Refresh"
TEMPLATE = """{rows:,} rows of a simulated CRM of about {events:,} events (seed {seed}), of which have
changed {changed}. {machine}, Python {python}; {packages}.

`full run` loads all tables and tells four logs; `refresh` merges the changed rows and tells the touched
cases again. Both end with the same tables and logs; that they are equal is {equal}. `recent` is what a CRM
that goes on records and changes in its last days, `even` every hundredth row of every table, wherever it
lies; `stored` is `recent`, kept in a store. The scorecard costs the same after either and is in neither.

| changed | cases told | full run, s | refresh, s | refresh / full | processor | goal | one row |
|---|---:|---:|---:|---:|---:|---:|---:|
{lines}

Medians of {repeats} turns. `processor` is processor time by that of a full run, and so is `one row`: a
second refresh, in which a single row goes.

{why}
"""
WHY = """What bounds it: whole cases are told again, and changed rows lie in busy ones. Where changes are
recent, the touched cases hold one row in eight; where they are spread evenly, more than one in three. All
of these rows are read, brought into one form, told and accounted for, whatever changed about them. Besides,
whatever changed:

* columns that lead to cases are looked through, once per process, to find the rows of the touched cases;
* what is known of all records (first rows of histories, flags of stages) is asked before and after;
* statements are planned for four processes, however few rows they meet, and the first refresh of a
  connection asks which columns processes read. That takes some four seconds of a processor, which is a
  third of a full run at a million events and a twentieth at ten million;
* in memory, the frames of a log are copied once around the cases that are replaced. In a store these alone
  are written, but the file of tables is copied.

What costs nothing: a row that differs only in columns that a process does not read touches none of its
cases, and a process without touched cases is left alone."""
Figures = dict[str, float]


def write(place: Path, events: int, seed: int) -> None:
    """Write both CRMs, what lies between them, and the one whose rows have changed everywhere."""
    accounts = max(1, round(events / EVENTS_PER_ACCOUNT))
    cm.simulate(place / "end", accounts=accounts, seed=seed, format="parquet")
    cm.simulate(place / "base", accounts=accounts, seed=seed, format="parquet", until=UNTIL)
    for name in ("recent", "even", "merged"):
        (place / name).mkdir()
    someone = pl.read_parquet(place / "end" / "User.parquet")["Id"][0]
    for file in sorted((place / "end").glob("*.parquet")):
        now, before = pl.read_parquet(file), pl.read_parquet(place / "base" / file.name)
        fresh = now.join(before, on=now.columns, how="anti", nulls_equal=True)
        if not fresh.is_empty():
            fresh.write_parquet(place / "recent" / file.name)
        if "CreatedById" in now.columns and "CreatedDate" in now.columns and file.stem not in SET_UP:
            some = now.sample(fraction=SHARE, seed=1).with_columns(CreatedById=pl.lit(someone))
            some.write_parquet(place / "even" / file.name)
            now = pl.concat([now.join(some, on="Id", how="anti"), some])
        now.write_parquet(place / "merged" / file.name)


def turn(source: Path, changes: Path, merged: Path, *, stored: bool) -> Figures:
    """A full run, a refresh, and whether it equals the rebuild."""
    found: Figures = {}

    def timed(step: str, work: Callable[[], T]) -> T:
        start, busy = time.perf_counter(), time.process_time()
        done = work()
        found[step] = time.perf_counter() - start
        found[f"{step} cpu"] = time.process_time() - busy
        return done

    with tempfile.TemporaryDirectory() as name:
        store = Path(name) / "store" if stored else None

        def full() -> cm.Crm:
            crm = cm.connect(source, store=store)
            for name in crm.processes:
                crm.event_log(name)
            return crm

        def refresh() -> pl.DataFrame:
            account = crm.refresh(changes)
            for name in crm.processes:
                crm.event_log(name)
            return account

        crm = timed("full", full)
        if store is not None:
            crm = cm.connect(store)
        lines = timed("refresh", refresh).filter(scope="process")
        found["cases"] = float(lines["cases"].sum())
        found["of"] = sum(crm.event_log(name).cases.height for name in crm.processes)
        found["all"] = float(lines["rebuilt"].str.starts_with("all").sum())
        check(crm, cm.connect(merged))
        last = crm.state("Task")["Id"].max()
        timed("one", lambda: crm.refresh(deleted={"Task": [str(last)]}))
    return found


def check(one: cm.Crm, other: cm.Crm) -> None:
    """Raise AssertionError unless both have the same logs and the same scorecard."""
    text = pl.col("activity").cast(pl.String)
    for name in other.processes:
        found, wanted = one.event_log(name), other.event_log(name)
        assert_frame_equal(found.events.with_columns(text), wanted.events.with_columns(text))
        assert_frame_equal(found.cases, wanted.cases)
        assert_frame_equal(found.quality, wanted.quality)
    assert_frame_equal(one.scorecard(), other.scorecard())


PLACES = {
    "recent": ("base", "recent", "end"),
    "even": ("end", "even", "merged"),
    "stored": ("base", "recent", "end"),
}
GOALS = {"recent": "0.10", "even": "0.30", "stored": "0.10"}


def measure(kind: str, place: Path) -> Figures:
    """A turn in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.refresh",
        "--turn",
        *(str(place / name) for name in PLACES[kind]),
        *(["--stored"] if kind == "stored" else []),
    ]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
    )
    found: Figures = json.loads(done.stdout.splitlines()[-1])
    print(kind, {name: round(value, 2) for name, value in found.items()}, flush=True)
    return found


def line(kind: str, turns: list[Figures]) -> str:
    """A row of the table."""
    middle = {name: median(turn[name] for turn in turns) for name in turns[0]}
    cells = [
        kind,
        f"{100 * middle['cases'] / middle['of']:.0f} %",
        *(f"{middle[step]:.2f}" for step in ("full", "refresh")),
        f"{middle['refresh'] / middle['full']:.2f}",
        f"{middle['refresh cpu'] / middle['full cpu']:.2f}",
        GOALS[kind],
        f"{middle['one cpu'] / middle['full cpu']:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--page", type=Path, default=pages.PAGE)
    parser.add_argument("--turn", nargs=3, metavar=("SOURCE", "CHANGES", "MERGED"), help=argparse.SUPPRESS)
    parser.add_argument("--stored", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.turn:
        print(json.dumps(turn(*map(Path, options.turn), stored=options.stored)))
        return
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        write(place, options.events, options.seed)
        rows = {
            folder: sum(
                pl.scan_parquet(file).select(pl.len()).collect().item()
                for file in (place / folder).glob("*.parquet")
            )
            for folder in ("end", "recent", "even")
        }
        turns = {kind: [measure(kind, place) for _ in range(options.repeats)] for kind in PLACES}
        text = TEMPLATE.format(
            rows=rows["end"],
            events=options.events,
            seed=options.seed,
            changed=" and ".join(
                f"{100 * rows[kind] / rows['end']:.2f} % ({kind})" for kind in ("recent", "even")
            ),
            machine=pages.machine(),
            python=platform.python_version(),
            packages=", ".join(f"{name} {version(name)}" for name in ("crmmining", "polars", "duckdb")),
            equal="checked in every turn",
            lines="\n".join(line(kind, found) for kind, found in turns.items()),
            repeats=options.repeats,
            why=WHY,
        )
    pages.write_part(options.page, HEADING, text)


if __name__ == "__main__":
    main()

"""Waiting: whose turn it was through the life of each case of a partition."""

from collections.abc import Sequence

import polars as pl

from crmmining.definitions import Process
from crmmining.definitions.waiting import RESPONSIBILITIES, Waiting
from crmmining.errors import CrmMiningError
from crmmining.eventlog import standing
from crmmining.eventlog.log import EventLog
from crmmining.kernels import waiting

_KEPT = "waits of every case"
_INSTANT = pl.Datetime("us", "UTC")
_COVERED_FROM = "covered_from"  # of cases that are truncated: since when their history is covered


def stated(process: Process) -> Waiting:
    """What the process says of waiting; raises `CrmMiningError` when it says nothing."""
    if process.waiting is None:
        raise CrmMiningError(
            f"process '{process.name}' does not say what waiting is: its TOML has no table [waiting] "
            "(attribute, touches, and the statuses that park a case)"
        )
    return process.waiting


def lives(log: EventLog) -> pl.DataFrame:
    """From when to when each case of a partition lived: case_ix, start, end, in the order of `cases`.

    From its creation to its final close, or to `as_of` while it is open.
    """
    cases = log.only.of_cases("case_ix", "created_at", "outcome_at")
    end = pl.coalesce("outcome_at", pl.lit(log.as_of, _INSTANT))
    return cases.select("case_ix", start="created_at", end=end)


def lifeless(log: EventLog) -> pl.DataFrame:
    """The cases of a partition that ended before they were created, or of unknown creation: case_ix."""
    alive = pl.col("start") <= pl.col("end")
    return lives(log).filter(~alive.fill_null(value=False)).select("case_ix")


def spans(log: EventLog, columns: Sequence[str] = ()) -> pl.DataFrame:
    """The lives of a partition's cases, cut wherever the answer or one of `columns` of `cases` changes.

    case_ix, start, end, responsibility (UInt8: its place in `RESPONSIBILITIES`), in_hours (Int64: open
    microseconds of the calendar in force; null without calendars), and `columns` as they were. By case and
    time; a case whose end does not lie after its creation has none.
    """
    process = stated(log.process)
    columns_of = {key: log.process.segments[word] for key, word in process.words.items()}
    hours = clocking(log)
    asked = list(dict.fromkeys([*columns_of.values(), *hours.values(), *columns]))
    marks = _marks(log, process)
    events = log.only.among(marks.all, "case_ix", "activity", "occurred_at")
    covered = covered_from(log)
    values = log.only.values.filter(pl.col("attribute").cast(pl.String).is_in(asked))
    moments = [
        events.select("case_ix", at="occurred_at"),
        values.select("case_ix", at="since"),
        covered.drop_nulls().rename({_COVERED_FROM: "at"}),
    ]
    found = waiting.spans(lives(log), pl.concat(moments))
    was = standing.attributes(log.only, found.select("case_ix", at="start"), asked)
    cut_off = log.only.of_cases("truncated").to_series().fill_null(value=False).gather(found["case_ix"])
    since = covered[_COVERED_FROM].gather(found["case_ix"])
    state = waiting.flags(events, marks, found).with_columns(
        covered=~cut_off | (since <= found["start"]).fill_null(value=False),
        **_state(log, was, columns_of),
    )
    code = {word: RESPONSIBILITIES.index(kind) for word, kind in process.meaning.items()}
    turn = waiting.responsibilities(state, code)
    return found.with_columns(turn, worked(log, found, was, hours), *was.select(columns))


def waits(log: EventLog, columns: Sequence[str] = ()) -> pl.DataFrame:
    """How long it was whose turn, per case: case_ix, responsibility, `columns`, in_hours, elapsed.

    `responsibility` and `columns` as `spans` gives them; in_hours (null without calendars) and elapsed in
    microseconds (Int64). By case, responsibility and columns. What elapsed adds up to the life exactly.
    """
    if columns:
        return waiting.per_case(spans(log, columns), list(columns))
    known = vars(log)  # kept with the log, as its facts are: every KPI of waiting asks for it
    if _KEPT not in known:
        known[_KEPT] = waiting.per_case(spans(log), [])
    found: pl.DataFrame = known[_KEPT]
    return found


def _marks(log: EventLog, stated: Waiting) -> waiting.Marks:
    def codes(words: Sequence[str]) -> list[int]:
        return [code for word in words for code in log.codes(word)]

    ends, reopens = codes(log.process.ends), codes(log.process.reopens)
    return waiting.Marks(ends, reopens, codes(stated.touches), codes(stated.assigned))


def clocking(log: EventLog) -> dict[str, str]:
    """The columns of `cases` behind the words that decide on a calendar, of those there are."""
    words = () if log.calendars is None else log.calendars.words
    known, there = log.process.segments, log.blank.only.cases.columns
    return {word: known.get(word, word) for word in words if known.get(word, word) in there}


def worked(log: EventLog, spans: pl.DataFrame, was: pl.DataFrame, hours: dict[str, str]) -> pl.Series:
    """Working time of each span in the calendar in force: that of its owner, queue, ..., else of its case."""
    if log.calendars is None:
        return pl.repeat(None, spans.height, dtype=pl.Int64, eager=True).alias("in_hours")
    none = pl.repeat(None, spans.height, dtype=pl.String, eager=True)
    cells = [(was[hours[word]] if word in hours else none).alias(word) for word in log.calendars.words]
    which = log.calendars.of(pl.DataFrame(cells))
    return log.calendars.worked(which, spans["start"], spans["end"]).alias("in_hours")


def covered_from(log: EventLog) -> pl.DataFrame:
    """Since when the history of truncated cases is covered, null if nothing tells: case_ix, covered_from."""
    if _COVERED_FROM in log.blank.only.cases.columns:
        return log.only.of_cases("case_ix", _COVERED_FROM)
    return log.only.of_cases("case_ix").with_columns(pl.lit(None, _INSTANT).alias(_COVERED_FROM))


def _state(log: EventLog, was: pl.DataFrame, columns: dict[str, str]) -> dict[str, pl.Series | pl.Expr]:
    """The status, the queue and whether we know who holds the case; null where its history tells nothing.

    An attribute that never changed in any case of the log is not tracked: it is known as of now only.
    """
    none = pl.lit(None, pl.String)
    status, owner, queue = (columns.get(key) for key in ("attribute", "owner", "queue"))
    holders = [was[name].is_not_null() for name in (owner, queue) if name is not None]
    held = pl.any_horizontal(*(pl.lit(known) for known in holders)) if holders else pl.lit(value=True)
    return {
        "status": was[status].cast(pl.String) if status in log.tracked else none,
        "queue": none if queue is None else was[queue],
        "holder_known": held if queue is None or queue in log.tracked else pl.lit(value=False),
    }

"""The eleven imperfection patterns of event logs (Suriadi et al. 2017), looked for in the log of one process.

Each pattern is one function with one stated rule: what it counts, three Ids (sorted) where to look, what it
does to figures and what was done about it. A pattern that this log cannot show says so: its count is null.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import polars as pl

from crmmining.eventlog import EventLog
from crmmining.imperfections.labels import labels_of, neighbours, record_types

SCHEMA: Final = pl.Schema(
    {
        "pattern": pl.String(),
        "finding": pl.String(),
        "rows": pl.Int64(),
        "examples": pl.List(pl.String()),
        "effect": pl.String(),
        "done": pl.String(),
        "weight": pl.Int8(),
    }
)

_SECONDS: Final = 10  # within which one action may have been recorded several times
_QUARTER: Final = pl.duration(days=92)  # in which an old label must give way to a new one
_CASES: Final = 10  # that a label needs before its neighbours mean something
_INSTANCE: Final = r"[0-9]{4}|[0-9]{1,2}[./][0-9]{1,2}[./]|\S+@\S+\."  # an Id holds four digits in a row


class Seen(NamedTuple):
    """What a pattern found: `rows` is null where the log cannot show it, and `finding` says why."""

    finding: str
    rows: int | None
    examples: list[str]
    effect: str
    done: str
    weight: int


def imperfections(log: EventLog) -> pl.DataFrame:
    """What the eleven patterns find in a log.

    Columns: pattern, finding, rows (0: not there; null: this log cannot show it), examples (Ids of source
    rows, of cases where the pattern is about cases; three, sorted), effect, done, weight (3 figures may be
    wrong, 2 a bound or a guess stands in, 1 nothing is lost). One row per pattern, in the order of the
    paper.

    >>> import crmmining as cm
    >>> found = imperfections(cm.connect("data/sample").event_log("case"))
    >>> found.height, found.filter(pl.col("rows") > 0)["pattern"][0]
    (11, 'form-based event capture')
    """
    rows = [(name, *find(log)) for name, find in PATTERNS.items()]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def form_based_event_capture(log: EventLog) -> Seen:
    """One form is saved, and everything on it is recorded at that moment.

    Rule: events that share their change set with another event of the case. CRM: an edit page that changes
    stage, amount and close date at once; a conversion.
    """

    def found(one: EventLog) -> pl.Series:
        events = one.only.columns("case_ix", "change_set", "source_id")
        return events.filter(pl.struct("case_ix", "change_set").is_duplicated())["source_id"]

    return _events(
        log,
        found,
        "{n} events that one save told together with others",
        "their order was chosen by nobody: directly-follows between them would be an artefact",
        "events of one save share a change_set; edges inside one are left out",
        weight=1,
    )


def inadvertent_time_travel(log: EventLog) -> Seen:
    """A time typed in by hand is wrong, so that an event lies where it cannot have been.

    Rule: events said to have happened before they were recorded, and before their case was created; but for
    those that a conversion brought into the case. CRM: a meeting logged with last year's date.
    """
    words = {"converted", "lead_converted"} & set(log.process.milestones)
    conversions = [code for word in sorted(words) for code in log.codes(word)]

    def found(one: EventLog) -> pl.Series:
        events = one.only.columns("case_ix", "activity", "occurred_at", "recorded_at", "source_id")
        began = one.only.cases["created_at"].gather(events["case_ix"])
        typed = pl.col("occurred_at") < pl.col("recorded_at")
        early = events.filter(typed & (pl.col("occurred_at") < began))
        converted = events.filter(pl.col("activity").is_in(conversions)).select("case_ix", "recorded_at")
        return early.join(converted, on=["case_ix", "recorded_at"], how="anti")["source_id"]

    return _events(
        log,
        found,
        "{n} events whose entered time lies before their case was created",
        "waiting times come out negative or far too long",
        "kept at the time that was entered; milestones look from the creation on",
        weight=3,
    )


def unanchored_event(log: EventLog) -> Seen:
    """A time does not say which instant it is.

    Rule: events of which only the day is known. CRM: all-day meetings, conversion and close dates.
    """
    return _events(
        log,
        lambda one: one.only.columns("date_only", "source_id").filter("date_only")["source_id"],
        "{n} events of which only the day is known",
        "times to them may be up to a day too long, their order within the day is unknown",
        "the end of the org's day, marked date_only",
        weight=2,
    )


def scattered_event(log: EventLog) -> Seen:
    """Events hide in the attributes of rows that are about something else.

    Rule: events whose source row tells another event of the case, too. CRM: a snapshot that shows two
    changes, a lead that tells its creation and its conversion, a milestone that was started, completed and
    violated.
    """

    def found(one: EventLog) -> pl.Series:
        rows = pl.struct("case_ix", "source_table", pl.col("source_id").hash())
        events = one.only.columns("case_ix", "source_table", "source_id")
        return events.filter(rows.is_duplicated())["source_id"]

    return _events(
        log,
        found,
        "{n} events put together from rows that tell several",
        "none on counts; who did it may be known for the row only, not for each event",
        "each event names the row it was read from",
        weight=1,
    )


def elusive_case(log: EventLog) -> Seen:
    """Events do not say which case they belong to.

    Rule: events that the account of the log filters for want of a case. CRM: history of records that were
    purged, touches of a deleted lead.
    """
    lost = log.quality.filter(pl.col("reason").is_in(["no case Id", "case deleted or unknown"]))
    return Seen(
        _said(
            "{n} events of no case, or of one that is deleted or unknown", count := int(lost["rows"].sum())
        ),
        count,
        lost["examples"].explode().drop_nulls().sort().head(3).to_list(),
        "work on them is in no figure",
        "filtered, by reason",
        weight=2,
    )


def scattered_case(log: EventLog) -> Seen:
    """A case is spread over several records.

    Rule: cases with an event of milestone `merged`. CRM: doubled records that were merged later.
    """
    if "merged" not in log.process.milestones:
        return _unseen("the process has no milestone 'merged'")
    codes = log.codes("merged")

    def found(one: EventLog) -> pl.Series:
        merged = one.only.among(codes, "case_ix")["case_ix"].unique(maintain_order=True)
        return one.only.cases["case_id"].gather(merged)

    return _events(
        log,
        found,
        "{n} cases put together from several records",
        "until the merge the work was done twice, in parallel: repeats and touches of these cases are many",
        "one case, the one that lives on; what happened to the others belongs to it",
        weight=2,
    )


def collateral_events(log: EventLog) -> Seen:
    """One step of work leaves several events.

    Rule: events within ten seconds after another event of the same case and actor, told by another save.
    CRM: a trigger or a flow that saves once more, a call that is logged and then described.
    """

    def found(one: EventLog) -> pl.Series:
        near = pl.col("occurred_at").diff() <= pl.duration(seconds=_SECONDS)
        other = pl.col("change_set") != pl.col("change_set").shift()
        same = [pl.col(name) == pl.col(name).shift() for name in ("case_ix", "actor")]
        events = one.only.columns("case_ix", "occurred_at", "actor", "change_set", "source_id")
        return events.filter(near, other, *same)["source_id"]

    return _events(
        log,
        found,
        f"{{n}} events within {_SECONDS} seconds after another of the same user, by another save",
        "events and edges are more than the steps people took; waiting times hold zeros",
        "kept: nothing tells which of them the step was",
        weight=2,
    )


def polluted_label(log: EventLog) -> Seen:
    """A label holds what belongs to one case: a number, a date, an Id.

    Rule: events whose activity, behind the `: ` of its family, holds four digits in a row, a date, an Id or
    an address. CRM: picklist values such as 'Renewal 2024-117'.
    """
    tail = pl.col("label").str.split_exact(": ", 1).struct.field("field_1")
    polluted = labels_of(log).filter(tail.str.contains(_INSTANCE))
    return _labelled(
        log,
        polluted,
        "{n} events whose activity holds a number, a date or an Id: {labels}",
        effect="one activity falls apart into many: variants and map explode",
        done="kept as told; name the values alike under [stages], or leave the family out of the set",
        weight=2,
    )


def distorted_label(log: EventLog) -> Seen:
    """Two labels are the same but for their spelling.

    Rule: events of activities that equal another one when capitals, blanks and punctuation are ignored, all
    but the most frequent. CRM: 'Closed Won' and 'Closed - won'.
    """
    folded = pl.col("label").str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]", "").alias("folded")
    ranked = labels_of(log).with_columns(folded).sort("n", "label", descending=[True, False])
    distorted = ranked.filter(~pl.col("folded").is_first_distinct())
    return _labelled(
        log,
        distorted,
        "{n} events under a second spelling of an activity: {labels}",
        effect="one activity counts as two: rework and variants are wrong",
        done="kept as told; correct the values in the CRM",
        weight=3,
    )


def synonymous_labels(log: EventLog) -> Seen:
    """Two labels mean the same.

    Rule: two activities of one family, each in ten cases or more; the last of the one comes at most 92 days
    before the first of the other, and never after it; and most often the same activity comes before both,
    or after both. CRM: a stage or status that was renamed, with the old name left in the history. Counted:
    events of the older label.
    """
    labels = labels_of(log).filter(pl.col("family").is_not_null(), pl.col("cases") >= _CASES)
    named = labels.join(neighbours(log, []), on="label", how="inner")
    pairs = named.join(named, on="family", how="inner", suffix="_new").filter(
        pl.col("label") != pl.col("label_new"),
        pl.col("last") <= pl.col("first_new"),
        pl.col("first_new") <= pl.col("last") + _QUARTER,
        (pl.col("before") == pl.col("before_new")) | (pl.col("after") == pl.col("after_new")),
    )
    return _labelled(
        log,
        pairs.unique("label", maintain_order=True).sort("label"),
        "{n} events of an activity that another seems to have replaced: {labels}",
        effect="one activity counts as two: before and after the change cannot be compared",
        done="kept as told; state the old name beside the new one under [stages]",
        weight=3,
    )


def homonymous_label(log: EventLog) -> Seen:
    """One label means two things.

    Rule: an activity of a family that two record types use, each in ten cases or more, where neither the
    activity that most often comes before it nor the one that comes after is the same. CRM: a status
    'Working' in two processes. Counted: its events.
    """
    if "record_type" not in log.blank.cases.columns or record_types(log) <= 1:
        return _unseen("the cases have no record types to compare")
    families = labels_of(log).filter(pl.col("family").is_not_null())
    kinds = neighbours(log, ["record_type"]).filter(
        pl.col("record_type").is_not_null(), pl.col("cases") >= _CASES
    )
    one, other = kinds, kinds.rename(lambda name: name if name == "label" else f"{name}_other")
    pairs = one.join(other, on="label", how="inner").filter(
        pl.col("record_type") < pl.col("record_type_other"),
        pl.col("before") != pl.col("before_other"),
        pl.col("after") != pl.col("after_other"),
    )
    return _labelled(
        log,
        families.join(pairs.select("label").unique(), on="label", how="semi").sort("label"),
        "{n} events of an activity that stands elsewhere in each record type: {labels}",
        effect="figures about it mix two steps",
        done="kept as told; cut by record_type",
        weight=2,
    )


PATTERNS: Final[dict[str, Callable[[EventLog], Seen]]] = {
    find.__name__.replace("_", " ").replace("form based", "form-based"): find
    for find in (
        form_based_event_capture,
        inadvertent_time_travel,
        unanchored_event,
        scattered_event,
        elusive_case,
        scattered_case,
        collateral_events,
        polluted_label,
        distorted_label,
        synonymous_labels,
        homonymous_label,
    )
}
"""The patterns by name."""


def _said(finding: str, count: int) -> str:
    return finding.replace("{n}", f"{count:,}")


def _events(
    log: EventLog, find: Callable[[EventLog], pl.Series], finding: str, effect: str, done: str, *, weight: int
) -> Seen:
    """What `find` finds in each partition: how many Ids, and the three smallest."""
    answers = list(log.each(lambda one: (len(ids := find(one)), _three(ids))))
    count = sum(n for n, _ in answers)
    three = sorted({one for _, ids in answers for one in ids})[:3]
    return Seen(_said(finding, count), count, three, effect, done, weight)


def _three(ids: pl.Series) -> list[str]:
    """The three smallest, each once."""
    return ids.drop_nulls().unique().sort().head(3).to_list()


def _unseen(why: str) -> Seen:
    return Seen(f"cannot be seen here: {why}", None, [], "unknown", "nothing", 1)


def _labelled(
    log: EventLog, labels: pl.DataFrame, finding: str, *, effect: str, done: str, weight: int
) -> Seen:
    """What was found under some labels, which the finding names: three of them, the others counted."""
    codes = labels["activity"].to_list()
    named = ", ".join(f"'{label}'" for label in labels["label"].head(3))
    more = f" and {labels.height - 3} more" if labels.height > 3 else ""  # noqa: PLR2004  the three named
    told = finding.replace("{labels}", named + more).removesuffix(": ")
    return _events(
        log, lambda one: one.only.among(codes, "source_id")["source_id"], told, effect, done, weight=weight
    )

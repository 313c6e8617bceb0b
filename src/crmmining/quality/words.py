"""What every reason and every load finding means for figures, and what was done: one plain sentence each."""

from typing import Final, NamedTuple

import polars as pl


class _Words(NamedTuple):
    """What is said where `reason` (a regular expression) is found under a disposition."""

    disposition: str
    reason: str
    effect: str
    done: str
    weight: int = 2


WORDS: Final = tuple(
    _Words(*words)
    for words in (
        (
            "quarantined",
            "names no known",
            "what it tells of a record that is not there is in no figure",
            "in quarantine, with its values",
        ),
        (
            "quarantined",
            "different values$",
            "none of the rows that contradict each other is in any figure",
            "all in quarantine, with their values",
        ),
        ("quarantined", "", "what it tells is in no figure", "in quarantine, with its values"),
        ("filtered", "^identical copy$", "none: it would count twice", "one of the copies counts"),
        (
            "filtered",
            "^NO RULE",
            "what it tells is in no figure: the process's SQL says nothing of it",
            "left out, and counted here",
        ),
        ("filtered", "^not known yet$", "none as of this moment", "left out; a later as_of holds it"),
        ("filtered", "^after as_of$", "none as of this moment", "left out; a later as_of holds it"),
        (
            "filtered",
            "^(case deleted or unknown|no case Id)$",
            "what happened is in no figure of this process",
            "left out of the log",
        ),
        (
            "filtered",
            "^(no activity|no time)$",
            "what happened is in no figure: it cannot be placed",
            "left out of the log",
        ),
        ("filtered", "^another case$", "none: other cases were not asked for", "left out of this log"),
        (
            "filtered",
            "^not in the filter$",
            "figures are of the cases that are left",
            "left out by the filter",
        ),
        (
            "filtered",
            "",
            "none: it tells no event of this process",
            "read, and left out for the reason given",
        ),
        ("off", "", "what needs it is not shown", "switched off by name"),
        ("finding", "^withheld", "these cells are empty, so that nobody is singled out", "withheld"),
        (
            "finding",
            "column.s. ignored$",
            "none: no definition reads them",
            "not read; declare them in source.toml to use them",
            1,
        ),
        ("finding", "is no table that source", "none: no definition reads it", "not read", 1),
        (
            "finding",
            ": skipped$",
            "what it would tell is missing; what needs it is switched off",
            "not read",
            3,
        ),
        ("finding", "read as a look-up", "its process is not shown", "read for what others look up in it", 3),
        (
            "finding",
            "set to null$",
            "by this column such a row leads nowhere",
            "the value is null, the row is kept",
        ),
        (
            "finding",
            "their day .UTC. is read$",
            "a day may be the one before or after in the org's zone",
            "the day in UTC",
        ),
        ("finding", " is empty$", "such rows fall under no word of this column", "kept"),
        (
            "finding",
            "^stamped after extracted_at",
            "none: they are known at no as_of",
            "kept out of every moment; state extracted_at as it was",
        ),
        (
            "finding",
            "^the newest row is of",
            "if its extraction stopped there, figures of what came later are too low",
            "kept as it is; extract the table again",
            3,
        ),
        (
            "finding",
            "^.people. automated states",
            "whoever was meant counts as a person",
            "the word has no effect",
        ),
        (
            "finding",
            "keyed pseudonyms$",
            "none: the same person has the same pseudonym",
            "replaced everywhere",
            1,
        ),
        ("finding", "every name is replaced$", "names of others are hidden, too", "replaced"),
        (
            "finding",
            "no final newline",
            "rows at the end may be missing",
            "read as it is; compare with the export's own count",
        ),
        ("finding", "NUL characters", "none, unless they stood for something", "removed"),
        (
            "finding",
            "^as_of is .* after the newest row",
            "what is open has grown older, and nothing has been closed: ages and open cases are upper bounds",
            "answered as asked",
        ),
        (
            "finding",
            "^attributes of cases are",
            "segments and values may show what came later",
            "taken as they are today",
        ),
    )
)
"""In the order in which they are tried."""


def with_words(quality: pl.DataFrame) -> pl.DataFrame:
    """`quality` with columns effect, done and weight: its own, else those of `WORDS`; null for used rows."""
    chosen = {}
    for name in ("effect", "done", "weight"):
        kind = pl.Int8 if name == "weight" else pl.String
        text: pl.Expr = pl.lit(None, kind)
        for words in reversed(WORDS):
            fits = (pl.col("disposition") == words.disposition) & pl.col("reason").str.contains(words.reason)
            text = pl.when(fits).then(pl.lit(getattr(words, name), kind)).otherwise(text)
        own = pl.col(name) if name in quality.columns else pl.lit(None, kind)
        chosen[name] = pl.coalesce(own, text)
    return quality.with_columns(**chosen)

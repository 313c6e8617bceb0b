"""What a process says of its cases by rules: classes of open ones, signs of poor documentation."""

import string
from collections.abc import Mapping
from typing import Literal

from crmmining.definitions.expressions import expression_fault
from crmmining.definitions.model import Model, Word


class Rule(Model):
    """One of the tables `[classes.<name>]`: a class of open cases, in words that people can check.

    `where` is a boolean Polars SQL expression over the facts of a case and what is known of it as of now
    (see `analyses.classes`); the first class that fits counts. `says` tells why, with facts in braces. With
    `alert` the cases of the class are alerts.
    """

    where: str
    says: str
    alert: bool = False

    @property
    def words(self) -> list[str]:
        """The facts that `says` tells, in order.

        >>> Rule(where="days_in_stage > 30", says="{days_in_stage} days in {stage}").words
        ['days_in_stage', 'stage']
        """
        return [word for _, word, _, _ in string.Formatter().parse(self.says) if word is not None]

    def faults(self) -> list[str]:
        """What cannot be read, one line each."""
        fault = expression_fault(self.where)
        found = [] if fault is None else [f"where: cannot be read as SQL: {fault}"]
        try:
            unnamed = "" in self.words
        except ValueError as error:
            return [*found, f"says: cannot be read: {error}"]
        return [*found, *(["says: names no fact in braces"] if unnamed else [])]


class Sign(Model):
    """One of the tables `[signs.<name>]`: a sign that an ended case is documented poorly.

    `where` and `of` (null: all ended cases) are boolean Polars SQL expressions over the facts of a case and
    of its closing (see `analyses.documentation`). `truncated` says whether cases whose history is cut count.
    """

    where: str
    of: str | None = None
    about: str
    truncated: Literal["exclude", "keep"] = "exclude"

    def faults(self) -> list[str]:
        """What cannot be read, one line each."""
        texts = {"where": self.where, "of": self.of}
        told = {key: expression_fault(text) for key, text in texts.items()}
        return [f"{key}: cannot be read as SQL: {fault}" for key, fault in told.items() if fault is not None]


def rule_faults(key: str, rules: Mapping[Word, Rule | Sign]) -> list[str]:
    """What is wrong with the rules under a key, one line each."""
    return [f"{key}.{name}.{fault}" for name, rule in rules.items() for fault in rule.faults()]

"""Records that change: their columns as they are now, and beside them as they stood at a moment."""

from copy import copy
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from crmmining.simulator.arrays import END, Bools, Ints


@dataclass(kw_only=True)
class Records:
    """Columns of records; every change goes through `put`, which also knows what is too late for `until`."""

    changing: ClassVar[tuple[str, ...]] = ()
    """Columns that change after the records are made."""

    until: int
    changed: Ints
    changer: Ints
    _then: dict[str, Ints | Bools] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.until < END:
            self._then = {name: getattr(self, name).copy() for name in self.changing}

    def put(self, ix: Ints, at: Ints, **values: Ints | Bools) -> None:
        """Save values on records at instants; of several values for one record the last one stays."""
        early = at <= self.until
        for name, new in values.items():
            getattr(self, name)[ix] = new
            if self._then:
                self._then[name][ix[early]] = new[early]

    def save(self, ix: Ints, at: Ints, actor: Ints) -> None:
        """Note who saved records, and when; whatever the order of the calls, the latest save stays."""
        later = at >= self.changed[ix]
        self.changed[ix[later]], self.changer[ix[later]] = at[later], actor[later]
        if self._then:
            changed, changer = self._then["changed"], self._then["changer"]
            later = (at <= self.until) & (at >= changed[ix])
            changed[ix[later]], changer[ix[later]] = at[later], actor[later]

    def stopped(self) -> Self:
        """The records as they stood at `until`."""
        records = copy(self)
        for name, values in self._then.items():
            setattr(records, name, values)
        return records


def same(value: int, like: Ints) -> Ints:
    """One value for all of these records."""
    return np.full(len(like), value, dtype=np.int64)

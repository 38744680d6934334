"""What is counted and noted of a part of the work, so that the parts can be put together in any order."""

import array
import collections
import dataclasses
from collections.abc import Iterable, Sequence

from rl_tuner.datasets.writer import Rejection


@dataclasses.dataclass
class Facts:
    """Counts and notes of a part of a dataset's making; those of all parts are put together by `add`.

    Attributes:
        counts: Counters by name, such as "changes" or "metres".
        largest: The largest number seen, by name.
        columns: Numbers of every training sequence, one column per quantity; none if there are none.
        rejections: The rejections.
        errors: Errors of the user that end the work, such as a table without the column asked for.
    """

    counts: dict[str, collections.Counter] = dataclasses.field(default_factory=dict)
    largest: dict[str, int] = dataclasses.field(default_factory=dict)
    columns: list[array.array] = dataclasses.field(default_factory=list)
    rejections: list[Rejection] = dataclasses.field(default_factory=list)
    errors: list[str] = dataclasses.field(default_factory=list)

    def count(self, name: str, values: Iterable) -> None:
        """Count values, such as the metres of melodies, in the counter of this name."""
        self.counts.setdefault(name, collections.Counter()).update(values)

    def grow(self, name: str, value: int) -> None:
        """Note a number of which the largest is wanted."""
        self.largest[name] = max(value, self.largest.get(name, value))

    def note_row(self, values: Sequence[float]) -> None:
        """Add a row to the columns."""
        if not self.columns:
            self.columns = [array.array("d") for _ in values]
        for column, value in zip(self.columns, values, strict=True):
            column.append(value)

    def add(self, other: "Facts") -> None:
        """Add the facts of another part."""
        for name, counter in other.counts.items():
            self.count(name, counter)
        for name, value in other.largest.items():
            self.grow(name, value)
        if not self.columns:
            self.columns = [array.array("d") for _ in other.columns]
        for mine, theirs in zip(self.columns, other.columns, strict=bool(other.columns)):
            mine.extend(theirs)
        self.rejections += other.rejections
        self.errors += other.errors

    def of(self, name: str) -> collections.Counter:
        """Return the counter of a name; an empty one if nothing was counted."""
        return self.counts.get(name, collections.Counter())

    @property
    def reasons(self) -> list[str]:
        """The reason of each rejection."""
        return [rejection.reason for rejection in self.rejections]


def total(parts: Iterable[Facts]) -> Facts:
    """Return the facts of all parts together."""
    facts = Facts()
    for part in parts:
        facts.add(part)
    return facts

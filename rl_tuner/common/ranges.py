"""Ranges of numeric settings, checked by constructors and, before TensorFlow is imported, in gin files."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Mapping
from typing import Any

_LARGEST_FLOAT32 = 3.4e38
_LARGEST_INT32, _LARGEST_INT64 = 2**31 - 1, 2**53


@dataclasses.dataclass(frozen=True)
class Range:
    """The numbers that a setting may have.

    Attributes:
        least: the smallest number.
        most: the largest number; by default what float32, or int32 for a whole number, can represent.
        above: the number must be above it.
        below: the number must be below it.
        whole: whether the number must be whole.
        optional: whether None is allowed.
        is_long: whether a whole number is counted in 64 bits instead of 32.
    """

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None
    whole: bool = False
    optional: bool = False
    is_long: bool = False

    def __contains__(self, value: Any) -> bool:
        """Return whether a value is such a number."""
        kind = numbers.Integral if self.whole else numbers.Real
        if value is None or isinstance(value, bool) or not isinstance(value, kind):
            return value is None and self.optional
        number = float(value)
        return (
            abs(number) <= self._limit
            and (self.least is None or number >= self.least)
            and (self.most is None or number <= self.most)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
        )

    @property
    def _limit(self) -> float:
        """The largest number that TensorFlow's types for counts and weights can represent."""
        if not self.whole:
            return _LARGEST_FLOAT32
        return _LARGEST_INT64 if self.is_long else _LARGEST_INT32

    def explain(self, value: Any) -> str:
        """Return the range, and the largest possible number if `value` is beyond it."""
        is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if not is_number or abs(float(value)) <= self._limit or self.most is not None:
            return str(self)
        return f"{self} and at most {self._limit}"

    def __str__(self) -> str:
        """Return the range as in "a whole number of at least 1"."""
        words = {"above": self.above, "of at least": self.least, "of at most": self.most}
        texts = [f"{word} {bound}" for word, bound in words.items() if bound is not None]
        texts += [f"below {self.below}"] if self.below is not None else []
        if self.least is not None and self.most is not None:
            texts = [f"from {self.least} to {self.most}"]
        kind = "a whole number" if self.whole else "a number"
        bounds = f" {' and '.join(texts)}" if texts else ""
        return f"{kind}{bounds}{' or None' if self.optional else ''}"


Ranges = Mapping[str, Mapping[str, Range]]


def check(ranges: Ranges, owner: str, **values: Any) -> None:
    """Reject settings that are out of range.

    Args:
        ranges: name of a class or function -> setting -> range.
        owner: the class or function.
        **values: settings; those without a range may have any value.

    Raises:
        ValueError: a setting is not a number in its range.
    """
    for name, value in values.items():
        if name in ranges[owner] and value not in ranges[owner][name]:
            raise ValueError(
                f"{owner}.{name} must be {ranges[owner][name].explain(value)}, not {value!r}"
            )

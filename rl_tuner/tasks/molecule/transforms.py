"""Transforms of a property to a desirability between 0 and 1, as molecule scoring commonly uses them."""

from __future__ import annotations

import dataclasses
import math
from typing import Protocol

import gin
import numpy as np


class Transform(Protocol):
    """A number of any size to 0 .. 1, for arrays of any shape."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """float64 of the shape of `x`."""


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class Sigmoid:
    """More is better: t(x) = 1 / (1 + 10^(-10 k (x - (low + high) / 2) / (high - low))).

    With k = 0.5 it is 0.003 at `low`, 0.5 in the middle and 0.997 at `high`.

    Attributes:
        low: where the rise begins.
        high: where it ends.
        k: how steep it is.

    Raises:
        ValueError: `low` is not below `high`, or `k` is not positive.
    """

    low: float
    high: float
    k: float = 0.5

    def __post_init__(self) -> None:
        _check_ends(self, strictly=True)
        _check_positive(self, "k")

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """t(x)."""
        middle = (self.low + self.high) / 2
        return _rise(10 * self.k * (np.asarray(x, np.float64) - middle) / (self.high - self.low))


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class ReverseSigmoid:
    """Less is better: t(x) = 1 - Sigmoid(low, high, k)(x).

    Attributes:
        low: where the fall begins.
        high: where it ends.
        k: how steep it is.

    Raises:
        ValueError: `low` is not below `high`, or `k` is not positive.
    """

    low: float
    high: float
    k: float = 0.5

    def __post_init__(self) -> None:
        _check_ends(self, strictly=True)
        _check_positive(self, "k")

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """t(x)."""
        middle = (self.low + self.high) / 2
        return _rise(10 * self.k * (middle - np.asarray(x, np.float64)) / (self.high - self.low))


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class DoubleSigmoid:
    """Between two bounds is best: it rises around `low` and falls around `high`.

    t(x) = 1 / (1 + 10^(-k_low (x - low))) for x below (low + high) / 2, and
    t(x) = 1 / (1 + 10^(k_high (x - high))) from there on; one half at each bound.

    Attributes:
        low: where it has risen to one half.
        high: where it has fallen to one half.
        k_low: how steep the rise is, in decades for each unit of x.
        k_high: how steep the fall is.

    Raises:
        ValueError: `low` is not below `high`, or a steepness is not positive.
    """

    low: float
    high: float
    k_low: float = 1.5
    k_high: float = 1.5

    def __post_init__(self) -> None:
        _check_ends(self, strictly=True)
        _check_positive(self, "k_low")
        _check_positive(self, "k_high")

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """t(x)."""
        x = np.asarray(x, np.float64)
        rising = _rise(self.k_low * (x - self.low))
        falling = _rise(self.k_high * (self.high - x))
        return np.where(x < (self.low + self.high) / 2, rising, falling)


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class Step:
    """All or nothing: t(x) = 1 for low <= x <= high, else 0.

    Attributes:
        low: the smallest x that counts.
        high: the largest.

    Raises:
        ValueError: `low` is above `high`.
    """

    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        _check_ends(self, strictly=False)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """t(x)."""
        x = np.asarray(x, np.float64)
        return ((self.low <= x) & (x <= self.high)).astype(np.float64)


def _rise(decades: np.ndarray) -> np.ndarray:
    """1 / (1 + 10^-decades) without overflow."""
    return (1 + np.tanh(decades * (math.log(10) / 2))) / 2


def _check_ends(transform: Sigmoid | ReverseSigmoid | DoubleSigmoid | Step, strictly: bool) -> None:
    name, low, high = type(transform).__name__, transform.low, transform.high
    for end in (low, high):
        if isinstance(end, bool) or not isinstance(end, (int, float)) or math.isnan(end):
            raise ValueError(f"{name}: low and high are numbers, not {end!r}")
    if strictly and not -math.inf < low < high < math.inf:
        raise ValueError(f"{name}: low is below high and both are finite, not {low} and {high}")
    if low > high:
        raise ValueError(f"{name}: low is not above high, not {low} and {high}")


def _check_positive(transform: object, field: str) -> None:
    value = getattr(transform, field)
    if not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise ValueError(f"{type(transform).__name__}.{field} is positive, not {value!r}")

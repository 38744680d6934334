"""Common transforms of a property into a desirability between 0 and 1."""

from __future__ import annotations

import dataclasses
import math
from typing import Protocol

import gin
import numpy as np


class Transform(Protocol):
    """A function from numbers to 0 .. 1, for arrays of any shape."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return float64 of the shape of `x`."""


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class Sigmoid:
    """Transform for which more is better: a sigmoid that rises between `low` and `high`.

    t(x) = 1 / (1 + 10^(-10 k (x - (low + high) / 2) / (high - low))).

    With k = 0.5 it is 0.003 at `low`, 0.5 in the middle and 0.997 at `high`.

    Attributes:
        low: x at which the rise begins.
        high: x at which the rise ends.
        k: steepness of the rise.

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
    """Transform for which less is better: t(x) = 1 - Sigmoid(low, high, k)(x).

    Attributes:
        low: x at which the fall begins.
        high: x at which the fall ends.
        k: steepness of the fall.

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
    """Transform for which values between two bounds are best: it rises at `low` and falls at `high`.

    t(x) = 1 / (1 + 10^(-k_low (x - low))) for x below (low + high) / 2, and
    t(x) = 1 / (1 + 10^(k_high (x - high))) from there on; one half at each bound.

    Attributes:
        low: x at which t has risen to one half.
        high: x at which t has fallen to one half.
        k_low: steepness of the rise, in decades per unit of x.
        k_high: steepness of the fall, in decades per unit of x.

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
    """Transform for which only an interval counts: t(x) = 1 for low <= x <= high, else 0.

    Attributes:
        low: smallest x with t(x) = 1.
        high: largest x with t(x) = 1.

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


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class Gaussian:
    """Transform for which one value is best: t(x) = exp(-((x - mu) / sigma)^2 / 2).

    Attributes:
        mu: the best x.
        sigma: distance from `mu` at which t has fallen to 0.61.

    Raises:
        ValueError: `mu` is not finite, or `sigma` is not positive.
    """

    mu: float
    sigma: float

    def __post_init__(self) -> None:
        _check_finite(self, "mu")
        _check_positive(self, "sigma")

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """t(x)."""
        return np.exp(-0.5 * np.square((np.asarray(x, np.float64) - self.mu) / self.sigma))


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class MinGaussian(Gaussian):
    """Transform for which less is better: 1 up to `mu`, and from there `Gaussian(mu, sigma)`."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """t(x)."""
        return super().__call__(np.maximum(np.asarray(x, np.float64), self.mu))


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class MaxGaussian(Gaussian):
    """Transform for which more is better: `Gaussian(mu, sigma)` up to `mu`, and from there 1."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """t(x)."""
        return super().__call__(np.minimum(np.asarray(x, np.float64), self.mu))


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class Clipped:
    """Transform that is 0 up to `low`, 1 from `high`, and a straight line in between.

    With `high` below `low`, less is better.

    Attributes:
        high: x at which t is 1.
        low: x at which t is 0.

    Raises:
        ValueError: a number is not finite, or both are equal.
    """

    high: float
    low: float = 0.0

    def __post_init__(self) -> None:
        _check_finite(self, "high")
        _check_finite(self, "low")
        if self.high == self.low:
            raise ValueError(f"Clipped: high and low must differ, but both are {self.low}")

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """t(x)."""
        return np.clip((np.asarray(x, np.float64) - self.low) / (self.high - self.low), 0.0, 1.0)


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class Linear:
    """Transform t(x) = intercept + slope x, without limits.

    Attributes:
        slope: the slope.
        intercept: t at x = 0.

    Raises:
        ValueError: a number is not finite.
    """

    slope: float = 1.0
    intercept: float = 0.0

    def __post_init__(self) -> None:
        _check_finite(self, "slope")
        _check_finite(self, "intercept")

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """t(x)."""
        return self.intercept + self.slope * np.asarray(x, np.float64)


def _rise(decades: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + 10^-decades) without overflow."""
    return (1 + np.tanh(decades * (math.log(10) / 2))) / 2


def _check_ends(transform: Sigmoid | ReverseSigmoid | DoubleSigmoid | Step, strictly: bool) -> None:
    name, low, high = type(transform).__name__, transform.low, transform.high
    for end in (low, high):
        if isinstance(end, bool) or not isinstance(end, (int, float)) or math.isnan(end):
            raise ValueError(f"{name}: low and high must be numbers, not {end!r}")
    if strictly and not -math.inf < low < high < math.inf:
        raise ValueError(f"{name}: low must be below high and both finite, not {low} and {high}")
    if low > high:
        raise ValueError(f"{name}: low must not be above high, but they are {low} and {high}")


def _check_positive(transform: object, field: str) -> None:
    value = getattr(transform, field)
    if not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise ValueError(f"{type(transform).__name__}.{field} must be positive, not {value!r}")


def _check_finite(transform: object, field: str) -> None:
    value = getattr(transform, field)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise ValueError(
            f"{type(transform).__name__}.{field} must be a finite number, not {value!r}"
        )

import math

import gin
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl_tuner.tasks.molecule.transforms import (
    Clipped,
    DoubleSigmoid,
    Gaussian,
    Linear,
    MaxGaussian,
    MinGaussian,
    ReverseSigmoid,
    Sigmoid,
    Step,
)

NUMBERS = st.floats(-1e6, 1e6)
BOUNDS = st.tuples(NUMBERS, st.floats(1e-3, 1e6)).map(lambda pair: (pair[0], pair[0] + pair[1]))
MANY = st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=20).map(sorted)


@given(BOUNDS, MANY)
def test_sigmoids_are_bounded_and_monotonous(bounds, numbers):
    rising, falling = Sigmoid(*bounds)(numbers), ReverseSigmoid(*bounds)(numbers)
    for values in (rising, falling):
        assert np.all((values >= 0) & (values <= 1))
    assert np.all(np.diff(rising) >= 0)
    assert np.all(np.diff(falling) <= 0)
    np.testing.assert_allclose(rising + falling, 1.0, atol=1e-12)


@given(BOUNDS, MANY)
def test_a_double_sigmoid_rises_and_then_falls(bounds, numbers):
    low, high = bounds
    values = DoubleSigmoid(low, high)(numbers)
    assert np.all((values >= 0) & (values <= 1))
    before = np.array(numbers) < (low + high) / 2
    assert np.all(np.diff(values[before]) >= 0)
    assert np.all(np.diff(values[~before]) <= 0)


@given(BOUNDS, MANY)
def test_a_step_is_all_or_nothing(bounds, numbers):
    low, high = bounds
    assert Step(low, high)(numbers).tolist() == [float(low <= x <= high) for x in numbers]


def test_by_hand():
    # 1 / (1 + 10^-(10 * 0.5 * d)), d the distance from 3 in widths of 2.
    expected = [1 / (1 + 10**2.5), 0.5, 1 / (1 + 10**-2.5), 1 / (1 + 10**-5)]
    np.testing.assert_allclose(Sigmoid(2, 4)([2, 3, 4, 5]), expected)
    np.testing.assert_allclose(ReverseSigmoid(2, 4)([2, 3, 4, 5]), 1 - np.array(expected))
    np.testing.assert_allclose(Sigmoid(2, 4, k=1.0)([2]), [1 / (1 + 10**5)])
    # At 1 it is one decade below `low`; at 11 two decades above `high`, for k_high = 2.
    double = DoubleSigmoid(2, 10, k_low=1.0, k_high=2.0)
    np.testing.assert_allclose(double([1, 2, 10, 11]), [1 / 11, 0.5, 0.5, 1 / 101])
    np.testing.assert_allclose(Step(1, 2)([0.9, 1, 2, 2.1]), [0, 1, 1, 0])
    assert Step(low=1)([[0.0, 5.0]]).tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("kind", [Sigmoid, ReverseSigmoid, DoubleSigmoid])
def test_bad_bounds(kind):
    for low, high in ((1, 1), (2, 1), (math.nan, 1), (0, math.inf), ("a", 1), (True, 2)):
        with pytest.raises(ValueError, match=kind.__name__):
            kind(low, high)
    with pytest.raises(ValueError, match=f"{kind.__name__}.k.* must be positive"):
        kind(0, 1, 0.0)


def test_a_step_may_have_one_value_but_not_none():
    assert Step(2, 2)([2]).tolist() == [1.0]
    with pytest.raises(ValueError, match="Step"):
        Step(3, 2)


def test_gin_names():
    for kind in (Sigmoid, ReverseSigmoid, DoubleSigmoid, Step):
        assert gin.get_configurable(f"rl_tuner.{kind.__name__}")


def test_gaussians_and_lines_by_hand():
    one = math.exp(-0.5)
    np.testing.assert_allclose(Gaussian(2, 3)([-1, 2, 5]), [one, 1, one])
    np.testing.assert_allclose(MinGaussian(2, 3)([-1, 2, 5]), [1, 1, one])
    np.testing.assert_allclose(MaxGaussian(2, 3)([-1, 2, 5]), [one, 1, 1])
    np.testing.assert_allclose(Clipped(0.8)([-1, 0.2, 0.8, 3]), [0, 0.25, 1, 1])
    np.testing.assert_allclose(Clipped(high=1, low=3)([0, 1, 2.5, 4]), [1, 1, 0.25, 0])
    np.testing.assert_allclose(Linear(2, -1)([0, 3]), [-1, 5])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Gaussian(math.inf, 1), "Gaussian.mu must be a finite number"),
        (lambda: MinGaussian(0, 0), "MinGaussian.sigma must be positive"),
        (lambda: MaxGaussian("0", 1), "MaxGaussian.mu"),
        (lambda: Clipped(0.0), "high and low must differ"),
        (lambda: Linear(True), "Linear.slope"),
    ],
)
def test_bad_gaussians_and_lines(make, message):
    with pytest.raises(ValueError, match=message):
        make()

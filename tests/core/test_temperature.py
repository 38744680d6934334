"""Temperatures: a constant, and a controller that is judged by the KL it reaches."""

import math

import gin
import numpy as np
import pytest
import tensorflow as tf

from rl_tuner.core.objectives import Psi
from rl_tuner.core.temperature import AdaptiveTemperature, FixedTemperature
from rl_tuner.core.tuner import RLTuner
from tests.core import enumerated


def settle(temperature, plant_kl, iterations, lag=0.0):
    """Closes the loop over a KL that follows plant_kl(c) with a lag; returns the KL's course."""
    kl, course = 0.0, []
    for _ in range(iterations):
        kl = lag * kl + (1.0 - lag) * plant_kl(float(temperature.c))
        temperature.update(tf.constant(kl, tf.float32))
        course.append(kl)
    return course


@pytest.mark.parametrize("initial_c", [0.05, 0.5, 20.0])
@pytest.mark.parametrize("target_kl", [0.1, 0.7])
def test_a_monotone_plant_settles_at_the_target(initial_c, target_kl):
    temperature = AdaptiveTemperature(target_kl, initial_c, rate=0.05, delay=0, min_c=0.01)
    course = settle(temperature, lambda c: 1.0 / (0.5 + c), 400)
    np.testing.assert_allclose(course[-50:], target_kl, rtol=0.02)
    assert float(temperature.c) == pytest.approx(1.0 / target_kl - 0.5, rel=0.02)


def test_a_lagging_plant_settles_with_the_default_rate():
    temperature = AdaptiveTemperature(0.3)
    course = settle(temperature, lambda c: 1.0 / (0.5 + c), 3000, lag=0.98)
    np.testing.assert_allclose(course[-100:], 0.3, rtol=0.02)
    # Damped: it comes from above and does not swing far below.
    assert min(course[300:]) > 0.9 * 0.3


def test_one_step_follows_the_equation():
    temperature = AdaptiveTemperature(0.5, initial_c=2.0, rate=0.1, delay=0, smoothing=0.75)
    temperature.update(tf.constant(0.6))
    # The first average is the KL itself: log(.6 / .5), within the clip.
    first = 2.0 * math.exp(0.1 * math.log(0.6 / 0.5))
    assert float(temperature.c) == pytest.approx(first, rel=1e-6)
    temperature.update(tf.constant(0.2))
    # The weights of the two rollouts are .75 * .25 and .25.
    averaged = (0.75 * 0.25 * 0.6 + 0.25 * 0.2) / (0.75 * 0.25 + 0.25)
    assert float(temperature.metrics()["smoothed_kl"]) == pytest.approx(averaged, rel=1e-6)
    second = first * math.exp(0.1 * math.log(averaged / 0.5))
    assert float(temperature.c) == pytest.approx(second, rel=1e-6)


@pytest.mark.parametrize("kl, change", [(0.0, -0.1), (1e-12, -0.1), (1e9, 0.1)])
def test_no_kl_moves_c_by_more_than_the_rate(kl, change):
    temperature = AdaptiveTemperature(0.5, initial_c=1.0, rate=0.1, delay=0)
    temperature.update(tf.constant(kl, tf.float32))
    assert float(temperature.c) == pytest.approx(math.exp(change), rel=1e-6)


def test_c_waits_for_the_policy_to_follow():
    temperature = AdaptiveTemperature(0.5, initial_c=1.0, rate=0.1, delay=3)
    for _ in range(3):
        temperature.update(tf.constant(0.0))
        assert float(temperature.c) == 1.0
    temperature.update(tf.constant(0.0))
    assert float(temperature.c) == pytest.approx(math.exp(-0.1), rel=1e-6)


@pytest.mark.parametrize("kl, bound", [(100.0, 2.0), (0.0, 0.25)])
def test_bounds_hold_and_do_not_wind_up(kl, bound):
    temperature = AdaptiveTemperature(
        1.0, 0.5, rate=0.5, delay=0, smoothing=0.0, min_c=0.25, max_c=2.0
    )
    for _ in range(50):
        temperature.update(tf.constant(kl))
    assert float(temperature.c) == bound
    temperature.update(tf.constant(1.0 / (kl + 0.01)))
    assert float(temperature.c) != bound


def test_checkpoints_restore_the_controller_exactly(tmp_path):
    one, two = (AdaptiveTemperature(0.4, initial_c=c, delay=5) for c in (0.5, 3.0))
    kls = tf.constant(np.random.default_rng(0).uniform(size=20), tf.float32)
    for kl in kls[:10]:
        one.update(kl)
    path = tf.train.Checkpoint(temperature=one).write(str(tmp_path / "checkpoint"))
    tf.train.Checkpoint(temperature=two).read(path).assert_consumed()
    for kl in kls[10:]:
        one.update(kl)
        two.update(kl)
        for name, value in one.metrics().items():
            assert float(value) == float(two.metrics()[name]), name


def test_metrics_are_finite_before_and_after_an_update():
    for temperature in (FixedTemperature(0.3), AdaptiveTemperature(0.5)):
        for _ in range(2):
            values = {name: float(value) for name, value in temperature.metrics().items()}
            assert all(math.isfinite(value) for value in values.values())
            assert values["temperature"] == float(temperature.c)
            temperature.update(tf.constant(0.0))


@pytest.mark.parametrize(
    "bad",
    [
        {"target_kl": 0.0},
        {"target_kl": -1.0},
        {"target_kl": math.nan},
        {"target_kl": math.inf},
        {"rate": 0.0},
        {"rate": 2.0},
        {"delay": -1},
        {"smoothing": 1.0},
        {"smoothing": -0.1},
        {"min_c": 0.0},
        {"initial_c": 0.05},
        {"initial_c": math.nan},
        {"max_c": 0.2},
        {"max_c": math.inf},
    ],
)
def test_bad_numbers_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        AdaptiveTemperature(**({"target_kl": 0.5} | bad))


def test_gin_knows_both():
    for name in ("FixedTemperature", "AdaptiveTemperature"):
        assert gin.get_configurable(name)


def test_a_tuner_reaches_the_target():
    target_kl = 0.2
    temperature = AdaptiveTemperature(target_kl, initial_c=1.0, rate=0.02, delay=50)
    tuner = RLTuner(
        prior=enumerated.random_network(1),
        task=enumerated.TinyTask(),
        objective=Psi(),
        temperature=temperature,
        gamma=1.0,
        eta=0.1,
        collect_size=64,
        learn_size=64,
        learning_rate=3e-3,
        clip_norm=1e3,
    )
    tuner.train_iterations(900)
    metrics = tuner.train_iterations(200)
    assert metrics["collect/kl"] == pytest.approx(target_kl, rel=0.1)
    assert metrics["collect/target_kl"] == pytest.approx(target_kl, rel=1e-4)
    assert metrics["collect/temperature"] != 1.0

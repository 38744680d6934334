import numpy as np
import pytest
import tensorflow as tf

from rl_tuner.core.sum_tree import SumTree


@pytest.mark.parametrize("rows", [1, 2, 7, 64, 1_000])
def test_it_draws_as_a_cumulative_sum_does(rows):
    rng = np.random.default_rng(rows)
    weights = np.zeros(rows)
    tree = SumTree(rows)
    for _ in range(5):
        changed = rng.integers(rows, size=13)
        new = rng.random(rows) * (rng.random(rows) > 0.3)
        weights[changed] = new[changed]
        tree.update(tf.constant(changed), tf.constant(new[changed]))
        total = weights.sum()
        np.testing.assert_allclose(tree.total, total, rtol=1e-12)
        if not total:
            continue
        points = rng.random(50) * total * (1 - 1e-9)
        wanted = np.searchsorted(np.cumsum(weights), points, side="right")
        found = tree.find(tf.constant(points)).numpy()
        assert np.array_equal(found, wanted)
        assert (weights[found] > 0).all()


def test_rebuilding_is_updating_every_row():
    weights = np.random.default_rng(0).random(100)
    updated, rebuilt = SumTree(128), SumTree(128)
    updated.update(tf.range(100, dtype=tf.int64), tf.constant(weights))
    rebuilt.rebuild(tf.constant(weights))
    points = tf.linspace(tf.constant(0.0, tf.float64), updated.total * 0.999, 77)
    assert np.array_equal(updated.find(points), rebuilt.find(points))
    np.testing.assert_allclose(updated.total, rebuilt.total, rtol=1e-14)

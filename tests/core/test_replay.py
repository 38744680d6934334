import numpy as np
import pytest
import tensorflow as tf

from rl_tuner.core.replay import ReplayBatch, UniformReplay


def sequences(*marks):
    """Sequences that carry their mark in every column."""
    column = np.array(marks)[:, None]
    wide = np.tile(column, [1, 3])
    return ReplayBatch(
        tf.constant(column, tf.int32),
        tf.constant(wide, tf.int32),
        *(tf.constant(wide, tf.float32) for _ in range(3)),
    )


def test_the_oldest_make_room_and_columns_stay_together():
    replay = UniformReplay(capacity=4, prefix_length=1, horizon=3)
    replay.add(sequences(1, 2, 3))
    replay.add(sequences(4, 5, 6))
    drawn = replay.sample(500, tf.constant([0, 1]))
    assert set(drawn.tokens.numpy()[:, 0]) == {3, 4, 5, 6}
    for column in drawn:
        np.testing.assert_array_equal(column[:, 0], drawn.tokens[:, 0])


def test_draws_are_uniform_over_what_has_been_added():
    replay = UniformReplay(capacity=100, prefix_length=1, horizon=3)
    replay.add(sequences(1, 2, 3, 4))
    marks = replay.sample(8_000, tf.constant([3, 1])).tokens.numpy()[:, 0]
    np.testing.assert_allclose(np.bincount(marks)[1:] / 8_000, 0.25, atol=0.02)


def test_the_same_seed_draws_the_same():
    replay = UniformReplay(capacity=100, prefix_length=1, horizon=3)
    replay.add(sequences(*range(50)))
    first, second = (replay.sample(20, tf.constant([7, 7])).tokens for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_an_empty_size_is_refused():
    with pytest.raises(ValueError, match="positive sizes"):
        UniformReplay(capacity=0, prefix_length=1, horizon=3)

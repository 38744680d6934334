import numpy as np
import pytest
import tensorflow as tf

from rl_tuner.core.replay import PrioritisedReplay, ReplayBatch, UniformReplay, trimmed


def built(replay):
    replay.build(prefix_length=1, horizon=3)
    return replay


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
    replay = built(UniformReplay(4))
    replay.add(sequences(1, 2, 3))
    replay.add(sequences(4, 5, 6))
    drawn, _, weights = replay.sample(500, tf.constant([0, 1]))
    np.testing.assert_array_equal(weights, 1.0)
    assert set(drawn.tokens.numpy()[:, 0]) == {3, 4, 5, 6}
    for column in drawn[:5]:
        np.testing.assert_array_equal(column[:, 0], drawn.tokens[:, 0])


def test_draws_are_uniform_over_what_has_been_added():
    replay = built(UniformReplay(100))
    replay.add(sequences(1, 2, 3, 4))
    marks = replay.sample(8_000, tf.constant([3, 1]))[0].tokens.numpy()[:, 0]
    np.testing.assert_allclose(np.bincount(marks)[1:] / 8_000, 0.25, atol=0.02)


def test_the_same_seed_draws_the_same():
    replay = built(UniformReplay(100))
    replay.add(sequences(*range(50)))
    first, second = (replay.sample(20, tf.constant([7, 7]))[0].tokens for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_an_empty_size_is_refused():
    with pytest.raises(ValueError, match=r"Replay\.capacity must be a whole number of at least 1"):
        UniformReplay(0)
    with pytest.raises(ValueError, match="horizon=0"):
        UniformReplay(5).build(prefix_length=1, horizon=0)


def prioritised(errors, **kwargs):
    replay = built(PrioritisedReplay(capacity=len(errors) + 3, **kwargs))
    rows = replay.add(sequences(*range(len(errors))))
    replay.update(rows, tf.constant(errors, tf.float32))
    return replay


def test_sequences_are_drawn_in_proportion_to_a_power_of_their_priority():
    errors, alpha, epsilon = np.array([0.0, 0.1, 1.0, 4.0]), 0.7, 0.05
    replay = prioritised(errors, alpha=alpha, epsilon=epsilon)
    expected = (errors + epsilon) ** alpha
    expected /= expected.sum()
    drawn, rows, _ = replay.sample(20_000, tf.constant([1, 2]))
    np.testing.assert_array_equal(drawn.tokens[:, 0], rows)
    # Stratified: no share is off by more than one draw, plus one where its slice begins.
    shares = np.bincount(rows.numpy(), minlength=4) / 20_000
    np.testing.assert_allclose(shares, expected, atol=2 / 20_000)


def test_weights_undo_the_bias_and_are_scaled_by_their_largest():
    errors, alpha, beta, epsilon = np.array([0.2, 1.0, 3.0]), 0.6, 0.5, 0.01
    replay = prioritised(errors, alpha=alpha, beta=beta, epsilon=epsilon, anneal_updates=10)
    p = (errors + epsilon) ** alpha
    p /= p.sum()
    for draw in range(1, 13):
        _, rows, weights = replay.sample(300, tf.constant([5, draw]))
        annealed = beta + (1 - beta) * min(1.0, draw / 10)
        expected = (len(errors) * p[rows.numpy()]) ** -annealed
        np.testing.assert_allclose(weights, expected / expected.max(), rtol=1e-4)


def test_with_full_correction_the_weighted_draws_are_uniform_again():
    errors = np.array([0.1, 0.5, 2.0, 5.0])
    replay = prioritised(errors, alpha=1.0, beta=1.0)
    _, rows, weights = replay.sample(40_000, tf.constant([1, 1]))
    mass = np.bincount(rows.numpy(), weights.numpy(), minlength=4)
    np.testing.assert_allclose(mass / mass.sum(), 0.25, atol=0.002)


def test_a_new_sequence_takes_the_largest_priority_met_so_far():
    replay = prioritised([7.0, 0.5], alpha=1.0, epsilon=1e-3)
    replay.update(tf.constant([0], tf.int64), tf.constant([0.5]))
    (row,) = replay.add(sequences(9))
    assert float(replay.priorities[row]) == pytest.approx(7.001)


def test_the_oldest_priority_goes_with_its_sequence():
    replay = built(PrioritisedReplay(capacity=2, alpha=1.0, epsilon=1e-3))
    replay.update(replay.add(sequences(1, 2)), tf.constant([99.0, 1.0]))
    replay.update(replay.add(sequences(3)), tf.constant([1.0]))
    drawn, _, _ = replay.sample(1_000, tf.constant([0, 3]))
    shares = np.bincount(drawn.tokens.numpy()[:, 0], minlength=4) / 1_000
    np.testing.assert_allclose(shares, [0, 0, 0.5, 0.5], atol=0.002)


def test_without_any_alpha_every_sequence_is_drawn_alike():
    replay = prioritised([0.0, 1.0, 50.0, 3.0, 2.0], alpha=0.0)
    _, rows, weights = replay.sample(1_000, tf.constant([4, 4]))
    np.testing.assert_array_equal(np.bincount(rows.numpy()), 200)
    np.testing.assert_array_equal(weights, 1.0)


@pytest.mark.parametrize("bad", [{"alpha": -1}, {"beta": 2}, {"anneal_updates": 0}, {"epsilon": 0}])
def test_numbers_out_of_range_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        PrioritisedReplay(**bad)


def test_trimmed_leaves_out_what_is_padding_in_every_sequence():
    mask = tf.constant([[1.0, 1, 0, 0], [1, 1, 1, 0]])
    rows = tf.reshape(tf.range(8), [2, 4])
    handles = tf.tile(mask[..., None], [1, 1, 2])
    batch = ReplayBatch(tf.zeros([2, 1], tf.int32), rows, mask, mask, mask, handles)
    found = trimmed(batch)
    np.testing.assert_array_equal(found.prefix, batch.prefix)
    np.testing.assert_array_equal(found.tokens, [[0, 1, 2], [4, 5, 6]])
    assert all(column.shape == (2, 3) for column in found[1:5])
    assert found.handles.shape == (2, 3, 2)
    assert trimmed(batch._replace(handles=None)).handles is None


def test_handles_are_kept_beside_their_sequences():
    replay = UniformReplay(4)
    replay.build(prefix_length=1, horizon=3, bounds=2)
    handles = tf.reshape(tf.range(12, dtype=tf.float32), [2, 3, 2])
    rows = replay.add(sequences(5, 6)._replace(handles=handles))
    np.testing.assert_array_equal(replay.read(rows).handles, handles)

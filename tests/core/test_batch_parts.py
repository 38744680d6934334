import numpy as np
import pytest
import tensorflow as tf

from rl_tuner.core import batch_parts
from rl_tuner.core.lstm import unroll
from rl_tuner.core.rollout import rollout
from tests.core.enumerated import A, T, random_network


@pytest.mark.parametrize("size", [0, 1, 2, 7])
@pytest.mark.parametrize("parts", [1, 2, 3])
def test_parts_are_the_batch_in_order(monkeypatch, size, parts):
    monkeypatch.setattr(batch_parts, "count", lambda: parts)
    values = tf.reshape(tf.range(2 * size), [2, size])
    found = batch_parts.split(values, axis=1)
    assert len(found) == parts
    sizes = [part.shape[1] for part in found]
    assert max(sizes) - min(sizes) <= 1
    np.testing.assert_array_equal(tf.concat(found, axis=1), values)


def test_a_part_a_core_up_to_the_most(monkeypatch):
    monkeypatch.setattr(tf.config.threading, "get_inter_op_parallelism_threads", lambda: 0)
    for cores, parts in ((1, 1), (2, 2), (64, batch_parts.MOST)):
        monkeypatch.setattr(batch_parts, "available_processors", lambda cores=cores: cores)
        assert batch_parts.count() == parts


@pytest.mark.parametrize("batch", [1, 5])
def test_sequences_do_not_depend_on_the_number_of_parts(monkeypatch, batch):
    def drawn(parts):
        monkeypatch.setattr(batch_parts, "count", lambda: parts)
        return rollout(
            random_network(2),
            random_network(1),
            lambda scores, log_p: scores,
            tf.exp,
            tf.fill([batch, 1], A),
            T,
            tf.constant([3, 4]),
            end_token=0,
        )

    for one, other in zip(drawn(1), drawn(3)):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_gradients_do_not_depend_on_the_number_of_parts(monkeypatch):
    rng = np.random.default_rng(0)
    projected = tf.constant(rng.normal(size=(4, 5, 12)).astype(np.float32))
    recurrent = tf.constant(rng.normal(size=(3, 12)).astype(np.float32))

    def gradients(parts):
        monkeypatch.setattr(batch_parts, "count", lambda: parts)
        with tf.GradientTape() as tape:
            tape.watch([projected, recurrent])
            loss = tf.reduce_sum(tf.square(unroll(projected, recurrent)))
        return tape.gradient(loss, [projected, recurrent])

    for one, other in zip(gradients(1), gradients(3)):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)

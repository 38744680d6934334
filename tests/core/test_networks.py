import keras
import numpy as np
import pytest
import tensorflow as tf

from rl_tuner.core.networks import SequenceNetwork, squared_weights
from rl_tuner.core.stepper import log_softmax

SHAPES = [
    {"cells": (5,)},
    {"cells": (5, 4)},
    {"cells": (5,), "embedding_size": 3},
    {"cells": (5,), "value_head": True},
]


def network(seed=0, **kwargs):
    made = SequenceNetwork(7, **kwargs)
    rng = np.random.default_rng(seed)
    made.set_weights([rng.normal(size=w.shape) for w in made.weights])
    return made


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("batch", [1, 3])
def test_step_by_step_equals_the_unrolled_sequence(shape, batch):
    net = network(**shape)
    tokens = tf.constant(np.random.default_rng(1).integers(0, 8, (batch, 9)))
    whole, state = net(tokens), net.zero_state(batch)
    assert whole.shape == (batch, 9, 7)
    step = net.stepper()
    for t in range(9):
        logits, state = step(tokens[:, t], state)
        wanted = tf.transpose(whole[:, t])
        # What a value adds to all classes of a state is left out.
        found = logits if net.value is None else log_softmax(logits)
        wanted = wanted if net.value is None else log_softmax(wanted)
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_log_softmax_is_the_librarys_along_the_first_axis():
    logits = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32) * 30
    wanted = tf.nn.log_softmax(logits, axis=0)
    np.testing.assert_allclose(log_softmax(tf.constant(logits)), wanted, rtol=1e-6, atol=1e-6)


def test_lstm_is_the_textbooks():
    net = network(cells=(3,))
    kernel, recurrent, bias, head, head_bias = (w.astype(np.float64) for w in net.get_weights())
    tokens, h, c = [7, 2, 5], np.zeros(3), np.zeros(3)
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731  (a formula reads best in a line)
    for token in tokens:
        i, f, g, o = np.split(kernel[token] + h @ recurrent + bias, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    found = net(tf.constant([tokens]))[0, -1]
    np.testing.assert_allclose(found, h @ head + head_bias, rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_saved_network_comes_back_whole(shape, tmp_path):
    net = network(**shape)
    net.metadata = {"encoding": {"num_classes": 7}}
    net.save(tmp_path / "net.keras")
    twin = keras.saving.load_model(tmp_path / "net.keras", safe_mode=True)
    assert twin.metadata == net.metadata and twin.cells == net.cells
    tokens = tf.constant([[7, 1, 2]])
    np.testing.assert_array_equal(twin(tokens), net(tokens))


def test_a_value_head_starts_calibrated():
    net = network(cells=(5,))
    tokens = tf.constant([[7, 1, 2]])
    scores = net.copy(value_head=True)(tokens)
    np.testing.assert_allclose(tf.reduce_logsumexp(scores, axis=-1), 0.0, atol=1e-5)
    np.testing.assert_allclose(scores, tf.nn.log_softmax(net(tokens)), atol=1e-5)


def test_a_zero_head_scores_nothing():
    scores = network(cells=(5,)).copy(zero_head=True)(tf.constant([[7, 1, 2]]))
    np.testing.assert_array_equal(scores, 0.0)


def test_squared_weights_leaves_biases_out():
    net = network(cells=(5,))
    wanted = sum(0.5 * np.sum(w.astype(np.float64) ** 2) for w in net.get_weights() if w.ndim > 1)
    assert float(squared_weights(net)) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(
    "bad", [{"num_classes": 1}, {"cells": ()}, {"cells": (0,)}, {"embedding_size": -1}]
)
def test_impossible_sizes_are_refused(bad):
    with pytest.raises(ValueError, match="a network needs"):
        SequenceNetwork(**({"num_classes": 7} | bad))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_checkpoint_holds_every_weight(shape, tmp_path):
    net, other = network(**shape), network(seed=1, **shape)
    path = tf.train.Checkpoint(net=net).write(str(tmp_path / "ckpt"))
    tf.train.Checkpoint(net=other).read(path).assert_consumed()
    for ours, theirs in zip(net.get_weights(), other.get_weights()):
        np.testing.assert_array_equal(ours, theirs)

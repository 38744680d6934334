import keras
import numpy as np
import pytest
import tensorflow as tf

from rl_tuner.core.lstm import scaled, unroll

T, B, H = 6, 3, 4


def random(*shape, seed):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def keras_layer(kernel, recurrent, bias):
    layer = keras.layers.LSTM(H, return_sequences=True)
    layer.build((None, None, kernel.shape[0]))
    layer.set_weights([kernel, recurrent, bias])
    return layer


@pytest.mark.parametrize("batch", [1, B])
def test_hidden_states_and_gradients_are_those_of_keras(batch):
    inputs = tf.Variable(random(batch, T, 2, seed=0))
    kernel, recurrent, bias = (
        tf.Variable(random(*shape, seed=seed))
        for seed, shape in enumerate([(2, 4 * H), (H, 4 * H), (4 * H,)], start=1)
    )
    layer = keras_layer(kernel.numpy(), recurrent.numpy(), bias.numpy())
    weights = random(batch, T, H, seed=4)
    with tf.GradientTape() as tape:
        ours = tf.transpose(
            unroll(
                tf.transpose(inputs @ scaled(kernel) + scaled(bias), [1, 0, 2]), scaled(recurrent)
            ),
            [1, 0, 2],
        )
        loss = tf.reduce_sum(weights * ours)
    found = tape.gradient(loss, [inputs, kernel, recurrent, bias])
    with tf.GradientTape() as tape:
        theirs = layer(inputs)
        loss = tf.reduce_sum(weights * theirs)
    expected = tape.gradient(loss, [inputs, *(weight.value for weight in layer.weights)])
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_gradient_is_the_slope():
    projected, recurrent = random(T, B, 4 * H, seed=0), random(H, 4 * H, seed=1)
    weights = random(T, B, H, seed=2)
    theory, slopes = tf.test.compute_gradient(
        lambda x, u: tf.reduce_sum(weights * unroll(x, u)), [projected, recurrent], delta=1e-2
    )
    for one, other in zip(theory, slopes):
        np.testing.assert_allclose(one, other, rtol=2e-2, atol=2e-3)

import numpy as np
import pytest
import tensorflow as tf

from rl_tuner.core.likelihood import MLETrainer
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.core.schedules import cosine, stepwise

TOKENS = tf.constant([[5, 1, 2, 3], [5, 3, 2, 1]])


def network():
    made = SequenceNetwork(5, (6,))
    rng = np.random.default_rng(0)
    made.set_weights([rng.normal(size=w.shape) for w in made.weights])
    return made


def test_stepwise_multiplies_the_rate_every_so_many_updates():
    schedule = stepwise(0.5, 0.1, 10)
    np.testing.assert_allclose([schedule(s) for s in (0, 9, 10, 25)], [0.5, 0.5, 0.05, 0.005])


def test_cosine_rises_from_a_tenth_and_ends_at_0():
    schedule = cosine(0.5, warmup_steps=4, steps=104)
    middle = 0.5 * (1 + np.cos(np.pi / 2)) / 2
    found = [float(schedule(s)) for s in (0, 2, 4, 54, 104)]
    np.testing.assert_allclose(found, [0.05, 0.275, 0.5, middle, 0.0], atol=1e-7)


@pytest.mark.parametrize("numbers", [(0.0, 1, 5), (1.0, 0, 5), (1.0, 5, 5)])
def test_cosine_refuses_what_makes_no_sense(numbers):
    with pytest.raises(ValueError, match="warmup_steps"):
        cosine(*numbers)


def test_weight_dropout_hangs_on_its_seed_and_is_right_on_average():
    net = network()
    recurrent = net.lstms[0].cell.recurrent_kernel
    before = recurrent.numpy()
    one, same, other = (
        net(TOKENS, weight_dropout=0.5, seed=tf.constant([0, s])).numpy() for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-3
    # Small recurrent weights enter about linearly, so that the mean over masks is the whole network's.
    recurrent.assign(0.01 * before)
    run = tf.function(lambda seed: net(TOKENS, weight_dropout=0.5, seed=seed))
    mean = np.mean([run(tf.constant([3, s])) for s in range(400)], axis=0)
    np.testing.assert_allclose(mean, net(TOKENS), atol=3e-3)


def test_weight_dropout_depends_on_seed_and_update_alone():
    def trained(seed, updates=3):
        net = network()
        trainer = MLETrainer(net, 0.1, 1.0, 0.0, weight_dropout=0.3, seed=seed)
        for _ in range(updates):
            trainer.train_step(TOKENS, tf.constant([[1, 2, 3, 0]] * 2), tf.ones([2, 4]))
        return np.concatenate([w.ravel() for w in net.get_weights()])

    np.testing.assert_array_equal(trained(1), trained(1))
    assert np.abs(trained(1) - trained(2)).max() > 1e-4


def test_weight_dropout_of_everything_is_refused():
    with pytest.raises(ValueError, match="weight_dropout"):
        MLETrainer(network(), 0.1, 1.0, 0.0, weight_dropout=1.0)

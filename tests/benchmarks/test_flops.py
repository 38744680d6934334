import pytest
import tensorflow as tf

from benchmarks.speed import flops
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.core.objectives import G, Psi
from rl_tuner.core.tuner import RLTuner
from tests.core.enumerated import TinyTask, random_network


def in_graph(network, backward):
    """Operations of the matrix products that TensorFlow's own graph of one step holds."""
    # What is made once for all tokens stays outside the graph.
    made_before = network.stepper()

    def scored(step, states):
        logits, states = step(tf.constant([1]), states)
        # Steps leave the value out, learning needs it.
        return [logits] if network.value is None else [logits, network.value(states[-1][0])]

    @tf.function(autograph=False)
    def step(h, c):
        states = list(zip(tf.unstack(h, len(network.cells)), tf.unstack(c, len(network.cells))))
        if not backward:
            return scored(made_before, states)
        with tf.GradientTape() as tape:
            tape.watch(states)
            scores = scored(network.stepper(), states)
        return tape.gradient(scores, [network.trainable_variables, [pair[0] for pair in states]])

    # All layers of a network here are equally wide.
    shape = tf.TensorSpec([len(network.cells), 1, network.cells[0]])
    total = 0
    for op in step.get_concrete_function(shape, shape).graph.get_operations():
        if op.type == "MatMul":
            left, right = (tensor.shape.as_list() for tensor in op.inputs)
            if op.get_attr("transpose_a"):
                left.reverse()
            if op.get_attr("transpose_b"):
                right.reverse()
            total += 2 * left[0] * left[1] * right[1]
    return total


NETWORKS = {
    "default": SequenceNetwork(38),
    "two layers": SequenceNetwork(7, [11, 11]),
    "value head": SequenceNetwork(7, [11, 11], value_head=True),
    "embedding": SequenceNetwork(7, [5], embedding_size=3),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_forward_counts_the_products_of_the_graph(name):
    assert flops.forward(NETWORKS[name]) == in_graph(NETWORKS[name], backward=False)


# The gradient of an embedding is a product for all tokens at once.
@pytest.mark.parametrize("name", sorted(set(NETWORKS) - {"embedding"}))
def test_update_counts_the_products_of_the_gradients_graph(name):
    assert flops.update(NETWORKS[name]) == in_graph(NETWORKS[name], backward=True)


def test_the_default_network_of_the_music_job():
    network = SequenceNetwork(38)
    # 100 cells: 2 * 100 * (400 gates + 38 classes), and 2 * 39 * 400 for a one-hot token.
    assert flops.forward(network) == 87_600
    assert flops.forward(network, one_hot=True) == 87_600 + 31_200
    # The product with the tokens has a gradient for its weights only.
    assert flops.update(network, one_hot=True) == 3 * 87_600 + 2 * 31_200


def test_training_adds_up():
    prior = random_network(1)
    tuner = RLTuner(
        prior, TinyTask(), Psi(calibrated=False), collect_size=10, learn_size=32, updates=2
    )
    one = flops.forward(prior)
    assert flops.learned_per_step(tuner) == 6.4
    assert flops.rollout(tuner) == 2 * one
    assert flops.training(tuner) == pytest.approx((2 + 6.4 * 4) * one)
    # A value is learned but no part of sampling.
    valued = RLTuner(prior, TinyTask(), Psi())
    assert flops.rollout(valued) == 2 * one
    assert flops.learning(valued) > flops.learning(tuner)
    # G looks at the prior along the replayed sequence.
    tuner = RLTuner(prior, TinyTask(), G(calibrated=False))
    assert flops.training(tuner) == pytest.approx((2 + 5) * one)

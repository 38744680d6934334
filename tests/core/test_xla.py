import numpy as np
import pytest
import tensorflow as tf

from rl_tuner.core import batch_parts, xla
from rl_tuner.core.rollout import rollout
from tests.core.enumerated import A, T, random_network

ONLINE, PRIOR = random_network(3), random_network(4)


@pytest.fixture(autouse=True)
def _two_parts(monkeypatch):
    monkeypatch.setattr(batch_parts, "count", lambda: 2)
    monkeypatch.setattr(xla, "_choice", None)


def drawing(batch):
    """A compiled function from a prefix to a rollout."""
    return tf.function(
        lambda prefix: rollout(
            ONLINE,
            PRIOR,
            lambda scores, log_p: log_p + scores,
            tf.exp,
            prefix,
            T,
            tf.constant([1, 2]),
            end_token=2,
        ),
        input_signature=[tf.TensorSpec([batch, 1], tf.int32)],
        autograph=False,
    )


def compiled_by_xla(function):
    graph = function.get_concrete_function().graph.as_graph_def()
    marks = [made.attr["_XlaMustCompile"].b for made in graph.library.function]
    return any(marks)


def test_sequences_are_those_without_xla():
    prefix = tf.fill([600, 1], A)
    xla.choose(False)
    plain = drawing(600)(prefix)
    xla.choose(True)
    fused = drawing(600)(prefix)
    # A token changes where rounding moves a cumulative probability across the number drawn: hardly ever.
    same = np.all(plain.tokens == fused.tokens, axis=1)
    assert same.mean() > 0.99
    for one, other in zip(plain, fused):
        np.testing.assert_allclose(one[same], other[same], rtol=1e-4, atol=1e-5)


def test_the_same_seed_gives_the_same_bits():
    xla.choose(True)
    prefix = tf.fill([600, 1], A)
    for one, other in zip(drawing(600)(prefix), drawing(600)(prefix)):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("choice", "batch", "wanted"),
    [
        (None, 1, True),
        (None, 600, True),
        (True, 2, True),
        (False, 5_000, False),
        (True, None, False),
        (None, None, False),
    ],
)
def test_xla_where_it_was_measured_to_be_faster_or_was_asked_for(choice, batch, wanted):
    xla.choose(choice)
    assert xla.wanted(batch, ONLINE.cells) is wanted
    assert compiled_by_xla(drawing(batch)) is wanted


def test_not_where_products_are_all_that_counts_unless_asked_for():
    assert xla.wanted(128, [512])
    assert not xla.wanted(128, [512, 512])
    xla.choose(True)
    assert xla.wanted(128, [512, 512])


def test_large_parts_are_split_further_and_stay_a_multiple_of_the_cores():
    assert [xla.parts(batch) for batch in (1, 512, 513, 2048)] == [2, 2, 4, 8]


def test_what_runs_once_is_not_compiled():
    xla.choose(True)
    calls = []
    network = ONLINE.copy()
    policy = lambda scores, log_p: calls.append(tf.executing_eagerly()) or scores  # noqa: E731  (it both notes and returns)
    rollout(network, PRIOR, policy, tf.exp, tf.fill([4, 1], A), T, tf.constant([1, 2]))
    assert calls and all(calls)


def test_not_on_a_gpu_unless_asked_for(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["a GPU"])
    assert not xla.wanted(10_000, [100])
    xla.choose(True)
    assert xla.wanted(10_000, [100])

import numpy as np
import pytest
import tensorflow as tf

from rl_tuner.core.exploration import EpsilonGreedy
from rl_tuner.core.losses import Paths, WholeSequences
from rl_tuner.core.objectives import G, Psi, Q, RewardOnly
from rl_tuner.core.replay import PrioritisedReplay, UniformReplay
from rl_tuner.core.rollout import sequence_inputs
from rl_tuner.core.sampling import sample
from rl_tuner.core.starts import RandomToken, StartToken
from rl_tuner.core.tuner import RLTuner, soft_update
from tests.core.enumerated import A, TinyTask, full_batch, log_softmax, random_network

TASK = TinyTask()
EVERY_OBJECTIVE = pytest.mark.parametrize(
    "objective",
    [Q(), Psi(), Psi(loss=Paths(0.5)), G(), RewardOnly()],
    ids=lambda o: type(o).__name__,
)


def tuner(objective=None, **kwargs):
    return RLTuner(random_network(1), TASK, objective or Psi(), **kwargs)


def weights(network):
    return [w.copy() for w in network.get_weights()]


def test_soft_updates_follow_the_closed_form():
    target, online = random_network(1), random_network(2)
    first, fixed = weights(target), weights(online)
    for _ in range(7):
        soft_update(target, online, 0.1)
    # After n updates: (1 - eta)^n theta'_0 + (1 - (1 - eta)^n) theta.
    keep = 0.9**7
    for found, old, new in zip(target.get_weights(), first, fixed):
        np.testing.assert_allclose(found, keep * old + (1 - keep) * new, rtol=1e-4, atol=1e-6)


@EVERY_OBJECTIVE
def test_an_iteration_moves_online_and_target_and_never_the_prior(objective):
    made = tuner(objective, updates=2)
    before = [weights(n) for n in (made.prior, made.online, made.target)]
    metrics = made.train_iterations(3)
    assert all(np.isfinite(float(value)) for value in metrics.values())
    after = [weights(n) for n in (made.prior, made.online, made.target)]
    moved = [any(np.any(a != b) for a, b in zip(x, y)) for x, y in zip(before, after)]
    assert moved == [False, True, True]
    assert int(made.environment_steps) == 3 * 32 * 4
    assert int(made.iteration) == 3


@pytest.mark.parametrize("objective", [Psi(), G(), Q(), Psi(calibrated=False)])
def test_the_policy_starts_at_the_prior(objective):
    made = tuner(objective)
    tokens = tf.constant([[A, 0, 1, 2]])
    np.testing.assert_allclose(
        log_softmax(made(tokens).numpy()), log_softmax(made.prior(tokens).numpy()), atol=1e-5
    )


def test_the_papers_start_for_g_is_the_prior_squared():
    made = tuner(G(calibrated=False))
    tokens = tf.constant([[A, 0, 1]])
    squared = log_softmax(2 * made.prior(tokens).numpy())
    np.testing.assert_allclose(log_softmax(made(tokens).numpy()), squared, atol=1e-4)


@pytest.mark.parametrize(
    "objective",
    [
        Psi(loss=Paths(0.5)),
        G(),
        *(pytest.param(o, marks=pytest.mark.slow) for o in (Q(), Psi(), RewardOnly())),
    ],
    ids=lambda o: type(o).__name__,
)
def test_many_small_calls_equal_one_large_call(objective):
    one, many = tuner(objective), tuner(objective)
    one.train_iterations(6)
    for count in (1, 2, 3):
        many.train_iterations(count)
    for a, b in zip(one.online.get_weights(), many.online.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_training_is_traced_once():
    made = tuner()
    for count in (1, 2, 5, 2):
        made.train_iterations(count)
    assert made._train_in_graph.experimental_get_tracing_count() == 1


def test_the_action_stored_is_the_action_played():
    made = tuner(exploration=EpsilonGreedy(initial=0.7, final=0.7, anneal_steps=1))
    episode = made.act()
    made.store(episode, TASK.reward_parts(episode.tokens, episode.mask))
    stored, _, _ = made.replay.sample(200, tf.constant([0, 0]))
    parts = TASK.reward_parts(stored.tokens, stored.mask)
    np.testing.assert_allclose(stored.task_reward, parts["table"], rtol=1e-6)


def test_evaluation_leaves_training_as_it_was():
    plain, measured = tuner(), tuner()
    for made in (plain, measured):
        made.train_iterations(2)
        if made is measured:
            sample(made.policy, made.start, made.task, 50, tf.constant([1, 1]))
        made.train_iterations(2)
    for a, b in zip(plain.online.get_weights(), measured.online.get_weights()):
        np.testing.assert_array_equal(a, b)


def _orders_left_open(function):
    """Names of the sums of three or more terms, whose order TensorFlow does not promise."""
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(node for inner in graph.library.function for node in inner.node_def)]
    return [
        node.name
        for node in nodes
        if node.op == "AddN" and sum(not name.startswith("^") for name in node.input) > 2
    ]


@EVERY_OBJECTIVE
@pytest.mark.parametrize("parts", [1, 2, 4])
def test_no_sum_leaves_its_order_open(objective, parts, monkeypatch):
    monkeypatch.setattr("rl_tuner.core.batch_parts.count", lambda: parts)
    made = tuner(objective, l2=1e-3)
    traced = made._train_in_graph.get_concrete_function(tf.constant(2))
    assert _orders_left_open(traced) == []


class _BranchingTask(TinyTask):
    def reward_parts(self, tokens, mask):
        reward = tf.zeros_like(mask)
        if tf.reduce_sum(mask) > 0:
            reward += 1.0
        return {"table": reward}


def test_a_task_may_branch_on_tensors_in_python():
    made = RLTuner(random_network(1), _BranchingTask(), Psi())
    assert made.train_iterations(2)["collect/task_reward"] == pytest.approx(TASK.horizon)


def test_a_batch_of_one_learns():
    made = tuner(collect_size=1, learn_size=1)
    metrics = made.train_iterations(2)
    assert np.isfinite(float(metrics["learn/loss"]))


def test_padding_never_changes_the_loss():
    made = tuner(Psi(loss=Paths(0.5)))
    batch = full_batch(TASK, made.prior)
    mask = np.tile([1.0, 1.0, 0.0, 0.0], [81, 1]).astype(np.float32)
    losses = []
    for garbage in (0.0, 1e3):
        spoiled = batch._replace(
            mask=tf.constant(mask),
            task_reward=batch.task_reward + garbage * (1 - mask),
            log_prior=batch.log_prior - garbage * (1 - mask),
            tokens=tf.where(mask > 0, batch.tokens, int(garbage > 0)),
        )
        fresh = tuner(Psi(loss=Paths(0.5)))
        losses.append(float(fresh.learn(spoiled)[0]["learn/loss"]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_gradients_are_clipped_by_their_global_norm():
    made = tuner(clip_norm=1e-3, learning_rate=1.0)
    norms = []
    apply = made.optimizer.apply_gradients

    def spy(pairs):
        pairs = list(pairs)
        norms.append(float(tf.linalg.global_norm([gradient for gradient, _ in pairs])))
        apply(pairs)

    made.optimizer.apply_gradients = spy
    made.learn(full_batch(TASK, made.prior))
    assert norms[0] == pytest.approx(1e-3, rel=1e-4)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"gamma": 1.5}, "gamma"),
        ({"eta": 0.0}, "eta"),
        ({"collect_size": 0}, "collect_size"),
        ({"collect_size": 20, "replay": UniformReplay(10)}, "capacity"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"decay_steps": 0}, "decay_steps"),
        ({"clip_norm": -1.0}, "clip_norm"),
        ({"updates": 0}, "updates"),
        ({"huber": 0.0}, "huber"),
    ],
)
def test_numbers_out_of_range_are_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        tuner(**bad)


def test_whole_sequences_need_a_discount_of_one_and_one_start():
    whole = Psi(loss=WholeSequences())
    with pytest.raises(ValueError, match="gamma = 1"):
        tuner(whole, gamma=0.5, start=StartToken())
    with pytest.raises(ValueError, match="RandomToken"):
        tuner(whole, gamma=1.0, start=RandomToken(0, 2))


@pytest.mark.parametrize("kind", [Psi, G])
def test_whole_sequences_learn_what_their_errors_say(kind):
    made = tuner(kind(loss=WholeSequences()), gamma=1.0, start=StartToken(), huber=0.5)
    episode = made.act()
    parts = made.task.reward_parts(episode.tokens, episode.mask)
    made.store(episode, parts)
    batch, _, _ = made.replay.sample(16, tf.constant([0, 1]))
    weights = np.linspace(0.5, 2.0, 16).astype(np.float32)
    log_pi = log_softmax(made(sequence_inputs(batch.prefix, batch.tokens)).numpy())
    log_pi = np.take_along_axis(log_pi, batch.tokens.numpy()[..., None], -1)[..., 0]
    c = float(made.temperature.c)
    sums = (batch.task_reward / c + batch.log_prior - log_pi).numpy().sum(1)
    errors = sums - sums.mean()
    squares = [e**2 if abs(e) <= 0.5 else 2 * 0.5 * abs(e) - 0.25 for e in errors]
    metrics, sizes = made.learn(batch, tf.constant(weights))
    np.testing.assert_allclose(metrics["learn/loss"], np.mean(weights * squares), rtol=1e-4)
    np.testing.assert_allclose(metrics["learn/target_value"], sums.mean(), rtol=1e-4)
    np.testing.assert_allclose(sizes, np.abs(errors), rtol=1e-3, atol=1e-4)


def test_prioritised_replay_learns_from_what_was_wrong():
    made = tuner(Psi(), replay=PrioritisedReplay(500), collect_size=64, learn_size=64, updates=3)
    metrics = made.train_iterations(4)
    assert np.isfinite(metrics["learn/loss"])
    priorities = made.replay.priorities.numpy()[:256]
    assert len(np.unique(priorities)) > 50

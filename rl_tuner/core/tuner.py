"""RLTuner: an online network, its target network and the frozen prior; collect, learn, soft update."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gin
import keras
import tensorflow as tf

from rl_tuner.core import objectives, starts
from rl_tuner.core.exploration import Boltzmann, tempered
from rl_tuner.core.networks import SequenceNetwork, squared_weights
from rl_tuner.core.objectives import Objective
from rl_tuner.core.replay import ReplayBatch, UniformReplay, trimmed
from rl_tuner.core.rollout import Rollout, rollout, sequence_inputs
from rl_tuner.core.task import HostTask, Task
from rl_tuner.core.temperature import FixedTemperature

# Every use of randomness has a stream of its own, so that adding one leaves the others as they were.
_STREAMS = {"prefix": 0, "actions": 1, "replay": 2}

# Rewriting Python's control flow for a graph takes seconds; what has none is spared it. A task is not.
_as_written = tf.autograph.experimental.do_not_convert


def soft_update(target: SequenceNetwork, online: SequenceNetwork, eta: tf.Tensor | float) -> None:
    """Theta' <- (1 - eta) theta' + eta theta, weight by weight (paper.txt, section 5)."""
    for slow, fast in zip(target.weights, online.weights):
        slow.assign((1.0 - eta) * slow + eta * fast)


@gin.configurable(module="rl_tuner", denylist=["prior", "task", "seed"])
class RLTuner(keras.Model):
    """KL-control fine-tuning of a prior against a task reward.

    All three networks start from the prior's weights; the objective says how its scores start (see
    `Objective.initial_network`). The prior never changes.

    Args:
        prior: the pre-trained network, p(a|s).
        task: what is generated and rewarded.
        objective: Q, Psi, G or RewardOnly.
        exploration: how actions are chosen while collecting; None is `Boltzmann()`.
        start: what sequences are started from; None is `StartToken()`.
        temperature: the temperature c; None is `FixedTemperature()`.
        replay: what keeps sequences for learning; None is `UniformReplay()`.
        gamma: discount.
        eta: target update rate.
        collect_size: sequences sampled an iteration.
        learn_size: sequences replayed an update.
        updates: updates an iteration.
        learning_rate: Adam's initial learning rate.
        decay_rate: factor on the learning rate every `decay_steps` updates.
        decay_steps: see decay_rate.
        clip_norm: largest global L2 norm of the gradients.
        l2: weight of the sum of squared weight matrices in the loss.
        huber: size of an error, in nats, beyond which it counts linearly; None squares all.
        seed: seed of every random choice.

    Raises:
        ValueError: a number is out of its range, or prior and task differ in their classes.
    """

    def __init__(
        self,
        prior: SequenceNetwork,
        task: Task,
        objective: Objective = gin.REQUIRED,
        exploration: Any = None,
        start: Any = None,
        temperature: Any = None,
        replay: Any = None,
        gamma: float = 0.5,
        eta: float = 0.01,
        collect_size: int = 32,
        learn_size: int = 32,
        updates: int = 1,
        learning_rate: float = 1e-3,
        decay_rate: float = 1.0,
        decay_steps: int = 1000,
        clip_norm: float = 5.0,
        l2: float = 0.0,
        huber: float | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(name="rl_tuner")
        if prior.num_classes != task.num_classes:
            raise ValueError(
                f"the prior generates {prior.num_classes} classes and the task {task.num_classes}"
            )
        if not (0.0 <= gamma <= 1.0 and 0.0 < eta <= 1.0):
            raise ValueError(f"need 0 <= gamma <= 1 and 0 < eta <= 1, not {gamma=}, {eta=}")
        self.replay = replay or UniformReplay()
        if not 1 <= collect_size <= self.replay.capacity or learn_size < 1 or updates < 1:
            raise ValueError(
                "need 1 <= collect_size <= capacity of the replay, learn_size >= 1 and updates >= 1, "
                f"not {collect_size=}, capacity={self.replay.capacity}, {learn_size=}, {updates=}"
            )
        if not (learning_rate > 0 and 0 < decay_rate <= 1 and decay_steps >= 1):
            raise ValueError(
                "need learning_rate > 0, 0 < decay_rate <= 1 and decay_steps >= 1, not "
                f"{learning_rate=}, {decay_rate=}, {decay_steps=}"
            )
        if not (clip_norm > 0 and l2 >= 0):
            raise ValueError(f"need clip_norm > 0 and l2 >= 0, not {clip_norm=}, {l2=}")
        if huber is not None and not huber > 0:
            raise ValueError(f"RLTuner.huber must be above 0, not {huber}")
        self.task = task
        self.objective = objective
        self.exploration = exploration or Boltzmann()
        self.start = start or starts.StartToken()
        self.temperature = temperature or FixedTemperature()
        if objective.whole and not (gamma == 1.0 and getattr(self.start, "fixed", False)):
            raise ValueError(
                "whole sequences are consistent with RLTuner.gamma = 1 and one start for all, such as "
                f"@StartToken(), not with {gamma=} and {type(self.start).__name__}"
            )
        self.gamma, self.eta, self.huber = gamma, eta, huber
        self.collect_size, self.learn_size, self.updates = collect_size, learn_size, updates
        self.clip_norm, self.l2 = clip_norm, l2
        self.prior = prior.copy()
        self.prior.trainable = False
        self.online = objective.initial_network(prior)
        self.target = objective.initial_network(prior)
        self.target.trainable = False
        self.optimizer = keras.optimizers.Adam(
            keras.optimizers.schedules.ExponentialDecay(
                learning_rate, decay_steps, decay_rate, staircase=True
            )
        )
        self.optimizer.build(self.online.trainable_variables)
        prefix_length = int(self.start.prefix(1, prior.start_token, tf.constant([0, 0])).shape[1])
        self.replay.build(prefix_length, task.horizon)
        self.seed = seed
        self.iteration = tf.Variable(0, dtype=tf.int64, trainable=False, name="iteration")
        self.environment_steps = tf.Variable(0, dtype=tf.int64, trainable=False, name="steps")
        self.built = True

    def call(self, tokens: tf.Tensor) -> tf.Tensor:
        """Logits of the tuned policy: int inputs [B, T] -> float32 [B, T, A]."""
        scores = self.online(tokens)
        return self.objective.policy_logits(scores, tf.nn.log_softmax(self.prior(tokens)))

    def _seed(self, stream: str, index: tf.Tensor) -> tf.Tensor:
        base = tf.constant([self.seed, _STREAMS[stream]], tf.int32)
        return tf.random.experimental.stateless_fold_in(base, tf.cast(index, tf.int64))

    def sample(
        self,
        batch_size: int,
        seed: tf.Tensor,
        start: Any = None,
        temperature: float | tf.Tensor = 1.0,
    ) -> Rollout:
        """Sequences of the tuned policy, without exploration.

        Args:
            batch_size: B.
            seed: int32 [2].
            start: what to start from; None takes the tuner's own.
            temperature: the policy's logits are divided by it before sampling.
        """
        return sample(
            self.online,
            self.prior,
            self.objective.policy_logits,
            start or self.start,
            self.task,
            batch_size,
            seed,
            temperature,
        )

    @_as_written
    def act(self) -> Rollout:
        """Samples `collect_size` sequences under exploration."""
        prefix = self.start.prefix(
            self.collect_size, self.prior.start_token, self._seed("prefix", self.iteration)
        )
        return rollout(
            self.online,
            self.prior,
            self.objective.policy_logits,
            lambda log_policy: self.exploration.probabilities(log_policy, self.environment_steps),
            prefix,
            self.task.horizon,
            self._seed("actions", self.iteration),
            self.task.end_token,
        )

    @_as_written
    def store(self, episode: Rollout, parts: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Adds sampled sequences and their reward to the replay.

        Args:
            episode: what `act` sampled.
            parts: part name -> float32 [B, T], their task reward part by part.

        Returns:
            Scalar metrics of the rollout.
        """
        # tf.add_n takes its terms in whatever order their memory comes free: not the same bits every time.
        task_reward = tf.reduce_sum(tf.stack(list(parts.values())), axis=0) * episode.mask
        self.replay.add(
            ReplayBatch(
                episode.prefix, episode.tokens, episode.mask, task_reward, episode.log_prior
            )
        )
        epsilon = self.exploration.epsilon(self.environment_steps)
        self.environment_steps.assign_add(tf.cast(tf.reduce_sum(episode.mask), tf.int64))
        kl = objectives.masked_mean(episode.kl, episode.mask)
        self.temperature.update(kl)
        per_sequence = {name: tf.reduce_sum(part * episode.mask, 1) for name, part in parts.items()}
        return {
            "collect/task_reward": tf.reduce_mean(tf.reduce_sum(task_reward, 1)),
            "collect/log_prior": objectives.masked_mean(episode.log_prior, episode.mask),
            "collect/kl": kl,
            "collect/entropy": objectives.masked_mean(episode.entropy, episode.mask),
            "collect/epsilon": epsilon,
            **{f"collect/{name}": value for name, value in self.temperature.metrics().items()},
            **{f"reward/{name}": tf.reduce_mean(value) for name, value in per_sequence.items()},
        }

    def learn(
        self, batch: ReplayBatch, weights: tf.Tensor | None = None
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """One update of the online network on replayed sequences, then the soft target update.

        Loss: masked mean of the squared `path_errors`, or mean of the squared `sequence_errors` where the
        objective learns whole sequences; plus l2 times the squared weight matrices.

        Args:
            batch: B replayed sequences.
            weights: float32 [B] weight of each sequence's squared errors; None is 1.

        Returns:
            Scalar metrics of the update, and the mean absolute error of each sequence: [B].
        """
        batch = trimmed(batch)
        first = batch.prefix.shape[1] - 1
        inputs = sequence_inputs(batch.prefix, batch.tokens)
        log_p = (
            tf.nn.log_softmax(self.prior(inputs)[:, first:]) if self.objective.needs_prior else None
        )
        weights = tf.ones_like(batch.mask[:, 0]) if weights is None else weights
        with tf.GradientTape() as tape:
            scores = self.online(inputs)[:, first:]
            error, value, sizes = self._errors(scores, log_p, inputs, batch, weights)
            loss = error + self.l2 * squared_weights(self.online)
        variables = self.online.trainable_variables
        gradients, norm = tf.clip_by_global_norm(tape.gradient(loss, variables), self.clip_norm)
        self.optimizer.apply_gradients(zip(gradients, variables))
        soft_update(self.target, self.online, self.eta)
        metrics = {
            "learn/loss": error,
            "learn/target_value": value,
            "learn/gradient_norm": norm,
        }
        return metrics, sizes

    def _errors(
        self,
        scores: tf.Tensor,
        log_p: tf.Tensor | None,
        inputs: tf.Tensor,
        batch: ReplayBatch,
        weights: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Mean of the weighted squared errors, mean value learned towards, mean |error| by sequence."""
        objective, mask = self.objective, batch.mask
        chosen = tf.reduce_sum(scores * tf.one_hot(batch.tokens, self.task.num_classes), axis=-1)
        values = objective.value(scores, log_p) if objective.lambda_ > 0 else None
        rewards = objective.reward(batch.task_reward, batch.log_prior, self.temperature.c)
        if objective.whole:
            errors, value = objectives.sequence_errors(chosen, rewards, values, mask)
            squares = objectives.huber(errors, self.huber)
            return tf.reduce_mean(weights * squares), value, tf.abs(errors)
        if objective.lambda_ < 1:
            target_values = objective.value(
                self.target(inputs)[:, batch.prefix.shape[1] - 1 :], log_p
            )
        else:
            # Whole paths do not bootstrap.
            target_values = tf.stop_gradient(values)
        errors = objectives.path_errors(
            chosen,
            rewards,
            objectives.next_values(target_values, mask),
            mask,
            self.gamma,
            values,
            objective.lambda_,
        )
        squares = weights[:, tf.newaxis] * objectives.huber(errors, self.huber)
        sizes = tf.math.divide_no_nan(tf.reduce_sum(tf.abs(errors), 1), tf.reduce_sum(mask, 1))
        value = objectives.masked_mean(target_values, mask)
        return objectives.masked_mean(squares, mask), value, sizes

    def learn_from_replay(self) -> dict[str, tf.Tensor]:
        """Learns `updates` times on `learn_size` replayed sequences; returns the mean metrics."""
        totals = self._update(tf.constant(0))
        for index in tf.range(1, self.updates):
            metrics = self._update(index)
            totals = {name: totals[name] + value for name, value in metrics.items()}
        return {name: value / self.updates for name, value in totals.items()}

    # A function of its own is traced once, however often the loops around it name it.
    @tf.function(autograph=False)
    def _update(self, index: tf.Tensor) -> dict[str, tf.Tensor]:
        seed = self._seed("replay", self.iteration * self.updates + tf.cast(index, tf.int64))
        batch, rows, weights = self.replay.sample(self.learn_size, seed)
        metrics, sizes = self.learn(batch, weights)
        self.replay.update(rows, sizes)
        return metrics

    @tf.function
    def train_iteration(self) -> dict[str, tf.Tensor]:
        """Collects once, then learns `updates` times; returns the metrics of both."""
        episode = self.act()
        metrics = self.store(episode, self.task.reward_parts(episode.tokens, episode.mask))
        metrics |= self.learn_from_replay()
        self.iteration.assign_add(1)
        return metrics

    def train_iterations(
        self, count: int, observer: Callable[[Rollout, Any], None] | None = None
    ) -> dict[str, float]:
        """Runs `count` >= 1 iterations; returns the scalar metrics, averaged over them.

        A task that is rewarded in the graph is trained without returning to Python. A `HostTask` scores
        each batch while the networks learn from those before it: always one batch behind, however
        long scoring takes, so that a seed decides the result.

        Args:
            count: iterations.
            observer: called with every batch of a `HostTask` and its `Scored`.
        """
        if not isinstance(self.task, HostTask):
            metrics = self._train_in_graph(tf.constant(count))
            return {name: float(value) for name, value in metrics.items()}
        totals: dict[str, float] = {}
        for _ in range(count):
            for name, value in self._train_with_host(observer).items():
                totals[name] = totals.get(name, 0.0) + float(value)
        return {name: value / count for name, value in totals.items()}

    @tf.function(reduce_retracing=True)
    def _train_in_graph(self, count: tf.Tensor) -> dict[str, tf.Tensor]:
        totals = self.train_iteration()
        for _ in tf.range(1, count):
            metrics = self.train_iteration()
            totals = {name: totals[name] + value for name, value in metrics.items()}
        return {name: value / tf.cast(count, tf.float32) for name, value in totals.items()}

    def _train_with_host(
        self, observer: Callable[[Rollout, Any], None] | None
    ) -> dict[str, tf.Tensor]:
        episode = self._act()
        ticket = self.task.submit(episode.tokens.numpy(), episode.mask.numpy())
        learned = self._learn() if int(self.replay.added) else None
        scored = self.task.result(ticket)
        parts = {name: tf.constant(part) for name, part in scored.parts.items()}
        metrics = self._store(episode, parts)
        if observer:
            observer(episode, scored)
        metrics |= self._learn() if learned is None else learned
        self.iteration.assign_add(1)
        return metrics | {f"collect/{name}": value for name, value in scored.metrics.items()}

    @tf.function(autograph=False)
    def _act(self) -> Rollout:
        return self.act()

    @tf.function(autograph=False)
    def _store(self, episode: Rollout, parts: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return self.store(episode, parts)

    @tf.function
    def _learn(self) -> dict[str, tf.Tensor]:
        return self.learn_from_replay()


@_as_written
def sample(
    network: SequenceNetwork,
    prior: SequenceNetwork,
    policy_logits: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    start: Any,
    task: Task,
    batch_size: int | tf.Tensor,
    seed: tf.Tensor,
    temperature: float | tf.Tensor = 1.0,
) -> Rollout:
    """Sequences of a policy, without exploration; arguments as for `RLTuner.sample` and `rollout`."""
    seeds = tf.random.experimental.stateless_split(seed, 2)
    return rollout(
        network,
        prior,
        policy_logits,
        lambda log_policy: tempered(log_policy, temperature),
        start.prefix(batch_size, prior.start_token, seeds[0]),
        task.horizon,
        seeds[1],
        task.end_token,
    )

"""The tuner: it collects sequences, learns from replayed ones and updates the target network."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import gin
import keras
import numpy as np
import tensorflow as tf

from rl_tuner.common.errors import UserError
from rl_tuner.common.own_code import is_own_code
from rl_tuner.core import sharing, starts
from rl_tuner.core.checks import asked_of, check_features, check_settings
from rl_tuner.core.controller import DualController
from rl_tuner.core.exploration import Boltzmann
from rl_tuner.core.features import LOG_PRIOR, Feature, Pair, bounds_of, per_step
from rl_tuner.core.ledger import Ledger
from rl_tuner.core.losses import masked_mean
from rl_tuner.core.networks import SequenceNetwork, squared_weights
from rl_tuner.core.objectives import Objective
from rl_tuner.core.protocols import Exploration, Replay, Start, Targets, Temperature
from rl_tuner.core.replay import ReplayBatch, UniformReplay, trimmed
from rl_tuner.core.rollout import Rollout, mask_of, rollout, sequence_inputs
from rl_tuner.core.sampling import Policy
from rl_tuner.core.schedules import stepwise
from rl_tuner.core.task import HostTask, Scored, Task, check_reward_parts
from rl_tuner.core.temperature import FixedTemperature


@dataclasses.dataclass(frozen=True)
class Share:
    """Which of how many equal shares of a batch and of the replay a tuner has.

    Attributes:
        index: number of the share.
        count: number of shares, one for each replica.
    """

    index: int = 0
    count: int = 1


# Every use of randomness has its own stream, so that adding a stream does not change the others.
_STREAMS = {"prefix": 0, "actions": 1, "replay": 2}

# Updates whose weights are averaged: enough to still the noise, few enough to follow the multipliers.
_AVERAGED = 300.0

# AutoGraph takes seconds to convert a function. Functions without Python control flow on tensors skip it; a
# user's task does not, because it may contain some.
_as_written = tf.autograph.experimental.do_not_convert


def soft_update(target: SequenceNetwork, online: SequenceNetwork, eta: tf.Tensor | float) -> None:
    """Update theta' <- (1 - eta) theta' + eta theta for every weight (Jaques et al. 2017, section 5)."""
    for slow, fast in zip(target.weights, online.weights):
        slow.assign((1.0 - eta) * slow + eta * fast)


def averaging_rate(updates: tf.Tensor) -> tf.Tensor:
    """Return the rate of the average network after some updates: it spans the last tenth, at most 300."""
    return tf.maximum(1.0 / _AVERAGED, 10.0 / (tf.cast(updates, tf.float32) + 10.0))


@gin.configurable(module="rl_tuner", denylist=["prior", "task", "seed", "share"])
class RLTuner(keras.Model):
    """KL-control fine-tuning of a prior against a task reward.

    The online network, its target network and the frozen prior all start from the prior's weights; the
    objective determines the initial scores (see `Objective.initial_network`).

    Args:
        prior: the pre-trained network, p(a|s).
        task: the task with its rewards.
        objective: Q, Psi, G or RewardOnly.
        exploration: choice of actions while collecting; None is `Boltzmann()`.
        start: start of the sequences; None is `StartToken()`.
        temperature: the temperature c; None is `FixedTemperature()`, or with targets no task reward.
        replay: memory of sequences to learn from; None is `UniformReplay()`.
        targets: bounds on the task's features, feature name -> (low, high), which the policy meets with
            the least departure from the prior; None learns from the task reward alone.
        controller: the controller of the targets; None is `DualController()`.
        gamma: discount.
        eta: target update rate.
        collect_size: sequences sampled per iteration.
        learn_size: sequences replayed per update.
        updates: updates per iteration.
        learning_rate: Adam's initial learning rate.
        decay_rate: factor applied to the learning rate every `decay_steps` updates.
        decay_steps: see decay_rate.
        clip_norm: largest global L2 norm of the gradients.
        l2: weight of the sum of squared weight matrices in the loss.
        huber: Huber threshold in nats: larger errors are penalised linearly; None squares all errors.
        seed: seed of every random choice.
        share: share of a replica in `collect_size`, `learn_size` and the capacity of the replay.

    Raises:
        ValueError: a number is out of range or cannot be divided into the shares, or prior and task differ
            in their number of classes.
    """

    def __init__(
        self,
        prior: SequenceNetwork,
        task: Task,
        objective: Objective = gin.REQUIRED,
        exploration: Exploration | None = None,
        start: Start | None = None,
        temperature: Temperature | None = None,
        replay: Replay | None = None,
        targets: Targets | Mapping[str, Pair] | None = None,
        controller: DualController | None = None,
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
        share: Share = Share(),
    ) -> None:
        super().__init__(name="rl_tuner")
        if prior.num_classes != task.num_classes:
            raise ValueError(
                f"the prior generates {prior.num_classes} classes and the task {task.num_classes}"
            )
        check_settings(
            objective=objective,
            exploration=exploration,
            start=start,
            temperature=temperature,
            replay=replay,
            targets=targets,
            gamma=gamma,
            eta=eta,
            collect_size=collect_size,
            learn_size=learn_size,
            updates=updates,
            learning_rate=learning_rate,
            decay_rate=decay_rate,
            decay_steps=decay_steps,
            clip_norm=clip_norm,
            l2=l2,
            huber=huber,
        )
        self.replay = replay or UniformReplay()
        self.share = share
        if share.count > 1:
            self._divide(collect_size, learn_size)
        self.start = start or starts.StartToken()
        # A host's reward would start processes here, and the program's own tasks have tests.
        if is_own_code(type(task)) and not isinstance(task, HostTask):
            check_reward_parts(task)
        self.task = task
        self.objective = objective
        self.exploration = exploration or Boltzmann()
        self.temperature = temperature or FixedTemperature()
        self.bounds = bounds_of(asked_of(targets)) if targets is not None else ()
        self.rewarded = temperature is not None or not self.bounds
        self.gamma, self.eta, self.huber = gamma, eta, huber
        self.collect_size, self.learn_size, self.updates = collect_size, learn_size, updates
        self.clip_norm, self.l2 = clip_norm, l2
        self.prior = prior.copy()
        self.prior.trainable = False
        self.online = objective.initial_network(prior)
        self.target = objective.initial_network(prior)
        self.target.trainable = False
        self.optimizer = keras.optimizers.Adam(stepwise(learning_rate, decay_rate, decay_steps))
        self.optimizer.build(self.online.trainable_variables)
        prefix_length = int(self.start.prefix(1, prior.start_token, tf.constant([0, 0])).shape[1])
        bounds = [len(self.bounds)] if self.bounds else []
        self.replay.build(prefix_length, task.horizon, *bounds)
        self.controller = controller or DualController() if self.bounds else None
        if self.controller:
            check_features(task, self.bounded_features)
            self.controller.build(self.bounds, collect_size)
            self.average, self.kept = (objective.initial_network(prior) for _ in range(2))
            self.average.trainable = self.kept.trainable = False
            self.kept_score = tf.Variable(-math.inf, trainable=False, name="kept_score")
            self.kept_step = tf.Variable(0, dtype=tf.int64, trainable=False, name="kept_step")
        self.ledger = Ledger()
        # The replicas that this tuner stands for, see `replicas.Replicas`.
        self.replicas: Any = None
        self.seed = seed
        self.iteration = tf.Variable(0, dtype=tf.int64, trainable=False, name="iteration")
        self.environment_steps = tf.Variable(0, dtype=tf.int64, trainable=False, name="steps")
        self.built = True

    def _divide(self, collect_size: int, learn_size: int) -> None:
        """Check that the sizes can be divided among the replicas, and take a share of the replay.

        Raises:
            ValueError: a size cannot be divided.
        """
        count = self.share.count
        if not isinstance(self.replay, UniformReplay):
            raise ValueError(
                "several replicas need @UniformReplay() or @PrioritisedReplay(), not "
                f"{type(self.replay).__name__}"
            )
        sizes = {
            "RLTuner.collect_size": collect_size,
            "RLTuner.learn_size": learn_size,
            f"{type(self.replay).__name__}.capacity": self.replay.capacity,
        }
        for name, size in sizes.items():
            if size % count:
                raise ValueError(
                    f"{name} must be divisible by {count}, the number of replicas, not {size}"
                )
        self.replay.capacity //= count

    def keep(self, score: float, step: int) -> None:
        """Keep a copy of the average network, with how well it meets the targets and when."""
        soft_update(self.kept, self.average, 1.0)
        self.kept_score.assign(score)
        self.kept_step.assign(step)

    def take_kept(self) -> None:
        """Make the network that was kept the online network."""
        soft_update(self.online, self.kept, 1.0)

    @property
    def bounded_features(self) -> tuple[str, ...]:
        """The names of the features that targets bound, each once."""
        return tuple(dict.fromkeys(bound.feature for bound in self.bounds))

    @property
    def policy(self) -> Policy:
        """The tuned policy, without exploration."""
        return Policy(self.online, self.prior, self.objective.policy_logits)

    @property
    def averaged_policy(self) -> Policy:
        """The policy of the averaged weights, which a tuner with targets has."""
        return Policy(self.average, self.prior, self.objective.policy_logits)

    def call(self, tokens: tf.Tensor) -> tf.Tensor:
        """Return logits of the tuned policy: int inputs [B, T] -> float32 [B, T, A]."""
        return self.policy.logits(tokens)

    def _seed(self, stream: str, index: tf.Tensor) -> tf.Tensor:
        base = tf.constant([self.seed, _STREAMS[stream]], tf.int32)
        number = tf.cast(index, tf.int64) * self.share.count + self.share.index
        return tf.random.experimental.stateless_fold_in(base, number)

    @tf.function(autograph=False)
    def act(self) -> Rollout:
        """Sample `collect_size` sequences under exploration."""
        prefix = self.start.prefix(
            self.collect_size // self.share.count,
            self.prior.start_token,
            self._seed("prefix", self.iteration),
        )
        return rollout(
            *self.policy,
            lambda log_policy: self.exploration.probabilities(log_policy, self.environment_steps),
            prefix,
            self.task.horizon,
            self._seed("actions", self.iteration),
            self.task.end_token,
        )

    def store_now(
        self,
        episode: Rollout,
        parts: dict[str, tf.Tensor],
        features: dict[str, Feature] | None = None,
    ) -> dict[str, tf.Tensor]:
        """Add sampled sequences, their reward and the handles of the targets to the replay.

        Args:
            episode: sequences sampled by `act`.
            parts: part name -> float32 [B, T], parts of their task reward.
            features: the features that are bounded; None without targets.

        Returns:
            Scalar metrics of the rollout.
        """
        # The order of tf.add_n depends on free memory, so it would not give the same bits every time.
        task_reward = tf.reduce_sum(tf.stack(list(parts.values())), axis=0) * episode.mask
        handles = self._observe(episode, task_reward, features or {})
        self.replay.add(
            ReplayBatch(
                episode.prefix,
                episode.tokens,
                episode.mask,
                task_reward,
                episode.log_prior,
                handles,
            )
        )
        epsilon = self.exploration.epsilon(self.environment_steps)
        steps = sharing.total(tf.reduce_sum(episode.mask))
        self.environment_steps.assign_add(tf.cast(steps, tf.int64))
        kl = sharing.average(masked_mean(episode.kl, episode.mask))
        self.temperature.update(kl)
        per_sequence = {name: tf.reduce_sum(part * episode.mask, 1) for name, part in parts.items()}
        return {
            "collect/task_reward": tf.reduce_mean(tf.reduce_sum(task_reward, 1)),
            "collect/log_prior": masked_mean(episode.log_prior, episode.mask),
            "collect/kl": kl,
            "collect/entropy": masked_mean(episode.entropy, episode.mask),
            "collect/epsilon": epsilon,
            **{f"collect/{name}": value for name, value in self.temperature.metrics().items()},
            **{f"reward/{name}": tf.reduce_mean(value) for name, value in per_sequence.items()},
            **(self.controller.metrics() if self.controller else {}),
        }

    # Without a loop around it, and with one replica, it is compiled.
    store = tf.function(store_now, autograph=False)

    def _observe(
        self, episode: Rollout, task_reward: tf.Tensor, features: dict[str, Feature]
    ) -> tf.Tensor | None:
        """Let the controller see how the bounds stand; return their handles, [B, T, K]."""
        if not self.controller:
            return None
        features = features | {LOG_PRIOR: per_step(episode.log_prior, episode.mask)}
        scale = 1.0 / self.temperature.c if self.rewarded else 0.0
        return self.controller.observe(episode, scale * task_reward, features)

    def _learned_reward(self, batch: ReplayBatch) -> tf.Tensor:
        """Return the reward [B, T] that is divided by c: r_T, and c times what the multipliers give."""
        if not self.controller:
            return batch.task_reward
        given = self.temperature.c * self.controller.reward(batch.handles)
        return batch.task_reward + given if self.rewarded else given

    def learn(
        self, batch: ReplayBatch, weights: tf.Tensor | None = None
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Update the online network once on replayed sequences, then the target network.

        The loss is that of the objective plus l2 times the squared weight matrices.

        Args:
            batch: B replayed sequences.
            weights: float32 [B] weight of each sequence's squared errors; None is 1 for all.

        Returns:
            Scalar metrics of the update, and the mean absolute error of each sequence: [B].
        """
        metrics, sizes, gradients = self.gradients(batch, weights)
        self.apply(gradients)
        return metrics, sizes

    def gradients(
        self, batch: ReplayBatch, weights: tf.Tensor | None
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor, list[tf.Tensor]]:
        """Return the metrics, the errors [B] and the clipped gradients of an update, see `learn`."""
        batch = trimmed(batch)
        batch = batch._replace(task_reward=self._learned_reward(batch))
        first = batch.prefix.shape[1] - 1
        inputs = sequence_inputs(batch.prefix, batch.tokens)
        log_p = (
            tf.nn.log_softmax(self.prior(inputs)[:, first:]) if self.objective.needs_prior else None
        )
        weights = tf.ones_like(batch.mask[:, 0]) if weights is None else weights
        with tf.GradientTape() as tape:
            scores = self.online(inputs)[:, first:]
            terms = self.objective.loss_terms(
                scores,
                lambda: self.target(inputs)[:, first:],
                log_p,
                batch,
                weights=weights,
                gamma=self.gamma,
                c=self.temperature.c,
                huber=self.huber,
            )
            loss = terms.loss + self.l2 * squared_weights(self.online)
        found = sharing.average(tape.gradient(loss, self.online.trainable_variables))
        gradients, norm = tf.clip_by_global_norm(found, self.clip_norm)
        metrics = {
            "learn/loss": terms.loss,
            "learn/target_value": terms.target_value,
            "learn/gradient_norm": norm,
        }
        return metrics, terms.sizes, gradients

    def apply(self, gradients: list[tf.Tensor]) -> None:
        """Update the online network with gradients, then the target network."""
        self.optimizer.apply_gradients(zip(gradients, self.online.trainable_variables))
        soft_update(self.target, self.online, self.eta)
        if self.controller:
            soft_update(self.average, self.online, averaging_rate(self.optimizer.iterations))

    @tf.function
    def learn_from_replay(self) -> dict[str, tf.Tensor]:
        """Make `updates` updates on `learn_size` replayed sequences each; return the mean metrics."""
        totals = self._update(tf.constant(0))
        for index in tf.range(1, self.updates):
            metrics = self._update(index)
            totals = {name: totals[name] + value for name, value in metrics.items()}
        return {name: value / self.updates for name, value in totals.items()}

    # A separate function is traced only once, however often the loops call it.
    @tf.function(autograph=False)
    def _update(self, index: tf.Tensor) -> dict[str, tf.Tensor]:
        batch, rows, weights = self.draw(index)
        metrics, sizes = self.learn(batch, weights)
        self.replay.update(rows, sizes)
        return metrics

    def draw(self, index: tf.Tensor) -> tuple[ReplayBatch, tf.Tensor, tf.Tensor]:
        """Draw the sequences of this iteration's update with this number, see `UniformReplay.sample`."""
        seed = self._seed("replay", self.iteration * self.updates + tf.cast(index, tf.int64))
        return self.replay.sample(self.learn_size // self.share.count, seed)

    def rewards(self, episode: Rollout) -> tuple[dict[str, tf.Tensor], dict[str, Feature] | None]:
        """Return the parts of the reward and the bounded features of sequences, for a reward in the graph."""
        tokens, mask = episode.tokens, episode.mask
        features = self.task.features(tokens, mask) if self.bounds else None
        return self.task.reward_parts(tokens, mask), features

    def host_rewards(
        self, task: HostTask, episode: Rollout, scored: Scored
    ) -> tuple[Rollout, dict[str, tf.Tensor], dict[str, Feature] | None]:
        """Return the sequences that were scored, with what `rewards` returns, for a reward of the host."""
        if scored.rows is not None:
            episode = Rollout(*(tf.gather(column, scored.rows) for column in episode))
        parts = {name: tf.constant(part) for name, part in scored.parts.items()}
        features = task.scored_features(scored, episode.mask) if self.bounds else None
        return episode, parts, features

    @tf.function
    def train_iteration(self) -> dict[str, tf.Tensor]:
        """Collect once, then make `updates` updates; return the metrics of both."""
        episode = self.act()
        parts, features = self.rewards(episode)
        metrics = self.store(episode, parts, features)
        metrics |= self.learn_from_replay()
        self.iteration.assign_add(1)
        return metrics

    def train_iterations(
        self, count: int, observer: Callable[[Rollout, Scored], None] | None = None
    ) -> dict[str, float]:
        """Run `count` >= 1 iterations, or until the ledger says that the run is over; return mean metrics.

        With a reward in the graph, training does not return to Python between iterations. A `HostTask`
        scores each batch while the networks learn from earlier batches. Learning is always one batch
        behind, however long scoring takes, so that the result depends only on the seed.

        Args:
            count: number of iterations.
            observer: called with every batch of a `HostTask` and its `Scored`.
        """
        task = self.task
        if self.replicas is not None:
            return self.replicas.train_iterations(count, observer)
        if not isinstance(task, HostTask):
            metrics = self._train_in_graph(tf.constant(count))
            return {name: float(value) for name, value in metrics.items()}
        totals: dict[str, float] = {}
        done = 0
        while done < count and not (done and self.ledger.why_over()):
            for name, value in self._train_with_host(task, observer).items():
                totals[name] = totals.get(name, 0.0) + float(value)
            done += 1
        return {name: value / done for name, value in totals.items()}

    @tf.function(reduce_retracing=True)
    def _train_in_graph(self, count: tf.Tensor) -> dict[str, tf.Tensor]:
        totals = self.train_iteration()
        for _ in tf.range(1, count):
            metrics = self.train_iteration()
            totals = {name: totals[name] + value for name, value in metrics.items()}
        return {name: value / tf.cast(count, tf.float32) for name, value in totals.items()}

    def _train_with_host(
        self, task: HostTask, observer: Callable[[Rollout, Scored], None] | None
    ) -> dict[str, tf.Tensor]:
        episode = self.act()
        ticket = task.submit(episode.tokens.numpy(), episode.mask.numpy())
        proposed = task.propose(self.ledger, [self.seed, int(self.iteration)])
        learned = self.learn_from_replay() if int(self.replay.added) else None
        scored = task.counted_result(ticket, self.ledger)
        episode, parts, features = self.host_rewards(task, episode, scored)
        metrics = self.store(episode, parts, features)
        if observer:
            observer(episode, scored)
        if proposed is not None:
            self._store_proposed(task, proposed, observer)
        metrics |= self.learn_from_replay() if learned is None else learned
        self.iteration.assign_add(1)
        return metrics | {f"collect/{name}": value for name, value in scored.metrics.items()}

    def _store_proposed(
        self,
        task: HostTask,
        proposed: np.ndarray,
        observer: Callable[[Rollout, Scored], None] | None,
    ) -> None:
        """Reward sequences [N, T] that the policy did not sample, and add them to the replay."""
        if self.ledger.why_over():
            return
        if self.controller or not self.start.fixed or len(proposed) > self.replay.capacity:
            raise UserError(
                f"{type(task).__name__} proposes {len(proposed)} sequences an iteration: that needs a fixed "
                "start such as @StartToken(), no targets, and a replay of at least that capacity"
            )
        mask = mask_of(proposed, task.end_token)
        scored = task.counted_result(task.submit(proposed, mask), self.ledger)
        scored = scored._replace(source="memory")
        if scored.rows is not None:
            proposed, mask = proposed[scored.rows], mask[scored.rows]
        episode = self._likelihoods(tf.constant(proposed, tf.int32), tf.constant(mask))
        parts = [tf.constant(part) for part in scored.parts.values()]
        reward = tf.reduce_sum(tf.stack(parts), axis=0) * episode.mask
        self.replay.add(
            ReplayBatch(episode.prefix, episode.tokens, episode.mask, reward, episode.log_prior)
        )
        if observer:
            observer(episode, scored)

    @tf.function(autograph=False)
    def _likelihoods(self, tokens: tf.Tensor, mask: tf.Tensor) -> Rollout:
        """Return sequences int32 [N, T] as if they had been sampled; their KL and entropy are 0."""
        prefix = self.start.prefix(tf.shape(tokens)[0], self.prior.start_token, tf.constant([0, 0]))
        first = prefix.shape[1] - 1
        inputs = sequence_inputs(prefix, tokens)
        log_p = tf.nn.log_softmax(self.prior(inputs)[:, first:])
        scores = self.online(inputs)[:, first:]
        log_pi = tf.nn.log_softmax(self.objective.policy_logits(scores, log_p))

        def of_tokens(log_probs: tf.Tensor) -> tf.Tensor:
            return tf.gather(log_probs, tokens, axis=2, batch_dims=2) * mask

        nothing = tf.zeros_like(mask)
        return Rollout(prefix, tokens, mask, of_tokens(log_pi), of_tokens(log_p), nothing, nothing)

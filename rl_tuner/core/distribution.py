"""TensorFlow Probability distribution of the sequences of a policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from rl_tuner.common.progress import working
from rl_tuner.core.protocols import Start
from rl_tuner.core.rollout import sequence_inputs
from rl_tuner.core.sampling import Policy, sample_after
from rl_tuner.core.shapes import has_rank
from rl_tuner.core.task import Task

tfd: Any = tfp.distributions
samplers = tfp.random

# Default number of paths over which entropy and KL are averaged.
PATHS = 1_000


class SequenceDistribution(tfd.Distribution):
    """Distribution of the sequences int32 [T] of a policy.

    The probability of a sequence is the product of the probabilities of its tokens up to its end, so that
    the probabilities of all sequences sum to 1. Sequences that end early are padded with 0 after their end
    token. With K equally likely starts, the probability is the mean over the starts, and the next token
    after a_1 .. a_{t-1} has the probability

        pi(a | s_t) = sum over k of w_k pi(a | start_k, a_1 .. a_{t-1}),

    with w_k the posterior probability of start k given the tokens so far.

    Entropy and KL are means over sampled paths of exact per-step terms, E sum_t H(pi(. | s_t)) and
    E sum_t KL(pi(. | s_t) || q(. | s_t)): unbiased, and less noisy than means of log-probabilities.

    Args:
        policy: the tuned policy or the prior.
        start: start of the sequences.
        task: task with its classes, horizon and end token.
        name: name of the distribution.
    """

    def __init__(self, policy: Policy, start: Start, task: Task, name: str = "sequences") -> None:
        parameters = {"policy": policy, "start": start, "task": task, "name": name}
        self._policy, self._task = policy, task
        self._starts = start.prefixes(policy.prior.start_token)
        self._compiled: Callable[[tf.Tensor], tf.Tensor] | None = None
        super().__init__(
            dtype=tf.int32,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=False,
            parameters=parameters,
            name=name,
        )

    @property
    def num_classes(self) -> int:
        """A, the number of classes of a token."""
        return self._task.num_classes

    def step_log_probs(self, tokens: tf.Tensor) -> tf.Tensor:
        """Return log pi(. | s_t) before every token.

        Args:
            tokens: int32 [N, T].

        Returns:
            float32 [N, T, A], in nats.

        Raises:
            ValueError: the rank of tokens is not 2.
        """
        return self._step_log_probs(tokens)[:, :-1]

    def step_distribution(self, tokens: tf.Tensor) -> Any:
        """Return the `tfd.Categorical` of the token after int32 [N, t] tokens; t may be 0."""
        tokens = tf.convert_to_tensor(tokens, tf.int32)
        return tfd.Categorical(logits=self._step_log_probs(tokens)[:, -1])

    def step_mode(self, tokens: tf.Tensor) -> tf.Tensor:
        """Return the most probable token after int32 [N, t] tokens: int32 [N]."""
        return self.step_distribution(tokens).mode()

    def step_mask(self, tokens: tf.Tensor) -> tf.Tensor:
        """Return float32 [N, T], 1 up to and including the end token of int32 [N, T] tokens."""
        if self._task.end_token is None:
            return tf.ones_like(tokens, tf.float32)
        ends = tf.cast(tf.equal(tokens, self._task.end_token), tf.int32)
        return tf.cast(tf.equal(tf.cumsum(ends, axis=1, exclusive=True), 0), tf.float32)

    def _step_log_probs(self, tokens: tf.Tensor) -> tf.Tensor:
        """Return log-probabilities before every token and after the last: float32 [N, T + 1, A]."""
        tokens = tf.convert_to_tensor(tokens, tf.int32)
        has_rank(2, tokens=tokens)
        with working("log-probabilities of sequences"):
            if self._compiled is None:
                function = tf.function(self._over_starts, autograph=False)
                # Traced once here; TensorFlow warns about functions that are traced when they are called.
                with tf.init_scope():
                    self._compiled = function.get_concrete_function(
                        tf.TensorSpec([None, None], tf.int32)
                    )
            return self._compiled(tokens)

    def _over_starts(self, tokens: tf.Tensor) -> tf.Tensor:
        if self._starts.shape[0] == 1:
            return self._after(self._starts[0], tokens)
        log_pi = tf.map_fn(
            lambda start: self._after(start, tokens), self._starts, fn_output_signature=tf.float32
        )
        chosen = tf.reduce_sum(log_pi[:, :, :-1] * tf.one_hot(tokens, self.num_classes), axis=-1)
        before = tf.pad(tf.cumsum(chosen, axis=2), [[0, 0], [0, 0], [1, 0]])
        posterior = tf.nn.log_softmax(before, axis=0)
        return tf.reduce_logsumexp(posterior[..., tf.newaxis] + log_pi, axis=0)

    def _after(self, start: tf.Tensor, tokens: tf.Tensor) -> tf.Tensor:
        """Return the log-probabilities of `_step_log_probs` for one start, int32 [P]."""
        prefix = tf.tile(start[tf.newaxis], [tf.shape(tokens)[0], 1])
        inputs = sequence_inputs(prefix, tf.pad(tokens, [[0, 0], [0, 1]]))
        logits = self._policy.logits(inputs)[:, self._starts.shape[1] - 1 :]
        return tf.nn.log_softmax(logits)

    def _sample_n(self, n: Any, seed: Any = None) -> tf.Tensor:
        # TensorFlow Probability's stateful interpretation of an int would give new samples in every call.
        if isinstance(seed, int):
            seed = tf.constant([seed, 0], tf.int32)
        seeds = samplers.split_seed(samplers.sanitize_seed(seed), 2)
        rows = tf.random.stateless_uniform(
            [n], seeds[0], maxval=tf.shape(self._starts)[0], dtype=tf.int32
        )
        prefix = tf.gather(self._starts, rows)
        task = self._task
        with working("sampling sequences"):
            return sample_after(self._policy, prefix, task.horizon, seeds[1], task.end_token).tokens

    def _log_prob(self, value: tf.Tensor) -> tf.Tensor:
        value = tf.convert_to_tensor(value, tf.int32)
        tokens = tf.reshape(value, [-1, self._task.horizon])
        log_pi = self.step_log_probs(tokens)
        chosen = tf.reduce_sum(log_pi * tf.one_hot(tokens, self.num_classes), axis=-1)
        total = tf.reduce_sum(chosen * self.step_mask(tokens), axis=1)
        return tf.reshape(total, tf.shape(value)[:-1])

    def _entropy(self, paths: int = PATHS, seed: Any = 0) -> tf.Tensor:
        with working(f"entropy over {paths:,} paths"):
            tokens = self.sample(paths, seed=seed)
            log_pi = self.step_log_probs(tokens)
        per_step = -tf.reduce_sum(tf.exp(log_pi) * log_pi, axis=-1)
        return tf.reduce_mean(tf.reduce_sum(per_step * self.step_mask(tokens), axis=1))

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([self._task.horizon])

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.constant([self._task.horizon], tf.int32)

    def _batch_shape(self) -> tf.TensorShape:
        return tf.TensorShape([])

    def _batch_shape_tensor(self, **kwargs: Any) -> tf.Tensor:
        return tf.constant([], tf.int32)

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict[str, Any]:
        return {}


@tfd.RegisterKL(SequenceDistribution, SequenceDistribution)
def kl_sequences(
    p: SequenceDistribution,
    q: SequenceDistribution,
    name: str | None = None,
    paths: int = PATHS,
    seed: Any = 0,
) -> tf.Tensor:
    """Return KL(p || q) in nats per sequence, over sampled paths of p with exact per-step terms.

    Args:
        p: distribution whose paths are sampled.
        q: distribution over the same classes and horizon.
        name: name of the operation.
        paths: number of paths.
        seed: seed of the paths.

    Raises:
        ValueError: classes or horizons differ.
    """
    if p.num_classes != q.num_classes or p.event_shape != q.event_shape:
        raise ValueError(
            f"p has {p.num_classes} classes and events {p.event_shape}, q has {q.num_classes} and "
            f"{q.event_shape}; KL needs equal classes and events"
        )
    with tf.name_scope(name or "kl_sequences"), working(f"KL over {paths:,} paths"):
        tokens = p.sample(paths, seed=seed)
        log_p, log_q = p.step_log_probs(tokens), q.step_log_probs(tokens)
        per_step = tf.reduce_sum(tf.exp(log_p) * (log_p - log_q), axis=-1)
        return tf.reduce_mean(tf.reduce_sum(per_step * p.step_mask(tokens), axis=1))

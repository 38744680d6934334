"""SavedModel export: the tuned policy and its prior, with no code of ours needed to run them."""

from __future__ import annotations

import os

import tensorflow as tf

from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.core.objectives import Objective
from rl_tuner.core.rollout import rollout, sequence_inputs
from rl_tuner.core.tuner import RLTuner
from rl_tuner.errors import UserError
from rl_tuner.runtime.files import replacing


class ServedPolicy(tf.Module):
    """The signatures of an export.

    `generate(count, temperature, seed)` -> `tokens` int32 [count, T], `lengths` int32 [count],
    `log_policy` and `log_prior` float32 [count], nats a sequence. The same seed gives the same output.

    `score(tokens)` int32 [B, T] -> `log_policy`, `log_prior` float32 [B], nats a sequence, and
    `log_ratio`, their difference. Sequences are scored from the start token.
    """

    def __init__(self, tuner: RLTuner) -> None:
        super().__init__(name="served_policy")
        self.online: SequenceNetwork = tuner.online
        self.prior: SequenceNetwork = tuner.prior
        self._objective: Objective = tuner.objective
        self._start = tuner.start
        self._task = tuner.task
        self.exported = {
            "generate": self.generate.get_concrete_function(),
            "score": self.score.get_concrete_function(),
        }

    @tf.function(
        input_signature=[
            tf.TensorSpec([], tf.int32, "count"),
            tf.TensorSpec([], tf.float32, "temperature"),
            tf.TensorSpec([], tf.int32, "seed"),
        ]
    )
    def generate(
        self, count: tf.Tensor, temperature: tf.Tensor, seed: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Samples `count` sequences; see the class."""
        checks = [
            tf.debugging.assert_greater(count, 0, "count must be at least 1"),
            tf.debugging.assert_greater(temperature, 0.0, "temperature must be positive"),
        ]
        with tf.control_dependencies(checks):
            seeds = tf.random.experimental.stateless_split(tf.stack([seed, 0]), 2)
        episode = rollout(
            self.online,
            self.prior,
            self._objective.policy_logits,
            lambda log_pi: tf.nn.softmax(log_pi / temperature),
            self._start.prefix(count, self.prior.start_token, seeds[0]),
            self._task.horizon,
            seeds[1],
            self._task.end_token,
        )
        return {
            "tokens": episode.tokens,
            "lengths": tf.cast(tf.reduce_sum(episode.mask, axis=1), tf.int32),
            "log_policy": tf.reduce_sum(episode.log_policy, axis=1),
            "log_prior": tf.reduce_sum(episode.log_prior, axis=1),
        }

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32, "tokens")])
    def score(self, tokens: tf.Tensor) -> dict[str, tf.Tensor]:
        """Log-probabilities of given sequences; see the class."""
        classes = self._task.num_classes
        message = f"tokens must lie between 0 and {classes - 1}"
        checks = [
            tf.debugging.assert_non_negative(tokens, message),
            tf.debugging.assert_less(tokens, classes, message),
            tf.debugging.assert_positive(tf.size(tokens), "tokens must hold at least one token"),
        ]
        with tf.control_dependencies(checks):
            start = tf.fill([tf.shape(tokens)[0], 1], self.prior.start_token)
        inputs = sequence_inputs(start, tokens)
        log_p = tf.nn.log_softmax(self.prior(inputs))
        log_pi = tf.nn.log_softmax(self._objective.policy_logits(self.online(inputs), log_p))
        log_policy, log_prior = (
            tf.reduce_sum(tf.gather(logs, tokens, batch_dims=2), axis=1) for logs in (log_pi, log_p)
        )
        return {
            "log_policy": log_policy,
            "log_prior": log_prior,
            "log_ratio": log_policy - log_prior,
        }


def export(tuner: RLTuner, output_dir: str) -> None:
    """Writes a SavedModel with the signatures `generate` and `score`, whole or not at all.

    Raises:
        UserError: something else is at `output_dir`.
    """
    if os.path.isdir(output_dir) and os.listdir(output_dir):
        if not os.path.isfile(os.path.join(output_dir, "saved_model.pb")):
            raise UserError(f"{output_dir} is not empty and no SavedModel; export elsewhere")
    elif os.path.isfile(output_dir):
        raise UserError(f"{output_dir} is a file; export into a folder")
    served = ServedPolicy(tuner)
    with replacing(os.path.abspath(output_dir)) as temporary:
        tf.saved_model.save(served, temporary, signatures=served.exported)

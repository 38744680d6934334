"""Maximum-likelihood training of a sequence network, the prior p(a|s)."""

from __future__ import annotations

from collections.abc import Iterable

import keras
import tensorflow as tf

from rl_tuner.core import sharing
from rl_tuner.core.networks import SequenceNetwork, squared_weights
from rl_tuner.core.schedules import LearningRateSchedule


class MLETrainer(tf.Module):
    """Trainer of a network to predict the next token, by Adam with global-norm clipping.

    Args:
        network: network to train.
        learning_rate: Adam's learning rate, a number or a schedule (`stepwise`, `cosine`).
        clip_norm: largest global L2 norm of the gradients.
        l2: weight of half the sum of squared weight matrices in the loss.
        weight_dropout: share of the recurrent weights dropped in each update, see `SequenceNetwork.call`.
        seed: seed of the dropout masks; each mask is determined by the seed and the update number.

    Raises:
        ValueError: a number is out of range.
    """

    def __init__(
        self,
        network: SequenceNetwork,
        learning_rate: float | LearningRateSchedule,
        clip_norm: float,
        l2: float,
        weight_dropout: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__(name="mle_trainer")
        if not (clip_norm > 0 and l2 >= 0 and 0 <= weight_dropout < 1):
            raise ValueError(
                "need clip_norm > 0, l2 >= 0 and 0 <= weight_dropout < 1, not "
                f"{clip_norm=}, {l2=}, {weight_dropout=}"
            )
        self.network = network
        self.optimizer = keras.optimizers.Adam(learning_rate)
        self.optimizer.build(network.trainable_variables)
        self.clip_norm, self.l2 = clip_norm, l2
        self.weight_dropout, self.seed = weight_dropout, seed

    @tf.function(reduce_retracing=True, autograph=False)
    def train_step(self, inputs: tf.Tensor, labels: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Make one update.

        Args:
            inputs: int [B, T] inputs.
            labels: int [B, T] next tokens.
            mask: float [B, T], 1 where the loss counts.

        Returns:
            The mean negative log-likelihood in nats per step, before the update.
        """
        loss, gradients = self.gradients(inputs, labels, mask)
        self.apply(gradients)
        return loss

    def gradients(
        self, inputs: tf.Tensor, labels: tf.Tensor, mask: tf.Tensor
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Return the loss and the clipped gradients of an update, see `train_step`."""
        with tf.GradientTape() as tape:
            seed = tf.stack([self.seed, tf.cast(self.optimizer.iterations, tf.int32)])
            logits = self.network(inputs, weight_dropout=self.weight_dropout, seed=seed)
            loss, _, steps = likelihood_sums(logits, labels, mask)
            loss = loss / tf.maximum(sharing.average(steps), 1.0)
            total = loss + self.l2 * squared_weights(self.network)
        found = sharing.average(tape.gradient(total, self.network.trainable_variables))
        gradients, _ = tf.clip_by_global_norm(found, self.clip_norm)
        return sharing.average(loss), gradients

    def apply(self, gradients: list[tf.Tensor]) -> None:
        """Update the network with gradients."""
        self.optimizer.apply_gradients(zip(gradients, self.network.trainable_variables))

    @tf.function(reduce_retracing=True, autograph=False)
    def _evaluation_sums(
        self, inputs: tf.Tensor, labels: tf.Tensor, mask: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        return likelihood_sums(self.network(inputs), labels, mask)

    def evaluate(
        self, batches: Iterable[tuple[tf.Tensor, tf.Tensor, tf.Tensor]]
    ) -> dict[str, float]:
        """Return log-perplexity (nats per step) and next-token accuracy over (inputs, labels, mask) batches.

        Raises:
            ValueError: there are no steps with a mask of 1.
        """
        totals = [0.0, 0.0, 0.0]
        for batch in batches:
            totals = [t + float(value) for t, value in zip(totals, self._evaluation_sums(*batch))]
        nll, correct, steps = totals
        if not steps:
            raise ValueError("the split contains no steps to evaluate")
        return {"log_perplexity": nll / steps, "accuracy": correct / steps}


def likelihood_sums(
    logits: tf.Tensor, labels: tf.Tensor, mask: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return sums over the steps whose mask is 1: -log p(a_t|s_t) in nats, correct predictions, steps."""
    nll = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    correct = tf.cast(tf.argmax(logits, axis=-1, output_type=labels.dtype) == labels, tf.float32)
    return tf.reduce_sum(nll * mask), tf.reduce_sum(correct * mask), tf.reduce_sum(mask)

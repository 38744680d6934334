"""Data-parallel maximum-likelihood training: each replica computes the gradients of its rows of a batch."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from rl_tuner.core.likelihood import MLETrainer
from rl_tuner.core.team import Team


class SharedTrainer:
    """The trainers of all replicas of this process, which have the same weights.

    Args:
        team: the team of all replicas.
        lead: the trainer that stands for all; its network is evaluated and saved.
        others: trainers with equal networks, for the other replicas of this process.
    """

    def __init__(self, team: Team, lead: MLETrainer, others: list[MLETrainer]) -> None:
        self.team, self.here = team, [lead, *others]

    def follow_lead(self) -> None:
        """Give the lead's weights and the state of its optimizer to the others."""
        lead = self.here[0]
        for trainer in self.here[1:]:
            trainer.network.set_weights(lead.network.get_weights())
            for mine, theirs in zip(trainer.optimizer.variables, lead.optimizer.variables):
                mine.assign(theirs)

    def train_step(self, inputs: tf.Tensor, labels: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Make one update on a batch that every process has, see `MLETrainer.train_step`.

        Rows without steps are added where the batch cannot be divided.
        """
        count = self.team.count
        missing = -inputs.shape[0] % count
        whole = [tf.pad(each, [[0, missing], [0, 0]]) for each in (inputs, labels, mask)]
        first = self.team.first
        rows = [
            tuple(each[number::count] for each in whole)
            for number in range(first, first + len(self.here))
        ]
        return self.team.of_each(self._step(self.team.values(rows)))[0]

    @tf.function(reduce_retracing=True, autograph=False)
    def _step(self, rows: Any) -> Any:
        def step(rows: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> Any:
            return self.here[self.team.number_here()].gradients(*rows)

        losses, gradients = self.team.strategy.run(step, args=(rows,))
        # Outside of strategy.run: there, Keras expects the strategy's own variables.
        for trainer, device, own in zip(self.here, self.team.devices, self.team.of_each(gradients)):
            with tf.device(device):
                trainer.apply(own)
        return losses

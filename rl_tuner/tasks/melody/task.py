"""The melody task: melodies of sixteenth-note steps in C, rewarded by rules of music theory."""

from __future__ import annotations

import gin
import tensorflow as tf

from rl_tuner.common.settings import Cosmetic
from rl_tuner.core.features import Feature
from rl_tuner.core.task import Task
from rl_tuner.tasks.melody import encoding, metrics
from rl_tuner.tasks.melody.features import table1_features
from rl_tuner.tasks.melody.presentation import MelodyPresentation
from rl_tuner.tasks.melody.reward import MusicTheoryReward


@gin.configurable(module="rl_tuner")
class MelodyTask(Task):
    """The task of composing melodies of a fixed length.

    Args:
        horizon: T, number of steps of a melody (sixteenth notes).
        reward: the task reward; None is `MusicTheoryReward()`.
        qpm: tempo of written MIDI and audio, in quarter notes per minute.

    Raises:
        ValueError: the horizon is too short for the rules' last bar.
    """

    kind = "melody"
    num_classes = encoding.NUM_CLASSES
    end_token = None

    def __init__(
        self,
        horizon: int = 32,
        reward: MusicTheoryReward | None = None,
        qpm: Cosmetic[float] = 120.0,
    ) -> None:
        if horizon < 4:
            raise ValueError(f"MelodyTask.horizon must be at least 4 steps, not {horizon}")
        self.horizon = horizon
        self.reward = reward or MusicTheoryReward()
        self.part_names = self.reward.part_names
        self.qpm = qpm

    def reward_parts(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the reward of each rule at each step; the mask, all ones for melodies, is not used."""
        return self.reward(tokens)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The metrics of Table 1, and the parts of the reward that have other names."""
        return tuple(dict.fromkeys((*metrics.TABLE1_METRICS, *self.part_names)))

    def features(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, Feature]:
        """Return the metrics of Table 1 as features, and the parts of the reward per melody."""
        return super().features(tokens, mask) | table1_features(tokens)

    def metric_sums(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the sums behind the paper's Table 1."""
        return metrics.table1_sums(tokens)

    def metrics(self, sums: dict[str, float]) -> dict[str, float | None]:
        """Return the paper's Table 1."""
        return metrics.table1(sums)

    def presentation(self) -> MelodyPresentation:
        """Return the presentation of melodies."""
        return MelodyPresentation(self)

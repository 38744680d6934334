"""The melody task: 32 sixteenth-note steps in C, rewarded by rules of music theory."""

from __future__ import annotations

import gin
import tensorflow as tf

from rl_tuner.common.settings import Cosmetic
from rl_tuner.core.task import Task
from rl_tuner.tasks.melody import encoding, metrics
from rl_tuner.tasks.melody.presentation import MelodyPresentation
from rl_tuner.tasks.melody.reward import MusicTheoryReward


@gin.configurable(module="rl_tuner")
class MelodyTask(Task):
    """Composes melodies of a fixed length.

    Args:
        horizon: T, steps of a melody (sixteenth notes).
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
        """Return every rule's reward of every step; melodies are whole, so the mask is all ones."""
        return self.reward(tokens)

    def metric_sums(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the sums behind the paper's Table 1."""
        return metrics.table1_sums(tokens)

    def metrics(self, sums: dict[str, float]) -> dict[str, float | None]:
        """Return the paper's Table 1."""
        return metrics.table1(sums)

    def presentation(self) -> MelodyPresentation:
        """Return how people hear, see and read melodies."""
        return MelodyPresentation(self)

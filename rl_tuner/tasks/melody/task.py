"""The melody task: melodies on a grid of steps, rewarded by rules of music theory."""

from __future__ import annotations

from typing import Any

import gin
import tensorflow as tf

from rl_tuner.common.settings import Cosmetic
from rl_tuner.core.features import Feature
from rl_tuner.core.task import Task
from rl_tuner.tasks.melody import metrics
from rl_tuner.tasks.melody.features import ENDS_ON_TONIC, ends_on_tonic, table1_features
from rl_tuner.tasks.melody.frame import Frame
from rl_tuner.tasks.melody.grid import Grid
from rl_tuner.tasks.melody.presentation import MelodyPresentation
from rl_tuner.tasks.melody.reward import MusicTheoryReward


@gin.configurable(module="rl_tuner")
class MelodyTask(Task):
    """The task of composing melodies of a fixed length.

    Args:
        horizon: T, number of steps of a melody; None is the steps of `bars`.
        bars: number of bars of a melody, if `horizon` is None; their steps are those of the training data.
        reward: the task reward; None is `MusicTheoryReward()`.
        qpm: tempo of written MIDI and audio, in quarter notes per minute.

    Raises:
        ValueError: the melody is shorter than a beat, which the rules need.
    """

    kind = "melody"
    end_token = None

    def __init__(
        self,
        horizon: int | None = None,
        reward: MusicTheoryReward | None = None,
        qpm: Cosmetic[float] = 120.0,
        bars: int = 2,
    ) -> None:
        self.reward = reward or MusicTheoryReward()
        self.part_names = self.reward.part_names
        self.qpm = qpm
        self._given = horizon, bars
        self.encoding: dict[str, Any] = {}
        self._use(Frame(key=self.reward.key))

    def _use(self, frame: Frame) -> None:
        horizon, bars = self._given
        self.frame, self.num_classes = frame, frame.grid.num_classes
        self.horizon = bars * frame.grid.steps_per_bar if horizon is None else horizon
        if self.horizon < frame.grid.steps_per_beat:
            name, given = ("bars", bars) if horizon is None else ("horizon", horizon)
            least = "1" if horizon is None else f"{frame.grid.steps_per_beat} steps"
            raise ValueError(f"MelodyTask.{name} must be at least {least}, not {given}")

    def adopt(self, metadata: dict[str, Any]) -> None:
        """Adopt the grid of the training data: steps, range and metre; see `Task.adopt`.

        Raises:
            UserError: the encoding is not one of melodies, or the tonic is outside its range.
        """
        self.encoding = metadata.get("encoding") or {}
        self._use(Frame(Grid.from_json(self.encoding), self.reward.key))

    def reward_parts(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the reward of each rule at each step; the mask, all ones for melodies, is not used."""
        return self.reward(tokens, self.frame)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The metrics of Table 1, and the parts of the reward that have other names."""
        return tuple(dict.fromkeys((*metrics.TABLE1_METRICS, ENDS_ON_TONIC, *self.part_names)))

    def features(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, Feature]:
        """Return the metrics of Table 1 as features, and the parts of the reward per melody."""
        own = table1_features(tokens, self.frame) | {
            ENDS_ON_TONIC: ends_on_tonic(tokens, self.frame)
        }
        return super().features(tokens, mask) | own

    def metric_sums(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the sums behind the paper's Table 1."""
        return metrics.table1_sums(tokens, self.frame)

    def metrics(self, sums: dict[str, float]) -> dict[str, float | None]:
        """Return the paper's Table 1."""
        return metrics.table1(sums)

    def presentation(self) -> MelodyPresentation:
        """Return the presentation of melodies."""
        return MelodyPresentation(self)

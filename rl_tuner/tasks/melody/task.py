"""The melody task: 32 sixteenth-note steps in C, rewarded by rules of music theory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import gin
import numpy as np
import tensorflow as tf

from rl_tuner.common.errors import UserError
from rl_tuner.core.task import Task
from rl_tuner.tasks.melody import encoding, metrics, rendering
from rl_tuner.tasks.melody.graph_codec import ServedMelody
from rl_tuner.tasks.melody.reward import MusicTheoryReward

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN = 8


@gin.configurable(module="rl_tuner")
class MelodyTask(Task):
    """Composes melodies of a fixed length.

    Args:
        horizon: T, steps of a melody (sixteenth notes).
        reward: the task reward; None is `MusicTheoryReward()`.
        qpm: quarter notes a minute of written MIDI and audio.

    Raises:
        ValueError: the horizon is too short for the rules' last bar.
    """

    kind = "melody"
    num_classes = encoding.NUM_CLASSES
    end_token = None

    def __init__(
        self, horizon: int = 32, reward: MusicTheoryReward | None = None, qpm: float = 120.0
    ) -> None:
        if horizon < 4:
            raise ValueError(f"MelodyTask.horizon must be at least 4 steps, not {horizon}")
        self.horizon = horizon
        self.reward = reward or MusicTheoryReward()
        self.part_names = self.reward.part_names
        self.qpm = qpm

    def reward_parts(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        """Every rule's reward of every step; melodies are whole, so the mask is all ones."""
        return self.reward(tokens)

    def metric_sums(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        """Sums behind the paper's Table 1."""
        return metrics.table1_sums(tokens)

    def metrics(self, sums: dict[str, float]) -> dict[str, float | None]:
        """The paper's Table 1."""
        return metrics.table1(sums)

    def format_metrics(self, columns: dict[str, dict[str, float | None]]) -> str:
        """Table 1 as text beside the paper's columns."""
        return metrics.format_table1(columns)

    def set_metrics(self, sequences: np.ndarray, corpus: list[Any] | None) -> dict[str, Any]:
        """`novelty`: the share of melodies that are no excerpt of a tune of the corpus."""
        return {"novelty": None if corpus is None else metrics.novelty(sequences, corpus)}

    def read_primer(self, path: str) -> list[int]:
        """The classes of the first melody in a MIDI file, in its own key, up to its last note."""
        try:
            return rendering.read_melody(path)
        except (OSError, ValueError) as error:
            raise UserError(f"primer {path}: {error}") from error

    def write_samples(self, sequences: np.ndarray, directory: str, prefix: str) -> list[str]:
        """One MIDI file a melody: PREFIX_000.mid and so on."""
        paths = []
        for index, melody in enumerate(sequences):
            paths.append(os.path.join(directory, f"{prefix}_{index:03d}.mid"))
            rendering.write_midi(paths[-1], melody, qpm=self.qpm)
        return paths

    def figures(self, columns: dict[str, np.ndarray]) -> dict[str, Figure]:
        """Piano rolls, a column a model."""
        few = {name: rows[:_SHOWN] for name, rows in columns.items()}
        return {"samples": rendering.piano_roll_figure(few)}

    def images(self, sequences: np.ndarray) -> np.ndarray:
        """One picture with the piano rolls of some melodies."""
        return rendering.piano_roll_image(sequences)[np.newaxis]

    def audio(self, sequence: np.ndarray) -> tuple[np.ndarray, int]:
        """The melody as sound."""
        return rendering.audio(sequence, qpm=self.qpm)

    def served_form(self) -> ServedMelody:
        """Notes beside the classes."""
        return ServedMelody()

"""The interface between a tuner and what it tunes: a task knows no tuner, a tuner knows no task."""

from __future__ import annotations

import abc
from typing import Any

import numpy as np
import tensorflow as tf


class Task(abc.ABC):
    """What is generated and what is rewarded.

    Attributes:
        kind: the kind of dataset that the task reads, as its dataset.json says it.
        num_classes: number of classes that may be generated.
        horizon: T, the longest sequence in tokens.
        end_token: class that ends a sequence; None when every sequence has the length T.
        part_names: names of the reward's parts, in the order in which they are shown.
    """

    kind: str
    num_classes: int
    horizon: int
    end_token: int | None = None
    part_names: tuple[str, ...] = ()

    @abc.abstractmethod
    def reward_parts(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        """The task reward r_T of finished sequences, part by part; traced into the training step.

        Args:
            tokens: int32 [B, T] sequences.
            mask: float32 [B, T], 1 on the steps of a sequence.

        Returns:
            Part name -> float32 [B, T] reward of each step; r_T is their sum.
        """

    @abc.abstractmethod
    def metric_sums(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        """Sums and counts of a batch of sequences that add over batches: name -> scalar."""

    @abc.abstractmethod
    def metrics(self, sums: dict[str, float]) -> dict[str, float | None]:
        """The task's metrics from added `metric_sums`; None where a metric is undefined."""

    @abc.abstractmethod
    def format_metrics(self, columns: dict[str, dict[str, float | None]]) -> str:
        """A text table: a row a metric, a column a model, beside published figures."""

    @abc.abstractmethod
    def novelty(self, sequences: np.ndarray, corpus: list[np.ndarray]) -> float:
        """Share of `sequences` [N, T] that are found nowhere in the corpus' sequences."""

    @abc.abstractmethod
    def read_primer(self, path: str) -> list[int]:
        """The classes in a user's primer file.

        Raises:
            UserError: the file cannot be read or holds nothing to start from.
        """

    @abc.abstractmethod
    def write_samples(self, sequences: np.ndarray, directory: str, prefix: str) -> list[str]:
        """Writes what a person wants to have of each sequence; returns the paths."""

    @abc.abstractmethod
    def figure(self, columns: dict[str, np.ndarray]) -> Any:
        """A matplotlib figure that shows a few sequences of each model side by side."""

    @abc.abstractmethod
    def images(self, sequences: np.ndarray) -> np.ndarray:
        """uint8 [N, H, W, 3] pictures of a few sequences for TensorBoard."""

    def audio(self, sequence: np.ndarray) -> tuple[np.ndarray, int] | None:
        """Sound of one sequence as (float32 [samples], rate); None for tasks that make none."""
        return None

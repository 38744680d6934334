"""The interface between a tuner and what it tunes: a task knows no tuner, a tuner knows no task."""

from __future__ import annotations

import abc
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf


class Task(abc.ABC):
    """What is generated and what is rewarded.

    A task needs the attributes below and `reward_parts`. A method `presentation()` may return a
    `rl_tuner.Presentation`, which says how people see its sequences.

    Attributes:
        kind: kind of dataset that the task reads, as its dataset.json says.
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
        """Return the task reward r_T of finished sequences by part; traced into the training step.

        Args:
            tokens: int32 [B, T] sequences.
            mask: float32 [B, T], 1 on the steps of a sequence.

        Returns:
            Part name -> float32 [B, T] reward of each step; r_T is their sum.
        """

    def adopt(self, metadata: dict[str, Any]) -> None:
        """Take over what a prior knows of its data: `encoding` and `provenance`, see `save_prior`.

        Until then a task that depends on its data has no num_classes and no horizon.

        Raises:
            UserError: the task cannot use this encoding.
        """
        del metadata

    def metric_sums(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return sums and counts over a batch that add up over batches: name -> scalar."""
        del tokens, mask
        return {}

    def metrics(self, sums: dict[str, float]) -> dict[str, float | None]:
        """Return the task's metrics from added `metric_sums`; None where a metric is undefined."""
        del sums
        return {}


class Scored(NamedTuple):
    """What a `HostTask` found for a batch.

    Attributes:
        parts: part name -> float32 [B, T] reward of each step; r_T is their sum.
        sums: as `Task.metric_sums`.
        metrics: scalars for the summaries.
        details: whatever the task's own journal needs.
    """

    parts: dict[str, np.ndarray]
    sums: dict[str, float]
    metrics: dict[str, float]
    details: Any = None


class HostTask(Task):
    """A task whose reward is computed outside the graph, in other processes while the networks learn."""

    @abc.abstractmethod
    def submit(self, tokens: np.ndarray, mask: np.ndarray) -> Any:
        """Start scoring a batch and return at once.

        Args:
            tokens: int32 [B, T] sequences.
            mask: float32 [B, T], 1 on the steps of a sequence.

        Returns:
            A ticket for `result`.
        """

    @abc.abstractmethod
    def result(self, ticket: Any) -> Scored:
        """Wait for a submitted batch."""

    def reward_parts(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the task reward, outside a graph."""
        scored = self.result(self.submit(np.asarray(tokens), np.asarray(mask)))
        return {name: tf.constant(part) for name, part in scored.parts.items()}

    def metric_sums(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the task's sums, outside a graph."""
        sums = self.result(self.submit(np.asarray(tokens), np.asarray(mask))).sums
        return {name: tf.constant(value, tf.float32) for name, value in sums.items()}

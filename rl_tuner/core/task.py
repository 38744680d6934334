"""Interface of tasks, through which a tuner works with any kind of sequences."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from rl_tuner.common.errors import UserError
from rl_tuner.core.features import Feature, per_sequence
from rl_tuner.core.ledger import Ledger


class Task(abc.ABC):
    """Base class of tasks: a kind of sequences and their reward.

    A task needs the attributes below and `reward_parts`. It may have a method `presentation()` that
    returns a `rl_tuner.Presentation`, which determines how its sequences are shown.

    Attributes:
        kind: kind of the sequences, equal to the kind in the dataset.json.
        num_classes: number of classes that can be generated.
        horizon: T, length of the longest sequence in tokens.
        end_token: class that ends a sequence; None if every sequence has length T.
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

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the features that targets can bound; by default those of the reward's parts."""
        return self.part_names

    def features(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, Feature]:
        """Return the features of finished sequences; by default each part of the reward per sequence.

        Args:
            tokens: int32 [B, T] sequences.
            mask: float32 [B, T], 1 on the steps of a sequence.

        Returns:
            Feature name -> `Feature`, for each of `feature_names`.
        """
        parts = self.reward_parts(tokens, mask)
        return {name: per_sequence(part, mask) for name, part in parts.items()}

    def adopt(self, metadata: dict[str, Any]) -> None:
        """Adopt the `encoding` and `provenance` of a prior's data, see `save_prior`.

        Before that, a task that depends on its data does not have num_classes and horizon.

        Raises:
            UserError: the task cannot use this encoding.
        """
        del metadata

    def metric_sums(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return sums and counts of a batch, to be added up over batches: name -> scalar."""
        del tokens, mask
        return {}

    def metrics(self, sums: dict[str, float]) -> dict[str, float | None]:
        """Return the task's metrics from the totals of `metric_sums`; None for undefined metrics."""
        del sums
        return {}

    def remarks(self) -> list[str]:
        """Return what is to be said at the end of a run, such as how often a reward failed."""
        return []


def check_reward_parts(task: Task) -> None:
    """Compute a task's reward once, to check its names and shapes.

    Raises:
        ValueError: the parts are not those of `part_names`, or one is not [B, T].
    """
    shape = [2, task.horizon]
    parts = task.reward_parts(tf.zeros(shape, tf.int32), tf.ones(shape))
    name = type(task).__name__
    if set(parts) != set(task.part_names):
        raise ValueError(
            f"{name}.reward_parts returns {', '.join(sorted(parts))}, but part_names has "
            f"{', '.join(task.part_names) or 'none'}"
        )
    for part, reward in parts.items():
        if list(np.shape(reward)) != shape:
            raise ValueError(
                f"{name}.reward_parts: {part} has the shape {list(np.shape(reward))} for tokens of the "
                f"shape {shape}; every part is [B, T]"
            )


class Scored(NamedTuple):
    """Rewards and metrics of a batch, scored by a `HostTask`.

    Attributes:
        parts: part name -> float32 [B, T] reward of each step; r_T is their sum.
        sums: sums and counts as in `Task.metric_sums`.
        metrics: scalars for TensorBoard.
        details: further results for the task's own journal.
        source: where the sequences are from, "policy" or "memory".
        rows: int [B], the submitted sequence that each row is; None if they are the same. Sequences beyond
            the budget of a ledger are replaced by others of the batch.
        features: feature name -> its numerator and denominator, float32 [B, T]; empty for those of
            `Task.features` by default.
    """

    parts: dict[str, np.ndarray]
    sums: dict[str, float]
    metrics: dict[str, float]
    details: Any = None
    features: Mapping[str, Feature] = {}
    source: str = "policy"
    rows: np.ndarray | None = None


class HostTask(Task):
    """Base class of tasks whose reward is computed outside the graph while the networks learn."""

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
        """Wait for a submitted batch and return its rewards."""

    def counted_result(self, ticket: Any, ledger: Ledger) -> Scored:
        """Return the rewards of a submitted batch, of which new sequences are calls in the ledger.

        Raises:
            UserError: the ledger is limited, and the task does not count calls.
        """
        if ledger.is_limited:
            raise UserError(
                f"tune.budget, tune.patience and tune.enough need a task that counts its calls; "
                f"{type(self).__name__} has no method counted_result"
            )
        return self.result(ticket)

    def state(self) -> Any:
        """Return what the task remembers of a run, JSON-serialisable, for its checkpoint; by default None."""
        return None

    def restore(self, state: Any) -> None:
        """Remember what `state` returned in an interrupted run, or nothing for None."""
        del state

    def propose(self, ledger: Ledger, seed: Sequence[int]) -> np.ndarray | None:
        """Return sequences for the replay that the policy did not sample, such as variants of the best.

        They are rewarded and counted like those of the policy. By default there are none.

        Args:
            ledger: what was rewarded so far.
            seed: numbers that determine every random choice, others in each iteration.

        Returns:
            int [N, T], each with an end token and 0 past it, always the same N; None for none.
        """
        del ledger, seed
        return None

    def reward_parts(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the task reward; works only outside a graph."""
        scored = self.result(self.submit(np.asarray(tokens), np.asarray(mask)))
        return {name: tf.constant(part) for name, part in scored.parts.items()}

    def features(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, Feature]:
        """Return the features; works only outside a graph."""
        return self.scored_features(
            self.result(self.submit(np.asarray(tokens), np.asarray(mask))), mask
        )

    def scored_features(self, scored: Scored, mask: tf.Tensor) -> dict[str, Feature]:
        """Return the features of a scored batch; by default each part of the reward per sequence."""
        if scored.features:
            return {
                name: Feature(*(tf.constant(values) for values in feature if values is not None))
                for name, feature in scored.features.items()
            }
        return {name: per_sequence(tf.constant(part), mask) for name, part in scored.parts.items()}

    def metric_sums(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the task's sums; works only outside a graph."""
        sums = self.result(self.submit(np.asarray(tokens), np.asarray(mask))).sums
        return {name: tf.constant(value, tf.float32) for name, value in sums.items()}

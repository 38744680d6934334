"""Replay of whole sequences in device memory, from their start, so that no recurrent state is stale."""

from __future__ import annotations

from typing import NamedTuple

import gin
import tensorflow as tf

from rl_tuner.common.ranges import check
from rl_tuner.core import sharing
from rl_tuner.core.ranges import RANGES
from rl_tuner.core.sum_tree import SumTree


class ReplayBatch(NamedTuple):
    """Replayed sequences.

    Attributes:
        prefix: int32 [B, P], inputs before the first token.
        tokens: int32 [B, T].
        mask: float32 [B, T], 1 on the steps of the sequence.
        task_reward: float32 [B, T], r_T(s_t, a_t).
        log_prior: float32 [B, T], log p(a_t | s_t) in nats.
        handles: float32 [B, T, K], what the multiplier of each of K bounds rewards; None without targets.
            Kept instead of their weighted sum, because the multipliers change.
    """

    prefix: tf.Tensor
    tokens: tf.Tensor
    mask: tf.Tensor
    task_reward: tf.Tensor
    log_prior: tf.Tensor
    handles: tf.Tensor | None = None


def trimmed(batch: ReplayBatch) -> ReplayBatch:
    """Return the sequences without the columns that are padding in all of them."""
    longest = tf.cast(tf.reduce_max(tf.reduce_sum(batch.mask, axis=1)), tf.int32)
    columns = (None if column is None else column[:, :longest] for column in batch[1:])
    return ReplayBatch(batch.prefix, *columns)


@gin.configurable(module="rl_tuner")
class UniformReplay(tf.Module):
    """A ring buffer of the latest `capacity` sequences, drawn uniformly with replacement.

    Args:
        capacity: largest number of sequences.

    Raises:
        ValueError: the capacity is not positive.
    """

    def __init__(self, capacity: int = 30_000) -> None:
        super().__init__(name="replay")
        check(RANGES, "UniformReplay", capacity=capacity)
        self.capacity = capacity

    def build(self, prefix_length: int, horizon: int, bounds: int = 0) -> None:
        """Allocate the memory.

        Args:
            prefix_length: P.
            horizon: T.
            bounds: K, number of bounds of targets; with 0, no handles are kept.

        Raises:
            ValueError: a length is not positive.
        """
        if min(prefix_length, horizon) < 1:
            raise ValueError(f"a replay needs positive lengths, not {prefix_length=}, {horizon=}")
        shapes = [[prefix_length], *[[horizon]] * 4, *([[horizon, bounds]] if bounds else [])]
        dtypes = [tf.int32, tf.int32, *[tf.float32] * 4]
        self.columns = [
            tf.Variable(tf.zeros([self.capacity, *shape], dtype), trainable=False, name=name)
            for name, shape, dtype in zip(ReplayBatch._fields, shapes, dtypes)
        ]
        self.added = tf.Variable(0, dtype=tf.int64, trainable=False, name="added")

    def add(self, batch: ReplayBatch) -> tf.Tensor:
        """Append B sequences, replacing the oldest; B must not exceed the capacity.

        Returns:
            int64 [B], their rows.
        """
        count = tf.shape(batch.tokens, out_type=tf.int64)[0]
        rows = (self.added + tf.range(count)) % self.capacity
        for column, values in zip(self.columns, batch):
            column.scatter_update(tf.IndexedSlices(values, rows))
        self.added.assign_add(count)
        return rows

    def sample(self, batch_size: int, seed: tf.Tensor) -> tuple[ReplayBatch, tf.Tensor, tf.Tensor]:
        """Draw `batch_size` sequences with an int32 [2] seed; at least one must have been added.

        Returns:
            The sequences, their rows (int64 [B]) and the weights of their losses (float32 [B]).
        """
        rows = tf.random.stateless_uniform([batch_size], seed, maxval=self.filled, dtype=tf.int64)
        return self.read(rows), rows, tf.ones([batch_size])

    def update(self, rows: tf.Tensor, errors: tf.Tensor) -> None:
        """Ignore the mean absolute path errors [B] of drawn sequences."""
        del rows, errors

    @property
    def per_row(self) -> list[tf.Variable]:
        """The variables with one entry per sequence on their first axis."""
        return list(self.columns)

    def exchange(self, variables: list[tf.Variable]) -> list[tf.Variable]:
        """Put other variables in the places of `per_row`, with any number of rows; return the old ones."""
        old, self.columns = self.per_row, list(variables)
        return old

    def refresh(self) -> None:
        """Bring what depends on `per_row` up to date after it was assigned."""

    @property
    def filled(self) -> tf.Tensor:
        """The number of sequences in the memory, an int64 scalar."""
        return tf.minimum(self.added, self.capacity)

    def read(self, rows: tf.Tensor) -> ReplayBatch:
        """Return the sequences at int64 [B] rows."""
        return ReplayBatch(*(tf.gather(column, rows) for column in self.columns))


@gin.configurable(module="rl_tuner")
class PrioritisedReplay(UniformReplay):
    """Proportional prioritised replay (Schaul et al. 2015, sections 3.3 and 3.4) of whole sequences.

    The priority of a sequence is p_i = mean over its steps of |path error| + epsilon at its latest update;
    a new sequence gets the largest priority so far, so that it is soon learned from. Sequence i is drawn
    with probability P(i) = p_i^alpha / sum p^alpha, one from each of B equal slices of the total (their
    stratified sampling), and its loss is weighted by (N P(i))^-beta / max of that over the batch, where
    beta rises linearly from `beta` to 1 over `anneal_updates` draws. A sum tree makes the time of a
    draw and of an update grow with log(capacity).

    Args:
        capacity: largest number of sequences.
        alpha: exponent of the priorities; 0 is uniform sampling.
        beta: initial exponent of the bias correction; 1 corrects the whole bias.
        anneal_updates: number of draws until beta is 1.
        epsilon: added to every priority, so that sequences without error are still drawn.

    Raises:
        ValueError: a number is out of range.
    """

    def __init__(
        self,
        capacity: int = 30_000,
        alpha: float = 0.6,
        beta: float = 0.4,
        anneal_updates: int = 10_000,
        epsilon: float = 1e-3,
    ) -> None:
        super().__init__(capacity)
        check(
            RANGES,
            "PrioritisedReplay",
            alpha=alpha,
            beta=beta,
            anneal_updates=anneal_updates,
            epsilon=epsilon,
        )
        self.alpha, self.beta = alpha, beta
        self.anneal_updates, self.epsilon = anneal_updates, epsilon

    def build(self, prefix_length: int, horizon: int, bounds: int = 0) -> None:
        """Allocate the memory; see `UniformReplay.build`."""
        super().build(prefix_length, horizon, bounds)
        self.priorities = tf.Variable(tf.zeros([self.capacity]), trainable=False, name="priorities")
        self._tree = SumTree(self.capacity)
        self.largest = tf.Variable(1.0, trainable=False, name="largest_priority")
        self.draws = tf.Variable(0, dtype=tf.int64, trainable=False, name="draws")

    @property
    def per_row(self) -> list[tf.Variable]:
        """The variables with one entry per sequence on their first axis."""
        return [*self.columns, self.priorities]

    def exchange(self, variables: list[tf.Variable]) -> list[tf.Variable]:
        """Put other variables in the places of `per_row`, see `UniformReplay.exchange`."""
        old = self.per_row
        *self.columns, self.priorities = variables
        return old

    def add(self, batch: ReplayBatch) -> tf.Tensor:
        """Append B sequences with the largest priority; see `UniformReplay.add`."""
        rows = super().add(batch)
        priorities = tf.fill(tf.shape(rows), self.largest)
        self._set(rows, priorities)
        return rows

    def sample(self, batch_size: int, seed: tf.Tensor) -> tuple[ReplayBatch, tf.Tensor, tf.Tensor]:
        """Draw by priority; see the class and `UniformReplay.sample`."""
        uniform = tf.random.stateless_uniform([batch_size], seed, dtype=tf.float64)
        slices = tf.range(batch_size, dtype=tf.float64) + uniform
        points = slices / tf.cast(batch_size, tf.float64) * self._tree.total
        rows = tf.minimum(self._tree.find(points), self.filled - 1)
        self.draws.assign_add(1)
        return self.read(rows), rows, self._weights(tf.gather(self.priorities, rows))

    def update(self, rows: tf.Tensor, errors: tf.Tensor) -> None:
        """Set the priorities of drawn sequences from their mean absolute path errors [B]."""
        priorities = errors + self.epsilon
        self._set(rows, priorities)
        # All replicas give new sequences the same priority.
        largest = tf.reduce_max(sharing.gathered(tf.reduce_max(priorities)[tf.newaxis]))
        self.largest.assign(tf.maximum(self.largest, largest))

    def refresh(self) -> None:
        """Build the tree of the priorities again, which checkpoints do not contain."""
        self._tree.rebuild(self._weight(self.priorities[: self.filled]))

    def _set(self, rows: tf.Tensor, priorities: tf.Tensor) -> None:
        self.priorities.scatter_update(tf.IndexedSlices(priorities, rows))
        # Of a row that was drawn twice, the priority that was set.
        self._tree.update(rows, self._weight(tf.gather(self.priorities, rows)))

    def _weight(self, priorities: tf.Tensor) -> tf.Tensor:
        return tf.pow(tf.cast(priorities, tf.float64), self.alpha)

    def _weights(self, priorities: tf.Tensor) -> tf.Tensor:
        progress = tf.cast(self.draws, tf.float32) / self.anneal_updates
        beta = self.beta + (1.0 - self.beta) * tf.minimum(1.0, progress)
        # N and the sum of all priorities are the same for every sequence and cancel in the quotient.
        weights = tf.pow(priorities, -self.alpha * beta)
        return weights / tf.reduce_max(weights)

"""A sum tree in a TensorFlow variable: weights are changed and drawn in O(log n) instead of O(n)."""

from __future__ import annotations

import tensorflow as tf


class SumTree:
    """Weights of rows in the leaves of a binary tree whose other nodes have the sum of their two children.

    Node 1 is the root, node n has the children 2n and 2n + 1, and row i is the leaf `leaves` + i. The sums
    are float64: in float32, that of a million small weights would lose the last ones.

    The object is no trackable object of TensorFlow: a tree is rebuilt from what it was made of, not saved.

    Args:
        rows: number of rows.
    """

    def __init__(self, rows: int) -> None:
        self.depth = max(1, (rows - 1).bit_length())
        self.leaves = 1 << self.depth
        self._nodes = tf.Variable(
            tf.zeros([2 * self.leaves], tf.float64), trainable=False, name="sum_tree"
        )

    @property
    def total(self) -> tf.Tensor:
        """The sum of all weights, a float64 scalar."""
        return self._nodes[1]

    def update(self, rows: tf.Tensor, weights: tf.Tensor) -> None:
        """Set the weights, float64 [B], of int64 [B] rows; a row that occurs twice has one weight."""
        nodes = rows + self.leaves
        self._assign(nodes, weights)
        for _ in range(self.depth):
            nodes = nodes // 2
            children = tf.gather(self._nodes, tf.stack([2 * nodes, 2 * nodes + 1]))
            self._assign(nodes, children[0] + children[1])

    def find(self, points: tf.Tensor) -> tf.Tensor:
        """Return the rows, int64 [B], in whose stretch of the sum from left to right float64 [B] points lie.

        A row of weight 0 is never returned for a point below `total`, up to rounding.
        """
        nodes = tf.ones_like(points, tf.int64)
        for _ in range(self.depth):
            left = tf.gather(self._nodes, 2 * nodes)
            goes_right = points >= left
            points = tf.where(goes_right, points - left, points)
            nodes = 2 * nodes + tf.cast(goes_right, tf.int64)
        return nodes - self.leaves

    def rebuild(self, weights: tf.Tensor) -> None:
        """Set the weights, float64 [N], of the first N rows; those of the others are 0."""
        level = tf.pad(weights, [[0, self.leaves - tf.shape(weights)[0]]])
        levels = [level]
        for _ in range(self.depth):
            level = tf.reduce_sum(tf.reshape(level, [-1, 2]), axis=1)
            levels.insert(0, level)
        self._nodes.assign(tf.concat([[tf.zeros([], tf.float64)], *levels], axis=0))

    def _assign(self, nodes: tf.Tensor, values: tf.Tensor) -> None:
        self._nodes.scatter_update(tf.IndexedSlices(values, nodes))

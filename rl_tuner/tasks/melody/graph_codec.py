"""Conversion of classes to notes as a graph, for exported models."""

from __future__ import annotations

import tensorflow as tf

from rl_tuner.tasks.melody.encoding import NO_EVENT, NUM_SPECIAL_CLASSES, PITCH_OFFSET
from rl_tuner.tasks.presentation import GraphCodec


class MelodyCodec(GraphCodec):
    """Codec that adds the notes of melodies.

    Args:
        pitch_offset: difference between the MIDI pitch of a class and the class.
    """

    def __init__(self, pitch_offset: int = PITCH_OFFSET) -> None:
        self._pitch_offset = pitch_offset

    def decode(self, tokens: tf.Tensor, lengths: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return `pitches`, `starts` and `ends`, see `notes`."""
        pitches, starts, ends = notes(tokens, lengths, self._pitch_offset)
        return {"pitches": pitches, "starts": starts, "ends": ends}


def notes(
    tokens: tf.Tensor, lengths: tf.Tensor, pitch_offset: int = PITCH_OFFSET
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the notes of melodies, as `encoding.notes_from_classes` does for a single melody.

    Args:
        tokens: int32 [B, T] classes.
        lengths: int32 [B], number of steps of each melody.
        pitch_offset: difference between the MIDI pitch of a class and the class.

    Returns:
        MIDI pitches, first steps and last steps (exclusive) of the notes in their order, int32 [B, T]
        each, -1 past the last note.
    """
    size = tf.shape(tokens)[1]
    steps = tf.range(size)[tf.newaxis]
    happens = tf.not_equal(tokens, NO_EVENT) & (steps < lengths[:, tf.newaxis])
    # Events are sorted to the front in their order; a note ends at the next event.
    starts = tf.sort(tf.where(happens, steps, size), axis=1)
    classes = tf.gather(tf.pad(tokens, [[0, 0], [0, 1]]), starts, batch_dims=1)
    following = tf.concat([starts[:, 1:], tf.fill([tf.shape(tokens)[0], 1], size)], axis=1)
    ends = tf.minimum(following, lengths[:, tf.newaxis])
    sounds = (starts < size) & (classes >= NUM_SPECIAL_CLASSES)
    order = tf.argsort(tf.where(sounds, starts, size), axis=1, stable=True)

    def in_order(values: tf.Tensor) -> tf.Tensor:
        return tf.gather(tf.where(sounds, values, -1), order, batch_dims=1)

    return in_order(classes + pitch_offset), in_order(starts), in_order(ends)

"""Cutting TensorBoard's event files at a step, so that resumed work writes no point twice."""

from __future__ import annotations

import contextlib
import glob
import os

import tensorflow as tf

from rl_tuner.common.files import replacing


def cut(folder: str, step: int) -> None:
    """Remove from the event files of a folder what was written after a step, and a torn last record.

    Args:
        folder: folder of the event files; it may be missing.
        step: last step that stays.
    """
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), "events.out.tfevents.*"))):
        kept, is_whole = _up_to(path, step)
        if is_whole:
            continue
        with replacing(path) as temporary, tf.io.TFRecordWriter(temporary) as writer:
            for record in kept:
                writer.write(record)


def _up_to(path: str, step: int) -> tuple[list[bytes], bool]:
    """Return the records up to a step, and whether they are all that the file contains."""
    kept: list[bytes] = []
    is_whole = False
    # A process that was killed leaves a record in part.
    with contextlib.suppress(tf.errors.DataLossError):
        count = 0
        for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
            count += 1
            if tf.compat.v1.Event.FromString(record).step <= step:
                kept.append(record)
        is_whole = len(kept) == count
    return kept, is_whole

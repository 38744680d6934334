"""Checkpoints of long work: the newest that is whole goes on, and only with the settings it was made with."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
import shutil
from typing import Any

import tensorflow as tf

from rl_tuner.common.errors import UserError, first_line
from rl_tuner.common.progress import warn

# The one before stays, in case that the last one is damaged.
_KEPT = 2
_PREFIX = "ckpt"
_NUMBER = re.compile(rf"{_PREFIX}-(\d+)\.index$")
_DAMAGE = (tf.errors.OpError, ValueError, IndexError, AssertionError, UnicodeDecodeError)


class Checkpoints:
    """The checkpoints of one piece of work, in a folder of their own.

    Args:
        folder: the folder.
        settings: digest of the settings of the work; "" if they are not known here.
        **parts: what is saved, trackable objects of TensorFlow.
    """

    def __init__(self, folder: str, settings: str = "", **parts: Any) -> None:
        self._folder, self._digest, self._parts = folder, settings, parts
        with tf.device("cpu"):
            self._settings = tf.Variable(settings, dtype=tf.string)
            self._notes = tf.Variable("null", dtype=tf.string)
        self._checkpoint = tf.train.Checkpoint(**parts, settings=self._settings, notes=self._notes)

    def save(self, notes: Any = None) -> None:
        """Write a checkpoint and remove all but the newest two.

        Args:
            notes: JSON-serialisable facts that belong to this state; `restore` returns them.

        Raises:
            UserError: it cannot be written; the one before is kept.
        """
        self._settings.assign(self._digest)
        self._notes.assign(json.dumps(notes))
        try:
            self._checkpoint.save(os.path.join(self._folder, _PREFIX))
        except tf.errors.OpError as error:
            raise UserError(
                f"{self._folder}: a checkpoint cannot be written ({_reason(error)}); the one before is kept:"
                " make room for it and rerun the same command"
            ) from error
        for path in _newest_first(self._folder)[_KEPT:]:
            # Without its index, a checkpoint that is deleted in part is none.
            for file in [f"{path}.index", *sorted(glob.glob(f"{glob.escape(path)}.data-*"))]:
                os.remove(file)

    def restore(self) -> tuple[int, Any] | None:
        """Restore the newest checkpoint that is whole, with a warning about newer ones that are not.

        Returns:
            Its number and its notes, None for a checkpoint of an earlier version; None without any
            checkpoint.

        Raises:
            UserError: no checkpoint is whole, or it belongs to other settings or another network.
        """
        _sweep(self._folder)
        path = newest_whole(self._folder)
        if path is None:
            return None
        reader = tf.train.load_checkpoint(path)
        made_with = _text(reader, "settings")
        if self._digest and made_with and made_with != self._digest:
            raise UserError(
                f"checkpoint {path} was made with other settings than this work; delete {self._folder}, or"
                " choose another folder"
            )
        number = _number(path)
        notes = _text(reader, "notes")
        try:
            # Earlier versions saved neither settings nor notes.
            older = tf.train.Checkpoint(**self._parts)
            (older if notes is None else self._checkpoint).restore(path).assert_consumed()
        except _DAMAGE as error:
            raise UserError(
                f"checkpoint {path} cannot be restored ({first_line(error)})"
            ) from error
        self._checkpoint.save_counter.assign(number)
        return number, None if notes is None else json.loads(notes)


def newest_whole(folder: str) -> str | None:
    """Return the newest checkpoint that can be read; None if there is no checkpoint at all.

    A warning names the newer ones that are damaged. Every tensor is read and compared with its checksum.

    Raises:
        UserError: there are checkpoints, but none is whole.
    """
    paths = _newest_first(folder)
    damaged: list[str] = []
    for path in paths:
        why = damage(path)
        if why is None:
            for told in damaged:
                warn(f"{told}; going on from {path}")
            return path
        damaged.append(f"checkpoint {path} is damaged ({why})")
    if damaged:
        raise UserError(
            f"{damaged[0]}, and no other one is whole; delete {folder} to start this work again"
        )
    if glob.glob(os.path.join(glob.escape(folder), f"{_PREFIX}-*")):
        raise UserError(
            f"{folder} has parts of checkpoints, but none is whole; delete it to start this work again"
        )
    return None


def newest_is_whole(folder: str) -> bool:
    """Return whether there are checkpoints and the newest is not damaged."""
    paths = _newest_first(folder)
    return bool(paths) and damage(paths[0]) is None


def newest_files(folder: str) -> list[str]:
    """Return the names of the files of the newest checkpoint."""
    paths = _newest_first(folder)[:1]
    found = [path for newest in paths for path in glob.glob(f"{glob.escape(newest)}.*")]
    return sorted(os.path.basename(path) for path in found)


def damage(path: str) -> str | None:
    """Return what is wrong with the files of a checkpoint; None if every tensor matches its checksum."""
    try:
        reader = tf.train.load_checkpoint(path)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except _DAMAGE as error:
        return first_line(error)
    return None


def _newest_first(folder: str) -> list[str]:
    """Return the paths of the checkpoints, without a suffix; the folder's own list may be missing."""
    found = glob.glob(os.path.join(glob.escape(folder), f"{_PREFIX}-*.index"))
    paths = [path.removesuffix(".index") for path in found if _NUMBER.search(path)]
    return sorted(paths, key=_number, reverse=True)


def _reason(error: tf.errors.OpError) -> str:
    """Return the end of a message of TensorFlow, without the operation and the file before it."""
    return first_line(error).rpartition(";")[2].partition(" [Op:")[0].strip() or first_line(error)


def _number(path: str) -> int:
    return int(path.rpartition("-")[2])


def _text(reader: Any, name: str) -> str | None:
    key = f"{name}/.ATTRIBUTES/VARIABLE_VALUE"
    return reader.get_tensor(key).decode() if reader.has_tensor(key) else None


def _sweep(folder: str) -> None:
    """Remove what a killed process left of a checkpoint that it was writing."""
    pattern = os.path.join(glob.escape(folder), f"{_PREFIX}-*")
    for path in glob.glob(f"{pattern}_temp"):
        shutil.rmtree(path, ignore_errors=True)
    for path in glob.glob(f"{pattern}.tempstate*"):
        with contextlib.suppress(OSError):
            os.remove(path)

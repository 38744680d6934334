"""Reading of TensorFlow 1 variables: both checkpoint formats, folders and .mag bundles."""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import hashlib
import math
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from rl_tuner.common.errors import UserError
from rl_tuner.priors.importing.locating import checkpoint_prefix


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """An open checkpoint.

    Attributes:
        path: path as shown in messages.
        name: file name, without folders.
        sha256: digest of the bytes of its files, in the order of their names.
        num_bytes: total size of its files.
        shapes: variable name -> shape.
        bundle: "generator", "generator_description" and "description" of a bundle; empty for a
            checkpoint that is not in a bundle.
    """

    path: str
    name: str
    sha256: str
    num_bytes: int
    shapes: dict[str, tuple[int, ...]]
    bundle: dict[str, str]
    _reader: Any

    def read(self, variable: str) -> np.ndarray:
        """Return a variable as float32.

        Raises:
            UserError: the variable is damaged, larger than the file, not numeric or not finite.
        """
        # A damaged or forged header must not cause a huge allocation.
        if 2 * math.prod(self.shapes[variable]) > self.num_bytes:
            raise _damaged(self.path, f"{variable} is larger than the whole file")
        try:
            value = np.asarray(self._reader.get_tensor(variable), np.float32)
        except Exception as error:
            raise _damaged(self.path, _reason(error)) from error
        if value.shape != self.shapes[variable] or not np.isfinite(value).all():
            raise _damaged(self.path, f"{variable} contains numbers that are not finite")
        return value


@contextlib.contextmanager
def open_checkpoint(path: str) -> Iterator[Checkpoint]:
    """Open a TensorFlow 1 checkpoint; the graph that is stored next to the variables is never read.

    Args:
        path: prefix or one of the files of a checkpoint, a folder with a file "checkpoint" (which
            names the latest), or a Magenta bundle (.mag).

    Raises:
        UserError: there is no checkpoint, or it is damaged.
    """
    try:
        if path.endswith(".mag"):
            with tempfile.TemporaryDirectory() as folder:
                yield _open_bundle(path, os.path.join(folder, "model.ckpt"))
        else:
            prefix, files = _locate(path)
            yield _open(path, os.path.basename(prefix), prefix, files, {})
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error


def _locate(path: str) -> tuple[str, list[str]]:
    prefix = checkpoint_prefix(path)
    if os.path.isdir(path):
        try:
            latest = tf.train.get_checkpoint_state(path).model_checkpoint_path
        except Exception:
            raise UserError(
                f"{path} has no readable file 'checkpoint'; give the checkpoint itself"
            ) from None
        # The folder in the file is that of the machine where the network was trained.
        prefix = os.path.join(path, os.path.basename(latest))
    if os.path.isfile(f"{prefix}.index"):
        return prefix, [*sorted(glob.glob(f"{glob.escape(prefix)}.data-*")), f"{prefix}.index"]
    if os.path.isfile(prefix):
        return prefix, [prefix]
    raise UserError(f"checkpoint {prefix} does not exist; give its prefix or one of its files")


def _open(
    path: str, name: str, prefix: str, files: Sequence[str], bundle: dict[str, str]
) -> Checkpoint:
    try:
        reader = tf.train.load_checkpoint(prefix)
        shapes = {key: tuple(shape) for key, shape in reader.get_variable_to_shape_map().items()}
    except Exception as error:
        raise _damaged(path, _reason(error)) from error
    digest = hashlib.sha256()
    for file_path in files:
        with open(file_path, "rb") as file:
            while block := file.read(2**20):
                digest.update(block)
    num_bytes = sum(os.path.getsize(file_path) for file_path in files)
    return Checkpoint(path, name, digest.hexdigest(), num_bytes, shapes, bundle, reader)


def _open_bundle(path: str, unpacked: str) -> Checkpoint:
    from google.protobuf.message import DecodeError

    with warnings.catch_warnings():
        # A dependency of note-seq warns that ffmpeg is missing, which is not needed here.
        warnings.simplefilter("ignore", RuntimeWarning)
        from note_seq.protobuf import generator_pb2

    with open(path, "rb") as file:
        data = file.read()
    try:
        bundle = generator_pb2.GeneratorBundle.FromString(data)
    except DecodeError as error:
        raise UserError(f"{path} is not a Magenta bundle, or it is damaged") from error
    if len(bundle.checkpoint_file) != 1:
        raise UserError(
            f"bundle {path} must contain one checkpoint, not {len(bundle.checkpoint_file)}"
        )
    with open(unpacked, "wb") as file:
        file.write(bundle.checkpoint_file[0])
    facts = {
        "generator": bundle.generator_details.id,
        "generator_description": bundle.generator_details.description,
        "description": bundle.bundle_details.description,
    }
    opened = _open(path, os.path.basename(path), unpacked, [unpacked], facts)
    return dataclasses.replace(opened, sha256=hashlib.sha256(data).hexdigest())


def _damaged(path: str, reason: str) -> UserError:
    return UserError(f"{path} is not a TensorFlow 1 checkpoint, or it is damaged ({reason})")


def _reason(error: Exception) -> str:
    return " ".join((getattr(error, "message", None) or str(error) or type(error).__name__).split())

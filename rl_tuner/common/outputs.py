"""Checks of the places of output, which the commands make before anything heavy is imported."""

from __future__ import annotations

import os

from rl_tuner.common.errors import UserError

# The file by which a folder is recognised as a SavedModel.
SAVED_MODEL = "saved_model.pb"


def check_folder(path: str) -> None:
    """Make sure that a folder can be written, whether it exists or not.

    Raises:
        UserError: a file is in its place, or it must not be written.
    """
    place = os.path.abspath(path)
    while not os.path.lexists(place):
        place = os.path.dirname(place)
    if not os.path.isdir(place):
        wrong = "is" if place == os.path.abspath(path) else f"needs a folder where {place} is"
        raise UserError(f"{path} {wrong} a file; choose another folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise UserError(f"{path} cannot be written: {place} is read-only; choose another folder")


def check_samples(folder: str, prefix: str, *, overwrite: bool) -> None:
    """Make sure that files PREFIX_* and PREFIX.* can be written into a folder.

    Raises:
        UserError: the folder cannot be written, or contains such files and `overwrite` is not set.
    """
    check_folder(folder)
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    there = [name for name in names if name.startswith((f"{prefix}_", f"{prefix}."))]
    if there and not overwrite:
        raise UserError(
            f"{os.path.join(folder, there[0])} exists; choose another folder, or set overwrite to replace"
            " such files"
        )


def check_export(folder: str, *, overwrite: bool) -> None:
    """Make sure that a SavedModel can be written as a folder.

    Raises:
        UserError: the folder cannot be written, contains anything but a SavedModel, or contains a
            SavedModel and `overwrite` is not set.
    """
    check_folder(folder)
    if not os.path.isdir(folder) or not os.listdir(folder):
        return
    if not os.path.isfile(os.path.join(folder, SAVED_MODEL)):
        raise UserError(
            f"{folder} is not empty and does not contain a SavedModel; choose another output_dir"
        )
    if not overwrite:
        raise UserError(
            f"{folder} contains a SavedModel; choose another output_dir, or set overwrite to replace it"
        )


def choose_version(folder: str, version: int | None) -> int:
    """Return the number of a new version in the folder of all versions of a SavedModel.

    Args:
        folder: the folder of all versions.
        version: the number, at least 1; None is the number after the latest.

    Raises:
        UserError: the version already exists, or the folder cannot be written or contains anything but
            versions.
    """
    check_folder(folder)
    names = os.listdir(folder) if os.path.isdir(folder) else []
    if SAVED_MODEL in names:
        raise UserError(
            f"{folder} is itself a SavedModel; give the folder for all versions of the model"
        )
    versions = [int(name) for name in names if name.isdecimal()]
    if any(not name.startswith(".") for name in names) and not versions:
        raise UserError(
            f"{folder} is not empty and contains no SavedModel versions; choose another folder"
        )
    if version is None:
        version = max(versions, default=0) + 1
    if version < 1:
        raise UserError(f"a version must be at least 1, not {version}")
    if version in versions:
        raise UserError(
            f"{folder} already contains version {version}; omit the version to take the next number"
        )
    return version

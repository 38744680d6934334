"""Listing of the tunes in files of music, the unit of work: an ABC book or a TFRecord contains many."""

import dataclasses
import importlib.util
import os
import re
from collections.abc import Iterable

from pipelines.inputs import Input, InputFile, expand, files_of
from pipelines.melody import abc_book, text
from rl_tuner.common.errors import UserError
from rl_tuner.common.extras import install_hint
from rl_tuner.datasets import tfrecords
from rl_tuner.datasets.writer import RejectedError, Rejection

FREE_MUSIC21_COLLECTIONS = ("airdsAirs", "oneills1850", "ryansMammoth")

MUSIC21_PREFIX = "music21:"
_FORMATS = {
    ".mid": "midi",
    ".midi": "midi",
    ".rmi": "midi",
    ".kar": "midi",
    ".abc": "abc",
    ".xml": "musicxml",
    ".musicxml": "musicxml",
    ".mxl": "musicxml",
    ".tfrecord": "notesequence",
}


@dataclasses.dataclass(frozen=True)
class Tune:
    """One tune to read.

    Attributes:
        name: File name, number and title.
        format: "midi", "abc", "musicxml" or "notesequence".
        size: Size in bytes.
        path: Path of the file; "" if `text` contains the tune.
        text: The ABC text.
        offset: Offset of its record in a TFRecord file.
    """

    name: str
    format: str
    size: int
    path: str = ""
    text: str = ""
    offset: int = 0


def list_tunes(
    inputs: Iterable[str],
    *,
    recursive: bool,
    max_bytes: int,
    allow_any_music21_collection: bool,
) -> tuple[list[Tune], list[Rejection]]:
    """Return the tunes of all inputs, and the rejected files.

    Raises:
        UserError: if an input does not exist, has an unknown type or must not be used.
    """
    tunes: list[Tune] = []
    rejections: list[Rejection] = []
    for file, _ in list_files(
        inputs,
        recursive=recursive,
        allow_any_music21_collection=allow_any_music21_collection,
    ):
        found, refused = tunes_of(file, max_bytes)
        tunes += found
        rejections += refused
    return tunes, rejections


def list_files(
    inputs: Iterable[str], *, recursive: bool, allow_any_music21_collection: bool
) -> list[tuple[InputFile, Input]]:
    """Return the files of all inputs, each with its input.

    Raises:
        UserError: if an input does not exist, has an unknown type or must not be used.
    """
    return [
        (file, given)
        for given in expand(inputs, MUSIC21_PREFIX)
        for file in _files_of(given, recursive, allow_any_music21_collection)
    ]


def tunes_of(file: InputFile, max_bytes: int) -> tuple[list[Tune], list[Rejection]]:
    """Return the tunes of a file, or its rejection."""
    try:
        found = _tunes_of(file, max_bytes)
        if not found:
            raise RejectedError("no tune")
        return found, []
    except RejectedError as error:
        return [], [Rejection(file.name, error.reason, error.detail)]
    except OSError as error:
        return [], [Rejection(file.name, "unreadable file", error.strerror or "")]


def _files_of(given: Input, recursive: bool, allow_any: bool) -> list[InputFile]:
    if given.path.startswith(MUSIC21_PREFIX):
        folder = _music21_folder(given.path, allow_any)
        return files_of(Input(folder, given.path))
    if given.is_single and os.path.isfile(given.path) and _format(given.path) is None:
        known = " ".join(_FORMATS)
        raise UserError(f"{given.path} has an unknown file type; use one of {known}")
    return files_of(given, recursive)


def _tunes_of(file: InputFile, max_bytes: int) -> list[Tune]:
    file_format = _format(file.path)
    size = os.path.getsize(file.path)
    if file_format is None:
        raise RejectedError("unknown file type", os.path.splitext(file.path)[1])
    if file_format == "notesequence":
        return _tfrecord_tunes(file)
    if size > max_bytes:
        raise RejectedError("too large", f"{size} bytes")
    if size == 0:
        raise RejectedError("empty file")
    if file_format != "abc":
        return [Tune(file.name, file_format, size, path=file.path)]
    with open(file.path, "rb") as opened:
        book = text.decode(opened.read())
    return [
        Tune(
            f"{file.name}#{tune.number} {tune.title}".rstrip("# "),
            "abc",
            len(tune.text),
            text=tune.text,
        )
        for tune in abc_book.split_book(book)
    ]


def _tfrecord_tunes(file: InputFile) -> list[Tune]:
    try:
        return [
            Tune(f"{file.name}#{number}", "notesequence", length, path=file.path, offset=offset)
            for number, (offset, length) in enumerate(tfrecords.record_spans(file.path))
        ]
    except tfrecords.CorruptRecordError as error:
        raise RejectedError("unreadable TFRecord", str(error)) from error


def _format(path: str) -> str | None:
    if re.search(r"\.tfrecord-\d+-of-\d+$", path):
        return "notesequence"
    return _FORMATS.get(os.path.splitext(path)[1].lower())


def _music21_folder(given: str, allow_any: bool) -> str:
    name = given.removeprefix(MUSIC21_PREFIX)
    free = ", ".join(FREE_MUSIC21_COLLECTIONS)
    if name not in FREE_MUSIC21_COLLECTIONS and not allow_any:
        raise UserError(
            f"the licence of {given} is non-commercial or not known to be free; use one of {free}, or set"
            " allow_any_music21_collection"
        )
    spec = importlib.util.find_spec("music21")
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"{given} needs music21: {install_hint('corpus')}")
    folder = os.path.join(spec.submodule_search_locations[0], "corpus", name)
    if not re.fullmatch(r"[\w-]+", name) or not os.path.isdir(folder):
        raise UserError(f"music21 has no collection {name!r}; use one of {free}")
    return folder
